"""What is lent is shared, kept, closed when old or unused, and never closed under its user."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from agent.service.pool import Pool


class Things:
    """Counts what is opened and closed; `refuse` makes the next opening fail."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.refuse = False

    @asynccontextmanager
    async def open(self, key: str) -> AsyncIterator[str]:
        await asyncio.sleep(0)
        if self.refuse:
            self.refuse = False
            raise OSError("cannot")
        self.opened.append(key)
        yield key
        self.closed.append(key)


async def use(pool: Pool[str, str], *keys: str) -> None:
    for key in keys:
        async with pool.lend(key) as thing:
            assert thing == key


async def test_one_thing_serves_all_who_ask_at_once() -> None:
    things = Things()
    pool = Pool(things.open, size=2, seconds=60)
    await asyncio.gather(*(use(pool, "a") for _ in range(5)))
    assert (things.opened, things.closed) == (["a"], [])


async def test_the_least_recently_used_is_closed() -> None:
    things = Things()
    pool = Pool(things.open, size=2, seconds=60)
    await use(pool, "a", "b", "a", "c")
    assert things.closed == ["b"]
    await pool.close()
    assert sorted(things.closed) == ["a", "b", "c"]


async def test_an_old_one_is_opened_anew_and_closed_when_given_back() -> None:
    things = Things()
    pool = Pool(things.open, size=2, seconds=0)
    async with pool.lend("a"):
        await asyncio.sleep(0.001)
        await use(pool, "a")
        assert things.opened == ["a", "a"]
        assert things.closed == []
    assert things.closed == ["a"]


async def test_a_failed_opening_is_not_kept() -> None:
    things = Things()
    things.refuse = True
    pool = Pool(things.open, size=2, seconds=60)
    with pytest.raises(OSError, match="cannot"):
        await use(pool, "a")
    await use(pool, "a")
    assert things.opened == ["a"]


async def test_who_gives_up_waiting_takes_nothing_from_the_others() -> None:
    things = Things()
    pool = Pool(things.open, size=2, seconds=60)
    first, second = asyncio.ensure_future(use(pool, "a")), asyncio.ensure_future(use(pool, "a"))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert things.opened == ["a"]


async def test_dropped_ones_are_closed() -> None:
    things = Things()
    pool = Pool(things.open, size=4, seconds=60)
    await use(pool, "a", "b")
    await pool.drop(lambda key: key == "a")
    assert things.closed == ["a"]
    assert len(pool) == 1
