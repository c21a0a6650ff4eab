"""Large answers about a chart as gzip: its timeline and its catalogue, and nothing else."""

from __future__ import annotations

import re

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Packed"]

_LARGE = re.compile(r"/v1/patients/[^/]+/(?:timeline|catalogue)")
_LEVEL = 4  # 1.2 MB in about 15 ms; higher levels win a few kB of 90
_LEAST = 4096


class Packed:
    """ASGI middleware that packs what can be a megabyte, where the client takes gzip.

    A packed answer's length tells of what it holds, to who sees the length and chooses a part of the answer (BREACH).
    So what has a secret (`/v1/me`, sign-in), or chart text beside what a client sends (answers, evidence, problems),
    is never packed, nor is a stream of events. These two repeat an id that was looked up and a date, and other sites'
    pages cannot ask for them (`access.guarding`).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._packing = GZipMiddleware(app, minimum_size=_LEAST, compresslevel=_LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        large = scope["type"] == "http" and _LARGE.fullmatch(scope["path"].removeprefix(scope.get("root_path", "")))
        await (self._packing if large else self._app)(scope, receive, send)
