"""The Patient resource: demographics, each a fact of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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
    """One fact for each demographic element that the resource has, in reading order."""
    for path, label, value, when in _demographics(r):
        if value not in (None, ""):
            yield fact_of(r, "patient", Concept(label=label), path=f"Patient.{path}", value=value, when=when)


def _demographics(r: Resource) -> Iterator[tuple[str, str, Value | None, Interval | None]]:
    birth = when_of(r.get("birthDate"))
    yield "birthDate", "date of birth", birth, None
    yield "gender", "gender", text_of(r.get("gender")), None
    yield "name", "name", _name(r), None
    died, dead = when_of(r.get("deceasedDateTime")), r.get("deceasedBoolean")
    # a date of death that cannot be read still says that there is one (R4 Patient.deceased[x])
    told = dead if isinstance(dead, bool) else True if text_of(r.get("deceasedDateTime")) else None
    yield "deceasedDateTime" if died or told is not dead else "deceasedBoolean", "deceased", died or told, None
    yield "maritalStatus", "marital status", labels(r.get("maritalStatus")), None
    yield "address", "address", _address(r), None
    phones = [text_of(t.get("value")) for t in elements_of(r.get("telecom")) if t.get("system") == "phone"]
    yield "telecom", "phone", ", ".join(filter(None, phones)), None
    yield "communication", "language", labels([c.get("language") for c in elements_of(r.get("communication"))]), None
    yield "identifier", "medical record number", _record_number(r), None
    for name in ("race", "ethnicity", "birthsex"):
        # the place says which extension: one mark stands for one fact
        yield f"extension('{_US_CORE}{name}')", name, _us_core(r, name), None
    yield (
        "generalPractitioner",
        "general practitioner",
        ", ".join(filter(None, map(display_of, elements_of(r.get("generalPractitioner"))))),
        None,
    )


_PREFERRED = ("official", "usual")
_FORMER = ("old", "maiden")


def _name(r: Resource) -> str:
    """The official name, else the usual one, else the first that is not a former one (R4 HumanName.use)."""
    names = elements_of(r.get("name"))
    ranked = sorted(names, key=_name_rank)
    if not ranked:
        return ""
    name = ranked[0]
    return text_of(name.get("text")) or " ".join(
        filter(None, (*_lines(name.get("given")), text_of(name.get("family"))))
    )


def _name_rank(name: Resource) -> int:
    use = name.get("use")
    return _PREFERRED.index(use) if use in _PREFERRED else 3 if use in _FORMER else 2


def _lines(value: Any) -> list[str]:
    return [text_of(x) for x in value if text_of(x)] if isinstance(value, list) else []


def _address(r: Resource) -> str:
    for a in elements_of(r.get("address")):
        rest = (text_of(a.get(k)) for k in ("city", "state", "postalCode", "country"))
        return text_of(a.get("text")) or ", ".join(filter(None, (*_lines(a.get("line")), *rest)))
    return ""


def _record_number(r: Resource) -> str:
    for item in elements_of(r.get("identifier")):
        if code_of(item.get("type")) == "MR":
            return text_of(item.get("value"))
    return ""


_US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"


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
