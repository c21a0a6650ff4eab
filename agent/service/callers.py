"""Who asks: what a request's credentials say of its caller, and the ways to find that out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from fastapi import Request

from agent.service.problems import Problem
from fhir_tools.auth import FhirAuth, Scopes

__all__ = ["Access", "Caller", "Gate", "Gates", "Local", "caller_of"]

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

    challenge: str
    """The WWW-Authenticate challenge of this way (RFC 9110 11.6.1); empty where it has none."""

    async def caller(self, request: Request) -> Caller | None:
        """Who asks; None where the request does not use this way. Raises Problem (401) for credentials that fail."""
        ...


class Local:
    """Everyone who reaches a loopback address: the person at this machine."""

    challenge = ""

    def __init__(self, name: str = "local") -> None:
        self._caller = Caller(id="local", name=name, via="local")

    async def caller(self, request: Request) -> Caller | None:
        """Always the one caller."""
        return self._caller


class Gates:
    """Several ways in, tried in order; the first that the request uses decides."""

    def __init__(self, gates: Sequence[Gate]) -> None:
        self._gates = tuple(gates)
        self.challenge = ", ".join(gate.challenge for gate in self._gates if gate.challenge)

    async def caller(self, request: Request) -> Caller:
        """Who asks. Raises Problem (401) where no way in is used, or the one used fails."""
        for gate in self._gates:
            found = await gate.caller(request)
            if found:
                return found
        headers = {"WWW-Authenticate": self.challenge} if self.challenge else {}
        raise Problem(401, "sign-in", "sign in, or send a token or an API key", headers=headers)


async def caller_of(request: Request) -> Caller:
    """The caller of a request, as a FastAPI dependency; found out once a request."""
    known: Caller | None = getattr(request.state, "caller", None)
    if known is None:
        known = await request.app.state.parts.gates.caller(request)
        request.state.caller = known
    return known
