"""A chart's catalogue: for every kind and concept its label, codes, count, first and last date.

It is what questions are matched against, so that a wrongly remembered code cannot become "absent".
Facts dated after `as_of` are not in it. Concepts that stand only in entered-in-error, refuted,
cancelled or planned records are, with their standings, so that they can be told as what they are.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from fhir_tools import dates
from fhir_tools.facts import CATALOGUE_ELEMENTS, KIND_TYPES, facts_of, is_enough
from fhir_tools.focus import Focus
from fhir_tools.following import INCLUDES, named, read_drugs
from fhir_tools.search.match import tester
from fhir_tools.search.query import check
from fhir_tools.source import CATALOGUE_OPERATION, Source
from fhir_tools.types import Coding, Concept, Fact, Kind, Query, Reference, Search, SearchResult, Standing

__all__ = [
    "Catalogue",
    "CatalogueEntry",
    "Focused",
    "Part",
    "group_rows",
    "joined",
    "of_person",
    "read_catalogue",
    "read_focused",
    "read_type",
]

_AT_ONCE = 50
"""Ids in one search, so that its URL stays short."""

Row = Sequence[Any]

_Days = tuple[Annotated[int, Field(ge=0)], str | None, str | None]
_ROWS: TypeAdapter[Any] = TypeAdapter(
    list[
        tuple[
            Kind,
            str,
            Annotated[list[str], Field(min_length=1)],
            list[tuple[str | None, str, str | None]],
            dict[Standing, _Days],
            list[str],
        ]
    ],
    config=ConfigDict(strict=True),
)


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
    """The entries of one chart as of a day. `searched` says how it was read, and whether all of it was.

    `linked` are the types in which some record names its drug by reference, None where the source's own catalogue
    does not say; `missing` are the types that the source does not offer.
    """

    entries: tuple[CatalogueEntry, ...]
    searched: tuple[Search, ...] = ()
    by_key: Mapping[tuple[str, str], CatalogueEntry] = field(default_factory=dict, repr=False)
    linked: frozenset[str] | None = None
    missing: frozenset[str] = frozenset()

    def of(self, *kinds: str) -> tuple[CatalogueEntry, ...]:
        """The entries of these kinds, in catalogue order."""
        return tuple(e for e in self.entries if e.kind in kinds)

    def unread(self, *kinds: str) -> tuple[Search, ...]:
        """The searches that were cut short, of some kinds or of all."""
        types = {t for k in kinds for t in KIND_TYPES[k]}  # type: ignore[index]
        return tuple(s for s in self.searched if not s.complete and (not kinds or s.query.partition("?")[0] in types))

    def get(self, kind: str, key: str) -> CatalogueEntry | None:
        """The entry of a concept key (`Concept.key`); None where the chart has none."""
        return self.by_key.get((kind, key))


async def read_catalogue(
    source: Source, patient: Reference, as_of: date, kinds: Collection[str] = (), *, merged: bool = False
) -> Catalogue:
    """The catalogue of one chart: in one call where the source offers it, else by searching all kinds side by side.

    Without that call it holds nothing of the Patient (`of_person`), and of `kinds` alone where some are given.
    A `merged` patient is always searched, since the call is on one record, and so is one for whom the call brings
    no catalogue. Raises SourceError only where the call fails; a search that was cut short is told in `searched`.
    """
    capabilities = await source.capabilities()
    if not merged and CATALOGUE_OPERATION in (capabilities.get("operations") or ()):
        fetched = await source.fetch(f"{patient}/{CATALOGUE_OPERATION}?as_of={as_of.isoformat()}")
        rows = _rows_of(fetched.body)
        if rows:
            return from_rows(rows)
    offered = capabilities.get("search") or {}
    wanted = dict.fromkeys(t for k, types in KIND_TYPES.items() if not kinds or k in kinds for t in types)
    types = [t for t in wanted if t != "Patient" and (not offered or t in offered)]
    parts = await asyncio.gather(*(read_type(source, patient, t) for t in types))
    return from_rows(
        group_rows((f for p in parts for f in p.facts), as_of),
        tuple(p.search for p in parts),
        linked=frozenset(p.search.query.partition("?")[0] for p in parts if p.linked),
        missing=frozenset(t for t in wanted if offered and t not in offered and t != "Patient"),
    )


def _rows_of(body: bytes) -> Sequence[Row]:
    """The rows of an answer to the call; none where it is cut, empty or something else."""
    try:
        rows: Sequence[Row] = _ROWS.validate_json(body)
    except ValidationError:
        return ()
    return rows


def of_person(person: Mapping[str, Any], as_of: date) -> Catalogue:
    """The entries that the Patient resource makes."""
    return from_rows(group_rows(facts_of(person), as_of), linked=frozenset())


def joined(first: Catalogue, second: Catalogue) -> Catalogue:
    """Two catalogues of different kinds as one."""
    entries = tuple(sorted((*first.entries, *second.entries), key=lambda e: (e.kind, e.key)))
    return Catalogue(
        entries=entries,
        searched=(*first.searched, *second.searched),
        by_key={(e.kind, e.key): e for e in entries},
        linked=None if first.linked is None or second.linked is None else first.linked | second.linked,
        missing=first.missing | second.missing,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Focused:
    """The entries of results that may be one analyte, and its own results, whole."""

    catalogue: Catalogue
    own: SearchResult


async def read_focused(source: Source, patient: Reference, as_of: date, focus: Focus) -> Focused | None:
    """What a chart has that may be one analyte: its own results, and the outline of all but certain others'.

    `code:not` finds what does not have the code, also what has none at all (R4 3.1.1.4.10). A server that means
    something else is found out by counting: None then, and where anything was not read or changed meanwhile.
    """
    whose, apart = ("patient", str(patient)), ",".join(focus.apart)
    number = ("_summary", "count")
    asked = focus.query(patient)
    own, rest, every, left = await asyncio.gather(
        source.search(asked),
        read_type(source, patient, "Observation", ("code:not", apart)),
        source.search(Query(type="Observation", params=(whose, number))),
        source.search(Query(type="Observation", params=(whose, ("code", apart), number))),
    )
    if not all(x.complete for x in (own, rest.search, every, left)) or every.total is None or left.total is None:
        return None
    if every.total != left.total + rest.search.found or not _are_apart(asked, own, rest, focus):
        return None
    facts = {f"{r.get('resourceType')}/{r.get('id')}": facts_of(r) for r in own.matches}
    others = [f for f in rest.facts if str(f.reference) not in facts]
    rows = group_rows((*(f for found in facts.values() for f in found), *others), as_of)
    counted = (_row_of(every, every.total), _row_of(left, left.total))
    searched = (_row_of(own, len(own.matches)), rest.search, *counted)
    return Focused(catalogue=from_rows(rows, searched, linked=frozenset()), own=own)


def _are_apart(asked: Query, own: SearchResult, rest: Part, focus: Focus) -> bool:
    """Whether each of the two searches brought what it asks for."""
    meant = [tester(p) for p in check(asked)[0] if p.name == "combo-code"]
    named = ({f"{c.system}|{c.code}" for c in f.concept.codings} for f in rest.facts if ".component[" not in f.path)
    return all(test(r) for test in meant for r in own.matches) and all(map(frozenset(focus.apart).isdisjoint, named))


def _row_of(result: SearchResult, found: int) -> Search:
    return Search(
        query=str(result.query), found=found, complete=result.complete, error=result.error, limits=result.limits
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one type of resource adds. `linked`: some of its records name their drug by reference."""

    facts: tuple[Fact, ...]
    search: Search
    linked: bool = False


async def read_type(
    source: Source, patient: Reference, kind_type: str, *narrow: tuple[str, str], also: Sequence[str] = ()
) -> Part:
    """The facts of one type, from resources cut to what the catalogue needs; whole ones where that is too little.

    `also` are elements that are wanted beside those.
    """
    whose, elements = ("patient", str(patient)), (*CATALOGUE_ELEMENTS[kind_type], *also)
    include = (INCLUDES[kind_type],) if kind_type in INCLUDES else ()
    query = Query(type=kind_type, params=(whose, *narrow, ("_elements", ",".join(elements)), *include))
    cut = await source.search(query)
    read = {str(r.get("id")): facts_of(r) for r in cut.matches}
    again = [id_ for id_, r in ((str(r.get("id")), r) for r in cut.matches) if not is_enough(r, read[id_])]
    chunks = [again[i : i + _AT_ONCE] for i in range(0, len(again), _AT_ONCE)]
    whole = [Query(type=kind_type, params=(whose, ("_id", ",".join(ids)), *include)) for ids in chunks]
    more = await asyncio.gather(*(source.search(q) for q in whole))
    read |= {str(r.get("id")): facts_of(r) for result in more for r in result.matches}
    facts = tuple(f for found in read.values() for f in found)
    drugs = await read_drugs(source, facts, [r for result in (cut, *more) for r in result.included])
    faults = [result.error or "cut short" for result in (cut, *more) if not result.complete]
    error = next(iter(faults), drugs.error)
    return Part(
        facts=tuple(named(f, drugs) for f in facts),
        search=Search(query=str(query), found=len(cut.matches), complete=error is None, error=error, limits=cut.limits),
        linked=any("medicationReference" in r for r in cut.matches),
    )


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


def from_rows(
    rows: Iterable[Row],
    searched: tuple[Search, ...] = (),
    linked: frozenset[str] | None = None,
    missing: frozenset[str] = frozenset(),
) -> Catalogue:
    """Catalogue rows (see `group_rows`) → the catalogue."""
    entries = tuple(_entry(row) for row in rows)
    by_key: dict[tuple[str, str], CatalogueEntry] = {(e.kind, e.key): e for e in entries}
    return Catalogue(entries=entries, searched=searched, by_key=by_key, linked=linked, missing=missing)


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
