"""The generator of load: what it asks, what it hears, and that it goes on where a connection ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from benchmarks.loading import Asked, closed_loop, open_loop

WORK = [Asked("ann", "last A1c?"), Asked("bob", "allergies?")]
ANSWERS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}",
)


@asynccontextmanager
async def server(*answers: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Gives its answers in turn, and keeps the bodies that it was sent."""
    bodies: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                bodies.append(await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0])))
                answer = answers[(len(bodies) - 1) % len(answers)]
                writer.write(answer)
                if b"close" in answer or not answer:
                    break
        except asyncio.IncompleteReadError:
            pass
        finally:  # also where the loop ends first
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        yield listening.sockets[0].getsockname()[1], bodies


@pytest.mark.loopback
async def test_answers_are_counted_by_status() -> None:
    async with server(*ANSWERS) as (port, bodies):
        heard = await closed_loop("127.0.0.1", port, WORK, callers=3, questions=12)
    assert (dict(heard.statuses), heard.later, len(heard.seconds), dict(heard.faults)) == ({200: 8, 429: 4}, 4, 8, {})
    assert sorted(set(bodies)) == [
        b'{"question":"allergies?","patient":"bob"}',
        b'{"question":"last A1c?","patient":"ann"}',
    ]
    assert "8 answers" in heard.told() and "{429: 4}" in heard.told()


@pytest.mark.loopback
async def test_a_connection_that_breaks_is_a_fault() -> None:
    async with server(ANSWERS[0], b"") as (port, _):
        heard = await closed_loop("127.0.0.1", port, WORK, callers=1, questions=4)
    assert (dict(heard.statuses), dict(heard.faults)) == ({200: 2}, {"IncompleteReadError": 2})


@pytest.mark.loopback
async def test_questions_come_at_their_own_rate() -> None:
    async with server(ANSWERS[0]) as (port, bodies):
        heard = await open_loop("127.0.0.1", port, WORK, rate=200, questions=20)
    assert len(bodies) == 20 and 0.09 < heard.ended - heard.began < 5
