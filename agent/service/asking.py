"""`POST /v1/ask`: one question about one patient, as JSON or as it is worked out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from agent.service import metrics
from agent.service.access.addresses import below
from agent.service.bound import AsOf
from agent.service.bounds import within
from agent.service.callers import Caller
from agent.service.desk import Desk
from agent.service.events import GONE, Event, sse, unless_gone, wants_events
from agent.service.examples import ANSWERED
from agent.service.fhir_forms import answer_response, wants_fhir
from agent.service.parts import Parts, TheCaller, TheParts
from agent.service.problems import AWAY, Problem, problem_of
from agent.service.questions.live import told
from agent.service.questions.runs import Asked
from agent.service.resuming import LastEventId, rest
from agent.types import Answer

__all__ = ["AskIn", "events", "router"]

router = APIRouter(tags=["questions"])


class AskIn(BaseModel):
    """A question. `patient` is an id or `Patient/id`, needed where neither a thread nor the credentials name one."""

    model_config = ConfigDict(extra="forbid")

    question: Annotated[str, Field(min_length=1, max_length=4000, examples=["last A1c?"])]
    patient: Annotated[str | None, Field(default=None, max_length=80, examples=["demo-maria-santos"])]
    as_of: AsOf
    thread: Annotated[str | None, Field(default=None, max_length=32, description="The conversation it belongs to.")]


Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=255,
        description="A word of the client's for this question: sent again with it, it is answered once.",
    ),
]


@router.post("/v1/ask", response_model=Answer, summary="Ask a question about a patient's chart", responses=ANSWERED)
async def ask(
    asked: AskIn, request: Request, caller: TheCaller, parts: TheParts, key: Key = None, last: LastEventId = None
) -> Response:
    """The answer as JSON, or as a FHIR Bundle (`Accept: application/fhir+json`).

    With `Accept: text/event-stream` it comes as events `progress`, `claim`, and at the end `answer`. A question of a
    thread, or with an Idempotency-Key, is on record before it is worked on, and is worked on whether or not the client
    waits; `Content-Location` is where it is followed, and its events have ids (`Last-Event-ID`). Without either it ends
    when the client goes.
    """
    headers = {}
    if asked.thread is None and key is None:
        found = events(parts.desk, caller, asked)
    else:
        run = await parts.questions.ask(caller, await _asked(parts, caller, asked, key))
        followed = below(parts.settings, f"/v1/questions/{run.id}")
        found, headers = parts.questions.watch(run.id), {"Content-Location": followed}
    if wants_events(request):
        response: Response = sse(rest(found, last) if headers else found)
        response.headers.update(headers)
        return response
    try:
        answer = await unless_gone(request, _last(found))
    except Exception as error:
        problem = problem_of(error)
        if problem.kind != AWAY:
            raise
        problem.headers |= headers  # it is answered all the same: there, and not by asking again
        raise problem from error
    if answer is None:
        return Response(status_code=GONE)
    assert isinstance(answer, Answer)  # noqa: S101  the last event, or an error was raised
    if wants_fhir(request):
        response = answer_response(answer, caller, parts)
        response.headers.update(headers)
        return response
    return Response(answer.model_dump_json(), media_type="application/json", headers=headers)


async def events(desk: Desk, caller: Caller, asked: AskIn) -> AsyncIterator[Event]:
    """Progress by stages, then each claim once all are verified and on record, then the whole answer."""
    async with desk.agent(caller, asked.patient, asked.as_of) as agent:
        heard = metrics.watched(agent.stream(asked.question))
        async for event in within(desk.settings.service_seconds, heard):
            for one in told(event) if isinstance(event, Answer) else [("progress", event)]:
                yield one


async def _last(found: AsyncIterator[Event]) -> object:
    """What the last event holds."""
    return [data async for _, data in found][-1]


async def _asked(parts: Parts, caller: Caller, asked: AskIn, key: str | None) -> Asked:
    """The question with the patient and the day of its thread. Raises Problem (422) where it names another patient."""
    patient, as_of = asked.patient, asked.as_of
    if asked.thread is not None:
        thread = await parts.questions.threads.one(caller, asked.thread)
        if patient is not None and parts.desk.patient(caller, patient) != thread.patient:
            raise Problem(422, "another-patient", "the thread is about another patient; begin one for this patient")
        patient, as_of = thread.patient, as_of or thread.as_of
    return Asked(
        question=asked.question,
        patient=parts.desk.patient(caller, patient),
        as_of=as_of,
        today=parts.desk.today(),
        thread=asked.thread,
        key=key,
    )
