"""What the service keeps between requests and restarts: SQLite by default, PostgreSQL by a setting.

Each room of the service declares its own tables on `METADATA`; they are made, or brought up to date, when the service
starts.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Float, MetaData, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.sql.functions import FunctionElement

from agent.errors import MissingExtra, OperatorError, SettingsError
from agent.service.upgrading import upgrade
from agent.settings import Settings
from agent.threads import FORM, PATIENCE
from fhir_tools.journal import file_at, make_file

__all__ = ["METADATA", "instant", "now", "open_database", "postgres"]

METADATA = MetaData()


class now(FunctionElement[float]):  # noqa: N801  a function of SQL
    """Seconds since 1970 (UTC) by the database's clock, which all processes that share it agree on.

    It goes on within a transaction, unlike SQL's own.
    """

    type = Float()
    inherit_cache = True
    name = "now"


@compiles(now, "sqlite")
def _now_of_sqlite(*_: Any, **__: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(now, "postgresql")
def _now_of_postgres(*_: Any, **__: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"


def instant(seconds: float) -> str:
    """Seconds since 1970 as an instant of ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def postgres(settings: Settings) -> URL | None:
    """The PostgreSQL database of the settings; None where files serve. Raises SettingsError for any other kind."""
    if settings.database is None:
        return None
    try:
        url = make_url(settings.database.get_secret_value())
    except ArgumentError:
        url = None
    if url is None or url.get_backend_name() not in ("postgresql", "postgres"):
        raise SettingsError(FORM)
    return url.set(drivername="postgresql+psycopg", query={**PATIENCE, **url.query})


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """The database with its tables made and up to date.

    Raises OperatorError where it cannot be reached or is of a newer chartline, MissingExtra.
    """
    url = postgres(settings)
    engine = _engine(url) if url else _file(settings.service_state)
    try:
        try:
            if not url and str(settings.service_state) != ":memory:":
                await asyncio.to_thread(make_file, settings.service_state)
            async with engine.begin() as connection:
                await connection.run_sync(upgrade, METADATA)
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            where = "CHARTLINE_DATABASE" if url else f"CHARTLINE_SERVICE_STATE ({str(settings.service_state)!r})"
            raise OperatorError(
                f"{where} cannot be used ({type(error).__name__}); check that it is there and may be written"
            ) from error
        yield engine
    finally:
        await engine.dispose()


def _engine(url: URL) -> AsyncEngine:
    try:
        return create_async_engine(url, pool_pre_ping=True)
    except ModuleNotFoundError as missing:
        raise MissingExtra("PostgreSQL", "postgres") from missing


def _file(path: Path) -> AsyncEngine:
    kept = str(path) != ":memory:"
    # Opened as a URI, so that a file which is gone is not made anew, without tables.
    place = {"database": f"file:{quote(str(path.absolute()))}", "query": {"mode": "rw", "uri": "true"}}
    url = URL.create("sqlite+aiosqlite", **(place if kept else {"database": ":memory:"}))
    # One connection, for which blocks wait in turn: SQLite has one writer, and lets those who wait for it starve; and
    # in memory each connection would have a database of its own. So no block may open another within itself.
    options: dict[str, Any] = {"poolclass": AsyncAdaptedQueuePool, "pool_size": 1, "max_overflow": 0}
    engine = create_async_engine(url, **options)
    event.listen(engine.sync_engine, "connect", _prepare)
    if kept:
        event.listen(engine.sync_engine, "connect", lambda _, record: record.info.update(file=file_at(path)))
        event.listen(engine.sync_engine, "checkout", partial(_require_same, path))
    return engine


def _require_same(path: Path, _: Any, record: Any, __: Any) -> None:
    """Have the file opened anew where another has taken its place: what is written to one that was removed is lost."""
    if record.info["file"] != file_at(path):
        raise DisconnectionError


def _prepare(connection: Any, _: Any) -> None:
    """A commit outlives the process, and costs no wait for the disk."""
    cursor = connection.cursor()
    for pragma in ("synchronous=NORMAL", "busy_timeout=10000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
