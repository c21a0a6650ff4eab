"""The evidence of a citation as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, Field

from agent.cited.resource import Cited, Edition
from agent.cited.series import Course, Limits, Point
from fhir_tools import paths
from fhir_tools.documents import Document

__all__ = ["EvidenceOut", "ImageOut", "ItemOut", "ItemsOut", "evidence_out"]

_LONG = 100_000
"""Characters of one string of a raw resource: what is longer is a file, which has no use as text."""


class ElementOut(BaseModel):
    """The cited element. `path` has every index."""

    path: str = Field(examples=["Observation.valueQuantity"])
    text: str = Field(examples=["6.9 %"])


class RowOut(BaseModel):
    """One thing that the resource says. `link` is the reference that it is."""

    path: str
    label: str = Field(examples=["Reference range › Low"])
    value: str
    cited: bool = False
    link: str | None = None


class ScannedOut(BaseModel):
    """A stretch of a text that was read from a picture, and by what."""

    start: int
    end: int
    by: str


class NoteOut(BaseModel):
    """The text of a note or report; spans of citations count its Unicode characters."""

    text: str
    content_type: str | None
    complete: bool
    unread: str | None = Field(default=None, description="Why some of it could not be read.")
    scanned: list[ScannedOut] = Field(default_factory=list)


class ImageOut(BaseModel):
    """An image of the resource. `href` has `{n}` for the number of a frame (from 1)."""

    path: str
    title: str
    modality: str
    frames: int | None = Field(description="As the chart says; a file may hold more than one.")
    href: str


class RangeOut(BaseModel):
    """A reference range in the unit of its series."""

    low: float | None
    high: float | None
    text: str


class PointOut(BaseModel):
    """A result: `value` in the unit of its series, `text` as the chart has it, `comparator` where it is a bound.

    `flag` is the chart's own interpretation, `outside` on which side of its range the value lies. `range` is set where
    it is not that of the series.
    """

    reference: str
    path: str
    when: str
    value: float
    text: str
    comparator: str | None
    flag: str | None
    outside: Literal["low", "high"] | None
    cited: bool
    range: RangeOut | None = None


class SeriesOut(BaseModel):
    """The results of one concept in one unit, oldest first. `range` is that of most of them."""

    label: str
    unit: str
    points: list[PointOut]
    range: RangeOut | None
    complete: bool


class EvidenceOut(BaseModel):
    """A cited resource. `edition`: `current`, `older` (as cited, and changed since), `changed` (the cited version
    cannot be had, this is the current one) or `gone` (as cited, and deleted since).
    """

    reference: str
    version: str | None
    current_version: str | None
    edition: Edition
    kind: str | None
    title: str
    lines: list[str]
    element: ElementOut | None
    rows: list[RowOut]
    resource: dict[str, Any]
    resource_complete: bool = Field(description="Whether no string of the resource was cut.")
    note: NoteOut | None
    images: list[ImageOut]
    series: list[SeriesOut]


class ItemOut(BaseModel):
    """A resource in short, or why it cannot be shown."""

    reference: str
    title: str | None = None
    when: str | None = None
    lines: list[str] = Field(default_factory=list)
    error: str | None = None


class ItemsOut(BaseModel):
    """Several resources, in the order asked for."""

    items: list[ItemOut]
    complete: bool


def evidence_out(
    reference: str, cited: Cited, note: Document | None, told: Sequence[Course], images: list[ImageOut]
) -> EvidenceOut:
    """All that is shown of a citation."""
    resource, whole = _shortened(cited.resource)
    return EvidenceOut(
        reference=reference,
        version=cited.version,
        current_version=cited.current,
        edition=cited.edition,
        kind=cited.facts[0].kind if cited.facts else None,
        title=cited.title,
        lines=list(cited.lines),
        element=_element(cited),
        rows=[_row(cited, leaf) for leaf in paths.leaves(cited.resource)],
        resource=resource,
        resource_complete=whole,
        note=_note(cited, note) if note else None,
        images=images,
        series=[_series(cited, course) for course in told],
    )


def _element(cited: Cited) -> ElementOut | None:
    """The cited element; several (the components of a panel) as one, by the path of the first."""
    if not cited.elements:
        return None
    return ElementOut(path=cited.elements[0][0], text="; ".join(paths.text_at(value) for _, value in cited.elements))


def _row(cited: Cited, leaf: paths.Leaf) -> RowOut:
    return RowOut(
        path=leaf.path, label=leaf.label, value=leaf.text, cited=cited.is_cited(leaf.path), link=leaf.link or None
    )


def _note(cited: Cited, note: Document) -> NoteOut:
    places = [f"{cited.reference.type}.{name}.contentType" for name in ("content.attachment", "presentedForm")]
    declared = next((kind for place in places for _, kind in paths.at(cited.resource, place) if kind), None)
    return NoteOut(
        text=note.text,
        content_type=str(declared) if declared else None,
        complete=not note.unread,
        unread=note.unread or None,
        scanned=[ScannedOut(start=s.start, end=s.end, by=s.by) for s in note.scanned],
    )


def _series(cited: Cited, course: Course) -> SeriesOut:
    counts = Counter(p.limits for p in course.points if p.limits)
    usual = counts.most_common(1)[0][0] if counts else None
    return SeriesOut(
        label=course.label,
        unit=course.unit,
        points=[_point(cited, point, usual) for point in course.points],
        range=_range(usual),
        complete=course.complete,
    )


def _point(cited: Cited, point: Point, usual: Limits | None) -> PointOut:
    fact, limits = point.fact, point.limits
    own = fact.reference == cited.reference
    return PointOut(
        reference=str(fact.reference),
        path=fact.path,
        when=fact.when.text if fact.when else "",
        value=point.value,
        text=point.text,
        comparator=point.comparator or None,
        flag=point.flag or None,
        outside=(limits.outside(point.value) or None) if limits else None,
        cited=own and (not cited.elements or cited.is_cited(fact.path) or _covers(cited, fact.path)),
        range=_range(limits) if limits != usual else None,
    )


def _covers(cited: Cited, path: str) -> bool:
    """Whether what is cited lies in the value, or is about the whole of which the value is a part."""
    return any(paths.is_below(whole, path) or paths.is_below(path, whole) for whole, _ in cited.elements)


def _range(limits: Limits | None) -> RangeOut | None:
    return RangeOut(low=limits.low, high=limits.high, text=limits.text) if limits else None


def _shortened(value: Any) -> tuple[Any, bool]:
    """The value with files' bytes cut, and whether nothing was."""
    if isinstance(value, str):
        whole = len(value) <= _LONG
        return (value if whole else f"{value[:200]}… ({len(value):,} characters)"), whole
    if isinstance(value, Mapping):
        parts = {name: _shortened(inner) for name, inner in value.items()}
        return {name: inner for name, (inner, _) in parts.items()}, all(whole for _, whole in parts.values())
    if isinstance(value, list):
        items = [_shortened(inner) for inner in value]
        return [inner for inner, _ in items], all(whole for _, whole in items)
    return value, True
