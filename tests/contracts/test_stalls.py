"""A process stands still for longer than its lease and goes on: what it then writes of a thread does not count."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.contracts.conftest import Opened, Service
from tests.contracts.test_threads import A1C, ask, at_work, begun, orphaned, settled, turns

pytestmark = pytest.mark.loopback
ALLERGIES = "allergies?"


async def kept(service: Service, thread: str, **more: str) -> list[str]:
    """The questions that the thread's checkpoint knows."""
    saver: Any = service.app.state.parts.desk._saver
    found = await saver.aget_tuple({"configurable": {"thread_id": thread, **more}})
    return [turn["question"] for turn in found.checkpoint["channel_values"]["turns"]]


async def stalled(one: Service, other: Service, thread: str) -> asyncio.Task[None]:
    """The first process stalls at a question, which the second answers; the task with which the first goes on."""
    sweeping = one.questions._sweeping
    assert sweeping
    sweeping.cancel()  # it looks for nothing, and does not see that it lost the question
    await asyncio.wait([sweeping])
    id_ = await at_work(one, thread)
    await one.held.reached()
    await orphaned(other.questions, id_)
    assert (await settled(other, id_))["state"] == "answered"
    [live] = one.questions._live.values()
    assert live.task
    return live.task


async def test_a_follow_up_knows_every_turn(opened: Opened) -> None:
    async with opened(hold=True) as one, opened() as other:
        thread = await begun(other)
        task = await stalled(one, other, thread)
        assert (await ask(other, ALLERGIES, thread=thread)).status_code == 200
        one.held.free.set()
        await task
        assert await kept(other, thread) == [A1C]  # the last that was written
        assert (await ask(other, "and the first A1c?", thread=thread)).status_code == 200
        assert await kept(other, thread) == [A1C, ALLERGIES, "and the first A1c?"]
        assert [turn["state"] for turn in await turns(one, thread)] == ["answered"] * 3
