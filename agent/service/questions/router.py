"""`GET /v1/questions/{id}`: a question that is on record, its state and its answer, also while it is worked on."""

from __future__ import annotations

from datetime import date
from typing import Any

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from agent.service.database import instant
from agent.service.events import sse, wants_events
from agent.service.parts import TheCaller, TheParts
from agent.service.questions.runs import Run, RunState
from agent.service.resuming import LastEventId, is_told, rest
from agent.types import Answer

__all__ = ["QuestionOut", "TurnOut", "router", "turn"]

router = APIRouter(tags=["questions"])


class ErrorOut(BaseModel):
    """Why there is no answer: members of a problem (RFC 9457)."""

    status: int = Field(examples=[404])
    type: str = Field(examples=["unknown-patient"])
    detail: str


class TurnOut(BaseModel):
    """A question of a thread. `asked` is an instant in UTC; one of `answer` and `error` is there once it has ended."""

    id: str
    question: str
    state: RunState
    asked: str = Field(examples=["2026-06-15T10:00:00.000Z"])
    answer: Answer | None
    error: ErrorOut | None


class QuestionOut(TurnOut):
    """A question on record, with what it was asked of."""

    thread: str | None
    patient: str
    as_of: date


@router.get("/v1/questions/{id}", response_model=QuestionOut, summary="A question on record, and its answer")
async def question(
    id: str,  # noqa: A002
    request: Request,
    caller: TheCaller,
    parts: TheParts,
    last: LastEventId = None,
) -> Response:
    """As JSON as it is now; with `Accept: text/event-stream` all of its events, those that are to come as well.

    With `Last-Event-ID` those after that one; 204 where there are none.
    """
    run = await parts.questions.one(caller, id)
    if wants_events(request):
        return Response(status_code=204) if is_told(run, last) else sse(rest(parts.questions.watch(run.id), last))
    told = turn(run) | {"thread": run.thread, "patient": run.patient, "as_of": run.as_of.isoformat()}
    return Response(orjson.dumps(told), media_type="application/json")


def turn(run: Run) -> dict[str, Any]:
    """A question as JSON (`TurnOut`), its answer as it is on record."""
    return {
        "id": run.id,
        "question": run.question,
        "state": run.state,
        "asked": instant(run.asked),
        "answer": orjson.Fragment(run.answer) if run.answer else None,
        "error": run.error,
    }
