"""Whether an EHR may call: its JSON Web Token (CDS Hooks 2.0.1, Trusting CDS Clients), or a program on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from fastapi import Request
from sqlalchemy import Column, DateTime, String, Table, delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.errors import SettingsError
from agent.service.access.addresses import is_here
from agent.service.callers import Caller
from agent.service.cds.clients import Client, Clients
from agent.service.cds.keys import keys_of
from agent.service.database import METADATA
from agent.service.problems import Problem
from agent.settings import Settings
from fhir_tools.auth.verifying import InvalidToken, Verifier, said
from fhir_tools.errors import ChartlineError
from fhir_tools.loopback import is_loopback

__all__ = ["SEEN", "Admitted", "CdsGate"]

_ALGORITHMS = ("ES384", "RS384")
_SKEW, _LONGEST = 60, 3600
"""Seconds that a clock may be wrong, and that a token may live."""

SEEN = Table(
    "cds_tokens",
    METADATA,
    Column("issuer", String, primary_key=True),
    Column("jti", String, primary_key=True),
    Column("until", DateTime(timezone=True), nullable=False, index=True),
)
"""Tokens that were used, until they end: none is taken twice, by whichever process of the service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A client that may call: what the settings say of it, its caller, and the organization that its token names."""

    client: Client
    caller: Caller
    tenant: str | None = None


class CdsGate:
    """Reads and checks the token of each call. Raises SettingsError where tokens could not be held to an address.

    Without `CHARTLINE_SERVICE_URL` the audience would be what the request says of itself, and a token for another
    service could be used here.
    """

    challenge = 'Bearer realm="cds-services"'

    def __init__(
        self,
        settings: Settings,
        clients: Clients,
        database: AsyncEngine,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if clients.clients and not settings.service_url:
            raise SettingsError("CHARTLINE_CDS_CLIENTS needs CHARTLINE_SERVICE_URL: the address that tokens are for")
        self._settings, self._clients, self._database, self._clock = settings, clients, database, clock
        self._verifiers = {
            client.issuer: Verifier(
                issuer=client.issuer,
                audiences=(),  # the address of each call
                keys=keys_of(client, settings),
                algorithms=_ALGORITHMS,
                leeway=_SKEW,
                types=("jwt",),
                clock=clock,
            )
            for client in clients.clients
        }

    async def admitted(self, request: Request) -> Admitted:
        """The client of a request. Raises Problem 401 for a token that is missing or fails; it does not say more of
        the token than what its sender is to mend."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return await self._checked(token.strip(), request)
        if scheme or not self._settings.cds_open or not _is_local(request, self._settings.cds_origins):
            # RFC 6750 3.1: a request without a token is told no error code.
            told = "send the client's JSON Web Token as Authorization: Bearer"
            raise Problem(401, "client", told, headers={"WWW-Authenticate": self.challenge})
        return Admitted(client=self._clients.local, caller=Caller(id="cds:local", name="local EHR", via="cds"))

    async def _checked(self, token: str, request: Request) -> Admitted:
        client = self._client(token)
        address = f"{(self._settings.service_url or '').rstrip('/')}{request.url.path}"
        # Feedback is "below the CDS Service endpoint", which `aud` is to be: clients name either.
        addresses = (address, address.removesuffix("/feedback"))
        try:
            claims = await replace(self._verifiers[client.issuer], audiences=addresses).claims(token)
        except InvalidToken as error:
            raise self._refusal(str(error)) from None
        except ChartlineError as error:
            told = "the client's keys cannot be read now; try again"
            raise Problem(503, "keys", told, headers={"Retry-After": "30"}) from error
        self._held(claims, client)
        await self._once(client, claims)
        tenant = claims.get("tenant")
        caller = Caller(id=f"cds:{client.issuer}", name=f"EHR {client.name}", via="cds")
        return Admitted(client=client, caller=caller, tenant=tenant if isinstance(tenant, str) else None)

    def _client(self, token: str) -> Client:
        """Whose keys to hold the token against, by what it says itself."""
        try:
            header, claims = said(token)
        except InvalidToken as error:
            raise self._refusal(str(error)) from None
        client = self._clients.of(claims.get("iss"))
        if client is None:
            raise self._refusal("iss is not a client that is known here")
        if "jku" in header and header["jku"] != client.jwks_url:
            raise self._refusal("jku is not the address of this client's keys")
        if not isinstance(header.get("kid"), str):
            raise self._refusal("kid is missing")
        return client

    def _held(self, claims: Mapping[str, Any], client: Client) -> None:
        """What CDS Hooks 2.0.1 wants besides what is wanted of every token: iat, a short life, jti, and the tenant."""
        made, jti = claims.get("iat"), claims.get("jti")
        if made is None or claims["exp"] - made > _LONGEST:
            raise self._refusal(f"iat is missing, or the token lives longer than {_LONGEST} seconds")
        if not isinstance(jti, str) or not 1 <= len(jti) <= 500 or "\0" in jti:
            raise self._refusal("jti is to be a string")
        if client.tenants and claims.get("tenant") not in client.tenants:
            raise self._refusal("tenant is not one that this client may call for")

    async def _once(self, client: Client, claims: Mapping[str, Any]) -> None:
        """Keep the token's id; one that is kept already was used before. Those of ended tokens are let go."""
        now, until = (datetime.fromtimestamp(at, UTC) for at in (self._clock(), float(claims["exp"]) + _SKEW))
        row = {"issuer": client.issuer, "jti": claims["jti"], "until": until}
        try:
            async with self._database.begin() as connection:
                await connection.execute(delete(SEEN).where(SEEN.c.until < now))
                await connection.execute(SEEN.insert().values(**row))
        except IntegrityError:
            raise self._refusal("jti was used before: each call needs a token of its own") from None

    def _refusal(self, why: str) -> Problem:
        return Problem(401, "client", why, headers={"WWW-Authenticate": f'{self.challenge}, error="invalid_token"'})


def _is_local(request: Request, origins: Collection[str]) -> bool:
    """Whether the caller is a program on this machine: no proxy that is here itself, and no web page but of an origin
    that is let in. A page that has a name of its own made to mean this machine is known by that name (Host)."""
    origin = request.headers.get("origin")
    named = is_loopback(request.url.hostname or "") and (origin is None or origin in origins)
    return named and is_here(request)
