"""Small pieces of sentences and values that the rules share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.types import Claim
from fhir_tools import compute, units, wording
from fhir_tools.types import Card, Concept, Fact, Mark, Quantity

__all__ = [
    "by_name",
    "claim",
    "computed",
    "count_value",
    "date_value",
    "day_value",
    "last",
    "mark_of",
    "name",
    "number_value",
    "on",
    "role",
    "text_value",
    "truth",
    "value_of",
]


def name(fact: Fact) -> str:
    """The chart's label of what the fact is about."""
    return wording.label(fact.concept)


def on(fact: Fact) -> str:
    """` on 2019-03-02`, ` in 2019` for a coarser date, nothing for an undated fact."""
    if not fact.when or not fact.when.text:
        return " (undated)"
    return f" {'on' if fact.when.precision in ('day', 'time') else 'in'} {fact.when.text}"


def role(card: Card, name: str) -> Mark | None:
    """The card's mark with a role."""
    return next((m for m in card.marks if name in m.roles and m.fact), None)


def mark_of(card: Card, fact: Fact) -> Mark | None:
    """The card's own mark of a fact."""
    return next(
        (m for m in card.marks if m.fact and m.fact.reference == fact.reference and m.fact.path == fact.path), None
    )


def computed(card: Card, op: str) -> Mark | None:
    """The card's first computation of a kind."""
    return next((m for m in card.marks if m.computation and m.computation.op == op), None)


def last(facts: tuple[Fact, ...]) -> Fact:
    """The latest of the facts; undated ones count as the oldest."""
    return compute.in_order(facts)[-1]


def by_name(facts: tuple[Fact, ...]) -> tuple[tuple[Fact, ...], ...]:
    """The facts by what they are about, in order of first appearance."""
    groups: dict[str, list[Fact]] = {}
    for fact in facts:
        groups.setdefault(name(fact).lower(), []).append(fact)
    return tuple(tuple(g) for g in groups.values())


def claim(text: str, *marks: Mark | None, value: Mapping[str, Any] | None = None) -> Claim:
    """A claim with the ids of its marks, each once."""
    return Claim(text=text, marks=tuple(dict.fromkeys(m.id for m in marks if m)), value=value)


def number_value(quantity: Quantity, when: str | None = None) -> dict[str, Any] | None:
    """A quantity as the answer's value; a comparator makes it text, because it is not that number."""
    unit = units.canonical(quantity.unit, quantity.code) or quantity.code or quantity.unit
    if quantity.comparator:
        return {"kind": "text", "value": wording.quantity_text(quantity), "unit": unit, "date": when}
    return {"kind": "number", "value": quantity.value, "unit": unit, "date": when}


def value_of(fact: Fact) -> dict[str, Any] | None:
    """What a fact holds as the answer's value."""
    when = fact.when.text if fact.when else None
    if isinstance(fact.value, Quantity):
        return number_value(fact.value, when)
    text = wording.value_text(fact)
    return text_value(text, when) if text or isinstance(fact.value, Concept | str) else None


def date_value(fact: Fact) -> dict[str, Any] | None:
    """When a fact was as the answer's value; None for an undated one."""
    return day_value(fact.when.text) if fact.when and fact.when.text else None


def day_value(day: str) -> dict[str, Any]:
    """A day (`2019-03-02`, or coarser) as the answer's value."""
    return {"kind": "date", "value": day, "unit": None, "date": day}


def text_value(text: str, when: str | None = None) -> dict[str, Any]:
    """A text as the answer's value."""
    return {"kind": "text", "value": text, "unit": None, "date": when}


def count_value(number: int) -> dict[str, Any]:
    """A count as the answer's value; it has no unit."""
    return {"kind": "number", "value": number, "unit": None, "date": None}


def truth(value: bool) -> dict[str, Any]:
    """Yes or no as the answer's value."""
    return {"kind": "bool", "value": value, "unit": None, "date": None}
