"""LangGraph's checkpointers as threads need them: several processes write one thread, and a file can be taken away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiosqlite
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from fhir_tools.journal import file_at

__all__ = ["FileSaver", "Knowing"]

_BUSY = 30.0
"""Seconds that one process waits for another which is writing the file."""
_BACK = 20
"""How many checkpoints of a thread are looked through for one that knows a turn."""


class Knowing(BaseCheckpointSaver[Any]):
    """Reads a thread as it was last answered, where LangGraph would take the checkpoint that was written last.

    A process that stalls while another answers its question writes that turn once more when it wakes, without those
    that came after it; and where clocks differ between machines the last is not the newest. A config may name a run
    as `after`: the newest checkpoint that has its turn is read, or the newest where none of the last ones has it.
    """

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """LangGraph's."""
        found = await super().aget_tuple(config)
        run = config["configurable"].get("after")
        if run is None or found is None or _knows(found, run):
            return found
        async with aclosing(self.alist(config, limit=_BACK)) as several:  # type: ignore[type-var]
            async for one in several:
                if _knows(one, run):
                    return one
        return found


def _knows(found: CheckpointTuple, run: str) -> bool:
    turns = found.checkpoint["channel_values"].get("turns", ())
    return any(turn.get("run") == run for turn in turns)


class FileSaver(Knowing, AsyncSqliteSaver):
    """Over a SQLite file, which is opened anew where another has taken its place: what is written to one that was
    removed is lost.

    While there is none, all that is asked of it raises sqlite3.OperationalError.
    """

    def __init__(self, path: Path, connection: aiosqlite.Connection, serde: Any) -> None:
        super().__init__(connection, serde=serde)
        self._path, self._file = path, file_at(path)

    @classmethod
    @asynccontextmanager
    async def opened(cls, path: Path, serde: Any) -> AsyncIterator[FileSaver]:
        """Over the file, which is there; `:memory:` needs none. Raises sqlite3.Error."""
        saver = cls(path, await _connect(path), serde)
        try:
            await saver.setup()
            yield saver
        finally:
            await saver.conn.close()

    async def setup(self) -> None:
        """LangGraph calls it before all that it does."""
        if self._file != file_at(self._path):
            async with self.lock:
                await self._open_anew()
        await super().setup()

    async def adelete_thread(self, thread_id: str) -> None:
        """LangGraph's."""
        await self.setup()
        await super().adelete_thread(thread_id)

    async def _open_anew(self) -> None:
        file = file_at(self._path)
        if self._file == file:
            return
        before, self.conn = self.conn, await _connect(self._path)
        self._file, self.is_setup = file, False
        await asyncio.shield(before.close())


async def _connect(path: Path) -> aiosqlite.Connection:
    # Each statement commits itself: a question that is cancelled between a write and its commit would leave the file
    # locked, and the next question of another thread would commit what was cancelled.
    connection = await aiosqlite.connect(_place(path), uri=True, timeout=_BUSY, isolation_level=None)
    try:
        await connection.execute("PRAGMA synchronous=NORMAL")  # in WAL a commit outlives the process, not a power cut
    except BaseException:
        await connection.close()
        raise
    return connection


def _place(path: Path) -> str:
    """Of a file as a URI, so that one which is gone is not made anew."""
    return ":memory:" if str(path) == ":memory:" else f"file:{quote(str(path.absolute()))}?mode=rw"
