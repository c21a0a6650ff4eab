"""Facts and searches of a chart as all its readers need them: what counts, when it was, and how it is asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from fhir_tools import wording
from fhir_tools.dates import Window
from fhir_tools.facts import KIND_TYPES
from fhir_tools.types import Concept, Fact, Reference

__all__ = ["CODE_PARAMETER", "MOST_CODES", "by_ids", "grouped", "usable", "with_reasons", "within"]

CODE_PARAMETER = {
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
"""The parameter that finds records of a type by their concept's code, its parts' codes included."""

MOST_CODES = 40
"""Codes or ids in one search: what is longer is asked for without them, or in several."""

_LINKED = frozenset(t for types in KIND_TYPES.values() for t in types) - {"Patient"}
"""Types that a reason or a stay may be of, and that are searched by patient."""


def by_ids(links: Collection[Reference]) -> tuple[tuple[str, tuple[str, str]], ...]:
    """The types and `_id` parameters that bring what is referred to, many at once."""
    by_type: dict[str, list[str]] = {}
    for link in sorted(links, key=str):
        if link.type in _LINKED:
            by_type.setdefault(link.type, []).append(link.id)
    return tuple(
        (name, ("_id", ",".join(ids[i : i + MOST_CODES])))
        for name, ids in by_type.items()
        for i in range(0, len(ids), MOST_CODES)
    )


def with_reasons(fact: Fact, linked: Mapping[Reference, Fact]) -> Fact:
    """The fact with its reasons as concepts, each once; a reference that leads nowhere is none."""
    told = fact.details.get("reason", ())
    reasons = [linked[r].concept if isinstance(r, Reference) and r in linked else r for r in told]
    known = {x.label.lower(): x for x in reasons if isinstance(x, Concept)}
    return replace(fact, details={**fact.details, "reason": tuple(known.values())}) if told else fact


def usable(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Those that are facts: not in error, refuted, planned, cancelled, not done or unconfirmed."""
    return tuple(f for f in facts if f.standing == "fact")


def within(facts: Iterable[Fact], window: Window | None) -> tuple[Fact, ...]:
    """Those that begin in the window; undated ones are in none."""
    return tuple(f for f in facts if window is None or (f.when is not None and window.starts_in(f.when)))


def grouped(facts: Iterable[Fact]) -> tuple[tuple[Fact, ...], ...]:
    """The facts by what they are about (and in a family by whom), in order of first appearance."""
    groups: dict[tuple[str, str], list[Fact]] = {}
    for fact in facts:
        relation = fact.details.get("relationship")
        whose = relation.label if isinstance(relation, Concept) else ""
        groups.setdefault((wording.label(fact.concept).lower(), whose), []).append(fact)
    return tuple(tuple(g) for g in groups.values())
