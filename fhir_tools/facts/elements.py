"""FHIR elements read leniently: a wrong shape reads as absent, and nothing raises."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import isfinite
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
    "elements_of",
    "fact_of",
    "first_concept",
    "labels",
    "mapping_of",
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

_COMPARATORS = ("<", "<=", ">=", ">")
_TERMINOLOGY = ("http://terminology.hl7.org/", "http://hl7.org/fhir/")


def mapping_of(value: Any) -> Resource:
    """The object that it is, or an empty one."""
    return value if isinstance(value, dict) else {}


def elements_of(value: Any) -> list[Mapping[str, Any]]:
    """The objects of an element, whether it repeats or not."""
    if isinstance(value, list):
        return [x for x in value if isinstance(x, dict)]
    return [value] if isinstance(value, dict) else []


def text_of(value: Any) -> str:
    """A string on one line, without the blanks round it; empty for anything else."""
    return " ".join(value.replace("\u200b", "").split()) if isinstance(value, str) else ""


def _code(code: Any) -> str:
    """The code of a Coding; a number is taken for the text that it should have been."""
    return str(code) if isinstance(code, int) and not isinstance(code, bool) else text_of(code)


def concept_of(value: Any, fallback: str = "") -> Concept | None:
    """A CodeableConcept: its text, else a display, the fallback or the first code is the label; None without any."""
    if not isinstance(value, dict):
        return Concept(label=fallback) if fallback else None
    said = [x for c in elements_of(value.get("coding")) for x in (c.get("system"), c.get("code"), c.get("display"))]
    try:
        return _concept(fallback, value.get("text"), *said)
    except TypeError:  # an array or object where a string belongs: it has no hash
        return _concept.__wrapped__(fallback, value.get("text"), *said)


# A chart says few concepts, each many times. `typed`, since 1 and True are equal and not the same code.
@lru_cache(maxsize=8192, typed=True)
def _concept(fallback: str, text: Any, *said: Any) -> Concept | None:
    """The concept of a text and of the system, code and display of each coding in turn."""
    systems, codes, displays = said[0::3], [_code(code) for code in said[1::3]], [text_of(d) for d in said[2::3]]
    codings = tuple(
        Coding(system=text_of(system) or None, code=code, display=display or None)
        for system, code, display in zip(systems, codes, displays, strict=True)
        if code
    )
    shown = [*(c.display for c in codings), *displays]
    display = next(filter(None, shown), "")
    label = text_of(text) or display or fallback or (codings[0].code if codings else "")
    return Concept(label=label, codings=codings) if label else None


def first_concept(value: Any, fallback: str = "") -> Concept | None:
    """The first of several CodeableConcepts."""
    found = elements_of(value)
    return concept_of(found[0] if found else None, fallback)


def labels(value: Any) -> str:
    """The labels of one or several CodeableConcepts, with commas."""
    if not value:
        return ""
    return ", ".join(c.label for c in map(concept_of, elements_of(value)) if c)


def code_of(value: Any) -> str:
    """The code of a status-like CodeableConcept: HL7's own where a site adds codes of its own; else its text.

    A plain string is read as well: a "refuted" that is lost because of its shape would turn into a fact.
    """
    if isinstance(value, str):
        return text_of(value).lower()
    for item in elements_of(value):
        codings = [c for c in elements_of(item.get("coding")) if _code(c.get("code"))]
        official = [c for c in codings if text_of(c.get("system")).startswith(_TERMINOLOGY)]
        if codings:
            return _code((official or codings)[0].get("code"))
        if text_of(item.get("text")):
            return text_of(item["text"]).lower()
    return ""


def codes_of(value: Any) -> tuple[str, ...]:
    """Every code of one or several CodeableConcepts."""
    return tuple([c.code for item in elements_of(value) if (concept := concept_of(item)) for c in concept.codings])


def reference_of(value: Any) -> Reference | None:
    """A literal reference to a resource; None for contained ones, `urn:` and what is no reference."""
    text = value.get("reference") if isinstance(value, dict) else None
    return _literal(text) if isinstance(text, str) else None


@lru_cache(maxsize=8192)
def _literal(text: str) -> Reference | None:
    if text.startswith(("#", "urn:")):
        return None
    try:
        return Reference.parse(text)
    except ValueError:
        return None


def references_of(value: Any) -> tuple[Reference, ...]:
    """The literal references among one or several."""
    return tuple(r for r in map(reference_of, elements_of(value)) if r)


def display_of(value: Any) -> str:
    """What a Reference says of its target."""
    return text_of(value.get("display")) if isinstance(value, dict) else ""


def when_of(value: Any) -> Interval | None:
    """A date, dateTime, instant, Period or Timing (its first event, or its bounds); None where it cannot be read."""
    try:
        if isinstance(value, str):
            return dates.parse(value)
        if not isinstance(value, dict):
            return None
        if "start" in value or "end" in value:
            return dates.period(value)
        events = value.get("event")
        if isinstance(events, list) and events:
            return dates.parse(events[0])
    except (ValueError, TypeError, OverflowError):
        return None
    return when_of(mapping_of(value.get("repeat")).get("boundsPeriod"))


def _number(value: Any) -> float | None:
    """A JSON number that a float can hold; None for anything else, a boolean too."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if isfinite(value) else None
    except OverflowError:
        return None


def quantity_of(value: Any) -> Quantity | None:
    """A Quantity with a number; its code is kept only where its system is UCUM or is not said.

    None for one with a comparator that R4 does not know: the number alone would say something else.
    """
    if not isinstance(value, dict) or (number := _number(value.get("value"))) is None:
        return None
    unit, code = text_of(value.get("unit")) or None, text_of(value.get("code")) or None
    comparator = text_of(value.get("comparator")) or None
    if comparator and comparator not in _COMPARATORS:
        return None
    ucum = value.get("system") in (None, "http://unitsofmeasure.org")
    return Quantity(value=number, unit=unit or code, code=code if ucum else None, comparator=comparator)


def bounds(low: Any, high: Any) -> str:
    """A Range in words: `3.5-5.1 mmol/L`, `>=60 mL/min`; empty without either end."""
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
    if kind in ("Integer", "Decimal"):
        number = _number(raw)
        return None if number is None else Quantity(value=number)
    if kind == "Boolean" and isinstance(raw, bool):
        return raw
    if kind in ("DateTime", "Date", "Instant", "Period"):
        return when_of(raw)
    if kind == "Range" and isinstance(raw, dict):
        return bounds(raw.get("low"), raw.get("high")) or None
    if kind == "Ratio" and isinstance(raw, dict):
        top, bottom = quantity_of(raw.get("numerator")), quantity_of(raw.get("denominator"))
        return f"{top.value:g}:{bottom.value:g}" if top and bottom else None
    return text_of(raw) or None


def pick(r: Resource, name: str) -> Any:
    """The value of a choice element such as `onset[x]`, whichever type it has."""
    if name in r:
        return r[name]
    for key in r:
        if key.startswith(name) and key[len(name) : len(name) + 1].isupper():
            return r[key]
    return None


def age_or_text(value: Any) -> str:
    """An Age, Range or string in words: `54 a`, `50-55 a`, `in her fifties`."""
    quantity = quantity_of(value)
    if quantity:
        return f"{quantity.value:g} {quantity.unit or ''}".strip()
    if isinstance(value, dict):
        return bounds(value.get("low"), value.get("high"))
    return text_of(value)


def standing_of(status: Any, table: Mapping[str, Standing] | None = None) -> Standing:
    """The standing that a status word gives: `error` for entered-in-error, else what the table says, else `fact`."""
    if status == "entered-in-error":
        return "error"
    return (table or {}).get(str(status), "fact")


def details_of(**items: Any) -> Details:
    """The details that say something; a trailing underscore keeps a key clear of Python's own words."""
    return {k.rstrip("_"): v for k, v in items.items() if v or v not in (None, "", ())}


def fact_of(r: Resource, kind: Kind, concept: Concept | None, *, path: str, **more: Any) -> Fact:
    """A fact of the resource: reference, version and encounter are its own; `more` are fields of `Fact`."""
    version = text_of(mapping_of(r.get("meta")).get("versionId")) or None
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
    """reasonReference (to be followed) and reasonCode."""
    concepts = tuple(c for c in map(concept_of, elements_of(r.get("reasonCode"))) if c)
    return (*references_of(r.get("reasonReference")), *concepts)
