"""What a model saw in an image: findings with their regions, as records; never claims."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from agent.types import Usage
from agent.vision.terms import Term, term_of
from fhir_tools.imaging.types import Image, Missed, Picture
from fhir_tools.types import Card

__all__ = ["CHANGES", "Certainty", "Change", "Finding", "Glance", "Presence", "Region", "Shown", "Sight"]

Presence = Literal["present", "absent", "uncertain"]
Certainty = Literal["high", "moderate", "low"]
Change = Literal["new", "worse", "unchanged", "better", "resolved", "not comparable"]
CHANGES: tuple[Change, ...] = Change.__args__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Where on the stored image: left, top, right, bottom in its own pixels, and on which frame.

    `frame` counts from 1 in the order of reading, as `fhir_tools.imaging.Choice.frames` takes it.
    """

    left: float
    top: float
    right: float
    bottom: float
    frame: int = 1

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        return self.left, self.top, self.right, self.bottom


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that the model says of an image. `name` and `location` are its own words, cleaned and bounded.

    `frame` is the frame that it was seen on. `change` is against the prior image, empty where none was shown.
    """

    name: str
    presence: Presence
    certainty: Certainty
    location: str = ""
    frame: int = 1
    regions: tuple[Region, ...] = ()
    change: Change | Literal[""] = ""

    @property
    def term(self) -> Term:
        """What it is called in reports."""
        return term_of(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An image with the pictures of it that a model is shown, and what of it could not be read."""

    image: Image
    pictures: tuple[Picture, ...]
    missed: tuple[Missed, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What is to be looked at: the image, the prior that it is compared with, and what the chart says beside them.

    `patient` is the patient's line (age and sex), `cards` those that the model may read; no report is among them, so
    that what it says is of the pixels.
    """

    current: Shown
    prior: Shown | None = None
    patient: str = ""
    cards: tuple[Card, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What the model said of an image. `dropped` counts boxes of it that were none, or lay off the image."""

    image: Image
    prior: Image | None = None
    model: str
    revision: str = ""
    findings: tuple[Finding, ...] = ()
    impression: str = ""
    missed: tuple[Missed, ...] = ()
    dropped: int = 0
    usage: Usage = field(default_factory=Usage)
