"""The reading requests of one moment as one FHIR batch (R4 http, 3.1.0.11), where the server takes batches."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from fhir_tools.errors import ChartlineError, SourceError
from fhir_tools.http import Http
from fhir_tools.remote.answers import Answer, ask, refusal

__all__ = ["Batch"]

_SINGLY = frozenset((401, 408, 429))
_Key = tuple[str, str, str | None]


class Batch:
    """Collects what is asked for in one turn of the event loop, and sends it together.

    `on` is whether the server takes batches; it is turned off for good when the server refuses one. A single request
    is never sent as a batch. Each request ends as if it had been sent by itself: what a batch cannot tell (a redirect,
    a fault that may pass, an entry without a resource) is asked for singly.
    """

    def __init__(self, http: Http, headers: Mapping[str, str], *, on: bool = False, most: int = 50) -> None:
        self.on = on
        self._http, self._headers, self._most = http, headers, most
        self._waiting: dict[_Key, asyncio.Future[Answer | None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def get(self, url: str, what: str, etag: str | None = None) -> Answer:
        """GET a URL relative to the base, with others or singly. Raises as `answers.ask`."""
        answer = await self.together(url, what, etag)
        if answer is not None:
            return answer
        headers = {**self._headers, **({"if-none-match": etag} if etag else {})}
        return await ask(self._http, "GET", url, headers=headers, what=what)

    async def together(self, url: str, what: str, etag: str | None = None) -> Answer | None:
        """What the URL gives in a batch with others; None where it is to be asked for singly. Raises as `answers.ask`.

        The same URL stands in a batch once.
        """
        if not self.on:
            return None
        key = (url, what, etag)
        future = self._waiting.get(key)
        if future is None:
            if not self._waiting:
                self._start()
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
            future.add_done_callback(lambda f: f.cancelled() or f.exception())  # its waiter may be gone
        return await asyncio.shield(future)

    async def close(self) -> None:
        """Give up what is under way."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        _give_up(self._waiting.values())

    def _start(self) -> None:
        task = asyncio.create_task(self._flush())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _flush(self) -> None:
        for _ in range(2):  # those that were woken together reach `get` within this many turns
            await asyncio.sleep(0)
        waiting, self._waiting = self._waiting, {}
        keys = list(waiting)
        parts = [keys[start : start + self._most] for start in range(0, len(keys), self._most)]
        try:
            await asyncio.gather(*(self._send({key: waiting[key] for key in part}) for part in parts))
        finally:
            _give_up(waiting.values())

    async def _send(self, part: Mapping[_Key, asyncio.Future[Answer | None]]) -> None:
        found: Sequence[Answer | ChartlineError | None] = [None] * len(part)
        if self.on and len(part) > 1:
            try:
                found = await self._sent(list(part))
            except ChartlineError as error:
                found = [error] * len(part)
        for future, one in zip(part.values(), found, strict=True):
            if isinstance(one, ChartlineError):
                future.set_exception(one)
            else:
                future.set_result(one)

    async def _sent(self, keys: Sequence[_Key]) -> Sequence[Answer | ChartlineError | None]:
        """An answer each, or the error that it would have singly; None for those to be asked for singly."""
        entries = [{"request": {"method": "GET", "url": u, **({"ifNoneMatch": e} if e else {})}} for u, _, e in keys]
        body = orjson.dumps({"resourceType": "Bundle", "type": "batch", "entry": entries})
        headers = {**self._headers, "content-type": "application/fhir+json"}
        try:
            answer = await ask(self._http, "POST", "", headers=headers, body=body, what="batch")
        except SourceError as error:
            if error.status in _SINGLY:
                raise
            self.on = False  # also after a time-out: what is too much at once may well be had one by one
            return [None] * len(keys)
        found = answer.resource.get("entry")
        if answer.resource.get("type") != "batch-response" or not isinstance(found, list) or len(found) != len(keys):
            self.on = False
            return [None] * len(keys)
        return [self._one(key, entry) for key, entry in zip(keys, found, strict=True)]

    def _one(self, key: _Key, entry: Any) -> Answer | ChartlineError | None:
        told = entry.get("response") if isinstance(entry, dict) else None
        text = str(told.get("status", ""))[:3] if isinstance(told, dict) else ""
        if not isinstance(told, dict) or not text.isdecimal():
            return None
        status, url, resource = int(text), f"{self._http.base}/{key[0]}", entry.get("resource")
        if status == 304 and key[2]:
            return Answer(status=304, url=url)
        if status in _SINGLY or status >= 500 or 300 <= status < 400:
            return None
        if 200 <= status < 300:
            fits = isinstance(resource, dict) and resource.get("resourceType") not in (None, "OperationOutcome")
            return Answer(status=status, url=url, resource=resource, etag=told.get("etag")) if fits else None
        outcome = told.get("outcome") or resource
        return refusal(self._http.origin, key[1], status, outcome if isinstance(outcome, dict) else None)


def _give_up(futures: Iterable[asyncio.Future[Answer | None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(SourceError("the server was still asked when its source was closed"))
