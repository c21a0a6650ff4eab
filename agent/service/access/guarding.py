"""What a page in somebody's browser may send to the service.

A browser sends cookies, and reaches a service on its own machine, for any page that asks. So requests that change
something are taken from the service's own pages alone (Sec-Fetch-Site, else Origin), and with a session's cookie only
with that session's token in X-CSRF-Token. A service that asks nobody who they are answers to this machine's own names
alone: a page under another name that is made to point here (DNS rebinding) is not answered at all.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.service.access.addresses import origins_of
from agent.service.access.cookies import SESSION, cookie_of
from agent.service.cds.paths import is_hook
from agent.service.problems import Problem, response
from agent.settings import Settings
from fhir_tools.auth.base import origin_of
from fhir_tools.loopback import is_loopback

__all__ = ["HEADER", "Guard", "csrf_of"]

HEADER = "X-CSRF-Token"
_READING = frozenset(("GET", "HEAD", "OPTIONS"))
_SIGN_IN = "/v1/sign-in"
"""Needs no token of a session, which it makes; its origin is checked as any other's."""


def csrf_of(session: str) -> str:
    """The token that goes with a session's cookie. It is made of the cookie's secret, so nothing more is kept."""
    digest = hmac.digest(session.encode(), b"chartline csrf", hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class Guard:
    """ASGI middleware that refuses what other pages send. `local`: requests are answered without signing in."""

    def __init__(self, app: ASGIApp, *, settings: Settings, local: bool) -> None:
        self._app, self._settings, self._local = app, settings, local
        self._allowed = {origin_of(origin) for origin in settings.service_origins}
        self._hooked = {origin_of(origin) for origin in settings.cds_origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        problem = self._fault(request)
        await (response(problem, request) if problem else self._app)(scope, receive, send)

    def _fault(self, request: Request) -> Problem | None:
        hosts = request.headers.getlist("host")
        if len(hosts) != 1:
            return Problem(400, "host", "the request does not say, once, which host it is for")
        if self._local and not is_loopback(hosts[0]):
            return Problem(421, "host", "this service answers under this machine's own names alone, such as localhost")
        # No page sends it elsewhere unasked: browsers ask first (CORS). They send Basic by themselves.
        if request.headers.get("authorization", "").lower().startswith("bearer "):
            return None
        reading = request.method in _READING
        if not self._own(request, reading):
            return Problem(403, "cross-site", "another site's page sent this; nothing was done")
        return None if reading or request.url.path.endswith(_SIGN_IN) else self._forged(request)

    def _own(self, request: Request, reading: bool) -> bool:
        """Whether no other site's page sent it. To follow a link here from elsewhere is not sending."""
        headers = request.headers
        site = headers.get("sec-fetch-site")
        if site in ("same-origin", "none"):
            return True
        if reading and (site is None or headers.get("sec-fetch-mode") == "navigate"):
            return True
        origin = headers.get("origin")
        if origin is None:
            return site is None
        try:
            own = set() if site else origins_of(f"{request.scope['scheme']}://{headers['host']}", self._settings)
            return origin_of(origin) in own | (self._hooked if is_hook(request.scope) else self._allowed)
        except ValueError:  # no number where a port should be
            return False

    def _forged(self, request: Request) -> Problem | None:
        session = cookie_of(request.headers, SESSION)
        if session is None and SESSION not in request.headers.get("cookie", ""):
            return None
        told = request.headers.get(HEADER, "").encode("utf-8", "surrogateescape")
        if session and hmac.compare_digest(told, csrf_of(session).encode()):
            return None
        return Problem(403, "csrf", f"send the session's token, from /v1/me, in the header {HEADER}")
