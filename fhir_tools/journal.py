"""The journal of a SQLite file that several processes open, perhaps at the same moment."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import tenacity

__all__ = ["file_at", "make_file", "write_ahead"]

_WAIT = 30.0
"""Seconds that one process waits for others that open the file."""


def write_ahead(db: sqlite3.Connection) -> None:
    """Put a file into write-ahead logging, in which readers go on beside one writer. The file stays so.

    The change wants the file for itself, and SQLite does not call its busy handler for that but refuses at once
    (sqlite3_busy_handler, on deadlocks). Raises sqlite3.OperationalError where others keep the file for 30 seconds.
    """
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_busy),
        stop=tenacity.stop_after_delay(_WAIT),
        wait=tenacity.wait_random(0.001, 0.02),
        reraise=True,
    )
    retrying(lambda: db.execute("PRAGMA journal_mode=WAL").close())


def make_file(path: Path) -> None:
    """Make a file for a database with write-ahead logging, readable by its owner alone; one that is there is kept.

    Raises OSError where it cannot be made, sqlite3.Error where it is no database or cannot be had.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    with closing(sqlite3.connect(path, timeout=_WAIT)) as db:
        write_ahead(db)


def file_at(path: Path) -> tuple[int, int] | None:
    """Which file is there, to know whether another has taken its place; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _busy(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
