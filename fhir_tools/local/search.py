"""Running a checked search over the store's file.

The index narrows to keys; where it cannot say all that a parameter means, the resources that are left
are read and matched (`match`). What the index says alone (patient, token, reference, date, string
prefix, `_id`) is never parsed but for the page that is returned.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_tools.elements import fold, literal, ranges, strings, tokens, walk
from fhir_tools.errors import QueryError
from fhir_tools.local.index import ANY_SYSTEM, PATIENT_PARAMS, indexed_as, is_indexed
from fhir_tools.match import asked_range, asked_references, asked_token, matches
from fhir_tools.query import R4_TYPES, Param, SearchParameter, check, parameters, unescape
from fhir_tools.types import Query, SearchResult

__all__ = ["ReadBodies", "run"]

Resource = Mapping[str, Any]
ReadBodies = Callable[[Sequence[int]], list[dict[str, Any]]]
"""Parsed resources of keys, in the order of the keys."""

_CHUNK = 500  # keys in one SQL statement, well under SQLite's limit on parameters
_FEW = 1_000  # matches that are sorted sooner by reading them than by reading all dates of the chart
_DATES: Mapping[str, str] = {
    "eq": "low >= :low AND high <= :high",
    "ne": "NOT (low >= :low AND high <= :high)",
    "gt": "high > :high",
    "lt": "low < :low",
    "ge": "(high > :high OR (low >= :low AND high <= :high))",
    "le": "(low < :low OR (low >= :low AND high <= :high))",
    "sa": "low >= :high",
    "eb": "high <= :low",
    "ap": "low < :high AND high > :low",
}


def run(db: sqlite3.Connection, query: Query, read: ReadBodies) -> SearchResult:
    """One page (or all) of a search. Raises QueryError for what cannot be run as written."""
    filters, result = check(query)
    control = _control(query.type, result)
    found = _Finder(db, query.type, read).find(filters, control)
    total = len(found)
    if control.count == 0 or control.summary == "count":
        return SearchResult(query=query, total=total)
    page = found[control.offset :][: control.count]
    matched = [x if isinstance(x, dict) else None for x in page]
    if any(x is None for x in matched):
        matched = list(read([x for x in page if isinstance(x, int)]))
    included = _included(db, matched, control.include, read)
    end = control.offset + len(page)
    return SearchResult(
        query=query,
        matches=tuple(_shortened(x, control) for x in matched if x),
        included=tuple(included),
        total=total,
        next=_next(db, query, end, control) if end < total else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Control:
    """The result parameters of a search. `newest` is the highest key that its first page saw."""

    sort: tuple[tuple[SearchParameter, bool], ...] = ()
    count: int | None = None
    offset: int = 0
    newest: int | None = None
    include: tuple[tuple[str, SearchParameter, str], ...] = ()
    elements: frozenset[str] = frozenset()
    summary: str = "false"


def _control(type_: str, result: Mapping[str, tuple[str, ...]]) -> _Control:
    last = {name: values[-1] for name, values in result.items()}
    summary = last.get("_summary", "false")
    if summary not in ("count", "data", "text", "false"):
        raise QueryError(f"_summary={summary} is not supported; use count, data, text or false, or _elements")
    if not re.fullmatch(r"[0-9]*", last.get("_count", "")):
        raise QueryError(f"_count is not a number: {last['_count']!r}")
    page = re.fullmatch(r"([0-9]+)\.([0-9]+)", last.get("_page", "0.0"))
    if page is None:
        raise QueryError(f"not a page of this store: {last['_page']!r}")
    return _Control(
        sort=tuple(_sort_key(type_, key) for value in result.get("_sort", ()) for key in value.split(",")),
        count=int(last["_count"]) if last.get("_count") else None,
        offset=int(page[1]),
        newest=int(page[2]) or None,
        include=tuple(x for value in result.get("_include", ()) for x in _include(value)),
        elements=frozenset(e for value in result.get("_elements", ()) for e in value.split(",")),
        summary=summary,
    )


def _sort_key(type_: str, text: str) -> tuple[SearchParameter, bool]:
    spec = parameters(type_).get(text.removeprefix("-"))
    if spec is None:
        raise QueryError(f"{type_} has no search parameter {text.removeprefix('-')!r} to sort by")
    return spec, text.startswith("-")


def _include(text: str) -> Iterable[tuple[str, SearchParameter, str]]:
    type_, _, rest = text.partition(":")
    name, _, target = rest.partition(":")
    links = {n: p for n, p in parameters(type_).items() if p.type == "reference"} if type_ in R4_TYPES else {}
    chosen = links.values() if name == "*" else (links[name],) if name in links else ()
    if not chosen:
        raise QueryError(f"_include={text!r} names no reference parameter; write it as Type:parameter[:Target]")
    return ((type_, spec, target) for spec in chosen)


class _Finder:
    """Finds what meets the filters of one search, in order: keys, or parsed resources if they had to be read."""

    def __init__(self, db: sqlite3.Connection, type_: str, read: ReadBodies) -> None:
        self._db, self._type, self._read = db, type_, read
        self._patient: int | None = None

    def find(self, filters: Sequence[Param], control: _Control) -> list[int] | list[dict[str, Any]]:
        self._patient = self._one_patient(filters)
        keys: set[int] | None = None
        rest: list[Param] = []
        for param in filters:
            if self._patient is not None and param.name in PATIENT_PARAMS and self._indexed(param):
                continue  # every look-up below is within the one patient's rows
            narrowed = self._narrow(param)
            if narrowed is None:
                rest.append(param)
            else:
                keys = narrowed if keys is None else keys & narrowed
        ordered = sorted(self._all() if keys is None else keys)
        if control.newest is not None:
            ordered = [k for k in ordered if k <= control.newest]
        by_index = all(is_indexed(spec) and spec.type == "date" for spec, _ in control.sort)
        if not rest and (not control.sort or (by_index and len(ordered) > _FEW)):
            return self._sorted_keys(ordered, control)
        found = [r for r in self._parsed(ordered) if all(matches(r, p) for p in rest)]
        return _sorted_resources(found, control)

    def _parsed(self, keys: list[int]) -> Iterable[dict[str, Any]]:
        for start in range(0, len(keys), _CHUNK):
            yield from self._read(keys[start : start + _CHUNK])

    def _keys(self, sql: str, values: Sequence[Any] | Mapping[str, Any]) -> set[int]:
        return {row[0] for row in self._db.execute(sql, values)}

    def _all(self) -> set[int]:
        return self._postings(self._terms(self._type, "code = ''", ()))

    # Narrowing: the keys that meet a parameter, or None where the index cannot tell.

    def _narrow(self, param: Param) -> set[int] | None:
        if param.name == "_id" and param.modifier is None:
            sql = "SELECT key FROM resource WHERE type = ? AND id = ? AND deleted = 0 AND patient = ifnull(?, patient)"
            asked = [(self._type, unescape(value), self._patient) for value in param.values]
            return {k for values in asked for k in self._keys(sql, values)}
        if param.name.startswith("_") or not self._indexed(param):
            return None
        names = indexed_as(self._type, param.name)
        return {
            k for name in names for value in param.values for k in self._value(f"{self._type}.{name}", param, value)
        }

    def _indexed(self, param: Param) -> bool:
        if param.modifier is None:
            return bool(indexed_as(self._type, param.name))
        return param.spec.type == "reference" and param.modifier in R4_TYPES

    def _value(self, name: str, param: Param, value: str) -> set[int]:
        if param.spec.type == "date":
            return self._dates(name, value)
        if param.spec.type == "token":
            system, code = asked_token(value)
            where, values = ("code = ?", (code,)) if code is not None else ("1", ())
            if system is not None:
                where, values = f"{where} AND system IN (?, ?)", (*values, system, ANY_SYSTEM)
            return self._postings(self._terms(name, where, values))
        if param.spec.type == "string":
            start = fold(unescape(value))
            # The upper end of a prefix range: no text that starts with it sorts after its last possible character.
            return self._postings(self._terms(name, "code >= ? AND code < ?", (start, start + "\U0010ffff")))
        return self._references(name, param, value)

    def _references(self, name: str, param: Param, value: str) -> set[int]:
        found: set[int] = set()
        for text in asked_references(param, value, R4_TYPES):
            found |= self._postings(self._terms(name, "code = ?", (text,)))
            if param.name in PATIENT_PARAMS and text.startswith("Patient/"):
                found |= self._chart(self._number(text[8:]))
        return found

    def _dates(self, name: str, value: str) -> set[int]:
        prefix, (low, high) = asked_range(value)
        sql = f"SELECT key FROM moment WHERE term = :term AND {_DATES[prefix]}"  # noqa: S608 (a table above)
        if self._patient is not None:
            sql += " AND patient = :patient"
        asked = {"low": low, "high": high, "patient": self._patient}
        return {k for term in self._terms(name, "code = ''", ()) for k in self._keys(sql, {"term": term, **asked})}

    def _terms(self, param: str, where: str, values: Sequence[Any]) -> list[int]:
        sql = f"SELECT number FROM term WHERE param = ? AND {where}"  # noqa: S608 (written in this class)
        return [row[0] for row in self._db.execute(sql, (param, *values))]

    def _postings(self, terms: Iterable[int]) -> set[int]:
        if self._patient is None:
            sql = "SELECT key FROM posting WHERE term = ?"
            return {k for term in terms for k in self._keys(sql, (term,))}
        sql = "SELECT key FROM posting WHERE term = ? AND patient = ?"
        return {k for term in terms for k in self._keys(sql, (term, self._patient))}

    def _number(self, id_: str) -> int:
        found = self._db.execute("SELECT number FROM patient WHERE id = ?", (id_,)).fetchone()
        return found[0] if found else -1

    def _chart(self, patient: int) -> set[int]:
        sql = "SELECT key FROM posting WHERE term = ? AND patient = ?"
        return {k for term in self._terms(self._type, "code = ''", ()) for k in self._keys(sql, (term, patient))}

    def _one_patient(self, filters: Sequence[Param]) -> int | None:
        """The patient whose rows are enough to look at, if the search names just one and no row says otherwise."""
        asked = [p for p in filters if p.name in PATIENT_PARAMS and len(p.values) == 1 and self._indexed(p)]
        references = asked_references(asked[0], asked[0].values[0], R4_TYPES) if len(asked) == 1 else ()
        patients = {text[8:] for text in references if text.startswith("Patient/")}
        others = [t for text in references for t in self._terms(f"{self._type}.{asked[0].name}", "code = ?", (text,))]
        return self._number(patients.pop()) if len(patients) == 1 and not others else None

    def _sorted_keys(self, keys: list[int], control: _Control) -> list[int]:
        for spec, down in reversed(control.sort):
            lows = self._lows(f"{self._type}.{spec.name}")
            keys = _by(keys, lows.get, down)
        return keys

    def _lows(self, name: str) -> dict[int, int]:
        sql = "SELECT key, min(low) FROM moment WHERE term = ?"
        rows = self._terms(name, "code = ''", ())
        if self._patient is None:
            return {k: low for t in rows for k, low in self._db.execute(f"{sql} GROUP BY key", (t,))}
        sql += " AND patient = ? GROUP BY key"
        return {k: low for t in rows for k, low in self._db.execute(sql, (t, self._patient))}


def _by(items: list[Any], key: Callable[[Any], Any], down: bool) -> list[Any]:
    """Sorted stably, what has no value last in either direction."""
    valued = [(key(x), x) for x in items]
    present = sorted(((v, x) for v, x in valued if v is not None), key=lambda pair: pair[0], reverse=down)
    return [x for _, x in present] + [x for v, x in valued if v is None]


def _sorted_resources(found: list[dict[str, Any]], control: _Control) -> list[dict[str, Any]]:
    for spec, down in reversed(control.sort):
        found = _by(found, lambda r, spec=spec: _sort_value(r, spec), down)  # type: ignore[misc]
    return found


def _sort_value(resource: Resource, spec: SearchParameter) -> Any:
    values = [v for element in walk(resource, spec.paths) for v in _sortable(spec, element)]
    return min(values, default=None)


def _sortable(spec: SearchParameter, element: Any) -> Iterable[Any]:
    if spec.type == "date":
        return [low for low, _ in ranges(element)]
    if spec.type == "token":
        return [fold(code) for _, code in tokens(element)]
    if spec.type == "reference":
        return [text for text in (literal(element),) if text]
    if spec.type in ("string", "uri"):
        return [fold(text) for text in strings(element)]
    value = element.get("value") if isinstance(element, dict) else element
    return [value] if isinstance(value, int | float) else []


def _included(
    db: sqlite3.Connection,
    matched: Sequence[Resource | None],
    include: Sequence[tuple[str, SearchParameter, str]],
    read: ReadBodies,
) -> list[dict[str, Any]]:
    wanted: dict[str, None] = {}
    for resource in matched if include else ():
        for type_, spec, target in include:
            if resource and resource["resourceType"] == type_:
                texts = (literal(element) for element in walk(resource, spec.paths))
                wanted.update((t, None) for t in texts if t and (not target or t.startswith(f"{target}/")))
    seen = {f"{r['resourceType']}/{r['id']}" for r in matched if r}
    sql = "SELECT key FROM resource WHERE type = ? AND id = ? AND deleted = 0"
    pairs = (text.split("/") for text in wanted if text not in seen and text.count("/") == 1)
    rows = (db.execute(sql, pair).fetchone() for pair in pairs)
    return read([row[0] for row in rows if row])


def _shortened(resource: dict[str, Any], control: _Control) -> dict[str, Any]:
    """`_elements` and `_summary` (R4 3.1.1.5.8, 3.1.1.5.9), marked SUBSETTED so that none takes it for the whole."""
    if control.elements:
        keep = {*control.elements, "resourceType", "id", "meta"}
        short = {k: v for k, v in resource.items() if k.removeprefix("_") in keep}
    elif control.summary == "text":
        short = {k: resource[k] for k in ("resourceType", "id", "meta", "text") if k in resource}
    elif control.summary == "data":
        short = {k: v for k, v in resource.items() if k != "text"}
    else:
        return resource
    mark = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
    meta = short.get("meta") or {}
    return {**short, "meta": {**meta, "tag": [*meta.get("tag", ()), mark]}}


def _next(db: sqlite3.Connection, query: Query, offset: int, control: _Control) -> str:
    """The search again, with the place to go on from: what is stored later does not shift its pages."""
    newest = control.newest or db.execute("SELECT max(key) FROM resource").fetchone()[0]
    kept = tuple(pair for pair in query.params if pair[0] != "_page")
    return str(Query(type=query.type, params=(*kept, ("_page", f"{offset}.{newest}"))))
