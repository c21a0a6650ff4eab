"""The concept index of the charts: filled while loading, grouped on opening a chart without parsing it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson

from fhir_tools.facts import facts_of
from fhir_tools.search.elements import literal
from fhir_tools.types import Concept, Fact

__all__ = ["ConceptIndex"]

_CACHE = 20_000
_WIDTH = 26  # of an instant as text: YYYY-MM-DDTHH:MM:SS.ffffff, UTC, which sorts as it reads

Row = tuple[int, int, str, str | None, str, str, int, int]


class ConceptIndex:
    """Entries of `concept_entry`: one for each fact of each current resource."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.forget()

    def forget(self) -> None:
        """Drop what is buffered and remembered, after a rollback."""
        self._rows: list[Row] = []
        self._numbers: dict[tuple[str, Concept], int] = {}

    def add(self, key: int, patient: int, resource: Mapping[str, Any]) -> None:
        drug = literal(resource.get("medicationReference"))
        if drug:
            self._db.execute("INSERT OR IGNORE INTO follow VALUES (?, ?)", (drug, key))
            resource = self._followed(resource, drug)
        for part, fact in enumerate(facts_of(resource)):
            self._rows.append(self._row(key, patient, part, fact))
        if len(self._rows) > 5_000:
            self.flush()

    def remove(self, key: int, patient: int) -> None:
        self.flush()
        self._db.execute("DELETE FROM concept_entry WHERE patient = ? AND key = ?", (patient, key))

    def flush(self) -> None:
        if self._rows:
            columns = "patient, concept, standing, low, date, type, key, part"
            sql = f"INSERT OR REPLACE INTO concept_entry ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
            self._db.executemany(sql, self._rows)
            self._rows = []

    def followers(self, medication: str) -> list[tuple[int, int, bytes]]:
        """Key, patient and body of the resources that name `Medication/…` as their drug."""
        sql = "SELECT r.key, r.patient, r.body FROM follow f JOIN resource r USING (key) WHERE f.target = ?"
        return self._db.execute(sql + " AND r.deleted = 0", (medication,)).fetchall()

    def _followed(self, resource: Mapping[str, Any], drug: str) -> Mapping[str, Any]:
        """The resource as if it held the code of its Medication, where the store has that."""
        type_, _, id_ = drug.partition("/")
        sql = "SELECT body FROM resource WHERE type = ? AND id = ? AND deleted = 0"
        found = self._db.execute(sql, (type_, id_)).fetchone()
        code = orjson.loads(found[0]).get("code") if found else None
        if not code:
            return resource
        return {**{k: v for k, v in resource.items() if k != "medicationReference"}, "medicationCodeableConcept": code}

    def _row(self, key: int, patient: int, part: int, fact: Fact) -> Row:
        when = fact.when
        return (
            patient,
            self._concept(fact.kind, fact.concept),
            fact.standing,
            _instant(when.low) if when else None,
            when.text if when else "",
            fact.reference.type,
            key,
            part,
        )

    def _concept(self, kind: str, concept: Concept) -> int:
        number = self._numbers.get((kind, concept))
        if number is None:
            codings = orjson.dumps([[c.system, c.code, c.display] for c in concept.codings]).decode()
            row = (kind, concept.key, concept.label, codings)
            self._db.execute("INSERT OR IGNORE INTO concept (kind, key, label, codings) VALUES (?, ?, ?, ?)", row)
            sql = "SELECT number FROM concept WHERE kind = ? AND key = ? AND label = ? AND codings = ?"
            number = self._db.execute(sql, row).fetchone()[0]
            if len(self._numbers) >= _CACHE:
                self._numbers.clear()
            self._numbers[kind, concept] = number
        return number

    def catalogue(self, patient: int, as_of: date | None) -> list[list[Any]]:
        """Rows of the catalogue operation (see `fhir_tools.source`), in the order of kind and key.

        Entries that begin after the end of the `as_of` day (UTC) are left out; undated ones stay.
        """
        limit = f"{as_of + timedelta(days=1)}T" if as_of and as_of < date.max else "~"
        sql = """
            SELECT c.kind, c.key, c.label, c.codings, g.* FROM (
                SELECT concept, standing, type, count(*), min(low || date), max(low || date) FROM concept_entry
                WHERE patient = ? AND (low < ? OR low IS NULL) GROUP BY concept, standing, type) g
            JOIN concept c ON c.number = g.concept ORDER BY c.kind, c.key, g.concept"""
        groups: dict[tuple[str, str], _Group] = {}
        for kind, key, label, codings, _, standing, type_, count, first, last in self._db.execute(
            sql, (patient, limit)
        ):
            groups.setdefault((kind, key), _Group()).add(label, codings, standing, type_, count, first, last)
        return [[kind, key, *group.row()] for (kind, key), group in groups.items()]


class _Group:
    """What is said under one kind and key: labels and codings may differ from resource to resource."""

    def __init__(self) -> None:
        self.labels: Counter[str] = Counter()
        self.codings: dict[tuple[str | None, str], str | None] = {}
        self.standings: dict[str, tuple[int, str | None, str | None]] = {}
        self.types: dict[str, None] = {}

    def add(
        self, label: str, codings: str, standing: str, type_: str, count: int, first: str | None, last: str | None
    ) -> None:
        self.labels[label] += count
        for system, code, display in orjson.loads(codings):
            self.codings.setdefault((system, code), display)
        self.types[type_] = None
        n, low, high = self.standings.get(standing, (0, None, None))
        lows, highs = [x for x in (low, first) if x], [x for x in (high, last) if x]
        self.standings[standing] = (n + count, min(lows, default=None), max(highs, default=None))

    def row(self) -> list[Any]:
        labels = sorted(self.labels, key=lambda x: (-self.labels[x], x))
        standings = {
            name: [n, low and low[_WIDTH:], high and high[_WIDTH:]] for name, (n, low, high) in self.standings.items()
        }
        return [labels, [[*code, display] for code, display in self.codings.items()], standings, list(self.types)]


def _instant(when: datetime | None) -> str | None:
    if when is None:
        return None
    utc = when if when.tzinfo is UTC else when.astimezone(UTC)
    return utc.isoformat(timespec="microseconds")[:_WIDTH]
