"""What the service keeps between requests and restarts: SQLite by default, PostgreSQL by a setting.

Each room of the service declares its own tables on `METADATA`; they are made when the service starts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import MetaData, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from agent.errors import MissingExtra, OperatorError, SettingsError
from agent.settings import Settings

__all__ = ["METADATA", "open_database", "postgres"]

METADATA = MetaData()


def postgres(settings: Settings) -> URL | None:
    """The PostgreSQL database of the settings; None where files serve. Raises SettingsError for any other kind."""
    if settings.database is None:
        return None
    try:
        url = make_url(settings.database.get_secret_value())
    except ArgumentError:
        url = None
    if url is None or url.get_backend_name() not in ("postgresql", "postgres"):
        raise SettingsError("CHARTLINE_DATABASE (not shown): give postgresql://user:password@host:port/name")
    return url.set(drivername="postgresql+psycopg")


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """The database with its tables made. Raises OperatorError where it cannot be reached, MissingExtra."""
    url = postgres(settings)
    engine = _engine(url) if url else _file(settings.service_state)
    try:
        try:
            async with engine.begin() as connection:
                await connection.run_sync(METADATA.create_all)
        except (SQLAlchemyError, OSError) as error:
            where = "CHARTLINE_DATABASE" if url else f"CHARTLINE_SERVICE_STATE ({str(settings.service_state)!r})"
            raise OperatorError(f"{where} cannot be used ({type(error).__name__}); check that it is there") from error
        yield engine
    finally:
        await engine.dispose()


def _engine(url: URL) -> AsyncEngine:
    try:
        return create_async_engine(url, pool_pre_ping=True)
    except ModuleNotFoundError as missing:
        raise MissingExtra("PostgreSQL", "postgres") from missing


def _file(path: Path) -> AsyncEngine:
    memory = str(path) == ":memory:"
    if not memory:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
        except OSError as error:
            raise OperatorError(f"CHARTLINE_SERVICE_STATE: cannot write {str(path)!r}: {error.strerror}") from error
    url = URL.create("sqlite+aiosqlite", database=None if memory else str(path))
    # In memory there is one connection, or each would have a database of its own.
    options: dict[str, Any] = {} if memory else {"poolclass": AsyncAdaptedQueuePool, "pool_size": 4}
    engine = create_async_engine(url, **options)
    event.listen(engine.sync_engine, "connect", _prepare)
    return engine


def _prepare(connection: Any, _: Any) -> None:
    """Readers beside one writer; a commit outlives the process, and costs no wait for the disk."""
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
