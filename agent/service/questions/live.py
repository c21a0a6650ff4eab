"""A question at work in this process, as those who watch it see it: what was told so far, and then the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from agent.service.events import Event
from agent.service.problems import Problem
from agent.types import Answer

__all__ = ["Live", "told"]


class Live:
    """Anyone may watch, also from when half is done; watching has no part in the work.

    It is a `suspect` where the process died at the question all the times before.
    """

    def __init__(self, *, suspect: bool = False) -> None:
        self.suspect = suspect
        self.task: asyncio.Task[None] | None = None
        self.thread: str | None = None
        self._events: list[Event] = []
        self._error: Problem | None = None
        self._ended = False
        self._more = asyncio.Event()

    def tell(self, *events: Event) -> None:
        """Show events to all who watch."""
        self._events += events
        self._wake()

    def end(self, error: Problem | None = None) -> None:
        """Nothing more comes: the answer was told, or there is this reason why not."""
        self._error, self._ended = error, True
        self._wake()

    async def watch(self) -> AsyncIterator[Event]:
        """All events from the first. It ends without an answer where the work went to another process.

        Raises the Problem that the work ended with.
        """
        seen = 0
        while True:
            more = self._more
            for event in self._events[seen:]:
                yield event
                seen += 1
            if seen == len(self._events) and self._ended:
                break
            if more is self._more:
                await more.wait()
        if self._error:
            raise self._error

    def _wake(self) -> None:
        more, self._more = self._more, asyncio.Event()
        more.set()


def told(answer: Answer) -> list[Event]:
    """An answer as events: each claim, then the whole."""
    return [*(("claim", claim) for claim in answer.claims), ("answer", answer)]
