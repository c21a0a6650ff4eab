"""How long a request's body and its work may be; who sends more, or packs it, is told so before it is read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

from fastapi import Request
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.service import metrics
from agent.service.problems import Problem, response

__all__ = ["Bounded", "within"]

T = TypeVar("T")


class Bounded:
    """Refuses bodies of more than `size` bytes and packed ones, and ends what takes more than `seconds`.

    Server-sent events, once they have begun, may go on for longer: what makes them is bounded by itself (`within`).
    Pure ASGI.
    """

    def __init__(self, app: ASGIApp, *, size: int, seconds: float) -> None:
        self._app, self._size, self._seconds = app, size, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = self._refused(headers)
        if refused:
            await _tell(refused, scope, receive, send)
            return
        run = _Run(receive, send, size=self._size, seconds=self._seconds)
        try:
            async with asyncio.timeout(self._seconds) as limit:
                run.limit = limit
                await self._app(scope, run.receive, run.send)
        except ClientDisconnect:
            if run.fault is None:
                raise
        except TimeoutError:
            if not limit.expired():
                raise
            run.fault = _too_slow(self._seconds)
        if run.fault and not run.begun:  # an answer that has begun is cut off, which the client sees
            await _tell(run.fault, scope, receive, send)

    def _refused(self, headers: Headers) -> Problem | None:
        """What the headers alone rule out."""
        if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            # RFC 9110 15.5.16: Accept-Encoding in the answer says which coding would have been taken.
            said = "send the body as it is, without Content-Encoding"
            return Problem(415, "packed", said, headers={"Accept-Encoding": "identity"})
        length = headers.get("content-length", "")
        return _too_long(self._size) if length.isdigit() and int(length) > self._size else None


class _Run:
    """One request and its answer. Once the request is at fault, nothing that the app says is passed on."""

    def __init__(self, receive: Receive, send: Send, *, size: int, seconds: float) -> None:
        self._receive, self._send, self._size, self._seconds = receive, send, size, seconds
        self._read, self._whole = 0, False
        self.begun = False
        self.fault: Problem | None = None
        self.limit: asyncio.Timeout | None = None

    async def receive(self) -> Message:
        """The next piece of the body; to the app a body that is too long or too slow ends like a client that goes."""
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout(self._seconds):
                message = await self._receive()
        except TimeoutError:
            self.fault = Problem(408, "too-slow", "the body did not arrive in time", headers={"Connection": "close"})
            return {"type": "http.disconnect"}
        self._read += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._read > self._size:
            self.fault = _too_long(self._size)
            return {"type": "http.disconnect"}
        return message

    async def send(self, message: Message) -> None:
        """Pass a piece of the answer on."""
        if self.fault is None:
            starts = message["type"] == "http.response.start" and _is_stream(message)
            if starts and self.limit and not self.limit.expired():
                self.limit.reschedule(None)
            self.begun = True
            await self._send(message)


def _is_stream(message: Message) -> bool:
    return Headers(raw=message["headers"]).get("content-type", "").startswith("text/event-stream")


def _too_long(size: int) -> Problem:
    # The rest of the body is not read, so that the connection cannot be used again.
    return Problem(413, "too-long", f"the body is longer than {size:,} bytes", headers={"Connection": "close"})


def _too_slow(seconds: float) -> Problem:
    return Problem(504, "too-slow", f"this took longer than {seconds:g} s and was stopped; ask for less at once")


async def _tell(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    metrics.REJECTED.labels(problem.kind).inc()
    await response(problem, Request(scope))(scope, receive, send)


async def within(seconds: float, events: AsyncIterator[T]) -> AsyncIterator[T]:
    """The events, if all of them come in that time. Raises Problem (504), and ends what makes them."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        try:
            # Each event is waited for in a task of its own where they are sent on: no time limit may span two.
            async with asyncio.timeout_at(deadline):
                event = await anext(events)
        except StopAsyncIteration:
            return
        except TimeoutError:
            metrics.REJECTED.labels("too-slow").inc()
            raise _too_slow(seconds) from None
        yield event
