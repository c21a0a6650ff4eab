"""What a model saw, as the readings of an answer: its words, always told as read from the image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agent.types import Reading
from agent.vision.terms import term_of
from agent.vision.types import Finding, Sight

__all__ = ["ordered", "readings", "sentence", "warnings"]

_CERTAINTY = {"high": "sure", "moderate": "fairly sure", "low": "unsure"}


def readings(sight: Sight, mark: str, asked: str = "") -> tuple[Reading, ...]:
    """A reading for each finding, what was asked about first, then the impression. A finding has a row for each box."""
    rows = [row for finding in ordered(sight.findings, asked) for row in _rows(finding, sight, mark)]
    if sight.impression:
        rows.append(Reading(text=f"Impression: {sight.impression}", image=mark, model=sight.model))
    return tuple(rows)


def _rows(finding: Finding, sight: Sight, mark: str) -> Iterator[Reading]:
    text = sentence(finding)
    for region in finding.regions:
        yield Reading(text=text, image=mark, region=region.box, frame=region.frame, model=sight.model)
    if not finding.regions:
        yield Reading(text=text, image=mark, frame=finding.frame, model=sight.model)


def sentence(finding: Finding) -> str:
    """`Pleural effusion: present, right base; worse than before (fairly sure)`."""
    name = finding.name[:1].upper() + finding.name[1:]
    place = f", {finding.location}" if finding.location else ""
    change = f"; {finding.change} against the prior image" if finding.change else ""
    return f"{name}: {finding.presence}{place}{change} ({_CERTAINTY[finding.certainty]})"


def ordered(findings: Sequence[Finding], asked: str = "") -> tuple[Finding, ...]:
    """What was asked about, then what is there, what may be, and what is not; within that the most urgent first."""
    about = term_of(asked).id if asked else ""
    presence = ("present", "uncertain", "absent")
    return tuple(
        sorted(findings, key=lambda f: (f.term.id != about, presence.index(f.presence), f.term.urgency, f.name))
    )


def warnings(sight: Sight) -> tuple[str, ...]:
    """What a reader must know of how the image was looked at: parts that were not seen, boxes that were none."""
    told = []
    if sight.missed:
        first = sight.missed[0]
        more = f" and {len(sight.missed) - 1} more" if len(sight.missed) > 1 else ""
        told.append(f"part of the image was not seen: {first.what}{more} ({first.why})")
    if sight.dropped:
        boxes = "1 box that the model drew was" if sight.dropped == 1 else f"{sight.dropped} boxes of the model were"
        told.append(f"{boxes} left out: not on the image, or none at all")
    return tuple(told)
