"""The records of a summary: sections of lines, every line with the marks that hold it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from agent.types import Claim, Op, Removed, Support
from fhir_tools.types import Card, Reference, Search

__all__ = ["KINDS", "Cited", "Drafted", "Kind", "Line", "Note", "Plot", "Section", "Sketch", "Summary"]

Kind = Literal["snapshot", "problems", "medications", "labs", "since-last-visit", "for-patient"]
KINDS: tuple[Kind, ...] = Kind.__args__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """The course of one measurement: points oldest first in `unit` (UCUM), and the chart's own reference range.

    `low` and `high` are the range of the latest result, None where it has none (on that side) or has it in
    another unit. `names` are the series (one, or systolic and diastolic); each point names its own. `older` results
    were left out.
    """

    title: str
    unit: str
    points: tuple[tuple[datetime, float, str], ...]
    low: float | None = None
    high: float | None = None
    older: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for _, _, name in self.points))


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """A line before verify: the claim, what goes with it, and whether the result is out of range.

    `shorter` is told when verify takes the claim out: the bare record, so that a doubt about a detail hides no allergy.
    """

    claim: Claim
    shorter: Claim | None = None
    plot: Plot | None = None
    flagged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What code says about its own search (absence, a cut, how something was chosen), with its search marks."""

    text: str
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """A section before verify. `hidden` counts lines that are left out for length; `op` is what its lines tell."""

    title: str
    lines: tuple[Drafted, ...] = ()
    notes: tuple[Note, ...] = ()
    cards: tuple[Card, ...] = ()
    hidden: int = 0
    op: Op = "list"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A verified statement. `marks` are those of the summary's citations."""

    text: str
    marks: tuple[str, ...]
    support: Support
    plot: Plot | None = None
    flagged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Lines under a title. `removed` are the lines that verify took out, with the reason."""

    title: str
    lines: tuple[Line, ...] = ()
    notes: tuple[Note, ...] = ()
    hidden: int = 0
    removed: tuple[Removed, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    """Where a mark points: a resource, the resources of a computation, or a search."""

    mark: str
    text: str
    references: tuple[str, ...] = ()
    path: str = ""
    version: str | None = None
    date: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A summary of one patient as of a day. `banner` is the section about the person."""

    kind: Kind
    title: str
    patient: Reference
    as_of: date
    banner: Section
    sections: tuple[Section, ...]
    citations: tuple[Cited, ...]
    searched: tuple[Search, ...]
    warnings: tuple[str, ...] = ()
    closing: str = ""

    @property
    def removed(self) -> tuple[Removed, ...]:
        return tuple(r for s in (self.banner, *self.sections) for r in s.removed)


@dataclass(slots=True, kw_only=True)
class Numbering:
    """Marks in the order of their first use: `7` becomes `1`, `c12` becomes `c1`."""

    names: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def of(self, mark: str) -> str:
        if mark not in self.names:
            prefix = mark.rstrip("0123456789")
            self.counts[prefix] = self.counts.get(prefix, 0) + 1
            self.names[mark] = f"{prefix}{self.counts[prefix]}"
        return self.names[mark]
