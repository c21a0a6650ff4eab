"""Turns: at most so many run, few wait and briefly, callers are dealt with fairly, and who is refused learns when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from agent.service import problems
from agent.service.callers import Caller, Gates
from agent.service.problems import Problem
from agent.service.turns import Queued, Turns
from tests.agent.service.conftest import MARIA, Opened


async def refused(turns: Turns, who: str) -> Problem:
    with pytest.raises(Problem) as caught:
        await turns.take(who)
    return caught.value


async def test_one_caller_takes_no_more_than_its_own() -> None:
    turns = Turns(each=2, total=3, wait=0)
    await turns.take("ann")
    await turns.take("ann")
    problem = await refused(turns, "ann")
    assert (problem.status, problem.kind, problem.headers["Retry-After"]) == (429, "too-many", "1")
    await turns.take("bob")
    assert (await refused(turns, "bob")).status == 503


async def test_a_turn_that_ends_goes_to_the_caller_with_the_fewest() -> None:
    turns = Turns(each=3, total=3, wait=5)
    order: list[str] = []

    async def wait(who: str) -> None:
        await turns.take(who)
        order.append(who)

    for _ in range(3):
        await turns.take("ann")
    waiting = [asyncio.ensure_future(wait(who)) for who in ("ann", "ann", "bob")]
    await asyncio.sleep(0)
    assert (turns.running, turns.waiting) == (3, 3)
    for _ in range(3):
        turns.give("ann", 0.1)
    await asyncio.gather(*waiting)
    assert order[0] == "bob"
    assert (turns.running, turns.waiting) == (3, 0)


async def test_few_wait_and_the_rest_is_refused_at_once() -> None:
    turns = Turns(each=2, total=2, wait=60)
    await turns.take("ann")
    await turns.take("bob")
    waiting = [asyncio.ensure_future(turns.take(who)) for who in ("ann", "ann")]
    await asyncio.sleep(0)
    assert (await refused(turns, "bob")).status == 503
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert (turns.running, turns.waiting) == (2, 0)


async def test_when_to_ask_again_is_what_turns_take() -> None:
    turns = Turns(each=1, total=1, wait=0)
    await turns.take("ann")
    turns.give("ann", 20.0)
    await turns.take("ann")
    assert (await refused(turns, "bob")).headers["Retry-After"] == "40"
    turns.give("ann", 900.0)
    await turns.take("ann")
    assert (await refused(turns, "bob")).headers["Retry-After"] == "60"


async def test_a_turn_that_comes_as_the_wait_is_cancelled_is_not_lost() -> None:
    turns = Turns(each=1, total=1, wait=5)
    await turns.take("ann")
    waiting = asyncio.ensure_future(turns.take("bob"))
    await asyncio.sleep(0)
    turns.give("ann", 0.1)  # bob has it now, and is cancelled before it runs again
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert turns.running == 0
    await turns.take("ann")


async def test_a_turn_goes_to_nobody_who_has_just_given_up() -> None:
    turns = Turns(each=1, total=1, wait=5)
    await turns.take("ann")
    waiting = asyncio.ensure_future(turns.take("bob"))
    await asyncio.sleep(0)
    waiting.cancel()
    turns.give("ann", 0.1)  # before bob runs again
    await asyncio.gather(waiting, return_exceptions=True)
    assert (turns.running, turns.waiting) == (0, 0)


async def test_nothing_new_begins_once_it_is_being_stopped() -> None:
    turns = Turns(each=1, total=1, wait=5)
    await turns.take("ann")
    closing = asyncio.ensure_future(turns.close(60))
    await asyncio.sleep(0)
    problem = await refused(turns, "bob")
    assert (problem.status, problem.kind) == (503, "stopping") and not closing.done()
    turns.give("ann", 0.1)
    await asyncio.wait_for(closing, 5)
    await turns.close(60)


async def test_a_turn_that_does_not_end_is_not_waited_for_for_ever() -> None:
    turns = Turns(each=1, total=1, wait=5)
    await turns.take("ann")
    await asyncio.wait_for(turns.close(0.01), 5)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 3)), max_size=30), st.integers(1, 3), st.integers(1, 4)
)
def test_turns_add_up(asked: Sequence[tuple[str, int]], each: int, total: int) -> None:
    """Whoever asks in whatever order: no limit is passed, and all turns come back."""

    async def run() -> None:
        turns, now = Turns(each=each, total=total, wait=0.001), 0

        async def one(who: str, steps: int) -> None:
            nonlocal now
            try:
                await turns.take(who)
            except Problem:
                return
            now += 1
            assert now <= total and turns.running <= total and max(turns._running.values()) <= each
            for _ in range(steps):
                await asyncio.sleep(0)
            now -= 1
            turns.give(who, 0.001)

        await asyncio.gather(*(one(who, steps) for who, steps in asked))
        assert (turns.running, turns.waiting, dict(turns._running)) == (0, 0, {})

    asyncio.run(run())


class Named:
    """Callers by a header, for tests."""

    def challenge(self, request: object) -> str:
        return "Bearer"

    async def caller(self, request: object) -> Caller | None:
        name = request.headers.get("x-name")  # type: ignore[attr-defined]
        return Caller(id=name, name=name, via="key") if name else None


@pytest.fixture
async def slow() -> AsyncIterator[tuple[httpx.AsyncClient, asyncio.Event]]:
    """An app whose questions end when the event is set, with one turn for each of two callers."""
    app, go = FastAPI(), asyncio.Event()
    problems.install(app)
    app.state.parts = type("Parts", (), {"gates": Gates([Named()])})()

    @app.post("/v1/ask")
    async def ask() -> str:
        await go.wait()
        return "told"

    @app.get("/healthz")
    async def healthz() -> str:
        return "ok"

    app.add_middleware(Queued, turns=Turns(each=1, total=2, wait=0.01))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost") as client:
        yield client, go


async def test_callers_are_told_apart(slow: tuple[httpx.AsyncClient, asyncio.Event]) -> None:
    client, go = slow
    running = [asyncio.ensure_future(client.post("/v1/ask", headers={"x-name": name})) for name in ("ann", "bob")]
    await asyncio.sleep(0.01)
    again = await client.post("/v1/ask", headers={"x-name": "ann"})
    other = await client.post("/v1/ask", headers={"x-name": "eve"})
    unknown = await client.post("/v1/ask")
    assert [r.status_code for r in (again, other, unknown)] == [429, 503, 503]
    assert again.headers["content-type"] == "application/problem+json"
    assert int(again.headers["retry-after"]) >= 1
    assert (await client.get("/healthz")).status_code == 200
    go.set()
    assert [r.json() for r in await asyncio.gather(*running)] == ["told", "told"]
    assert (await client.post("/v1/ask", headers={"x-name": "ann"})).status_code == 200


async def test_many_questions_at_once_are_answered_or_refused(opened: Opened) -> None:
    async with opened(service_each=2, service_total=2, service_wait=0.0) as client:
        asked = {"question": "last A1c?", "patient": MARIA}
        told = await asyncio.gather(*(client.post("/v1/ask", json=asked) for _ in range(12)))
        assert {r.status_code for r in told} == {200, 429}
        assert all("retry-after" in r.headers for r in told if r.status_code == 429)
        assert (await client.post("/v1/ask", json=asked)).status_code == 200
