"""The rows of jobs and of their units."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from sqlalchemy import (
    JSON,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    Select,
    String,
    Table,
    Text,
    case,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.service.callers import Caller
from agent.service.database import METADATA, now
from agent.service.holders import HOLDERS
from agent.service.problems import Problem
from agent.service.remembered import remembered

__all__ = ["JOBS", "UNITS", "Job", "JobRows", "JobState", "no_job"]

JobState = Literal["waiting", "working", "done", "failed", "cancelled"]

JOBS = Table(
    "jobs",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("owner", String(255), nullable=False, doc="the id of the caller"),
    Column("patient", String(64), doc="the only patient that the caller could ask about"),
    Column("caller", JSON, nullable=False, doc="agent.service.remembered"),
    Column("kind", String(64), nullable=False),
    Column("input", JSON, nullable=False),
    Column("idempotency_key", String(255)),
    Column("digest", String(64), nullable=False),
    Column("state", String(16), nullable=False, default="waiting"),
    Column("holder", String(32), nullable=False, default="", doc="the process at work on it, or the only one that may"),
    Column("tries", Integer, nullable=False, default=0, doc="how often it was begun since it last got on"),
    Column("done", Integer, nullable=False, default=0),
    Column("total", Integer, doc="NULL until its units are known"),
    Column("error", JSON, doc="status, type and detail of a problem"),
    Column("created", Float, nullable=False, default=now()),
    Column("updated", Float, nullable=False, default=now()),
)
UNITS = Table(
    "job_units",
    METADATA,
    Column("job", String(32), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("unit", Text, nullable=False),
    Column("result", Text, doc="JSON; NULL until it is done"),
)
_OPEN = JOBS.c.state.in_(("waiting", "working"))
Index("jobs_by_owner", JOBS.c.owner, JOBS.c.created)
Index("jobs_by_key", JOBS.c.owner, JOBS.c.idempotency_key, unique=True)
Index("jobs_open", JOBS.c.created, sqlite_where=_OPEN, postgresql_where=_OPEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job. Times are seconds since 1970, UTC; `error` is of a problem."""

    id: str
    owner: str
    caller: Mapping[str, Any]
    kind: str
    input: Mapping[str, Any]
    digest: str
    state: JobState
    holder: str
    tries: int
    done: int
    total: int | None
    error: Mapping[str, Any] | None
    created: float
    updated: float

    @property
    def ended(self) -> bool:
        """Whether nothing more will be done."""
        return self.state not in ("waiting", "working")


_COLUMNS = [JOBS.c[name] for name in Job.__dataclass_fields__]


class JobRows:
    """The jobs of all callers; each sees its own. Only the process that holds a job gets it on."""

    def __init__(self, database: AsyncEngine) -> None:
        self._database = database

    async def add(
        self, id_: str, caller: Caller, kind: str, input_: Mapping[str, Any], key: str | None, holder: str
    ) -> Job:
        """A new job under the id, or under another the one that bears the key.

        `holder` is the only process that may do it; empty: any.

        Raises Problem (422) for a key that was used for another job.
        """
        digest = hashlib.sha256(orjson.dumps([kind, input_, caller.patient], option=orjson.OPT_SORT_KEYS)).hexdigest()
        row: dict[str, Any] = {"id": id_, "owner": caller.id, "patient": caller.patient}
        row |= {
            "caller": remembered(caller),
            "kind": kind,
            "input": input_,
            "idempotency_key": key,
            "digest": digest,
            "holder": holder,
        }
        try:
            async with self._database.begin() as connection:
                made = await connection.execute(insert(JOBS).values(row).returning(*_COLUMNS))
                return Job(**made.mappings().one())
        except IntegrityError:
            same = select(*_COLUMNS).where(JOBS.c.owner == caller.id, JOBS.c.idempotency_key == key)
            async with self._database.connect() as connection:
                job = Job(**(await connection.execute(same)).mappings().one())
        if job.digest != digest:
            raise Problem(422, "key-reused", "this Idempotency-Key was sent with another job")
        return job

    async def waiting(self, owner: str) -> int:
        """How many jobs of an owner are still to be begun."""
        counted = select(func.count()).where(JOBS.c.owner == owner, JOBS.c.state == "waiting")
        async with self._database.connect() as connection:
            return int((await connection.execute(counted)).scalar_one())

    async def one(self, caller: Caller, id_: str) -> Job:
        """The job. Raises Problem (404) where there is none of the caller's."""
        async with self._database.connect() as connection:
            row = (await connection.execute(_of(caller).where(JOBS.c.id == id_))).mappings().one_or_none()
        if row is None:
            raise no_job()
        return Job(**row)

    async def some(self, caller: Caller, kind: str | None, limit: int) -> tuple[list[Job], bool]:
        """The caller's jobs, of one kind where one is named, the newest first; and whether those are all."""
        wanted = _of(caller).order_by(JOBS.c.created.desc(), JOBS.c.id).limit(limit + 1)
        if kind is not None:
            wanted = wanted.where(JOBS.c.kind == kind)
        async with self._database.connect() as connection:
            rows = (await connection.execute(wanted)).mappings().all()
        return [Job(**row) for row in rows[:limit]], len(rows) <= limit

    async def take(self, holder: str, kinds: Collection[str], busy: Collection[str]) -> Job | None:
        """The next job of these kinds for this process: one that nobody is at work on, or its own not in `busy`.

        Owners with fewer jobs at work come first, then older jobs. A job of another kind waits for a process that
        knows it: while a service is brought up to date, older and newer ones share their jobs.
        """
        other = JOBS.alias()
        busyness = select(func.count()).where(other.c.owner == JOBS.c.owner, other.c.state == "working")
        free = JOBS.c.holder.not_in(select(HOLDERS.c.id)) | (JOBS.c.holder == holder)
        wanted = select(*_COLUMNS).where(_OPEN, free, JOBS.c.kind.in_(kinds), JOBS.c.id.not_in(busy))
        wanted = wanted.order_by(busyness.scalar_subquery(), JOBS.c.created).limit(1)
        async with self._database.connect() as connection:
            row = (await connection.execute(wanted)).mappings().one_or_none()
        return await self._take(Job(**row), holder) if row is not None else None

    async def _take(self, job: Job, holder: str) -> Job | None:
        same = update(JOBS).where(JOBS.c.id == job.id, JOBS.c.holder == job.holder, JOBS.c.tries == job.tries, _OPEN)
        tries = JOBS.c.tries + int(job.holder != holder)  # that the database failed is not held against it
        taken = same.values(holder=holder, state="working", tries=tries, updated=now())
        async with self._database.begin() as connection:
            row = (await connection.execute(taken.returning(*_COLUMNS))).mappings().one_or_none()
        return Job(**row) if row is not None else None

    async def plan(self, id_: str, holder: str, units: Sequence[str]) -> bool:
        """Keep the job's units; False where it is no longer this process's."""
        async with self._database.begin() as connection:
            planned = await connection.execute(_held(id_, holder).values(total=len(units), updated=now()))
            if planned.rowcount and units:
                rows = [{"job": id_, "number": number, "unit": unit} for number, unit in enumerate(units)]
                await connection.execute(insert(UNITS), rows)
        return bool(planned.rowcount)

    async def rest(self, id_: str) -> list[tuple[int, str]]:
        """The units that are not done, with their numbers."""
        left = select(UNITS.c.number, UNITS.c.unit).where(UNITS.c.job == id_, UNITS.c.result.is_(None))
        async with self._database.connect() as connection:
            return [(number, unit) for number, unit in await connection.execute(left.order_by(UNITS.c.number))]

    async def keep(self, id_: str, holder: str, number: int, result: str) -> bool:
        """Keep what came of a unit; False where the job is no longer this process's."""
        on = _held(id_, holder).values(done=JOBS.c.done + 1, tries=1, updated=now())
        unit = update(UNITS).where(UNITS.c.job == id_, UNITS.c.number == number)
        async with self._database.begin() as connection:
            kept = bool((await connection.execute(on)).rowcount)
            if kept:
                await connection.execute(unit.values(result=result))
        return kept

    async def end(self, id_: str, holder: str, error: Problem | None = None) -> None:
        """The job is done, or failed."""
        told = {"status": error.status, "type": error.kind, "detail": error.detail} if error else None
        ended = _held(id_, holder).values(state="failed" if error else "done", error=told, updated=now())
        async with self._database.begin() as connection:
            await connection.execute(ended)

    async def cancel(self, id_: str) -> None:
        """Cancel a job that has not ended."""
        async with self._database.begin() as connection:
            cancelled = update(JOBS).where(JOBS.c.id == id_, _OPEN)
            await connection.execute(cancelled.values(state="cancelled", updated=now()))

    async def remove(self, id_: str) -> None:
        """Delete a job that has ended, with its results."""
        async with self._database.begin() as connection:
            await connection.execute(delete(JOBS).where(JOBS.c.id == id_, ~_OPEN))

    async def done(self, id_: str) -> dict[str, Any]:
        """Unit → its JSON, of those that are done, in the order of work."""
        units = select(UNITS.c.unit, UNITS.c.result).where(UNITS.c.job == id_, UNITS.c.result.is_not(None))
        async with self._database.connect() as connection:
            rows = await connection.execute(units.order_by(UNITS.c.number))
            return {unit: orjson.loads(result) for unit, result in rows}

    async def held(self, holder: str) -> set[str]:
        """The jobs that a process is at work on."""
        held = select(JOBS.c.id).where(JOBS.c.holder == holder, JOBS.c.state == "working")
        async with self._database.connect() as connection:
            return set((await connection.execute(held)).scalars())

    async def release(self, holder: str) -> None:
        """Let go of what this process did not end; that it was stopped is not held against the jobs."""
        held = update(JOBS).where(JOBS.c.holder == holder, _OPEN)
        tries = case((JOBS.c.tries > 0, JOBS.c.tries - 1), else_=0)
        async with self._database.begin() as connection:
            await connection.execute(held.values(holder="", tries=tries))

    async def prune(self, seconds: float) -> None:
        """Delete jobs that ended so long ago."""
        async with self._database.begin() as connection:
            await connection.execute(delete(JOBS).where(~_OPEN, JOBS.c.updated < now() - seconds))


def no_job() -> Problem:
    """The same for a job that is not there and for another's."""
    return Problem(404, "no-job", "there is no such job")


def _of(caller: Caller) -> Select[Any]:
    mine = select(*_COLUMNS).where(JOBS.c.owner == caller.id)
    return mine if caller.patient is None else mine.where(JOBS.c.patient == caller.patient)


def _held(id_: str, holder: str) -> Any:
    return update(JOBS).where(JOBS.c.id == id_, JOBS.c.holder == holder, JOBS.c.state == "working")
