"""From a resource to the rows that searches read: terms (tokens, references, strings) and time ranges."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from fhir_tools.search.definitions import Path, SearchParameter, parameters
from fhir_tools.search.elements import fold, inner, literal, ranges, strings, tokens, walk

__all__ = [
    "ANY_SYSTEM",
    "INDEX_VERSION",
    "INNER",
    "Indexer",
    "indexed_as",
    "is_indexed",
    "own_params",
    "patient_of",
]

INDEX_VERSION = "2"
"""To be raised whenever rows of this module or of `concepts` change: older stores are then indexed anew on opening."""

ANY_SYSTEM = "*"
"""The system of a bare code, string or boolean: its value set implies it, so any asked system fits."""

INNER = "#"
"""The code of a reference to a contained resource: a chain has to look inside."""

_CACHE = 50_000

Term = tuple[str, str, str]
Moment = tuple[str, int, int]


def patient_of(resource: Mapping[str, Any]) -> str | None:
    """The id of the patient whose compartment the resource is in, or None."""
    type_ = resource["resourceType"]
    if type_ == "Patient":
        return str(resource.get("id"))
    spec = _patient_spec(type_)
    for element in walk(resource, spec.paths) if spec else ():
        text = literal(element)
        if text and text.startswith("Patient/"):
            return text[8:]
    return None


@cache
def _patient_spec(type_: str) -> SearchParameter | None:
    known = parameters(type_)
    return known.get("patient") or known.get("subject")


@cache
def own_params(type_: str) -> frozenset[str]:
    """The reference parameters whose (first) patient is a column of the index and not a row of its own."""
    spec = _patient_spec(type_)
    return frozenset(
        n for n, p in parameters(type_).items() if p.type == "reference" and spec and p.paths == spec.paths
    )


@cache
def _plan(type_: str) -> Mapping[str, list[tuple[str, SearchParameter, Path]]]:
    """First key of a path → what to read there: term name, parameter, rest of the path.

    Only selective kinds of parameters get rows; a `combo-` one has those of its parts (`indexed_as`). Searches read
    the rest from the resource.
    """
    plan: dict[str, list[tuple[str, SearchParameter, Path]]] = {}
    for spec in parameters(type_).values():
        if is_indexed(spec):
            for path in spec.paths:
                first = path[0].partition("[")[0]
                rest = path if "[" in path[0] else path[1:]
                plan.setdefault(first, []).append((f"{type_}.{spec.name}", spec, rest))
    return plan


def is_indexed(spec: SearchParameter) -> bool:
    """Whether a parameter has rows of its own in the index."""
    if spec.name.startswith(("_", "combo-")) or any(path[-1].endswith("?") for path in spec.paths if path):
        return False
    return spec.type in ("token", "reference", "string", "date")


@cache
def indexed_as(type_: str, name: str) -> tuple[str, ...]:
    """The parameters whose rows together are those of the parameter: itself, or the parts of a `combo-` one.

    Empty where the index has no rows for it.
    """
    spec = parameters(type_)[name]
    if is_indexed(spec):
        return (name,)
    if not name.startswith("combo-"):
        return ()
    parts = [
        p for p in parameters(type_).values() if is_indexed(p) and p.type == spec.type and {*p.paths} <= {*spec.paths}
    ]
    return tuple(p.name for p in parts) if {x for p in parts for x in p.paths} == {*spec.paths} else ()


def rows(resource: Mapping[str, Any], own: str | None) -> tuple[set[Term], set[Moment]]:
    """All terms and time ranges of one resource; its own patient is a column, not a term."""
    type_ = resource["resourceType"]
    plan, mine = _plan(type_), own_params(type_)
    terms: set[Term] = {(type_, "", "")}
    moments: set[Moment] = set()
    for key, value in resource.items():
        for param, spec, rest in plan.get(key, ()):
            if rest:
                values: Iterable[Any] = walk(resource if rest[0].startswith(f"{key}[") else value, (rest,))
            else:
                values = value if isinstance(value, list) else (value,)
            if spec.type == "token":
                _add_tokens(terms, param, values)
            elif spec.type == "reference":
                _add_references(terms, param, values, f"Patient/{own}" if spec.name in mine else "")
            elif spec.type == "date":
                moments.update([(param, low, high) for v in values for low, high in ranges(v)])
            else:
                terms.update([(param, fold(text), "") for v in values for text in strings(v)])
    return terms, moments


def _add_tokens(terms: set[Term], param: str, values: Iterable[Any]) -> None:
    for value in values:
        if isinstance(value, str):
            terms.add((param, value, ANY_SYSTEM))
            continue
        bare = ANY_SYSTEM if value is True or value is False else ""
        for system, code in tokens(value):
            terms.add((param, code, system or bare))


def _add_references(terms: set[Term], param: str, values: Iterable[Any], own: str) -> None:
    for value in values:
        text = literal(value)
        if text and text != own:
            terms.add((param, text, ""))
            if "|" in text:  # a canonical is found with and without its version
                terms.add((param, text.partition("|")[0], ""))
        elif text is None and inner(value):
            terms.add((param, INNER, ""))


class Indexer:
    """Writes index rows in batches. Numbers of terms and patients are remembered up to a bound."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.forget()

    def forget(self) -> None:
        """Drop what is buffered and remembered: after a rollback, numbers may no longer stand for anything."""
        self._postings: list[tuple[int, int, int]] = []
        self._moments: list[tuple[int, int, int, int, int]] = []
        self._numbers: dict[Term, int] = {}
        self._patients: dict[str, int] = {}

    def patient(self, id_: str | None) -> int:
        """The number of a patient id, given one if it has none yet; 0 for no patient."""
        if id_ is None:
            return 0
        number = self._patients.get(id_)
        if number is None:
            self._db.execute("INSERT OR IGNORE INTO patient (id) VALUES (?)", (id_,))
            number = self._db.execute("SELECT number FROM patient WHERE id = ?", (id_,)).fetchone()[0]
            if len(self._patients) >= _CACHE:
                self._patients.clear()
            self._patients[id_] = number
        return number

    def term(self, term: Term) -> int:
        """The number of a term, given one if it has none yet."""
        number = self._numbers.get(term)
        if number is None:
            sql = "INSERT OR IGNORE INTO term (param, code, system) VALUES (?, ?, ?)"
            done = self._db.execute(sql, term)
            number = int(done.lastrowid or 0)
            if not done.rowcount:
                sql = "SELECT number FROM term WHERE param = ? AND code = ? AND system = ?"
                number = int(self._db.execute(sql, term).fetchone()[0])
            if len(self._numbers) >= _CACHE:
                self._numbers.clear()
            self._numbers[term] = number
        return number

    def add(self, key: int, patient: int, own: str | None, resource: Mapping[str, Any]) -> None:
        """Make the rows of a resource whose patient has a number and an id (`own`); `flush` writes them."""
        terms, moments = self._numbered(key, patient, own, resource)
        self._postings += terms
        self._moments += moments
        if len(self._postings) > 20_000:
            self.flush()

    def remove(self, key: int, patient: int, resource: Mapping[str, Any]) -> None:
        """Take out the rows that `add` made of the same resource."""
        self.flush()
        terms, moments = self._numbered(key, patient, patient_of(resource), resource)
        self._db.executemany("DELETE FROM posting WHERE term = ? AND patient = ? AND key = ?", terms)
        sql = "DELETE FROM moment WHERE term = ? AND patient = ? AND low = ? AND high = ? AND key = ?"
        self._db.executemany(sql, moments)

    def flush(self) -> None:
        """Write what is buffered, sorted: neighbouring rows share a page."""
        if self._postings:
            self._postings.sort()
            self._moments.sort()
            self._db.executemany("INSERT OR IGNORE INTO posting VALUES (?, ?, ?)", self._postings)
            self._db.executemany("INSERT OR IGNORE INTO moment VALUES (?, ?, ?, ?, ?)", self._moments)
            self._postings, self._moments = [], []

    def _numbered(
        self, key: int, patient: int, own: str | None, resource: Mapping[str, Any]
    ) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int, int, int]]]:
        terms, moments = rows(resource, own)
        number = self.term
        return (
            [(number(t), patient, key) for t in terms],
            [(number((param, "", "")), patient, low, high, key) for param, low, high in moments],
        )
