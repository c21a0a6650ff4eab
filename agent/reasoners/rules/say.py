"""Small pieces of sentences and values that the rules share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.types import Claim
from fhir_tools import units, wording
from fhir_tools.types import Card, Concept, Fact, Mark, Quantity

__all__ = ["claim", "computed", "date_value", "mark_of", "name", "number_value", "on", "role", "truth"]


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
    return next((m for m in card.marks if m.fact and m.fact.reference == fact.reference and m.fact.path == fact.path), None)


def computed(card: Card, op: str) -> Mark | None:
    """The card's first computation of a kind."""
    return next((m for m in card.marks if m.computation and m.computation.op == op), None)


def claim(text: str, *marks: Mark | None, value: Mapping[str, Any] | None = None) -> Claim:
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
    if isinstance(fact.value, Concept | str):
        return {"kind": "text", "value": wording.value_text(fact), "unit": None, "date": when}
    text = wording.value_text(fact)
    return {"kind": "text", "value": text, "unit": None, "date": when} if text else None


def date_value(fact: Fact) -> dict[str, Any] | None:
    return {"kind": "date", "value": fact.when.text, "unit": None, "date": fact.when.text} if fact.when and fact.when.text else None


def truth(value: bool, when: str | None = None) -> dict[str, Any]:
    return {"kind": "bool", "value": value, "unit": None, "date": when}
