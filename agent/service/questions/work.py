"""Questions at work: each is on record first, is worked on whether or not somebody waits, and is told once it is kept.

The order is what makes it safe to be killed at any moment. The row says that there is a question; LangGraph's
checkpoint has the turn, which bears the row's id; then the row has the answer; only then is anything of it told. A
question whose process died is taken up by whoever finds it: where the checkpoint has its turn it ends with that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any
from uuid import uuid4

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.graph import Saver
from agent.service import metrics
from agent.service.access.keys import KeyFile
from agent.service.bounds import within
from agent.service.callers import Caller
from agent.service.desk import Desk
from agent.service.events import Event
from agent.service.holders import Holder
from agent.service.looking import DAY, looks
from agent.service.problems import AWAY, Problem, problem_of
from agent.service.questions.live import Live, told
from agent.service.questions.runs import TRIES, Asked, Run, Runs, no_question
from agent.service.remembered import recalled
from agent.service.threads.store import Threads
from agent.threads import kept
from agent.types import Answer

__all__ = ["Questions"]

_SWEEP = 1.0
"""Seconds between looks for questions that nobody is at work on."""
_POLL = 0.25
"""Seconds between looks at a question that another process is at work on."""
_log = logging.getLogger(__name__)


class Questions:
    """The questions on record and those at work here; an async context manager, which takes up what was left.

    At most `most` are at work here at once.
    """

    def __init__(self, database: AsyncEngine, holder: Holder, desk: Desk, saver: Saver, *, most: int) -> None:
        self.runs, self.threads = Runs(database), Threads(database)
        self._holder, self._desk, self._saver, self._most = holder, desk, saver, most
        self._keys = KeyFile(desk.settings.service_keys)
        self._live: dict[str, Live] = {}
        self._callers: dict[str, Caller | None] = {}
        """Of questions that are to be tried again here: with their credentials, which are kept nowhere else."""
        self._wake = asyncio.Event()
        self._sweeping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Questions:
        self._sweeping = asyncio.create_task(
            looks(self._look, self.prune, wake=self._wake, seconds=_SWEEP, what="questions")
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [live.task for live in self._live.values() if live.task]
        tasks += [self._sweeping] if self._sweeping else []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        with suppress(SQLAlchemyError):  # its lease ends all the same
            await self.runs.release(self._holder.id)

    async def ask(self, caller: Caller, asked: Asked) -> Run:
        """Put the question on record and begin to work on it, or find the one that bears its key.

        Raises Problem as `Runs.record` does, and 429 where too many are at work.
        """
        if len(self._live) >= self._most:
            raise Problem(429, "busy", "too many questions are being worked on", headers={"Retry-After": "1"})
        id_ = uuid4().hex
        live = self._live[id_] = Live()  # before the row is there, so that no sweep takes it for a stray
        try:
            run = await self.runs.record(id_, caller, asked, self._holder.id)
        except BaseException:
            del self._live[id_]
            raise
        if run.id == id_:
            self._begin(live, run, caller)
        else:
            del self._live[id_]
        return run

    async def one(self, caller: Caller, id_: str) -> Run:
        """The question. Raises Problem (404) where there is none of the caller's."""
        run = await self.runs.one(id_, caller.id)
        if run is None or not caller.may_ask_of(run.patient):
            raise no_question()
        return run

    async def watch(self, id_: str) -> AsyncIterator[Event]:
        """What was told of a question and what is told until its end, whichever process is at work on it.

        Raises Problem: why there is no answer, or 404 where it was deleted.
        """
        waiting = False
        while True:
            if id_ in self._live:
                async for event in self._live[id_].watch():
                    yield event
                    if event[0] == "answer":
                        return
            run = await self.runs.one(id_)
            if run is None:
                raise no_question()
            if run.state != "working":
                for event in _outcome(run):
                    yield event
                return
            if not waiting:
                yield "progress", {"stage": "wait", "text": "waiting for who is at work on it"}
            waiting = True
            if id_ not in self._live:
                await asyncio.sleep(_POLL)

    async def forget(self, thread: str) -> None:
        """Delete a thread with all that was said in it; a question that is worked on is broken off."""
        tasks = [live.task for live in self._live.values() if live.thread == thread and live.task]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._saver.adelete_thread(thread)
        await self.threads.remove(thread)

    async def prune(self) -> None:
        """Delete threads that nobody used for the settings' days, and old questions of no thread."""
        days = self._desk.settings.service_keep_days
        for thread in await self.threads.older(days * DAY) if days else []:
            await self.forget(thread)
        await self.runs.prune(DAY)  # so long it is there for those who send it again

    def _begin(self, live: Live, run: Run, caller: Caller | None) -> None:
        live.thread = run.thread
        live.task = asyncio.create_task(self._work(live, run, caller))
        live.task.add_done_callback(lambda _: self._ended(run.id))

    def _ended(self, id_: str) -> None:
        if self._live.pop(id_).suspect:
            self._wake.set()  # the next one's turn

    async def _work(self, live: Live, run: Run, caller: Caller | None) -> None:
        error: Problem | None = None
        try:
            answer = await self._answer(live, run, caller or recalled(run.caller, self._keys))
            if await self.runs.answered(run.id, self._holder.id, answer.model_dump_json()):
                live.tell(*told(answer))
            else:
                await self._tidy(run.thread)
        except Exception as failed:  # noqa: BLE001  kept, and told to those who wait
            error = problem_of(failed)
            if error.status >= 500:
                _log.error("question %s: %s", run.id, type(failed).__name__)
            if error.kind == AWAY:  # it is tried again; who waits is told that, and can come back
                self._callers[run.id] = caller
            elif not await self._failed(run, error):
                error = None  # it is not over: nothing is told
        finally:
            live.end(error)

    async def _answer(self, live: Live, run: Run, caller: Caller) -> Answer:
        answer: Answer | None = None
        async with self._desk.agent(caller, run.patient, run.as_of) as agent:
            heard = metrics.watched(agent.stream(run.question, run.thread, run=run.id, after=run.after))
            async for event in within(self._desk.settings.service_seconds, heard):
                if isinstance(event, Answer):
                    answer = event
                else:
                    live.tell(("progress", event))
        assert answer is not None  # noqa: S101  the stream ends with the answer or raises
        return answer

    async def _failed(self, run: Run, error: Problem) -> bool:
        """Whether it is on record that there is no answer. Where the thread has its turn all the same, there is one."""
        try:
            answer = await kept(self._saver, run.thread, run.id) if run.thread else None
            if answer is None:
                return await self.runs.failed(run.id, self._holder.id, error)
            await self.runs.answered(run.id, self._holder.id, answer.model_dump_json())
        except Exception as failed:  # noqa: BLE001  of two databases, each with errors of its own
            _log.error("question %s: the database failed (%s); it is tried again", run.id, type(failed).__name__)
        return False

    async def _look(self) -> None:
        await self._holder.bury()
        await self._take_up()

    async def _take_up(self) -> None:
        """Go on with what nobody is at work on: of processes that died, and what this one could not put on record."""
        near = await self.runs.near(self._holder.id)
        held = {run.id for run in near if run.holder == self._holder.id}
        self._callers = {id_: caller for id_, caller in self._callers.items() if id_ in held}
        for id_ in [id_ for id_, live in self._live.items() if live.task and id_ not in held]:
            await self._drop(id_)
        for run in near:
            suspect = run.tries == TRIES - 1
            waits = suspect and any(live.suspect for live in self._live.values())
            if run.id not in self._live and not waits and len(self._live) < self._most:
                await self._take(run, Live(suspect=suspect))

    async def _take(self, run: Run, live: Live) -> None:
        self._live[run.id] = live  # before it is this process's, so that no sweep takes it for a stray
        taken = None
        try:
            taken = await self.runs.take(run, self._holder.id)
            if taken and taken.tries > TRIES:
                await self._failed(taken, _poison())
        finally:
            if taken and taken.tries <= TRIES:
                _log.warning("question %s is taken up again", run.id)
                self._begin(live, taken, self._callers.pop(run.id, None))
            else:
                del self._live[run.id]
                live.end()

    async def _drop(self, id_: str) -> None:
        """Break off what another process has taken up, or what was deleted elsewhere."""
        live = self._live.get(id_)
        if live and live.task and await self._lost(id_):
            live.task.cancel()
            await asyncio.wait([live.task])
            await self._tidy(live.thread)

    async def _tidy(self, thread: str | None) -> None:
        """Delete what is kept of a thread that was deleted while a question of it was at work."""
        if thread and not await self.threads.there(thread):
            await self._saver.adelete_thread(thread)

    async def _lost(self, id_: str) -> bool:
        run = await self.runs.one(id_)
        return run is None or run.holder != self._holder.id


def _poison() -> Problem:
    told = f"{TRIES} times the service stopped at this, or could not keep its answer; tell its operator"
    return Problem(500, "given-up", told)


def _outcome(run: Run) -> list[Event]:
    if run.state == "answered":
        return told(Answer.model_validate_json(run.answer or ""))
    error: Mapping[str, Any] = run.error or {}
    raise Problem(error["status"], error["type"], error["detail"])
