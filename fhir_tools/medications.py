"""Whether a drug is being taken: status, course length and stay together (design: active alone is not "taking").

An order counts as taken while its status is active, its course has not run out (Timing.repeat.bounds[x]), the
prescription is still valid (dispenseRequest.validityPeriod) and, for an inpatient order, its stay is not over.
A dispense or a dose given in hospital says nothing about today.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from fhir_tools import dates
from fhir_tools.types import Fact, Reference

__all__ = ["judged", "taken"]

_OVER = {
    "stopped": "stopped",
    "completed": "completed",
    "on-hold": "on hold",
    "ended": "ended",
    "cancelled": "cancelled",
    "not-taken": "not taken",
    "unknown": "status unknown",
}


def judged(facts: tuple[Fact, ...], encounters: Mapping[Reference, Fact], as_of: date) -> tuple[Fact, ...]:
    """The facts with `details["taking"]`: `taking`, or the words for why not."""
    return tuple(replace(f, details={**f.details, "taking": _state(f, encounters, as_of)}) for f in facts)


def taken(fact: Fact) -> bool:
    """Whether a judged fact says that its drug is being taken."""
    return fact.details.get("taking") == "taking"


def _state(fact: Fact, encounters: Mapping[Reference, Fact], as_of: date) -> str:
    if fact.status == "not-taken":
        return _OVER[fact.status]
    if fact.standing != "fact":
        return {"error": "entered in error", "not-done": "not given"}.get(fact.standing, fact.standing)
    if fact.details.get("role") not in ("order", "statement"):
        return "given" if fact.details.get("role") == "administration" else "dispensed"
    if fact.status in _OVER:
        return _OVER[fact.status]
    ends = fact.details.get("ends")
    if ends and dates.ends_before(ends, as_of):
        return f"course ended {dates.last_day(ends)}"
    valid = fact.details.get("valid")
    if valid and dates.ends_before(valid, as_of):
        return f"order ended {dates.last_day(valid)}"
    return _stay(fact, encounters, as_of)


def _stay(fact: Fact, encounters: Mapping[Reference, Fact], as_of: date) -> str:
    if "inpatient" not in fact.details.get("category", ()):
        return "taking"
    stay = encounters.get(fact.encounter) if fact.encounter else None
    if stay is None:
        return "taking"
    last = dates.last_day(stay.when) if stay.when else None
    over = last <= as_of if last else stay.status == "finished"
    return "stay over" if over else "taking"
