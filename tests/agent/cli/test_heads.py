"""Connections that do not send what they were opened for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from agent.cli import heads
from agent.cli.serving import OPTIONS

pytestmark = pytest.mark.loopback
HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with its body, after a moment."""
    body = await Request(scope, receive).body()
    await asyncio.sleep(0.5)
    await PlainTextResponse(body or b"nothing")(scope, receive, send)


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    monkeypatch.setattr(heads, "SECONDS", 0.3)
    options = {**OPTIONS, "lifespan": "off", "timeout_graceful_shutdown": 1}
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", 0, **options))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await running


async def said(port: int, *pieces: bytes, wait: float = 0.2) -> bytes:
    """What comes back until the server closes; the pieces are sent one after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(wait)
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize("pieces", [(), (b"GET / HT",), (HEAD, b"X: 1\r\n", b"Y: 2\r\n", b"Z: 3\r\n", b"\r\n")])
async def test_a_head_that_does_not_come_is_not_waited_for(port: int, pieces: tuple[bytes, ...]) -> None:
    assert await said(port, *pieces) == b""


async def test_an_answer_and_a_body_may_take_longer(port: int) -> None:
    close = HEAD + b"Connection: close\r\n"
    assert (await said(port, close + b"\r\n")).endswith(b"nothing")
    slow = close.replace(b"GET", b"POST") + b"Content-Length: 6\r\n\r\n"
    assert (await said(port, slow, b"ab", b"cd", b"ef")).endswith(b"abcdef")


async def test_the_head_of_a_second_request_has_its_own_time(port: int) -> None:
    first = HEAD + b"\r\n"
    assert (await said(port, first, HEAD + b"Connection: close\r\n\r\n", wait=0.8)).count(b"200 OK") == 2
    assert (await said(port, first, HEAD, b"\r\n", wait=0.8)).count(b"200 OK") == 1
