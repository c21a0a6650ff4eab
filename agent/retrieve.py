"""Stage retrieve: what was understood → searches → facts → cards with marks. No model.

Each target gets one card (or an `Absence` with the searches that prove it), the event of an anchor gets one,
and the closest other things get one that is told apart (`also`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from agent.chart import Chart
from agent.types import Absence, Anchor, Ask, Evidence, Target
from fhir_tools import compute, dates, medications, wording
from fhir_tools.cards import Marks, event_card, list_card, measurement_card
from fhir_tools.dates import Window
from fhir_tools.documents import Document, find, read_document
from fhir_tools.errors import NotFound
from fhir_tools.facts import KIND_TYPES, facts_of
from fhir_tools.types import Card, Concept, Fact, Kind, Mark, Missing, Quantity, Query, Reference, Search, SearchResult

__all__ = ["Gather", "retrieve"]

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
_LISTABLE: tuple[Kind, ...] = ("condition", "medication", "allergy", "immunization", "procedure", "imaging", "report", "family", "careplan", "goal", "device", "order", "social")


async def retrieve(chart: Chart, ask: Ask) -> Evidence:
    """The evidence for one question. Raises SourceError when the source fails before anything was read."""
    gather = Gather(chart)
    if ask.unknown or any(t.choices for t in ask.targets):
        return gather.evidence(())
    if ask.attribute and not ask.targets:
        return gather.evidence(await _person(gather, ask))
    window, cards = await _anchored(gather, ask)
    if ask.op == "find":
        return gather.evidence((*await _found(gather, ask, window), *cards))
    if ask.op in ("age_at",):
        cards = (*await _person(gather, ask), *cards)
    if ask.targets:
        for target in ask.targets:
            cards = (*cards, *await _subject(gather, ask, target, window))
    elif ask.kinds:
        cards = (*cards, *await _listed(gather, ask, window))
    return gather.evidence(_subjects_first(cards))


def _subjects_first(cards: tuple[Card, ...]) -> tuple[Card, ...]:
    order = {"subject": 0, "event": 1, "also": 2}
    return tuple(sorted(cards, key=lambda c: order[c.role]))


@dataclass(kw_only=True)
class _Log:
    searched: dict[str, Search] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


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

    def query(self, kind: str, *params: tuple[str, str]) -> Query:
        patient = ("_id", self.chart.patient.id) if kind == "Patient" else ("patient", str(self.chart.patient))
        return Query(type=kind, params=(patient, *params))

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
        if not narrow or name not in _CODE_PARAMETER or len(codings) < len(entries) or len(codings) > 40:
            return self.query(name)
        value = ",".join(f"{c.system or ''}|{c.code}" if c.system else c.code for c in codings)
        return self.query(name, (_CODE_PARAMETER[name], value))

    def later(self, fact: Fact) -> bool:
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
        named = facts_of({"resourceType": "MedicationRequest", "id": "x", "medicationCodeableConcept": medication.get("code")})
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


# Cards


def _usable(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    return tuple(f for f in facts if f.standing == "fact")


def _within(facts: Iterable[Fact], window: Window | None) -> tuple[Fact, ...]:
    return tuple(f for f in facts if window is None or (f.when is not None and window.starts_in(f.when)))


async def _person(gather: Gather, ask: Ask) -> tuple[Card, ...]:
    facts = facts_of(gather.chart.person)
    name = "date of birth" if ask.attribute in ("age", "") else ask.attribute
    chosen = tuple(f for f in facts if f.concept.label == name)
    query = str(gather.query("Patient"))
    gather.searched[query] = Search(query=query, found=1)
    if not chosen:
        gather.search_marks[query] = gather.marks.searched(gather.searched[query])
        gather.absent.append(Absence(label=ask.attribute, kinds=("patient",), searched=(gather.search_marks[query].id,)))
        return ()
    computed = ()
    if ask.attribute == "age":
        died = tuple(f for f in facts if f.path == "Patient.deceasedDateTime")
        at = None if died else gather.chart.as_of
        age = compute.compute("age", (*chosen, *(replace(f, when=f.value) for f in died)), at=at)
        computed = ((age, f"age {'at death' if died else f'on {gather.chart.as_of}'}: {_age_text(age.result)}"),)
    return (event_card(gather.marks, chosen, title="Patient", computed=computed, names=(name, "patient", "age")),)


def _age_text(age: Any) -> str:
    return f"{age[0]} or {age[1]} years" if isinstance(age, tuple) else f"{age} years"


async def _anchored(gather: Gather, ask: Ask) -> tuple[Window | None, tuple[Card, ...]]:
    """The window that the question's times and anchor come to, and the card of the anchor's event."""
    if ask.anchor is None:
        return ask.window, ()
    events = await _events(gather, ask.anchor)
    if not events:
        _absence(gather, ask.anchor.target, "", ())
        return ask.window, ()
    event = events[-1] if ask.anchor.which == "last" else events[0]
    card = replace(event_card(gather.marks, (event,), names=(ask.anchor.target.words, ask.anchor.target.label)), role="event")
    return _anchor_window(ask, event), (card,)


async def _events(gather: Gather, anchor: Anchor) -> tuple[Fact, ...]:
    if not anchor.target.keys and "encounter" not in anchor.target.kinds:
        return ()
    found = await _target_facts(gather, anchor.target)
    return tuple(f for f in _within(_usable(found), anchor.window) if f.when and f.when.low)


def _anchor_window(ask: Ask, event: Fact) -> Window | None:
    assert ask.anchor is not None
    when, label = event.when, wording.label(event.concept)
    if when is None or when.low is None:
        return ask.window
    match ask.anchor.relation:
        case "before":
            return Window(low=None, high=when.low, text=f"before {label} ({when.text})")
        case "after":
            return Window(low=when.high or when.low, high=None, text=f"after {label} ({when.text})")
        case "since":
            return Window(low=when.low, high=None, text=f"since {label} ({when.text})")
        case "during":
            return Window(low=when.low, high=when.high, text=f"during {label} ({wording.period_text(when)})")
    return ask.window


async def _target_facts(gather: Gather, target: Target) -> tuple[Fact, ...]:
    found: list[Fact] = []
    for kind in target.kinds:
        if kind == "encounter":
            found += _encounters(gather, target, await gather.facts("encounter"))
        elif target.keys:
            found += [f for f in await gather.facts(kind, target.keys) if not target.labels or f.concept.label in target.labels]
    return compute.in_order(tuple(found))


def _encounters(gather: Gather, target: Target, facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
    """Encounters of the class or type that the words mean; a word for any visit means all of them."""
    if target.keys:
        return tuple(f for f in facts if f.concept.key in target.keys)
    known = [gather.chart.matcher.lexicon.by_id(kind, name) for kind, name in target.lexicon if kind == "encounter"]
    codes = {code for e in known if e for _, code in e.codes}
    if not codes or target.words.rstrip("s") in ("visit", "encounter", "appointment"):
        return facts
    return tuple(f for f in facts if f.details.get("class") in codes)


async def _subject(gather: Gather, ask: Ask, target: Target, window: Window | None) -> tuple[Card, ...]:
    found = await _target_facts(gather, target)
    usable = _usable(found)
    names = (target.words, target.label)
    inside = _within(usable, window)
    if not inside:
        return await _not_there(gather, ask, target, found, usable, window)
    kind = inside[-1].kind
    told = window.text if window else ""
    if kind in ("measurement", "social"):
        return tuple(c for part in _analytes(gather, inside) for c in _measured(gather, ask, part, usable, told, names))
    if kind == "medication":
        return (_drug_card(gather, inside, told, names, found),)
    if ask.op == "age_at":
        return (_age_card(gather, inside, names),)
    extra: tuple[Any, ...] = ()
    if kind == "encounter" and ask.op in ("duration", "describe"):
        stay = compute.compute("length_of_stay", (inside[-1],))
        extra = ((stay, f"length {wording.quantity_text(stay.result)}"),) if stay.result else ()
    if ask.op == "duration" and kind == "condition":
        extra = (_lasted(gather, inside),)
    card = event_card(gather.marks, inside, window=told, names=names, computed=extra)
    if ask.op == "describe" and kind == "encounter":
        return (card, *await _happenings(gather, inside[-1]))
    return (card, *_other_standings(gather, found, inside))


def _other_standings(gather: Gather, found: tuple[Fact, ...], inside: tuple[Fact, ...]) -> tuple[Card, ...]:
    """Refuted, cancelled or mistaken records beside real ones: told as what they are, never counted."""
    rest = tuple(f for f in found if f.standing in ("refuted", "unconfirmed"))
    return (replace(event_card(gather.marks, rest, title=f"also in the chart, not counted: {wording.label(rest[0].concept)}"), role="also"),) if rest else ()


def _lasted(gather: Gather, facts: tuple[Fact, ...]) -> tuple[Any, str]:
    first = facts[0]
    end = first.details.get("abatement")
    to = end.day if hasattr(end, "day") else gather.chart.as_of
    computation = compute.compute("duration", (first,), to=to)
    return computation, f"duration {computation.result} days to {to}"


def _analytes(gather: Gather, facts: tuple[Fact, ...]) -> tuple[tuple[Fact, ...], ...]:
    """The facts by analyte: codes of one meaning together, the parts of a panel apart."""
    groups: dict[Any, list[Fact]] = {}
    for fact in facts:
        entry = gather.chart.catalogue.get(fact.kind, fact.concept.key)
        groups.setdefault((entry and gather.chart.matcher.classes_of(entry)) or fact.concept.key, []).append(fact)
    return tuple(tuple(g) for g in groups.values())


def _measured(gather: Gather, ask: Ask, inside: tuple[Fact, ...], usable: tuple[Fact, ...], told: str, names: tuple[str, ...]) -> tuple[Card, ...]:
    mass = _molar_mass(gather, inside)
    facts = inside
    if ask.op == "closest" and ask.anchor:
        return _closest(gather, ask, usable, names, mass)
    card = measurement_card(gather.marks, facts, window=told, names=names, molar_mass=mass, each=bool(told) or ask.op in ("list", "trend", "on") or bool(ask.n))
    return (card,)


def _closest(gather: Gather, ask: Ask, usable: tuple[Fact, ...], names: tuple[str, ...], mass: float | None) -> tuple[Card, ...]:
    event = next((m.fact for m in gather.marks.of(("1",)) if m.fact), None)
    dated = [f for f in usable if f.when and f.when.low and not isinstance(f.value, Missing) and f.value is not None]
    if event is None or event.when is None or event.when.low is None or not dated:
        return ()
    at = event.when.low
    nearest = min(dated, key=lambda f: abs(_instant(f) - at))
    gather.marks.fact(nearest, "closest")
    day = event.when.text
    return (measurement_card(gather.marks, (nearest,), window=f"closest to {day}", names=names, molar_mass=mass),)


def _instant(fact: Fact) -> datetime:
    return (fact.when.low if fact.when and fact.when.low else datetime(1, 1, 1, tzinfo=UTC))


def _molar_mass(gather: Gather, facts: tuple[Fact, ...]) -> float | None:
    entry = gather.chart.catalogue.get(facts[-1].kind, facts[-1].concept.key)
    for kind, name in gather.chart.matcher.classes_of(entry) if entry else ():
        known = gather.chart.matcher.lexicon.by_id(kind, name)
        if known and known.attributes.get("molar_mass"):
            return float(known.attributes["molar_mass"])
    return None


def _drug_card(gather: Gather, facts: tuple[Fact, ...], told: str, names: tuple[str, ...], found: tuple[Fact, ...]) -> Card:
    orders = tuple(f for f in facts if f.details.get("role") in ("order", "statement")) or facts
    given = tuple(f for f in facts if f not in orders)
    active = tuple(f for f in orders if medications.taken(f))
    computed = []
    if active and len(active) != len(orders):
        computed.append((compute.compute("list", active), f"listed active: {len(active)}"))
    if given:
        computed.append((compute.compute("count", given), f"given or dispensed {len(given)} times, {wording.span_of(given)}"))
    state = "taking now" if active else "not taking now"
    several = len({f.concept.key for f in orders}) > 1
    name = names[1] if several else wording.label(orders[-1].concept)
    title = f"{name}, medication,{f' {told},' if told else ''} {len(orders)} order{'s' if len(orders) != 1 else ''}; {state}"
    card = event_card(gather.marks, orders, title=title, window=told, names=names, computed=tuple(computed))
    return replace(card, facts=compute.in_order(facts))


def _age_card(gather: Gather, facts: tuple[Fact, ...], names: tuple[str, ...]) -> Card:
    birth = next((f for f in facts_of(gather.chart.person) if f.path == "Patient.birthDate"), None)
    first = next((f for f in facts if f.when and f.when.low), facts[0])
    computed: tuple[Any, ...] = ()
    if birth and first.when:
        age = compute.compute("age_at", (birth, first))
        computed = ((age, f"age then: {_age_text(age.result)}"),)
    return event_card(gather.marks, facts, names=names, computed=computed)


async def _happenings(gather: Gather, encounter: Fact) -> tuple[Card, ...]:
    """What is recorded against one encounter, kind by kind."""
    cards = []
    for kind in ("condition", "procedure", "medication", "imaging", "report", "document"):
        facts = tuple(f for f in _usable(await gather.facts(kind)) if f.encounter == encounter.reference)  # type: ignore[arg-type]
        if facts:
            cards.append(list_card(gather.marks, _grouped(facts), title=f"{kind}s of this encounter", kind=facts[0].kind, everything=facts))
    return tuple(cards)


def _grouped(facts: tuple[Fact, ...]) -> tuple[tuple[Fact, ...], ...]:
    groups: dict[str, list[Fact]] = {}
    for fact in facts:
        groups.setdefault(wording.label(fact.concept).lower(), []).append(fact)
    return tuple(tuple(g) for g in groups.values())


async def _not_there(
    gather: Gather, ask: Ask, target: Target, found: tuple[Fact, ...], usable: tuple[Fact, ...], window: Window | None
) -> tuple[Card, ...]:
    """Nothing usable (in the window): the proof, and the closest things the chart does have."""
    if usable and window is not None:
        _absence(gather, target, window.text, await _proof(gather, target))
        nearest = _usable(usable)[-1:]
        return tuple(replace(_one(gather, f), role="also") for f in nearest)
    if found:
        other = tuple(f for f in found if f.standing != "fact")
        return (event_card(gather.marks, other, title=f"{wording.label(other[-1].concept)}: no valid record, only these", names=(target.words, target.label)),)
    near = gather.chart.matcher.nearest(target.label.lower(), target.kinds)
    _absence(gather, target, "", await _proof(gather, target), tuple(e.concept.label for e in near))
    return await _elsewhere(gather, target)


def _one(gather: Gather, fact: Fact) -> Card:
    title = f"also in the chart: {wording.label(fact.concept)}"
    if fact.kind == "measurement":
        return replace(measurement_card(gather.marks, (fact,)), title=title)
    return event_card(gather.marks, (fact,), title=title)


def _absence(gather: Gather, target: Target, window: str, searched: tuple[str, ...], near: tuple[str, ...] = ()) -> None:
    opaque = sum(len(gather.chart.matcher.opaque(k)) for k in target.kinds[:1])
    complete = all(s.complete for s in gather.searched.values()) and all(s.complete for s in gather.chart.catalogue.searched)
    gather.absent.append(
        Absence(label=target.label, kinds=target.kinds, searched=searched, window=window, opaque=opaque, near=near, complete=complete)
    )


async def _proof(gather: Gather, target: Target) -> tuple[str, ...]:
    """Searches that show the absence: by the lexicon's codes where it has them, and the size of what was looked through."""
    ids = []
    kinds = target.kinds[:1]
    for name in dict.fromkeys(t for k in kinds for t in KIND_TYPES[k]):
        if name == "Observation":
            codes = [f"{s}|{c}" for kind, i in target.lexicon for e in [gather.chart.matcher.lexicon.by_id(kind, i)] if e for s, c in e.codes]
            if codes:
                ids.append(await gather.proof(gather.query(name, ("combo-code", ",".join(codes[:20])))))
                continue
        if name == "Patient":
            continue
        ids.append(await gather.proof(gather.query(name, ("_summary", "count"))))
    return tuple(ids)


async def _elsewhere(gather: Gather, target: Target) -> tuple[Card, ...]:
    """The same thing said of somebody else or in another part of the chart."""
    matcher = gather.chart.matcher
    other = [e for e in matcher.entries_of(target.lexicon) if e.kind not in target.kinds and e.kind in ("family", "condition", "procedure", "allergy", "measurement", "medication", "order", "report", "imaging")]
    cards = []
    for entry in other[:2]:
        facts = _usable(await gather.facts(entry.kind, (entry.key,)))
        if facts:
            cards.append(replace(event_card(gather.marks, facts[-1:], title=f"also in the chart: {entry.kind}"), role="also"))
    return tuple(cards)


# Lists


async def _listed(gather: Gather, ask: Ask, window: Window | None) -> tuple[Card, ...]:
    kind = ask.kinds[0]
    found = await gather.facts(kind) if kind != "measurement" else ()
    if kind == "measurement":
        return await _latest_of_each(gather, ask, window)
    usable = _usable(found)
    if kind == "allergy":
        usable = tuple(f for f in usable if f.status not in ("inactive", "resolved") or f.details.get("negation"))
    if kind == "medication" and ask.op in ("list", "latest", "taking") and window is None:
        past = re.search(r"\b(ever|all|history|past|previous\w*|former\w*|prior|stopped|discontinued)\b", ask.question.lower())
        usable = tuple(f for f in usable if medications.taken(f)) if ask.current or not past else usable
    if kind == "condition" and ask.current and ask.op not in ("count", "count_by_year"):
        usable = tuple(f for f in usable if _is_active(f, gather))
    inside = _within(usable, window)
    told = window.text if window else ""
    if not inside:
        label = f"{'active ' if ask.current and kind == 'condition' else ''}{kind}s"
        target = Target(words=label, label=label, kinds=(kind,))
        _absence(gather, target, told, await _proof(gather, target))
        return ()
    if kind in ("encounter", "document") or ask.op in ("latest", "first", "previous", "count", "count_by_year", "duration", "describe"):
        return await _occurrences(gather, ask, inside, told)
    return (list_card(gather.marks, _grouped(inside), title=_list_title(ask, kind, told), kind=kind, window=told, everything=usable, names=(kind,)),)


def _is_active(fact: Fact, gather: Gather) -> bool:
    ended = fact.details.get("abatement")
    return fact.status in ("active", "recurrence", "relapse", "") and not ended


def _list_title(ask: Ask, kind: Kind, told: str) -> str:
    current = "current " if kind == "medication" and ask.current and not told else "active " if kind == "condition" and ask.current else ""
    return f"{current}{_PLURAL.get(kind, kind + 's')}{f', {told}' if told else ''}".strip()


_PLURAL = {"allergy": "allergies", "family": "family history", "imaging": "imaging studies", "social": "social history", "careplan": "care plans"}


async def _occurrences(gather: Gather, ask: Ask, facts: tuple[Fact, ...], told: str) -> tuple[Card, ...]:
    kind = facts[0].kind
    title = f"{_PLURAL.get(kind, kind + 's')},{f' {told},' if told else ''} {len(facts)}"
    computed: tuple[Any, ...] = ()
    if kind == "encounter" and ask.op in ("duration", "describe"):
        stay = compute.compute("length_of_stay", (compute.in_order(facts)[-1],))
        computed = ((stay, f"length {wording.quantity_text(stay.result)}"),) if isinstance(stay.result, Quantity) else ()
    card = event_card(gather.marks, facts, title=title, window=told, names=(kind,), computed=computed)
    return (card, *await _happenings(gather, compute.in_order(facts)[-1])) if ask.op == "describe" else (card,)


_VITAL, _LAB = frozenset(("vital-signs", "vital-sign")), frozenset(("laboratory", "LAB"))


async def _latest_of_each(gather: Gather, ask: Ask, window: Window | None) -> tuple[Card, ...]:
    facts = _within(_usable(await gather.facts("measurement")), window)
    wanted = _VITAL if "vital" in ask.question.lower() else _LAB if any(w in ask.question.lower() for w in ("lab", "blood work", "bloodwork")) else frozenset()
    chosen = tuple(f for f in facts if (not wanted or wanted & set(f.details.get("category", ()))) and "panel" not in f.details and f.value is not None)
    if ask.op == "abnormal":
        chosen = tuple(f for f in chosen if _flagged(f))
    if not chosen:
        target = Target(words="results", label="abnormal results" if ask.op == "abnormal" else "results", kinds=("measurement",))
        _absence(gather, target, window.text if window else "", await _proof(gather, target))
        return ()
    latest = {f.concept.key: f for f in compute.in_order(chosen)}
    rows = tuple((f,) for f in sorted(latest.values(), key=lambda f: (f.when.low if f.when and f.when.low else _instant(f)), reverse=True))
    told = window.text if window else ""
    title = f"{'abnormal results' if ask.op == 'abnormal' else 'latest of each measurement'}{f', {told}' if told else ''}"
    return (list_card(gather.marks, rows[:40], title=title, kind="measurement", window=told, everything=chosen),)


def _flagged(fact: Fact) -> bool:
    text = str(fact.details.get("interpretation", "")).lower()
    return bool(text) and text not in ("normal", "n", "negative")


# Documents


async def _found(gather: Gather, ask: Ask, window: Window | None) -> tuple[Card, ...]:
    """Sentences of notes that hold the question's subject, each with its span and how it is asserted."""
    documents = await _documents(gather, window)
    subjects = [t for t in ask.targets if t.kinds[:1] != ("document",)]
    quotes: list[Mark] = []
    lines = []
    for target in subjects:
        for found in find(documents, _terms(gather, target))[-8:]:
            mark = gather.marks.quote(found.document.fact, found.span)
            quotes.append(mark)
            told = "" if found.assertion == "affirmed" else f" ({found.assertion})"
            lines.append(f'[{mark.id}] {wording.day_text(found.document.fact.when)} {wording.label(found.document.fact.concept)}: "{found.span.quote}"{told}')
    unread = [d for d in documents if d.unread]
    if unread:
        gather.warnings.append(f"{len(unread)} of {len(documents)} documents could not be read ({unread[0].unread})")
    if not quotes:
        label = ", ".join(t.label for t in subjects) or "that"
        ids = (await gather.proof(gather.query("DocumentReference", ("_summary", "count"))),)
        gather.absent.append(Absence(label=label, kinds=("document",), searched=ids, window=window.text if window else "", complete=not unread))
        return ()
    return (Card(title="In the notes", kind="document", lines=tuple(lines), marks=tuple(quotes), facts=tuple(m.fact for m in quotes if m.fact), names=tuple(t.label for t in subjects)),)


def _terms(gather: Gather, target: Target) -> tuple[str, ...]:
    entries = [gather.chart.matcher.lexicon.by_id(kind, name) for kind, name in target.lexicon]
    return tuple(dict.fromkeys((target.words, *(t for e in entries if e for t in e.terms))))


async def _documents(gather: Gather, window: Window | None) -> tuple[Document, ...]:
    documents = []
    for kind in ("DocumentReference", "Composition"):
        if any(kind in e.types for e in gather.chart.catalogue.of("document")):
            result = await gather.search(gather.query(kind))
            for resource in result.matches:
                facts = _within(_usable(f for f in facts_of(resource) if not gather.later(f)), window)
                documents += [await read_document(resource, f, gather.chart.source) for f in facts]
    return tuple(documents)
