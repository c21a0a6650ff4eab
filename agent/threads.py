"""Where conversations are kept: LangGraph's checkpointer over a SQLite file, or over PostgreSQL by a setting.

Nothing but plain data is read back from either, so that who can write there cannot run code here.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.errors import MissingExtra, OperatorError, SettingsError
from agent.graph import Saver
from agent.settings import Settings
from agent.types import Answer
from fhir_tools.journal import make_file

if TYPE_CHECKING:
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

__all__ = ["FORM", "PATIENCE", "kept", "open_threads"]

PATIENCE = {
    "connect_timeout": "5",
    "keepalives_idle": "20",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
"""Of libpq: a server whose machine went off without a word is given up within half a minute, not a quarter of an hour.

What CHARTLINE_DATABASE says itself counts.
"""

FORM = "CHARTLINE_DATABASE (not shown): give postgresql://user:password@host:port/name"
"""What an address that is none is told; it may hold a password."""
_REACH = 15.0
"""Seconds in which PostgreSQL must be reached when the threads are opened."""
_LOST = 2.0
"""Seconds for which a lost connection is waited for, by one after the other. Who comes next tries anew: it is there as
soon as the server is, where longer tries would come ever more seldom."""
_SETUP = 0x636861727401
"""The advisory lock under which one process makes the tables and the others wait."""
_TURN = 60.0
"""Seconds that they wait."""


def open_threads(settings: Settings) -> AbstractAsyncContextManager[Saver]:
    """The threads of the settings, their tables made on first use; several processes may have them open at once.

    A file is readable by its owner alone; `:memory:` keeps none. Raises OperatorError where they cannot be opened,
    SettingsError, MissingExtra.
    """
    if settings.database is not None:
        return _postgres(settings.database.get_secret_value())
    return _file(settings.threads)


async def kept(saver: Saver, thread: str, run: str) -> Answer | None:
    """The answer of a run, where the last turn of the thread is that run's."""
    found = await saver.aget_tuple({"configurable": {"thread_id": thread, "after": run}})
    values = found.checkpoint["channel_values"] if found else {}
    turns = values.get("turns") or [{}]
    return Answer.model_validate(values["answer"]) if turns[-1].get("run") == run else None


@asynccontextmanager
async def _file(path: Path) -> AsyncIterator[Saver]:
    from agent.checkpoints import FileSaver

    if str(path) != ":memory:":
        try:
            await asyncio.to_thread(make_file, path)
        except (OSError, sqlite3.Error) as error:
            raise OperatorError(f"CHARTLINE_THREADS: cannot write {str(path)!r}: {error}") from error
    async with FileSaver.opened(path, _plain()) as saver:
        yield saver


@asynccontextmanager
async def _postgres(url: str) -> AsyncIterator[Saver]:
    try:
        from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
        from psycopg import AsyncConnection, Error
        from psycopg.rows import DictRow, dict_row
        from psycopg_pool import AsyncConnectionPool, PoolTimeout

        from agent.checkpoints import Knowing
    except ModuleNotFoundError as missing:
        raise MissingExtra("PostgreSQL", "postgres") from missing

    class PostgresSaver(Knowing, AsyncPostgresSaver):
        """LangGraph's."""

    options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    # The saver does one thing at a time; the second connection is for when the first has been lost.
    pool: AsyncConnectionPool[AsyncConnection[DictRow]] = AsyncConnectionPool(
        _conninfo(url),
        kwargs=options,
        min_size=1,
        max_size=2,
        open=False,
        check=AsyncConnectionPool.check_connection,
        timeout=_LOST,
        reconnect_timeout=_LOST,
    )
    try:
        await pool.open(wait=True, timeout=_REACH)
        saver = PostgresSaver(pool, serde=_plain())
        await _set_up(saver, pool)
    except (Error, PoolTimeout, OSError) as error:
        await pool.close()
        raise OperatorError(
            f"CHARTLINE_DATABASE cannot be used ({type(error).__name__}); check that it is there"
        ) from error
    try:
        yield saver
    finally:
        await pool.close()


def _conninfo(url: str) -> str:
    """The address as libpq reads it, whichever driver it names. Raises SettingsError for what is none."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    kind, _, rest = url.partition("://")
    address = f"postgresql://{rest}"
    try:
        parts = conninfo_to_dict(address) if kind.startswith("postgres") and rest else {}
    except ProgrammingError:
        parts = {}
    if not parts or not str(parts.get("port", "5432")).replace(",", "").isdigit():
        raise SettingsError(FORM)
    return make_conninfo(address, **{name: value for name, value in PATIENCE.items() if name not in parts})


async def _set_up(saver: AsyncPostgresSaver, pool: Any) -> None:
    """Make the tables, one process at a time.

    The lock is tried and not waited for: its indices are made CONCURRENTLY, which waits for every statement that is
    running, also for one that waits for the lock. Raises TimeoutError where another process keeps it.
    """
    async with pool.connection() as connection:
        async with asyncio.timeout(_TURN):  # one whose machine went off without a word keeps it for hours
            while not await _taken(connection):  # noqa: ASYNC110  what is waited for is another process
                await asyncio.sleep(0.05)
        try:
            await saver.setup()
        finally:
            await connection.execute("SELECT pg_advisory_unlock(%s)", (_SETUP,))


async def _taken(connection: Any) -> bool:
    cursor = await connection.execute("SELECT pg_try_advisory_lock(%s) AS taken", (_SETUP,))
    return bool((await cursor.fetchone())["taken"])


def _plain() -> Any:
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

    return JsonPlusSerializer(allowed_msgpack_modules=None)
