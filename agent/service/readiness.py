"""Whether questions can be answered now: do the database, the FHIR servers and the model answer?

Asked of them at most every few seconds and for a bounded time, however often and by however many it is wanted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic

from agent.errors import NotFound, SourceError
from agent.graph import Saver
from agent.models.base import Served
from agent.service.desk import Desk
from agent.service.holders import Holder
from fhir_tools.types import Query

__all__ = ["Readiness"]

_FRESH = 5.0
_PATIENCE = 2.0
"""Seconds: how long what was found out holds, and how long each of them has to answer."""
_NOBODY = Query(type="Patient", params=(("_id", "chartline-readiness"),))


class Readiness:
    """What the service needs, by name, with `ready` or why it is not; without patient data."""

    def __init__(self, holder: Holder, saver: Saver, desk: Desk) -> None:
        self._holder, self._saver, self._desk = holder, saver, desk
        self._lock = asyncio.Lock()
        self._at, self._found = float("-inf"), dict[str, str]()

    async def checks(self) -> Mapping[str, str]:
        """Name → `ready`, or the kind of failure."""
        async with self._lock:
            if monotonic() - self._at > _FRESH:
                asked = {
                    "database": self._holder.beat,  # it must be written to, which a full disk prevents
                    "threads": self._threads_answer,
                    "fhir": self._fhir_answers,
                    "model": self._model_answers,
                }
                told = await asyncio.gather(*map(_tried, asked.values()))
                self._found, self._at = dict(zip(asked, told, strict=True)), monotonic()
            return self._found

    async def _threads_answer(self) -> None:
        await self._saver.aget_tuple({"configurable": {"thread_id": "chartline-readiness"}})

    async def _fhir_answers(self) -> None:
        """A server that refuses the question answers as well: callers may bring grants of their own."""
        own = self._desk.own
        if own is None:
            return
        try:
            result = await own.search(_NOBODY)
        except NotFound:
            return
        except SourceError as error:
            if error.status is None or error.status >= 500:
                raise
            return
        if not result.complete:
            raise SourceError("a server did not answer")

    async def _model_answers(self) -> None:
        """Only a model server can be away; weights in this process are read when they are needed."""
        model: object = self._desk.model
        if isinstance(model, Served):
            await model.alive(_PATIENCE)


async def _tried(check: Callable[[], Awaitable[None]]) -> str:
    checking = asyncio.ensure_future(check())
    checking.add_done_callback(lambda done: done.cancelled() or done.exception())
    try:
        # Its end is not waited for: psycopg asks a server that is silent for ten seconds to break off what it does.
        done, _ = await asyncio.wait({checking}, timeout=_PATIENCE)
        error = checking.exception() if done else TimeoutError()
    finally:
        checking.cancel()
    if isinstance(error, TimeoutError):
        return f"did not answer within {_PATIENCE:g} s"
    return f"failed ({type(error).__name__})" if error else "ready"
