"""What a resource takes, whichever route has it: HEAD wherever GET is, and every method in the Allow of a 405."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter
from starlette.datastructures import MutableHeaders
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Methods"]


class Methods:
    """ASGI middleware. HEAD is answered as GET, whose content the server does not send (RFC 9110 9.3.2).

    A path can have a route for each method, of which a 405 would name one alone (RFC 9110 15.5.6).
    """

    def __init__(self, app: ASGIApp, *, routers: Sequence[APIRouter]) -> None:
        self._app = app
        self._routes = [route for router in routers for route in router.routes if isinstance(route, Route)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        inner = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 405 and (taken := self._taken(scope)):
                MutableHeaders(scope=message)["Allow"] = ", ".join(taken)
            await send(message)

        try:
            await self._app(inner, receive, sending)
        finally:
            if "route" in inner:  # by which the request is named in the log
                scope["route"] = inner["route"]

    def _taken(self, scope: Scope) -> list[str]:
        """The methods of all routes of the path; empty where an app is there that says itself (`/mcp`)."""
        here = (route for route in self._routes if route.matches(scope)[0] is not Match.NONE)
        taken = {method for route in here for method in route.methods or ()}
        return sorted(taken | ({"HEAD"} if "GET" in taken else set()))
