"""`/v1/trials/…`: protocols read, one patient held against one or several trials, a few patients as a worklist."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import ValidationError

from agent.service.accepting import chosen
from agent.service.callers import Caller
from agent.service.fhir_forms import FHIR, page_response
from agent.service.parts import Parts, TheCaller, TheParts
from agent.service.problems import Problem, ProblemOut
from agent.service.trials.forms import CompiledOut, CompileIn, FindIn, FoundOut, MatchIn, ScreenIn
from agent.service.trials.protocols import compiled, reads_with, sheet_of, sheets_of
from agent.service.trials.work import screening_settings, unbound
from agent.trials.export import export, unnamed
from agent.trials.matching import find, match
from agent.trials.population import Place
from agent.trials.sheet import Sheet
from agent.trials.types import Screened
from agent.trials.worklist import Worklist
from agent.wire import patient_reference

__all__ = ["router"]

router = APIRouter(tags=["trials"], prefix="/v1/trials")

_AT_ONCE = 50
"""Patients of one request; more are the work of a job."""
_FORMATS = {"application/json": "json", "text/csv": "csv", "text/html": "html", FHIR: "fhir"}
_FAULTS: dict[int | str, dict[str, Any]] = {s: {"model": ProblemOut} for s in (401, 403, 404, 422, 502)}
_FORMS: dict[int | str, dict[str, Any]] = {
    200: {"content": {media: {"schema": {"type": "string"}} for media in list(_FORMATS)[1:]}},
    406: {"model": ProblemOut},
    **_FAULTS,
}


@router.post("/compile", responses=_FAULTS, summary="Read a protocol: its criteria as understood")
async def compile_(said: CompileIn, caller: TheCaller, parts: TheParts) -> CompiledOut:
    """Each statement with the check that stands for it, and which statements no rule understands."""
    return await asyncio.to_thread(compiled, await sheet_of(said.trial, parts))


@router.post("/match", responses=_FAULTS, summary="Hold a patient against a trial")
async def match_one(said: MatchIn, caller: TheCaller, parts: TheParts) -> Screened:
    """A verdict for every criterion with its evidence, and what they come to."""
    [found] = await _found([await sheet_of(said.trial, parts)], said.patient, said.as_of, caller, parts)
    return found


@router.post("/find", responses=_FAULTS, summary="Find the trials that fit a patient")
async def find_trials(said: FindIn, caller: TheCaller, parts: TheParts) -> FoundOut:
    """Every trial with its verdicts, those that fit best first."""
    sheets = await sheets_of(said.trials, parts)
    return FoundOut(trials=list(await _found(sheets, said.patient, said.as_of, caller, parts)))


async def _found(
    sheets: list[Sheet], patient: str | None, as_of: date | None, caller: Caller, parts: Parts
) -> tuple[Screened, ...]:
    reference = patient_reference(parts.desk.patient(caller, patient))
    async with parts.desk.source(caller) as source:
        return await find(
            sheets,
            source,
            reference,
            as_of or parts.desk.today(),
            screening_settings(parts, caller),
            reads=reads_with(parts),
            record=parts.desk.record,
        )


@router.post("/screen", response_model=Worklist, responses=_FORMS, summary="Hold a few patients against a trial")
async def screen(said: ScreenIn, request: Request, caller: TheCaller, parts: TheParts) -> Response:
    """The worklist of at most 50 named patients, as JSON, CSV, a page or FHIR by Accept. More are a job's work."""
    unbound(caller)
    if not 0 < len(said.patients) <= _AT_ONCE:
        raise Problem(422, "too-many", f"name 1 to {_AT_ONCE} patients, or start a job of the kind trial-screening")
    sheet = await sheet_of(said.trial, parts)
    people = [patient_reference(parts.desk.patient(caller, p)) for p in dict.fromkeys(said.patients)]
    async with parts.desk.source(caller) as source:
        done = await match(
            sheet,
            Place(source, people),
            said.as_of or parts.desk.today(),
            screening_settings(parts, caller),
            reads=reads_with(parts),
            record=parts.desk.record,
            min_cell=max(said.min_cell, parts.settings.service_min_cell),
        )
    return worklist_response(done.worklist if said.names else unnamed(done.worklist), request)


@router.get("/worklists/{job}", response_model=Worklist, responses=_FORMS, summary="The worklist of a finished job")
async def job_worklist(job: str, request: Request, caller: TheCaller) -> Response:
    """The result of a job of the kind trial-screening, as JSON, CSV, a page or FHIR by Accept."""
    unbound(caller)
    jobs = request.app.state.jobs
    result = await jobs.result(await jobs.rows.one(caller, job))
    try:
        work = Worklist.model_validate(result)
    except ValidationError as error:
        raise Problem(422, "no-worklist", "that job has another result than a worklist") from error
    return worklist_response(work, request)


def worklist_response(work: Worklist, request: Request) -> Response:
    """The worklist in the form that Accept names."""
    media = chosen(request, tuple(_FORMATS))
    text = export(work, _FORMATS[media])
    return page_response(text) if media == "text/html" else Response(text, media_type=media)
