"""What the service needs goes away in the middle: the right problem, nothing half-told, nothing left over."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from agent.errors import SourceError
from agent.service import database, desk, readiness
from agent.service.app import create_app
from agent.sources import open_source
from fhir_tools.source import Source
from tests.agent.service.conftest import FOLDER, MARIA, Opened, client_of, settings_in
from tests.agent.service.listening import listening
from tests.contracts.conftest import Held

ASKED = {"question": "last A1c?", "patient": MARIA}
STREAM = {"Accept": "text/event-stream"}


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program has the database to itself."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a locked database."""
    prepare = database._prepare

    def hasty(connection: Any, record: Any) -> None:
        prepare(connection, record)
        connection.execute("PRAGMA busy_timeout=20").close()

    monkeypatch.setattr(database, "_prepare", hasty)


def problem(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].rpartition(":")[2]


async def test_the_database_is_locked_and_then_free(opened: Opened, impatient: None, tmp_path: Path) -> None:
    async with opened() as client:
        keyed = {"Idempotency-Key": "k"}
        with locked(tmp_path / "service.sqlite"):
            for path, body in (("/v1/threads", {"patient": MARIA}), ("/v1/jobs", JOB), ("/v1/ask", ASKED)):
                answer = await client.post(path, json=body, headers=keyed)
                assert problem(answer) == (503, "database") and answer.headers["retry-after"] == "5", answer.text
            streamed = await client.post("/v1/ask", json=ASKED, headers={**keyed, **STREAM})
            assert streamed.status_code == 503 and "claim" not in streamed.text
            assert (await client.post("/v1/ask", json=ASKED)).json()["status"] == "answered"  # it needs no database
        assert (await client.post("/v1/ask", json=ASKED, headers=keyed)).json()["status"] == "answered"
        assert (await client.post("/v1/threads", json={"patient": MARIA})).status_code == 201


JOB = {"kind": "questions", "input": {"patients": [MARIA], "questions": ["last A1c?"]}}


async def test_the_database_is_gone_and_made_anew_by_a_restart(opened: Opened, tmp_path: Path) -> None:
    async with opened() as client:
        await client.post("/v1/threads", json={"patient": MARIA})
        for path in tmp_path.glob("*.sqlite*"):  # noqa: ASYNC240
            if path.is_file():
                path.rename(path.with_name(f"{path.name}.aside"))
        answers = await asyncio.gather(
            *(client.post("/v1/ask", json=ASKED, headers={"Idempotency-Key": str(n)}) for n in range(6))
        )
        assert {problem(answer) for answer in answers} == {(503, "database")}
        assert (await client.get("/readyz")).json()["checks"]["database"] == "failed (OperationalError)"
        assert (await client.post("/v1/ask", json=ASKED)).status_code == 200
        assert not (tmp_path / "service.sqlite").exists()
    async with opened() as client:
        assert (await client.post("/v1/threads", json={"patient": MARIA})).status_code == 201


async def test_the_database_is_put_back_while_the_service_runs(opened: Opened, tmp_path: Path) -> None:
    """As by who restores a copy: what was asked before the copy is there, and what comes is kept."""
    state, copy = tmp_path / "service.sqlite", tmp_path / "copy.sqlite"
    async with opened() as client:
        before = (await client.post("/v1/threads", json={"patient": MARIA})).json()
        with sqlite3.connect(state) as found, sqlite3.connect(copy) as made:
            found.backup(made)
        made.close(), found.close()
        await client.post("/v1/threads", json={"patient": MARIA})
        for path in tmp_path.glob("service.sqlite*"):  # noqa: ASYNC240
            if path.is_file():
                path.unlink()
        assert problem(await client.get("/v1/threads")) == (503, "database")
        copy.rename(state)
        assert [thread["id"] for thread in (await client.get("/v1/threads")).json()["threads"]] == [before["id"]]
        assert (await client.post("/v1/ask", json={**ASKED, "thread": before["id"]})).status_code == 200


async def test_the_threads_file_alone_is_gone_and_put_back(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "_FRESH", 0.0)
    kept, copy = tmp_path / "threads.sqlite", tmp_path / "copy.sqlite"
    async with opened() as client:
        thread = (await client.post("/v1/threads", json={"patient": MARIA})).json()["id"]
        in_it = {**ASKED, "thread": thread}
        assert (await client.post("/v1/ask", json=in_it)).status_code == 200
        with sqlite3.connect(kept) as found, sqlite3.connect(copy) as made:
            found.backup(made)
        made.close(), found.close()
        for path in tmp_path.glob("threads.sqlite*"):  # noqa: ASYNC240
            path.unlink()
        answer = await client.post("/v1/ask", json={**in_it, "question": "and the first?"})
        assert problem(answer) == (503, "database")
        ready = (await client.get("/readyz")).json()
        assert (ready["status"], ready["checks"]["threads"]) == (503, "failed (OperationalError)")
        assert (ready["checks"]["database"], kept.exists()) == ("ready", False)
        assert (await client.post("/v1/ask", json=ASKED)).json()["status"] == "answered"  # it is of no thread
        assert problem(await client.delete(f"/v1/threads/{thread}")) == (503, "database")
        copy.rename(kept)
        assert (await client.get("/readyz")).json()["status"] == "ready"
        told = await client.get(answer.headers["content-location"], headers=STREAM)
        assert "event: answer" in told.text and "problem" not in told.text and "A1c" in told.text
        asked = (await client.get(f"/v1/threads/{thread}")).json()["turns"]
        assert [turn["state"] for turn in asked] == ["answered"] * 2
    with sqlite3.connect(kept) as found:
        assert found.execute("SELECT count(*) FROM checkpoints").fetchone()[0] >= 2
    found.close()


@contextmanager
def full(path: Path) -> Iterator[None]:
    """The disk has no room for a longer journal."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.with_name(f"{path.name}-wal").stat().st_size, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)


async def test_the_disk_is_full_and_has_room_again(tmp_path: Path) -> None:
    app = create_app(settings_in(tmp_path), fhir=(str(FOLDER),))
    async with client_of(app) as client:
        thread = (await client.post("/v1/threads", json={"patient": MARIA})).json()["id"]
        held = held_in(app)
        asking = asyncio.create_task(client.post("/v1/ask", json={**ASKED, "thread": thread}))
        await held.reached()
        with full(tmp_path / "service.sqlite"):
            held.free.set()
            answer = await asking
            assert problem(answer) == (503, "database") and answer.headers["retry-after"] == "5"
            where = answer.headers["content-location"]
            assert (await client.get("/readyz")).json()["checks"]["database"] == "failed (OperationalError)"
            assert problem(await client.post("/v1/threads", json={"patient": MARIA})) == (503, "database")
            assert (await client.get(where)).json()["state"] == "working"  # what is there can be read
        told = await client.get(where, headers=STREAM)
        assert "event: answer" in told.text and "problem" not in told.text
        turns = (await client.get(f"/v1/threads/{thread}")).json()["turns"]
        assert [(turn["id"], turn["state"]) for turn in turns] == [(where.rpartition("/")[2], "answered")]


async def test_the_file_is_made_read_only(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare, connections = database._prepare, list[Any]()

    def noted(connection: Any, record: Any) -> None:
        prepare(connection, record)
        connections.append(connection.driver_connection)

    monkeypatch.setattr(database, "_prepare", noted)
    async with opened() as client:
        await connections[-1].execute("PRAGMA query_only=ON")  # root may write to any file
        assert problem(await client.post("/v1/threads", json={"patient": MARIA})) == (503, "database")
        assert (await client.get("/readyz")).json()["checks"]["database"] == "failed (OperationalError)"
        assert (await client.get("/v1/threads")).json() == {"threads": [], "complete": True}
        await connections[-1].execute("PRAGMA query_only=OFF")
        assert (await client.post("/v1/threads", json={"patient": MARIA})).status_code == 201


class Failing:
    """A source whose server answers as it is told to."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.fault: BaseException | None = None
        self.wait = 0.0

    def __getattr__(self, name: str) -> Any:
        inner = getattr(self._source, name)
        if name not in ("search", "read", "operation", "fetch"):
            return inner

        async def asked(*arguments: Any, **options: Any) -> Any:
            await asyncio.sleep(self.wait)
            if self.fault:
                raise self.fault
            return await inner(*arguments, **options)

        return asked


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> list[Failing]:
    """The FHIR server of the service, once it is open."""
    made: list[Failing] = []

    @asynccontextmanager
    async def opening(*arguments: Any) -> AsyncIterator[Any]:
        async with open_source(*arguments) as source:
            made.append(Failing(source))
            yield made[-1]

    monkeypatch.setattr(desk, "open_source", opening)
    return made


@pytest.mark.parametrize("status", [None, 401, 500])
async def test_the_fhir_server_fails_and_comes_back(opened: Opened, server: list[Failing], status: int | None) -> None:
    async with opened() as client:
        server[0].fault = SourceError("the server at http://ehr.example did not answer", status=status)
        for headers in ({}, STREAM):
            answer = await client.post("/v1/ask", json=ASKED, headers=headers)
            assert "7.2" not in answer.text and "event: claim" not in answer.text
            told = answer.text
            assert answer.status_code == 502 or "event: problem" in told or '"status":"failed"' in told, told
        assert problem(await client.post("/v1/summaries", json={"patient": MARIA})) == (502, "fhir-server")
        assert problem(await client.get(f"/v1/patients/{MARIA}")) == (502, "fhir-server")
        server[0].fault = None
        answer = await client.post("/v1/ask", json=ASKED)
        assert (answer.json()["status"], "7.2 %" in answer.text) == ("answered", True)


async def test_a_server_that_is_too_slow_is_not_waited_for(opened: Opened, server: list[Failing]) -> None:
    async with opened(service_seconds=0.3) as client:
        server[0].wait = 30.0
        answer = await client.post("/v1/ask", json=ASKED)
        assert problem(answer) == (504, "too-slow")
        streamed = await client.post("/v1/ask", json=ASKED, headers=STREAM)
        assert "event: problem" in streamed.text and '"status":504' in streamed.text and "claim" not in streamed.text
        server[0].wait = 0.0
        assert (await client.post("/v1/ask", json=ASKED)).json()["status"] == "answered"


async def test_what_cannot_be_put_on_record_is_not_told(opened: Opened, tmp_path: Path) -> None:
    """The disk is full, and auditing is strict; then there is room again."""
    record = tmp_path / "audit.jsonl"
    record.symlink_to("/dev/full")
    async with opened(audit=str(record), audit_strict=True) as client:
        for headers in ({}, {"Idempotency-Key": "k"}, STREAM):
            answer = await client.post("/v1/ask", json=ASKED, headers=headers)
            assert "7.2" not in answer.text and "claim" not in answer.text
            if headers is STREAM:
                assert "event: problem" in answer.text and '"type":"operator"' in answer.text
            else:
                assert problem(answer) == (503, "operator") and "make room" in answer.text
        for path in (f"/v1/patients/{MARIA}", f"/v1/patients/{MARIA}/timeline"):
            assert (await client.get(path)).status_code >= 500
        record.unlink()
        assert (await client.post("/v1/ask", json=ASKED)).json()["status"] == "answered"
        assert '"kind":"answer"' in record.read_text()


def held_in(app: FastAPI) -> Held:
    """The service's reasoner, held back until it is let go."""
    parts = app.state.parts
    held = Held(parts.desk.reasoner)
    parts.desk.reasoner = held
    return held


async def settled(app: FastAPI, before: set[asyncio.Task[Any]]) -> None:
    """Return once nothing of a request is left: no task, no turn, no open chart in use."""
    pool = app.state.parts.desk._agents
    async with asyncio.timeout(10):
        while (  # noqa: ASYNC110  what is waited for are others' tasks
            {t for t in asyncio.all_tasks() if not t.done()} - before
            or app.state.parts.turns.running
            or any(entry.users for entry in pool._entries.values())
        ):
            await asyncio.sleep(0.02)


@pytest.mark.loopback
@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("/v1/ask", ASKED, STREAM),
        ("/v1/ask", ASKED, {}),
        (
            "/v1/chat/completions",
            {"model": "chartline", "messages": [{"role": "user", "content": "last A1c?"}]},
            {"X-Chartline-Patient": MARIA},
        ),
        (
            "/v1/chat/completions",
            {"model": "chartline", "stream": True, "messages": [{"role": "user", "content": "last A1c?"}]},
            {"X-Chartline-Patient": MARIA},
        ),
    ],
)
async def test_a_client_that_goes_away_leaves_nothing(
    tmp_path: Path, path: str, body: Any, headers: dict[str, str]
) -> None:
    app = create_app(settings_in(tmp_path), fhir=(str(FOLDER),))
    async with listening(app) as base:
        held = held_in(app)
        async with httpx.AsyncClient(base_url=base, trust_env=False) as client:
            await client.get("/healthz")
            before = set(asyncio.all_tasks())
            asking = asyncio.create_task(client.post(path, json=body, headers=headers))
            await held.reached()
            asking.cancel()
            await asyncio.wait([asking])
        await settled(app, before)
        held.free.set()
        async with httpx.AsyncClient(base_url=base, trust_env=False) as client:
            assert (await client.post("/v1/ask", json=ASKED)).json()["status"] == "answered"


async def test_nothing_is_left_when_the_service_stops(tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    async with client_of(create_app(settings_in(tmp_path), fhir=(str(FOLDER),))) as client:
        await asyncio.gather(*(client.post("/v1/ask", json=ASKED, headers=STREAM) for _ in range(5)))
        await client.post("/v1/jobs", json=JOB)
    await asyncio.sleep(0.05)
    assert {task for task in asyncio.all_tasks() if not task.done()} <= before
