"""Where entries go: whole lines only, by several processes at once, and never silently lost."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import orjson
import pytest
from fhir.resources.R4B.auditevent import AuditEvent
from fhir.resources.R4B.provenance import Provenance

from fhir_tools.audit import AuditLog, Entry, FhirLog, FhirServer, RequestEntry, Who, answer_record
from fhir_tools.errors import OperatorError, SourceError
from fhir_tools.http import Http
from fhir_tools.local import LocalStore
from fhir_tools.search.query import parse
from fhir_tools.serve import create_app
from fhir_tools.types import Reference

WHO = Who(agent="dr-lee", patient=Reference(type="Patient", id="me"), purpose="TREAT")


def request(what: str = "Observation", **more: Any) -> RequestEntry:
    return RequestEntry(at="2026-01-02T03:04:05.678Z", who=WHO, action="search", what=what, **more)


def lines(path: Path) -> list[Any]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_a_line_is_one_json_object_and_the_file_is_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "new" / "audit.jsonl"
    log = AuditLog(path)
    log(request(found=2))
    log(
        answer_record(
            WHO, status="answered", reasoner="rules", cited=[("Observation/o1", "3"), ("Observation/o2", None)]
        )
    )
    first, second = lines(path)
    assert first == {
        "at": "2026-01-02T03:04:05.678Z",
        "kind": "request",
        "agent": "dr-lee",
        "patient": "Patient/me",
        "purpose": "TREAT",
        "action": "search",
        "what": "Observation",
        "found": 2,
        "outcome": "ok",
        "seconds": 0.0,
    }
    assert second["kind"] == "answer" and second["cited"] == ["Observation/o1/_history/3", "Observation/o2"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    log.close()
    log.close()


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for n in range(3):
        log = AuditLog(path)
        log(request(found=n))
        log.close()
    assert [line["found"] for line in lines(path)] == [0, 1, 2]


def test_a_file_that_is_moved_away_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    log(request(found=1))
    path.rename(tmp_path / "audit.1")
    log(request(found=2))
    assert [len(lines(p)) for p in (tmp_path / "audit.1", path)] == [1, 1]


def test_processes_share_a_file_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    code = """
import sys
from fhir_tools.audit import AuditLog, RequestEntry, Who
from fhir_tools.types import Reference
who = Who(agent=sys.argv[2], patient=Reference(type="Patient", id="me"), purpose="TREAT")
log = AuditLog(sys.argv[1])
for n in range(200):
    references = tuple(f"Observation/{n}-{i}" for i in range(300))
    log(RequestEntry(at="x", who=who, action="search", what="Observation", references=references, found=n))
"""
    started = [subprocess.Popen([sys.executable, "-c", code, str(path), name]) for name in ("a", "b")]
    assert [process.wait(60) for process in started] == [0, 0]
    found = lines(path)
    assert len(found) == 400
    for name in ("a", "b"):
        assert [line["found"] for line in found if line["agent"] == name] == list(range(200))


def test_a_path_that_cannot_be_written_shows_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OperatorError, match=r"could not be kept.*strict"):
        AuditLog(tmp_path / "file" / "audit.jsonl")
    with pytest.raises(OperatorError):
        AuditLog(tmp_path)


@pytest.mark.parametrize("written", ["error", "short"])
def test_a_full_disk_stops_the_request(written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")

    def full(file: int, data: bytes) -> int:
        if written == "error":
            raise OSError(28, "No space left on device")
        return len(data) - 1

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OperatorError, match=r"(?i)no space left"):
        log(request())


def test_a_line_that_was_cut_short_spoils_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, write = AuditLog(tmp_path / "audit.jsonl"), os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:9]))
    with pytest.raises(OperatorError):
        log(request())
    monkeypatch.undo()
    log(request())
    torn, whole = (tmp_path / "audit.jsonl").read_bytes().splitlines()
    assert len(torn) == 9 and orjson.loads(whole)["kind"] == "request"


def test_where_it_is_not_strict_it_warns_once_and_counts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        log = AuditLog(tmp_path, strict=False)
        log(request())
        log(request())
    assert log.lost == 2 and caplog.text.count("could not be kept") == 1


def test_a_line_break_in_a_name_does_not_make_two_lines(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    who = Who(agent='x"\n{"kind": "answer"}', patient=WHO.patient, purpose="a\u2028b")
    log(RequestEntry(at="x", who=who, action="read", what="Patient/me"))
    assert len((tmp_path / "audit.jsonl").read_bytes().splitlines()) == 1


def test_fhir_lines_are_valid_resources(tmp_path: Path) -> None:
    log = FhirLog(tmp_path / "audit.ndjson")
    log(request(references=("Observation/o1/_history/3",)))
    log(answer_record(WHO, status="answered", reasoner="rules", cited=[("Observation/o1", "3")]))
    event, answer, source = lines(tmp_path / "audit.ndjson")
    AuditEvent.model_validate(event)
    AuditEvent.model_validate(answer)
    Provenance.model_validate(source)


class Server:
    """Takes what is posted and answers with a status, or fails."""

    def __init__(self, status: int = 201, fault: SourceError | None = None) -> None:
        self.status, self.fault = status, fault
        self.taken: list[tuple[str, str, Mapping[str, str] | None, Any]] = []

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Any:
        if self.fault:
            raise self.fault
        self.taken.append((method, url, headers, orjson.loads(body or b"")))
        return SimpleNamespace(status=self.status)


ANSWER: Entry = answer_record(WHO, status="answered", reasoner="rules", cited=[("Observation/o1", "3")])


async def test_a_server_gets_each_resource_once() -> None:
    server = Server()
    sink = FhirServer(server)
    await sink(request())
    await sink(ANSWER)
    assert [(m, url) for m, url, _, _ in server.taken] == [
        ("POST", "AuditEvent"),
        ("POST", "AuditEvent"),
        ("POST", "Provenance"),
    ]
    assert all(h and h["Content-Type"] == "application/fhir+json" for _, _, h, _ in server.taken)


@pytest.mark.parametrize(
    "server", [Server(403), Server(422), Server(fault=SourceError("the server could not be reached"))]
)
async def test_a_server_that_does_not_take_it_stops_the_request_or_is_counted(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(OperatorError, match="AuditEvent"):
        await FhirServer(server)(request())
    lenient = FhirServer(server, strict=False)
    await lenient(request())
    await lenient(ANSWER)
    assert lenient.lost == 3 and caplog.text.count("could not be kept") == 1


async def test_a_real_server_takes_it_where_it_may_be_written() -> None:
    store = LocalStore()
    async with Http("http://audit.test", transport=httpx.ASGITransport(create_app(store, writable=True))) as http:
        await FhirServer(http)(ANSWER)
    for kind in ("AuditEvent", "Provenance"):
        assert len((await store.search(parse(kind))).matches) == 1
    async with Http("http://audit.test", transport=httpx.ASGITransport(create_app(store))) as http:
        with pytest.raises(OperatorError, match="AuditEvent"):
            await FhirServer(http)(ANSWER)
    store.close()
