"""Whether an answer or a summary may be written to the chart: by the settings, the way in, the grant and the place."""

from __future__ import annotations

from fastapi import Request
from pydantic import BaseModel, Field

from agent.service.callers import Caller
from agent.service.parts import Parts
from agent.service.problems import Problem
from agent.sources import is_url

__all__ = ["WritingOut", "allow", "refusal", "writing"]

_TYPES = {"document": "DocumentReference", "communication": "Communication"}


class WritingOut(BaseModel):
    """What is written where. `server` is null for the store that this service keeps itself."""

    type: str = Field(examples=["DocumentReference"])
    server: str | None = Field(examples=["https://ehr.example/fhir"])


def writing(request: Request, caller: Caller, parts: Parts) -> WritingOut | None:
    """What this request may write to the chart; None where it may write nothing."""
    if refusal(request, caller, parts):
        return None
    place = caller.access.base if caller.access else parts.desk.places[0]
    type_ = _TYPES[parts.settings.service_write_as]
    return WritingOut(type=type_, server=place if is_url(place) else None)


def allow(request: Request, caller: Caller, parts: Parts) -> None:
    """Raises Problem (403) where this request may write nothing."""
    problem = refusal(request, caller, parts)
    if problem:
        raise problem


def refusal(request: Request, caller: Caller, parts: Parts) -> Problem | None:
    """Why this request may write nothing; None where it may. What the FHIR server itself says comes on top."""
    settings = parts.settings
    if not settings.service_write_back:
        return Problem(403, "write-back-off", "nothing is written here: CHARTLINE_SERVICE_WRITE_BACK is off")
    program = caller.via == "cds" or "authorization" in request.headers
    if program and not settings.service_write_programs:
        return Problem(403, "needs-a-person", "a person is to confirm what is written, signed in at the page")
    if not caller.access and not settings.service_write_store and not is_url(next(iter(parts.desk.places), "")):
        return Problem(403, "no-server", "charts are read from a store here, and it is not to be written")
    return _ungranted(caller, settings.service_write_as)


def _ungranted(caller: Caller, form: str) -> Problem | None:
    granted = caller.scopes or (caller.access.auth.granted if caller.access else None)
    if granted is None:
        if caller.access:
            return Problem(403, "scope", "the grant does not say that it may write; sign in with a scope that does")
        return None
    lacks = [granted.missing(type_, "c") for type_ in (_TYPES[form], "Provenance") if not granted.allows(type_, "c")]
    return Problem(403, "scope", f"the grant lacks {', '.join(lacks)}") if lacks else None
