"""No file hangs, crashes or grows the process: each ends in time, with text or with a reason."""

from __future__ import annotations

import asyncio
import importlib.util
import resource
import sys
import time
from pathlib import Path

import psutil
import pytest

from fhir_tools.parsing import Limits, Parsed, Parsers
from fhir_tools.parsing.types import Unreadable

_SPEC = importlib.util.spec_from_file_location("hostile", Path(__file__).with_name("hostile.py"))
assert _SPEC and _SPEC.loader
_FILES = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_FILES)

LIMITS = Limits(seconds=4.0)
GROWN = 400_000_000
"""Bytes that this process may grow by: the largest file, its text and its pictures, some times over."""


async def tried(parsers: Parsers, body: bytes) -> Parsed | str:
    try:
        return await parsers.parse(body)
    except Unreadable as fault:
        return str(fault)


@pytest.mark.slow
async def test_no_hostile_file_hangs_crashes_or_grows_the_process() -> None:
    files = _FILES.hostile()
    assert len(files) >= 60
    parsers = Parsers(limits=LIMITS, workers=1)
    before, others = psutil.Process().memory_info().rss, set(workers())
    slow = {}
    try:
        for name, body in files.items():
            start = time.monotonic()
            await tried(parsers, body)
            slow[name] = time.monotonic() - start
            assert len(parsers._idle) <= 1
            for child in workers():
                assert child.memory_info().rss < LIMITS.memory, name
        assert await tried(parsers, b"<html>" + b"<p>All well.</p>" * 4000) != ""  # and the next file is read as ever
    finally:
        parsers.close()
    # The clock of a busy machine: a worker that has just been started gets ten seconds more.
    assert {n: s for n, s in slow.items() if s > LIMITS.seconds + 12} == {}
    assert psutil.Process().memory_info().rss - before < GROWN
    assert set(workers()) <= others


def workers() -> list[psutil.Process]:
    """The parsing processes of this one; other tests may have servers running beside them."""
    return [p for p in psutil.Process().children() if "fhir_tools.parsing.worker" in " ".join(p.cmdline())]


async def test_a_worker_that_takes_too_long_is_ended_and_the_next_file_is_read() -> None:
    parsers = Parsers(limits=Limits(seconds=0.0), workers=1)
    try:
        assert await tried(parsers, b"{\\rtf1 x}") != ""  # the first has the seconds of the start
        body = b"<html>" + b"<div>" * 400_000
        assert await tried(parsers, body) == "the file takes too long to read"
        parsers.limits = Limits()
        found = await tried(parsers, b"{\\rtf1 All well.}")
        assert isinstance(found, Parsed) and found.pieces == ("All well.",)
    finally:
        parsers.close()


async def test_a_worker_may_not_grow_past_its_memory() -> None:
    parsers = Parsers(limits=Limits(memory=300_000_000), workers=1)
    try:
        found = await tried(parsers, _FILES._docx(_FILES._word(b"<w:p><w:r><w:t>a</w:t></w:r></w:p>" * 600_000)))
        assert isinstance(found, str) and found != ""
    finally:
        parsers.close()


async def test_files_side_by_side_are_each_answered() -> None:
    parsers = Parsers(workers=2)
    try:
        found = await asyncio.gather(*(tried(parsers, b"{\\rtf1 number %d}" % n) for n in range(20)))
        assert [f.pieces for f in found if isinstance(f, Parsed)] == [(f"number {n}",) for n in range(20)]
    finally:
        parsers.close()


@pytest.mark.skipif(sys.platform != "linux", reason="the limits are those of Linux")
async def test_a_worker_may_not_write_reach_the_network_or_start_a_process(tmp_path: Path) -> None:
    from fhir_tools.parsing import worker

    for event, arguments in [
        ("open", (str(tmp_path / "x"), "w", 0)),
        ("open", (str(tmp_path / "x"), None, 1)),
        ("socket.connect", (None, ("127.0.0.1", 1))),
        ("subprocess.Popen", ("ls", ["ls"], None, None)),
        ("os.system", ("ls",)),
    ]:
        with pytest.raises(PermissionError):
            worker._refuse(event, arguments)
    worker._refuse("open", ("/etc/hostname", "rb", 0))
    assert resource.getrlimit(resource.RLIMIT_FSIZE) != (0, 0)  # the limits are the worker's alone
