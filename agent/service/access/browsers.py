"""The middleware of the app that is about browsers, in its order."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from agent.service.access.guarding import HEADER, Guard
from agent.service.access.headers import SecurityHeaders
from agent.service.access.ways import ways
from agent.settings import Settings

__all__ = ["guard", "headed"]

_SENT = ("Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", HEADER)
_READ = ("Location", "Retry-After", "WWW-Authenticate", "X-Request-ID")


def guard(app: FastAPI, settings: Settings) -> None:
    """Refuse what other pages send, and let those of `service_origins` call with a token (never with a cookie)."""
    if settings.service_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.service_origins,
            allow_methods=("GET", "POST", "PUT", "DELETE"),
            allow_headers=_SENT,
            expose_headers=_READ,
        )
    app.add_middleware(Guard, settings=settings, local=ways(settings).local)


def headed(app: FastAPI, settings: Settings) -> None:
    """Add the headers of security to every answer; to be added last, outside of all that answers."""
    app.add_middleware(SecurityHeaders, settings=settings)
