"""Screening: patients against a trial (`match`), trials against a patient (`find`). What edges call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial

from agent import auditing
from agent.chart import Chart
from agent.errors import ChartlineError
from agent.open import open_chart
from agent.settings import Settings
from agent.trials.checks import Age, Measurement, Pregnancy, Record, Sex, Smoking, walk
from agent.trials.population import Population
from agent.trials.runs import Run, stands
from agent.trials.screening import Reads, screen
from agent.trials.sheet import Sheet, digest
from agent.trials.types import Screened
from agent.trials.worklist import Change, Failed, Worklist, changes_of, ranked, worklist
from fhir_tools.audit import Record as Audit
from fhir_tools.audit import answer_record
from fhir_tools.catalogue import read_catalogue
from fhir_tools.facts import KIND_TYPES
from fhir_tools.source import CATALOGUE_OPERATION, Source
from fhir_tools.types import Reference

__all__ = ["Matched", "Step", "find", "match", "types_read"]

_AT_ONCE = 4
"""Charts that are open side by side."""
_OTHER_CHECKS = "the checks are not those of the earlier run, so every patient was looked at"
_FAR = timedelta(days=36_500)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a run tells while it works: how many patients are done of how many. Never who."""

    done: int
    total: int
    looked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """A worklist, and the run to keep for the next time."""

    worklist: Worklist
    run: Run


def types_read(sheet: Sheet) -> frozenset[str]:
    """The types of resource that the sheet's checks may look at."""
    kinds: set[str] = {"patient"}
    for criterion in sheet.criteria:
        for leaf in walk(criterion.check):
            kinds |= _kinds(leaf)
    return frozenset(t for k in kinds for t in KIND_TYPES[k])  # type: ignore[index]


def _kinds(leaf: object) -> set[str]:
    match leaf:
        case Record():
            also = {"condition": {"encounter"}, "medication": {"encounter"}, "procedure": {"imaging", "condition"}}
            return {leaf.kind} | also.get(
                leaf.kind,
                {"procedure", "imaging", "report"} if leaf.kind in ("imaging", "device", "immunization") else set(),
            )
        case Measurement():
            return {"measurement", "social"}
        case Pregnancy() | Smoking():
            return {"condition", "measurement", "social"}
        case Age() | Sex():
            return set()
    return set(KIND_TYPES)


async def match(
    sheet: Sheet,
    population: Population,
    as_of: date,
    settings: Settings,
    *,
    reads: Reads | None = None,
    reader: str = "rules",
    record: Audit | None = None,
    before: Run | None = None,
    min_cell: int = 0,
    progress: Callable[[Step], None] | None = None,
) -> Matched:
    """Every patient of a population against one trial. Who has not changed since the run `before` is not looked at.

    A patient whose chart cannot be opened is in `failed`, never left out. Raises OperatorError where the patients
    cannot be listed, or a record cannot be kept and the settings are strict.
    """
    people = await population.patients()
    checks = digest(sheet.criteria)
    same = before is not None and (before.trial, before.checks, before.reader) == (sheet.trial, checks, reader)
    known = {s.patient: s for s in before.screened} if before is not None and same else {}
    one = partial(_one, sheet, population, as_of, _for_research(settings), reads, record, known, types_read(sheet))
    slots, done, looked = asyncio.Semaphore(_AT_ONCE), 0, 0

    async def run(patient: Reference) -> tuple[Screened | Failed, bool]:
        nonlocal done, looked
        async with slots:
            found = await one(patient)
        done, looked = done + 1, looked + found[1]
        if progress:
            progress(Step(done=done, total=len(people), looked=looked))
        return found

    found = await asyncio.gather(*map(run, people))
    rows = [s for s, _ in found if isinstance(s, Screened)]
    earlier = {s.patient: s for s in before.screened} if before else {}
    told = worklist(
        sheet.trial, sheet.title, as_of.isoformat(), checks, rows, looked=looked, min_cell=min_cell,
        changes=[*_changes(earlier, rows), *_gone(earlier, people)],
        failed=[f for f, _ in found if isinstance(f, Failed)],
        warnings=() if same or before is None else (_OTHER_CHECKS,),
    )  # fmt: skip
    return Matched(
        worklist=told, run=Run(trial=sheet.trial, checks=checks, reader=reader, as_of=as_of, screened=tuple(rows))
    )


def _changes(earlier: Mapping[str, Screened], rows: Sequence[Screened]) -> list[Change]:
    return [c for s in rows if s.patient in earlier for c in changes_of(earlier[s.patient], s)]


def _gone(earlier: Collection[str], people: Sequence[Reference]) -> list[Change]:
    there = {str(p) for p in people}
    return [Change(patient=p, before="screened", after="no longer there") for p in earlier if p not in there]


def _for_research(settings: Settings) -> Settings:
    """Screening is for research, unless the settings say what for (HL7 v3 PurposeOfUse)."""
    return settings if "purpose" in settings.model_fields_set else settings.model_copy(update={"purpose": "CLINTRCH"})


async def _one(
    sheet: Sheet, population: Population, as_of: date, settings: Settings, reads: Reads | None, record: Audit | None,
    known: dict[str, Screened], types: frozenset[str], patient: Reference,
) -> tuple[Screened | Failed, bool]:  # fmt: skip
    """One patient, and whether the chart was looked at."""
    try:
        mark = await population.digest(patient, types)
        earlier = known.get(str(patient))
        if earlier and stands(earlier, mark, as_of):
            return earlier.model_copy(update={"as_of": as_of.isoformat()}), False
        async with population.opened(patient) as source:
            chart = await _open(source, patient, as_of, settings, record)
            screened = await screen(sheet.trial, sheet.criteria, chart, reads, earlier)
            later = await _has_later(source, chart)
        screened = screened.model_copy(update={"digest": mark, "later": later})
    except ChartlineError as error:
        if record is not None and "audit record" in str(error):
            raise
        return Failed(patient=str(patient), error=str(error)), True
    await _keep(screened, settings, record, patient)
    return screened, True


async def _open(source: Source, patient: Reference, as_of: date, settings: Settings, record: Audit | None) -> Chart:
    keep = partial(auditing.audited, record, settings, patient, str)
    return await open_chart(source, patient, as_of, keep=keep)


async def _has_later(source: Source, chart: Chart) -> bool:
    """Whether the chart has something that is dated after the day; True where finding out would mean reading it all."""
    offered = (await source.capabilities()).get("operations") or ()
    if CATALOGUE_OPERATION not in offered:
        return True
    every = await read_catalogue(chart.source, chart.patient, min(chart.as_of + _FAR, date.max))
    return sum(e.count for e in every.entries) != sum(e.count for e in chart.catalogue.entries)


async def _keep(screened: Screened, settings: Settings, record: Audit | None, patient: Reference) -> None:
    """The screening on record: that it was done and what it rests on, nothing of what was found."""
    if record is None:
        return
    cited = {c.reference: c.version for v in screened.verdicts for c in v.citations if c.reference}
    by = next((v.by for v in screened.verdicts if v.by != "rules"), "rules")
    done = record(
        answer_record(
            auditing.who(settings, patient),
            status="answered",
            reasoner=by,
            cited=cited.items(),
            seconds=screened.usage.seconds,
        )
    )
    if done is not None:
        await done


async def find(
    sheets: Sequence[Sheet],
    source: Source,
    patient: Reference,
    as_of: date,
    settings: Settings,
    *,
    reads: Reads | None = None,
    record: Audit | None = None,
    progress: Callable[[Step], None] | None = None,
) -> tuple[Screened, ...]:
    """One patient against several trials, those that fit best first. Raises UserError, SourceError for the chart."""
    settings = _for_research(settings)
    chart = await _open(source, patient, as_of, settings, record)
    found = []
    for number, sheet in enumerate(sheets, 1):
        screened = await screen(sheet.trial, sheet.criteria, replace(chart), reads)
        await _keep(screened, settings, record, patient)
        found.append(screened)
        if progress:
            progress(Step(done=number, total=len(sheets), looked=number))
    return ranked(found)
