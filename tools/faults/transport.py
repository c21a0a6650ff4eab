"""An httpx transport into an ASGI app that behaves as a connection does: read time-outs, resets, bodies that stop.

httpx's own ASGITransport collects the whole answer, knows no time-out and passes the app's exceptions on as they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import httpx

__all__ = ["App", "InProcess", "Message", "Receive", "Scope", "Send"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_Item = Message | BaseException | None


class InProcess(httpx.AsyncBaseTransport):
    """Requests to `host` go to the app. Those to any other host are kept in `strays` and get the app's answer too.

    `requests` and `received` count what was asked and the bytes of bodies that were read; `busy` is the seconds (of the
    loop's clock) that requests were under way, at least one at a time.
    """

    def __init__(self, app: App, host: str = "fhir.test", *, latency: float = 0.0) -> None:
        self.app, self.host, self.latency = app, host, latency
        self.strays: list[httpx.Request] = []
        self.requests: list[str] = []
        self.received = 0
        self.busy = 0.0
        self._open = 0
        self._since = 0.0

    def under_way(self, change: int) -> None:
        """Keep the time during which the server is waited for, requests side by side counted once."""
        now = asyncio.get_running_loop().time()
        if self._open:
            self.busy += now - self._since
        self._open, self._since = self._open + change, now

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host != self.host:
            self.strays.append(request)
        self.requests.append(f"{request.method} {request.url.raw_path.decode()}")
        self.under_way(1)
        try:
            return await self._sent(request)
        except BaseException:
            self.under_way(-1)
            raise

    async def _sent(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        if self.latency:
            await asyncio.sleep(self.latency)
        items: asyncio.Queue[_Item] = asyncio.Queue()
        task = asyncio.create_task(_run(self.app, _scope(request), body, items))
        stream = _Body(self, items, task, request.extensions.get("timeout", {}).get("read"))
        try:
            start = await stream.item()
        except BaseException:
            task.cancel()
            raise
        if start is None:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        headers = [(name, value) for name, value in start.get("headers", ())]
        stream.left = next((int(value) for name, value in headers if name.lower() == b"content-length"), None)
        return httpx.Response(start["status"], headers=headers, stream=stream)


class _Body(httpx.AsyncByteStream):
    """A body as the app sends it."""

    def __init__(
        self, owner: InProcess, items: asyncio.Queue[_Item], task: asyncio.Task[None], patience: float | None
    ) -> None:
        self._owner, self._items, self._task, self._patience = owner, items, task, patience
        self.left: int | None = None
        self._closed = False

    async def item(self) -> Message | None:
        try:
            async with asyncio.timeout(self._patience):
                found = await self._items.get()
        except TimeoutError:
            raise httpx.ReadTimeout("the server said nothing") from None
        if isinstance(found, ConnectionError):
            raise httpx.ReadError(str(found)) from found
        if isinstance(found, BaseException):
            raise found
        return found

    async def __aiter__(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            found = await self.item()
            if found is None:
                break
            chunk = found.get("body", b"")
            more = found.get("more_body", False)
            if self.left is not None:
                self.left -= len(chunk)
            self._owner.received += len(chunk)
            if chunk:
                yield chunk
        if self.left:
            raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            self._owner.under_way(-1)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def _run(app: App, scope: Scope, body: bytes, items: asyncio.Queue[_Item]) -> None:
    told = False

    async def receive() -> Message:
        nonlocal told
        if told:
            await asyncio.Event().wait()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        await app(scope, receive, items.put)
    except Exception as error:  # noqa: BLE001  it is the client's to see, as a connection that broke
        await items.put(error)
    else:
        await items.put(None)


def _scope(request: httpx.Request) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.partition(b"?")[0],
        "query_string": request.url.query,
        "server": (request.url.host, request.url.port or 80),
        "client": ("127.0.0.1", 1),
        "root_path": "",
    }
