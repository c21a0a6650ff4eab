"""The cards of what a question names: one a target, or the proof that the chart does not hold it."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

from agent.retrieve.events import Extra, facts_of_target, happenings, nearest_first, stay_length
from agent.retrieve.gather import Gather
from agent.retrieve.lists import is_relative, keeps
from agent.retrieve.person import age_text, birth_of
from agent.types import ORDINALS, Ask, Target
from fhir_tools import compute, medications, wording
from fhir_tools.cards import event_card, measurement_card
from fhir_tools.cards.measurement import numbers_of
from fhir_tools.dates import Window
from fhir_tools.records import usable, within
from fhir_tools.types import Card, Computation, Fact, Interval, Missing, Quantity

__all__ = ["subject"]

_BEYOND = {">": "above", ">=": "at or above", "<": "below"}
_EACH = 12
"""Results of a window or list that are told one by one; longer ones by their roles and computations."""


async def subject(gather: Gather, ask: Ask, target: Target, window: Window | None) -> tuple[Card, ...]:
    """The cards of one target in a window; with its absence noted, the closest other things."""
    found = await facts_of_target(gather, target)
    if ask.relative:
        found = tuple(f for f in found if is_relative(f, ask.relative, gather))
    real = usable(found)
    inside = within(real, window)
    names = (target.words, target.label)
    if not inside:
        whose = replace(target, label=f"{target.label} of the {ask.relative}") if ask.relative else target
        return await _not_there(gather, whose, found, real, window)
    if ask.op == "closest" and gather.event and gather.event.kind == "encounter" and _is_measured(inside):
        inside = real = _about(gather.event, inside)
        if not inside:
            return await _not_there(gather, target, found, usable(found), _stay(gather.event))
    if ask.against and window:
        return await _two(gather, ask, target, found, window)
    if ask.nth:
        inside, absent = await _numbered(gather, ask, target, inside)
        if absent:
            return absent
    kind, told = inside[-1].kind, window.text if window else ""
    if kind in ("measurement", "social"):
        return tuple(c for part in _analytes(gather, inside) for c in _measured(gather, ask, part, real, told, names))
    if kind == "medication":
        return (_drug(gather, inside, told, names),)
    events = await _event(gather, ask, inside, told, names)
    return events if ask.op in ("age_at", "describe") else (*events, *_other_standings(gather, found))


async def _event(
    gather: Gather, ask: Ask, inside: tuple[Fact, ...], told: str, names: tuple[str, ...]
) -> tuple[Card, ...]:
    """The card of events; of an encounter that is to be described also what is recorded against it."""
    if ask.op == "age_at":
        return (event_card(gather.marks, inside, names=names, computed=_age_then(gather, inside)),)
    if ask.state and inside[-1].kind == "condition" and ask.op in ("list", "count"):
        inside = tuple(f for f in inside if keeps(f, ask)) or inside
    card = event_card(gather.marks, inside, window=told, names=names, computed=_lengths(gather, ask, inside))
    described = ask.op == "describe" and card.kind == "encounter"
    return (card, *await happenings(gather, inside[-1])) if described else (card,)


async def _numbered(
    gather: Gather, ask: Ask, target: Target, facts: tuple[Fact, ...]
) -> tuple[tuple[Fact, ...], tuple[Card, ...]]:
    """The second, third … of the facts by their days, with the first where the two are held against each other.

    Where there are not so many, the proof and the last of them.
    """
    dated = [f for f in compute.in_order(facts) if f.when and f.when.low]
    days = list({f.when.text[:10]: f for f in reversed(dated) if f.when}.values())[::-1]
    if len(days) >= ask.nth:
        gather.warnings.append(f"counted by their days: the {ORDINALS[ask.nth - 1]} of {len(days)} on record is told")
        if ask.op in ("compare", "change"):
            return (days[0], days[ask.nth - 1]), ()
        return (days[ask.nth - 1],), ()
    name = f"{ORDINALS[ask.nth - 1]} {target.label}"
    await gather.absence(replace(target, label=name), ask.window.text if ask.window else "")
    return (), (replace(_one(gather, facts[-1]), role="also"),)


async def _two(gather: Gather, ask: Ask, target: Target, found: tuple[Fact, ...], window: Window) -> tuple[Card, ...]:
    """The last result of each of two times, or the proof that one of them has none."""
    real, names = usable(found), (target.words, target.label)
    times = sorted((w for w in (window, ask.against) if w), key=lambda w: str(w.low))
    for time in times:
        if not within(real, time):
            return await _not_there(gather, target, found, real, time)
    told = " and ".join(w.text for w in times)
    cards: list[Card] = []
    for part in _analytes(gather, real):
        had = [tuple(f for f in within(part, w) if isinstance(numbers_of(f).value, Quantity)) for w in times]
        several = [w.text for w, facts in zip(times, had, strict=True) if len(facts) > 1]
        gather.warnings += [f"there are several results {text}; the last of them was taken" for text in several]
        if all(had):
            pair = tuple(facts[-1] for facts in had)
            cards += _measured(gather, replace(ask, n=None), pair, real, told, names)
    return tuple(cards)


def _other_standings(gather: Gather, found: tuple[Fact, ...]) -> tuple[Card, ...]:
    """Refuted and unconfirmed records beside real ones: told as what they are, never counted."""
    rest = tuple(f for f in found if f.standing in ("refuted", "unconfirmed"))
    if not rest:
        return ()
    title = f"also in the chart, not counted: {wording.label(rest[0].concept)}"
    return (replace(event_card(gather.marks, rest, title=title), role="also"),)


def _lengths(gather: Gather, ask: Ask, facts: tuple[Fact, ...]) -> Extra:
    """How long the last encounter was, or since when a condition is recorded, where that is asked."""
    last = facts[-1]
    if last.kind == "encounter":
        return stay_length(ask, last)
    if ask.op == "duration" and last.kind == "condition":
        firsts = {f.concept.key: f for f in reversed(facts)}
        return tuple(_lasting(gather, f) for f in reversed(firsts.values()))
    return ()


def _lasting(gather: Gather, fact: Fact) -> tuple[Computation, str]:
    """How long a condition has been on record: to its end, else to the day of the question."""
    end = fact.details.get("abatement")
    to = end.day if isinstance(end, Interval) else gather.chart.as_of
    lasted = compute.compute("duration", (fact,), to=to)
    return lasted, f"duration {lasted.result} days to {to}"


def _age_then(gather: Gather, facts: tuple[Fact, ...]) -> Extra:
    birth = birth_of(gather)
    first = next((f for f in facts if f.when and f.when.low), facts[0])
    if birth is None or first.when is None:
        return ()
    age = compute.compute("age_at", (birth, first))
    return ((age, f"age then: {age_text(age.result)}"),)


def _analytes(gather: Gather, facts: tuple[Fact, ...]) -> tuple[tuple[Fact, ...], ...]:
    """The facts by analyte: codes of one meaning together, the parts of a panel apart."""
    groups: dict[Any, list[Fact]] = {}
    for fact in facts:
        entry = gather.chart.catalogue.get(fact.kind, fact.concept.key)
        groups.setdefault((entry and gather.chart.matcher.classes_of(entry)) or fact.concept.key, []).append(fact)
    return tuple(tuple(g) for g in groups.values())


_OVER_FEW = ("change", "mean", "highest", "lowest", "range", "trend")
"""Operations over the last few results where a number of them is named."""


def _measured(
    gather: Gather, ask: Ask, inside: tuple[Fact, ...], real: tuple[Fact, ...], told: str, names: tuple[str, ...]
) -> tuple[Card, ...]:
    mass = _molar_mass(gather, inside)
    if ask.op == "closest" and ask.anchor:
        return _closest(gather, real, names, mass)
    if ask.n and ask.op in _OVER_FEW:
        numbers = tuple(f for f in inside if isinstance(numbers_of(f).value, Quantity))
        told = f"{told} in the last {ask.n} results".strip() if len(numbers) > ask.n and ask.op != "change" else told
        inside = numbers[-ask.n :] or inside
    if ask.op == "change" and told and len(inside) < 2:
        inside, told = (*_before(real, inside), *inside), ""
    if ask.threshold and (ask.op in ("count", "list") or ask.expects == "date"):
        inside = tuple(f for f in inside if _passes(f, ask.threshold))
        told = f"{told} {_BEYOND[ask.threshold[0]]} {ask.threshold[1]:g}".strip()
        if not inside:
            return (measurement_card(gather.marks, real, names=names, molar_mass=mass),)
    each = (
        (ask.n or 0) + (ask.op == "previous")
        if ask.n
        else (_EACH if len(inside) <= _EACH and (told or ask.op in ("list", "trend", "on")) else 0)
    )
    card = measurement_card(gather.marks, inside, window=told, names=names, molar_mass=mass, each=each)
    return (_apart(gather, card) if ask.op == "interval" else card,)


def _is_measured(facts: tuple[Fact, ...]) -> bool:
    return facts[-1].kind == "measurement"


def _stay(event: Fact) -> Window:
    """The days of a stay, from the one before it."""
    low = event.when.low.date() - timedelta(days=1) if event.when and event.when.low else None
    high = event.when.high.date() + timedelta(days=1) if event.when and event.when.high else None
    return Window(low=low, high=high, text=f"at {wording.label(event.concept)} ({wording.period_text(event.when)})")


def _about(event: Fact, facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
    """Results of a stay, or of the day before it: what is nearest to an admission and weeks away is not of it."""
    return within(facts, _stay(event))


def _before(real: tuple[Fact, ...], inside: tuple[Fact, ...]) -> tuple[Fact, ...]:
    """The result that a change within a time of one result is measured from: the last one before it."""
    earlier = [f for f in real if compute.when_key(f) < compute.when_key(inside[0])]
    return tuple(earlier[-1:])


def _apart(gather: Gather, card: Card) -> Card:
    """The card with how far apart the last two results are."""
    last = tuple(f for f in card.facts if f.value is not None and not isinstance(f.value, Missing))[-2:]
    if len(last) < 2:
        return card
    apart = compute.compute("duration", last)
    mark = gather.marks.computed(apart, f"{apart.result} days apart")
    own = (gather.marks.fact(f, "member") for f in last)
    line = f"the last two are [{mark.id}] {apart.result} days apart"
    return replace(card, lines=(*card.lines, line), marks=(*card.marks, mark, *own))


def _passes(fact: Fact, threshold: tuple[str, float, str | None]) -> bool:
    value = numbers_of(fact).value
    if not isinstance(value, Quantity) or value.comparator:
        return False
    sign, limit, _ = threshold
    return value.value > limit if sign == ">" else value.value >= limit if sign == ">=" else value.value < limit


def _closest(gather: Gather, real: tuple[Fact, ...], names: tuple[str, ...], mass: float | None) -> tuple[Card, ...]:
    told = (f for f in real if not isinstance(f.value, Missing) and f.value is not None)
    nearest, event = nearest_first(gather, told)
    if not nearest or event is None:
        return ()
    gather.marks.fact(nearest[0], "closest")
    window = f"closest to {event.text}"
    return (measurement_card(gather.marks, nearest[:1], window=window, names=names, molar_mass=mass),)


def _molar_mass(gather: Gather, facts: tuple[Fact, ...]) -> float | None:
    entry = gather.chart.catalogue.get(facts[-1].kind, facts[-1].concept.key)
    for kind, name in gather.chart.matcher.classes_of(entry) if entry else ():
        known = gather.chart.matcher.lexicon.by_id(kind, name)
        if known and known.attributes.get("molar_mass"):
            return float(known.attributes["molar_mass"])
    return None


def _drug(gather: Gather, facts: tuple[Fact, ...], told: str, names: tuple[str, ...]) -> Card:
    orders = tuple(f for f in facts if f.details.get("role") in ("order", "statement")) or facts
    given = tuple(f for f in facts if f not in orders)
    active = tuple(f for f in orders if medications.taken(f))
    computed = []
    if active and len(active) != len(orders):
        computed.append((compute.compute("list", active), f"listed active: {len(active)}"))
    if given:
        computed.append(
            (compute.compute("count", given), f"given or dispensed {len(given)} times, {wording.span_of(given)}")
        )
    name = names[1] if len({f.concept.key for f in orders}) > 1 else wording.label(orders[-1].concept)
    number = f"{len(orders)} order{'s' if len(orders) != 1 else ''}"
    title = f"{name}, medication,{f' {told},' if told else ''} {number}; {'taking now' if active else 'not taking now'}"
    card = event_card(gather.marks, orders, title=title, window=told, names=names, computed=tuple(computed))
    return replace(card, facts=compute.in_order(facts))


async def _not_there(
    gather: Gather, target: Target, found: tuple[Fact, ...], real: tuple[Fact, ...], window: Window | None
) -> tuple[Card, ...]:
    """Nothing usable (in the window): the proof, and the closest things the chart does have."""
    told = within(found, window)
    if usable(told) and window is not None:  # another time of the question left them out: no absence is shown
        return ()
    if told and not (real and window is None):
        title = f"{wording.label(told[-1].concept)}: no valid record, only these"
        return (event_card(gather.marks, told, title=title, names=(target.words, target.label)),)
    if real and window is not None:
        await gather.absence(target, window.text)
        return (replace(_one(gather, real[-1]), role="also"),)
    if target.kinds[:1] == ("allergy",):
        denied = tuple(f for f in usable(await gather.facts("allergy")) if _denies(gather, f, target))
        if denied:
            return (event_card(gather.marks, denied, names=(target.words, target.label)),)
    near = gather.chart.matcher.nearest(target.label.lower(), target.kinds[:1])
    await gather.absence(target, "", tuple(e.concept.label for e in near))
    return await _elsewhere(gather, target)


_OF_DRUGS = re.compile(r"\b(drugs?|medications?)\b")
_OF_OTHERS = re.compile(r"\b(foods?|environment\w*|latex|substances?)\b")


def _denies(gather: Gather, fact: Fact, target: Target) -> bool:
    """Whether a "no known …" record that holds now speaks of the target; one of drugs says nothing of food."""
    if not fact.details.get("negation") or fact.status not in ("active", ""):
        return False
    label = wording.label(fact.concept).lower()
    if _OF_OTHERS.search(label):
        return False
    return not _OF_DRUGS.search(label) or any(_is_drug(gather, *known) for known in target.lexicon)


def _is_drug(gather: Gather, kind: str, name: str) -> bool:
    known = gather.chart.matcher.lexicon.by_id(kind, name)
    return kind in ("drug", "drug_class") or bool(known and known.attributes.get("group") == "drug")


def _one(gather: Gather, fact: Fact) -> Card:
    title = f"also in the chart: {wording.label(fact.concept)}"
    if fact.kind == "measurement":
        return replace(measurement_card(gather.marks, (fact,)), title=title)
    return event_card(gather.marks, (fact,), title=title)


_ELSEWHERE = ("family", "condition", "procedure", "allergy", "measurement", "medication", "order", "report", "imaging")


async def _elsewhere(gather: Gather, target: Target) -> tuple[Card, ...]:
    """The same thing said of somebody else or in another part of the chart."""
    other = [
        e
        for e in gather.chart.matcher.entries_of(target.lexicon)
        if e.kind not in target.kinds and e.kind in _ELSEWHERE
    ]
    cards = []
    found = await asyncio.gather(*(gather.facts(e.kind, (e.key,)) for e in other[:2]))
    for entry, facts in zip(other[:2], map(usable, found), strict=True):
        if facts:
            title = f"also in the chart: {entry.kind}"
            cards.append(replace(event_card(gather.marks, facts[-1:], title=title), role="also"))
    return tuple(cards)
