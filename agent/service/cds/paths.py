"""Where CDS Hooks are, for what stands before the routes: calls there have credentials and origins of their own."""

from __future__ import annotations

from starlette.types import Scope

__all__ = ["HOOKS_AT", "is_hook"]

HOOKS_AT = "/cds-services"
"""The path of discovery, below which the services are (CDS Hooks 2.0.1)."""


def is_hook(scope: Scope) -> bool:
    """Whether a request is for CDS Hooks."""
    path = str(scope.get("path", "")).removeprefix(scope.get("root_path", ""))
    return scope["type"] == "http" and (path == HOOKS_AT or path.startswith(f"{HOOKS_AT}/"))
