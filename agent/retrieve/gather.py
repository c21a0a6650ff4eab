"""Reading facts of the chart for one question, and keeping the rows of proof."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from agent.chart import Chart
from agent.types import Absence, Evidence, Target
from fhir_tools import compute, dates, medications, wording
from fhir_tools.cards import Marks
from fhir_tools.dates import Window
from fhir_tools.errors import NotFound
from fhir_tools.facts import KIND_TYPES, facts_of
from fhir_tools.types import Card, Concept, Fact, Kind, Mark, Query, Reference, Search, SearchResult

__all__ = ["Gather", "grouped", "usable", "within"]

_CODE_PARAMETER = {
    "Observation": "combo-code",
    "Condition": "code",
    "MedicationRequest": "code",
    "MedicationStatement": "code",
    "MedicationAdministration": "code",
    "MedicationDispense": "code",
    "AllergyIntolerance": "code",
    "Immunization": "vaccine-code",
    "Procedure": "code",
    "DiagnosticReport": "code",
    "ServiceRequest": "code",
}
_MOST_CODES = 40


class Gather:
    """Reads facts of the chart, once each, and keeps the rows of proof. One for each question."""

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        self.marks = Marks()
        self.searched: dict[str, Search] = {}
        self.absent: list[Absence] = []
        self.warnings: list[str] = []
        self.search_marks: dict[str, Mark] = {}
        self.end = dates.end_of_day(chart.as_of)

    def evidence(self, cards: tuple[Card, ...]) -> Evidence:
        """What was found for the question: the cards with their marks as they are now, and every search."""
        fresh = tuple(replace(c, marks=self.marks.of(m.id for m in c.marks)) for c in cards)
        return Evidence(
            cards=fresh,
            searched=tuple(self.searched.values()),
            absent=tuple(self.absent),
            search_marks=tuple(self.search_marks.values()),
            catalogue=_catalogue_line(self.chart),
            warnings=tuple(dict.fromkeys(self.warnings)),
        )

    async def search(self, query: Query) -> SearchResult:
        """The search's result; the row of proof is kept, of a search that was cut short as well."""
        result = await self.chart.search(query)
        found = result.total if result.total is not None else len(result.matches)
        self.searched[str(query)] = Search(query=str(query), found=found, complete=result.complete, error=result.error)
        return result

    async def proof(self, query: Query) -> str:
        """Run a search for its own sake and give the id of its mark."""
        await self.search(query)
        name = str(query)
        if name not in self.search_marks:
            self.search_marks[name] = self.marks.searched(self.searched[name])
        return self.search_marks[name].id

    async def absence(self, target: Target, window: str = "", near: tuple[str, ...] = ()) -> None:
        """Note that the chart does not hold the target (in the window), with the searches that show it."""
        # of a result the analyte's own records decide; other names can stand in several kinds of record
        kinds = target.kinds[:1] if target.kinds[:1] == ("measurement",) else target.kinds
        ids = await self._prove(replace(target, kinds=kinds))
        opaque = sum(len(self.chart.matcher.opaque(k)) for k in target.kinds[:1])
        complete = all(s.complete for s in (*self.searched.values(), *self.chart.catalogue.searched))
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
        ids = []
        for name in dict.fromkeys(t for k in target.kinds for t in KIND_TYPES[k]):
            known = [self.chart.matcher.lexicon.by_id(kind, i) for kind, i in target.lexicon]
            codes = [f"{system}|{code}" for e in known if e for system, code in e.codes]
            if name == "Observation" and codes:
                ids.append(await self.proof(self.query(name, ("combo-code", ",".join(codes[:_MOST_CODES])))))
            elif name != "Patient":
                ids.append(await self.proof(self.query(name, ("_summary", "count"))))
        return tuple(ids)

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
        facts = [f for q in queries for r in (await self.search(q)).matches for f in facts_of(r)]
        return compute.in_order(tuple(f for f in facts if f.kind == "measurement" and not self.later(f)))

    async def facts(self, kind: Kind, keys: Sequence[str] = ()) -> tuple[Fact, ...]:
        """The facts of a kind (under some concept keys) up to as_of, of every standing, oldest first."""
        entries = [e for e in self.chart.catalogue.of(kind) if not keys or e.key in keys]
        types = [t for t in KIND_TYPES[kind] if any(t in e.types for e in entries)]
        found: list[Fact] = []
        for name in types:
            result = await self.search(self._narrowed(name, kind, [e for e in entries if name in e.types], bool(keys)))
            found += [f for r in result.matches for f in facts_of(r) if f.kind == kind]
        found = [await self._named(f) for f in found]
        wanted = [f for f in found if (not keys or f.concept.key in keys) and not self.later(f)]
        if kind == "medication":
            wanted = list(await self._judged(tuple(wanted)))
        return compute.in_order(tuple(await self._with_reasons(wanted)))

    def _narrowed(self, name: str, kind: Kind, entries: Sequence[Any], narrow: bool) -> Query:
        codings = [c for e in entries for c in e.concept.codings[:1]]
        if not narrow or name not in _CODE_PARAMETER or len(codings) < len(entries) or len(codings) > _MOST_CODES:
            return self.query(name)
        value = ",".join(f"{c.system or ''}|{c.code}" if c.system else c.code for c in codings)
        return self.query(name, (_CODE_PARAMETER[name], value))

    def later(self, fact: Fact) -> bool:
        """Whether it begins after the day of the question; it is neither shown nor counted then."""
        return bool(fact.when and fact.when.low and fact.when.low >= self.end)

    async def _named(self, fact: Fact) -> Fact:
        """A drug known only by its Medication resource gets that resource's name."""
        link = fact.details.get("medication")
        if not isinstance(link, Reference) or fact.concept.codings:
            return fact
        try:
            medication = await self.chart.source.read(link)
        except NotFound:
            return fact
        named = facts_of(
            {"resourceType": "MedicationRequest", "id": "x", "medicationCodeableConcept": medication.get("code")}
        )
        return replace(fact, concept=named[0].concept) if medication.get("code") else fact

    async def _judged(self, facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
        stays: dict[Reference, Fact] = {}
        if any("inpatient" in f.details.get("category", ()) for f in facts):
            result = await self.search(self.query("Encounter"))
            stays = {f.reference: f for r in result.matches for f in facts_of(r)}
        return medications.judged(facts, stays, self.chart.as_of)

    async def _with_reasons(self, facts: list[Fact]) -> list[Fact]:
        links = {r for f in facts for r in f.details.get("reason", ()) if isinstance(r, Reference)}
        if not links:
            return facts
        named: dict[Reference, Concept] = {}
        for kind in sorted({r.type for r in links}):
            result = await self.search(self.query(kind))
            named |= {f.reference: f.concept for r in result.matches for f in facts_of(r)[:1]}
        out = []
        for fact in facts:
            reasons = [named.get(r, r) if isinstance(r, Reference) else r for r in fact.details.get("reason", ())]
            known = {x.label.lower(): x for x in reasons if isinstance(x, Concept)}
            out.append(replace(fact, details={**fact.details, "reason": tuple(known.values())}) if reasons else fact)
        return out


def _catalogue_line(chart: Chart) -> str:
    kinds: dict[str, int] = {}
    for entry in chart.catalogue.entries:
        if entry.kind != "patient" and entry.count:
            kinds[entry.kind] = kinds.get(entry.kind, 0) + 1
    return "Also in the chart, concepts by kind: " + ", ".join(f"{k} {n}" for k, n in kinds.items())


def usable(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Those that are facts: not in error, refuted, planned, cancelled, not done or unconfirmed."""
    return tuple(f for f in facts if f.standing == "fact")


def within(facts: Iterable[Fact], window: Window | None) -> tuple[Fact, ...]:
    """Those that begin in the window; undated ones are in none."""
    return tuple(f for f in facts if window is None or (f.when is not None and window.starts_in(f.when)))


def grouped(facts: tuple[Fact, ...]) -> tuple[tuple[Fact, ...], ...]:
    """The facts by what they are about (and in a family by whom), in order of first appearance."""
    groups: dict[tuple[str, str], list[Fact]] = {}
    for fact in facts:
        relation = fact.details.get("relationship")
        whose = relation.label if isinstance(relation, Concept) else ""
        groups.setdefault((wording.label(fact.concept).lower(), whose), []).append(fact)
    return tuple(tuple(g) for g in groups.values())
