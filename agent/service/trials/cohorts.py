"""`/v1/cohort/…`: the cohort that the operator has loaded, asked and screened."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter

from agent import auditing
from agent.service.callers import Caller
from agent.service.parts import Parts, TheCaller, TheParts
from agent.service.problems import Problem, ProblemOut
from agent.service.trials.forms import AskCohortIn, AskCohortOut, ScreenCohortIn, ScreenCohortOut
from agent.service.trials.protocols import sheet_of
from agent.service.trials.work import screening_settings, unbound
from agent.trials.asking import Question, understand
from agent.trials.counting import Counted, Passed, count, question_of, screened
from agent.trials.prescreening import prescreen
from agent.trials.sheet import Sheet
from fhir_tools.cohort.tables import MANIFEST, opened

__all__ = ["router"]

router = APIRouter(tags=["cohorts"], prefix="/v1/cohort")

_MOST = 10_000
"""Patients that one answer lists."""
_FAULTS: dict[int | str, dict[str, Any]] = {s: {"model": ProblemOut} for s in (401, 403, 404, 422, 501, 502)}


@router.post("/ask", responses=_FAULTS, summary="Count or list the patients of the cohort for whom a question holds")
async def ask(said: AskCohortIn, caller: TheCaller, parts: TheParts) -> AskCohortOut:
    """Every part of the question is told as it was understood; words that nothing explains are refused (422)."""
    _allowed(caller, parts)
    question = understand(said.question)
    day = said.as_of or parts.desk.today()

    def run() -> tuple[str, Counted]:
        with opened(parts.settings.cohort.expanduser()) as cohort:
            found = count(
                cohort,
                question_of(question, cohort, day),
                least=_least(said.min_cell, parts),
                listed=question.want == "list",
                names=said.names,
            )
            return str(cohort.id), found

    found = await _run(run, caller, parts)
    return AskCohortOut(
        question=said.question,
        understood=list(question.told),
        as_of=day.isoformat(),
        patients=dict(found.patients),
        listed=_listed(question, found),
        complete=len(found.rows) <= _MOST,
        warnings=list(found.warnings),
    )


def _listed(question: Question, found: Counted) -> list[dict[str, Any]] | None:
    return None if question.want == "count" else [dict(row) for row in found.rows[:_MOST]]


@router.post("/screen", responses=_FAULTS, summary="Hold the cohort against a trial's checks")
async def screen(said: ScreenCohortIn, caller: TheCaller, parts: TheParts) -> ScreenCohortOut:
    """How many patients each statement keeps, and who passes or cannot be told, for a reader to look at."""
    _allowed(caller, parts)
    sheet = await sheet_of(said.trial, parts)
    day = said.as_of or parts.desk.today()

    def run() -> tuple[str, Passed]:
        with opened(parts.settings.cohort.expanduser()) as cohort:
            asked = prescreen(sheet.criteria, cohort, day)
            return str(cohort.id), screened(cohort, asked, day, least=_least(said.min_cell, parts), names=said.names)

    return _passed(sheet, day.isoformat(), await _run(run, caller, parts))


def _passed(sheet: Sheet, day: str, found: Passed) -> ScreenCohortOut:
    return ScreenCohortOut(
        trial=sheet.trial,
        as_of=day,
        patients=dict(found.patients),
        criteria=[dict(row) for row in found.criteria],
        passing=[dict(row) for row in found.rows[:_MOST]],
        complete=len(found.rows) <= _MOST,
    )


def _allowed(caller: Caller, parts: Parts) -> None:
    """Raises Problem: 403 for who may see one patient, or what a server of their own shows them; 404 without a cohort.

    A cohort is the operator's own extract: what a user's FHIR server would hide from them is in it as well.
    """
    unbound(caller)
    if caller.access is not None:
        raise Problem(403, "out-of-scope", "the cohort is not of the FHIR server that these credentials are for")
    if not (parts.settings.cohort.expanduser() / MANIFEST).is_file():
        raise Problem(404, "no-cohort", "no cohort is loaded here; its operator makes one with: chartline cohort load")


def _least(asked: int, parts: Parts) -> int:
    return max(asked, parts.settings.service_min_cell)


async def _run(run: Any, caller: Caller, parts: Parts) -> Any:
    """What a thread of its own finds, told only once it is on record."""
    digest, found = await asyncio.to_thread(run)
    await auditing.keep(parts.desk.record, auditing.cohort_entry(screening_settings(parts, caller), digest))
    return found
