"""Writing an answer or a summary to the chart: only what was made here, where a setting and a person allow it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict

from agent import auditing
from agent.errors import SourceError
from agent.fhir_out import answer_output, recorded
from agent.service import stored
from agent.service.callers import Caller
from agent.service.fhir_forms import asked_by
from agent.service.kept import kept
from agent.service.parts import Parts, TheCaller, TheParts
from agent.service.permission import allow
from agent.service.problems import Problem, ProblemOut
from agent.sources import credentials_for, is_url, open_writer
from agent.wire import patient_reference
from fhir_tools.audit import RequestEntry
from fhir_tools.audit.entry import stamp
from fhir_tools.local import LocalStore
from fhir_tools.writing.writer import Writer, Written, into_store

__all__ = ["RecordIn", "RecordOut", "router"]

router = APIRouter(tags=["writing"])


class RecordIn(BaseModel):
    """That a person wants it in the chart."""

    model_config = ConfigDict(extra="forbid")

    confirm: Literal[True]


class RecordOut(BaseModel):
    """What stands in the chart now: 201 where it was written by this request, 200 where it stood there before.

    `outcome` is the OperationOutcome of the FHIR server, where it sent one.
    """

    reference: str
    version: str | None = None
    created: bool
    outcome: dict[str, Any] | None = None


_RESPONSES: dict[int | str, dict[str, Any]] = {
    201: {"model": RecordOut, "description": "Written"},
    **{status: {"model": ProblemOut} for status in (401, 403, 404, 422, 502)},
}


@router.post(
    "/v1/questions/{id}/record", response_model=RecordOut, responses=_RESPONSES, summary="Write an answer to the chart"
)
async def record_answer(id: str, said: RecordIn, request: Request, caller: TheCaller, parts: TheParts) -> Response:  # noqa: A002
    """A DocumentReference (or Communication) of the stored answer, and its Provenance, once."""
    allow(request, caller, parts)
    answer, made = await stored.stored_answer(parts, caller, id)
    patient = parts.desk.patient(caller, answer.patient)
    output = answer_output(answer, asked_by(caller, parts, answer.patient, key=f"question/{id}", made=made))
    return await _record(recorded(output, parts.settings.service_write_as), patient, caller, parts)


@router.post(
    "/v1/summaries/{id}/record", response_model=RecordOut, responses=_RESPONSES, summary="Write a summary to the chart"
)
async def record_summary(id: str, said: RecordIn, request: Request, caller: TheCaller, parts: TheParts) -> Response:  # noqa: A002
    """As for an answer, of a summary that was made here within the settings' `service_summary_seconds`."""
    allow(request, caller, parts)
    found = await kept(parts, caller, id)
    if found is None:
        raise Problem(404, "unknown-summary", "no summary of that id is kept for you; make it anew")
    patient, transaction = found
    return await _record(transaction, parts.desk.patient(caller, patient), caller, parts)


async def _record(transaction: Mapping[str, Any], patient: str, caller: Caller, parts: Parts) -> Response:
    async with _writer(caller, parts) as writer:
        try:
            written = await writer.write(transaction)
        except SourceError as error:
            await _audited(None, error, patient, caller, parts)
            status = 403 if error.status in (401, 403) else 502
            raise Problem(status, "not-written", str(error), more={"outcome": error.outcome}) from error
    await _audited(written, None, patient, caller, parts)
    told = RecordOut(
        reference=written.reference,
        version=written.version,
        created=written.created,
        outcome=dict(written.outcome) if written.outcome else None,
    )
    return JSONResponse(told.model_dump(), 201 if written.created else 200)


@asynccontextmanager
async def _writer(caller: Caller, parts: Parts) -> AsyncIterator[Writer]:
    """What writes to where the caller's charts are read from: of several servers, the first."""
    settings = parts.settings
    if caller.access:
        async with open_writer(caller.access.base, caller.access.auth, settings) as writer:
            yield writer
        return
    place, *others = parts.desk.places
    if is_url(place):
        auth = credentials_for(place, settings, alone=not any(map(is_url, others)))
        async with open_writer(place, auth, settings) as writer:
            yield writer
        return
    async with parts.desk.source(caller) as source:
        if not settings.service_write_store or not isinstance(source, LocalStore):
            raise Problem(403, "no-server", "charts are read from a store here, and it is not to be written")
        yield Writer(into_store(source))


async def _audited(
    written: Written | None, error: SourceError | None, patient: str, caller: Caller, parts: Parts
) -> None:
    """The writing on record, also where it was refused. Raises OperatorError where it cannot be and that is strict."""
    who = auditing.who(parts.settings.model_copy(update={"user": caller.name}), patient_reference(patient))
    entry = RequestEntry(
        at=stamp(),
        who=who,
        action="create",
        what=written.reference if written else "?",
        found=int(bool(written and written.created)),
        outcome="failed" if error else "ok",
        error=type(error).__name__ if error else None,
        status=error.status if error else None,
    )
    await auditing.keep(parts.desk.record, entry)
