"""All facts of a chart in time, in columns: what each is about, when it began, when it ended."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fhir_tools import dates, wording
from fhir_tools.catalogue import read_type
from fhir_tools.errors import ChartlineError, SourceError
from fhir_tools.facts import KIND_TYPES
from fhir_tools.source import TIMELINE_OPERATION, Source
from fhir_tools.types import Fact, Interval, Kind, Query, Reference, Search, Standing

__all__ = ["LASTING", "Timeline", "read_timeline", "until"]

LASTING: Mapping[str, tuple[str, ...]] = {
    "Encounter": (),
    "Condition": (
        "clinicalStatus", "abatement", "abatementDateTime", "abatementPeriod", "abatementAge", "abatementRange",
        "abatementString",
    ),
    "MedicationRequest": ("dosageInstruction", "dispenseRequest"),
    "MedicationStatement": (),
    "Procedure": (),
    "CarePlan": (),
}  # fmt: skip
"""Types whose facts have an end, and the elements that say it where the catalogue does not ask for them."""
_OPEN = frozenset(("active", "recurrence", "relapse"))
"""Clinical states of a condition that goes on (R4 condition-clinical)."""

_WIDTH = len("2026-06-15T12:00:00.000000")
Row = tuple[int, str, Standing, str | None, str, str | None]
"""Number of the concept, reference, standing, first instant (sorts as it reads), date as the chart has it, end."""


class _Rows(BaseModel):
    """What the operation answers."""

    model_config = ConfigDict(extra="ignore")

    concepts: list[tuple[Kind, str]]
    rows: list[tuple[Annotated[int, Field(ge=0)], str, Standing, str | None, str, str | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The dated facts of a chart as of a day, in the order in which they began; columns of one length.

    `concepts` are (kind, label), and `concept` their numbers; `when` is the date as precisely as the chart has it.
    `until` has the end of those that last, by row: a date, or nothing for what has not ended. `left_out` counts what
    is not among the rows: `undated`, `later` than the day, or the standing that makes it no fact. `searched` says how
    it was read, and whether all of it was.
    """

    concepts: tuple[tuple[Kind, str], ...]
    concept: Sequence[int]
    when: Sequence[str]
    references: Sequence[str]
    until: Mapping[int, str] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    searched: tuple[Search, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether all of the chart was read."""
        return all(row.complete and not row.limits for row in self.searched)


def until(fact: Fact) -> str | None:
    """When it ended, as precisely as the chart has it; empty for what goes on, None for what does not last."""
    if fact.kind == "condition":
        ended = fact.details.get("abatement")
        if isinstance(ended, Interval):
            return ended.text
        return "" if fact.status in _OPEN else None
    ends, when = fact.details.get("ends"), fact.when
    if when is None or when.low is None:
        return None
    lasted = ends if isinstance(ends, Interval) else when
    if lasted.high is None:
        return ""
    last = (dates.last_day(lasted) or lasted.high.date()).isoformat()[: len(when.text)]
    return last if last > when.text else None


async def read_timeline(source: Source, patient: Reference, as_of: date) -> Timeline:
    """The timeline of one chart: in one call where the source offers it, else by searching all types side by side.

    Raises SourceError where the call fails; a search that failed or was cut short is told in `searched`.
    """
    can = await source.capabilities()
    if TIMELINE_OPERATION in (can.get("operations") or ()):
        url = f"{patient}/{TIMELINE_OPERATION}"
        fetched = await source.fetch(url)
        try:
            read = _Rows.model_validate_json(fetched.body)
        except ValidationError:
            raise SourceError(f"{TIMELINE_OPERATION} gave no timeline; load the charts into a new store") from None
        return _columns(read.concepts, read.rows, as_of, (Search(query=url, found=len(read.rows)),))
    return await _searched(source, patient, as_of, can.get("search") or ())


async def _searched(source: Source, patient: Reference, as_of: date, offered: Collection[str]) -> Timeline:
    every = dict.fromkeys(t for names in KIND_TYPES.values() for t in names if t != "Patient")
    types = [t for t in every if not offered or t in offered]
    parts = await asyncio.gather(*(_type(source, patient, name) for name in types))
    concepts: dict[tuple[Kind, str], int] = {}
    rows: list[Row] = []
    for facts, _ in parts:
        for fact in facts:
            if ".component[" not in fact.path:
                at = concepts.setdefault((fact.kind, fact.concept.label), len(concepts))
                rows.append(_row(at, fact))
    return _columns(list(concepts), rows, as_of, tuple(search for _, search in parts))


async def _type(source: Source, patient: Reference, name: str) -> tuple[tuple[Fact, ...], Search]:
    """The facts of one type and how they were read; a fault is told and the rest is read."""
    try:
        part = await read_type(source, patient, name, also=LASTING.get(name, ()))
    except ChartlineError as fault:
        query = str(Query(type=name, params=(("patient", str(patient)),)))
        return (), Search(query=query, found=0, complete=False, error=str(fault) or type(fault).__name__)
    return part.facts, part.search


def _row(concept: int, fact: Fact) -> Row:
    low = fact.when.low if fact.when else None
    first = low.astimezone(UTC).isoformat(timespec="microseconds")[:_WIDTH] if low else None
    return concept, str(fact.reference), fact.standing, first, fact.when.text if fact.when else "", until(fact)


def _columns(
    concepts: Sequence[tuple[Kind, str]], rows: Sequence[Row], as_of: date, searched: tuple[Search, ...]
) -> Timeline:
    after = f"{as_of + timedelta(days=1)}T" if as_of < date.max else "~"
    left_out: Counter[str] = Counter()
    kept = []
    for row in rows:
        reason = row[2] if row[2] != "fact" else "undated" if not row[3] else "later" if row[3] >= after else ""
        if concepts[row[0]][0] == "patient":
            continue
        if reason:
            left_out[reason] += 1
        else:
            kept.append(row)
    kept.sort(key=_began)
    numbers = {old: new for new, old in enumerate(dict.fromkeys(row[0] for row in kept))}
    return Timeline(
        concepts=tuple((concepts[old][0], wording.unmarked(concepts[old][1])) for old in numbers),
        concept=[numbers[row[0]] for row in kept],
        when=[row[4] for row in kept],
        references=[row[1] for row in kept],
        until={at: row[5] for at, row in enumerate(kept) if row[5] is not None},
        left_out=dict(left_out),
        searched=searched,
    )


def _began(row: Row) -> Any:
    return row[3], row[1]
