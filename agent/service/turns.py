"""Whose turn it is: how much runs at once, for one caller and in all, and who is sent away instead of queueing.

A turn is waited for briefly and by few, so that no queue grows: what cannot run soon is refused at once, with the
seconds after which it is worth another try (RFC 9110 10.2.3), which come from how long turns took lately. A turn
that ends goes to the waiting caller who has the fewest, so that one who asks a lot does not shut out the others.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.service import metrics
from agent.service.callers import caller_of
from agent.service.cds.paths import is_hook
from agent.service.problems import Problem, response

__all__ = ["Queued", "Turns"]

_LONGEST = 60
"""Seconds; nobody is sent away for longer."""
_WEIGHT = 0.1
"""Of the latest turn in the running mean of their seconds."""
_COSTLY = re.compile(
    r"/v1/(?:ask|summaries|evidence|trials|chat/completions)(?:/|$)|/v1/patients/[^/]+/timeline$"
    r"|/cds-services/.|/mcp(?:/|$)"
)
"""Paths whose work takes a turn. A stream that only waits (jobs, an MCP client's listening GET) takes none."""


@dataclass(eq=False, slots=True)
class _Waiter:
    who: str
    turn: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Turns:
    """At most `total` turns at once, `each` of them one caller's, and as many again waiting up to `wait` seconds."""

    def __init__(self, *, each: int, total: int, wait: float) -> None:
        self._each, self._total, self._wait = min(each, total), total, wait
        self._running: Counter[str] = Counter()
        self._waiting: list[_Waiter] = []
        self._seconds = 0.0
        self._idle = asyncio.Event()
        self.closed = False

    @property
    def running(self) -> int:
        """How many turns are taken."""
        return self._running.total()

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return len(self._waiting)

    async def take(self, who: str) -> None:
        """Take a turn; `give` ends it. Raises Problem: 429 for a caller with too many, 503 where all are taken."""
        if self.closed:
            raise Problem(503, "stopping", "the service is being stopped; ask again", headers={"Retry-After": "5"})
        if self._is_free(who):
            self._running[who] += 1
            return
        if self.waiting >= self._total or sum(w.who == who for w in self._waiting) >= self._each:
            raise self._refusal(who)
        waiter = _Waiter(who)
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(self._wait):
                await waiter.turn
        except BaseException as error:
            if waiter.turn.done() and not waiter.turn.cancelled():  # it came at the last moment
                self._end(who)
            else:
                self._waiting.remove(waiter)
            if isinstance(error, TimeoutError):
                raise self._refusal(who) from None
            raise

    def give(self, who: str, seconds: float) -> None:
        """End a turn that took so many seconds."""
        self._seconds += (seconds - self._seconds) * (_WEIGHT if self._seconds else 1.0)
        self._end(who)

    async def close(self, seconds: float) -> None:
        """Let no turn begin any more, and wait for those that run to end; not for longer than that."""
        self.closed = True
        if self.running:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._idle.wait()

    def _is_free(self, who: str) -> bool:
        return self.running < self._total and self._running[who] < self._each

    def _end(self, who: str) -> None:
        self._running[who] -= 1
        self._running += Counter()  # forgets callers that have none
        ready = [w for w in self._waiting if self._is_free(w.who) and not w.turn.done()]  # done: it gave up just now
        if ready:
            waiter = min(ready, key=lambda w: self._running[w.who])  # of equals the one who waits longest
            self._waiting.remove(waiter)
            self._running[waiter.who] += 1
            waiter.turn.set_result(None)
        elif self.closed and not self.running:
            self._idle.set()

    def _refusal(self, who: str) -> Problem:
        ahead = self._seconds * (1 + (self.running + self.waiting) / self._total)
        headers = {"Retry-After": str(min(max(math.ceil(ahead), 1), _LONGEST))}
        if self._running[who] >= self._each:
            told = f"you have {self._each} requests running, which is the most that one caller may; ask again shortly"
            return Problem(429, "too-many", told, headers=headers)
        return Problem(503, "busy", "more is being asked than can be answered; ask again shortly", headers=headers)


class Queued:
    """Lets costly requests in by turns. Pure ASGI; the turn lasts until the answer has been sent."""

    def __init__(self, app: ASGIApp, *, turns: Turns) -> None:
        self._app, self._turns = app, turns

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or not _is_costly(scope):
            await self._app(scope, receive, send)
            return
        who = await _who(Request(scope, receive))
        try:
            await self._turns.take(who)
        except Problem as refused:
            metrics.REJECTED.labels(refused.kind).inc()
            await response(refused, Request(scope))(scope, receive, send)
            return
        began = monotonic()
        try:
            await self._app(scope, receive, send)
        finally:
            self._turns.give(who, monotonic() - began)


def _is_costly(scope: Scope) -> bool:
    path = str(scope["path"]).removeprefix(scope.get("root_path", ""))
    return bool(_COSTLY.match(path)) and not (path.startswith("/mcp") and scope["method"] != "POST")


async def _who(request: Request) -> str:
    """Whose turn it would be: the caller's; for one whose credentials fail, who gets a 401 below, the address's.

    So it is for EHRs, whose tokens are for CDS Hooks alone: the ways in of others do not look at them.
    """
    with suppress(Problem):
        if not is_hook(request.scope):
            return (await caller_of(request)).id
    return f"address {request.client.host if request.client else ''}"
