"""The rows of questions that are on record: who asked what, who is at work on it, and the answer once there is one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import orjson
from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from agent.service.callers import Caller
from agent.service.database import METADATA, now
from agent.service.holders import HOLDERS
from agent.service.problems import Problem
from agent.service.remembered import remembered
from agent.service.threads.store import THREADS, no_thread

__all__ = ["RUNS", "TRIES", "Asked", "Run", "RunState", "Runs", "no_question"]

RunState = Literal["working", "answered", "failed"]
TRIES = 3
"""How often a question is begun. One at which the process died that often is told as failed, and not tried again.

The last time it is the only one of its kind at work in its process, so that none is blamed for what it died with.
"""
_TITLE = 120
"""The most characters of a thread's title."""

RUNS = Table(
    "runs",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("thread", String(32), ForeignKey("threads.id", ondelete="CASCADE")),
    Column("owner", String(255), nullable=False, doc="the id of the caller"),
    Column("caller", JSON, nullable=False, doc="agent.service.remembered"),
    Column("patient", String(64), nullable=False),
    Column("question", Text, nullable=False),
    Column("as_of", Date, nullable=False),
    Column("idempotency_key", String(255)),
    Column("digest", String(64), nullable=False, doc="of what was asked, to know a key that is used again for another"),
    Column("state", String(16), nullable=False, default="working"),
    Column("holder", String(32), nullable=False, doc="the process at work on it"),
    Column("tries", Integer, nullable=False, default=1),
    Column("asked", Float, nullable=False, default=now()),
    Column("ended", Float),
    Column("answer", Text, doc="agent.types.Answer as JSON"),
    Column("error", JSON, doc="status, type and detail of a problem"),
)
Index("runs_by_key", RUNS.c.owner, RUNS.c.idempotency_key, unique=True)
Index("runs_by_thread", RUNS.c.thread, RUNS.c.asked)
_WORKING = RUNS.c.state == "working"
Index("runs_one_in_a_thread", RUNS.c.thread, unique=True, sqlite_where=_WORKING, postgresql_where=_WORKING)
Index("runs_at_work", RUNS.c.holder, sqlite_where=_WORKING, postgresql_where=_WORKING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question before it is on record. `as_of` is None where it was not said, and `today` is meant.

    `thread` and `key` are None where it is of no thread and bears no key.
    """

    question: str
    patient: str
    as_of: date | None
    today: date
    thread: str | None = None
    key: str | None = None

    @property
    def digest(self) -> str:
        """What tells this question from another; the same for one that is sent again."""
        told = [self.question, self.patient, self.as_of, self.thread]
        return hashlib.sha256(orjson.dumps(told)).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A question on record. Times are seconds since 1970, UTC; `answer` is JSON; `error` is of a problem.

    `after` is the question of its thread that was answered last, where it is to be worked on.
    """

    id: str
    thread: str | None
    owner: str
    caller: Mapping[str, Any]
    patient: str
    question: str
    as_of: date
    digest: str
    state: RunState
    holder: str
    tries: int
    asked: float
    ended: float | None
    answer: str | None
    error: Mapping[str, Any] | None
    after: str | None = None


_COLUMNS = [column for column in RUNS.c if column is not RUNS.c.idempotency_key]
# In words of SQL: SQLAlchemy does not tell the table that is changed from others in what a statement returns.
_AFTER: ColumnElement[str | None] = literal_column(
    "(SELECT other.id FROM runs AS other WHERE other.thread = runs.thread AND other.state = 'answered' "
    "ORDER BY other.asked DESC, other.id DESC LIMIT 1)"
).label("after")


class Runs:
    """The questions on record. Only the process that holds a row changes it: each change asks whether it does."""

    def __init__(self, database: AsyncEngine) -> None:
        self._database = database

    async def record(self, id_: str, caller: Caller, asked: Asked, holder: str) -> Run:
        """The question on record under the id, held by this process; or under another the one that bears its key.

        Raises Problem: 409 while another question of the thread is worked on, 422 for a key that was used for another
        question, 404 for a thread that is gone.
        """
        try:
            async with self._database.begin() as connection:
                return await self._insert(connection, id_, caller, asked, holder)
        except IntegrityError:
            return await self._met(caller, asked)

    async def _insert(self, connection: AsyncConnection, id_: str, caller: Caller, asked: Asked, holder: str) -> Run:
        row = {
            "id": id_,
            "thread": asked.thread,
            "owner": caller.id,
            "caller": remembered(caller),
            "patient": asked.patient,
            "question": asked.question,
            "as_of": asked.as_of or asked.today,
            "idempotency_key": asked.key,
            "digest": asked.digest,
            "holder": holder,
        }
        made = await connection.execute(insert(RUNS).values(row).returning(*_COLUMNS, _AFTER))
        run = Run(**made.mappings().one())  # read before the next statement: SQLite has one cursor at a time
        if asked.thread:
            title = func.coalesce(func.nullif(THREADS.c.title, ""), asked.question[:_TITLE])
            touched = update(THREADS).where(THREADS.c.id == asked.thread)
            await connection.execute(touched.values(updated=now(), title=title))
        return run

    async def _met(self, caller: Caller, asked: Asked) -> Run:
        """Why the row could not be made."""
        async with self._database.connect() as connection:
            if asked.key is not None:
                same = (RUNS.c.owner == caller.id) & (RUNS.c.idempotency_key == asked.key)
                row = (await connection.execute(select(*_COLUMNS).where(same))).mappings().one_or_none()
                if row is not None and row["digest"] == asked.digest:
                    return Run(**row)
                if row is not None:
                    raise Problem(422, "key-reused", "this Idempotency-Key was sent with another question")
            there = await connection.execute(select(THREADS.c.id).where(THREADS.c.id == asked.thread))
            if there.first() is None:
                raise no_thread()
        raise Problem(
            409,
            "thread-busy",
            "a question of this thread is being worked on; wait for it",
            headers={"Retry-After": "1"},
        )

    async def one(self, id_: str, owner: str | None = None) -> Run | None:
        """The question, of this owner where one is named."""
        wanted = select(*_COLUMNS).where(RUNS.c.id == id_)
        async with self._database.connect() as connection:
            row = (await connection.execute(wanted)).mappings().one_or_none()
        return Run(**row) if row is not None and owner in (None, row["owner"]) else None

    async def of_thread(self, thread: str) -> list[Run]:
        """The questions of a thread as they were asked."""
        wanted = select(*_COLUMNS).where(RUNS.c.thread == thread).order_by(RUNS.c.asked, RUNS.c.id)
        async with self._database.connect() as connection:
            return [Run(**row) for row in (await connection.execute(wanted)).mappings()]

    async def answered(self, id_: str, holder: str, answer: str) -> bool:
        """Put the answer on record; False where the question is no longer this process's, or is gone."""
        return await self._end(id_, holder, state="answered", answer=answer)

    async def failed(self, id_: str, holder: str, error: Problem) -> bool:
        """Put on record why there is no answer; False as for `answered`."""
        told = {"status": error.status, "type": error.kind, "detail": error.detail}
        return await self._end(id_, holder, state="failed", error=told)

    async def _end(self, id_: str, holder: str, **values: Any) -> bool:
        held = update(RUNS).where(RUNS.c.id == id_, RUNS.c.holder == holder, _WORKING)
        async with self._database.begin() as connection:
            return bool((await connection.execute(held.values(ended=now(), **values))).rowcount)

    async def near(self, holder: str) -> list[Run]:
        """What this process is at work on, and what nobody is at work on; the oldest first."""
        free = RUNS.c.holder.not_in(select(HOLDERS.c.id))
        wanted = select(*_COLUMNS).where(_WORKING, free | (RUNS.c.holder == holder)).order_by(RUNS.c.asked)
        async with self._database.connect() as connection:
            return [Run(**row) for row in (await connection.execute(wanted)).mappings()]

    async def take(self, run: Run, holder: str) -> Run | None:
        """Take up a question that nobody is at work on; None where another process was first."""
        same = update(RUNS).where(RUNS.c.id == run.id, RUNS.c.holder == run.holder, RUNS.c.tries == run.tries, _WORKING)
        taken = same.values(holder=holder, tries=RUNS.c.tries + 1).returning(*_COLUMNS, _AFTER)
        async with self._database.begin() as connection:
            row = (await connection.execute(taken)).mappings().one_or_none()
        return Run(**row) if row is not None else None

    async def release(self, holder: str) -> None:
        """Let go of what this process did not end; that it was stopped is not held against the questions."""
        held = update(RUNS).where(RUNS.c.holder == holder, _WORKING)
        async with self._database.begin() as connection:
            await connection.execute(held.values(holder="", tries=RUNS.c.tries - 1))

    async def prune(self, seconds: float) -> None:
        """Delete questions of no thread that ended so long ago."""
        old = delete(RUNS).where(RUNS.c.thread.is_(None), RUNS.c.ended < now() - seconds)
        async with self._database.begin() as connection:
            await connection.execute(old)


def no_question() -> Problem:
    """The same for a question that is not there and for another's."""
    return Problem(404, "no-question", "there is no such question on record")
