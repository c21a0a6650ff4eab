"""Observations and reports: what was measured, and what was concluded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fhir_tools.facts.elements import (
    Details,
    Resource,
    bounds,
    codes_of,
    concept_of,
    details_of,
    elements_of,
    fact_of,
    labels,
    pick,
    references_of,
    standing_of,
    text_of,
    value_of,
    when_of,
)
from fhir_tools.types import (
    Components,
    Concept,
    Fact,
    Kind,
    Missing,
    Standing,
)

__all__ = ["observation", "report"]

_UNDONE: Mapping[str, Standing] = {"cancelled": "cancelled", "registered": "planned"}


def observation(r: Resource) -> Iterator[Fact]:
    """The observation, then each of its components; its time is effective[x], else `issued`."""
    category = codes_of(r.get("category"))
    kind: Kind = "social" if "social-history" in category else "measurement"
    when = when_of(pick(r, "effective"))
    status = text_of(r.get("status"))
    common: Details = {
        "standing": standing_of(status, _UNDONE),
        "status": status,
    }
    common["when"] = when or when_of(r.get("issued"))
    concept = concept_of(r.get("code"))
    name, value = value_of(r)
    parts = tuple(_component(r, i, c, kind, concept, common) for i, c in enumerate(elements_of(r.get("component"))))
    # a panel may say why it has no value of its own (obs-6) beside the values of its parts
    if parts and (value is None or (isinstance(value, Missing) and any(_has_value(p) for p in parts))):
        name, value = "component", Components(parts=parts)
    details = details_of(
        category=category,
        interpretation=labels(r.get("interpretation")),
        range=_range(r),
        body_site=labels(r.get("bodySite")),
        note=" ".join([text_of(n.get("text")) for n in elements_of(r.get("note"))]),
        when_from="issued" if common["when"] and not when else "",
    )
    yield fact_of(r, kind, concept, path=f"Observation.{name}", value=value, details=details, **common)
    yield from parts


def _has_value(fact: Fact) -> bool:
    return fact.value is not None and not isinstance(fact.value, Missing)


def _component(r: Resource, i: int, c: Resource, kind: Kind, panel: Concept | None, common: Details) -> Fact:
    name, value = value_of(c)
    details = details_of(panel=panel, interpretation=labels(c.get("interpretation")), range=_range(c))
    path = f"Observation.component[{i}].{name}"
    return fact_of(r, kind, concept_of(c.get("code")), path=path, value=value, details=details, **common)


def _range(r: Resource) -> str:
    """The range as it is told in words, or its bounds where the words hold no number ("standard interval")."""
    for item in elements_of(r.get("referenceRange")):
        text = text_of(item.get("text"))
        return text if any(c.isdigit() for c in text) else bounds(item.get("low"), item.get("high")) or text
    return ""


def report(r: Resource) -> Iterator[Fact]:
    """The report; its value is the conclusion, else the labels of the conclusion codes."""
    status = text_of(r.get("status"))
    details = details_of(
        category=codes_of(r.get("category")),
        results=references_of(r.get("result")),
        studies=references_of(r.get("imagingStudy")),
        codes=labels(r.get("conclusionCode")),
    )
    conclusion = text_of(r.get("conclusion"))
    value = conclusion or details.get("codes")
    element = "conclusion" if conclusion else "conclusionCode" if value else "code"
    when = when_of(pick(r, "effective")) or when_of(r.get("issued"))
    standing = standing_of(status, _UNDONE)
    yield fact_of(
        r,
        "report",
        concept_of(r.get("code")),
        path=f"DiagnosticReport.{element}",
        standing=standing,
        status=status,
        value=value,
        when=when,
        details=details,
    )
