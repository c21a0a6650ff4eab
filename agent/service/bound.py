"""Which patient and day a request is about where its body cannot say: the credentials' own, else headers.

Chat completions and MCP carry what a model writes, and a model never names the patient. A header is set by whoever
configures the client.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from typing import Annotated

from fastapi import Query
from pydantic import BeforeValidator, Field

from agent.service.callers import Caller
from agent.service.desk import Desk
from agent.service.problems import Problem

__all__ = ["AS_OF", "PATIENT", "AsOf", "AsOfQuery", "Day", "day_of", "patient_of"]

PATIENT = "X-Chartline-Patient"
"""An id or `Patient/id`."""
AS_OF = "X-Chartline-As-Of"
"""The day that counts as today, YYYY-MM-DD; without it that of the settings."""
_YEARS = 1900, 2200


def _written(value: object) -> date:
    if type(value) is date:  # one of the program's own: JSON has none
        return value
    if isinstance(value, str) and len(value) == 10 and value.isascii():
        with suppress(ValueError):
            day = date.fromisoformat(value)
            if _YEARS[0] <= day.year <= _YEARS[1]:
                return day
    raise ValueError(f"a day is written YYYY-MM-DD, from {_YEARS[0]} to {_YEARS[1]}")


Day = Annotated[date, BeforeValidator(_written)]
"""A day of a request, YYYY-MM-DD. A bare `date` takes a number for seconds since 1970."""
_TODAY = "The day that counts as today."
AsOf = Annotated[Day | None, Field(default=None, description=_TODAY)]
"""A body's day."""
AsOfQuery = Annotated[Day | None, Query(description=_TODAY)]
"""The day of an address."""


def patient_of(desk: Desk, caller: Caller, headers: Mapping[str, str]) -> str | None:
    """The patient's id; None where neither the credentials nor a header name one. Raises Problem (403, 422)."""
    told = headers.get(PATIENT)
    return desk.patient(caller, told) if told is not None or caller.patient is not None else None


def day_of(headers: Mapping[str, str]) -> date | None:
    """The day that counts as today; None where no header says. Raises Problem (422)."""
    told = headers.get(AS_OF)
    try:
        return None if told is None else _written(told.strip())
    except ValueError as error:
        raise Problem(422, "invalid", f"{AS_OF}: {error}") from error
