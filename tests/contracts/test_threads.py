"""What threads and questions on record do over HTTP, over every database that keeps them."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import date
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import insert, select, update

from agent.errors import ScopeError
from agent.service.callers import Access, Caller
from agent.service.database import now, open_database
from agent.service.holders import HOLDERS
from agent.service.questions.runs import RUNS, TRIES, Asked
from agent.service.questions.work import Questions
from agent.service.threads.store import THREADS
from agent.settings import Settings
from fhir_tools.auth import Bearer
from tests.agent.service.conftest import MARIA
from tests.agent.service.test_asking import told
from tests.contracts.conftest import Opened, Service, as_, running

pytestmark = pytest.mark.loopback
EVENTS = {"Accept": "text/event-stream"}
A1C = "last A1c?"


async def begun(service: Service, who: str = "ada", **more: Any) -> str:
    """The id of a new thread."""
    response = await service.client.post("/v1/threads", json={"patient": MARIA, **more}, headers=as_(who))
    assert response.status_code == 201
    return str(response.json()["id"])


def ask(service: Service, question: str = A1C, *, headers: dict[str, str] | None = None, **body: Any) -> Any:
    """A question, to be awaited."""
    return service.client.post("/v1/ask", json={"question": question, **body}, headers=headers or as_("ada"))


async def turns(service: Service, thread: str, who: str = "ada") -> list[dict[str, Any]]:
    """The turns of a thread as JSON."""
    response = await service.client.get(f"/v1/threads/{thread}", headers=as_(who))
    assert response.status_code == 200
    return list(response.json()["turns"])


async def settled(service: Service, id_: str) -> dict[str, Any]:
    """A question once it has ended."""
    async with asyncio.timeout(20):
        while True:
            found = (await service.client.get(f"/v1/questions/{id_}")).json()
            if found["state"] != "working":
                return dict(found)
            await asyncio.sleep(0.05)


async def at_work(service: Service, thread: str | None = None, **body: Any) -> str:
    """The id of a question that is being worked on while nobody waits for it."""
    asked = Asked(question=A1C, patient=MARIA, as_of=None, today=service.app.state.parts.desk.today(), thread=thread)
    return (await service.questions.ask(Caller(id="ada", name="ada", via="token"), asked)).id


async def test_a_thread_has_its_questions_and_answers(opened: Opened) -> None:
    async with opened() as service:
        thread = await begun(service)
        first = (await ask(service, thread=thread)).json()
        second = await ask(service, "and the first?", thread=thread, headers=EVENTS)
        whole = (await service.client.get(f"/v1/threads/{thread}")).json()
    assert (whole["title"], whole["patient"]) == (A1C, MARIA)
    assert [(t["question"], t["state"], t["error"]) for t in whole["turns"]] == [
        (A1C, "answered", None),
        ("and the first?", "answered", None),
    ]
    assert [t["answer"] for t in whole["turns"]] == [first, told(second.text)[-1][1]]
    assert first["thread"] == thread
    assert first["value"] != whole["turns"][1]["answer"]["value"]  # the follow-up was understood


async def test_a_thread_is_its_owners_alone(opened: Opened) -> None:
    async with opened() as service:
        thread = await begun(service)
        id_ = (await ask(service, thread=thread)).headers["content-location"]
        for method, path in (("GET", f"/v1/threads/{thread}"), ("DELETE", f"/v1/threads/{thread}"), ("GET", id_)):
            assert (await service.client.request(method, path, headers=as_("bob"))).status_code == 404
            assert (await service.client.request(method, path, headers=as_("ada/other"))).status_code == 404
        assert (await ask(service, thread=thread, headers=as_("bob"))).status_code == 404
        assert (await service.client.get("/v1/threads", headers=as_("bob"))).json() == {"threads": [], "complete": True}
        assert (await service.client.get("/v1/threads", headers=as_("ada/other"))).json()["threads"] == []
        assert len(await turns(service, thread)) == 1


async def test_threads_are_listed_by_their_last_use(opened: Opened) -> None:
    async with opened() as service:
        ids = [await begun(service) for _ in range(3)]
        await ask(service, thread=ids[0])
        every = (await service.client.get("/v1/threads")).json()
        two = (await service.client.get("/v1/threads", params={"limit": 2, "patient": f"Patient/{MARIA}"})).json()
        none = (await service.client.get("/v1/threads", params={"patient": "demo-peter-lindqvist"})).json()
    assert [t["id"] for t in every["threads"]] == [ids[0], ids[2], ids[1]]
    assert ([t["id"] for t in two["threads"]], two["complete"]) == ([ids[0], ids[2]], False)
    assert none == {"threads": [], "complete": True}


async def test_a_thread_is_about_one_patient_and_has_its_day(opened: Opened) -> None:
    async with opened() as service:
        thread = await begun(service, as_of="2020-01-01")
        other = await ask(service, thread=thread, patient="demo-peter-lindqvist")
        same = await ask(service, thread=thread, patient=f"Patient/{MARIA}")
        later = await ask(service, thread=thread, as_of="2024-01-01")
    assert (other.status_code, other.json()["type"]) == (422, "urn:chartline:problem:another-patient")
    assert (same.json()["as_of"], later.json()["as_of"]) == ("2020-01-01", "2024-01-01")


async def test_a_deleted_thread_leaves_nothing(opened: Opened) -> None:
    async with opened() as service:
        thread, other = await begun(service), await begun(service)
        id_ = (await ask(service, thread=thread)).headers["content-location"]
        await ask(service, thread=other)
        assert (await service.client.delete(f"/v1/threads/{thread}")).status_code == 204
        assert (await service.client.get(f"/v1/threads/{thread}")).status_code == 404
        assert (await service.client.get(id_)).status_code == 404
        assert (await ask(service, thread=thread)).status_code == 404
        saver = service.app.state.parts.desk._saver
        assert await saver.aget_tuple({"configurable": {"thread_id": thread}}) is None
        assert await saver.aget_tuple({"configurable": {"thread_id": other}}) is not None


async def test_a_thread_that_is_deleted_at_work_leaves_nothing(opened: Opened) -> None:
    async with opened(hold=True) as one, opened() as other:
        here, there = await begun(one), await begun(one)
        await at_work(one, here)
        await at_work(one, there)
        await one.held.reached(2)
        await one.client.delete(f"/v1/threads/{here}")
        await other.client.delete(f"/v1/threads/{there}")
        one.held.free.set()
        async with asyncio.timeout(20):
            while one.questions._live:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        saver = one.app.state.parts.desk._saver
        for thread in (here, there):
            assert (await one.client.get(f"/v1/threads/{thread}")).status_code == 404
            assert await saver.aget_tuple({"configurable": {"thread_id": thread}}) is None


async def test_one_question_at_a_time_in_a_thread(opened: Opened) -> None:
    async with opened(hold=True) as one, opened() as other:
        thread = await begun(one)
        first = asyncio.create_task(ask(one, thread=thread))
        await one.held.reached()
        for service in (one, other):
            busy = await ask(service, "allergies?", thread=thread)
            assert (busy.status_code, busy.headers["retry-after"]) == (409, "1")
        assert [t["state"] for t in await turns(other, thread)] == ["working"]
        one.held.free.set()
        assert (await first).status_code == 200
        assert (await ask(other, "allergies?", thread=thread)).status_code == 200
        assert [t["question"] for t in await turns(one, thread)] == [A1C, "allergies?"]


async def test_the_same_key_is_answered_once(opened: Opened) -> None:
    async with opened(hold=True) as one, opened() as other:
        mine = as_("ada", Idempotency_Key="k1")
        waiting = [asyncio.create_task(ask(one, patient=MARIA, headers=mine)) for _ in range(3)]
        await one.held.reached()
        elsewhere = asyncio.create_task(ask(other, patient=MARIA, headers=mine | EVENTS))
        one.held.free.set()
        answers = [(await task).json() for task in waiting]
        answers.append(told((await elsewhere).text)[-1][1])
        answers.append((await ask(other, patient=MARIA, headers=mine)).json())
        bobs = (await ask(other, patient=MARIA, headers=as_("bob", Idempotency_Key="k1"))).json()
        reused = await ask(other, "allergies?", patient=MARIA, headers=mine)
    assert len({answer["trace"] for answer in answers}) == 1
    assert len(one.held.asked) == 1
    assert bobs["trace"] != answers[0]["trace"]
    assert (reused.status_code, reused.json()["type"]) == (422, "urn:chartline:problem:key-reused")


async def test_a_failure_is_kept_for_its_key(opened: Opened) -> None:
    async with opened() as service:
        mine = as_("ada", Idempotency_Key="k1")
        first, second = [await ask(service, patient="nobody", headers=mine) for _ in range(2)]
    assert (first.status_code, first.json()["type"]) == (404, "urn:chartline:problem:unknown-patient")
    assert (second.status_code, second.json()["detail"]) == (404, first.json()["detail"])


async def test_a_client_that_goes_away_stops_nothing(opened: Opened) -> None:
    async with opened(hold=True) as service:
        thread = await begun(service)
        gone = asyncio.create_task(ask(service, thread=thread, headers=EVENTS))
        await service.held.reached()
        gone.cancel()
        await asyncio.wait([gone])
        id_ = (await turns(service, thread))[0]["id"]
        again = asyncio.create_task(service.client.get(f"/v1/questions/{id_}", headers=EVENTS))
        await asyncio.sleep(0.05)
        service.held.free.set()
        events = told((await again).text)
        assert [name for name, _ in events][-2:] == ["claim", "answer"]
        assert events[0] == ("progress", {"stage": "open", "text": "opening the chart"})
        assert events[-1][1] == (await turns(service, thread))[0]["answer"]
        late = told((await service.client.get(f"/v1/questions/{id_}", headers=EVENTS)).text)
        assert late == [event for event in events if event[0] != "progress"]


async def test_a_question_is_followed_from_another_process(opened: Opened) -> None:
    async with opened(hold=True) as one, opened() as other:
        thread = await begun(one)
        id_ = await at_work(one, thread)
        follow = asyncio.create_task(other.client.get(f"/v1/questions/{id_}", headers=EVENTS))
        await asyncio.sleep(0.1)
        one.held.free.set()
        events = told((await follow).text)
        assert [name for name, _ in events] == ["progress", "claim", "answer"]
        assert events[-1][1] == (await settled(other, id_))["answer"]


async def test_a_stop_in_the_middle_costs_nothing(opened: Opened, state: Settings) -> None:
    for _ in range(TRIES + 1):  # a stop is not held against the question
        async with opened(hold=True) as service:
            thread = (await service.client.get("/v1/threads")).json()["threads"]
            thread = thread[0]["id"] if thread else await begun(service)
            if not await turns(service, thread):
                await at_work(service, thread)
            await service.held.reached()
    async with running(state) as service:
        [turn] = await turns(service, thread)
        assert (await settled(service, turn["id"]))["state"] == "answered"
        assert len(await turns(service, thread)) == 1
        assert (await ask(service, "and the first?", thread=thread)).json()["status"] == "answered"


async def aged(service: Service, thread: str, days: float) -> None:
    """Make a thread one that was last used so long ago."""
    async with service.app.state.parts.database.begin() as connection:
        old = update(THREADS).where(THREADS.c.id == thread).values(updated=THREADS.c.updated - days * 86400)
        await connection.execute(old)


async def orphaned(questions: Questions, id_: str, **values: Any) -> None:
    """Make a question one whose process died at work on it."""
    async with questions.runs._database.begin() as connection:
        row = {"state": "working", "holder": "dead", "answer": None, "ended": None, **values}
        await connection.execute(update(RUNS).where(RUNS.c.id == id_).values(row))


async def test_an_answer_that_was_kept_and_not_told_is_told_as_it_is(opened: Opened) -> None:
    async with opened() as service:
        thread = await begun(service)
        answer = (await ask(service, thread=thread)).json()
        id_ = (await turns(service, thread))[0]["id"]
        await orphaned(service.questions, id_)  # killed between the checkpoint and the row
        assert (await settled(service, id_))["answer"] == answer
        assert len(service.held.asked) == 1
        saver = service.app.state.parts.desk._saver
        kept = await saver.aget_tuple({"configurable": {"thread_id": thread}})
        assert [turn["run"] for turn in kept.checkpoint["channel_values"]["turns"]] == [id_]


async def test_a_question_that_kills_the_process_each_time_is_given_up(opened: Opened) -> None:
    async with opened() as service:
        thread = await begun(service)
        for question in (A1C, "allergies?"):
            await ask(service, question, thread=thread)
        first, last = await turns(service, thread)
        for turn in (first, last):
            await orphaned(service.questions, turn["id"], tries=TRIES)
            await settled(service, turn["id"])
        found = await settled(service, first["id"])
        assert (found["state"], found["error"]["type"]) == ("failed", "given-up")
        assert (await settled(service, last["id"]))["answer"] == last["answer"]  # it died after its turn was kept
        assert (await ask(service, thread=thread)).status_code == 200  # the thread goes on


async def test_suspects_have_their_last_try_one_at_a_time(opened: Opened) -> None:
    async with opened(hold=True) as service:
        database = service.app.state.parts.database
        async with database.begin() as connection:
            await connection.execute(insert(HOLDERS).values(id="other", lease=now() + 60))
        ids = [uuid4().hex for _ in range(4)]
        for id_, tries in zip(ids, (1, 1, TRIES - 1, TRIES - 1), strict=True):
            asked = Asked(question=A1C, patient=MARIA, as_of=None, today=date(2026, 6, 15), key=id_)
            await service.questions.runs.record(id_, Caller(id="ada", name="ada", via="token"), asked, "other")
            await orphaned(service.questions, id_, tries=tries, holder="other")
        await asyncio.sleep(0.3)
        assert service.held.asked == []  # it is alive
        async with database.begin() as connection:
            await connection.execute(update(HOLDERS).where(HOLDERS.c.id == "other").values(lease=now() - 1))
        await service.held.reached(3)
        await asyncio.sleep(0.3)
        assert len(service.held.asked) == 3
        service.held.free.set()
        assert [(await settled(service, id_))["state"] for id_ in ids] == ["answered"] * 4


async def test_a_question_that_needs_credentials_which_are_gone_is_told_as_failed(opened: Opened) -> None:
    access = Access(base="https://ehr.example/fhir", auth=Bearer("https://ehr.example/fhir", "SECRET"), key="g1")
    caller = Caller(id="ada", name="ada", via="launch", patient=MARIA, access=access)
    async with opened() as service:
        asked = Asked(question=A1C, patient=MARIA, as_of=None, today=service.app.state.parts.desk.today(), key="k")
        run = await service.questions.runs.record("r1", caller, asked, "dead")
        assert "ehr.example" not in str(run.caller)
        found = await settled(service, "r1")
    assert (found["state"], found["error"]["type"], found["error"]["status"]) == ("failed", "interrupted", 409)


async def test_what_is_tried_again_here_has_its_credentials_still(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The threads' database was away for a moment."""
    tried: list[Caller | None] = []

    async def answer(self: Questions, live: object, run: object, caller: Caller) -> None:
        tried.append(caller)
        raise sqlite3.OperationalError if len(tried) == 1 else ScopeError("reached")

    monkeypatch.setattr(Questions, "_answer", answer)
    async with opened() as service:
        own = Access(base="https://ehr.example", auth=Bearer("https://ehr.example", "SECRET"), key="launch:1")
        caller = Caller(id="ada", name="ada", via="launch", access=own)
        asked = Asked(question=A1C, patient=MARIA, as_of=None, today=service.app.state.parts.desk.today())
        found = await settled(service, (await service.questions.ask(caller, asked)).id)
        assert (found["state"], found["error"]["type"]) == ("failed", "out-of-scope")
        assert tried == [caller, caller] and service.questions._callers == {}


async def test_what_another_process_took_up_is_not_told_by_the_first(opened: Opened) -> None:
    async with opened(hold=True) as one, opened() as other:
        thread = await begun(one)
        watching = asyncio.create_task(ask(one, thread=thread))
        await one.held.reached()
        [turn] = await turns(other, thread)
        # As if the first had stalled for longer than its lease.
        await orphaned(other.questions, turn["id"], holder=other.questions._holder.id)
        answer = (await settled(other, turn["id"]))["answer"]
        assert (await watching).json() == answer
        one.held.free.set()
        assert [t["answer"] for t in await turns(one, thread)] == [answer]


async def test_sixteen_callers_at_once(opened: Opened) -> None:
    async def one(service: Service, who: str) -> list[httpx.Response]:
        thread = await begun(service, who)
        mine = as_(who)
        return [await ask(service, q, thread=thread, headers=mine) for q in (A1C, "allergies?", "and the first A1c?")]

    async with opened() as service:
        answers = await asyncio.gather(*(one(service, f"caller{n}") for n in range(16)))
        assert {response.status_code for several in answers for response in several} == {200}
        async with service.questions.runs._database.connect() as connection:
            states = (await connection.execute(select(RUNS.c.state))).scalars().all()
    assert states == ["answered"] * 48


async def test_a_process_starts_while_another_is_at_work(state: Settings) -> None:
    async with open_database(state) as database, database.connect() as connection:
        await connection.execute(update(RUNS).values(tries=1))
        async with asyncio.timeout(5), open_database(state) as other, other.connect() as second:
            assert (await second.execute(select(RUNS.c.id))).all() == []


async def test_too_many_at_work_are_refused(state: Settings) -> None:
    async with running(state.model_copy(update={"service_questions": 2}), hold=True) as service:
        first = [await at_work(service, await begun(service)) for _ in range(2)]
        response = await ask(service, thread=await begun(service))
        assert (response.status_code, response.headers["retry-after"]) == (429, "1")
        service.held.free.set()
        assert [(await settled(service, id_))["state"] for id_ in first] == ["answered", "answered"]


async def test_what_nobody_used_for_long_is_deleted(state: Settings) -> None:
    async with running(state.model_copy(update={"service_keep_days": 30.0})) as service:
        old, new = await begun(service), await begun(service)
        for thread in (old, new):
            await ask(service, thread=thread)
        await service.questions.prune()
        assert await turns(service, old)
        await aged(service, old, days=31)
        await service.questions.prune()
        assert (await service.client.get(f"/v1/threads/{old}")).status_code == 404
        assert await turns(service, new)
