"""Reading facts of the chart for one question, and keeping the rows of proof."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agent.chart import Chart
from agent.types import Absence, Evidence, Target
from fhir_tools import compute, dates, medications
from fhir_tools.cards import Marks
from fhir_tools.errors import SourceError
from fhir_tools.facts import KIND_TYPES, facts_of
from fhir_tools.following import INCLUDES, named, read_drugs
from fhir_tools.records import CODE_PARAMETER, MOST_CODES, by_ids, with_reasons
from fhir_tools.search.query import escape
from fhir_tools.types import Card, Fact, Kind, Mark, Query, Reference, Search, SearchResult

__all__ = ["Gather"]


class Gather:
    """Reads facts of the chart, once each, and keeps the rows of proof. One for each question, or part of one.

    `event` is the one that the question tells a time by.
    """

    def __init__(self, chart: Chart, after: Marks | None = None) -> None:
        self.chart = chart
        self.marks = Marks(after)
        self.event: Fact | None = None
        self.searched: dict[str, Search] = {row.query: row for row in chart.unread}
        self.cut: dict[str, SearchResult] = {}
        self.absent: list[Absence] = []
        self.warnings: list[str] = list(chart.warnings)
        self.search_marks: dict[str, Mark] = {}
        self.by_code: list[Mapping[str, Any]] = []
        self.end = dates.end_of_day(chart.as_of)

    def evidence(self, cards: tuple[Card, ...]) -> Evidence:
        """What was found for the question: the cards with their marks as they are now, and every search."""
        whole = all(s.complete for s in self.searched.values())
        fresh = tuple(replace(c, marks=self.marks.of(m.id for m in c.marks), complete=whole) for c in cards)
        return Evidence(
            cards=fresh,
            searched=tuple(self.searched.values()),
            absent=tuple(self.absent),
            search_marks=tuple(self.search_marks.values()),
            catalogue=_catalogue_line(self.chart),
            warnings=tuple(dict.fromkeys((*self.warnings, *(w for s in self.searched.values() for w in s.limits)))),
        )

    async def search(self, query: Query) -> SearchResult:
        """The search's result; the row of proof is kept, of a search that was cut short as well.

        One that was cut short is not sent again for this question: cards that were made of its part would stand beside
        a row that says all was read.
        """
        name = str(query)
        result = self.cut.get(name) or await self._sent(query)
        result = self.cut.get(name, result)
        if not result.complete:
            self.cut[name] = result
        found = result.total if result.total is not None else len(result.matches)
        self.searched[name] = Search(
            query=name, found=found, complete=result.complete, error=result.error, limits=result.limits
        )
        return result

    async def _sent(self, query: Query) -> SearchResult:
        try:
            return await self.chart.search(query)
        except SourceError as error:
            return SearchResult(query=query, complete=False, error=str(error) or type(error).__name__)

    def rely(self, *kinds: Kind) -> None:
        """Note what was not read of the catalogue's entries of these kinds (of all): the answer depends on it."""
        for row in self.chart.catalogue.unread(*kinds):
            self.searched.setdefault(row.query, row)

    def rest_on(self, *kinds: Kind) -> None:
        """Note what was not read, or cannot be, of the kinds that the answer itself is about."""
        self.rely(*kinds)
        for kind in self.chart.waiting.intersection(kinds):
            self.unread(self.query(KIND_TYPES[kind][0]), "it was not asked for; ask again")
        for kind in kinds:
            if self.chart.catalogue.missing.issuperset(KIND_TYPES[kind]):
                names = " and ".join(KIND_TYPES[kind])
                self.unread(self.query(names), f"this server does not offer {names}")

    def unread(self, query: Query, error: str | None) -> None:
        """Note what could not be read, and why."""
        self.searched[str(query)] = Search(query=str(query), found=0, complete=False, error=error)

    async def proofs(self, queries: Iterable[Query]) -> tuple[str, ...]:
        """Run searches for their own sake, side by side, and give the ids of their marks."""
        asked = tuple(queries)
        found = await asyncio.gather(*map(self.search, asked))
        self.by_code = [r for result in found for r in result.matches]
        names = list(map(str, asked))
        for name in names:
            if name not in self.search_marks:
                self.search_marks[name] = self.marks.searched(self.searched[name])
        return tuple(self.search_marks[name].id for name in names)

    async def absence(self, target: Target, window: str = "", near: tuple[str, ...] = ()) -> None:
        """Note that the chart does not hold the target (in the window), with the searches that show it."""
        # of a result the analyte's own records decide; other names can stand in several kinds of record
        kinds = target.kinds[:1] if target.kinds[:1] == ("measurement",) else target.kinds
        ids = await self._prove(replace(target, kinds=kinds))
        opaque = sum(len(self.chart.matcher.opaque(k)) for k in target.kinds[:1])
        # known to the chart, and not in the window: its own kinds decide; else it could be under any name anywhere
        self.rest_on(*kinds)
        if not (target.keys and window):
            self.rely()
        # What a server leaves out of such a search could be it: one by code, without limits, proves that it is not.
        limited = any(m.search.limits for m in self.search_marks.values() if m.search and m.id in ids)
        unlisted = not target.keys and any(map(self._holds, self.by_code))
        if unlisted:
            self.warnings.append(
                f"a search by code finds records of {target.label} that the server's lists do not show"
            )
        complete = not (limited or unlisted) and all(s.complete for s in self.searched.values())
        self.absent.append(
            Absence(
                label=target.label,
                kinds=kinds,
                searched=ids,
                window=window,
                opaque=opaque,
                near=near,
                complete=complete,
            )
        )

    async def _prove(self, target: Target) -> tuple[str, ...]:
        """By the lexicon's codes where it has them, else by the number of records that were looked through."""
        queries = []
        for name in dict.fromkeys(t for k in target.kinds for t in KIND_TYPES[k]):
            known = [self.chart.matcher.lexicon.by_id(kind, i) for kind, i in target.lexicon]
            codes = [f"{system}|{code}" for e in known if e for system, code in e.codes]
            if name in self.chart.catalogue.missing:
                continue
            if name == "Observation" and codes:
                queries.append(self.query(name, ("combo-code", ",".join(codes[:MOST_CODES]))))
            elif name != "Patient":
                queries.append(self.query(name, ("_summary", "count")))
        return await self.proofs(queries)

    def _holds(self, resource: Mapping[str, Any]) -> bool:
        """Whether it says something as a fact, by the day of the question."""
        return any(f.standing == "fact" and not self.later(f) for f in facts_of(resource))

    def query(self, kind: str, *params: tuple[str, str]) -> Query:
        """A search of one type for this patient."""
        patient = ("_id", self.chart.patient.id) if kind == "Patient" else ("patient", str(self.chart.patient))
        return Query(type=kind, params=(patient, *params))

    async def results(self, categories: Collection[str]) -> tuple[Fact, ...]:
        """The measurements of some categories (all without one) up to as_of, oldest first.

        Results that name no category could be of any, so they come along.
        """
        narrow = (("category", ",".join(sorted(categories))), ("category:missing", "true")) if categories else ()
        queries = [self.query("Observation", p) for p in narrow] or [self.query("Observation")]
        results = await asyncio.gather(*map(self.search, queries))
        self.rest_on("measurement")
        facts = [f for result in results for stated in self.chart.stated(result) for f in stated]
        return compute.in_order(tuple(f for f in facts if f.kind == "measurement" and not self.later(f)))

    async def facts(self, kind: Kind, keys: Sequence[str] = (), *, ahead: bool = False) -> tuple[Fact, ...]:
        """The facts of a kind (under some concept keys) up to as_of, of every standing, oldest first.

        `ahead`: those that begin after it as well.
        """
        self.rest_on(kind)
        entries = [e for e in self.chart.catalogue.of(kind) if not keys or e.key in keys]
        types = [t for t in KIND_TYPES[kind] if any(t in e.types for e in entries)]
        queries = [q for t in types for q in self._queries(t, [e for e in entries if t in e.types], bool(keys))]
        results = await asyncio.gather(*map(self.search, queries))
        found = await self._named(self._once(results, kind), [r for result in results for r in result.included])
        wanted = tuple(f for f in found if (not keys or f.concept.key in keys) and (ahead or not self.later(f)))
        return compute.in_order(await self._completed(wanted))

    def _queries(self, name: str, entries: Sequence[Any], narrow: bool) -> tuple[Query, ...]:
        """The searches that bring the records of some concepts, or of all."""
        include = (INCLUDES[name],) if name in INCLUDES and self._may_link(name) else ()
        codings = [c for e in entries for c in e.concept.codings[:1]]
        if not narrow or name not in CODE_PARAMETER or len(codings) < len(entries) or len(codings) > MOST_CODES:
            return (self.query(name, *include),)
        tokens = [f"{escape(c.system)}|{escape(c.code)}" if c.system else escape(c.code) for c in codings]
        focus = self.chart.focus
        if focus and name == "Observation" and set(tokens) <= set(focus.own):
            return (focus.query(self.chart.patient),)  # was read with the catalogue
        coded = self.query(name, (CODE_PARAMETER[name], ",".join(tokens)))
        if not include:
            return (coded,)
        # `code` is of the record's own CodeableConcept: a drug named by reference or contained is not found by it (R4)
        if self.chart.catalogue.linked is not None:
            return (self.query(name, *include),)
        return coded, self.query(name, ("medication:missing", "false"), *include)

    def _may_link(self, name: str) -> bool:
        """Whether some records of the type may name their drug by reference."""
        linked = self.chart.catalogue.linked
        return linked is None or name in linked

    def later(self, fact: Fact) -> bool:
        """Whether it begins after the day of the question; it is neither shown nor counted then."""
        return bool(fact.when and fact.when.low and fact.when.low >= self.end)

    async def _named(self, facts: Sequence[Fact], included: Iterable[Mapping[str, Any]]) -> list[Fact]:
        """Drugs known only by their Medication get its name; one that could not be read is noted."""
        drugs = await read_drugs(self.chart.source, facts, included)
        if drugs.error:
            self.unread(Query(type="Medication"), drugs.error)
        return [named(f, drugs) for f in facts]

    async def _completed(self, facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
        """The facts with what the records say that they refer to: drugs judged by their stays, reasons named."""
        stays = {
            f.encounter
            for f in facts
            if f.kind == "medication" and f.encounter and "inpatient" in f.details.get("category", ())
        }
        reasons = {r for f in facts for r in f.details.get("reason", ()) if isinstance(r, Reference)}
        linked = await self._linked(stays | reasons)
        if facts and facts[0].kind == "medication":
            facts = medications.judged(facts, linked, self.chart.as_of)
        return tuple(with_reasons(f, linked) for f in facts) if reasons else facts

    async def _linked(self, links: Collection[Reference]) -> dict[Reference, Fact]:
        """The first fact of each resource that is referred to, where the chart has it: many asked for at once."""
        queries = [self.query(name, ids) for name, ids in by_ids(links)]
        results = await asyncio.gather(*map(self.search, queries))
        return {f.reference: f for result in results for stated in self.chart.stated(result) for f in stated[:1]}

    def _once(self, results: Iterable[SearchResult], kind: Kind) -> list[Fact]:
        """The facts of a kind from several searches, each resource once."""
        found = {
            (r.get("resourceType"), r.get("id")): stated
            for result in results
            for r, stated in zip(result.matches, self.chart.stated(result), strict=True)
        }
        return [f for stated in found.values() for f in stated if f.kind == kind]


def _catalogue_line(chart: Chart) -> str:
    kinds: dict[str, int] = {}
    for entry in chart.catalogue.entries:
        if entry.kind != "patient" and entry.count:
            kinds[entry.kind] = kinds.get(entry.kind, 0) + 1
    told = "Also in the chart, concepts by kind: " + ", ".join(f"{k} {n}" for k, n in kinds.items())
    told += "; of the results, only those that may be what is asked about" if chart.focus else ""
    return told + (f"; not looked at: {', '.join(sorted(chart.waiting))}" if chart.waiting else "")
