"""The service's own address, as browsers and EHRs see it."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import Request

from agent.service.problems import Problem
from agent.settings import Settings
from fhir_tools.auth.base import origin_of
from fhir_tools.loopback import is_loopback

__all__ = ["address_of", "below", "is_here", "is_https", "origins_of"]

_PASSED_ON = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
"""Headers of proxies (RFC 7239, RFC 9110 7.6.3, and those in use)."""


def address_of(request: Request, settings: Settings) -> str:
    """The address without a slash at its end. Raises Problem where only the settings could say it and do not.

    A name that a request gives for the service is believed of this machine alone: anybody can send any Host.
    """
    if settings.service_url:
        return settings.service_url.rstrip("/")
    if not is_loopback(request.url.hostname or ""):
        raise Problem(
            500, "settings", "the service's own address is not known: its operator sets CHARTLINE_SERVICE_URL"
        )
    return str(request.base_url).rstrip("/")


def below(settings: Settings, path: str) -> str:
    """A path of the service as clients know it, who may have another in front (`service_url`)."""
    return urlsplit(settings.service_url or "").path.rstrip("/") + path


def is_here(request: Request) -> bool:
    """Whether who asks is on this machine. A request that a proxy passed on is of somebody elsewhere."""
    if request.client is None or any(name in request.headers for name in _PASSED_ON):
        return False
    return is_loopback(request.client.host)


def is_https(settings: Settings, scheme: str) -> bool:
    """Whether browsers reach the service by https. `scheme` is that of the request."""
    return (settings.service_url or f"{scheme}://").startswith("https://")


def origins_of(url: str, settings: Settings) -> set[tuple[str, str, int | None]]:
    """The origins that are the service itself, for a request to `url`. Raises ValueError for a port that is none."""
    own = {origin_of(url)}
    return own | {origin_of(settings.service_url)} if settings.service_url else own
