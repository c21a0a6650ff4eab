"""The decoding process: what it gives, and that no file makes it hang, crash the rest or grow without bound."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pydicom")

from PIL import Image
from pydicom.uid import JPEG2000Lossless

from fhir_tools.errors import ImageError
from fhir_tools.imaging import decoding
from fhir_tools.imaging.decoding import Decoders
from fhir_tools.imaging.types import Limits
from tests.fhir_tools.imaging.made import bytes_of, dataset, real, slope_image
from tests.fhir_tools.imaging.test_pictures import bomb

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
async def decoders() -> AsyncIterator[Decoders]:
    made = Decoders(Limits(seconds=30), "mask")
    yield made
    await made.close()


async def read(decoders: Decoders, path: Path, **uids: str) -> list[Any]:
    async with decoders.opened(path, "display", uids) as file:
        return [frame async for frame in file.read(range(file.frames))]


async def told(decoders: Decoders, path: Path) -> str:
    with pytest.raises(ImageError) as error:
        await read(decoders, path)
    assert "\n" not in str(error.value) and ": " in str(error.value)
    return error.value.reason


def file(folder: Path, body: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(body)
    return path


async def test_one_process_serves_file_after_file(decoders: Decoders) -> None:
    frames = await read(decoders, real("emri_small.dcm"))
    assert [f.index for f in frames] == list(range(10))
    assert all(f.pixels.shape == (64, 64) and f.description.modality == "MR" for f in frames)
    async with decoders.opened(real("emri_small.dcm"), "display", {}) as opened:
        async for frame in opened.read(range(10)):
            assert frame.index == 0
            break  # in the middle
    with pytest.raises(ImageError) as error:
        await read(decoders, real("CT_small.dcm"), StudyInstanceUID="1.2.3")
    assert error.value.reason == "another"
    assert len(await read(decoders, real("CT_small.dcm"))) == 1
    assert len(decoders.processes) == 1
    # It has none of this process's environment, where credentials may be.
    assert b"CHARTLINE" not in environment(decoders.processes[0].pid)


def environment(pid: int) -> bytes:
    place = Path(f"/proc/{pid}/environ")
    return place.read_bytes() if place.exists() else b""


def hostile(kind: str) -> bytes:
    ct = real("CT_small.dcm").read_bytes()
    jpeg = bytes_of(dataset(slope_image(), Modality="MR"), JPEG2000Lossless)
    noise = random.Random(7).randbytes(5000)
    return {
        "empty": b"",
        "noise": noise,
        "preamble alone": bytes(128) + b"DICM",
        "preamble and noise": bytes(128) + b"DICM" + noise,
        "cut in the tags": ct[:1000],
        "cut in the pixels": ct[:-9000],
        "codestream cut": jpeg[: len(jpeg) // 2],
        "codestream of noise": jpeg[:-400] + noise[:400],
        "length beyond the end": ct[:-32768] + b"\xe0\x7f\x10\x00OW\x00\x00\xff\xff\xff\x7f" + noise,
        "picture bomb": bomb(60_000),
        "picture cut": bomb(100),
        "text": b"dear colleague",
        "pdf": b"%PDF-1.7\n" + noise,
        "sealed": b"-----BEGIN PGP MESSAGE-----\n" + noise,
        "enveloped": b"\x30\x82\x10\x00" + noise,
    }[kind]


REASONS = {
    "empty": {"no-image"}, "noise": {"no-image"}, "picture bomb": {"large"}, "text": {"no-image"}, "pdf": {"no-image"},
    "sealed": {"encrypted"}, "enveloped": {"encrypted"}, "cut in the pixels": {"short", "broken"},
    "picture cut": {"short", "broken"},
}  # fmt: skip


KINDS = (
    "empty", "noise", "preamble alone", "preamble and noise", "cut in the tags", "cut in the pixels", "codestream cut",
    "codestream of noise", "length beyond the end", "picture bomb", "picture cut", "text", "pdf", "sealed", "enveloped",
)  # fmt: skip


async def test_hostile_files_are_told_and_the_next_one_is_read(decoders: Decoders, tmp_path: Path) -> None:
    """One after the other through the same process: each takes a new one the time to start."""
    wrong = {}
    for kind in KINDS:
        reason = await told(decoders, file(tmp_path, hostile(kind)))
        if reason not in REASONS.get(kind, {"broken", "short", "no-pixels", "codec", "memory"}):
            wrong[kind] = reason
        assert len(await read(decoders, real("CT_small.dcm"))) == 1
    assert wrong == {}


@pytest.mark.slow
async def test_sixty_damaged_files_neither_hang_nor_crash(decoders: Decoders, tmp_path: Path) -> None:
    """Real files with bytes changed at random: each is read or told, within the time limit."""
    chance = random.Random(11)
    names = ("CT_small.dcm", "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm",
             "SC_rgb_jpeg_dcmtk.dcm", "JPEG-LL.dcm")  # fmt: skip
    reasons = set[str]()
    for at in range(60):
        body = bytearray(real(names[at % len(names)]).read_bytes())
        for _ in range(chance.randrange(1, 40)):
            body[chance.randrange(132, len(body))] = chance.randrange(256)
        try:
            await read(decoders, file(tmp_path, bytes(body)))
        except ImageError as error:
            reasons.add(error.reason)
    assert "slow" not in reasons


async def test_a_process_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_START", "import time; time.sleep(60)")
    decoders = Decoders(Limits(seconds=0.5), "mask")
    assert await told(decoders, real("CT_small.dcm")) == "slow"
    assert decoders.processes == ()


async def test_a_process_that_crashes_is_replaced(decoders: Decoders, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(decoding, "_START", "import os; os.abort()")
        assert await told(decoders, real("CT_small.dcm")) == "crashed"
    assert len(await read(decoders, real("CT_small.dcm"))) == 1


@pytest.mark.parametrize("said", [
    "struct.pack('>II', 2**31, 0)",
    "struct.pack('>II', 2, 2**32 - 1) + b'{}'",
    "struct.pack('>II', 4, 0) + b'nope'",
], ids=["words", "pixels", "no-json"])  # fmt: skip
async def test_a_process_that_lies_about_its_answer_is_ended(
    decoders: Decoders, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    """A decoder that a file has taken over does not make this process take memory for what never comes."""
    start = f"import struct, sys, time; sys.stdout.buffer.write({said}); sys.stdout.flush(); time.sleep(60)"
    with monkeypatch.context() as broken:
        broken.setattr(decoding, "_START", start)
        assert await told(decoders, real("CT_small.dcm")) == "crashed"
    assert decoders.processes == ()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="memory is bounded where the system can do that")
async def test_memory_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.fromarray(np.zeros((9000, 9000, 3), np.uint8)).save(path, compress_level=1)
    decoders = Decoders(Limits(memory=500_000_000, seconds=60), "mask")
    try:
        assert await told(decoders, path) == "memory"
    finally:
        await decoders.close()


async def test_closing_ends_every_process() -> None:
    decoders = Decoders(Limits(), "mask")
    await read(decoders, real("CT_small.dcm"))
    processes = [p._process for p in decoders._all]
    await decoders.close()
    assert processes and all(p.returncode is not None for p in processes)
