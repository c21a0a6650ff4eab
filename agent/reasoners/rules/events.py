"""What rules say of conditions, procedures, vaccines, allergies, encounters, reports, imaging, family and lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agent.reasoners.rules import say
from agent.types import Ask, Claim, Evidence
from fhir_tools import compute, conditions, dates, wording
from fhir_tools.cards.events import names
from fhir_tools.types import Card, Concept, Fact, Interval, Mark, Quantity

__all__ = ["claims"]

_DONE = {
    "immunization": "given",
    "procedure": "performed",
    "imaging": "taken",
    "report": "reported",
    "document": "written",
    "order": "ordered",
}


def claims(ask: Ask, card: Card, evidence: Evidence | None = None) -> tuple[Claim, ...]:
    """The claims that answer the question from one card of events; none where it cannot."""
    if ask.op == "describe" and card.title.endswith("of this encounter"):
        return _listed(ask, card)
    if ask.look:
        return _listed(ask, card)
    if ask.op == "order":
        return _order(ask, card, evidence)
    tell = _BY_OP.get(ask.op)
    return tell(ask, card) if tell else ()


def _exists(ask: Ask, card: Card) -> tuple[Claim, ...]:
    if card.kind == "allergy" and all(f.details.get("negation") for f in card.facts):
        return tuple(
            say.claim(f"No: {_statement(m.fact)}.", m, value=say.truth(False)) for m in card.marks[:1] if m.fact
        )
    out: list[Claim] = []
    for group in say.by_name(card.facts)[:6]:
        fact = say.last(group)
        mark = say.mark_of(card, fact)
        lead = "" if out else "Yes: "
        out.append(say.claim(f"{lead}{_statement(fact, len(group))}.", mark, value=None if out else say.truth(True)))
    return tuple(out)


def _statement(fact: Fact, number: int = 1) -> str:
    """One record in a sentence, by what kind it is."""
    match fact.kind:
        case "condition":
            return _condition(fact)
        case "allergy":
            return _allergy(fact)
        case "family":
            return f"{_relative(fact)}: {say.name(fact)}{_onset(fact)}"
        case "encounter":
            return _visit(fact)
        case "imaging":
            made = fact.details.get("made", "")
            extra = f" ({made})" if made and made.lower() not in say.name(fact).lower() else ""
            return f"{say.name(fact)}{extra} was taken{say.on(fact)}"
        case "report":
            told = wording.value_text(fact)
            return f"{say.name(fact)} was reported{say.on(fact)}{f': {told}' if told else ''}"
        case "patient":
            return f"{say.name(fact)}: {wording.value_text(fact)}"
        case "careplan" | "goal" | "device" | "order" | "social":
            value = wording.value_text(fact)
            return f"{say.name(fact)}{f': {value}' if value else ''} ({fact.status or 'recorded'}){say.on(fact)}"
    verb = _DONE.get(fact.kind, "recorded")
    reasons = names(fact.details.get("reason"))
    why = f" for {reasons}" if reasons and fact.kind == "procedure" else ""
    return f"{say.name(fact)} was {'last ' if number > 1 else ''}{verb}{say.on(fact)}{why}"


def _condition(fact: Fact) -> str:
    status = fact.details.get("clinical") or "recorded"
    end = fact.details.get("abatement")
    until = (
        f", until {end.text}"
        if isinstance(end, Interval)
        else f", ended {end}"
        if isinstance(end, str) and end != "yes"
        else ""
    )
    since = f", since {fact.when.text}" if fact.when and fact.when.text else ""
    severity = f" ({fact.details['severity']})" if fact.details.get("severity") else ""
    return (
        f"{say.name(fact)}{severity} is recorded as {status}{since}{until}"
        if status != "recorded"
        else f"{say.name(fact)}{severity} is recorded{since}{until}"
    )


def _allergy(fact: Fact) -> str:
    d = fact.details
    parts = [d.get("clinical"), *(f"{name} {d[name]}" for name in ("criticality", "reaction") if d.get(name))]
    told = ", ".join(p for p in parts if p)
    return f"{say.name(fact)} is recorded{f' ({told})' if told else ''}{say.on(fact) if fact.when else ''}"


def _relative(fact: Fact) -> str:
    relation = fact.details.get("relationship")
    return (relation.label if isinstance(relation, Concept) else "relative").capitalize()


def _onset(fact: Fact) -> str:
    onset = fact.details.get("onset")
    return f" (onset {onset})" if isinstance(onset, str) and onset and "unknown" not in onset else ""


def _visit(fact: Fact) -> str:
    d = fact.details
    reasons = names(d.get("reason"))
    told = [_CLASSES.get(str(d.get("class")), str(d.get("class", ""))), f"for {reasons}" if reasons else ""]
    extra = ", ".join(x for x in told if x and x.lower() not in say.name(fact).lower())
    return f"{say.name(fact)}{f' ({extra})' if extra else ''}, {wording.period_text(fact.when)}"


_CLASSES = {
    "AMB": "ambulatory",
    "IMP": "inpatient",
    "ACUTE": "inpatient",
    "NONAC": "inpatient",
    "EMER": "emergency",
    "HH": "home health",
    "VR": "virtual",
    "OBSENC": "observation",
    "SS": "short stay",
    "PRENC": "pre-admission",
}


def _by_role(word: str, role: str) -> Callable[[Ask, Card], tuple[Claim, ...]]:
    def tell(ask: Ask, card: Card) -> tuple[Claim, ...]:
        ordered = compute.in_order(card.facts)
        lead = "" if ask.nth else f"{word}: "
        if role == "previous" and len(ordered) < 2:
            return ()
        fact = {
            "first": ordered[0],
            "latest": ordered[-1],
            "previous": ordered[-2] if len(ordered) > 1 else ordered[-1],
        }[role]
        dated = [f for f in ordered if f.when and f.when.low]
        if role == "first" and dated:
            fact = dated[0]
        return (say.claim(f"{lead}{_statement(fact)}.", say.mark_of(card, fact), value=say.date_value(fact)),)

    return tell


def _first(ask: Ask, card: Card) -> tuple[Claim, ...]:
    if card.kind != "condition" or ask.nth:
        return _by_role("First", "first")(ask, card)
    dated = [f for f in card.facts if f.when and f.when.low]
    if not dated:
        return tuple(
            say.claim(f"{say.name(f)} is recorded without a date.", say.mark_of(card, f)) for f in card.facts[:1]
        )
    fact = compute.in_order(tuple(dated))[0]
    word = "onset" if fact.details.get("onset") else "recorded date"
    return (
        say.claim(
            f"{say.name(fact)} was first recorded{say.on(fact)} ({word}).",
            say.mark_of(card, fact),
            value=say.date_value(fact),
        ),
    )


def _count(ask: Ask, card: Card) -> tuple[Claim, ...]:
    mark = say.computed(card, "count")
    facts = mark.facts if mark else card.facts
    where = f" {card.window}" if card.window else ""
    label = say.name(facts[-1]) if len(say.by_name(facts)) == 1 and ask.targets else _NOUN.get(card.kind, card.kind)
    noun = f"{label} record" if ask.targets else label
    number = f"{len(facts)} {_plural(noun)} are" if len(facts) != 1 else f"1 {noun} is"
    text = f"{number} on record{where}, {wording.span_of(compute.in_order(facts))}."
    return (
        say.claim(
            text,
            mark or say.mark_of(card, facts[0]),
            value=say.count_value(len(facts)),
        ),
    )


_NOUN = {"imaging": "imaging study", "report": "report", "family": "family history entry"}


def _plural(noun: str) -> str:
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


def _count_by_year(ask: Ask, card: Card) -> tuple[Claim, ...]:
    mark = say.computed(card, "count_by_year")
    if mark is None or mark.computation is None:
        return _count(ask, card)
    listed = ", ".join(f"{year}: {number}" for year, number in mark.computation.result)
    return (say.claim(f"{_NOUN.get(card.kind, card.kind).capitalize()}s by year: {listed}.", mark),)


def _age_at(ask: Ask, card: Card) -> tuple[Claim, ...]:
    if card.kind == "family":
        return tuple(say.claim(f"{_statement(f)}.", say.mark_of(card, f)) for f in card.facts)
    mark = say.computed(card, "age_at")
    if mark is None or mark.computation is None or mark.computation.result is None:
        return ()
    event = mark.computation.inputs[-1]
    age = mark.computation.result
    shown = f"at least {age[0]}" if isinstance(age, tuple) else str(age)
    value = (
        None
        if isinstance(age, tuple)
        else {"kind": "number", "value": age, "unit": "a", "date": event.when.text if event.when else None}
    )
    text = (
        f"The patient was {shown} years old when {say.name(event)} was first recorded ({wording.day_text(event.when)})."
    )
    return (say.claim(text, mark, say.mark_of(card, event), value=value),)


def _status(ask: Ask, card: Card) -> tuple[Claim, ...]:
    """Whether one of the conditions meant goes on (or is over): yes with those that do, else no with the latest."""
    latest = tuple(say.last(group) for group in say.by_name(card.facts))
    fits = tuple(f for f in latest if conditions.ongoing(f) != (ask.state == "resolved"))
    told = fits or (say.last(latest),)
    return tuple(
        say.claim(
            f"{'' if i else 'Yes: ' if fits else 'No: '}{_statement(f)}.",
            say.mark_of(card, f),
            value=None if i else say.truth(bool(fits)),
        )
        for i, f in enumerate(told)
    )


def _reason(ask: Ask, card: Card) -> tuple[Claim, ...]:
    by_reason: dict[str, Fact] = {}
    for fact in compute.in_order(card.facts):
        told = names(fact.details.get("reason"))
        if told:
            by_reason[told] = fact
    if card.kind == "encounter" and by_reason:
        last = compute.in_order(tuple(by_reason.values()))[-1]
        by_reason = {names(last.details.get("reason")): last}
    verb = "was" if card.kind == "encounter" else f"was {_DONE.get(card.kind, 'recorded')}"
    return tuple(
        say.claim(
            f"{say.name(f)} {verb} for {r}{say.on(f)}.",
            say.mark_of(card, f),
            value=say.text_value(r),
        )
        for r, f in list(by_reason.items())[-5:]
    )


def _duration(ask: Ask, card: Card) -> tuple[Claim, ...]:
    stay = say.computed(card, "length_of_stay")
    if stay and stay.computation and isinstance(stay.computation.result, Quantity):
        fact = stay.computation.inputs[0]
        quantity = stay.computation.result
        text = f"{say.name(fact)} lasted {_length(quantity)} ({wording.period_text(fact.when)})."
        return (say.claim(text, stay, say.mark_of(card, fact), value=say.number_value(quantity)),)
    lasted = [m for m in card.marks if m.computation and m.computation.op == "duration"]
    return tuple(c for n, mark in enumerate(lasted) for c in _lasted(card, mark, n == 0))


def _lasted(card: Card, mark: Mark, leads: bool) -> tuple[Claim, ...]:
    """How long one condition has been recorded; the first carries the answer's value."""
    if mark.computation is None or mark.computation.result is None:
        return ()
    fact, days = mark.computation.inputs[0], mark.computation.result
    since = f"since {wording.day_text(fact.when)}"
    end = fact.details.get("abatement")
    until = f" until {end.text}" if isinstance(end, Interval) else ""
    text = f"{say.name(fact)} has been recorded for {days} days, {since}{until}."
    value = {"kind": "number", "value": days, "unit": "d", "date": None} if leads else None
    return (say.claim(text, mark, say.mark_of(card, fact), value=value),)


_UNITS = {"d": "day", "h": "hour", "min": "minute"}


def _length(quantity: Quantity) -> str:
    number = f"{quantity.value:g}"
    unit = _UNITS.get(str(quantity.code), str(quantity.unit))
    return f"{number} {unit}{'' if number == '1' else 's'}"


def _describe(ask: Ask, card: Card) -> tuple[Claim, ...]:
    fact = say.last(card.facts)
    return (say.claim(f"{_statement(fact)}.", say.mark_of(card, fact)), *_duration(ask, card))


def _listed(ask: Ask, card: Card) -> tuple[Claim, ...]:
    rows = [
        m
        for m in card.marks
        if m.facts
        and not (
            m.computation and m.computation.op in ("count", "count_by_year", "length_of_stay", "duration", "age_at")
        )
    ]
    if card.kind == "allergy" and len(rows) > 1:
        rows = [m for m in rows if not m.facts[-1].details.get("negation")] or rows
    if rows and all(m.fact for m in rows):
        rows = sorted(rows, key=lambda m: compute.when_key(m.facts[-1]), reverse=True)
    return (*_whole(card, rows), *(say.claim(f"{_grouped(m)}.", m) for m in rows))


def _whole(card: Card, rows: Sequence[Mark]) -> tuple[Claim, ...]:
    """How many there are, before a part of them: a card shows the first of many and the latest few."""
    mark = say.computed(card, "count")
    if mark is None or {f.reference for m in rows for f in m.facts} == {f.reference for f in card.facts}:
        return ()
    noun = _plural(_NOUN.get(card.kind, card.kind))
    where = f" {card.window}" if card.window else ""
    span = wording.span_of(compute.in_order(mark.facts))
    return (say.claim(f"{len(mark.facts)} {noun} are on record{where}, {span}; not all of them follow.", mark),)


def _grouped(mark: Mark) -> str:
    facts = compute.in_order(mark.facts)
    if len(facts) == 1:
        return _statement(facts[0])
    days = list(dict.fromkeys(wording.day_text(f.when) for f in facts))
    if facts[-1].kind == "imaging":
        return f"{say.name(facts[-1])} was taken {len(facts)} times: {', '.join(days)}"
    since = f", first {days[0]}" if days[0] != "undated" else ""
    return f"{_statement(facts[-1])} ({len(facts)} records{since})"


def _planned(ask: Ask, card: Card) -> tuple[Claim, ...]:
    """What is ahead, soonest first; nothing of it has happened."""
    return tuple(
        say.claim(
            f"{say.name(f)} is only planned{say.on(f)}.",
            say.mark_of(card, f),
            value=None if n else say.date_value(f),
        )
        for n, f in enumerate(compute.in_order(card.facts))
    )


def _ended(ask: Ask, card: Card) -> tuple[Claim, ...]:
    """When the last one was over: a condition's abatement, the end of a stay."""
    fact = say.last(card.facts)
    end = fact.details.get("abatement") if fact.kind == "condition" else fact.when
    day = _end_day(fact, end) if isinstance(end, Interval) else ""
    if not day:
        return (say.claim(f"{_statement(fact)}; no end is recorded.", say.mark_of(card, fact)),)
    value = say.day_value(day)
    return (say.claim(f"{_statement(fact)}.", say.mark_of(card, fact), value=value),)


def _end_day(fact: Fact, end: Interval) -> str:
    if fact.kind == "condition":
        return end.text
    last = dates.last_day(end)
    return last.isoformat() if last else ""


def _order(ask: Ask, card: Card, evidence: Evidence | None) -> tuple[Claim, ...]:
    """Which of two events was recorded first, from the first dated record of each."""
    other = next((c for c in evidence.cards if c.role == "event"), None) if evidence else None
    mine = [f for f in compute.in_order(card.facts) if f.when and f.when.low]
    theirs = [f for f in other.facts if f.when and f.when.low] if other else []
    if not mine or not theirs or not other or not ask.anchor:
        return ()
    a, b = mine[0], theirs[0]
    first = compute.when_key(a)[0], compute.when_key(b)[0]
    yes = first[0] < first[1] if ask.anchor.relation == "before" else first[0] > first[1]
    relation = "before" if first[0] < first[1] else "after" if first[0] > first[1] else "at the same time as"
    text = (
        f"{'Yes' if yes else 'No'}: {say.name(a)} was first recorded{say.on(a)}, {relation} {say.name(b)}{say.on(b)}."
    )
    return (say.claim(text, say.mark_of(card, a), say.mark_of(other, b), value=say.truth(yes)),)


_BY_OP: dict[str, Callable[[Ask, Card], tuple[Claim, ...]]] = {
    "ended": _ended,
    "exists": _exists,
    "latest": _by_role("Last", "latest"),
    "first": _first,
    "started": _first,
    "previous": _by_role("Previous", "previous"),
    "count": _count,
    "count_by_year": _count_by_year,
    "age_at": _age_at,
    "status": _status,
    "reason": _reason,
    "duration": _duration,
    "describe": _describe,
    "planned": _planned,
    "list": _listed,
    "taking": _listed,
    "on": _listed,
    "closest": _listed,
    "abnormal": _listed,
}
