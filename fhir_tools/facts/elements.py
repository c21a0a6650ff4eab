"""FHIR elements read leniently: a wrong shape reads as absent, and nothing raises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fhir_tools import dates
from fhir_tools.types import Coding, Concept, Fact, Interval, Kind, Missing, Quantity, Reference, Standing, Value

__all__ = [
    "Details",
    "Resource",
    "age_or_text",
    "bounds",
    "code_of",
    "codes_of",
    "concept_of",
    "details_of",
    "display_of",
    "fact_of",
    "first_concept",
    "elements_of",
    "labels",
    "pick",
    "quantity_of",
    "reasons_of",
    "reference_of",
    "references_of",
    "standing_of",
    "text_of",
    "value_of",
    "when_of",
]

Resource = Mapping[str, Any]


Details = dict[str, Any]


def elements_of(value: Any) -> list[Mapping[str, Any]]:
    if isinstance(value, dict):
        return [value]
    return [x for x in value if isinstance(x, dict)] if isinstance(value, list) else []


def text_of(value: Any) -> str:
    return " ".join(value.replace("\u200b", "").split()) if isinstance(value, str) else ""


def concept_of(value: Any, fallback: str = "") -> Concept | None:
    if not isinstance(value, dict):
        return Concept(label=fallback) if fallback else None
    codings = tuple(
        Coding(system=c.get("system"), code=str(c["code"]), display=text_of(c.get("display")) or None)
        for c in elements_of(value.get("coding"))
        if c.get("code")
    )
    shown = next((c.display for c in codings if c.display), "")
    displays = shown or next(
        (text_of(c.get("display")) for c in elements_of(value.get("coding")) if c.get("display")), ""
    )
    label = text_of(value.get("text")) or displays or fallback or (codings[0].code if codings else "")
    return Concept(label=label, codings=codings) if label else None


def first_concept(value: Any, fallback: str = "") -> Concept | None:
    found = elements_of(value)
    return concept_of(found[0] if found else None, fallback)


def labels(value: Any) -> str:
    return ", ".join(c.label for c in map(concept_of, elements_of(value)) if c)


def code_of(value: Any) -> str:
    for item in elements_of(value):
        for coding in elements_of(item.get("coding")):
            if coding.get("code"):
                return str(coding["code"])
        if item.get("text"):
            return text_of(item["text"]).lower()
    return ""


def codes_of(value: Any) -> tuple[str, ...]:
    return tuple(
        str(c["code"]) for item in elements_of(value) for c in elements_of(item.get("coding")) if c.get("code")
    )


def reference_of(value: Any) -> Reference | None:
    text = value.get("reference") if isinstance(value, dict) else None
    if not isinstance(text, str) or text.startswith(("#", "urn:")):
        return None
    try:
        return Reference.parse(text)
    except ValueError:
        return None


def references_of(value: Any) -> tuple[Reference, ...]:
    return tuple(r for r in map(reference_of, elements_of(value)) if r)


def display_of(value: Any) -> str:
    return text_of(value.get("display")) if isinstance(value, dict) else ""


def when_of(value: Any) -> Interval | None:
    """A date, dateTime, instant or Period; None where it cannot be read."""
    try:
        if isinstance(value, str):
            return dates.parse(value)
        if isinstance(value, dict) and ("start" in value or "end" in value):
            return dates.period(value)
        if isinstance(value, dict) and value.get("event"):
            return dates.parse(value["event"][0])
    except (ValueError, TypeError):
        return None
    return None


def quantity_of(value: Any) -> Quantity | None:
    if not isinstance(value, dict) or isinstance(value.get("value"), bool):
        return None
    number = value.get("value")
    if not isinstance(number, int | float):
        return None
    ucum = value.get("system") in (None, "http://unitsofmeasure.org")
    code = value.get("code") if ucum else None
    return Quantity(
        value=number, unit=value.get("unit") or value.get("code"), code=code, comparator=value.get("comparator")
    )


def bounds(low: Any, high: Any) -> str:
    a, b = quantity_of(low), quantity_of(high)
    unit = next((q.unit for q in (a, b) if q and q.unit), "")
    number = f"{a.value:g}-{b.value:g}" if a and b else f">={a.value:g}" if a else f"<={b.value:g}" if b else ""
    return f"{number} {unit}".strip()


def value_of(r: Resource) -> tuple[str, Value | None]:
    """The value[x] element's name and what it holds; a dataAbsentReason is a value of its own."""
    for name, raw in r.items():
        if name.startswith("value") and len(name) > 5 and name[5].isupper():
            value = _typed(name[5:], raw)
            if value is not None:
                return name, value
    reason = concept_of(r.get("dataAbsentReason"))
    return ("dataAbsentReason", Missing(reason=reason.label)) if reason else ("value", None)


def _typed(kind: str, raw: Any) -> Value | None:
    if kind in ("Quantity", "Age", "Duration"):
        return quantity_of(raw)
    if kind == "CodeableConcept":
        return concept_of(raw)
    if kind == "Coding":
        return concept_of({"coding": [raw]})
    if kind in ("Integer", "Decimal") and isinstance(raw, int | float):
        return Quantity(value=raw)
    if kind == "Boolean" and isinstance(raw, bool):
        return raw
    if kind in ("DateTime", "Date", "Instant", "Period"):
        return when_of(raw)
    if kind == "Range" and isinstance(raw, dict):
        return bounds(raw.get("low"), raw.get("high"))
    if kind == "Ratio" and isinstance(raw, dict):
        top, bottom = quantity_of(raw.get("numerator")), quantity_of(raw.get("denominator"))
        return f"{top.value:g}:{bottom.value:g}" if top and bottom else None
    return text_of(raw) or None


def pick(r: Resource, name: str) -> Any:
    """The value of a choice element such as `onset[x]`, whichever type it has."""
    if name in r:
        return r[name]
    return next((v for k, v in r.items() if k.startswith(name) and k[len(name) : len(name) + 1].isupper()), None)


def age_or_text(value: Any) -> str:
    quantity = quantity_of(value)
    if quantity:
        return f"{quantity.value:g} {quantity.unit or ''}".strip()
    if isinstance(value, dict):
        return bounds(value.get("low"), value.get("high"))
    return text_of(value)


def standing_of(status: Any, table: Mapping[str, Standing] | None = None) -> Standing:
    if status == "entered-in-error":
        return "error"
    return (table or {}).get(str(status), "fact")


def details_of(**items: Any) -> Details:
    return {k.rstrip("_"): v for k, v in items.items() if v not in (None, "", ())}


def fact_of(r: Resource, kind: Kind, concept: Concept | None, *, path: str, **more: Any) -> Fact:
    meta = r.get("meta")
    version = meta.get("versionId") if isinstance(meta, dict) else None
    encounter = more.pop("encounter", None) or reference_of(r.get("encounter")) or reference_of(r.get("context"))
    return Fact(
        kind=kind,
        concept=concept or Concept(label=f"unnamed {r['resourceType']}"),
        reference=Reference(type=r["resourceType"], id=str(r.get("id", ""))),
        path=path,
        version=version,
        encounter=encounter,
        **more,
    )


def reasons_of(r: Resource) -> tuple[Concept | Reference, ...]:
    concepts = tuple(c for c in map(concept_of, elements_of(r.get("reasonCode"))) if c)
    return (*references_of(r.get("reasonReference")), *concepts)
