"""What jobs do over HTTP, over every database that keeps them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import update

from agent.errors import SourceError
from agent.service.callers import Access, Caller
from agent.service.jobs.store import JOBS
from agent.service.jobs.types import Work
from agent.service.jobs.work import WAITING
from agent.service.parts import Parts
from agent.service.questions.runs import TRIES
from agent.settings import Settings
from fhir_tools.auth import Bearer
from tests.agent.service.conftest import MARIA
from tests.agent.service.test_asking import told
from tests.contracts.conftest import Opened, Service, as_, running

pytestmark = pytest.mark.loopback


class Count(BaseModel):
    """What the kind below counts to."""

    to: int
    stop_at: int | None = None
    fail_at: int | None = None


class Counting:
    """A kind of job that notes each unit it did. At `stop_at` it waits for ever, at `fail_at` it fails."""

    kind, input = "counting", Count

    def __init__(self, *, stops: bool = True) -> None:
        self.did: list[str] = []
        self.planned = 0
        self.stops = stops

    async def units(self, input: Count, parts: Parts, caller: Caller) -> Sequence[str]:  # noqa: A002
        self.planned += 1
        return [str(number) for number in range(input.to)]

    async def do(self, unit: str, input: Count, parts: Parts, caller: Caller) -> Any:  # noqa: A002
        if int(unit) == input.fail_at:
            raise SourceError("the server does not answer")
        if self.stops and int(unit) == input.stop_at:
            await asyncio.sleep(600)
        self.did.append(unit)
        return {"twice": 2 * int(unit), "by": caller.name}

    def result(self, input: Count, done: Mapping[str, Any]) -> Any:  # noqa: A002
        return {"sum": sum(unit["twice"] for unit in done.values()), "units": list(done)}


_: Work = Counting()


async def begun(service: Service, who: str = "ada", kind: str = "counting", key: str = "", **given: Any) -> str:
    """The id of a new job."""
    headers = as_(who, Idempotency_Key=key) if key else as_(who)
    response = await service.client.post("/v1/jobs", json={"kind": kind, "input": given}, headers=headers)
    assert response.status_code == 202, response.text
    assert response.headers["location"] == f"/v1/jobs/{response.json()['id']}"
    return str(response.json()["id"])


async def seen(service: Service, id_: str, who: str = "ada") -> dict[str, Any]:
    """The job as it is now."""
    response = await service.client.get(f"/v1/jobs/{id_}", headers=as_(who))
    assert response.status_code == 200
    return dict(response.json())


async def until(service: Service, id_: str, who: str = "ada", **wanted: Any) -> dict[str, Any]:
    """The job once it is as wanted; ended, where nothing is said."""
    async with asyncio.timeout(20):
        while True:
            job = await seen(service, id_, who)
            ended = job["state"] not in ("waiting", "working")
            if all(job[name] == value for name, value in wanted.items()) if wanted else ended:
                return job
            await asyncio.sleep(0.02)


async def test_many_questions_come_back_as_rows(opened: Opened) -> None:
    async with opened() as service:
        asked = {"patients": [MARIA, "nobody"], "questions": ["last A1c?", "allergies?"]}
        job = await until(service, await begun(service, kind="questions", **asked))
        rows = (await service.client.get(f"/v1/jobs/{job['id']}/result")).json()["rows"]
    assert (job["state"], job["done"], job["total"], job["error"]) == ("done", 4, 4, None)
    assert [(row["patient"], row["question"]) for row in rows] == [
        (patient, question) for patient in asked["patients"] for question in asked["questions"]
    ]
    assert rows[0]["answer"]["status"] == "answered"
    assert [row["error"]["type"] for row in rows[2:]] == ["unknown-patient", "unknown-patient"]


async def test_a_job_that_was_stopped_goes_on_with_the_rest(opened: Opened) -> None:
    stopping, going = Counting(), Counting(stops=False)
    async with opened(kinds=(stopping,)) as service:
        id_ = await begun(service, to=6, stop_at=3)
        await until(service, id_, done=3)
    async with opened(kinds=(going,)) as service:
        job = await until(service, id_)
        result = (await service.client.get(f"/v1/jobs/{id_}/result")).json()
    assert (job["state"], job["done"], job["total"]) == ("done", 6, 6)
    assert (stopping.did, going.did, going.planned) == (["0", "1", "2"], ["3", "4", "5"], 0)
    assert result == {"sum": 30, "units": ["0", "1", "2", "3", "4", "5"]}


async def test_a_job_is_its_owners_alone(opened: Opened) -> None:
    async with opened(kinds=(Counting(),)) as service:
        id_ = await begun(service, to=1)
        await until(service, id_)
        for who in ("bob", "ada/other"):
            for path in ("", "/result", "/events"):
                response = await service.client.get(f"/v1/jobs/{id_}{path}", headers=as_(who))
                assert (response.status_code, response.json()["type"]) == (404, "urn:chartline:problem:no-job")
            assert (await service.client.delete(f"/v1/jobs/{id_}", headers=as_(who))).status_code == 404
            assert (await service.client.get("/v1/jobs", headers=as_(who))).json() == {"jobs": [], "complete": True}
        assert [job["id"] for job in (await service.client.get("/v1/jobs")).json()["jobs"]] == [id_]


async def test_a_patients_credentials_reach_no_other_patient(opened: Opened) -> None:
    async with opened() as service:
        id_ = await begun(service, f"ada/{MARIA}", "questions", patients=[MARIA, "other"], questions=["last A1c?"])
        job = await until(service, id_, f"ada/{MARIA}")
    assert (job["state"], job["error"]["status"], job["done"]) == ("failed", 403, 0)


async def test_a_cancelled_job_stops_wherever_it_is_at_work(opened: Opened) -> None:
    counting = Counting()
    async with opened(kinds=(counting,), at_work=2) as one, opened(kinds=(Counting(),), at_work=0) as other:
        here, there = [await begun(one, to=9, stop_at=2) for _ in range(2)]
        for id_ in (here, there):
            await until(one, id_, done=2)
        await one.client.delete(f"/v1/jobs/{here}")
        await other.client.delete(f"/v1/jobs/{there}")
        async with asyncio.timeout(20):
            while one.jobs._tasks:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        for id_ in (here, there):
            assert (await seen(one, id_))["state"] == "cancelled"
            assert (await one.client.get(f"/v1/jobs/{id_}/result")).status_code == 409
            assert (await one.client.delete(f"/v1/jobs/{id_}")).status_code == 204  # ended: now it is deleted
            assert (await one.client.get(f"/v1/jobs/{id_}")).status_code == 404
    assert len(counting.did) == 4


async def test_an_error_ends_the_job_and_is_told(opened: Opened) -> None:
    async with opened(kinds=(Counting(),)) as service:
        job = await until(service, await begun(service, to=3, fail_at=1))
        result = await service.client.get(f"/v1/jobs/{job['id']}/result")
    assert (job["state"], job["done"]) == ("failed", 1)
    assert job["error"] == {"status": 502, "type": "fhir-server", "detail": "the server does not answer"}
    assert (result.status_code, result.json()["type"]) == (409, "urn:chartline:problem:not-done")


async def test_a_job_is_followed_to_its_end(opened: Opened) -> None:
    async with opened(kinds=(Counting(),)) as one, opened(at_work=0) as other:
        id_ = await begun(one, to=3)
        events = told((await other.client.get(f"/v1/jobs/{id_}/events")).text)
    assert {name for name, _ in events} == {"job"}
    assert (events[-1][1]["state"], events[-1][1]["done"]) == ("done", 3)


async def test_a_kind_that_a_process_does_not_know_is_left_to_one_that_does(opened: Opened) -> None:
    async with opened() as older:
        async with opened(kinds=(Counting(),), at_work=0) as newer:
            id_ = await begun(newer, to=2)
            await asyncio.sleep(0.5)
            assert (await seen(older, id_))["state"] == "waiting"
            newer.jobs._most = 1
            assert (await until(older, id_))["state"] == "done"
            assert (await newer.client.get(f"/v1/jobs/{id_}/result")).json()["sum"] == 2
        unknown = await older.client.get(f"/v1/jobs/{id_}/result")
    assert (unknown.status_code, unknown.json()["type"]) == (503, "urn:chartline:problem:other-version")


async def test_what_is_no_job_is_told_without_its_values(opened: Opened) -> None:
    async with opened(kinds=(Counting(),)) as service:
        kind = await service.client.post("/v1/jobs", json={"kind": "other", "input": {}})
        given = await service.client.post("/v1/jobs", json={"kind": "counting", "input": {"to": "Jane Doe"}})
        many = {"patients": ["a"] * 400, "questions": ["b"] * 400}
        rows = await service.client.post("/v1/jobs", json={"kind": "questions", "input": many})
    assert (kind.status_code, kind.json()["detail"]) == (
        422,
        "there is no such kind of job; there are counting, questions, trial-screening",
    )
    assert (given.status_code, given.json()["errors"][0]["where"]) == (422, "input.to")
    assert "Jane" not in given.text
    assert rows.status_code == 422


async def test_the_same_key_is_one_job(opened: Opened) -> None:
    async with opened(kinds=(Counting(),)) as one, opened(kinds=(Counting(),)) as other:
        first = await begun(one, key="k1", to=1)
        assert await begun(other, key="k1", to=1) == first
        assert await begun(other, "bob", key="k1", to=1) != first
        reused = await one.client.post(
            "/v1/jobs", json={"kind": "counting", "input": {"to": 2}}, headers=as_("ada", Idempotency_Key="k1")
        )
        assert (reused.status_code, reused.json()["type"]) == (422, "urn:chartline:problem:key-reused")


async def test_owners_take_turns_and_none_may_pile_up_jobs(opened: Opened) -> None:
    async with opened(kinds=(Counting(),), at_work=0) as service:
        adas = [await begun(service, to=1, stop_at=0) for _ in range(WAITING)]
        bobs = await begun(service, "bob", to=1)
        full = await service.client.post("/v1/jobs", json={"kind": "counting", "input": {"to": 1}})
        assert (full.status_code, full.headers["retry-after"]) == (429, "60")
        service.jobs._most = 2
        assert (await until(service, bobs, "bob"))["state"] == "done"
        states = [(await seen(service, id_))["state"] for id_ in adas]
    assert states.count("waiting") >= WAITING - 2


async def died(service: Service, id_: str, **values: Any) -> None:
    """Make a job one whose process died at work on it."""
    async with service.app.state.parts.database.begin() as connection:
        await connection.execute(update(JOBS).where(JOBS.c.id == id_).values(state="working", holder="dead", **values))


async def test_a_unit_that_kills_the_process_each_time_ends_the_job(opened: Opened) -> None:
    async with opened(kinds=(Counting(),), at_work=0) as service:
        once, twice = await begun(service, to=1), await begun(service, to=1)
        await died(service, once, tries=TRIES - 1)
        await died(service, twice, tries=TRIES)
        service.jobs._most = 1
        assert (await until(service, once))["state"] == "done"
        assert (await until(service, twice))["error"]["type"] == "given-up"


async def test_a_job_that_needs_credentials_is_done_here_alone_and_not_after_a_restart(opened: Opened) -> None:
    access = Access(base="https://ehr.example/fhir", auth=Bearer("https://ehr.example/fhir", "SECRET"), key="g1")
    ada = Caller(id="ada", name="ada", via="launch", access=access)
    counting, other_counting = Counting(), Counting()
    async with opened(kinds=(counting,), at_work=0) as one, opened(kinds=(other_counting,)) as other:
        job = await one.jobs.add(ada, "counting", {"to": 2})
        stopped = await one.jobs.add(ada, "counting", {"to": 2, "stop_at": 1})
        assert "SECRET" not in str(job)
        await asyncio.sleep(0.5)
        assert (await seen(other, job.id))["state"] == "waiting"
        one.jobs._most = 2
        assert (await until(other, job.id))["state"] == "done"
        await until(other, stopped.id, done=1)
        cancelled = await one.jobs.add(ada, "counting", {"to": 2, "stop_at": 0})
        await one.client.delete(f"/v1/jobs/{cancelled.id}")
        assert list(one.jobs._callers) == [stopped.id]
    assert other_counting.did == []
    async with opened(kinds=(other_counting,)) as service:
        found = await until(service, stopped.id)
    assert (found["state"], found["error"]["type"]) == ("failed", "interrupted")


async def test_questions_are_answered_while_a_job_is_at_work(opened: Opened) -> None:
    async with opened() as service:
        id_ = await begun(service, kind="questions", patients=[MARIA], questions=["last A1c?"] * 300)
        await until(service, id_, state="working")
        answer = await service.client.post("/v1/ask", json={"question": "allergies?", "patient": MARIA})
        assert answer.json()["status"] == "answered"
        assert (await seen(service, id_))["state"] == "working"


async def test_old_jobs_are_deleted(state: Settings) -> None:
    async with running(state.model_copy(update={"service_keep_days": 30.0}), kinds=(Counting(),)) as service:
        old, new = await begun(service, to=1), await begun(service, to=1)
        for id_ in (old, new):
            await until(service, id_)
        async with service.app.state.parts.database.begin() as connection:
            aged = JOBS.c.updated - 31 * 86400
            await connection.execute(update(JOBS).where(JOBS.c.id == old).values(updated=aged))
        await service.jobs.prune()
        assert [job["id"] for job in (await service.client.get("/v1/jobs")).json()["jobs"]] == [new]
