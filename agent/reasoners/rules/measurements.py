"""What rules say of a measurement card."""

from __future__ import annotations

import re
from collections.abc import Callable

from agent.reasoners.rules import say
from agent.types import Ask, Claim
from fhir_tools import compute, units, wording
from fhir_tools.cards.measurement import numbers_of
from fhir_tools.types import Card, Concept, Fact, Mark, Missing, Quantity

__all__ = ["claims"]

_ROLES = {
    "latest": "latest",
    "first": "first",
    "started": "first",
    "highest": "highest",
    "lowest": "lowest",
    "previous": "previous",
}


def claims(ask: Ask, card: Card) -> tuple[Claim, ...]:
    """The claims that answer the question from one measurement's card; none where it cannot."""
    if card.title.startswith(("latest of each", "abnormal")):
        return () if ask.op == "count" else _each(card)
    told = _told(card)
    if not told:
        return _without_value(card)
    filtered = ask.expects == "date" or ask.op in ("count", "list")
    if ask.threshold and filtered and f"{ask.threshold[1]:g}" not in card.window.split():
        return _none_beyond(ask, *ask.threshold[:2], card)
    if ask.threshold and not filtered:
        return _threshold(ask.op if ask.op in ("highest", "lowest") else "latest", *ask.threshold[:2], card)
    if ask.nth and ask.op not in ("compare", "change"):
        return _point(say.role(card, "latest"), ask)
    tell = _BY_OP.get(ask.op)
    return tell(ask, card) if tell else ()


def _told(card: Card) -> tuple[Fact, ...]:
    return tuple(f for f in card.facts if f.value is not None and not isinstance(f.value, Missing))


def _each(card: Card) -> tuple[Claim, ...]:
    return tuple(say.claim(f"{_statement(m.fact)}.", m) for m in card.marks if m.fact)


def _statement(fact: Fact) -> str:
    status = f" ({fact.status})" if fact.status not in ("final", "amended", "corrected", "") else ""
    flag = f" ({fact.details['interpretation']})" if fact.details.get("interpretation") else ""
    return f"{say.name(fact)} was {wording.value_text(fact)}{flag}{say.on(fact)}{status}"


def _when(fact: Fact) -> str:
    return f"{wording.value_text(fact)}{say.on(fact)}"


def _yes(yes: bool) -> str:
    return "Yes" if yes else "No"


def _point(mark: Mark | None, ask: Ask, lead: str = "") -> tuple[Claim, ...]:
    if mark is None or mark.fact is None:
        return ()
    value = say.date_value(mark.fact) if ask.expects == "date" else say.value_of(mark.fact)
    return (say.claim(f"{lead}{_statement(mark.fact)}.", mark, value=value),)


def _latest(ask: Ask, card: Card) -> tuple[Claim, ...]:
    if ask.n and ask.n > 1:
        return _last_few(ask, card)
    mark = say.role(card, "latest")
    yes = _holds(ask, mark)
    yes = _is_normal(ask, mark) if yes is None else yes
    if yes is not None and mark and mark.fact:
        return (say.claim(f"{'Yes' if yes else 'No'}: {_statement(mark.fact)}.", mark, value=say.truth(yes)),)
    later = [c for c in _without_value(card) if mark and mark.fact and _is_later(card, c, mark.fact)]
    return (*_point(mark, ask, _lead("Latest", card)), *_same_time(card, mark), *later)


def _is_later(card: Card, claim: Claim, fact: Fact) -> bool:
    """Whether the record that a claim cites is dated after the fact: a newer result that came to nothing is told."""
    cited = next((m.fact for m in card.marks if m.id in claim.marks and m.fact), None)
    return cited is not None and compute.when_key(cited) > compute.when_key(fact)


def _is_normal(ask: Ask, mark: Mark | None) -> bool | None:
    """Whether the latest result is flagged normal, where that is asked and the chart flags it."""
    asked = re.search(r"\b(ab)?normal\b", ask.question.lower())
    flag = str(mark.fact.details.get("interpretation", "")).lower() if mark and mark.fact else ""
    if not asked or not flag or ask.expects != "bool":
        return None
    return (flag in ("n", "normal")) != bool(asked[1])


_NO = re.compile(r"\b(never|former|ex|non|not|quit|no|negative|absent)\b")
_YES = re.compile(r"\b(current|every day|daily|some days|smoker|yes|positive|present|heavy|light)\b")


def _holds(ask: Ask, mark: Mark | None) -> bool | None:
    """Whether a coded status says yes to "is she a smoker?"; None where the words do not decide it."""
    if (
        mark is None
        or mark.fact is None
        or not isinstance(mark.fact.value, Concept)
        or not _SMOKING.search(ask.question)
    ):
        return None
    told = wording.value_text(mark.fact).lower().replace("-", " ")
    return False if _NO.search(told) else True if _YES.search(told) else None


_SMOKING = re.compile(
    r"^(?!.*\b(?:status|what|which|entry)\b).*(?:\bsmoker\b|\b(does|is|do|did)\b.*\bsmok(e|ing)\b)", re.IGNORECASE
)


def _lead(word: str, card: Card) -> str:
    return f"{word}: " if not card.window else f"{word} {card.window}: "


def _same_time(card: Card, mark: Mark | None) -> tuple[Claim, ...]:
    """Other results with the very time of this one: told, because either could be meant."""
    if not mark or not mark.fact or not mark.fact.when or mark.fact.when.precision != "time":
        return ()
    twins = [f for f in _told(card) if f.when == mark.fact.when and f.reference != mark.fact.reference]
    return tuple(
        say.claim(f"At the same time, {_statement(f)}.", say.mark_of(card, f))
        for f in twins[-2:]
        if say.mark_of(card, f)
    )


def _last_few(ask: Ask, card: Card) -> tuple[Claim, ...]:
    chosen = _told(card)[-(ask.n or 1) :]
    return tuple(say.claim(f"{_statement(f)}.", say.mark_of(card, f)) for f in reversed(chosen) if say.mark_of(card, f))


def _by_role(word: str) -> Callable[[Ask, Card], tuple[Claim, ...]]:
    def tell(ask: Ask, card: Card) -> tuple[Claim, ...]:
        return _point(say.role(card, _ROLES[ask.op]), ask, _lead(word, card))

    return tell


def _previous(ask: Ask, card: Card) -> tuple[Claim, ...]:
    told = _told(card)
    back = (ask.n or 1) + 1
    if len(told) < back:
        return ()
    return _point(
        say.role(card, "previous") if back == 2 else say.mark_of(card, told[-back]),
        ask,
        "Before that: " if back > 2 else "Previous: ",
    )


def _none_beyond(ask: Ask, sign: str, limit: float, card: Card) -> tuple[Claim, ...]:
    """None of the results passes the limit: the extreme shows it."""
    mark = say.role(card, "lowest" if sign == "<" else "highest")
    if mark is None or mark.fact is None:
        return ()
    word, side = ("lowest", "below") if sign == "<" else ("highest", "above")
    extreme = f"the {word} was {wording.value_text(mark.fact)}{say.on(mark.fact)}"
    text = f"No {say.name(mark.fact)} result is {side} {units.show_number(limit)}: {extreme}."
    return (say.claim(text, mark, value=say.count_value(0) if ask.op == "count" else None),)


def _range(ask: Ask, card: Card) -> tuple[Claim, ...]:
    return (
        *_point(say.role(card, "lowest"), ask, _lead("Lowest", card)),
        *_point(say.role(card, "highest"), ask, _lead("Highest", card)),
    )


def _count(ask: Ask, card: Card) -> tuple[Claim, ...]:
    mark = say.computed(card, "count")
    told = _told(card)
    where = f" {card.window}" if card.window else ""
    results = "results are" if len(told) != 1 else "result is"
    text = f"{len(told)} {say.name(told[-1])} {results} recorded{where}, {wording.span_of(told)}."
    return (say.claim(text, mark, value=say.count_value(len(told))),)


def _count_by_year(ask: Ask, card: Card) -> tuple[Claim, ...]:
    mark = say.computed(card, "count_by_year")
    if mark is None or mark.computation is None:
        return _count(ask, card)
    listed = ", ".join(f"{year}: {number}" for year, number in mark.computation.result)
    return (say.claim(f"{say.name(_told(card)[-1])} results by year: {listed}.", mark),)


def _mean(ask: Ask, card: Card) -> tuple[Claim, ...]:
    told = _told(card)
    where = f" {card.window}" if card.window else ""
    means = [m for m in card.marks if m.computation and m.computation.op == "mean" and m.computation.result]
    if not means:
        return _point(say.role(card, "latest"), ask, f"First and latest{where}: ") if len(told) == 1 else ()
    out = []
    for mark in means:
        quantity: Quantity = mark.computation.result  # type: ignore[union-attr]
        # a result with a comparator has no number to average: what is left is told as that
        every = len({f.reference for f in mark.facts}) == len(told)
        lead = "Mean" if every else "Mean of the exact results,"
        # beside results without a value their number could be read as that of all
        tail = f" ({len(mark.facts)} results)" if every and len(told) == len(card.facts) else ""
        text = f"{lead} {say.name(mark.facts[-1])}{where} is {wording.quantity_text(quantity)}{tail}."
        out.append(say.claim(text, mark, value=say.number_value(quantity)))
    return tuple(out)


def _change(ask: Ask, card: Card) -> tuple[Claim, ...]:
    mark = say.computed(card, "change")
    if mark is None or mark.computation is None:
        return ()
    first, last = mark.computation.inputs
    quantity: Quantity = mark.computation.result
    sign = "" if quantity.value < 0 else "+"
    text = (
        f"{say.name(last)} changed by {sign}{wording.quantity_text(quantity)}, "
        f"from {_amount(first, last)}{say.on(first)} to {_amount(last, last)}{say.on(last)}."
    )
    value = say.number_value(quantity)
    return (say.claim(text, mark, *(say.mark_of(card, f) for f in _wholes(card, (first, last))), value=value),)


def _wholes(card: Card, facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
    return tuple(next((f for f in card.facts if f.reference == x.reference), x) for x in facts)


def _amount(fact: Fact, last: Fact) -> str:
    """The value; without its unit where that is the unit of the change, which has been told."""
    if not isinstance(fact.value, Quantity):
        return wording.value_text(fact)
    same = isinstance(last.value, Quantity) and fact.value.unit == last.value.unit
    return units.show_number(fact.value.value) if same else wording.quantity_text(fact.value)


_COMPARE = re.compile(
    r"\W*(?:please |can you |how does )?(?:\w+ ){0,2}?compar(?:e|ing)\b"
    r"|.*\b(?:which|up or down|(?:higher|lower) or (?:higher|lower)|better or worse"
    r"|(?:ris|fall)ing or (?:ris|fall)ing)\b",
    re.IGNORECASE | re.DOTALL,
)
"""A question that wants the two told, not yes or no."""


def _compare(ask: Ask, card: Card) -> tuple[Claim, ...]:
    latest, previous = say.role(card, "latest"), say.role(card, "previous")
    if not latest or not previous or not latest.fact or not previous.fact:
        return ()
    course = compute.series((numbers_of(previous.fact), numbers_of(latest.fact)))
    if len(course.points) != 2:
        return ()
    before, after = course.points[0][1], course.points[1][1]
    direction = ask.direction or "higher"
    yes = {"higher": after > before, "lower": after < before, "different": after != before}[direction]
    relation = "higher than" if after > before else "lower than" if after < before else "the same as"
    which, other = ("", "one") if ask.against or ask.nth else ("the latest ", "previous one")
    lead = f"{_yes(yes)}: " if ask.direction and not _COMPARE.match(ask.question) else ""
    text = (
        f"{lead}{which if lead else which.capitalize()}{say.name(latest.fact)}, {_when(latest.fact)}, "
        f"is {relation} the {other}, {_when(previous.fact)}."
    )
    return (say.claim(text, latest, previous, value=say.truth(yes) if lead else None),)


def _interval(ask: Ask, card: Card) -> tuple[Claim, ...]:
    """How far apart the last two results are."""
    mark = say.computed(card, "duration")
    if mark is None or mark.computation is None:
        return ()
    first, last = mark.computation.inputs
    days = mark.computation.result
    text = (
        f"{say.name(last)} was recorded {days} day{'' if days == 1 else 's'} apart,{say.on(first)} and{say.on(last)}."
    )
    value = {"kind": "number", "value": days, "unit": "d", "date": None}
    return (say.claim(text, mark, say.mark_of(card, first), say.mark_of(card, last), value=value),)


def _trend(ask: Ask, card: Card) -> tuple[Claim, ...]:
    told = _told(card)
    if len(told) == 1:
        return _point(say.role(card, "latest"), ask, "First and latest: ")
    words: dict[str, list[str]] = {}
    for name in ("first", "latest", "highest", "lowest"):
        mark = say.role(card, name)
        if mark:
            words.setdefault(mark.id, []).append(name)
    by_id = {m.id: m for m in card.marks}
    claims = [c for i, names in words.items() for c in _point(by_id[i], ask, f"{' and '.join(names).capitalize()}: ")]
    change = _change(ask, card)
    return (*claims, *change)


def _on(ask: Ask, card: Card) -> tuple[Claim, ...]:
    told = _told(card)
    if len(told) == 1:
        return _point(say.role(card, "latest"), ask)
    shown = [f for f in told if say.mark_of(card, f)]
    if len(shown) == len(told) <= 4:
        return tuple(say.claim(f"{_statement(f)}{_clock(f)}.", say.mark_of(card, f)) for f in told)
    return (
        *_count(ask, card),
        *_point(say.role(card, "highest"), ask, "Highest: "),
        *_point(say.role(card, "lowest"), ask, "Lowest: "),
    )


def _clock(fact: Fact) -> str:
    return f" at {fact.when.low:%H:%M}" if fact.when and fact.when.low and fact.when.precision == "time" else ""


def _list(ask: Ask, card: Card) -> tuple[Claim, ...]:
    told = _told(card)
    shown = [f for f in told if say.mark_of(card, f)]
    if len(shown) == len(told):
        return tuple(say.claim(f"{_statement(f)}.", say.mark_of(card, f)) for f in reversed(told))
    return (*_count(ask, card), *_trend(ask, card))


def _exists(ask: Ask, card: Card) -> tuple[Claim, ...]:
    latest = say.role(card, "latest")
    if latest is None or latest.fact is None:
        return ()
    return (say.claim(f"Yes: {_statement(latest.fact)}.", latest, value=say.truth(True)),)


def _threshold(word: str, sign: str, limit: float, card: Card) -> tuple[Claim, ...]:
    """Whether the latest, highest or lowest result (`word`) passes the limit."""
    mark = say.role(card, word)
    fact = numbers_of(mark.fact) if mark and mark.fact else None
    if not mark or not mark.fact or not fact or not isinstance(fact.value, Quantity) or fact.value.comparator:
        return ()
    number = fact.value.value
    yes = number > limit if sign == ">" else number >= limit if sign == ">=" else number < limit
    relation = "above" if number > limit else "below" if number < limit else "equal to"
    text = (
        f"{_yes(yes)}: the {word} {say.name(mark.fact)}, {_when(mark.fact)}, is {relation} {units.show_number(limit)}."
    )
    return (say.claim(text, mark, value=say.truth(yes)),)


def _abnormal(ask: Ask, card: Card) -> tuple[Claim, ...]:
    latest = say.role(card, "latest")
    if latest is None or latest.fact is None or not latest.fact.details.get("interpretation"):
        return ()
    return _point(latest, ask, "Latest: ")


def _without_value(card: Card) -> tuple[Claim, ...]:
    marks = [m for m in card.marks if m.fact and isinstance(m.fact.value, Missing)]
    return tuple(
        say.claim(f"{say.name(m.fact)} has no value{say.on(m.fact)}: {m.fact.value.reason}.", m)
        for m in marks[-1:]
        if m.fact and isinstance(m.fact.value, Missing)
    )


_BY_OP: dict[str, Callable[[Ask, Card], tuple[Claim, ...]]] = {
    "latest": _latest,
    "when": _latest,
    "first": _by_role("First"),
    "started": _by_role("First"),
    "highest": _by_role("Highest"),
    "lowest": _by_role("Lowest"),
    "previous": _previous,
    "range": _range,
    "count": _count,
    "count_by_year": _count_by_year,
    "mean": _mean,
    "change": _change,
    "compare": _compare,
    "trend": _trend,
    "on": _on,
    "list": _list,
    "exists": _exists,
    "interval": _interval,
    "abnormal": _abnormal,
    "closest": lambda ask, card: _point(say.role(card, "closest"), ask, "Closest: "),
}
