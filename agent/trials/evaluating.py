"""`chartline eval trials`: a verdict row for every statement, trial and patient of a file of questions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from agent.open import open_chart
from agent.settings import Settings
from agent.sources import open_source
from agent.trials.reading import compile_trial, read_folder
from agent.trials.screening import screen
from agent.trials.types import Criterion, Screened, Section, VerdictWord
from agent.types import Citation
from fhir_tools.types import Reference

__all__ = ["Asked", "VerdictRow", "verdict_rows"]


class Asked(BaseModel):
    """What is read of a row of questions: whose chart, as of which day."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    patient: str
    as_of: date


class VerdictRow(BaseModel):
    """One verdict. `criterion` counts from 0, inclusion then exclusion, as written; `citations` are references."""

    model_config = ConfigDict(frozen=True)

    trial: str
    patient: str
    as_of: str
    criterion: int
    section: Section
    text: str
    verdict: VerdictWord
    citations: tuple[str, ...] = ()
    reason: str = ""
    missing: str = ""


def verdict_rows(
    trials: Path,
    asked: Sequence[Asked],
    chart_of: Callable[[str], Path],
    settings: Settings,
    *,
    jobs: int = 1,
    progress: Callable[[int], None] | None = None,
) -> list[VerdictRow]:
    """The rows, trial by trial and patient by patient. `progress` is told how many patients are done.

    Raises UserError for a protocol or a chart that is missing or does not load.
    """
    compiled = [(t.id, compile_trial(t)) for t in read_folder(trials)]
    pairs = list(dict.fromkeys((a.patient.removeprefix("Patient/"), a.as_of) for a in asked))
    todo = [(patient, day, chart_of(patient)) for patient, day in pairs]
    done: list[list[Screened]] = []
    work = partial(_one, compiled=compiled, settings=settings)
    if jobs <= 1:
        for one in todo:
            done.append(work(one))
            if progress:
                progress(1)
    else:
        with ProcessPoolExecutor(max_workers=jobs) as pool:
            for screened in pool.map(work, todo):
                done.append(screened)
                if progress:
                    progress(1)
    return [row for number in range(len(compiled)) for screened in done for row in _rows(screened[number])]


def _one(
    one: tuple[str, date, Path], *, compiled: list[tuple[str, tuple[Criterion, ...]]], settings: Settings
) -> list[Screened]:
    return asyncio.run(_screened(one, compiled, settings))


async def _screened(
    one: tuple[str, date, Path], compiled: list[tuple[str, tuple[Criterion, ...]]], settings: Settings
) -> list[Screened]:
    patient, day, path = one
    async with open_source(path, settings) as source:
        chart = await open_chart(source, Reference(type="Patient", id=patient), day)
        return [await screen(trial, criteria, chart) for trial, criteria in compiled]


def _rows(screened: Screened) -> list[VerdictRow]:
    return [
        VerdictRow(
            trial=screened.trial,
            patient=screened.patient.removeprefix("Patient/"),
            as_of=screened.as_of,
            criterion=v.number - 1,
            section=v.section,
            text=v.text,
            verdict=v.verdict,
            citations=_references(v.citations),
            reason=v.reason,
            missing=v.missing,
        )
        for v in screened.verdicts
        if v.number
    ]


def _references(citations: Sequence[Citation]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(r for c in citations for r in (c.reference, *c.inputs) if r))
