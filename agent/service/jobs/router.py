"""`/v1/jobs`: long work, its progress, its result. Each job is its owner's alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, status
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from agent.service.access.addresses import below
from agent.service.database import instant
from agent.service.events import Identified, sse
from agent.service.jobs.store import Job, JobState
from agent.service.jobs.work import Jobs
from agent.service.parts import TheCaller, TheParts
from agent.service.questions.router import ErrorOut
from agent.service.resuming import LastEventId

__all__ = ["JobIn", "JobOut", "JobsOut", "router"]

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


class JobIn(BaseModel):
    """A job: its kind, and what that kind needs."""

    model_config = ConfigDict(extra="forbid")

    kind: Annotated[str, Field(max_length=64, examples=["questions"])]
    input: Annotated[
        dict[str, Any], Field(examples=[{"patients": ["demo-maria-santos"], "questions": ["last A1c?", "allergies?"]}])
    ]


class JobOut(BaseModel):
    """A job. Instants are in UTC; `total` is null until its units are known."""

    id: str
    kind: str
    state: JobState
    done: int
    total: int | None
    error: ErrorOut | None
    created: str = Field(examples=["2026-06-15T10:00:00.000Z"])
    updated: str = Field(examples=["2026-06-15T10:00:00.000Z"])


class JobsOut(BaseModel):
    """Jobs, the newest first; not `complete` where there are more."""

    jobs: list[JobOut]
    complete: bool


async def jobs_of(request: Request) -> Jobs:
    """The jobs of the app that a request came to."""
    jobs: Jobs = request.app.state.jobs
    return jobs


TheJobs = Annotated[Jobs, Depends(jobs_of)]
Key = Annotated[
    str | None,
    Header(alias="Idempotency-Key", max_length=255, description="A word of the client's: sent again, it is one job."),
]


@router.post("", status_code=status.HTTP_202_ACCEPTED, summary="Begin a job")
async def begin(
    asked: JobIn, caller: TheCaller, jobs: TheJobs, parts: TheParts, response: Response, key: Key = None
) -> JobOut:
    """The job, which waits or is worked on; `Location` is where it is followed."""
    job = await jobs.add(caller, asked.kind, asked.input, key)
    response.headers["Location"] = below(parts.settings, f"/v1/jobs/{job.id}")
    return _out(job)


@router.get("", summary="The caller's jobs")
async def some(
    caller: TheCaller,
    jobs: TheJobs,
    kind: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> JobsOut:
    """The newest first."""
    found, complete = await jobs.rows.some(caller, kind, limit)
    return JobsOut(jobs=[_out(job) for job in found], complete=complete)


@router.get("/{id}", summary="How a job is getting on")
async def one(id: str, caller: TheCaller, jobs: TheJobs) -> JobOut:  # noqa: A002
    """The job as it is now."""
    return _out(await jobs.rows.one(caller, id))


@router.get("/{id}/result", summary="What came of a job")
async def result(id: str, caller: TheCaller, jobs: TheJobs) -> Any:  # noqa: A002
    """As its kind has it; 409 for a job that is not done."""
    return await jobs.result(await jobs.rows.one(caller, id))


@router.get("/{id}/events", response_class=Response, summary="A job as it gets on")
async def events(id: str, caller: TheCaller, jobs: TheJobs, last: LastEventId = None) -> Response:  # noqa: A002
    """Server-sent events `job`, the last of them when it has ended; after that of `Last-Event-ID`, or 204 for none."""
    job = await jobs.rows.one(caller, id)
    if job.ended and _mark(job) == last:
        return Response(status_code=204)

    async def told() -> AsyncIterator[Identified]:
        async for job in jobs.watch(caller, id):
            if _mark(job) != last:
                yield "job", _out(job), _mark(job)

    return sse(told())


@router.delete("/{id}", status_code=status.HTTP_204_NO_CONTENT, summary="Cancel a job")
async def cancel(id: str, caller: TheCaller, jobs: TheJobs) -> None:  # noqa: A002
    """What was done of it is kept, but has no result. A job that has ended is deleted with its result."""
    await jobs.cancel(await jobs.rows.one(caller, id))


def _mark(job: Job) -> str:
    """The id of the event that tells how it is getting on: the same for the same."""
    return f"{job.state}-{job.done}-{job.total}"


def _out(job: Job) -> JobOut:
    return JobOut(
        id=job.id,
        kind=job.kind,
        state=job.state,
        done=job.done,
        total=job.total,
        error=ErrorOut.model_validate(job.error) if job.error else None,
        created=instant(job.created),
        updated=instant(job.updated),
    )
