"""The tool `related`: what a record of the chart refers to, and what refers to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from fhir_tools import compute, wording
from fhir_tools.errors import NeedError, QueryError
from fhir_tools.facts import KIND_TYPES, facts_of
from fhir_tools.records import usable
from fhir_tools.scope import addresses
from fhir_tools.search.query import parameters
from fhir_tools.tools.arguments import Arguments
from fhir_tools.tools.bench import Bench
from fhir_tools.tools.ledger import Ledger
from fhir_tools.tools.notes import Record
from fhir_tools.tools.reading import Reader
from fhir_tools.tools.showing import bounded, many_card
from fhir_tools.tools.types import Found, Show, Tool
from fhir_tools.types import KINDS, Card, Fact, Kind, Reference, Search, SearchResult

__all__ = ["RELATED"]

Resource = Mapping[str, Any]
Bases = tuple[str, ...]

_NAMING = frozenset(("patient", "subject"))
_UNSEARCHED = {
    "Condition": ("MedicationRequest", "MedicationStatement", "MedicationAdministration"),
    "Observation": ("MedicationRequest",),
    "ImagingStudy": ("DiagnosticReport",),
    "Encounter": ("Immunization",),
}
"""Types that refer to a type by an element without a search parameter in R4 (reasonReference, imagingStudy …)."""
_CARD = 1000


class _Related(Arguments):
    record: Record
    kind: Kind | None = None


async def _related(bench: Bench, asked: _Related) -> Show:
    reference = bench.record(asked.record)
    reader = Reader(bench)
    await bench.grow((asked.kind,) if asked.kind else KINDS)
    resource = await reader.resource(reference)
    if resource is None:
        return lambda _: Found(lines=("the record could not be read now",), searched=reader.searched)
    facts = await reader.shown((resource,))
    if not facts:
        raise NeedError("nothing is known of that record; give the mark of another")
    bases = await _bases(bench)
    out, back = await asyncio.gather(
        _referred(reader, resource, bases), _referring(reader, reference, asked.kind, bases)
    )
    others = {f.reference: f for f in (*out, *back) if f.reference != reference}
    wanted = await reader.completed([f for f in others.values() if asked.kind in (None, f.kind)])
    whole = await _whole(reader, wanted)

    def show(marks: Ledger) -> Found:
        return _shown(reader, marks, facts[0], wanted, whole, asked.kind)

    return show


async def _bases(bench: Bench) -> tuple[str, ...]:
    """The server's own base, by which absolute references to it are known as its own."""
    base = (await bench.source.capabilities()).get("base")
    return (base,) if isinstance(base, str) and base else ()


async def _whole(reader: Reader, facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """All facts of the concepts that are told of: what is latest or only among these may not be so in the chart."""
    keys: dict[Kind, dict[str, None]] = {}
    for fact in facts:
        keys.setdefault(fact.kind, {})[fact.concept.key] = None
    parts = await asyncio.gather(*(reader.facts(kind, tuple(of)) for kind, of in keys.items()))
    return tuple(f for part in parts for f in usable(part))


def _shown(
    reader: Reader, marks: Ledger, record: Fact, others: Iterable[Fact], whole: Iterable[Fact], kind: Kind | None
) -> Found:
    found = usable(others)
    name = f"{wording.day_text(record.when)} {wording.label(record.concept)}"[:80]
    if not found:
        of_kind = f" of kind {kind}" if kind else ""
        line = f"no record{of_kind} refers to {name} or is referred to by it"
        return Found(lines=(line if reader.complete else f"{line}, as far as could be read",), searched=reader.searched)
    cards: list[Card] = []
    for each in (k for k in KINDS if any(f.kind == k for f in found)):
        own = tuple(f for f in found if f.kind == each)
        card = many_card(marks, own, title=f"{each} with {name}", names=(each,))
        every = {(f.reference, f.path): f for f in (*whole, *own) if f.kind == each}
        cards.append(bounded(replace(card, facts=compute.in_order(tuple(every.values()))), _CARD))
    return Found(cards=tuple(cards), searched=reader.searched, warnings=tuple(reader.warnings))


async def _referred(reader: Reader, resource: Resource, bases: Bases) -> tuple[Fact, ...]:
    """What the record refers to that is in the chart."""
    links, _ = addresses.links(resource, bases)
    return await reader.linked({Reference.parse(text) for text in links})


async def _referring(reader: Reader, reference: Reference, kind: Kind | None, bases: Bases) -> tuple[Fact, ...]:
    """What of the chart refers to the record: by R4 search parameters, and by its own words.

    A search that the server cannot run is noted: what it would have brought is not known.
    """
    held = {t for e in reader.bench.catalogue.entries for t in e.types if kind in (None, e.kind)}
    types = [t for t in dict.fromkeys(t for types in KIND_TYPES.values() for t in types) if t in held]
    searches = [_by_parameters(reader, t, reference, bases) for t in types]
    read = [_by_words(reader, t, reference, bases) for t in _UNSEARCHED.get(reference.type, ()) if t in held]
    found = await asyncio.gather(*searches, *read)
    return await reader.shown(r for part in found for r in part)


async def _by_parameters(reader: Reader, name: str, reference: Reference, bases: Bases) -> list[Resource]:
    specs = [
        spec.name
        for spec in parameters(name).values()
        if spec.type == "reference" and reference.type in spec.targets and spec.name not in _NAMING
    ]
    results = await asyncio.gather(*(_searched(reader, name, spec, reference) for spec in specs))
    return [r for result in results for r in result.matches if _refers(r, reference, bases)]


async def _searched(reader: Reader, name: str, parameter: str, reference: Reference) -> SearchResult:
    query = reader.query(name, (parameter, str(reference)))
    try:
        return await reader.search(query)
    except QueryError as error:
        reader.rows[str(query)] = Search(query=str(query), found=0, complete=False, error=str(error))
        return SearchResult(query=query, complete=False, error=str(error))


async def _by_words(reader: Reader, name: str, reference: Reference, bases: Bases) -> list[Resource]:
    result = await reader.search(reader.query(name))
    return [r for r in result.matches if _refers(r, reference, bases)]


def _refers(resource: Resource, reference: Reference, bases: Bases) -> bool:
    return bool(facts_of(resource)) and str(reference) in addresses.links(resource, bases)[0]


RELATED = Tool(
    name="related",
    description="What a record refers to and what refers to it: results of a report, contents of a stay, reasons.",
    arguments=_Related,
    reader=_related,
)
