"""Demographics, and the age worked out from them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agent.retrieve.gather import Gather
from agent.types import Ask, Target
from fhir_tools import compute
from fhir_tools.cards import event_card
from fhir_tools.dates import Window
from fhir_tools.facts import facts_of
from fhir_tools.types import Card, Fact, Interval, Search

__all__ = ["age_text", "birth_of", "person"]


async def person(gather: Gather, ask: Ask) -> tuple[Card, ...]:
    """The card of one element of the Patient resource; none, with its proof, where it is empty."""
    facts = facts_of(gather.chart.person)
    name = "date of birth" if ask.attribute == "age" else ask.attribute
    chosen = tuple(f for f in facts if f.concept.label == name)
    query = str(gather.query("Patient"))
    gather.searched[query] = Search(query=query, found=1)
    if not chosen:
        await gather.absence(Target(words=ask.attribute, label=ask.attribute, kinds=("patient",)))
        return ()
    computed = _age(gather, chosen, facts, ask.window) if ask.attribute == "age" else ()
    return (event_card(gather.marks, chosen, title="Patient", computed=computed, names=(name, "patient", "age")),)


def _age(
    gather: Gather, birth: tuple[Fact, ...], facts: tuple[Fact, ...], asked: Window | None
) -> tuple[tuple[Any, str], ...]:
    """The age on the day that is asked about, else at death, else now. Nobody grows older after death."""
    died = tuple(
        replace(f, when=f.value)
        for f in facts
        if f.path == "Patient.deceasedDateTime" and isinstance(f.value, Interval)
    )
    day = asked.low if asked and asked.low else gather.chart.as_of
    if asked and not any(f.when and f.when.day and f.when.day <= day for f in died):
        died = ()
    age = compute.compute("age", (*birth, *died), at=None if died else day)
    return ((age, f"age {'at death' if died else f'on {day}'}: {age_text(age.result)}"),)


def age_text(age: Any) -> str:
    """`42 years`, or the least that it can be where the birth date is imprecise."""
    return f"at least {age[0]} years" if isinstance(age, tuple) else f"{age} years"


def birth_of(gather: Gather) -> Fact | None:
    """The birth date as a fact."""
    return next((f for f in facts_of(gather.chart.person) if f.path == "Patient.birthDate"), None)
