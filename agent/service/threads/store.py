"""The rows of threads. What was said in one is in the checkpointer, under the thread's id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import uuid4

from sqlalchemy import Column, Date, Float, Index, Select, String, Table, Text, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.service.callers import Caller
from agent.service.database import METADATA, now
from agent.service.problems import Problem

__all__ = ["THREADS", "Thread", "Threads", "no_thread"]

THREADS = Table(
    "threads",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("owner", String(255), nullable=False, doc="the id of the caller who began it"),
    Column("patient", String(64), nullable=False),
    Column("as_of", Date, doc="the day that counts as today; NULL is the day of each question"),
    Column("title", Text, nullable=False, default="", doc="its first question"),
    Column("created", Float, nullable=False, default=now()),
    Column("updated", Float, nullable=False, default=now(), doc="when a question was last asked"),
)
Index("threads_by_owner", THREADS.c.owner, THREADS.c.updated)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A thread. Times are seconds since 1970, UTC."""

    id: str
    owner: str
    patient: str
    as_of: date | None
    title: str
    created: float
    updated: float


class Threads:
    """The threads of all callers; each sees its own, and of them those of the patients that it may ask about."""

    def __init__(self, database: AsyncEngine) -> None:
        self._database = database

    async def begin(self, caller: Caller, patient: str, as_of: date | None) -> Thread:
        """A new thread about the patient."""
        row = {"id": uuid4().hex, "owner": caller.id, "patient": patient, "as_of": as_of, "title": ""}
        async with self._database.begin() as connection:
            made = await connection.execute(insert(THREADS).values(row).returning(*THREADS.c))
            return _thread(made.mappings().one())

    async def one(self, caller: Caller, id_: str) -> Thread:
        """The thread. Raises Problem (404) where there is none of the caller's."""
        async with self._database.connect() as connection:
            row = (await connection.execute(_of(caller).where(THREADS.c.id == id_))).mappings().one_or_none()
        if row is None:
            raise no_thread()
        return _thread(row)

    async def some(self, caller: Caller, patient: str | None, limit: int) -> tuple[list[Thread], bool]:
        """The caller's threads, of one patient where one is named, the last used first; and whether those are all."""
        wanted = _of(caller).order_by(THREADS.c.updated.desc(), THREADS.c.id).limit(limit + 1)
        if patient is not None:
            wanted = wanted.where(THREADS.c.patient == patient)
        async with self._database.connect() as connection:
            rows = (await connection.execute(wanted)).mappings().all()
        return [_thread(row) for row in rows[:limit]], len(rows) <= limit

    async def there(self, id_: str) -> bool:
        """Whether there is such a thread, whosever it is."""
        async with self._database.connect() as connection:
            return (await connection.execute(select(THREADS.c.id).where(THREADS.c.id == id_))).first() is not None

    async def remove(self, id_: str) -> None:
        """Delete the thread with its questions."""
        async with self._database.begin() as connection:
            await connection.execute(delete(THREADS).where(THREADS.c.id == id_))

    async def older(self, seconds: float) -> list[str]:
        """Those in which nothing was asked for so long."""
        async with self._database.connect() as connection:
            old = await connection.execute(select(THREADS.c.id).where(THREADS.c.updated < now() - seconds))
            return list(old.scalars())


def no_thread() -> Problem:
    """The same for a thread that is not there and for another's: that it exists is nobody else's business."""
    return Problem(404, "no-thread", "there is no such thread; begin one with POST /v1/threads")


def _of(caller: Caller) -> Select[Any]:
    mine = select(THREADS).where(THREADS.c.owner == caller.id)
    return mine if caller.patient is None else mine.where(THREADS.c.patient == caller.patient)


def _thread(row: Mapping[Any, Any]) -> Thread:
    return Thread(**row)
