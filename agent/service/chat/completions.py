"""`POST /v1/chat/completions` and `GET /v1/models`: a question and its answer in OpenAI's protocol.

The patient comes from the credentials or from a header, never from the messages: those are what a model may have
written.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.responses import Response

from agent.graph import Progress
from agent.service import metrics
from agent.service.bound import AS_OF, PATIENT, day_of, patient_of
from agent.service.bounds import within
from agent.service.callers import Caller
from agent.service.chat.faults import ChatRoute, responses
from agent.service.chat.reading import Asked, read
from agent.service.chat.shapes import MODEL, ChatIn, Completion, ModelOut, Models
from agent.service.chat.writing import SHOWN, Head, chunks, line, whole
from agent.service.desk import Desk
from agent.service.events import GONE, sse, unless_gone
from agent.service.parts import TheCaller, TheParts
from agent.service.problems import Problem
from agent.types import Answer

__all__ = ["router"]

router = APIRouter(tags=["chat"], route_class=ChatRoute)
_STARTED = int(time.time())
_ERRORS = responses(401, 429, 500, 503)

# Read by `patient_of` and `day_of`; they are parameters so that the description names them.
ThePatient = Annotated[str | None, Header(alias=PATIENT, max_length=80, description="Id of the patient that is meant.")]
TheDay = Annotated[str | None, Header(alias=AS_OF, max_length=10, description="The day that counts as today.")]


@router.post(
    "/v1/chat/completions",
    response_model=Completion,
    summary="Ask in OpenAI's protocol",
    responses=_ERRORS | responses(400, 403, 404, 502) | {200: {"content": SHOWN}},
)
async def complete(
    sent: ChatIn,
    request: Request,
    caller: TheCaller,
    parts: TheParts,
    _patient: ThePatient = None,
    _day: TheDay = None,
) -> Response:
    """The last user message is the question; the user's earlier ones give a follow-up its subject.

    The patient is that of the credentials or of `X-Chartline-Patient`. System messages change nothing. The text has
    citation marks and its sources; the whole answer is in `chartline`. Nothing is streamed before it was verified.
    """
    usage = bool(sent.stream_options and sent.stream_options.include_usage)
    told, head = _told(parts.desk, caller, request, read(sent)), Head(usage=usage)
    if not sent.stream:
        answer = await unless_gone(request, _last(told))
        if answer is None:
            return Response(status_code=GONE)
        assert isinstance(answer, Answer)  # noqa: S101  the last event, or an error was raised
        return Response(whole(head, answer).model_dump_json(), media_type="application/json")
    # Two events are waited for, so that an unknown patient is an error of HTTP and no stream that begins well.
    first = [event for event in [await anext(told, None) for _ in range(2)] if event is not None]
    return sse(chunks(head, _again(first, told)), line=line)


@router.get("/v1/models", summary="The one model there is", responses=_ERRORS)
async def models(_: TheCaller) -> Models:
    """Its id is `chartline`, whatever reasons behind it; each answer says what did."""
    return Models(data=[ModelOut(created=_STARTED)])


@router.get("/v1/models/{model}", summary="A model by its id", responses=_ERRORS | responses(404))
async def model(model: str, _: TheCaller) -> ModelOut:
    """`chartline`, or 404."""
    if model != MODEL:
        raise Problem(404, "model_not_found", f"the model here is {MODEL!r}", more={"param": "model"})
    return ModelOut(created=_STARTED)


async def _told(desk: Desk, caller: Caller, request: Request, asked: Asked) -> AsyncIterator[Progress | Answer]:
    patient = patient_of(desk, caller, request.headers)
    if patient is None:
        raise Problem(400, "no-patient", f"say which patient is meant: the header {PATIENT} is missing")
    async with desk.agent(caller, patient, day_of(request.headers)) as agent:
        heard = metrics.watched(agent.stream(asked.question, earlier=asked.earlier))
        async for event in within(desk.settings.service_seconds, heard):
            yield event


async def _last(told: AsyncIterator[Progress | Answer]) -> Progress | Answer:
    return [event async for event in told][-1]


async def _again(
    first: list[Progress | Answer], rest: AsyncIterator[Progress | Answer]
) -> AsyncIterator[Progress | Answer]:
    for event in first:
        yield event
    async for event in rest:
        yield event
