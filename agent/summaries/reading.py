"""What a summary reads from the chart: few and newest records by search, never the whole of a large chart."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from agent.chart import Chart
from fhir_tools import compute, dates, following, medications
from fhir_tools.cards import Marks
from fhir_tools.catalogue import CatalogueEntry
from fhir_tools.facts import facts_of
from fhir_tools.records import usable
from fhir_tools.types import Concept, Fact, Interval, Kind, Mark, Query, Reference, Search

__all__ = ["DATED", "Reader"]

DATED = {
    "Observation": "date",
    "Encounter": "date",
    "Procedure": "date",
    "Immunization": "date",
    "DiagnosticReport": "date",
    "ImagingStudy": "started",
    "MedicationRequest": "authoredon",
    "MedicationStatement": "effective",
}
"""The search parameter of each type's clinical time (R4 search parameter registry)."""

_AT_ONCE = 50


class Reader:
    """Reads facts of one chart for one summary; keeps the marks it gives out and every search as proof."""

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        self.marks = Marks()
        self.searched: dict[str, Search] = {}
        self.end = dates.end_of_day(chart.as_of)

    def query(self, type_: str, *params: tuple[str, str]) -> Query:
        return Query(type=type_, params=(("patient", str(self.chart.patient)), *params))

    async def read(self, kind: Kind, query: Query) -> tuple[Fact, ...]:
        """The facts of a kind that a search finds, oldest first: none dated after as_of, no parts of panels."""
        include = following.INCLUDES.get(query.type)
        result = await self.chart.search(replace(query, params=(*query.params, include)) if include else query)
        found = result.total if result.total is not None else len(result.matches)
        facts = [f for r in result.matches for f in facts_of(r) if f.kind == kind and "panel" not in f.details]
        facts = [f for f in facts if not self.later(f)]
        drugs = await following.read_drugs(self.chart.source, facts, result.included)
        error = result.error or drugs.error
        complete = result.complete and not drugs.error
        self.searched[str(query)] = Search(query=str(query), found=found, complete=complete, error=error)
        return compute.in_order(tuple(self._as_known(following.named(f, drugs)) for f in facts))

    def later(self, fact: Fact) -> bool:
        return bool(fact.when and fact.when.low and fact.when.low >= self.end)

    def _as_known(self, fact: Fact) -> Fact:
        """The fact without what is dated after as_of: an end that had not come yet, and the status it brought."""
        details = {k: v for k, v in fact.details.items() if k == "ends" or not self._ahead(v)}
        ended = "abatement" in fact.details and "abatement" not in details
        if ended:
            details.pop("clinical", None)
        when = fact.when
        if when and when.high and when.high > self.end and fact.kind == "encounter":
            when = replace(when, high=None)
        return replace(fact, details=details, when=when, status="" if ended else fact.status)

    def _ahead(self, value: object) -> bool:
        return isinstance(value, Interval) and bool(value.low and value.low >= self.end)

    def newest(self, type_: str, count: int, *params: tuple[str, str], since: date | None = None) -> Query:
        """A search for the newest records up to as_of."""
        name = DATED[type_]
        window = [(name, f"ge{since.isoformat()}")] if since else []
        window.append((name, f"le{self.chart.as_of.isoformat()}"))
        return self.query(type_, *params, *window, ("_sort", f"-{name}"), ("_count", str(count)))

    def found(self, query: Query) -> int:
        return self.searched[str(query)].found

    def proof(self, *queries: Query) -> tuple[Mark, ...]:
        """Marks of searches that were run."""
        return tuple(self.marks.searched(self.searched[str(q)]) for q in queries)

    def faults(self, *queries: Query) -> tuple[str, ...]:
        """Why searches were cut short."""
        rows = (self.searched[str(q)] for q in queries)
        return tuple(dict.fromkeys(row.error or "cut short" for row in rows if not row.complete))

    async def entry(self, entry: CatalogueEntry, count: int) -> tuple[Fact, ...]:
        """The newest measurements of one catalogue concept, oldest first."""
        coding = next(iter(entry.concept.codings), None)
        if coding is None:
            query = self.newest("Observation", count, ("code:text", entry.concept.label))
        else:
            value = f"{coding.system}|{coding.code}" if coding.system else coding.code
            query = self.newest("Observation", count, ("code", value))
        found = await self.read(entry.kind, query)
        return tuple(f for f in usable(found) if f.concept.key == entry.key)

    async def judged(self, facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
        """Medication facts with what is known of their being taken; the stays of inpatient orders are read for it."""
        links = {f.encounter for f in facts if f.encounter and "inpatient" in f.details.get("category", ())}
        ids = sorted(link.id for link in links)
        stays: list[Fact] = []
        for at in range(0, len(ids), _AT_ONCE):
            stays += await self.read("encounter", self.query("Encounter", ("_id", ",".join(ids[at : at + _AT_ONCE]))))
        return medications.judged(facts, {f.reference: f for f in stays}, self.chart.as_of)

    async def reasoned(self, facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
        """The facts with their reasons named, where a reason is a Condition of the chart."""
        ids = sorted({r.id for f in facts for r in f.details.get("reason", ()) if _condition(r)})
        named: dict[Reference, Concept] = {}
        for at in range(0, len(ids), _AT_ONCE):
            query = self.query("Condition", ("_id", ",".join(ids[at : at + _AT_ONCE])))
            named |= {f.reference: f.concept for f in usable(await self.read("condition", query))}
        return tuple(replace(f, details={**f.details, "reason": _named_reasons(f, named)}) for f in facts)


def _condition(reason: object) -> bool:
    return isinstance(reason, Reference) and reason.type == "Condition"


def _named_reasons(fact: Fact, named: dict[Reference, Concept]) -> tuple[Concept, ...]:
    reasons = (named.get(r) if isinstance(r, Reference) else r for r in fact.details.get("reason", ()))
    return tuple({r.label.lower(): r for r in reasons if isinstance(r, Concept)}.values())
