"""Records for tests without pixels: pictures of known geometry, findings, reports, and a vision model that is told."""

from __future__ import annotations

from typing import Any

from agent.models.base import ModelCard, Request
from agent.models.scripted import Scripted
from agent.vision.types import Finding, Sight
from fhir_tools.dates import parse
from fhir_tools.documents import Document
from fhir_tools.imaging.types import Box, Description, Fit, Image, Picture
from fhir_tools.types import Concept, Fact, Reference

__all__ = ["EYES", "document", "finding", "image", "picture_of", "said", "sight"]

EYES = ModelCard(name="eyes", revision="abc", context=8192, images=True)


def picture_of(
    width: int, height: int, *, size: int = 896, left: float = 0, top: float = 0, number: int = 1
) -> Picture:
    """A picture of a stored image of this size (or of the part of it that begins at left, top), centred on a square."""
    size = 896
    scale = size / max(width, height)
    region = Box(left=left, top=top, right=left + width, bottom=top + height)
    fit = Fit(
        width=size, height=size, scale=scale, left=(size - width * scale) / 2, top=(size - height * scale) / 2,
        region=region,
    )  # fmt: skip
    return Picture(
        data=b"", media_type="image/png", width=size, height=size, fit=fit, description=Description(kind="PNG"),
        reference=Reference(type="ImagingStudy", id="s"), caption="PNG", number=number,
    )  # fmt: skip


def finding(name: str, presence: Any = "present", *, location: str = "", certainty: Any = "high") -> Finding:
    return Finding(name=name, presence=presence, certainty=certainty, location=location)


def document(text: str, key: str = "r") -> Document:
    reference = Reference(type="DiagnosticReport", id=key)
    return Document(
        fact=Fact(kind="report", concept=Concept(label="XR chest"), reference=reference, path="DiagnosticReport.code"),
        text=text,
    )


def image(key: str = "s", day: str = "2024-03-02", kind: str = "ImagingStudy") -> Image:
    return Image(
        reference=Reference(type=kind, id=key), path=kind, modalities=("DX",), when=parse(day), title="XR CHEST <PA>",
        encounter=Reference(type="Encounter", id="e"),
    )  # fmt: skip


def sight(*findings: Finding, key: str = "s", impression: str = "", **more: Any) -> Sight:
    return Sight(image=image(key), model="eyes", revision="abc", findings=findings, impression=impression, **more)


def said(*findings: dict[str, Any], impression: str = "As told.") -> Scripted:
    """A vision model that always says this; of a comparison every finding is worse."""

    def say(request: Request) -> dict[str, Any]:
        assert request.schema is not None
        asked = request.schema["properties"]["findings"]["items"]["required"]
        change = {"change": "worse"} if "change" in asked else {}
        return {"findings": [{**_FINDING, **f, **change} for f in findings], "impression": impression}

    return Scripted(say, card=EYES)


_FINDING: dict[str, Any] = {
    "name": "pleural effusion", "presence": "present", "certainty": "moderate", "location": "right base",
    "picture": 1, "boxes": [],
}  # fmt: skip
