"""Web pages of other origins at CDS Hooks, where a setting names them; the rest of the service stays closed to them."""

from __future__ import annotations

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.service.cds.paths import is_hook

__all__ = ["CdsCors"]


class CdsCors:
    """An ASGI middleware: the CORS protocol (Fetch standard) for `/cds-services` and what is below, without cookies."""

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        self._app = app
        self._open = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=("GET", "POST"),
            allow_headers=("Authorization", "Content-Type"),
            allow_credentials=False,
            max_age=600,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._open if is_hook(scope) else self._app)(scope, receive, send)
