"""Running a checked search over the store's file: find, order, cut into pages, shorten, bring what goes with it."""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from fhir_tools.local.finder import Finder, Found, ReadBodies, json_text
from fhir_tools.local.include import ROUNDS, included
from fhir_tools.local.index import is_indexed
from fhir_tools.local.pages import newest_key, next_page, read_place
from fhir_tools.search.control import Control, SortKey, read_control, system_types
from fhir_tools.search.definitions import R4_TYPES, parameters
from fhir_tools.search.elements import fold, time_range
from fhir_tools.search.order import rank, sort_value, sorted_by
from fhir_tools.search.query import Param, check
from fhir_tools.search.subset import subset
from fhir_tools.types import Query, SearchResult

__all__ = ["ReadBodies", "run"]

_FEW = 1_000  # matches that are sorted sooner by reading them than by reading all dates of the chart

Value = Callable[[int, SortKey], Any]


def run(db: sqlite3.Connection, query: Query, read: ReadBodies) -> SearchResult:
    """One page (or all) of a search. Raises QueryError for what cannot be run as written."""
    filters, result = check(query)
    types = (query.type,) if query.type else system_types(result)
    control = read_control(types, result)
    place = read_place(db, control.page, control.sort) if control.page else None
    finders = [Finder(db, type_, read) for type_ in types or _stored_types(db)]
    newest = place.newest if place else None
    found = [finder.find(filters if query.type else _filters(finder.type, query), newest) for finder in finders]
    keys, value = _ordered(finders, found, control)
    total = None if control.total == "none" else len(keys)
    if control.count == 0 or control.summary == "count":
        return SearchResult(query=query, total=len(keys))
    start = bisect_right(keys, place.rank, key=_ranker(control, value)) if place else 0
    page = keys[start:][: control.count]
    known = {key: resource for one in found for key, resource in one.read.items()}
    matched = [known[k] for k in page] if all(k in known for k in page) else read(page)
    brought, all_followed = included(finders[0], matched, control.include) if control.include else ([], True)
    goes_on = start + len(page) < len(keys)
    return SearchResult(
        query=query,
        matches=tuple(subset(resource, control) for resource in matched),
        included=tuple(brought),
        total=total,
        complete=all_followed,
        error=None if all_followed else f"_include:iterate goes on after {ROUNDS} rounds; what follows was left out",
        next=next_page(db, query, newest or newest_key(db), page[-1]) if goes_on else None,
    )


def _stored_types(db: sqlite3.Connection) -> list[str]:
    types = [row[0] for row in db.execute("SELECT DISTINCT type FROM resource WHERE deleted = 0 ORDER BY type")]
    return types or sorted(R4_TYPES)[:1]


def _filters(type_: str, query: Query) -> tuple[Param, ...]:
    """The filters of a search of the whole system as those of one type."""
    return check(Query(type=type_, params=tuple(p for p in query.params if p[0] != "_type")))[0]


def _ordered(finders: Sequence[Finder], found: Sequence[Found], control: Control) -> tuple[list[int], Value]:
    """All keys in the order asked for, and what a key was sorted by."""
    keys = [key for one in found for key in one.keys]
    if len(found) > 1:
        keys.sort()
    if not control.sort:
        return keys, lambda key, sort: None
    read = any(one.read for one in found)
    value = None if read else _column_values(finders, keys, control)
    if value is None:
        for finder, one in zip(finders, found, strict=True):
            one.read.update(finder.parsed([key for key in one.keys if key not in one.read]))
        resources = {key: resource for one in found for key, resource in one.read.items()}

        def value(key: int, sort: SortKey) -> Any:
            return sort_value(resources[key], sort)

    return sorted_by(keys, control.sort, value), value


def _column_values(finders: Sequence[Finder], keys: list[int], control: Control) -> Value | None:
    """What keys are sorted by where the index or a column says it; None where the resources have to be read."""
    columns: dict[str, dict[int, Any]] = {}
    for sort in control.sort:
        if sort.name in ("_id", "_lastUpdated"):
            columns[sort.name] = _column(finders[0], keys, sort.name)
            continue
        specs = [parameters(finder.type)[sort.name] for finder in finders]
        if len(keys) <= _FEW or not all(spec.type == "date" and is_indexed(spec) for spec in specs):
            return None
        columns[sort.name] = {k: v for f in finders for k, v in f.lows(sort.name, down=sort.down).items()}
    return lambda key, sort: columns[sort.name].get(key)


def _column(finder: Finder, keys: list[int], name: str) -> dict[int, Any]:
    column = "id" if name == "_id" else "updated"
    sql = f"SELECT key, {column} FROM resource WHERE key IN (SELECT value FROM json_each(?))"  # noqa: S608
    rows = finder.db.execute(sql, (json_text(keys),))
    if name == "_id":
        return {key: fold(text) for key, text in rows}
    spans = ((key, time_range(text)) for key, text in rows)
    return {key: span[0] for key, span in spans if span}


def _ranker(control: Control, value: Value) -> Callable[[int], tuple[Any, ...]]:
    return lambda key: rank([value(key, sort) for sort in control.sort], control.sort, key)
