"""Checkpointers: a thread goes on from what was answered last, and its file is opened anew where another was put."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.base.id import uuid6

from agent.graph import Given, build, stream
from agent.settings import Settings
from agent.threads import kept, open_threads
from tests.agent.test_graph import House
from tools.peers.postgres import Postgres


async def _asked(saver: Any, question: str, run: str, after: str | None = None) -> list[str]:
    """The questions that the reasoner knows of before this one."""
    house = House()
    async for _ in stream(
        build(house.stages(), saver), Given(question=question, patient="p", run=run), "t", after=after
    ):
        pass
    return [turn.question for turn in house.histories[0]]


async def _written_late(saver: Any) -> None:
    """The thread's first checkpoint once more, by a process that knows of nothing since, or whose clock is ahead."""
    *_, first = [one async for one in saver.alist({"configurable": {"thread_id": "t"}})]
    late = {**first.checkpoint, "id": str(uuid6())}
    config = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
    await saver.aput(config, late, first.metadata, first.checkpoint["channel_versions"])


async def _late(settings: Settings) -> None:
    async with open_threads(settings) as saver:
        assert await _asked(saver, "first?", "r1") == []
        assert await _asked(saver, "second?", "r2", after="r1") == ["first?"]
        await _written_late(saver)
        assert await kept(saver, "t", "r2")
        assert await _asked(saver, "third?", "r3", after="r2") == ["first?", "second?"]
        assert await _asked(saver, "fourth?", "r4", after="r3") == ["first?", "second?", "third?"]
        await _written_late(saver)
        assert await _asked(saver, "fifth?", "r5", after="of another file") == ["first?"]
        assert await kept(saver, "t", "of another file") is None


async def test_what_was_written_late_to_a_file_is_left_aside(tmp_path: Path) -> None:
    await _late(Settings(threads=tmp_path / "t.sqlite"))


@pytest.mark.loopback
@pytest.mark.slow
async def test_what_was_written_late_to_postgres_is_left_aside(postgres_server: Postgres) -> None:
    await _late(Settings(database=postgres_server.database()))  # type: ignore[arg-type]


async def test_a_file_that_was_taken_away_is_told_and_another_taken_up(tmp_path: Path) -> None:
    path = tmp_path / "t ?#%.sqlite"
    async with open_threads(Settings(threads=path)) as saver:
        await _asked(saver, "first?", "r1")
        for file in list(tmp_path.iterdir()):  # noqa: ASYNC240
            file.unlink()
        for work in (_asked(saver, "second?", "r2"), kept(saver, "t", "r1"), saver.adelete_thread("t")):
            with pytest.raises(sqlite3.OperationalError, match="unable to open"):
                await work
        assert not path.exists()
        path.touch()
        assert await _asked(saver, "third?", "r3") == []  # with tables of its own
        assert await _asked(saver, "fourth?", "r4") == ["third?"]
