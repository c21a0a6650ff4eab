from __future__ import annotations

import asyncio
import time

import pytest

from tools.faults.clock import run


def test_an_hour_of_waiting_takes_no_time() -> None:
    async def waits() -> float:
        before = asyncio.get_running_loop().time()
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time() - before

    begin = time.monotonic()
    assert run(waits()) >= 3600
    assert time.monotonic() - begin < 2


def test_timers_keep_their_order() -> None:
    async def both() -> list[str]:
        said: list[str] = []

        async def say(word: str, after: float) -> None:
            await asyncio.sleep(after)
            said.append(word)

        await asyncio.gather(say("late", 500), say("early", 5), say("now", 0))
        return said

    assert run(both()) == ["now", "early", "late"]


def test_a_time_out_strikes_before_what_it_bounds() -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await asyncio.sleep(61)

    with pytest.raises(TimeoutError):
        run(bounded())


def test_a_thread_is_not_taken_for_idleness() -> None:
    async def threaded() -> str:
        async with asyncio.timeout(1):
            return await asyncio.to_thread(lambda: time.sleep(0.05) or "done")

    assert run(threaded()) == "done"
