"""Each request gets an id, which its answer, its errors and its line in the log share; the line holds no patient data.

The log names a request by its route's template, never by its address, which can hold a patient's id, and its caller
by a hash. Pure ASGI, so that a stream passes through piece by piece.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
import traceback
from functools import lru_cache
from time import perf_counter
from typing import Any

import orjson
from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.service import metrics
from agent.service.callers import Caller
from agent.service.events import GONE
from agent.service.problems import problem_of, response

__all__ = ["ACCESS", "Identified"]

ACCESS = logging.getLogger("chartline.access")
"""One JSON object a request: `request, trace, method, route, status, ms, caller`."""
_log = logging.getLogger(__name__)

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
"""An id from outside that may stand in a log: nothing that breaks a line or hides a text."""
_TRACE = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
"""W3C Trace Context 3.2: version, trace-id, parent-id, flags; all zeros are no id."""
_QUIET = frozenset(("/healthz", "/readyz", "/metrics"))
"""Asked every few seconds by machines: not in the log."""


class Identified:
    """Names a request, times it, counts it and logs it; what breaks in it is told as a problem."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state, headers = scope.setdefault("state", {}), Headers(scope=scope)
        state["id"] = _id(headers.get("x-request-id", ""))
        trace, began, status = _trace(headers.get("traceparent", "")), perf_counter(), 0

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                more = (b"x-request-id", state["id"].encode())
                message = {**message, "headers": [*message.get("headers", ()), more]}
            await send(message)

        try:
            with metrics.IN_FLIGHT.track_inprogress():
                await self._app(scope, receive, named)
        except Exception as error:  # noqa: BLE001  the last place where it can be told
            _log.error("request %s: %s", state["id"], _where(error))
            if not status:
                await response(problem_of(error), Request(scope))(scope, receive, named)
        finally:
            _tell(scope, status or GONE, perf_counter() - began, trace)


def _id(given: str) -> str:
    return given if _ID.fullmatch(given) else secrets.token_hex(8)


def _trace(given: str) -> str:
    found = _TRACE.fullmatch(given.strip())
    return found[1] if found else ""


def _where(error: Exception) -> str:
    """The type of an error and the lines that it went through; its own words may hold patient data."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    return f"{type(error).__name__} at " + " < ".join(f"{f.name}:{f.lineno}" for f in reversed(frames))


def _tell(scope: Scope, status: int, seconds: float, trace: str) -> None:
    route = _route(scope)
    metrics.requested(route, scope["method"], status, seconds)
    if route in _QUIET or not ACCESS.isEnabledFor(logging.INFO):
        return
    caller: Caller | None = scope["state"].get("caller")
    line = {"request": scope["state"]["id"], "trace": trace, "method": scope["method"], "route": route}
    line |= {"status": status, "ms": round(1e3 * seconds, 1), "caller": _hashed(caller.id) if caller else ""}
    ACCESS.info("%s", orjson.dumps({k: v for k, v in line.items() if v != ""}).decode())


def _route(scope: Scope) -> str:
    """The template of the route, such as `/v1/patients/{id}`; a mount's own path; `-` where nothing is there."""
    route: Any = scope.get("route")
    return str(getattr(route, "path", "") or scope.get("root_path") or "-")


@lru_cache(maxsize=1024)
def _hashed(caller: str) -> str:
    return hashlib.sha256(caller.encode()).hexdigest()[:12]
