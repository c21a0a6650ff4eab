"""The service's cookies: no script reads them, and a second one of the same name counts for nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable

from starlette.datastructures import Headers

from agent.service.access.addresses import below, is_https
from agent.settings import Settings

__all__ = ["SESSION", "cookie_of", "set_cookie", "token_of"]

SESSION = "chartline_session"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


def cookie_of(headers: Headers, name: str) -> str | None:
    """The value of a cookie (RFC 6265 5.4); None where it is not there, or there twice with two values.

    A neighbour under the same domain can add a cookie of the same name; it cannot take one away.
    """
    found = {value for told in headers.getlist("cookie") for key, value in _pairs(told) if key == name}
    return found.pop() if len(found) == 1 else None


def token_of(headers: Headers, name: str = SESSION) -> str | None:
    """The value of a cookie that holds a token of ours; None for what cannot be one."""
    value = cookie_of(headers, name)
    return value if value and _TOKEN.fullmatch(value) else None


def set_cookie(settings: Settings, name: str, value: str, *, seconds: float, scheme: str) -> str:
    """A Set-Cookie header. `seconds` 0 takes the cookie away; `scheme` is that of the request, for want of an address.

    Where other pages may show the service in a frame, it is sent there as well, kept apart for each of those pages.
    """
    embedded = bool(settings.service_frame_ancestors)
    parts = [f"{name}={value}", f"Max-Age={int(seconds)}", f"Path={below(settings, '/')}", "HttpOnly"]
    parts.append("SameSite=None" if embedded else "SameSite=Lax")
    if embedded or is_https(settings, scheme):
        parts.append("Secure")
    return "; ".join([*parts, "Partitioned"] if embedded else parts)


def _pairs(header: str) -> Iterable[tuple[str, str]]:
    for part in header.split(";"):
        name, found, value = part.partition("=")
        if found:
            yield name.strip(), value.strip().strip('"')
