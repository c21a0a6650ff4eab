"""Reading facts of one chart for one call of a tool, with the rows of proof.

The same as `agent.retrieve.gather` reads for a question: which search brings a concept's records, drugs named by their
Medication, courses judged by their stays, reasons named; nothing that begins after the day of the question.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from fhir_tools import compute, medications
from fhir_tools.errors import NeedError, SourceError
from fhir_tools.facts import KIND_TYPES, facts_of
from fhir_tools.following import INCLUDES, named, read_drugs
from fhir_tools.records import CODE_PARAMETER, MOST_CODES, by_ids, with_reasons
from fhir_tools.search.query import escape
from fhir_tools.tools.bench import ELSEWHERE, Bench
from fhir_tools.types import Fact, Kind, Query, Reference, Search, SearchResult

__all__ = ["Reader"]

Resource = Mapping[str, Any]


class Reader:
    """Reads facts of the chart and keeps the rows of proof. One for each call."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.rows: dict[str, Search] = {}
        self.warnings: list[str] = []

    @property
    def searched(self) -> tuple[Search, ...]:
        """Every search so far, and what could not be read."""
        return tuple(self.rows.values())

    @property
    def complete(self) -> bool:
        """Whether all that was asked for was read."""
        return all(row.complete for row in self.rows.values())

    async def search(self, query: Query) -> SearchResult:
        """The result, its row kept. A fault of the source is a search that is not complete, with its reason."""
        try:
            result = await self.bench.source.search(query)
        except SourceError as error:
            result = SearchResult(query=query, complete=False, error=str(error) or type(error).__name__)
        found = result.total if result.total is not None else len(result.matches)
        self.rows[str(query)] = Search(query=str(query), found=found, complete=result.complete, error=result.error)
        return result

    def unread(self, query: Query, error: str | None) -> None:
        """Note what could not be read, and why."""
        self.rows[str(query)] = Search(query=str(query), found=0, complete=False, error=error)

    def query(self, name: str, *params: tuple[str, str]) -> Query:
        """A search of one type for this patient."""
        whose = ("_id", self.bench.patient.id) if name == "Patient" else ("patient", str(self.bench.patient))
        return Query(type=name, params=(whose, *params))

    async def rest_on(self, *kinds: Kind) -> None:
        """Have the catalogue of the kinds; note what of it was not read, or cannot be."""
        await self.bench.grow(kinds)
        catalogue = self.bench.catalogue
        for row in catalogue.unread(*kinds):
            self.rows.setdefault(row.query, row)
        for kind in kinds:
            if catalogue.missing.issuperset(KIND_TYPES[kind]):
                names = " and ".join(KIND_TYPES[kind])
                self.unread(self.query(names), f"this server does not offer {names}")

    async def proofs(self, kinds: Sequence[Kind], classes: Iterable[tuple[str, str]]) -> tuple[Search, ...]:
        """Searches that show that a chart does not hold something: by its codes, else by what was looked through."""
        known = [self.bench.matcher.lexicon.by_id(*c) for c in classes]
        codes = [f"{system}|{code}" for e in known if e for system, code in e.codes]
        queries = []
        for name in dict.fromkeys(t for k in kinds for t in KIND_TYPES[k]):
            if name in self.bench.catalogue.missing or name == "Patient":
                continue
            coded = ("combo-code", ",".join(codes[:MOST_CODES]))
            queries.append(self.query(name, coded if name == "Observation" and codes else ("_summary", "count")))
        await asyncio.gather(*map(self.search, queries))
        return tuple(self.rows[str(q)] for q in queries)

    async def facts(self, kind: Kind, keys: Sequence[str] = ()) -> tuple[Fact, ...]:
        """The facts of a kind (under some concept keys) up to as_of, of every standing, oldest first."""
        await self.rest_on(kind)
        entries = [e for e in self.bench.catalogue.of(kind) if not keys or e.key in keys]
        types = [t for t in KIND_TYPES[kind] if any(t in e.types for e in entries)]
        queries = [q for t in types for q in self._queries(t, [e for e in entries if t in e.types], bool(keys))]
        results = await asyncio.gather(*map(self.search, queries))
        found = await self._named(results, kind)
        wanted = tuple(f for f in found if (not keys or f.concept.key in keys) and not self.later(f))
        return await self.completed(wanted)

    async def completed(self, facts: Sequence[Fact]) -> tuple[Fact, ...]:
        """The facts, oldest first, with what the records say that they refer to: drugs judged, reasons named."""
        drugs = tuple(f for f in facts if f.kind == "medication")
        stays = {f.encounter for f in drugs if f.encounter and "inpatient" in f.details.get("category", ())}
        reasons = {r for f in facts for r in f.details.get("reason", ()) if isinstance(r, Reference)}
        linked = {f.reference: f for f in await self.linked(stays | reasons)} if stays or reasons else {}
        told = (*medications.judged(drugs, linked, self.bench.as_of), *(f for f in facts if f.kind != "medication"))
        return compute.in_order(tuple(with_reasons(f, linked) for f in told))

    async def resource(self, reference: Reference) -> Resource | None:
        """One record of this chart; None where it could not be read. Raises NeedError for what is none of it.

        It is searched for among the patient's own, so another's is never asked for, and looks like one that is not.
        """
        result = await self.search(self.query(reference.type, ("_id", reference.id)))
        found = [r for r in result.matches if r.get("id") == reference.id]
        if not found and result.complete:
            raise NeedError(ELSEWHERE)
        if found and all(map(self.later, facts_of(found[0]))):
            raise NeedError(ELSEWHERE)
        return found[0] if found else None

    async def linked(self, links: Collection[Reference]) -> tuple[Fact, ...]:
        """The first fact of each record referred to that the chart has up to as_of, drugs named."""
        queries = [self.query(name, ids) for name, ids in by_ids(links)]
        results = await asyncio.gather(*map(self.search, queries))
        return await self.shown(r for result in results for r in result.matches)

    async def shown(self, resources: Iterable[Resource]) -> tuple[Fact, ...]:
        """The first fact of each resource once, up to as_of, oldest first, drugs named."""
        once = {(r.get("resourceType"), r.get("id")): r for r in resources}
        facts = [f for r in once.values() for f in facts_of(r)[:1] if not self.later(f)]
        drugs = await read_drugs(self.bench.source, facts, ())
        if drugs.error:
            self.unread(Query(type="Medication"), drugs.error)
        return compute.in_order(tuple(named(f, drugs) for f in facts))

    def later(self, fact: Fact) -> bool:
        """Whether it begins after the day of the question; it is neither shown nor counted then."""
        return bool(fact.when and fact.when.low and fact.when.low >= self.bench.end)

    def _queries(self, name: str, entries: Sequence[Any], narrow: bool) -> tuple[Query, ...]:
        linked = self.bench.catalogue.linked
        include = (INCLUDES[name],) if name in INCLUDES and (linked is None or name in linked) else ()
        codings = [c for e in entries for c in e.concept.codings[:1]]
        if not narrow or name not in CODE_PARAMETER or len(codings) < len(entries) or len(codings) > MOST_CODES:
            return (self.query(name, *include),)
        value = ",".join(f"{escape(c.system)}|{escape(c.code)}" if c.system else escape(c.code) for c in codings)
        if not include:
            return (self.query(name, (CODE_PARAMETER[name], value)),)
        # `code` is of the record's own CodeableConcept: a drug named by reference or contained is not found by it (R4)
        if linked is not None:
            return (self.query(name, *include),)
        coded = self.query(name, (CODE_PARAMETER[name], value))
        return coded, self.query(name, ("medication:missing", "false"), *include)

    async def _named(self, results: Sequence[SearchResult], kind: Kind) -> list[Fact]:
        once = {(r.get("resourceType"), r.get("id")): r for result in results for r in result.matches}
        facts = [f for r in once.values() for f in facts_of(r) if f.kind == kind]
        drugs = await read_drugs(self.bench.source, facts, [r for result in results for r in result.included])
        if drugs.error:
            self.unread(Query(type="Medication"), drugs.error)
        return [named(f, drugs) for f in facts]
