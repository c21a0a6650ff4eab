"""`POST /v1/chat/completions` and `GET /v1/models`: a question and its answer in OpenAI's protocol.

Only verified text is sent, streamed or not. The patient comes from the credentials or from a header, never from the
messages: those are what a model may have written.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Annotated

import orjson
from fastapi import APIRouter, Header, Request
from fastapi.responses import Response
from fastapi.sse import format_sse_event
from pydantic import BaseModel

from agent.graph import Progress
from agent.service import metrics
from agent.service.bound import AS_OF, PATIENT, day_of, patient_of
from agent.service.bounds import within
from agent.service.callers import Caller
from agent.service.chat.faults import ChatRoute, error_of, responses
from agent.service.chat.reading import Asked, read
from agent.service.chat.shapes import (
    MODEL,
    ChatIn,
    ChoiceOut,
    Chunk,
    ChunkChoice,
    Completion,
    Delta,
    ErrorOut,
    MessageOut,
    ModelOut,
    Models,
    Tokens,
)
from agent.service.desk import Desk
from agent.service.events import Event, sse
from agent.service.parts import TheCaller, TheParts
from agent.service.problems import Problem, problem_of
from agent.service.prose import prose
from agent.types import Answer

__all__ = ["router"]

router = APIRouter(tags=["chat"], route_class=ChatRoute)
_STARTED = int(time.time())
_CHUNK = Chunk(
    id="chatcmpl-5f0c2f7a9d1e4b6f", created=1781481600, choices=[ChunkChoice(delta=Delta(content="Latest: …"))]
)
_SHOWN = orjson.dumps(_CHUNK.told()).decode()
_EVENTS = {
    "schema": {"type": "string", "description": "Events `data: <chunk>`, then `data: [DONE]`."},
    "example": f"data: {_SHOWN}\n\ndata: [DONE]\n\n",
}

_ERRORS = responses(401, 429, 500, 503)

ThePatient = Annotated[str | None, Header(alias=PATIENT, max_length=80, description="Id of the patient that is meant.")]
TheDay = Annotated[str | None, Header(alias=AS_OF, max_length=10, description="The day that counts as today.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    """What the parts of one completion share. `created` is in seconds since 1970, UTC."""

    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(8)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def chunk(self, *, delta: Delta | None = None, stop: bool = False, **more: object) -> Chunk:
        """A part of the stream; without a delta one that has no choice."""
        choices = [ChunkChoice(delta=delta, finish_reason="stop" if stop else None)] if delta is not None else []
        return Chunk(id=self.id, created=self.created, choices=choices, **more)


@router.post(
    "/v1/chat/completions",
    response_model=Completion,
    summary="Ask in OpenAI's protocol",
    responses=_ERRORS | responses(400, 403, 404, 502) | {200: {"content": {"text/event-stream": _EVENTS}}},
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
    asked, head = read(sent), _Head()
    told = _told(parts.desk, caller, request, asked)
    if not sent.stream:
        return _json(_whole(head, [event async for event in told][-1]))
    # Two events are waited for, so that an unknown patient is an error of HTTP and no stream that begins well.
    begun = await _begun(told, 2)
    usage = bool(sent.stream_options and sent.stream_options.include_usage)
    return sse(_chunks(head, begun, usage=usage), line=_line)


@router.get(
    "/v1/models", response_model=Models, summary="The one model there is", responses=responses(401, 429, 500, 503)
)
async def models(_: TheCaller) -> Models:
    """Its id is `chartline`, whatever reasons behind it; each answer says what did."""
    return Models(data=[ModelOut(created=_STARTED)])


@router.get(
    "/v1/models/{model}",
    response_model=ModelOut,
    summary="A model by its id",
    responses=responses(401, 404, 429, 500, 503),
)
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


async def _begun(events: AsyncIterator[Progress | Answer], most: int) -> AsyncIterator[Progress | Answer]:
    """The same events, of which the first few have come already: what they raise is raised here."""
    first = [event for event in [await anext(events, None) for _ in range(most)] if event is not None]

    async def all_of_them() -> AsyncIterator[Progress | Answer]:
        for event in first:
            yield event
        async for event in events:
            yield event

    return all_of_them()


def _whole(head: _Head, answer: Progress | Answer) -> Completion:
    assert isinstance(answer, Answer)  # noqa: S101  the last event, or an error was raised
    choice = ChoiceOut(message=MessageOut(content=prose(answer)))
    return Completion(
        id=head.id, created=head.created, choices=[choice], usage=Tokens.of(answer.usage), chartline=answer
    )


async def _chunks(head: _Head, events: AsyncIterator[Progress | Answer], *, usage: bool) -> AsyncIterator[Event]:
    yield "", head.chunk(delta=Delta(role="assistant", content=""))
    try:
        async for event in events:
            for chunk in _parts(head, event, usage=usage):
                yield "", chunk
    except Exception as error:  # noqa: BLE001  told to the reader, who waits for an end
        yield "", error_of(problem_of(error))
    yield "", None


def _parts(head: _Head, event: Progress | Answer, *, usage: bool) -> Iterator[Chunk]:
    """The chunks of one event: words about progress are no part of the message."""
    if not isinstance(event, Answer):
        yield head.chunk(delta=Delta(), chartline_progress=dict(event))
        return
    for line in prose(event).splitlines(keepends=True):
        yield head.chunk(delta=Delta(content=line))
    yield head.chunk(delta=Delta(), stop=True, chartline=event)
    if usage:
        yield head.chunk(usage=Tokens.of(event.usage))


def _line(event: Event) -> bytes:
    """`data: …` for a chunk or an error, `data: [DONE]` for the end."""
    _, data = event
    told = data.told() if isinstance(data, Chunk) else data.model_dump() if isinstance(data, ErrorOut) else None
    return format_sse_event(data_str=orjson.dumps(told).decode() if told else "[DONE]")


def _json(body: BaseModel) -> Response:
    return Response(body.model_dump_json(), media_type="application/json")
