"""PostgreSQL is stopped in the middle and started again: who asks is told so, and nothing is lost or told twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest

from agent.service import readiness
from agent.service.access.keys import KeyFile
from agent.service.app import create_app
from agent.service.database import open_database
from agent.settings import Settings
from agent.threads import open_threads
from tests.agent.service.conftest import MARIA, client_of, settings_in
from tests.agent.service.test_asking import told
from tests.contracts.conftest import CHARTS, Service, as_, running
from tests.contracts.test_jobs import Counting, until
from tests.contracts.test_jobs import begun as job_begun
from tests.contracts.test_threads import A1C, EVENTS, ask, begun, settled, turns
from tools.peers.postgres import Postgres

pytestmark = [pytest.mark.loopback, pytest.mark.slow]


@pytest.fixture
def server(stoppable_postgres: Postgres) -> Postgres:
    """A PostgreSQL that these tests may stop."""
    return stoppable_postgres


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """/readyz is asked anew each time, and does not wait long."""
    monkeypatch.setattr(readiness, "_FRESH", 0.0)
    monkeypatch.setattr(readiness, "_PATIENCE", 0.5)


@asynccontextmanager
async def away(server: Postgres, how: Literal["fast", "immediate"] = "immediate") -> AsyncIterator[None]:
    """Without the server, for as long as the block lasts."""
    await asyncio.to_thread(server.stop, how)
    try:
        yield
    finally:
        await asyncio.to_thread(server.start)


def is_away(response: httpx.Response) -> bool:
    """Whether the answer says that the database is away and when to come again, and no more."""
    problem = response.json()
    media, retry = response.headers["content-type"], response.headers.get("retry-after")
    assert (media, retry) == ("application/problem+json", "5") and "Traceback" not in response.text
    return (response.status_code, problem["type"]) == (503, "urn:chartline:problem:database")


async def ready(client: httpx.AsyncClient) -> None:
    """Return once the service says that it is ready, which it does soon and by itself."""
    async with asyncio.timeout(15):
        while (await client.get("/readyz")).status_code != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def kept_turns(settings: Settings, thread: str) -> list[str]:
    """The runs of the thread's checkpoint."""
    async with open_threads(settings) as saver:
        kept = await saver.aget_tuple({"configurable": {"thread_id": thread}})
    return [turn["run"] for turn in kept.checkpoint["channel_values"]["turns"]] if kept else []


async def ended(service: Service, thread: str) -> list[dict[str, Any]]:
    """The turns of a thread once none is worked on."""
    for turn in await turns(service, thread):
        await settled(service, turn["id"])
    return await turns(service, thread)


@pytest.mark.parametrize("how", ["fast", "immediate"])
async def test_questions_at_work_are_told_once_it_is_back(server: Postgres, how: Any, tmp_path: Path) -> None:
    settings = settings_in(tmp_path, database=server.database())
    async with running(settings, hold=True) as service:
        threads = [await begun(service) for _ in range(3)]
        headers = [as_("ada"), as_("ada", **EVENTS), as_("ada", Idempotency_Key="k")]
        asking = [
            asyncio.create_task(ask(service, thread=thread, headers=header))
            for thread, header in zip(threads, headers, strict=True)
        ]
        await service.held.reached(3)
        async with away(server, how):
            service.held.free.set()
            plain, streamed, keyed = await asyncio.gather(*asking)
            assert is_away(plain) and is_away(keyed)
            where = plain.headers["content-location"]
            events = told(streamed.text)
            assert events[-1] == ("problem", events[-1][1]) and events[-1][1]["status"] == 503
            assert {name for name, _ in events} == {"progress", "problem"}
            assert (await service.client.get("/readyz")).status_code == 503
        await ready(service.client)
        again = await ask(service, thread=threads[2], headers=headers[2])
        assert (again.status_code, again.json()["status"]) == (200, "answered")
        first = await settled(service, where.rpartition("/")[2])
        for thread in threads:
            found = await ended(service, thread)
            assert [(turn["state"], turn["question"]) for turn in found] == [("answered", A1C)]
            assert await kept_turns(settings, thread) == [found[0]["id"]]
            assert found[0]["answer"]["claims"] == first["answer"]["claims"]


async def test_what_is_asked_meanwhile_is_refused_and_leaves_nothing(server: Postgres, tmp_path: Path) -> None:
    async with running(settings_in(tmp_path, database=server.database())) as service:
        thread, job = await begun(service), await job_begun(service, "ada", "questions", **QUESTIONS)
        await until(service, job)
        async with away(server):
            for method, path, body in (
                ("POST", "/v1/threads", {"patient": MARIA}),
                ("GET", "/v1/threads", None),
                ("GET", f"/v1/threads/{thread}", None),
                ("DELETE", f"/v1/threads/{thread}", None),
                ("POST", "/v1/ask", {"question": A1C, "thread": thread}),
                ("POST", "/v1/jobs", {"kind": "questions", "input": QUESTIONS}),
                ("GET", f"/v1/jobs/{job}", None),
                ("GET", f"/v1/jobs/{job}/events", None),
                ("DELETE", f"/v1/jobs/{job}", None),
                ("GET", "/v1/questions/x", None),
            ):
                assert is_away(await service.client.request(method, path, json=body)), (method, path)
            unkept = await service.client.post("/v1/ask", json={"question": A1C, "patient": MARIA})
            assert (unkept.status_code, unkept.json()["status"]) == (200, "answered")  # it is not kept
            assert (await service.client.get("/healthz")).status_code == 200
        await ready(service.client)
        assert await turns(service, thread) == []
        assert [job["id"] for job in (await service.client.get("/v1/jobs")).json()["jobs"]] == [job]


QUESTIONS = {"patients": [MARIA], "questions": [A1C]}


async def test_a_job_goes_on_and_no_unit_counts_twice(server: Postgres, tmp_path: Path) -> None:
    counting, gate = Counting(), asyncio.Event()
    do = counting.do

    async def waiting(unit: str, *rest: Any) -> Any:
        if unit == "3":
            await gate.wait()
        return await do(unit, *rest)

    counting.do = waiting  # type: ignore[method-assign,assignment]
    async with running(settings_in(tmp_path, database=server.database()), kinds=(counting,)) as service:
        id_ = await job_begun(service, to=6)
        await until(service, id_, done=3)
        for _ in range(4):  # more often than a job may be begun
            async with away(server):
                gate.set()
                await asyncio.sleep(0.3)
                gate.clear()
            await ready(service.client)
        gate.set()
        job = await until(service, id_)
        result = (await service.client.get(f"/v1/jobs/{id_}/result")).json()
    assert (job["state"], job["done"], job["total"], job["error"]) == ("done", 6, 6, None)
    assert result == {"sum": 30, "units": ["0", "1", "2", "3", "4", "5"]}


async def test_sessions_are_not_ended_by_it(server: Postgres, tmp_path: Path) -> None:
    settings = settings_in(tmp_path, database=server.database())
    _, key = KeyFile(settings.service_keys).add("a program")
    async with client_of(create_app(settings, fhir=CHARTS)) as client:
        signed = await client.post("/v1/sign-in", json={"key": key})
        assert (signed.status_code, signed.json()["via"]) == (200, "key")
        token = {"X-CSRF-Token": signed.json()["csrf"]}
        async with away(server):
            assert is_away(await client.get("/v1/me"))
            assert is_away(await client.post("/v1/ask", json={"question": A1C, "patient": MARIA}, headers=token))
            assert is_away(await client.post("/v1/sign-out", headers=token))
            assert is_away(await client.post("/v1/sign-in", json={"key": key}, headers=token))
            header = {"Authorization": f"Bearer {key}"}
            async with httpx.AsyncClient(transport=client._transport, base_url="http://localhost") as other:
                assert (await other.get("/v1/me", headers=header)).json()["via"] == "key"  # a file tells
        await ready(client)
        assert (await client.get("/v1/me")).json()["via"] == "key"
        assert (await client.post("/v1/sign-out", headers=token)).status_code == 204
        assert (await client.get("/v1/me")).json().get("via") != "key"


async def test_the_service_stops_without_it(server: Postgres, tmp_path: Path) -> None:
    settings = settings_in(tmp_path, database=server.database())
    async with running(settings, hold=True) as service:
        thread = await begun(service)
        asking = asyncio.create_task(ask(service, thread=thread))
        await service.held.reached()
        await asyncio.to_thread(server.stop, "fast")
        await asyncio.sleep(0.3)
        asking.cancel()
        began = time.monotonic()
    stopped = time.monotonic()
    await asyncio.to_thread(server.start)
    assert stopped - began < 10
    async with running(settings) as service:
        assert [turn["state"] for turn in await ended(service, thread)] == ["answered"]


async def test_both_connections_give_up_a_server_that_is_silent(server: Postgres, tmp_path: Path) -> None:
    """For as long as is usual, or as the address says."""
    settings = settings_in(tmp_path, database=f"{server.database()}?tcp_user_timeout=7000")
    async with open_database(settings) as database, database.connect() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        told = [raw.info.get_parameters()]
    async with open_threads(settings) as saver, saver.conn.connection() as kept:  # type: ignore[attr-defined]
        told.append(kept.info.get_parameters())
    assert [(one["connect_timeout"], one["tcp_user_timeout"]) for one in told] == [("5", "7000")] * 2
