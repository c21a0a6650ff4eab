"""What rules say of a medication card: taking it, since when, how much, what for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from agent.reasoners.rules import events, say
from agent.types import Ask, Claim
from fhir_tools import compute, dates, wording
from fhir_tools.medications import taken
from fhir_tools.types import Card, Concept, Fact, Interval, Mark, Quantity

__all__ = ["claims"]


def claims(ask: Ask, card: Card) -> tuple[Claim, ...]:
    """The claims that answer the question from one drug's (or class's) card, or from a list of drugs."""
    if ask.op == "describe" or (not ask.targets and ask.op not in ("count", "count_by_year")):
        return events.claims(ask, card) if ask.op in ("latest", "first", "previous") else _listed(card)
    tell = _BY_OP.get(ask.op)
    return tell(ask, card) if tell else ()


def _orders(card: Card) -> tuple[Fact, ...]:
    found = tuple(f for f in card.facts if f.details.get("role") in ("order", "statement"))
    return found or card.facts


def _mark(card: Card, fact: Fact) -> Mark | None:
    """The fact's own mark, or the computation over the card's records that holds it."""
    own = say.mark_of(card, fact)
    if own:
        return own
    return next((m for m in card.marks if m.computation and any(f.reference == fact.reference for f in m.facts)), None)


def _state(fact: Fact) -> str:
    """What is known of taking it (`fhir_tools.medications`), or the order's own status."""
    return str(fact.details.get("taking", fact.status))


def _taking(ask: Ask, card: Card) -> tuple[Claim, ...]:
    orders = _orders(card)
    active = tuple(f for f in orders if taken(f))
    if active:
        return tuple(_yes(card, group, i == 0) for i, group in enumerate(say.by_name(active)))
    return (_no(card, say.last(orders)),)


def _yes(card: Card, group: tuple[Fact, ...], first: bool) -> Claim:
    fact = say.last(group)
    word = "reported as taken" if fact.details.get("role") == "statement" else "listed active"
    dated = f", last {'ordered' if fact.details.get('role') == 'order' else 'stated'}{say.on(fact)}"
    text = f"{'Yes: ' if first else ''}{say.name(fact)} is {word}{dated}{_dose(fact)}."
    return say.claim(text, _mark(card, fact), value=say.truth(True) if first else None)


def _dose(fact: Fact) -> str:
    told = fact.details.get("dosage") or (
        wording.quantity_text(fact.details["dose"]) if isinstance(fact.details.get("dose"), Quantity) else ""
    )
    route = fact.details.get("route", "")
    return f" ({', '.join(x for x in (told, route) if x)})" if told else ""


_WHY_NOT = {
    "given": "it was given, with no order that is active",
    "dispensed": "it was dispensed, with no order that is active",
    "stay over": "it was an inpatient order and the stay is over",
}


def _no(card: Card, fact: Fact) -> Claim:
    state = _state(fact)
    told = f"the {state}" if " ended " in state else f"the last order is {state}"
    why = _WHY_NOT.get(state, told if fact.details.get("role") == "order" else state)
    text = f"No: {say.name(fact)} is not being taken; {why}, dated{say.on(fact).replace(' on', '').replace(' in', '')}."
    return say.claim(text, _mark(card, fact), value=say.truth(False))


_VERBS = {"administration": "given", "dispense": "dispensed", "statement": "stated"}
"""What is told of a record of each role; of an order that it was ordered."""


_ASKED = {"dispense": re.compile(r"\bdispens|\bfilled"), "administration": re.compile(r"\bgiven\b|\badminist")}


def _verb(fact: Fact) -> str:
    return _VERBS.get(str(fact.details.get("role")), "ordered")


def _asked(ask: Ask) -> str:
    """The role of the records that the question asks about; empty where it does not say."""
    return next((role for role, words in _ASKED.items() if words.search(ask.question.lower())), "")


def _exists(ask: Ask, card: Card) -> tuple[Claim, ...]:
    out = []
    for i, every in enumerate(say.by_name(card.facts)):
        group = tuple(f for f in every if f.details.get("role") == (_asked(ask) or "order")) or every
        first, last = compute.in_order(group)[0], say.last(group)
        word = _verb(last)
        text = f"{'Yes: ' if i == 0 else ''}{say.name(last)} was {word}{say.on(first)}"
        text += f", last{say.on(last)}" if last is not first else ""
        state = last.details.get("taking", "")
        text += f" ({state})." if state and state not in ("given",) else "."
        out.append(say.claim(text, _mark(card, first), _mark(card, last), value=say.truth(True) if i == 0 else None))
    return tuple(out)


def _meant(ask: Ask, card: Card) -> tuple[Fact, ...]:
    """The records of the role that the question asks about, where there are some; else the orders."""
    asked = _asked(ask)
    return tuple(f for f in card.facts if asked and f.details.get("role") == asked) or _orders(card)


def _started(ask: Ask, card: Card) -> tuple[Claim, ...]:
    dated = [f for f in _meant(ask, card) if f.when and f.when.text]
    going = {say.name(f) for f in _orders(card) if taken(f)}
    if ask.current and going:
        dated = [f for f in dated if say.name(f) in going]
    if not dated:
        return ()
    first = compute.in_order(tuple(dated))[0]
    word = _verb(first)
    return (
        say.claim(
            f"{say.name(first)} was first {word}{say.on(first)}.", _mark(card, first), value=say.date_value(first)
        ),
    )


def _latest(ask: Ask, card: Card) -> tuple[Claim, ...]:
    last = say.last(_meant(ask, card))
    state = f" ({_state(last)})" if last.details.get("role") not in _VERBS else ""
    return (
        say.claim(
            f"{say.name(last)} was last {_verb(last)}{say.on(last)}{state}.",
            _mark(card, last),
            value=say.date_value(last),
        ),
    )


def _ended(ask: Ask, card: Card) -> tuple[Claim, ...]:
    last = say.last(_orders(card))
    if taken(last):
        return (say.claim(f"{say.name(last)} is still listed active, last ordered{say.on(last)}.", _mark(card, last)),)
    ends = last.details.get("ends")
    last_day = dates.last_day(ends) if isinstance(ends, Interval) else None
    if last_day:
        day = last_day.isoformat()
        value = say.day_value(day)
        return (say.claim(f"{say.name(last)}: the order ended on {day}.", _mark(card, last), value=value),)
    text = f"{say.name(last)} was last ordered{say.on(last)} and is {_state(last)}; no date of that is recorded."
    return (say.claim(text, _mark(card, last)),)


def _dosage(ask: Ask, card: Card) -> tuple[Claim, ...]:
    orders = [f for f in compute.in_order(_orders(card)) if _dose(f)]
    active = [f for f in orders if taken(f)] or orders
    if not active:
        return ()
    fact = active[-1]
    text = f"{_dosed(fact)}."
    dose = fact.details.get("dose")
    value = say.number_value(dose) if isinstance(dose, Quantity) else say.text_value(_dose(fact)[2:-1])
    return (say.claim(text, _mark(card, fact), value=value),)


def _dose_history(ask: Ask, card: Card) -> tuple[Claim, ...]:
    """Each order with its dose, oldest first: whether that is a change the reader sees."""
    told = [f for f in compute.in_order(_orders(card)) if _dose(f)]
    return tuple(say.claim(f"{_dosed(f)}.", _mark(card, f)) for f in told)


def _dosed(fact: Fact) -> str:
    return f"{say.name(fact)}: {_dose(fact)[2:-1]}, {_verb(fact)}{say.on(fact)} ({_state(fact)})"


def _duration(ask: Ask, card: Card) -> tuple[Claim, ...]:
    """Since when, and whether it still goes on: orders tell no number of days that it was taken."""
    return tuple(
        claim
        for group in say.by_name(_orders(card))
        for part in (replace(card, facts=group),)
        for claim in (*_started(ask, part), *_ended(ask, part))
    )


def _why_stopped(card: Card) -> tuple[Claim, ...]:
    """The reason for the status of the last order that is over; never the reason it was ordered for."""
    over = [f for f in compute.in_order(_orders(card)) if not taken(f)]
    if not over:
        return ()
    last = over[-1]
    why = last.details.get("status_reason")
    told = f"because of {why}" if why else "and its record names no reason for that"
    return (
        say.claim(
            f"{say.name(last)}: the last order{say.on(last)} is {_state(last)}, {told}.",
            _mark(card, last),
        ),
    )


def _reason(ask: Ask, card: Card) -> tuple[Claim, ...]:
    if ask.state == "stopped":
        return _why_stopped(card)
    by_reason: dict[str, Fact] = {}
    for fact in compute.in_order(_orders(card)):
        for reason in fact.details.get("reason", ()):
            if isinstance(reason, Concept):
                by_reason[wording.label(reason)] = fact
    told = list(by_reason.items())[-6:]
    return tuple(
        say.claim(
            f"{say.name(f)} was ordered for {reason}{say.on(f)}.",
            _mark(card, f),
            value=say.text_value(reason) if len(told) == 1 else None,
        )
        for reason, f in told
    )


def _count(ask: Ask, card: Card) -> tuple[Claim, ...]:
    """How often it was ordered; how often given or dispensed where that is asked, and nothing if no record says."""
    names = say.by_name(card.facts)
    if not ask.targets and len(names) > 1 and all(map(taken, card.facts)):
        text = f"{len(names)} medications are listed active."
        return (say.claim(text, say.computed(card, "count"), value=say.count_value(len(names))),)
    asked = _asked(ask)
    counts = [m for m in card.marks if m.computation and m.computation.op == "count"]
    of_role = [m for m in counts if all(f.details.get("role") == asked for f in m.facts)]
    mark = next(iter(of_role or counts), None)
    orders = mark.facts if mark else card.facts
    if asked and any(f.details.get("role") != asked for f in orders):
        return ()
    where = f" {card.window}" if card.window else ""
    subject = say.name(orders[-1]) if len(say.by_name(orders)) == 1 else "medication"
    word = _verb(orders[-1])
    times = f"{len(orders)} time{'s' if len(orders) != 1 else ''}"
    text = f"{subject} was {word} {times}{where}, {wording.span_of(compute.in_order(orders))}."
    return (say.claim(text, mark or _mark(card, orders[0]), value=say.count_value(len(orders))),)


def _course(fact: Fact) -> str:
    """ "Listed active, last ordered", "last given": what goes on, and what its date is of."""
    role, state = str(fact.details.get("role")), fact.details.get("taking", "")
    if role in ("administration", "dispense"):
        return f"last {_verb(fact)}"
    active = "reported as taken" if role == "statement" else "listed active"
    return f"{active if state == 'taking' else state}, last {_verb(fact)}" if state else "ordered"


def _listed(card: Card) -> tuple[Claim, ...]:
    out = []
    for mark in card.marks:
        if mark.computation and mark.computation.op == "count" and len(card.marks) > 1:
            continue
        fact = say.last(mark.facts)
        out.append(say.claim(f"{say.name(fact)}: {_course(fact)}{say.on(fact)}{_dose(fact)}.", mark))
    return tuple(out)


_BY_OP: dict[str, Callable[[Ask, Card], tuple[Claim, ...]]] = {
    "taking": _taking,
    "exists": _exists,
    "started": _started,
    "first": _started,
    "latest": _latest,
    "ended": _ended,
    "dose": _dosage,
    "reason": _reason,
    "count": _count,
    "count_by_year": _count,
    "list": _exists,
    "change": _dose_history,
    "duration": _duration,
}
