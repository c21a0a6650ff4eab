"""The sections about measurements: vital signs, and laboratory results with their course."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from agent.summaries import lines, plain
from agent.summaries.plots import plot_of
from agent.summaries.reading import Reader
from agent.summaries.sections import absent
from agent.summaries.types import Drafted, Note, Sketch
from agent.types import Claim
from fhir_tools import dates
from fhir_tools.cards import measurement_card
from fhir_tools.catalogue import CatalogueEntry
from fhir_tools.types import Card, Components, Fact, Quantity

__all__ = ["VITALS", "labs", "measured", "vitals"]

VITALS = (
    "85354-9", "55284-4", "8867-4", "9279-1", "8310-5", "59408-5", "2708-6", "29463-7", "3141-9", "8302-2", "39156-5",
    "9843-4", "8287-5", "59576-9", "8289-1", "77606-2", "72514-3",
)  # fmt: skip
"""LOINC codes of vital signs (R4 observation-vitalsigns and the US Core percentiles), in the order they are told."""

_PARTS = frozenset(("8480-6", "8462-4", "8478-0"))
_ORDER = (
    "4548-4", "2339-0", "2345-7", "718-7", "4544-3", "20570-8", "6690-2", "26464-8", "777-3", "26515-7",
    "2951-2", "2947-0", "2823-3", "6298-4", "2075-0", "2069-3", "2028-9", "1963-8", "20565-8", "3094-0",
    "6299-2", "2160-0", "38483-4", "33914-3", "62238-1", "98979-8", "14959-1", "9318-7", "17861-6", "49765-1",
    "2093-3", "2571-8", "18262-6", "13457-7", "2089-1", "2085-9", "1742-6", "1920-8", "6768-6", "1975-2",
    "1751-7", "3016-3", "6301-6", "34714-6", "33762-6", "30934-4", "10839-9", "6598-7", "1988-5", "2857-1",
)  # fmt: skip
"""LOINC codes of the commonest results in the order clinicians read them; others follow by date."""
_RANK = {code: at for at, code in enumerate(_ORDER)}
_COURSE = 40
_ENOUGH = 12


async def vitals(reader: Reader, count: int = _COURSE, everyday: bool = False) -> Sketch:
    """The newest of each vital sign."""
    entries = [e for e in reader.chart.catalogue.of("measurement") if e.count and _codes(e) & set(VITALS)]
    ordered = sorted(entries, key=lambda e: min(VITALS.index(c) for c in _codes(e) & set(VITALS)))
    made = await measured(reader, "Vital signs", ordered, count, everyday=everyday)
    if made.lines:
        return made
    query = reader.newest("Observation", 1, ("category", "vital-signs"))
    await reader.read("measurement", query)
    return replace(made, notes=(absent(reader, "Vital signs", query),))


async def labs(reader: Reader, limit: int, *, days: int = 365, count: int = _COURSE, everyday: bool = False) -> Sketch:
    """The newest result of each analyte of the last days, flagged as the chart flags it, with the one before."""
    since = dates.shift(reader.chart.as_of, days=-days)
    entries = [e for e in reader.chart.catalogue.of("measurement") if e.count and _lab(e) and _recent(e, since)]
    ordered = sorted(entries, key=lambda e: (_rank(e), _backwards(e.last), e.concept.label))
    title = "Test results" if everyday else f"Laboratory results since {since.isoformat()}"
    made = await measured(reader, title, ordered[:limit], count, everyday=everyday, only_labs=True)
    made = replace(made, hidden=made.hidden + max(0, len(ordered) - limit))
    if made.lines:
        return made
    query = reader.newest("Observation", 1, ("category", "laboratory"), since=since)
    await reader.read("measurement", query)
    return replace(made, notes=(*made.notes, absent(reader, f"Laboratory results since {since.isoformat()}", query)))


async def measured(
    reader: Reader,
    title: str,
    entries: Iterable[CatalogueEntry],
    count: int,
    *,
    everyday: bool = False,
    only_labs: bool = False,
) -> Sketch:
    """A line and a plot for each catalogue entry, from its newest `count` results."""
    cards: list[Card] = []
    told: list[Drafted] = []
    chosen = tuple(entries)
    found = await asyncio.gather(*(reader.entry(entry, count) for entry in chosen))
    for entry, facts in zip(chosen, found, strict=True):
        if not facts or (only_labs and not _is_lab(facts[-1])):
            continue
        names = (plain.lay(entry.concept),) if plain.lay(entry.concept) else ()
        window = f"newest {len(facts)} results" if len(facts) >= count else ""
        card = measurement_card(reader.marks, facts, window=window, names=names, each=len(facts) <= _ENOUGH)
        cards.append(card)
        told.append(_drafted(reader, card, facts, everyday, entry.count - len(facts) if window else 0))
    queries = [reader.searched[q] for q in reader.searched if q.startswith("Observation")]
    notes = tuple(
        Note(text=f"A search for results was cut short ({q.error or 'no reason given'}).")
        for q in queries
        if not q.complete
    )
    return Sketch(title=title, lines=tuple(told), cards=tuple(cards), notes=notes[:1])


def _drafted(reader: Reader, card: Card, facts: tuple[Fact, ...], everyday: bool, older: int) -> Drafted:
    text, used = lines.measured(facts)
    if everyday:
        text, used = plain.sentence(used[-1]), used[-1:]
    for fact in used:
        reader.marks.fact(fact)
    fresh = replace(card, marks=(*card.marks, *(reader.marks.fact(f) for f in used)))
    return Drafted(
        claim=Claim(text=text, marks=lines.marks_of(fresh, *used)),
        plot=plot_of(facts, older),
        flagged=bool(lines.flag_of(used[-1])),
    )


def _codes(entry: CatalogueEntry) -> set[str]:
    return {c.code for c in entry.concept.codings}


def _lab(entry: CatalogueEntry) -> bool:
    return not _codes(entry) & (set(VITALS) | _PARTS) and "Observation" in entry.types


def _is_lab(fact: Fact) -> bool:
    """By its category; a number without one counts as a result, a survey or an exam finding does not."""
    category = fact.details.get("category", ())
    if category:
        return "laboratory" in category
    return isinstance(fact.value, Quantity | Components)


def _recent(entry: CatalogueEntry, since: date) -> bool:
    return bool(entry.last and entry.last >= since.isoformat()[: len(entry.last)])


def _rank(entry: CatalogueEntry) -> int:
    return min((_RANK[c] for c in _codes(entry) if c in _RANK), default=len(_RANK))


def _backwards(day: str | None) -> int:
    return -int((day or "0").replace("-", "").ljust(8, "0"))
