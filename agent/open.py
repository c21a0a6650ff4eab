"""Stage open: the one patient's scoped source and the catalogue of the chart. No model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from agent.chart import RESULTS, Chart
from fhir_tools.catalogue import Catalogue, joined, of_person, read_catalogue, read_focused
from fhir_tools.codes import Matcher
from fhir_tools.errors import NotFound, UnknownPatient, UserError
from fhir_tools.facts import KIND_TYPES
from fhir_tools.focus import Focus
from fhir_tools.scope import Scoped
from fhir_tools.scope.aliases import Aliases, KnowsPatients, resolve_aliases
from fhir_tools.servers import Servers
from fhir_tools.source import CATALOGUE_OPERATION, Launched, Source
from fhir_tools.types import KINDS, Kind, Query, Reference, Search, SearchResult

__all__ = ["grown", "open_chart"]


async def open_chart(
    source: Source,
    patient: Reference,
    as_of: date,
    *,
    lazy: bool = False,
    keep: Callable[[Source], Source] | None = None,
) -> Chart:
    """Scope the source to the patient and read the catalogue. Raises UserError for a patient it does not have.

    A merged patient is one chart: all records that the server holds to be of one person are read. A `lazy` chart of
    a source that does not make the catalogue itself holds the Patient alone, and grows by what questions need. `keep`
    wraps the scoped source, for a record of what is asked of it and of what it refuses. Raises
    SourceError where the Patient, or a catalogue that the source itself makes, cannot be read.
    """
    _refuse_other(source, patient)
    reading = _Reading(source)
    scoped = _kept(Scoped(reading, patient), keep)
    # What the catalogue waits for comes first; then all that follows can go in one batch.
    can = await scoped.capabilities() if lazy else {}
    waits = lazy and CATALOGUE_OPERATION not in (can.get("operations") or ())
    first = asyncio.ensure_future(_nothing() if waits else read_catalogue(scoped, patient, as_of))
    try:
        found, person = await asyncio.gather(resolve_aliases(reading, patient), _person(scoped, patient))
        if not found.references:
            chart = _chart(scoped, found, person or await scoped.read(patient), await first, as_of, waits)
        else:
            first.cancel()
            scoped = _kept(Scoped(reading, patient, found.references, searched=found.searched), keep)
            catalogue = await (_nothing() if waits else read_catalogue(scoped, patient, as_of, merged=True))
            chart = _chart(scoped, found, await _surviving(scoped, found), catalogue, as_of, waits)
    except NotFound:
        told = f"no patient {patient.id!r} here: `chartline patients` lists those that are there"
        raise UnknownPatient(told) from None
    finally:
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
    chart = replace(chart, narrows=can.get("excludes") is True)
    return replace(chart, locate=source.located, inside=source.inside) if isinstance(source, Servers) else chart


def _refuse_other(source: Source, patient: Reference) -> None:
    """A server may not hold a token to the patient that it was given for."""
    own = source.launched_for if isinstance(source, Launched) else None
    if own and own != patient:
        raise UserError("the credentials were given for another patient: launch again for this one")


def _kept(source: Source, keep: Callable[[Source], Source] | None) -> Source:
    return keep(source) if keep else source


async def grown(chart: Chart, kinds: Collection[Kind], focus: Focus | None = None) -> Chart:
    """The chart with the entries of some more kinds; kinds that share a type of resource are read together.

    With a `focus`, of the results no more than may be that analyte, where the source lets others be left out: such a
    chart is for one question, and its `wider` one grows for the next.
    """
    chart = chart.wider or chart
    types = {t for k in kinds for t in KIND_TYPES[k]}
    wanted = frozenset(k for k in chart.waiting if types.intersection(KIND_TYPES[k]))
    if focus is None or not chart.narrows or not wanted.issuperset(RESULTS):
        return await _with(chart, wanted)
    wider, part = await asyncio.gather(
        _with(chart, wanted - RESULTS), read_focused(chart.source, chart.patient, chart.as_of, focus)
    )
    if part is None:
        return await _with(replace(wider, narrows=False), RESULTS)
    chart.found[str(focus.query(chart.patient))] = part.own
    catalogue = joined(wider.catalogue, part.catalogue)
    return replace(
        wider,
        catalogue=catalogue,
        matcher=Matcher(catalogue),
        waiting=wider.waiting - RESULTS,
        focus=focus,
        wider=wider,
    )


async def _with(chart: Chart, kinds: frozenset[Kind]) -> Chart:
    if not kinds:
        return chart
    more = await read_catalogue(chart.source, chart.patient, chart.as_of, kinds, merged=True)
    chart.found.update((str(r.query), r) for r in _counted(chart.patient, more))
    catalogue = joined(chart.catalogue, more)
    return replace(chart, catalogue=catalogue, matcher=Matcher(catalogue), waiting=chart.waiting - kinds)


def _counted(patient: Reference, catalogue: Catalogue) -> Iterator[SearchResult]:
    """How many records of a type there are, as the proof of an absence asks: what was read to its end is counted."""
    for row in catalogue.searched:
        if row.complete:
            type_ = row.query.partition("?")[0]
            query = Query(type=type_, params=(("patient", str(patient)), ("_summary", "count")))
            yield SearchResult(query=query, total=row.found, pages=0)


class _Reading:
    """The source of a chart that is being opened; a Patient is read once, by whoever asks first."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._people: dict[Reference, asyncio.Future[Mapping[str, Any]]] = {}
        self.search, self.fetch, self.capabilities = source.search, source.fetch, source.capabilities
        if isinstance(source, KnowsPatients):
            self.same_patient = source.same_patient

    async def read(self, reference: Reference, version: str | None = None) -> Mapping[str, Any]:
        """The resource; a Patient from memory. Raises what the source raises."""
        if reference.type != "Patient" or version:
            return await self._source.read(reference, version)
        if reference not in self._people:
            self._people[reference] = asyncio.ensure_future(self._source.read(reference))
        return await self._people[reference]


async def _nothing() -> Catalogue:
    return Catalogue(entries=(), linked=frozenset())


async def _person(scoped: Source, patient: Reference) -> Mapping[str, Any] | None:
    """The Patient; None where the server answers with another record, which may be the one it was merged into."""
    try:
        return await scoped.read(patient)
    except NotFound:
        return None


async def _surviving(scoped: Source, found: Aliases) -> Mapping[str, Any]:
    """The record that no other replaces (R4 Patient.link replaced-by), else the one that was asked for."""
    records = await asyncio.gather(*map(scoped.read, found.searched))
    current = [r for r in records if not any(link.get("type") == "replaced-by" for link in _links(r))]
    return (current or records)[0]


def _links(person: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    links = person.get("link")
    return [x for x in links if isinstance(x, dict)] if isinstance(links, list) else []


def _chart(
    scoped: Source, found: Aliases, person: Mapping[str, Any], catalogue: Catalogue, as_of: date, waits: bool
) -> Chart:
    if not catalogue.of("patient"):
        catalogue = joined(of_person(person, as_of), catalogue)
    merged = f"{len(found.references) + 1} records are of this patient; they are read as one chart"
    return Chart(
        source=scoped,
        patient=found.patient,
        as_of=as_of,
        catalogue=catalogue,
        matcher=Matcher(catalogue),
        person=person,
        warnings=(*((merged,) if found.references else ()), *found.warnings),
        waiting=frozenset(KINDS) - {"patient"} if waits else frozenset(),
        unread=tuple(Search(query=str(Query(type="Patient")), found=0, complete=False, error=e) for e in found.unread),
    )
