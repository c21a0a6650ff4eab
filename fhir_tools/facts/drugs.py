"""Medication orders, statements, administrations and dispenses; vaccines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from fhir_tools import dates
from fhir_tools.facts.elements import (
    Resource,
    codes_of,
    concept_of,
    details_of,
    display_of,
    elements_of,
    fact_of,
    labels,
    mapping_of,
    pick,
    quantity_of,
    reasons_of,
    reference_of,
    standing_of,
    text_of,
    when_of,
)
from fhir_tools.types import (
    Concept,
    Fact,
    Interval,
    Quantity,
    Reference,
    Standing,
)

__all__ = ["ROLES", "immunization", "medication"]

_NOT_TAKEN: Mapping[str, Standing] = {
    "draft": "planned",
    "cancelled": "cancelled",
    "not-done": "not-done",
    "declined": "not-done",
    "not-taken": "not-done",
    "intended": "planned",
    "preparation": "planned",
}


ROLES = {
    "MedicationRequest": "order",
    "MedicationStatement": "statement",
    "MedicationAdministration": "administration",
    "MedicationDispense": "dispense",
}


_MEDICATION_WHEN = ("authoredOn", "whenHandedOver", "whenPrepared", "dateAsserted")


def medication(r: Resource) -> Iterator[Fact]:
    """One order, statement, administration or dispense of a drug (`role`)."""
    status = text_of(r.get("status"))
    standing = standing_of(status, _NOT_TAKEN)
    if standing == "fact" and r.get("doNotPerform") is True:
        standing = "not-done"
    if standing == "fact" and r.get("intent") in ("proposal", "plan"):
        standing = "planned"
    concept, follow = _drug(r)
    dosage = elements_of(r.get("dosageInstruction")) or elements_of(r.get("dosage"))
    when = when_of(pick(r, "effective")) or next((w for w in (when_of(r.get(k)) for k in _MEDICATION_WHEN) if w), None)
    details = details_of(
        role=ROLES[r["resourceType"]],
        intent=text_of(r.get("intent")),
        category=codes_of(r.get("category")),
        dosage=_dosage(dosage),
        dose=_dose(dosage),
        route=labels([d.get("route") for d in dosage]),
        reason=reasons_of(r),
        status_reason=labels(r.get("statusReason")),
        ends=_ends(dosage, when) if r["resourceType"] == "MedicationRequest" else when_of(r.get("effectivePeriod")),
        valid=_valid(r),
        medication=follow,
        request=reference_of(r.get("request")),
    )
    path = f"{r['resourceType']}.{'medicationReference' if follow else 'medicationCodeableConcept'}"
    yield fact_of(r, "medication", concept, path=path, standing=standing, status=status, when=when, details=details)


def _drug(r: Resource) -> tuple[Concept | None, Reference | None]:
    """The drug's concept; for a medicationReference that is not contained also what to follow."""
    link = r.get("medicationReference")
    if not isinstance(link, dict):
        return concept_of(r.get("medicationCodeableConcept")), None
    text = str(link.get("reference", ""))
    if text.startswith("#"):
        for item in elements_of(r.get("contained")):
            if item.get("id") == text[1:]:
                return concept_of(item.get("code"), display_of(link)), None
    return concept_of(None, display_of(link)), reference_of(link)


def _dosage(dosage: list[Mapping[str, Any]]) -> str:
    texts = [text_of(d.get("text")) or _frequency(d) for d in dosage]
    return "; ".join(dict.fromkeys(t for t in texts if t))


def _frequency(dosage: Resource) -> str:
    dose = _dose([dosage])
    timing = mapping_of(dosage.get("timing"))
    repeat = mapping_of(timing.get("repeat"))
    parts = [f"{dose.value:g} {dose.unit or ''}".strip()] if dose else []
    often, period = (quantity_of({"value": repeat.get(k)}) for k in ("frequency", "period"))
    if often and period:
        parts.append(f"{often.value:g} per {period.value:g} {text_of(repeat.get('periodUnit'))}".strip())
    code = labels(timing.get("code"))
    as_needed = "as needed" if dosage.get("asNeededBoolean") or dosage.get("asNeededCodeableConcept") else ""
    return " ".join(x for x in (*parts, code, as_needed) if x)


def _dose(dosage: list[Mapping[str, Any]]) -> Quantity | None:
    for item in dosage:
        for rate in (*elements_of(item.get("doseAndRate")), item):
            found = quantity_of(rate.get("doseQuantity")) or quantity_of(rate.get("dose"))
            if found:
                return found
    return None


def _ends(dosage: list[Mapping[str, Any]], start: Interval | None) -> Interval | None:
    """When the ordered course is over (Timing.repeat.bounds[x]); a supply's length is not a course's.

    A taper has a dosage for each step: the course ends with the last of them, and not at all where one is unbounded.
    """
    repeats = [mapping_of(mapping_of(d.get("timing")).get("repeat")) for d in dosage]
    ends = [_bounds(r, start) for r in repeats if r]
    known = [e for e in ends if e and e.high]
    return max(known, key=lambda e: dates.last_day(e) or date.max) if known and len(known) == len(ends) else None


def _valid(r: Resource) -> Interval | None:
    """The period in which the prescription may be filled (dispenseRequest.validityPeriod), where it has an end."""
    valid = when_of(mapping_of(r.get("dispenseRequest")).get("validityPeriod"))
    return valid if valid and valid.high else None


def _bounds(repeat: Resource, start: Interval | None) -> Interval | None:
    if "boundsPeriod" in repeat:
        return when_of(repeat["boundsPeriod"])
    length = quantity_of(repeat.get("boundsDuration")) or quantity_of(mapping_of(repeat.get("boundsRange")).get("high"))
    return dates.lasting(start, length) if length and start else None


def immunization(r: Resource) -> Iterator[Fact]:
    """One vaccination, given or (`not-done`) not."""
    status = text_of(r.get("status"))
    details = details_of(
        status_reason=labels(r.get("statusReason")),
        dose=quantity_of(r.get("doseQuantity")),
        reason=reasons_of(r),
        body_site=labels(r.get("site")),
    )
    concept = concept_of(r.get("vaccineCode"))
    standing = standing_of(status, {"not-done": "not-done"})
    yield fact_of(
        r,
        "immunization",
        concept,
        path="Immunization.occurrenceDateTime",
        standing=standing,
        status=status,
        when=when_of(pick(r, "occurrence")),
        details=details,
    )
