"""`/v1/threads`: conversations about one patient. Each is its owner's alone."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import orjson
from fastapi import APIRouter, Query, status
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from agent.service.access.addresses import below
from agent.service.bound import Day
from agent.service.database import instant
from agent.service.parts import TheCaller, TheParts
from agent.service.questions.router import TurnOut, turn
from agent.service.threads.store import Thread

__all__ = ["ThreadIn", "ThreadOut", "ThreadsOut", "WholeThreadOut", "router"]

router = APIRouter(prefix="/v1/threads", tags=["threads"])


class ThreadIn(BaseModel):
    """What a thread is about. `patient` is needed where the credentials name none."""

    model_config = ConfigDict(extra="forbid")

    patient: Annotated[str | None, Field(default=None, max_length=80, examples=["demo-maria-santos"])]
    as_of: Annotated[Day | None, Field(default=None, description="The day that counts as today, in all of it.")]


class ThreadOut(BaseModel):
    """A thread. Instants are in UTC; the title is its first question."""

    id: str
    patient: str
    as_of: date | None
    title: str
    created: str = Field(examples=["2026-06-15T10:00:00.000Z"])
    updated: str = Field(examples=["2026-06-15T10:00:00.000Z"])


class ThreadsOut(BaseModel):
    """Threads, the last used first; not `complete` where there are more."""

    threads: list[ThreadOut]
    complete: bool


class WholeThreadOut(ThreadOut):
    """A thread with its questions as they were asked."""

    turns: list[TurnOut]


@router.post("", status_code=status.HTTP_201_CREATED, summary="Begin a conversation about a patient")
async def begin(asked: ThreadIn, caller: TheCaller, parts: TheParts, response: Response) -> ThreadOut:
    """A thread without questions; ask with its id as `thread`."""
    patient = parts.desk.patient(caller, asked.patient)
    thread = await parts.questions.threads.begin(caller, patient, asked.as_of)
    response.headers["Location"] = below(parts.settings, f"/v1/threads/{thread.id}")
    return _out(thread)


@router.get("", summary="The caller's conversations")
async def some(
    caller: TheCaller,
    parts: TheParts,
    patient: Annotated[str | None, Query(max_length=80)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> ThreadsOut:
    """The last used first."""
    wanted = None if patient is None else parts.desk.patient(caller, patient)
    threads, complete = await parts.questions.threads.some(caller, wanted, limit)
    return ThreadsOut(threads=[_out(thread) for thread in threads], complete=complete)


@router.get("/{id}", response_model=WholeThreadOut, summary="A conversation with its questions and answers")
async def one(id: str, caller: TheCaller, parts: TheParts) -> Response:  # noqa: A002
    """A question that is worked on is there without an answer; `GET /v1/questions/{id}` follows it."""
    thread = await parts.questions.threads.one(caller, id)
    turns = [turn(run) for run in await parts.questions.runs.of_thread(thread.id)]
    told = _out(thread).model_dump(mode="json") | {"turns": turns}
    return Response(orjson.dumps(told), media_type="application/json")


@router.delete("/{id}", status_code=status.HTTP_204_NO_CONTENT, summary="Delete a conversation")
async def delete(id: str, caller: TheCaller, parts: TheParts) -> None:  # noqa: A002
    """All that was asked and answered in it goes; a question that is worked on is broken off."""
    thread = await parts.questions.threads.one(caller, id)
    await parts.questions.forget(thread.id)


def _out(thread: Thread) -> ThreadOut:
    return ThreadOut(
        id=thread.id,
        patient=thread.patient,
        as_of=thread.as_of,
        title=thread.title,
        created=instant(thread.created),
        updated=instant(thread.updated),
    )
