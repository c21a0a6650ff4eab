"""Finding the resources of one type that meet checked parameters.

The index narrows to keys; where it cannot say all that a parameter means, the resources that are left
are read and matched (`fhir_tools.search.match`). What the index says alone (patient, token, reference, date, string
prefix, `_id`, `_lastUpdated`) is never parsed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from fhir_tools.local import chains
from fhir_tools.local.index import ANY_SYSTEM, indexed_as, own_params
from fhir_tools.search.definitions import R4_TYPES, SearchParameter, parameters
from fhir_tools.search.elements import fold, time_range
from fhir_tools.search.match import asked_references, compare, matches
from fhir_tools.search.query import Param
from fhir_tools.search.values import asked_composite, asked_range, asked_token, asked_typed, unescape

__all__ = ["Finder", "Found", "ReadBodies"]

Resource = Mapping[str, Any]
ReadBodies = Callable[[Sequence[int]], list[dict[str, Any]]]
"""Parsed resources of keys, in the order of the keys."""

_CHUNK = 500  # keys in one SQL statement, well under SQLite's limit on parameters
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Keys of what meets a search, ascending, and those of its resources that had to be read."""

    keys: list[int]
    read: dict[int, dict[str, Any]] = field(default_factory=dict)


class Finder:
    """Finds within one type; `patient` is the number of the one patient that the search is within, if it is."""

    def __init__(self, db: sqlite3.Connection, type_: str, read: ReadBodies) -> None:
        self.db, self.type, self.read = db, type_, read
        self.patient: int | None = None

    def other(self, type_: str) -> Finder:
        """A finder of another type over the same file, not narrowed to a patient."""
        return Finder(self.db, type_, self.read)

    def find(self, filters: Sequence[Param], newest: int | None = None) -> Found:
        """What meets all filters, of keys up to `newest`."""
        self.patient, told = self._one_patient(filters)
        keys: set[int] | None = None
        rest: list[Param] = []
        for param in filters:
            if param is told:
                continue  # every look-up below is within the one patient's rows
            narrowed, exact = self._narrow(param)
            if not exact:
                rest.append(param)
            if narrowed is not None:
                keys = narrowed if keys is None else keys & narrowed
        ordered = sorted(self.all() if keys is None else keys)
        if newest is not None:
            ordered = [k for k in ordered if k <= newest]
        if not rest:
            return Found(keys=ordered)
        read = {k: r for k, r in self.parsed(ordered) if all(matches(r, p) for p in rest)}
        return Found(keys=list(read), read=read)

    def parsed(self, keys: Sequence[int]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Keys with their resources, read in parts."""
        for start in range(0, len(keys), _CHUNK):
            part = keys[start : start + _CHUNK]
            yield from zip(part, self.read(part), strict=False)

    def names(self, found: Found) -> list[str]:
        """`Type/id` of what was found."""
        sql = "SELECT id FROM resource WHERE key IN (SELECT value FROM json_each(?))"
        return [f"{self.type}/{row[0]}" for row in self.db.execute(sql, (json_text(found.keys),))]

    def keys(self, sql: str, values: Sequence[Any] | Mapping[str, Any]) -> set[int]:
        return {row[0] for row in self.db.execute(sql, values)}

    def all(self) -> set[int]:
        """Keys of every resource of the type, of the one patient if the search names just one."""
        return self._postings(self._terms(self.type, "code = ''", ()))

    def named(self, ids: Iterable[str]) -> set[int]:
        """Keys of the resources of these ids."""
        sql = """SELECT key FROM resource WHERE type = ? AND id IN (SELECT value FROM json_each(?)) AND deleted = 0
            AND patient = ifnull(?, patient)"""
        return self.keys(sql, (self.type, json_text(list(ids)), self.patient))

    def referring(self, spec: SearchParameter, references: Sequence[str]) -> set[int]:
        """Keys of the resources of the type whose parameter leads to one of the literal references."""
        wanted = [t for t in references if not spec.targets or t.partition("/")[0] in spec.targets]
        sql = """SELECT key FROM posting WHERE term IN (
                SELECT number FROM term WHERE param = ? AND code IN (SELECT value FROM json_each(?)))
            AND patient = ifnull(?, patient)"""
        found = self.keys(sql, (f"{self.type}.{spec.name}", json_text(wanted), self.patient))
        patients = [t[8:] for t in wanted if t.startswith("Patient/")]
        if patients and spec.name in own_params(self.type):
            sql = """SELECT key FROM posting WHERE term IN (SELECT number FROM term WHERE param = ? AND code = '')
                AND patient IN (SELECT number FROM patient WHERE id IN (SELECT value FROM json_each(?)))
                AND patient = ifnull(?, patient)"""
            found |= self.keys(sql, (self.type, json_text(patients), self.patient))
        return found

    # Narrowing: the keys that can meet a parameter (None: any), and whether all of those do.

    def _narrow(self, param: Param) -> tuple[set[int] | None, bool]:
        if param.chain is not None:
            return (chains.referred if param.chain.reverse else chains.chained)(self, param), True
        if param.name == "_id" and param.modifier is None:
            return self.named(map(unescape, param.values)), True
        if param.name == "_lastUpdated" and param.modifier is None:
            return self._updated(param), True
        if param.spec.type == "composite":
            return self._composite(param), False
        if param.name.startswith("_") or not indexed_as(self.type, param.name):
            return None, False
        return self._modified(param)

    def _modified(self, param: Param) -> tuple[set[int] | None, bool]:
        if param.modifier is None or (param.spec.type == "reference" and param.modifier in R4_TYPES):
            return self._by_values(param), True
        if param.modifier == "not":
            return self.all() - self._by_values(param), True
        if param.modifier == "exact":  # the index folds: what is exact is among what starts with it
            return self._by_values(param), False
        if param.modifier == "of-type":
            codes = [asked_typed(value)[2] for value in param.values]
            name = f"{self.type}.{param.name}"
            return {k for code in codes for k in self._postings(self._terms(name, "code = ?", (code,)))}, False
        if param.modifier == "missing" and param.values == ("true",) and param.name not in own_params(self.type):
            return self.all() - self._rows(indexed_as(self.type, param.name)), False  # no row says no value read
        return None, False

    def _by_values(self, param: Param) -> set[int]:
        names = indexed_as(self.type, param.name)
        return {k for name in names for value in param.values for k in self._value(f"{self.type}.{name}", param, value)}

    def _composite(self, param: Param) -> set[int] | None:
        """What meets, in any element, each component that has rows; the elements are matched afterwards."""
        found: set[int] | None = None
        known = parameters(self.type)
        parts = [asked_composite(param.spec, value) for value in param.values]
        for number, component in enumerate(param.spec.components):
            spec = known.get(component.name)
            if spec is None or spec.type != component.type or not indexed_as(self.type, spec.name):
                continue
            part = Param(spec=spec, modifier=None, values=tuple(values[number] for values in parts))
            narrowed = self._by_values(part)
            found = narrowed if found is None else found & narrowed
        return found

    def _updated(self, param: Param) -> set[int]:
        sql = "SELECT key, updated FROM resource WHERE type = ? AND deleted = 0 AND patient = ifnull(?, patient)"
        asked = [asked_range(value) for value in param.values]
        rows = ((k, time_range(text)) for k, text in self.db.execute(sql, (self.type, self.patient)))
        return {k for k, span in rows if span and any(compare(prefix, span, wanted) for prefix, wanted in asked)}

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
            if text.startswith("Patient/") and param.name in own_params(self.type):
                number = self._number(text[8:])
                found |= self._chart(number) if self.patient in (None, number) else set()
        return found

    def _dates(self, name: str, value: str) -> set[int]:
        prefix, (low, high) = asked_range(value)
        sql = f"SELECT key FROM moment WHERE term = :term AND {_DATES[prefix]}"  # noqa: S608 (a table above)
        if self.patient is not None:
            sql += " AND patient = :patient"
        asked = {"low": low, "high": high, "patient": self.patient}
        return {k for term in self._terms(name, "code = ''", ()) for k in self.keys(sql, {"term": term, **asked})}

    def _terms(self, param: str, where: str, values: Sequence[Any]) -> list[int]:
        sql = f"SELECT number FROM term WHERE param = ? AND {where}"  # noqa: S608 (written in this class)
        return [row[0] for row in self.db.execute(sql, (param, *values))]

    def _postings(self, terms: Iterable[int]) -> set[int]:
        if self.patient is None:
            sql = "SELECT key FROM posting WHERE term = ?"
            return {k for term in terms for k in self.keys(sql, (term,))}
        sql = "SELECT key FROM posting WHERE term = ? AND patient = ?"
        return {k for term in terms for k in self.keys(sql, (term, self.patient))}

    def _rows(self, names: Iterable[str]) -> set[int]:
        """Keys with any row of the parameters, which therefore have a value of them."""
        terms = "term IN (SELECT number FROM term WHERE param = ?) AND patient = ifnull(?, patient)"
        sql = f"SELECT key FROM posting WHERE {terms} UNION SELECT key FROM moment WHERE {terms}"  # noqa: S608
        asked = [(f"{self.type}.{name}", self.patient) for name in names]
        return {k for values in asked for k in self.keys(sql, (*values, *values))}

    def _number(self, id_: str) -> int:
        found = self.db.execute("SELECT number FROM patient WHERE id = ?", (id_,)).fetchone()
        return found[0] if found else -1

    def _chart(self, patient: int) -> set[int]:
        sql = "SELECT key FROM posting WHERE term = ? AND patient = ?"
        return {k for term in self._terms(self.type, "code = ''", ()) for k in self.keys(sql, (term, patient))}

    def _one_patient(self, filters: Sequence[Param]) -> tuple[int | None, Param | None]:
        """The patient whose rows are enough to look at, if a parameter names just one and no row says otherwise."""
        own = own_params(self.type)
        for param in filters:
            plain = param.chain is None and (param.modifier is None or param.modifier in R4_TYPES)
            if not plain or param.name not in own or len(param.values) != 1:
                continue
            references = asked_references(param, param.values[0], R4_TYPES)
            patients = {text[8:] for text in references if text.startswith("Patient/")}
            others = [t for text in references for t in self._terms(f"{self.type}.{param.name}", "code = ?", (text,))]
            if len(patients) == 1 and not others:
                return self._number(patients.pop()), param
        return None, None

    def lows(self, name: str, *, down: bool) -> dict[int, int]:
        """The instant that each resource is sorted by, of a date parameter."""
        sql = f"SELECT key, {'max' if down else 'min'}(low) FROM moment WHERE term = ?"  # noqa: S608
        rows = self._terms(f"{self.type}.{name}", "code = ''", ())
        if self.patient is None:
            return {k: low for t in rows for k, low in self.db.execute(f"{sql} GROUP BY key", (t,))}
        sql += " AND patient = ? GROUP BY key"
        return {k: low for t in rows for k, low in self.db.execute(sql, (t, self.patient))}


def json_text(items: Sequence[Any]) -> str:
    """A JSON list for SQLite's json_each."""
    return orjson.dumps(items).decode()
