"""An event loop whose clock jumps ahead when nothing is left to do but wait: time-outs of minutes take no time.

For code that stays in this process: a socket that is waited for would look like idleness. Threads of the loop's
executor are waited for in real time.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

__all__ = ["VirtualLoop", "run"]

T = TypeVar("T")


class _Idle(selectors.DefaultSelector):
    """Does not sleep until the next timer; it adds the sleep to the clock. `threads` is how many are at work."""

    ahead = 0.0
    threads = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found: list[tuple[selectors.SelectorKey, int]] = super().select(timeout if self.threads else 0)
        if found or self.threads:
            return found
        if timeout is None:
            return super().select(None)
        self.ahead += max(0.0, timeout)
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop with that selector. `time()` is monotonic: real time and what was skipped."""

    def __init__(self) -> None:
        self._idle = _Idle()
        super().__init__(self._idle)

    def time(self) -> float:
        return time.monotonic() + self._idle.ahead

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        future = super().run_in_executor(executor, func, *args)
        self._idle.threads += 1
        future.add_done_callback(self._ended)
        return future

    def _ended(self, _: asyncio.Future[Any]) -> None:
        self._idle.threads -= 1


def run(work: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`, on a virtual clock."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
