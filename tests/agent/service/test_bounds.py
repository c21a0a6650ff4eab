"""Bodies and work have bounds: what is too long, packed or too slow is told as a problem."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from agent.service import problems
from agent.service.bounds import Bounded, within
from agent.service.problems import Problem
from tests.agent.service.conftest import MARIA, Opened
from tests.agent.service.test_asking import told


async def pieces(count: int, wait: float = 0.0) -> AsyncIterator[bytes]:
    for _ in range(count):
        await asyncio.sleep(wait)
        yield b"x" * 30


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    problems.install(app)

    @app.post("/body")
    async def body(request: Request) -> int:
        return len(await request.body())

    @app.post("/json")
    async def json(given: list[int]) -> int:
        return len(given)

    @app.get("/slow")
    async def slow() -> None:
        await asyncio.sleep(30)

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(pieces(4, 0.05), media_type="text/event-stream")

    app.add_middleware(Bounded, size=100, seconds=0.1)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


def is_problem(response: httpx.Response, status: int, kind: str) -> bool:
    return (response.status_code, response.json()["type"]) == (status, f"urn:chartline:problem:{kind}")


@pytest.mark.parametrize("path", ["/body", "/json"])
async def test_a_body_that_is_too_long(client: httpx.AsyncClient, path: str) -> None:
    for content in (b"x" * 101, pieces(4)):  # told by its length, and found out as it comes
        assert is_problem(await client.post(path, content=content), 413, "too-long")
    assert (await client.post("/body", content=b"x" * 100)).json() == 100
    assert (await client.post("/body", content=pieces(3))).json() == 90
    assert (await client.post("/body")).json() == 0


async def test_a_body_that_does_not_come(client: httpx.AsyncClient) -> None:
    started = asyncio.get_running_loop().time()
    response = await client.post("/body", content=pieces(3, 0.5))
    assert is_problem(response, 408, "too-slow") or is_problem(response, 504, "too-slow")
    assert asyncio.get_running_loop().time() - started < 5


async def test_a_packed_body(client: httpx.AsyncClient) -> None:
    response = await client.post("/body", content=b"x", headers={"Content-Encoding": "gzip"})
    assert is_problem(response, 415, "packed") and response.headers["accept-encoding"] == "identity"
    assert (await client.post("/body", content=b"x", headers={"Content-Encoding": "identity"})).status_code == 200


async def test_work_that_takes_too_long(client: httpx.AsyncClient) -> None:
    assert is_problem(await client.get("/slow"), 504, "too-slow")


async def test_a_stream_may_take_longer(client: httpx.AsyncClient) -> None:
    assert (await client.get("/stream")).content == b"x" * 120


async def test_to_ask_for_a_stream_lifts_no_limit(client: httpx.AsyncClient) -> None:
    response = await client.get("/slow", headers={"Accept": "text/event-stream"})
    assert is_problem(response, 504, "too-slow")


async def test_events_are_bounded_together() -> None:
    async def events() -> AsyncIterator[int]:
        for number in range(3):
            await asyncio.sleep(0.02)
            yield number

    assert [n async for n in within(5, events())] == [0, 1, 2]
    few = within(0.03, events())
    assert await anext(few) == 0
    with pytest.raises(Problem, match="longer than 0"):
        await anext(few)


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_a_question_is_bounded(opened: Opened, accept: str) -> None:
    async with opened(service_seconds=0.0001) as client:
        asked = {"question": "last A1c?", "patient": MARIA}
        response = await client.post("/v1/ask", json=asked, headers={"Accept": accept})
        if response.headers["content-type"].startswith("text/event-stream"):  # it had begun by then
            assert told(response.text)[-1][1]["status"] == 504
        else:
            assert is_problem(response, 504, "too-slow")
