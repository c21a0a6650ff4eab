"""Runs questions over charts: every patient's chart is loaded once, and opened again only for another day."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from agent.errors import UserError, one_line
from agent.evals.cases import AnswerRow, Case, EvidenceRow, answer_row
from agent.prompt import joined, messages
from agent.reasoning import reasoner
from agent.settings import Settings
from agent.sources import open_source
from agent.wire import Agent

__all__ = ["Job", "Task", "answered", "chart_path", "jobs_of", "run"]

Task = Literal["answers", "evidence"]
_SUFFIXES = (".json.gz", ".json", ".ndjson.gz", ".ndjson")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The questions of one patient, and the file of the chart."""

    patient: str
    chart: Path
    cases: tuple[Case, ...]


def chart_path(folder: Path, patient: str) -> Path:
    """The chart of a patient: `<patient id>.json.gz`, or unpacked, or NDJSON. Raises UserError where there is none."""
    found = next((p for s in _SUFFIXES if (p := folder / f"{patient.removeprefix('Patient/')}{s}").is_file()), None)
    if found is None:
        raise UserError(f"no chart of patient {patient!r} in {str(folder)!r}; it should be called {patient}.json.gz")
    return found


def run(
    cases: Sequence[Case],
    charts: Path,
    task: Task,
    settings: Settings,
    *,
    jobs: int = 1,
    progress: Callable[[int], None] | None = None,
) -> list[BaseModel]:
    """A row for every case, in their order: AnswerRow or EvidenceRow.

    `jobs` is how many processes share the patients; `progress` is told how many rows came. Traces are written only
    if the settings name a folder. Raises UserError for a chart that is missing or does not load.
    """
    tell = progress or (lambda _: None)
    work = partial(_run, task=task, settings=settings)
    rows: dict[str, BaseModel] = {}
    todo = jobs_of(cases, charts)
    if jobs <= 1:
        rows = work(todo, tell=tell)
    else:
        with ProcessPoolExecutor(max_workers=jobs) as pool:
            for batch in pool.map(work, ([job] for job in todo)):
                rows |= batch
                tell(len(batch))
    return [rows[case.id] for case in cases]


def jobs_of(cases: Sequence[Case], charts: Path) -> list[Job]:
    """The questions by patient, the earliest day first. Raises UserError for a missing chart or an id used twice."""
    by_patient: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        by_patient[case.patient].append(case)
    if len({case.id for case in cases}) < len(cases):
        raise UserError("two questions have the same id; answers could not be told apart")
    return [
        Job(
            patient=patient,
            chart=chart_path(charts, patient),
            cases=tuple(sorted(of, key=lambda c: c.as_of or date.max)),
        )
        for patient, of in by_patient.items()
    ]


def _run(
    todo: Sequence[Job], *, task: Task, settings: Settings, tell: Callable[[int], None] = lambda _: None
) -> dict[str, BaseModel]:
    return asyncio.run(_patients(todo, task, settings, tell))


async def _patients(
    todo: Sequence[Job], task: Task, settings: Settings, tell: Callable[[int], None]
) -> dict[str, BaseModel]:
    """The rows of these patients, by one reasoner: weights are loaded once, and a server is asked what it is once."""
    rows: dict[str, BaseModel] = {}
    ask: Callable[[Agent, Case], Awaitable[BaseModel]] = answered if task == "answers" else _evidence
    thinker, model = reasoner(settings)
    async with model or nullcontext():
        for job in todo:
            async with open_source(job.chart, settings) as source:
                agent: Agent | None = None
                for case in job.cases:
                    if agent is None or (case.as_of and case.as_of != agent.as_of):
                        agent = Agent(source, job.patient, as_of=case.as_of, settings=settings, reasoner=thinker)
                    rows[case.id] = await ask(agent, case)
                    tell(1)
    return rows


async def answered(agent: Agent, case: Case) -> AnswerRow:
    """The row of one question. One that breaks the program is a failed row with its reason, and the run goes on."""
    try:
        return answer_row(case.id, await agent.ask(case.question))
    except Exception as error:  # noqa: BLE001  a run of a thousand questions must not end at one
        return AnswerRow(id=case.id, answer=one_line(error), status="failed")


async def _evidence(agent: Agent, case: Case) -> EvidenceRow:
    ask, evidence = await agent.evidence(case.question)
    marks = {mark.id: list(mark.references) for card in evidence.cards for mark in card.marks}
    marks |= {id_: [] for absence in evidence.absent for id_ in absence.searched}
    return EvidenceRow(id=case.id, prompt=joined(messages(ask, evidence)), marks=marks)
