"""How a request without good credentials is answered: RFC 6750 3, with the metadata of RFC 9728.

Where tokens are taken, the scope to begin with is named (MCP 2026-07-28, Authorization, Scope Selection Strategy).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request

from agent.service.access.addresses import address_of
from agent.service.problems import Problem
from agent.settings import Settings

__all__ = ["METADATA", "ONE", "challenge", "insufficient", "invalid_request", "invalid_token"]

METADATA = "/.well-known/oauth-protected-resource"
ONE = "chartline"
"""The scope that allows to ask about the patient of the token's `patient` claim."""


def challenge(request: Request, settings: Settings, **parameters: str) -> str:
    """The WWW-Authenticate of this service. Parameters are those of RFC 6750 3, without quotes or backslashes."""
    told = {"realm": "chartline", **parameters}
    if settings.oauth_issuer:
        told.setdefault("scope", ONE)
        mcp = "/mcp" if request.url.path.rstrip("/").endswith("/mcp") else ""
        told["resource_metadata"] = f"{address_of(request, settings)}{METADATA}{mcp}"
    return "Bearer " + ", ".join(f'{name}="{value}"' for name, value in told.items())


def invalid_request(request: Request, settings: Settings, why: str) -> Problem:
    """400: the credentials cannot be read."""
    said = challenge(request, settings, error="invalid_request", error_description=why)
    return Problem(400, "credentials", why, headers={"WWW-Authenticate": said})


def invalid_token(request: Request, settings: Settings, why: str, more: Mapping[str, Any] | None = None) -> Problem:
    """401: the token or key is not taken. `why` holds nothing of it."""
    said = challenge(request, settings, error="invalid_token", error_description=why)
    return Problem(401, "credentials", why, headers={"WWW-Authenticate": said}, more=more)


def insufficient(request: Request, settings: Settings, scope: str, why: str) -> Problem:
    """403: the token is good and does not allow this; `scope` would."""
    said = challenge(request, settings, error="insufficient_scope", error_description=why, scope=scope)
    return Problem(403, "scope", why, headers={"WWW-Authenticate": said})
