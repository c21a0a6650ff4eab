"""Errors as problem details (RFC 9457): what failed, who can act and what to do, without patient data."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import sqlalchemy.exc
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from agent.errors import (
    ChartlineError,
    MissingExtra,
    ModelError,
    NeedError,
    NotFound,
    OperatorError,
    ScopeError,
    SettingsError,
    SourceError,
    UnknownPatient,
    UserError,
    one_line,
)

__all__ = ["AWAY", "MEDIA", "Problem", "ProblemOut", "install", "problem_of", "response", "responses"]

AWAY = "database"
"""The kind of problem that what the service keeps cannot be reached or written: it will be, and nothing is lost."""
MEDIA = "application/problem+json"
_URN = "urn:chartline:problem:"
_log = logging.getLogger(__name__)

_STATUS: tuple[tuple[type[ChartlineError], int, str], ...] = (
    (UnknownPatient, 404, "unknown-patient"),
    (MissingExtra, 501, "not-installed"),
    (SettingsError, 500, "settings"),
    (ScopeError, 403, "out-of-scope"),
    (UserError, 422, "cannot-be-done"),
    (NeedError, 422, "cannot-be-done"),
    (NotFound, 404, "not-there"),
    (ModelError, 502, "model"),
    (SourceError, 502, "fhir-server"),
    (OperatorError, 503, "operator"),
)
"""Error → HTTP status and type; the first that fits."""


class ProblemOut(BaseModel):
    """RFC 9457 3.1, with the id of the request."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:chartline:problem:unknown-patient"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["no patient '123' here"])
    request: str | None = Field(default=None, examples=["5f0c2f7a9d1e4b6f"])


class Problem(Exception):
    """An error of HTTP. `kind` is the last part of its type, and empty where the status says all; `more` are further
    members."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        self.status, self.kind, self.detail = status, kind, detail
        # Whoever is told to come again is told when (RFC 6585 4, RFC 9110 15.6.4).
        soon = {"Retry-After": "30"} if status in (429, 503) else {}
        self.headers, self.more = soon | dict(headers or {}), dict(more or {})
        super().__init__(detail)


def problem_of(error: Exception) -> Problem:
    """The problem that an error is. One that is not chartline's own is told by its type alone, and 500."""
    if isinstance(error, Problem):
        return error
    for kind, status, name in _STATUS:
        if isinstance(error, kind):
            return Problem(status, name, one_line(error))
    if _is_of_database(error):
        told = "what the service keeps cannot be read or written now; ask again shortly"
        return Problem(503, AWAY, told, headers={"Retry-After": "5"})
    return Problem(500, "broken", f"something in chartline broke ({type(error).__name__}); tell its operator")


def _is_of_database(error: Exception) -> bool:
    """Whether the database is away or refuses; a fault in what it was asked is one of ours."""
    away = (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError, sqlalchemy.exc.TimeoutError)
    # The checkpointer has drivers of its own; that of PostgreSQL need not be installed.
    return isinstance(error, (*away, sqlite3.OperationalError)) or type(error).__module__.startswith("psycopg")


def response(problem: Problem, request: Request | None = None) -> JSONResponse:
    """The problem as an answer of HTTP."""
    body = {
        "type": _URN + problem.kind if problem.kind else "about:blank",  # RFC 9457 4.2.1
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "request": getattr(request.state, "id", None) if request else None,
        **problem.more,
    }
    return JSONResponse(body, problem.status, headers=problem.headers, media_type=MEDIA)


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "" or kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may tell, for its description in OpenAPI: what `responses=` of a route takes.

    Those that any route may tell (`agent.service.openapi`) need not be named.
    """
    return {status: {"model": ProblemOut, "description": HTTPStatus(status).phrase} for status in statuses}


def install(app: FastAPI) -> None:
    """Have every error of the app told as a problem."""

    async def chartline(request: Request, error: Exception) -> JSONResponse:
        return response(problem_of(error), request)

    async def broken(request: Request, error: Exception) -> JSONResponse:
        _log.error("request %s: %s", getattr(request.state, "id", "?"), type(error).__name__)
        return response(problem_of(error), request)

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101  registered for it
        if any(e["type"] == "json_invalid" for e in error.errors()):
            return response(Problem(400, "no-json", "the body is no JSON"), request)
        # Where and why, never the value: it can be a question or a name.
        sent = request.headers.get("content-type", "")
        if not _is_json(sent) and any(e["loc"] == ("body",) for e in error.errors()):
            wanted = Problem(
                415, "media-type", "send JSON, as application/json", headers={"Accept": "application/json"}
            )
            return response(wanted, request)
        faults = [{"where": ".".join(map(str, e["loc"])), "why": e["msg"]} for e in error.errors()]
        told = "; ".join(f"{f['where']}: {f['why']}" for f in faults)
        return response(Problem(422, "invalid", told, more={"errors": faults}), request)

    async def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101  registered for it
        return response(Problem(error.status_code, "", str(error.detail), headers=error.headers), request)

    app.add_exception_handler(Problem, chartline)
    app.add_exception_handler(ChartlineError, chartline)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, broken)
