"""Which reports and findings belong to which image, by the links that a chart makes (R4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fhir_tools.facts.elements import Resource, elements_of, mapping_of, reference_of, references_of, text_of
from fhir_tools.imaging.types import Image, Reported
from fhir_tools.types import Reference

__all__ = ["linked"]

_SURE = ("imagingStudy", "media", "presentedForm", "result", "accession", "order")
"""The links, the surest first."""


def linked(
    images: Sequence[Image], found: Mapping[str, Iterable[Resource]], observations: Iterable[Resource]
) -> list[Image]:
    """The images with their reports and findings.

    A report names its study (`imagingStudy`), its pictures (`media.link`), or a result that is derived from one; else
    it shares an accession number or an order with it. What is entered in error links nothing.
    """
    derived = _derived(observations)
    keys = _keys((*found["ImagingStudy"], *found["Media"]))
    reports = [r for r in found["DiagnosticReport"] if text_of(r.get("status")) != "entered-in-error"]
    by_image: dict[Reference, list[Reported]] = defaultdict(list)
    for report in reports:
        own = _own(report)
        for reference, by in _named(report, derived, keys):
            by_image[reference].append(Reported(reference=own, by=by))
    findings: dict[Reference, list[Reference]] = defaultdict(list)
    for observation, targets in derived.items():
        for target in targets:
            findings[target].append(observation)
    return [
        replace(
            image,
            reports=_ranked((*image.reports, *by_image[image.reference])),
            findings=tuple(findings[image.reference]),
        )
        for image in images
    ]


def _own(resource: Resource) -> Reference:
    return Reference(type=str(resource["resourceType"]), id=str(resource.get("id", "")))


def _derived(observations: Iterable[Resource]) -> dict[Reference, tuple[Reference, ...]]:
    """Each Observation and what it is derived from."""
    return {
        _own(r): references_of(r.get("derivedFrom"))
        for r in observations
        if r.get("derivedFrom") and text_of(r.get("status")) != "entered-in-error"
    }


def _named(
    report: Resource, derived: Mapping[Reference, Sequence[Reference]], keys: Any
) -> list[tuple[Reference, Any]]:
    """The images that a report names, and by which link."""
    direct: list[tuple[Reference, Any]] = [(one, "imagingStudy") for one in references_of(report.get("imagingStudy"))]
    media = (reference_of(mapping_of(part).get("link")) for part in elements_of(report.get("media")))
    direct += [(one, "media") for one in media if one]
    results = (target for one in references_of(report.get("result")) for target in derived.get(one, ()))
    direct += [(one, "result") for one in results]
    shared = [(one, by) for key, by in _shared(report) for one in keys.get(key, ())]
    return direct + shared


def _shared(resource: Resource) -> list[tuple[str, Any]]:
    """What an image and a report may have in common: an accession number, or the order that both are based on."""
    orders = [(f"order {one}", "order") for one in references_of(resource.get("basedOn"))]
    numbers = []
    for identifier in elements_of(resource.get("identifier")):
        codes = {text_of(c.get("code")) for c in elements_of(mapping_of(identifier.get("type")).get("coding"))}
        if "ACSN" in codes and text_of(identifier.get("value")):
            numbers.append((f"accession {text_of(identifier['value'])}", "accession"))
    return [*numbers, *orders]


def _keys(resources: Iterable[Resource]) -> dict[str, list[Reference]]:
    found: dict[str, list[Reference]] = defaultdict(list)
    for resource in resources:
        for key, _ in _shared(resource):
            found[key].append(_own(resource))
    return found


def _ranked(reports: Iterable[Reported]) -> tuple[Reported, ...]:
    """Each report once, by its surest link, the surest first."""
    surest: dict[Reference, Reported] = {}
    for one in sorted(reports, key=lambda one: _SURE.index(one.by)):
        surest.setdefault(one.reference, one)
    return tuple(surest.values())
