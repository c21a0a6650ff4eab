"""The JSON schema of a reply about pixels, and the reply → findings: every string bounded, every box checked.

Boxes are as MedGemma 1.5 gives them: `box_2d` is [y0, x0, y1, x1], whole numbers of 0 to 1000 over the height and width
of the picture as it was shown, its padding included. They are clipped, mapped back through the padding and the scale
to the stored image, and left out where nothing of them lies on it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from agent.untrusted import escape
from agent.vision.types import CHANGES, Certainty, Change, Finding, Presence, Region
from fhir_tools.imaging.types import Box, Picture

__all__ = ["FULL", "Said", "read_reply", "region_of", "reply_schema"]

FULL = 1000
"""What the whole width or height of a picture is in a box."""
_FINDINGS, _BOXES = 10, 3
_NAME, _PLACE, _WORDS = 60, 80, 400
_THIN = 2
"""A box that is thinner than this, of `FULL`, shows nothing."""


def reply_schema(pictures: int, *, compared: bool) -> dict[str, Any]:
    """The schema for so many pictures of the image; `compared` asks of every finding how it changed."""
    properties: dict[str, Any] = {
        "name": {"type": "string", "minLength": 2, "maxLength": _NAME},
        "presence": {"enum": list(Presence.__args__)},  # type: ignore[attr-defined]
        "certainty": {"enum": list(Certainty.__args__)},  # type: ignore[attr-defined]
        "location": {"type": "string", "maxLength": _PLACE},
        "picture": {"enum": list(range(1, pictures + 1))},
        "boxes": {"type": "array", "maxItems": _BOXES, "items": _box()},
    }
    if compared:
        properties["change"] = {"enum": list(CHANGES)}
    return {
        "type": "object",
        "properties": {
            "findings": {"type": "array", "maxItems": _FINDINGS, "items": _closed(properties)},
            "impression": {"type": "string", "maxLength": _WORDS},
        },
        "required": ["findings", "impression"],
        "additionalProperties": False,
    }


def _box() -> dict[str, Any]:
    edge = {"type": "integer", "minimum": 0, "maximum": FULL}
    return _closed({"box_2d": {"type": "array", "items": edge, "minItems": 4, "maxItems": 4}})


def _closed(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class _Boxed(_Strict):
    box_2d: Annotated[list[int], Field(min_length=4, max_length=4)]


class _Found(_Strict):
    name: Annotated[str, StringConstraints(min_length=1, max_length=_NAME)]
    presence: Presence
    certainty: Certainty
    location: Annotated[str, StringConstraints(max_length=_PLACE)]
    picture: int
    boxes: Annotated[list[_Boxed], Field(max_length=_BOXES)]
    change: Change | None = None


class _Reply(_Strict):
    findings: Annotated[list[_Found], Field(max_length=_FINDINGS)]
    impression: Annotated[str, StringConstraints(max_length=_WORDS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A reply that was read. `dropped` counts boxes that were left out."""

    findings: tuple[Finding, ...]
    impression: str
    dropped: int = 0


def read_reply(text: str, pictures: Sequence[Picture]) -> Said | None:
    """The reply about these pictures; None where it is no such JSON.

    Text is cleaned of what could pass for a mark or hide from the reader. A finding that is said twice of one place
    counts once; one that is said to be present and absent at once is told as uncertain.
    """
    try:
        reply = _Reply.model_validate(json.loads(text))
    except (ValueError, ValidationError, RecursionError):
        return None
    if any(not 1 <= found.picture <= len(pictures) for found in reply.findings):
        return None
    findings: dict[tuple[str, str], Finding] = {}
    dropped = 0
    for found in reply.findings:
        finding, lost = _finding(found, pictures)
        dropped += lost
        if finding.name:
            key = finding.name.lower(), finding.location.lower()
            findings[key] = _once(findings[key], finding) if key in findings else finding
    return Said(findings=tuple(findings.values()), impression=escape(reply.impression), dropped=dropped)


def _finding(found: _Found, pictures: Sequence[Picture]) -> tuple[Finding, int]:
    picture = pictures[found.picture - 1]
    shown = found.boxes if found.presence != "absent" else []  # of what is not there nothing can be shown
    regions = [region_of(box.box_2d, picture) for box in shown]
    finding = Finding(
        name=escape(found.name),
        presence=found.presence,
        certainty=found.certainty,
        location=escape(found.location),
        frame=picture.number,
        regions=tuple(dict.fromkeys(r for r in regions if r)),
        change=found.change or "",
    )
    return finding, sum(r is None for r in regions) + len(found.boxes) - len(shown)


def _once(one: Finding, other: Finding) -> Finding:
    """Two findings of one name and place as one."""
    agree = one.presence == other.presence
    return Finding(
        name=one.name,
        presence=one.presence if agree else "uncertain",
        certainty=one.certainty if agree else "low",
        location=one.location,
        frame=one.frame,
        regions=tuple(dict.fromkeys((*one.regions, *other.regions))),
        change=one.change,
    )


def region_of(box: Sequence[float], picture: Picture) -> Region | None:
    """The box on the stored image; None for one that is turned round, has no size, or lies in the padding."""
    y0, x0, y1, x1 = (min(max(edge, 0), FULL) for edge in box)
    if y1 - y0 < _THIN or x1 - x0 < _THIN:
        return None
    wide, high = picture.width / FULL, picture.height / FULL
    found = picture.fit.box_to_source(Box(left=x0 * wide, top=y0 * high, right=x1 * wide, bottom=y1 * high))
    if found is None:
        return None
    left, top, right, bottom = (round(edge, 1) for edge in (found.left, found.top, found.right, found.bottom))
    return Region(left=left, top=top, right=right, bottom=bottom, frame=picture.number)
