"""What every answer tells the browser: run nothing that is not ours, show it in no strange frame, keep no copy."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.service.access.addresses import is_https
from agent.service.problems import problem_of, response
from agent.settings import Settings

__all__ = ["SecurityHeaders", "security_headers"]

_log = logging.getLogger(__name__)
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors "
)
_NOBODY = ("camera", "display-capture", "geolocation", "microphone", "payment", "usb")
_YEAR = 31_536_000


def security_headers(settings: Settings, scheme: str) -> Mapping[str, str]:
    """The headers by their names. `scheme` is that of the request. An answer's own header of a name stays."""
    ancestors = " ".join(settings.service_frame_ancestors)
    told = {
        "Content-Security-Policy": _POLICY + (f"'self' {ancestors}" if ancestors else "'none'"),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": ", ".join(f"{name}=()" for name in _NOBODY),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if not ancestors:
        told["X-Frame-Options"] = "DENY"
    if is_https(settings, scheme):
        told["Strict-Transport-Security"] = f"max-age={_YEAR}"
    return told


class SecurityHeaders:
    """ASGI middleware that adds them, and `no-store` to all that is no asset of the page.

    An error that nothing else has told is told here, as a problem, so that its answer has the headers too.
    """

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                self._add(MutableHeaders(scope=message), scope)
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            if begun:
                raise
            request = Request(scope)
            _log.error("request %s: %s", getattr(request.state, "id", "?"), type(error).__name__)  # no more: patients
            await response(problem_of(error), request)(scope, receive, sending)

    def _add(self, headers: MutableHeaders, scope: Scope) -> None:
        for name, value in security_headers(self._settings, scope["scheme"]).items():
            headers.setdefault(name, value)
        if not scope["path"].removeprefix(scope.get("root_path", "")).startswith("/assets/"):
            headers.setdefault("Cache-Control", "no-store")
