"""The event that a time is told by, as a fact, a card and a window."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from agent.retrieve.gather import Gather
from agent.types import Anchor, Ask, Target
from fhir_tools import compute, wording
from fhir_tools.cards import event_card, list_card
from fhir_tools.codes import names_of
from fhir_tools.dates import Window
from fhir_tools.records import grouped, usable, within
from fhir_tools.types import Card, Computation, Concept, Fact, Interval, Kind, Quantity

__all__ = ["Extra", "anchored", "encounters_meant", "facts_of_target", "happenings", "nearest_first", "stay_length"]

Extra = tuple[tuple[Computation, str], ...]
"""Computations that a card shows beside its records, each with its words."""


async def anchored(gather: Gather, ask: Ask) -> tuple[Window | None, tuple[Card, ...]]:
    """The window that the question's times and anchor come to, and the card of the anchor's event."""
    if ask.anchor is None:
        return ask.window, ()
    events = await _events(gather, ask.anchor)
    if not events:
        await gather.absence(_of_cause(ask.anchor), ask.anchor.window.text if ask.anchor.window else "")
        return ask.window, ()
    event = gather.event = events[-1] if ask.anchor.which == "last" else events[0]
    names = (ask.anchor.target.words, ask.anchor.target.label)
    return _window(ask, ask.anchor, event), (replace(event_card(gather.marks, (event,), names=names), role="event"),)


def _of_cause(anchor: Anchor) -> Target:
    cause = anchor.cause
    return replace(anchor.target, label=f"{anchor.target.label} for {cause.label}") if cause else anchor.target


async def _events(gather: Gather, anchor: Anchor) -> tuple[Fact, ...]:
    """The dated records of the event; of stays, where none begins in the time that is told, those that were in it."""
    found = tuple(f for f in usable(await facts_of_target(gather, anchor.target)) if f.when and f.when.low)
    window = anchor.window
    if anchor.cause:
        found = await _because(gather, found, anchor.cause)
    begun = within(found, window)
    if begun or window is None or "encounter" not in anchor.target.kinds:
        return begun
    return tuple(f for f in found if f.when and window.possible(f.when))


async def _because(gather: Gather, stays: tuple[Fact, ...], cause: Target) -> tuple[Fact, ...]:
    """The stays for a condition: their reason has its name, or it was first recorded in them."""
    conditions = usable(await facts_of_target(gather, cause))
    during = {f.encounter for f in conditions if f.encounter}
    names = {wording.label(f.concept).lower() for f in conditions} | {cause.label.lower(), cause.words.lower()}
    named = tuple(f for f in stays if f.reference in during or any(n in r for n in names for r in _reasons(f)))
    return named or tuple(f for f in stays if any(_begins_in(c, f) for c in conditions))


def _reasons(fact: Fact) -> set[str]:
    return {wording.label(r).lower() for r in fact.details.get("reason", ()) if isinstance(r, Concept)}


def _begins_in(condition: Fact, stay: Fact) -> bool:
    when, day = stay.when, condition.when and condition.when.day
    return bool(when and when.low and when.high and day and when.low.date() <= day <= when.high.date())


def _window(ask: Ask, anchor: Anchor, event: Fact) -> Window | None:
    when, label = event.when, wording.label(event.concept)
    if when is None or when.low is None or ask.op == "order":
        return ask.window
    match anchor.relation:
        case "before":
            if event.kind in ("medication", "procedure") and ask.kinds[:1] == ("measurement",):
                # what was measured on the very day is told with it: which came first is not recorded
                return Window(low=None, high=_day_over(when), text=f"up to the day of {label} ({when.text})")
            return Window(low=None, high=when.low, text=f"before {label} ({when.text})")
        case "after":
            over = _day_over(when) if event.kind == "medication" else when.high or when.low
            return Window(low=over, high=None, text=f"after {label} ({when.text})")
        case "since":
            left = any(name == "discharge" for _, name in anchor.target.lexicon)
            return Window(low=(when.high if left else None) or when.low, high=None, text=f"since {label} ({when.text})")
        case "during":
            high = _over(event) if event.kind == "condition" else when.high
            return Window(low=when.low, high=high, text=f"during {label} ({wording.period_text(when)})", by_day=True)
    return ask.window


def nearest_first(gather: Gather, facts: Iterable[Fact]) -> tuple[tuple[Fact, ...], Interval | None]:
    """The dated facts by their distance from the anchor's event, and when that was."""
    when = gather.event.when if gather.event else None
    if when is None or when.low is None:
        return (), None
    dated = ((abs(f.when.low - when.low), f) for f in facts if f.when and f.when.low)
    return tuple(f for _, f in sorted(dated, key=lambda pair: pair[0])), when


def _day_over(when: Interval) -> datetime | None:
    """The end of the day that a moment or a day is of, by the clock that it was written with."""
    if when.low is None or when.precision != "time":
        return when.high or when.low
    return when.low.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def _over(event: Fact) -> datetime | None:
    """When a condition was over; None while it goes on."""
    end = event.details.get("abatement")
    return end.high if isinstance(end, Interval) else None


def stay_length(ask: Ask, encounter: Fact) -> Extra:
    """How long an encounter was, where the question asks for that."""
    if encounter.kind != "encounter" or ask.op not in ("duration", "describe"):
        return ()
    stay = compute.compute("length_of_stay", (encounter,))
    return ((stay, f"length {wording.quantity_text(stay.result)}"),) if isinstance(stay.result, Quantity) else ()


async def facts_of_target(gather: Gather, target: Target) -> tuple[Fact, ...]:
    """The facts of every standing that a target means, oldest first."""
    parts = await asyncio.gather(*(_of_kind(gather, target, kind) for kind in target.kinds))
    return compute.in_order(tuple(f for part in parts for f in part))


async def _of_kind(gather: Gather, target: Target, kind: Kind) -> tuple[Fact, ...]:
    if kind == "encounter":
        return encounters_meant(gather, target, await gather.facts("encounter"))
    named = await gather.facts(kind, target.keys) if target.keys else ()
    return tuple(f for f in named if not target.labels or f.concept.label in target.labels)


_ANY_VISIT = ("visit", "encounter", "appointment")
_CLASSES = frozenset(
    (
        "acute inpatient stay", "discharge", "emergency department visit", "field encounter", "home visit",
        "inpatient stay", "non-acute inpatient stay", "observation stay", "outpatient visit", "short stay",
        "telehealth visit",
    )
)  # fmt: skip
"""Meanings that are an encounter class and no more; a dental visit is more than an ambulatory one."""


_STAY = re.compile(r"stays?|hospitali[sz]\w+")
_STAYED = frozenset(("IMP", "ACUTE", "NONAC", "OBSENC", "SS"))
"""Classes of encounters (HL7 v3 ActCode) in which somebody stays, where the chart has some."""


def encounters_meant(gather: Gather, target: Target, facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
    """Encounters of the class or type that the words mean; a word for any visit means all of them."""
    if target.keys:
        return tuple(f for f in facts if f.concept.key in target.keys)
    lexicon = gather.chart.matcher.lexicon
    known = [e for kind, name in target.lexicon if kind == "encounter" and (e := lexicon.by_id(kind, name))]
    if not known and _STAY.fullmatch(target.words):
        return tuple(f for f in facts if f.details.get("class") in _STAYED) or facts
    if not known or target.words.rstrip("s") in _ANY_VISIT or any(e.id == "encounter" for e in known):
        return facts
    classes = [e for e in known if e.id in _CLASSES]
    terms = {target.words.rstrip("s"), *(t for e in known for t in e.terms if e.id not in _CLASSES)}
    named = tuple(f for f in facts if any(t in n for t in terms for n in names_of(f.concept.label)))
    if not classes or (named and all(e.id == "outpatient visit" for e in classes)):
        return named
    codes = {code for e in classes for _, code in e.codes}
    return tuple(f for f in facts if f.details.get("class") in codes)


_HAPPENINGS: tuple[Kind, ...] = ("condition", "procedure", "medication", "imaging", "report", "document")


async def happenings(gather: Gather, encounter: Fact) -> tuple[Card, ...]:
    """What is recorded against one encounter, kind by kind."""
    cards = []
    every = await asyncio.gather(*map(gather.facts, _HAPPENINGS))
    for kind, found in zip(_HAPPENINGS, every, strict=True):
        facts = tuple(f for f in usable(found) if f.encounter == encounter.reference)
        if facts:
            title = f"{kind}s of this encounter"
            cards.append(list_card(gather.marks, grouped(facts), title=title, kind=facts[0].kind, everything=facts))
    return tuple(cards)
