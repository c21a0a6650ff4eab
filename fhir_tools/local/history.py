"""The versions that the store keeps of its resources (R4 http, 3.1.0.13)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fhir_tools.errors import QueryError
from fhir_tools.search.elements import PAST, time_range
from fhir_tools.types import Reference

__all__ = ["Version", "versions"]

Parse = Callable[[bytes, str, str], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version: `method` made it; `updated` is when, as an instant. `resource` is None where it was deleted."""

    reference: Reference
    version: str
    method: Literal["PUT", "DELETE"]
    updated: str
    resource: dict[str, Any] | None


def versions(
    db: sqlite3.Connection, of: Reference | str | None, parse: Parse, since: str | None = None, count: int | None = None
) -> tuple[Version, ...]:
    """The versions of one resource, of a type or (None) of all, newest first; `since` (an instant) and later only.

    `count` is the most that are given. Raises QueryError for a `since` that is no time.
    """
    rows = sorted(_rows(db, of), key=_age, reverse=True)
    if since is not None:
        start = time_range(since)
        if start is None:
            raise QueryError("_since is no instant; write it as YYYY-MM-DDThh:mm:ssZ")
        rows = [row for row in rows if _instant(row) >= start[0]]
    return tuple(_version(db, row, parse) for row in rows[:count])


Row = tuple[str, str, str, str, int, int]
"""Type, id, version, updated, deleted, current (1) or kept (0)."""


def _rows(db: sqlite3.Connection, of: Reference | str | None) -> list[Row]:
    where, values = "1", ()  # type: tuple[str, tuple[str, ...]]
    if isinstance(of, Reference):
        where, values = "type = ? AND id = ?", (of.type, of.id)
    elif of is not None:
        where, values = "type = ?", (of,)
    sql = " UNION ALL ".join(
        f"SELECT type, id, version, updated, deleted, {current} FROM {table} WHERE {where}"  # noqa: S608 (names here)
        for table, current in (("resource", 1), ("history", 0))
    )
    return db.execute(sql, values * 2).fetchall()


def _instant(row: Row) -> int:
    span = time_range(row[3])
    return span[0] if span else PAST


def _age(row: Row) -> tuple[Any, ...]:
    """By time; versions of one time by their numbers, and the current one last made."""
    number = int(row[2]) if row[2].isdecimal() else -1
    return _instant(row), row[5], number, row[:2]


def _version(db: sqlite3.Connection, row: Sequence[Any], parse: Parse) -> Version:
    type_, id_, version, updated, deleted, current = row
    body = None
    if not deleted:
        table = "resource" if current else "history"
        sql = f"SELECT body FROM {table} WHERE type = ? AND id = ? AND version = ?"  # noqa: S608 (two names above)
        body = db.execute(sql, (type_, id_, version)).fetchone()[0]
    return Version(
        reference=Reference(type=type_, id=id_),
        version=version,
        method="DELETE" if deleted else "PUT",
        updated=updated,
        resource=parse(body, version, updated) if body is not None else None,
    )
