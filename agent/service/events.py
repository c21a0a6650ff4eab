"""Server-sent events: a stream of named JSON events with a sign of life in silence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import orjson
from fastapi import Request
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from pydantic import BaseModel

from agent.service.accepting import named
from agent.service.problems import Problem, problem_of

__all__ = ["GONE", "Event", "Identified", "problem_event", "sse", "unless_gone", "wants_events"]

T = TypeVar("T")

Event = tuple[str, object]
"""A name and what JSON can hold, or a pydantic model."""
Identified = tuple[str, object, str]
"""An event and its id, which a client that comes back sends as `Last-Event-ID`."""

GONE = 499
"""The status, in logs alone, of a request whose client did not wait for an answer."""
_QUIET = 15.0
"""Seconds of silence after which a comment is sent, so that no proxy takes the connection for a dead one."""


def wants_events(request: Request) -> bool:
    """Whether the request asks for server-sent events rather than JSON."""
    return named(request, "text/event-stream")


def sse(
    events: AsyncIterator[Event] | AsyncIterator[Event | Identified], line: Callable[[Any], bytes] | None = None
) -> EventSourceResponse:
    """The events as a response. An error ends the stream with an event `problem` (RFC 9457 as its data).

    When the client goes, what makes the events is cancelled. `line` writes an event in another protocol's way.
    """
    return EventSourceResponse(
        _lines(events, line or _line), headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )


async def unless_gone(request: Request, work: Awaitable[T]) -> T | None:
    """What the work comes to; None where the client goes first, and then the work is ended."""
    doing, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait((doing, leaving), return_when=asyncio.FIRST_COMPLETED)
        return await doing if doing.done() else None
    finally:
        for task in (doing, leaving):
            task.cancel()
        await asyncio.wait((doing, leaving))


async def _left(request: Request) -> None:
    """Return once the client has gone; its whole body has been read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _lines(events: AsyncIterator[Any], line: Callable[[Any], bytes]) -> AsyncIterator[bytes]:
    waiting: asyncio.Future[Any] | None = None
    try:
        while True:
            waiting = waiting or asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait([waiting], timeout=_QUIET)
            if not done:
                yield KEEPALIVE_COMMENT
                continue
            finished, waiting = waiting, None
            try:
                yield line(finished.result())
            except StopAsyncIteration:
                return
            except Exception as error:  # noqa: BLE001  told to the reader, who waits for an end
                yield line(problem_event(problem_of(error)))
                return
    finally:
        if waiting is not None:
            waiting.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await waiting


def problem_event(problem: Problem) -> Event:
    """Why nothing more comes."""
    return "problem", {"status": problem.status, "detail": problem.detail, "type": problem.kind}


def _line(event: Event | Identified) -> bytes:
    name, data, *ids = event
    plain = data.model_dump(mode="json") if isinstance(data, BaseModel) else data
    id_ = str(ids[0]) if ids else None
    return format_sse_event(event=name, data_str=orjson.dumps(plain).decode(), id=id_)
