"""The Patient resource: demographics, each a fact of its own."""

from __future__ import annotations

from collections.abc import Iterator

from fhir_tools.facts.elements import (
    Resource,
    code_of,
    display_of,
    elements_of,
    fact_of,
    labels,
    text_of,
    when_of,
)
from fhir_tools.types import (
    Concept,
    Fact,
    Interval,
    Value,
)

__all__ = ["patient"]


def patient(r: Resource) -> Iterator[Fact]:
    for path, label, value, when in _demographics(r):
        if value not in (None, ""):
            yield fact_of(r, "patient", Concept(label=label), path=f"Patient.{path}", value=value, when=when)


def _demographics(r: Resource) -> Iterator[tuple[str, str, Value | None, Interval | None]]:
    birth = when_of(r.get("birthDate"))
    yield "birthDate", "date of birth", birth, None
    yield "gender", "gender", text_of(r.get("gender")), None
    names = elements_of(r.get("name"))
    official = next((n for n in names if n.get("use") == "official"), names[0] if names else {})
    given = official.get("given") if isinstance(official.get("given"), list) else []
    yield (
        "name",
        "name",
        text_of(official.get("text")) or " ".join((*map(str, given), text_of(official.get("family")))).strip(),
        None,
    )
    died = when_of(r.get("deceasedDateTime"))
    yield "deceasedDateTime" if died else "deceasedBoolean", "deceased", died or r.get("deceasedBoolean"), None
    yield "maritalStatus", "marital status", labels(r.get("maritalStatus")), None
    yield "address", "address", _address(r), None
    phones = [text_of(t.get("value")) for t in elements_of(r.get("telecom")) if t.get("system") == "phone"]
    yield "telecom", "phone", ", ".join(filter(None, phones)), None
    yield "communication", "language", labels([c.get("language") for c in elements_of(r.get("communication"))]), None
    yield "identifier", "medical record number", _record_number(r), None
    for name in ("race", "ethnicity", "birthsex"):
        yield "extension", name, _us_core(r, name), None
    yield (
        "generalPractitioner",
        "general practitioner",
        ", ".join(filter(None, map(display_of, elements_of(r.get("generalPractitioner"))))),
        None,
    )


def _address(r: Resource) -> str:
    for a in elements_of(r.get("address")):
        lines = a.get("line") if isinstance(a.get("line"), list) else []
        parts = (*map(str, lines), a.get("city"), a.get("state"), a.get("postalCode"), a.get("country"))
        return text_of(a.get("text")) or ", ".join(str(p) for p in parts if p)
    return ""


def _record_number(r: Resource) -> str:
    for item in elements_of(r.get("identifier")):
        if code_of(item.get("type")) == "MR":
            return text_of(item.get("value"))
    return ""


def _us_core(r: Resource, name: str) -> str:
    """Race, ethnicity and birth sex as US Core writes them (extensions us-core-race, -ethnicity, -birthsex)."""
    for item in elements_of(r.get("extension")):
        if str(item.get("url", "")).endswith(f"us-core-{name}"):
            if item.get("valueCode"):
                return text_of(item["valueCode"])
            return next(
                (text_of(x.get("valueString")) for x in elements_of(item.get("extension")) if x.get("url") == "text"),
                "",
            )
    return ""
