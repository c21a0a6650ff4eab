"""Pages of a search that stay whole while resources are stored, changed and deleted between them.

A page goes on after the place of its last match, not after a number of matches: what is deleted or changed elsewhere
shifts nothing. The token names that match by its key and version and holds no value of it; the place is read again
from the version kept in the history. What was stored after the first page (a higher key) is left out.
"""

from __future__ import annotations

import re
import sqlite3
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from fhir_tools.errors import QueryError
from fhir_tools.search.control import SortKey
from fhir_tools.search.order import rank, sort_value
from fhir_tools.search.query import to_url
from fhir_tools.types import Query

__all__ = ["Place", "newest_key", "next_page", "read_place"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """After which match a page begins: its rank in the order. `newest` is the highest key of the first page."""

    newest: int
    rank: tuple[Any, ...]


def read_place(db: sqlite3.Connection, token: str, sort: Sequence[SortKey]) -> Place:
    """The place of a `_page` token. Raises QueryError for what is none, or whose version the store has no more."""
    parts = re.fullmatch(r"([0-9]{1,18})\.([0-9]{1,18})\.([A-Za-z0-9_-]{1,200})", token, re.ASCII)
    if parts is None:
        raise QueryError("_page is not a page of this store; search again without it")
    newest, key, version = int(parts[1]), int(parts[2]), _decoded(parts[3])
    resource = _version(db, key, version) if sort else {}
    return Place(newest=newest, rank=rank([sort_value(resource, s) for s in sort], sort, key))


def _version(db: sqlite3.Connection, key: int, version: str) -> dict[str, Any]:
    sql = """SELECT body, updated FROM resource WHERE key = :key AND version = :version AND deleted = 0
        UNION ALL SELECT h.body, h.updated FROM history h JOIN resource r USING (type, id)
        WHERE r.key = :key AND h.version = :version AND h.deleted = 0"""
    row = db.execute(sql, {"key": key, "version": version}).fetchone()
    if row is None:
        raise QueryError("that page is not known any more; search again without _page")
    resource: dict[str, Any] = orjson.loads(row[0])
    meta = resource.get("meta")
    return {**resource, "meta": {**(meta if isinstance(meta, dict) else {}), "lastUpdated": row[1]}}


def newest_key(db: sqlite3.Connection) -> int:
    """The highest key of the store: of what is stored later the key is higher."""
    return int(db.execute("SELECT max(key) FROM resource").fetchone()[0] or 0)


def next_page(db: sqlite3.Connection, query: Query, newest: int, last: int) -> str:
    """The search again, from after the match of the key `last`."""
    version = db.execute("SELECT version FROM resource WHERE key = ?", (last,)).fetchone()[0]
    kept = tuple(pair for pair in query.params if pair[0] != "_page")
    return to_url(Query(type=query.type, params=(*kept, ("_page", f"{newest}.{last}.{_encoded(version)}"))))


def _encoded(version: str) -> str:
    """A version as characters that need no escape in a URL: files give versions of any form."""
    return urlsafe_b64encode(version.encode()).decode().rstrip("=")


def _decoded(text: str) -> str:
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError as fault:
        raise QueryError("_page is not a page of this store; search again without it") from fault
