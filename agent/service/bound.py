"""Which patient and day a request is about where its body cannot say: the credentials' own, else headers.

Chat completions and MCP carry what a model writes, and a model never names the patient. A header is set by whoever
configures the client.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from agent.service.callers import Caller
from agent.service.desk import Desk
from agent.service.problems import Problem

__all__ = ["AS_OF", "PATIENT", "day_of", "patient_of"]

PATIENT = "X-Chartline-Patient"
"""An id or `Patient/id`."""
AS_OF = "X-Chartline-As-Of"
"""The day that counts as today, YYYY-MM-DD; without it that of the settings."""


def patient_of(desk: Desk, caller: Caller, headers: Mapping[str, str]) -> str | None:
    """The patient's id; None where neither the credentials nor a header name one. Raises Problem (403, 422)."""
    told = headers.get(PATIENT)
    return desk.patient(caller, told) if told is not None or caller.patient is not None else None


def day_of(headers: Mapping[str, str]) -> date | None:
    """The day that counts as today; None where no header says. Raises Problem (422)."""
    told = headers.get(AS_OF)
    if told is None:
        return None
    try:
        return date.fromisoformat(told.strip())
    except ValueError as error:
        raise Problem(422, "invalid", f"{AS_OF}: a day is written YYYY-MM-DD") from error
