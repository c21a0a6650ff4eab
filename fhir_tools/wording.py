"""How a fact is put in few words, the same in cards, citations, claims and summaries."""

from __future__ import annotations

from collections.abc import Mapping

from fhir_tools import dates, units
from fhir_tools.types import Components, Concept, Fact, Interval, Kind, Missing, Quantity, Value

__all__ = [
    "KIND_WORDS",
    "SYSTEMS",
    "day_text",
    "describe",
    "is_blood_pressure",
    "label",
    "period_text",
    "pressures",
    "quantity_text",
    "span_of",
    "unmarked",
    "value_text",
]

SYSTEMS: Mapping[str | None, str] = {
    "http://snomed.info/sct": "SNOMED",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm",
    "http://hl7.org/fhir/sid/icd-10-cm": "ICD-10-CM",
    "http://hl7.org/fhir/sid/cvx": "CVX",
    "http://loinc.org": "LOINC",
}
"""What a reader calls the code systems that most charts use."""
KIND_WORDS: Mapping[Kind, str] = {
    "measurement": "results and vital signs", "social": "social history", "condition": "conditions",
    "medication": "medications", "allergy": "allergies", "immunization": "immunizations", "procedure": "procedures",
    "imaging": "imaging studies", "report": "reports", "document": "notes", "encounter": "encounters",
    "family": "family history", "order": "orders", "careplan": "care plans", "goal": "goals", "device": "devices",
    "patient": "the patient's own record",
}  # fmt: skip
"""What the records of a kind are called, many together."""

_SYSTOLIC = frozenset(("8480-6", "8459-0", "8460-8", "8461-6"))
_DIASTOLIC = frozenset(("8462-4", "8453-3", "8454-1", "8455-8"))
"""LOINC codes of the two parts of a blood pressure: in general, sitting, standing, supine."""
_SEMANTIC_TAGS = (
    "(disorder)",
    "(procedure)",
    "(finding)",
    "(situation)",
    "(regime/therapy)",
    "(event)",
    "(morphologic abnormality)",
)


def label(concept: Concept) -> str:
    """The chart's own label without SNOMED CT's semantic tag, which tells a reader nothing."""
    return unmarked(concept.label)


def unmarked(label: str) -> str:
    """A label without SNOMED CT's semantic tag."""
    text = label
    for tag in _SEMANTIC_TAGS:
        text = text.removesuffix(tag)
    return text.strip() or label


def day_text(interval: Interval | None) -> str:
    """The date as precisely as the chart has it; `undated` without one."""
    return interval.text if interval and interval.text else "undated"


def period_text(interval: Interval | None) -> str:
    """`2019-03-02 to 2019-03-06`, one date where both are the same, `since …` where the end is open."""
    if not interval or not interval.low:
        return day_text(interval)
    if interval.high is None:
        return f"since {interval.text}"
    last = (dates.last_day(interval) or interval.high.date()).isoformat()[: len(interval.text)]
    return interval.text if last <= interval.text else f"{interval.text} to {last}"


def quantity_text(quantity: Quantity) -> str:
    """`6.9 %`, `<0.5 ng/mL`: the digits that mean something, and the unit as the chart writes it."""
    unit = quantity.unit or quantity.code or ""
    unit = "" if unit.startswith("{") or unit == "1" else unit
    return f"{quantity.comparator or ''}{units.show_number(quantity.value)} {unit}".strip()


def is_blood_pressure(fact: Fact) -> bool:
    """Whether the fact is a panel with a systolic and a diastolic component."""
    return bool(pressures(fact))


def pressures(fact: Fact) -> tuple[Fact, ...]:
    """The systolic and the diastolic component of a blood pressure; empty for anything else."""
    if not isinstance(fact.value, Components):
        return ()
    found: dict[str, Fact] = {}
    for part in fact.value.parts:
        codes = {c.code for c in part.concept.codings}
        if isinstance(part.value, Quantity):
            if codes & _SYSTOLIC:
                found["systolic"] = part
            elif codes & _DIASTOLIC:
                found["diastolic"] = part
    return (found["systolic"], found["diastolic"]) if len(found) == 2 else ()


def value_text(fact: Fact) -> str:
    """The value in words: `152/92 mm[Hg]` for a blood pressure; empty where there is none."""
    parts = [p.value for p in pressures(fact) or () if isinstance(p.value, Quantity)]
    if parts:
        top, bottom = (f"{p.comparator or ''}{units.show_number(round(p.value))}" for p in parts)
        return f"{top}/{bottom} {parts[0].unit or parts[0].code or ''}".strip()
    return _plain(fact.value)


def _plain(value: Value | None) -> str:
    match value:
        case Quantity():
            return quantity_text(value)
        case Concept():
            return label(value)
        case Missing():
            return f"no value ({value.reason})"
        case Interval():
            return day_text(value)
        case bool():
            return "yes" if value else "no"
        case Components():
            return "; ".join(f"{label(p.concept)} {_plain(p.value)}".strip() for p in value.parts)
        case _:
            return value or ""


def describe(fact: Fact) -> str:
    """One line for a citation: date, what, value, and a status that changes how it is read."""
    told = [day_text(fact.when), label(fact.concept), value_text(fact)]
    if fact.standing != "fact":
        told.append(f"({_STANDING[fact.standing]})")
    elif fact.status and fact.status not in ("final", "finished", "completed", "available", "current"):
        told.append(f"({fact.status})")
    if fact.kind == "family" and isinstance(fact.details.get("relationship"), Concept):
        told.append(f"({fact.details['relationship'].label})")
    return " ".join(t for t in told if t and t != "undated") or label(fact.concept)


_STANDING = {
    "error": "entered in error",
    "refuted": "refuted",
    "planned": "planned",
    "cancelled": "cancelled",
    "not-done": "not done",
    "unconfirmed": "unconfirmed",
}


def span_of(facts: tuple[Fact, ...]) -> str:
    """First and last date of facts in time order: `2009-05-02 to 2019-03-02`."""
    days = [f.when.text for f in facts if f.when and f.when.text]
    if not days:
        return "undated"
    return days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
