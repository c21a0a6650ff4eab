"""Who asked, as it is kept beside work that outlives a request: enough to go on for them, and never a credential."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.service.callers import Caller
from agent.service.problems import Problem
from fhir_tools.auth import Scopes

__all__ = ["recalled", "remembered"]


def remembered(caller: Caller) -> dict[str, Any]:
    """The caller as JSON. `own` tells that its charts are read with its own credentials, which are not kept."""
    return {
        "id": caller.id,
        "name": caller.name,
        "via": caller.via,
        "patient": caller.patient,
        "scopes": None if caller.scopes is None else [str(caller.scopes), caller.scopes.context],
        "own": caller.access is not None,
    }


def recalled(kept: Mapping[str, Any]) -> Caller:
    """The caller that was remembered. Raises Problem (409) for one whose charts need its own credentials."""
    if kept["own"]:
        raise Problem(409, "interrupted", "it was interrupted, and the credentials it needs are not kept; ask again")
    return Caller(
        id=kept["id"],
        name=kept["name"],
        via=kept["via"],
        patient=kept["patient"],
        scopes=Scopes.parse(*kept["scopes"]) if kept["scopes"] else None,
    )
