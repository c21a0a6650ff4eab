"""The service's own address, as browsers and EHRs see it."""

from __future__ import annotations

from fastapi import Request
from starlette.datastructures import URL

from agent.service.access.ways import is_loopback
from agent.service.problems import Problem
from agent.settings import Settings
from fhir_tools.auth.base import origin_of

__all__ = ["address_of", "is_https", "origins_of"]


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


def is_https(settings: Settings, scheme: str) -> bool:
    """Whether browsers reach the service by https. `scheme` is that of the request."""
    return (settings.service_url or f"{scheme}://").startswith("https://")


def origins_of(url: URL, settings: Settings) -> set[tuple[str, str, int | None]]:
    """The origins that are the service itself, for a request to `url`."""
    own = {origin_of(str(url))}
    return own | {origin_of(settings.service_url)} if settings.service_url else own
