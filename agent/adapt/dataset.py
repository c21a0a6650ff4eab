"""Charts → a dataset: rows of every patient, split by patient, with the count of what was dropped and why."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import version
from pathlib import Path

import prompts
from agent import auditing
from agent.adapt.questions import KINDS, posed
from agent.adapt.rows import DatasetCard, Part, Row
from agent.adapt.teaching import Dropped, Teacher
from agent.chart import Chart
from agent.errors import ChartlineError, UserError
from agent.patients import listed
from agent.reasoners.rules import Rules
from agent.settings import Settings
from agent.sources import open_source
from agent.wire import Agent
from fhir_tools.audit import Record
from fhir_tools.source import Source

__all__ = ["Made", "Places", "Plan", "charts_of", "make", "part_of"]

_SPLIT = "chartline adapt: "
_TRIES = 6
"""For each row that is wanted so many questions are posed at most."""
Tell = Callable[[int, int], None]
"""Told how many patients are done, and how many rows there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a dataset is made: the share of patients held out, rows of each patient at most, the share of rows without
    what rules worked out, tokens of a prompt and its reply, whether rows name their patient, and the kinds of
    question (`agent.adapt.questions.KINDS`; none is all)."""

    seed: int = 0
    held_out: float = 0.2
    per_patient: int = 60
    unhelped: float = 0.5
    context: int = 8192
    patient_ids: bool = True
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where charts are: FHIR servers, a store or files (`fhir`), or a folder with a file for each patient (`charts`).

    `patients` are ids, for a server that does not list them all; none is everyone.
    """

    fhir: tuple[str, ...] = ()
    charts: Path | None = None
    patients: tuple[str, ...] = ()
    as_of: date | None = None


@dataclass(slots=True, kw_only=True)
class Made:
    """Rows by part; `patients` are their records, and `dropped` counts reasons."""

    rows: dict[Part, list[Row]] = field(default_factory=lambda: {"train": [], "held-out": []})
    patients: dict[str, Part] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)

    def card(self, plan: Plan) -> DatasetCard:
        """What was made."""
        kinds = sorted({row.kind for rows in self.rows.values() for row in rows})
        counts = {part: Counter(row.kind for row in rows) for part, rows in self.rows.items()}
        told = Counter(self.patients.values())
        return DatasetCard(
            chartline=version("chartline"),
            seed=plan.seed,
            held_out=plan.held_out,
            per_patient=plan.per_patient,
            unhelped=plan.unhelped,
            context=plan.context,
            patient_ids=plan.patient_ids,
            kinds=plan.kinds,
            patients={part: told[part] for part in self.rows},
            rows={kind: {part: counts[part][kind] for part in self.rows} for kind in kinds},
            dropped=dict(sorted(self.dropped.items())),
            prompts={name: prompts.load(name).sha256 for name in prompts.names()},
        )


def part_of(patient: str, held_out: float) -> Part:
    """Which part a patient's rows belong to: by a hash of the id, so that a later dataset splits alike."""
    digest = hashlib.sha256(f"{_SPLIT}{patient}".encode()).digest()
    return "held-out" if int.from_bytes(digest[:8]) < held_out * 2**64 else "train"


async def make(places: Places, plan: Plan, settings: Settings, tell: Tell | None = None) -> Made:
    """All rows. A chart that cannot be read is counted as dropped. Raises UserError where there are no patients."""
    made = Made()
    _refuse_unknown(plan.kinds)
    teacher = Teacher(settings=settings, context=plan.context, patient_ids=plan.patient_ids)
    async for chart in charts_of(places, settings, made.dropped):
        person = str(chart.person.get("id"))
        if person in made.patients:  # two records of one patient, or two files: it must not be in both parts
            made.dropped["patients: a further record of one who is in already"] += 1
            continue
        made.patients[person] = part = part_of(person, plan.held_out)
        made.rows[part] += await _taught(teacher, chart, plan, made.dropped)
        if tell:
            tell(len(made.patients), sum(map(len, made.rows.values())))
    if not made.patients:
        raise UserError(f"no chart could be read, so there is nothing to learn from{_why(made.dropped)}")
    return made


def _refuse_unknown(kinds: Sequence[str]) -> None:
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise UserError(f"no kind of question {unknown[0]!r}; there are {', '.join(KINDS)}")


def _why(dropped: Counter[str]) -> str:
    return f": {'; '.join(dropped)}" if dropped else ""


async def _taught(teacher: Teacher, chart: Chart, plan: Plan, dropped: Counter[str]) -> list[Row]:
    """The rows of one patient, each prompt once."""
    chance = random.Random(f"helped {plan.seed}:{chart.person.get('id')}")  # noqa: S311  the same rows each time
    rows: dict[str, Row] = {}
    for tried, question in enumerate(posed(chart, plan.seed, plan.kinds)):
        if len(rows) >= plan.per_patient or tried >= plan.per_patient * _TRIES:
            break
        try:
            new = await teacher.rows(chart, question, helped=chance.random() >= plan.unhelped)
        except Dropped as why:
            dropped[f"{question.kind}: {why}"] += 1
            continue
        rows |= {row.id: row for row in new}
    return list(rows.values())[: plan.per_patient]


async def charts_of(places: Places, settings: Settings, dropped: Counter[str]) -> AsyncIterator[Chart]:
    """Every chart that is asked for, one open at a time."""
    files: Sequence[tuple[str, ...]] = [places.fhir]
    if places.charts is not None:
        files = [(str(path),) for path in sorted(places.charts.iterdir()) if path.is_file()]
        if not files:
            raise UserError(f"there are no files in {str(places.charts)!r}")
    async with auditing.open_record(settings) as record:
        for place in files:
            try:
                async with _opened(place, settings) as source:
                    async for chart in _of_source(source, places, settings, record, dropped):
                        yield chart
            except ChartlineError as error:
                if places.charts is None:
                    raise
                dropped[f"charts: a file could not be read ({type(error).__name__})"] += 1


@asynccontextmanager
async def _opened(place: tuple[str, ...], settings: Settings) -> AsyncIterator[Source]:
    async with open_source(place, settings) as source:
        yield source


async def _of_source(
    source: Source, places: Places, settings: Settings, record: Record | None, dropped: Counter[str]
) -> AsyncIterator[Chart]:
    for patient in places.patients or await _everyone(source):
        async with Agent(
            source, patient, as_of=places.as_of, settings=settings, reasoner=Rules(), record=record
        ) as agent:
            try:
                chart = await agent.chart()
            except ChartlineError as error:
                dropped[f"charts: one could not be opened ({type(error).__name__})"] += 1
                continue
            if chart.unread or chart.catalogue.unread():
                dropped["charts: one could not be wholly read"] += 1
                continue
            yield chart


async def _everyone(source: Source) -> list[str]:
    people, whole = await listed(source)
    if not whole:
        raise UserError("the server does not list all its patients: name them in a file, and give it by --patients")
    return [person.id for person in people]
