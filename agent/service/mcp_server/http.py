"""MCP over streamable HTTP at `/mcp` of the service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from agent.service.bound import day_of, patient_of
from agent.service.callers import caller_of
from agent.service.mcp_server.seats import Seat, Seats
from agent.service.mcp_server.server import serving
from agent.service.parts import Parts
from agent.settings import Settings

__all__ = ["open_mcp", "router"]

_SEAT = "chartline.seat"
_SESSION = "mcp-session-id"
_NAMES = ("localhost", "127.0.0.1", "[::1]")
_LARGEST = 256 * 1024
"""Bytes of one request: a question and its envelope are far below."""


class _Endpoint:
    """The ASGI app behind the route: finds out who asks, of whom, and hands the request to the protocol."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        parts: Parts = request.app.state.parts
        caller = await caller_of(request)
        scope[_SEAT] = seat = Seat(
            caller=caller,
            patient=patient_of(parts.desk, caller, request.headers),
            as_of=day_of(request.headers),
            session=request.headers.get(_SESSION, ""),
        )
        scope["user"] = _user(seat)
        await request.app.state.mcp.handle_request(scope, receive, send)


router = APIRouter()
router.routes.append(Route("/mcp", endpoint=_Endpoint()))


@asynccontextmanager
async def open_mcp(parts: Parts) -> AsyncIterator[StreamableHTTPSessionManager]:
    """What serves `/mcp` (`app.state.mcp`) for as long as the block lasts.

    It runs in a task of its own: its cancel scopes must be left by the task that entered them, and who starts an app
    need not be who stops it.
    """
    manager = StreamableHTTPSessionManager(
        serving(Seats(parts.desk), lambda ctx: ctx.request.scope[_SEAT]),
        stateless=not parts.settings.mcp_sessions,
        security_settings=_allowed(parts.settings),
        max_request_body_size=_LARGEST,
    )
    begun, over = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(_run(manager, begun, over))
    await begun.wait()
    try:
        yield manager
    finally:
        over.set()
        await running


async def _run(manager: StreamableHTTPSessionManager, begun: asyncio.Event, over: asyncio.Event) -> None:
    async with manager.run():
        begun.set()
        await over.wait()


def _user(seat: Seat) -> AuthenticatedUser:
    """The seat in the SDK's form: a session is open to the caller who began it, about that patient, and no other."""
    about = f"{seat.caller.access.key if seat.caller.access else ''} {seat.patient or ''}"
    return AuthenticatedUser(AccessToken(token="", client_id=seat.caller.id, scopes=[], subject=about))


def _allowed(settings: Settings) -> TransportSecuritySettings:
    """The hosts and origins of this service alone, so that no page in a browser reaches it by a name of its own.

    MCP specification 2025-11-25, Transports, "Security warning" 1.
    """
    hosts = [form for name in _NAMES for form in (name, f"{name}:*")]
    origins = [f"http://{host}" for host in hosts]
    if settings.service_url:
        url: Any = urlsplit(settings.service_url)
        hosts.append(url.netloc)
        origins.append(f"{url.scheme}://{url.netloc}")
    return TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=origins)
