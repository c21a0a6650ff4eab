"""Jobs at work: a few at once, each unit kept as it is done, so that the rest is gone on with after a restart."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import uuid4

import orjson
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import SQLAlchemyError

from agent.service.callers import Caller
from agent.service.holders import Holder
from agent.service.jobs.store import Job, JobRows
from agent.service.jobs.types import Work
from agent.service.looking import DAY, looks
from agent.service.parts import Parts
from agent.service.problems import AWAY, Problem, problem_of
from agent.service.questions.runs import TRIES
from agent.service.remembered import recalled

__all__ = ["WAITING", "Jobs"]

WAITING = 20
"""How many jobs one caller may have that are still to be begun."""
_LOOK = 1.0
"""Seconds between looks for jobs that nobody is at work on."""
_log = logging.getLogger(__name__)


class Jobs:
    """The jobs, of the kinds that there are; an async context manager, within which they are worked on.

    At most `most` are at work here at once, and of each one unit.
    """

    def __init__(self, holder: Holder, kinds: Sequence[Work], parts: Parts, *, most: int) -> None:
        self.kinds: Mapping[str, Work] = {work.kind: work for work in kinds}
        self.rows = JobRows(parts.database)
        self._holder, self._parts, self._most = holder, parts, most
        self._callers: dict[str, Caller] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Jobs:
        self._looking = asyncio.create_task(looks(self._look, self.prune, wake=self._wake, seconds=_LOOK, what="jobs"))
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [*self._tasks.values(), *([self._looking] if self._looking else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        with suppress(SQLAlchemyError):  # its lease ends all the same
            await self.rows.release(self._holder.id)

    async def add(self, caller: Caller, kind: str, given: object, key: str | None = None) -> Job:
        """A new job, or the one that bears the key. Raises Problem: 422 for what is no such job, 429 for too many."""
        work = self.kinds.get(kind)
        if work is None:
            raise Problem(422, "no-kind", f"there is no such kind of job; there are {', '.join(sorted(self.kinds))}")
        input_ = _valid(work, given)
        if await self.rows.waiting(caller.id) >= WAITING:
            raise Problem(429, "busy", f"{WAITING} jobs are waiting already", headers={"Retry-After": "60"})
        id_, own = uuid4().hex, ""
        if caller.access:  # such a job is done by this process alone, which has the credentials in memory
            self._callers[id_], own = caller, self._holder.id
        job = await self.rows.add(id_, caller, kind, input_.model_dump(mode="json"), key, own)
        if job.id != id_:
            self._callers.pop(id_, None)
        self._wake.set()
        return job

    async def cancel(self, job: Job) -> None:
        """Cancel a job, or delete one that has ended, with its results."""
        if job.ended:
            await self.rows.remove(job.id)
            return
        await self.rows.cancel(job.id)
        self._break_off(job.id)

    async def result(self, job: Job) -> Any:
        """What came of a job, as JSON.

        Raises Problem: 409 for one that is not done, 503 for a kind that only other processes know.
        """
        if job.state != "done":
            headers = {} if job.ended else {"Retry-After": "5"}
            raise Problem(409, "not-done", f"the job is {job.state}: there is no result", headers=headers)
        work = self.kinds.get(job.kind)
        if work is None:
            raise _other_version()
        return work.result(work.input.model_validate(job.input), await self.rows.done(job.id))

    async def watch(self, caller: Caller, id_: str, seconds: float = 0.3) -> AsyncIterator[Job]:
        """The job whenever it has got on, until it has ended, whichever process is at work on it."""
        before: Job | None = None
        while before is None or not before.ended:
            job = await self.rows.one(caller, id_)
            if before is None or (job.state, job.done, job.total) != (before.state, before.done, before.total):
                yield job
            before = job
            if not job.ended:
                await asyncio.sleep(seconds)

    async def prune(self) -> None:
        """Delete jobs that ended longer ago than the settings' days."""
        days = self._parts.settings.service_keep_days
        if days:
            await self.rows.prune(days * DAY)

    async def _look(self) -> None:
        await self._drop_lost()
        while len(self._tasks) < self._most and await self._begin():
            pass

    async def _begin(self) -> bool:
        job = await self.rows.take(self._holder.id, list(self.kinds), list(self._tasks))
        if job is None:
            return False
        task = self._tasks[job.id] = asyncio.create_task(self._work(job))
        task.add_done_callback(lambda _: self._ended(job.id))
        return True

    def _ended(self, id_: str) -> None:
        self._tasks.pop(id_, None)
        self._wake.set()

    async def _drop_lost(self) -> None:
        """Break off what was cancelled elsewhere, or taken up by another process."""
        mine = dict(self._tasks)
        held = await self.rows.held(self._holder.id) if mine else set()
        for id_ in mine.keys() - held:
            self._break_off(id_)

    def _break_off(self, id_: str) -> None:
        self._callers.pop(id_, None)  # with its credentials
        if id_ in self._tasks:
            self._tasks[id_].cancel()

    async def _work(self, job: Job) -> None:
        error: Problem | None = None
        try:
            if job.tries > TRIES:
                raise _poison()
            if not await self._units(job):
                return
        except Exception as failed:  # noqa: BLE001  kept with the job, and told to its owner
            error = problem_of(failed)
            if error.status >= 500:
                _log.error("job %s: %s", job.id, type(failed).__name__)
            if error.kind == AWAY:
                await asyncio.sleep(_LOOK)  # then it is tried again
                return
        with suppress(SQLAlchemyError):  # then it is tried again
            await self.rows.end(job.id, self._holder.id, error)
            self._callers.pop(job.id, None)

    async def _units(self, job: Job) -> bool:
        """Do what is not done of a job; False where it is no longer this process's."""
        work = self.kinds[job.kind]
        caller = self._caller(job)
        input_ = work.input.model_validate(job.input)
        if job.total is None:
            units = list(dict.fromkeys(await work.units(input_, self._parts, caller)))
            if not await self.rows.plan(job.id, self._holder.id, units):
                return False
        for number, unit in await self.rows.rest(job.id):
            caller = self._caller(job)  # anew: a key may be taken back while a job goes on for hours
            result = orjson.dumps(await work.do(unit, input_, self._parts, caller)).decode()
            if not await self.rows.keep(job.id, self._holder.id, number, result):
                return False
            await asyncio.sleep(0)  # questions first: a unit that never waited would hold them up
        return True

    def _caller(self, job: Job) -> Caller:
        return self._callers.get(job.id) or recalled(job.caller, self._parts.entrance.keys)


def _other_version() -> Problem:
    told = "a newer or older version of the service did this job: ask again later, or tell its operator"
    return Problem(503, "other-version", told)


def _poison() -> Problem:
    return Problem(500, "given-up", f"the service stopped {TRIES} times at one unit of it; tell its operator")


def _valid(work: Work, given: object) -> BaseModel:
    try:
        return work.input.model_validate(given)
    except ValidationError as error:
        faults = [{"where": ".".join(("input", *map(str, e["loc"]))), "why": e["msg"]} for e in error.errors()]
        told = "; ".join(f"{fault['where']}: {fault['why']}" for fault in faults)
        raise Problem(422, "invalid", told, more={"errors": faults}) from error
