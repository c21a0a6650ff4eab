"""Things that are costly to open, lent out and kept for the next one who asks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

__all__ = ["Pool"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(slots=True, kw_only=True)
class _Entry(Generic[V]):
    born: float
    stack: AsyncExitStack
    opening: asyncio.Future[V]
    users: int = 0
    retired: bool = False
    done: asyncio.Event = field(default_factory=asyncio.Event)


class Pool(Generic[K, V]):
    """At most `size` things that nobody is using are kept, each for `seconds`; one in use is closed when given back.

    `open` makes a thing of its key; two who ask for one key at once share what is being opened.
    """

    def __init__(self, open: Callable[[K], AbstractAsyncContextManager[V]], *, size: int, seconds: float) -> None:  # noqa: A002
        self._open, self._size, self._seconds = open, size, seconds
        self._entries: dict[K, _Entry[V]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @asynccontextmanager
    async def lend(self, key: K) -> AsyncIterator[V]:
        """The thing of this key for as long as the block lasts. Raises what opening it raises."""
        entry = self._entries.get(key)
        if entry is None or time.monotonic() - entry.born > self._seconds:
            await self._retire(key)
            entry = self._entry(key)
        self._entries[key] = self._entries.pop(key)  # the last used stands last
        entry.users += 1
        try:
            yield await asyncio.shield(entry.opening)
        except BaseException:
            if entry.opening.done() and (entry.opening.cancelled() or entry.opening.exception()):
                self._forget(key, entry)
            raise
        finally:
            entry.users -= 1
            await self._settle(entry)
            await self._shrink()

    async def drop(self, wanted: Callable[[K], bool]) -> None:
        """Close those whose key fits, as soon as nobody uses them."""
        for key in [key for key in self._entries if wanted(key)]:
            await self._retire(key)

    async def close(self) -> None:
        """Close all, those in use as well."""
        for entry in list(self._entries.values()):
            entry.users = 0
        await self.drop(lambda _: True)

    def _entry(self, key: K) -> _Entry[V]:
        stack = AsyncExitStack()
        opening = asyncio.ensure_future(stack.enter_async_context(self._open(key)))
        entry = self._entries[key] = _Entry(born=time.monotonic(), stack=stack, opening=opening)
        return entry

    def _forget(self, key: K, entry: _Entry[V]) -> None:
        if self._entries.get(key) is entry:
            del self._entries[key]

    async def _retire(self, key: K) -> None:
        entry = self._entries.pop(key, None)
        if entry:
            entry.retired = True
            await self._settle(entry)

    async def _settle(self, entry: _Entry[V]) -> None:
        if entry.retired and not entry.users and not entry.done.is_set():
            entry.done.set()
            await asyncio.wait([entry.opening])
            await entry.stack.aclose()

    async def _shrink(self) -> None:
        idle = [key for key, entry in self._entries.items() if not entry.users]
        for key in idle[: max(len(self._entries) - self._size, 0)]:
            await self._retire(key)
