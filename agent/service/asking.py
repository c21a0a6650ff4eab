"""`POST /v1/ask`: one question about one patient, as JSON or as it is worked out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from agent.service.bound import Day
from agent.service.callers import Caller
from agent.service.desk import Desk
from agent.service.events import Event, sse, wants_events
from agent.service.examples import ANSWERED
from agent.service.parts import TheCaller, TheParts
from agent.types import Answer

__all__ = ["AskIn", "events", "router"]

router = APIRouter(tags=["questions"])


class AskIn(BaseModel):
    """A question. `patient` is an id or `Patient/id`, and needed where the credentials name none."""

    model_config = ConfigDict(extra="forbid")

    question: Annotated[str, Field(min_length=1, max_length=4000, examples=["last A1c?"])]
    patient: Annotated[str | None, Field(default=None, max_length=80, examples=["demo-maria-santos"])]
    as_of: Annotated[Day | None, Field(default=None, description="The day that counts as today.")]


@router.post("/v1/ask", response_model=Answer, summary="Ask a question about a patient's chart", responses=ANSWERED)
async def ask(asked: AskIn, request: Request, caller: TheCaller, parts: TheParts) -> Response:
    """The answer as JSON; with `Accept: text/event-stream` as events `progress`, `claim`, and at the end `answer`."""
    told = events(parts.desk, caller, asked)
    if wants_events(request):
        return sse(told)
    answer = [data async for _, data in told][-1]
    assert isinstance(answer, Answer)  # noqa: S101  the last event, or an error was raised
    return Response(answer.model_dump_json(), media_type="application/json")


async def events(desk: Desk, caller: Caller, asked: AskIn) -> AsyncIterator[Event]:
    """Progress by stages, then each claim once all are verified and on record, then the whole answer."""
    async with desk.agent(caller, asked.patient, asked.as_of) as agent:
        async for event in agent.stream(asked.question):
            if not isinstance(event, Answer):
                yield "progress", event
                continue
            for claim in event.claims:
                yield "claim", claim
            yield "answer", event
