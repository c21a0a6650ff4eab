"""Who asked, as it is kept beside work that outlives a request: enough to go on for them, and never a credential."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.service.access.gates import caller_of_key
from agent.service.access.keys import KeyFile
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


def recalled(kept: Mapping[str, Any], keys: KeyFile) -> Caller:
    """The caller that was remembered; one with an API key is what the file of keys makes of it now.

    Raises Problem: 409 for one whose charts need its own credentials, 401 for a key that was removed since.
    """
    if kept["own"]:
        raise Problem(409, "interrupted", "it was interrupted, and the credentials it needs are not kept; ask again")
    if kept["via"] == "key":
        key = keys.by_id(kept["id"].removeprefix("key:"))
        if key is None:
            raise Problem(401, "credentials", "the API key that it was asked with was removed")
        return caller_of_key(key)
    return Caller(
        id=kept["id"],
        name=kept["name"],
        via=kept["via"],
        patient=kept["patient"],
        scopes=Scopes.parse(*kept["scopes"]) if kept["scopes"] else None,
    )
