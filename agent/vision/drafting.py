"""A draft report of an image: findings and impression as the model read them, for a radiologist to check and sign.

As FHIR it is a DiagnosticReport of status `preliminary` (R4 DiagnosticReport.status: "not yet verified"), labelled as
asserted by a machine, with the device that made it and a Provenance that says so among its contained resources, since
DiagnosticReport.performer takes no Device. It is the one thing in FHIR that a reading goes into.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.vision.telling import ordered, sentence, warnings
from agent.vision.types import Sight
from fhir_tools.types import Reference
from fhir_tools.writing.elements import AI_ASSERTED, TERMS, assembler, concept, device, narrative

__all__ = ["NOTICE", "DraftReport", "as_fhir", "as_text"]

NOTICE = "DRAFT, not verified. Read by {model} from the image; a radiologist is to check it against the images."
_NONE = "The model told no finding."


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftReport:
    """What the model read from an image of a patient, and when (with its offset).

    `against` are disagreements with reports that are there already; `reports` are these.
    """

    patient: Reference
    sight: Sight
    made: datetime
    reports: tuple[Reference, ...] = ()
    against: tuple[str, ...] = ()

    @property
    def notice(self) -> str:
        return NOTICE.format(model=self.maker)

    @property
    def maker(self) -> str:
        """The model with its revision, where that is known."""
        return " ".join(filter(None, (self.sight.model, self.sight.revision)))


def as_text(report: DraftReport) -> str:
    """The report as lines: notice, study, comparison, findings, impression, and what to know of them."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: DraftReport) -> Iterator[str]:
    sight = report.sight
    yield report.notice
    yield ""
    yield f"Study: {_named(sight.image)}"
    yield f"Comparison: {_named(sight.prior) if sight.prior else 'none'}"
    yield ""
    yield "Findings:"
    yield from (f"- {line}" for line in _findings(sight))
    yield ""
    yield f"Impression: {sight.impression or _NONE}"
    notes = (*warnings(sight), *report.against)
    if notes:
        yield ""
        yield from (f"Note: {note}" for note in notes)


def _findings(sight: Sight) -> tuple[str, ...]:
    return tuple(f"{sentence(f)}." for f in ordered(sight.findings)) or (_NONE,)


def _named(image: Any) -> str:
    day = image.when.text if image.when and image.when.text else "undated"
    site = image.site.label if image.site else ""
    what = image.title or " ".join(filter(None, (image.modality, site))) or "image"
    return f"{what}, {day} ({image.reference})"


def as_fhir(report: DraftReport) -> dict[str, Any]:
    """The report as a DiagnosticReport (R4), not yet stored anywhere."""
    sight = report.sight
    made = report.made.isoformat(timespec="seconds")
    resource: dict[str, Any] = {
        "resourceType": "DiagnosticReport",
        "meta": {"security": [AI_ASSERTED]},
        "text": narrative([("", tuple(_lines(report)))]),
        "contained": [_device(report), _provenance(report, made)],
        "status": "preliminary",
        "category": [concept(f"{TERMS}/v2-0074", "RAD", "Radiology")],
        "code": concept(
            "http://loinc.org",
            "18748-4",
            "Diagnostic imaging study",
            f"Draft report: {sight.image.title}" if sight.image.title else "Draft report",
        ),
        "subject": {"reference": str(report.patient)},
        "issued": made,
        "conclusion": f"{report.notice} {sight.impression or _NONE}",
        "presentedForm": [
            {
                "contentType": "text/plain; charset=utf-8",
                "data": base64.b64encode(as_text(report).encode()).decode(),
                "title": "Draft report",
            }
        ],
    }
    return {**resource, **_links(report)}


def _links(report: DraftReport) -> Mapping[str, Any]:
    """The image that it is of, the encounter, and when the image was taken."""
    image = report.sight.image
    told: dict[str, Any] = {}
    if image.reference.type == "ImagingStudy":
        told["imagingStudy"] = [{"reference": str(image.reference)}]
    elif image.reference.type == "Media":
        told["media"] = [{"link": {"reference": str(image.reference)}}]
    if image.encounter:
        told["encounter"] = {"reference": str(image.encounter)}
    if image.when and image.when.low:  # a period of which only the end is known has no dateTime
        told["effectiveDateTime"] = image.when.text
    return told


def _device(report: DraftReport) -> dict[str, Any]:
    """What made it; `#` references of contained resources begin with its id (R4 2.3.0.6)."""
    return {**device(report.sight.model, report.sight.revision), "id": "maker"}


def _provenance(report: DraftReport, made: str) -> dict[str, Any]:
    """Who made the report of what: it refers to the resource that contains it by `#`."""
    sources = [report.sight.image, *([report.sight.prior] if report.sight.prior else [])]
    return {
        "resourceType": "Provenance",
        "id": "origin",
        "target": [{"reference": "#"}],
        "recorded": made,
        "agent": [assembler({"reference": "#maker"})],
        "entity": [{"role": "source", "what": {"reference": str(image.reference)}} for image in sources],
    }
