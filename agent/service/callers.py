"""Who asks: what a request's credentials say of its caller, and the ways to find that out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal, Protocol

from fastapi import Request

from agent.service.problems import Problem
from fhir_tools.auth import FhirAuth, Scopes

__all__ = ["Access", "Caller", "Gate", "Gates", "caller_of"]

Way = Literal["local", "key", "token", "launch", "cds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A FHIR server that is asked with the caller's own credentials. `key` tells one grant from another in pools."""

    base: str
    auth: FhirAuth
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """One who may ask. `id` is stable and opaque: threads, jobs and limits are kept by it; `name` goes on record.

    `patient` is the id of the only patient that may be asked about; None lets the caller choose among those that its
    source shows. `scopes` are those of its token, None where its way in has none. `access` is how its charts are read;
    None is by the settings' own source.
    """

    id: str
    name: str
    via: Way
    patient: str | None = None
    scopes: Scopes | None = None
    access: Access | None = None
    claims: frozenset[str] = field(default_factory=frozenset)

    def may_ask_of(self, patient: str) -> bool:
        """Whether a patient's chart is open to this caller at all; its source has the last word."""
        return self.patient in (None, patient)


class Gate(Protocol):
    """One way in."""

    def challenge(self, request: Request) -> str:
        """The WWW-Authenticate challenge of this way (RFC 9110 11.6.1); empty where it has none."""
        ...

    async def caller(self, request: Request) -> Caller | None:
        """Who asks; None where the request does not use this way. Raises Problem (401) for credentials that fail."""
        ...


class Gates:
    """Several ways in, tried in order; the first that the request uses decides. `sign_in` tells a person's page how
    to sign in, as a member of the problem."""

    def __init__(self, gates: Sequence[Gate], sign_in: Mapping[str, Any] | None = None) -> None:
        self._gates, self._sign_in = tuple(gates), dict(sign_in or {})

    async def caller(self, request: Request) -> Caller:
        """Who asks. Raises Problem (401) where no way in is used, or the one used fails."""
        more = {"sign_in": self._sign_in}
        for gate in self._gates:
            try:
                found = await gate.caller(request)
            except Problem as problem:
                if problem.status == HTTPStatus.UNAUTHORIZED:
                    problem.more |= more
                raise
            if found:
                return found
        challenges = ", ".join(filter(None, (gate.challenge(request) for gate in self._gates)))
        headers = {"WWW-Authenticate": challenges} if challenges else {}
        raise Problem(401, "sign-in", "sign in, or send a token or an API key", headers=headers, more=more)


async def caller_of(request: Request) -> Caller:
    """The caller of a request, as a FastAPI dependency; found out once a request."""
    known: Caller | None = getattr(request.state, "caller", None)
    if known is None:
        known = await request.app.state.parts.gates.caller(request)
        request.state.caller = known
    return known
