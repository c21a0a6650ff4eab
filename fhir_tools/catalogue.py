"""A chart's catalogue: for every kind and concept its label, codes, count, first and last date.

It is what questions are matched against, so that a wrongly remembered code cannot become "absent".
Facts dated after `as_of` are not in it. Concepts that stand only in entered-in-error, refuted,
cancelled or planned records are, with their standings, so that they can be told as what they are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import orjson

from fhir_tools import dates
from fhir_tools.facts import KIND_TYPES, facts_of
from fhir_tools.source import CATALOGUE_OPERATION, Source
from fhir_tools.types import Coding, Concept, Fact, Kind, Query, Reference, Search, Standing

__all__ = ["Catalogue", "CatalogueEntry", "group_rows", "read_catalogue"]

Row = Sequence[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry:
    """One concept of one kind. `labels` are all the chart's words for it, the most frequent first.

    `counts` has the number of facts by standing; `first` and `last` are of standing `fact`, as the chart writes them.
    """

    kind: Kind
    key: str
    concept: Concept
    counts: Mapping[Standing, int]
    labels: tuple[str, ...] = ()
    first: str | None = None
    last: str | None = None
    types: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many facts there are of standing `fact`."""
        return self.counts.get("fact", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The entries of one chart as of a day. `searched` says how it was read, and whether all of it was."""

    entries: tuple[CatalogueEntry, ...]
    searched: tuple[Search, ...] = ()
    by_key: Mapping[tuple[str, str], CatalogueEntry] = field(default_factory=dict, repr=False)

    def of(self, *kinds: str) -> tuple[CatalogueEntry, ...]:
        """The entries of these kinds, in catalogue order."""
        return tuple(e for e in self.entries if e.kind in kinds)

    def get(self, kind: str, key: str) -> CatalogueEntry | None:
        """The entry of a concept key (`Concept.key`); None where the chart has none."""
        return self.by_key.get((kind, key))


async def read_catalogue(source: Source, patient: Reference, as_of: date) -> Catalogue:
    """The catalogue of one chart: in one call where the source offers it, else by searching kind by kind.

    Raises SourceError; a search that was cut short is told in `searched`.
    """
    capabilities = await source.capabilities()
    if CATALOGUE_OPERATION in (capabilities.get("operations") or ()):
        fetched = await source.fetch(f"{patient}/{CATALOGUE_OPERATION}?as_of={as_of.isoformat()}")
        return from_rows(orjson.loads(fetched.body))
    facts: list[Fact] = []
    searched: list[Search] = []
    offered = capabilities.get("search") or {}
    for kind_type in dict.fromkeys(t for types in KIND_TYPES.values() for t in types if not offered or t in offered):
        name = "_id" if kind_type == "Patient" else "patient"
        query = Query(type=kind_type, params=((name, patient.id if kind_type == "Patient" else str(patient)),))
        result = await source.search(query)
        facts += [f for r in result.matches for f in facts_of(r)]
        found = len(result.matches)
        searched.append(Search(query=str(query), found=found, complete=result.complete, error=result.error))
    return from_rows(group_rows(facts, as_of), tuple(searched))


def group_rows(facts: Iterable[Fact], as_of: date) -> list[Row]:
    """Facts → rows of [kind, key, [label…], [[system, code, display]…], {standing: [n, first, last]}, [type…]]."""
    end = dates.end_of_day(as_of)
    groups: dict[tuple[str, str], list[Fact]] = defaultdict(list)
    for fact in facts:
        if not (fact.when and fact.when.low and fact.when.low >= end):
            groups[fact.kind, fact.concept.key].append(fact)
    return [_row(kind, key, group) for (kind, key), group in sorted(groups.items())]


def _row(kind: str, key: str, facts: list[Fact]) -> Row:
    numbers = Counter(f.concept.label for f in facts)
    labels = sorted(numbers, key=lambda x: (-numbers[x], x))
    codings: dict[tuple[str | None, str], Coding] = {}
    for coding in (c for f in facts for c in f.concept.codings):
        codings.setdefault((coding.system, coding.code), coding)
    standings: dict[str, list[Any]] = {}
    for standing in dict.fromkeys(f.standing for f in facts):
        starts = sorted((w.low, w.text) for f in facts if f.standing == standing and (w := f.when) and w.low)
        days = [text for _, text in starts]
        number = sum(f.standing == standing for f in facts)
        standings[standing] = [number, days[0] if days else None, days[-1] if days else None]
    types = list(dict.fromkeys(f.reference.type for f in facts))
    return [kind, key, labels, [[c.system, c.code, c.display] for c in codings.values()], standings, types]


def from_rows(rows: Iterable[Row], searched: tuple[Search, ...] = ()) -> Catalogue:
    """Catalogue rows (see `group_rows`) → the catalogue."""
    entries = tuple(_entry(row) for row in rows)
    return Catalogue(entries=entries, searched=searched, by_key={(e.kind, e.key): e for e in entries})


def _entry(row: Row) -> CatalogueEntry:
    kind, key, labels, codings, standings, types = row
    concept = Concept(label=labels[0], codings=tuple(Coding(system=s, code=c, display=d) for s, c, d in codings))
    _, first, last = standings.get("fact", (0, None, None))
    counts = {standing: numbers[0] for standing, numbers in standings.items()}
    return CatalogueEntry(
        kind=kind,
        key=key,
        concept=concept,
        labels=tuple(labels),
        counts=counts,
        first=first,
        last=last,
        types=tuple(types),
    )
