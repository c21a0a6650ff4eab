"""Whether an EHR may call: its JSON Web Token (CDS Hooks 2.0.1, Trusting CDS Clients), or a program on this machine."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from fastapi import Request
from joserfc import jws
from joserfc.errors import JoseError
from sqlalchemy import Column, DateTime, String, Table, delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.errors import SettingsError
from agent.service.callers import Caller
from agent.service.cds.clients import Client, Clients
from agent.service.cds.keys import Keys
from agent.service.database import METADATA
from agent.service.problems import Problem
from agent.settings import Settings
from fhir_tools.errors import ChartlineError

__all__ = ["SEEN", "Admitted", "CdsGate"]

_ALGORITHMS = ("ES384", "RS384")
_SKEW, _LONGEST = 60, 3600
"""Seconds that a clock may be wrong, and that a token may live."""
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")

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
        keys: Keys | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if clients.clients and not settings.service_url:
            raise SettingsError("CHARTLINE_CDS_CLIENTS needs CHARTLINE_SERVICE_URL: the address that tokens are for")
        self._settings, self._clients, self._database, self._clock = settings, clients, database, clock
        self._keys = keys or Keys(settings)

    async def admitted(self, request: Request) -> Admitted:
        """The client of a request. Raises Problem 401 for a token that is missing or fails; it does not say more of
        the token than what its sender is to mend."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return await self._checked(token.strip(), request)
        if scheme:
            raise self._refusal("send the client's JSON Web Token as Authorization: Bearer")
        if not self._settings.cds_open or not _is_local(request, self._settings.cds_origins):
            raise self._refusal("send the client's JSON Web Token as Authorization: Bearer")
        return Admitted(client=self._clients.local, caller=Caller(id="cds:local", name="local EHR", via="cds"))

    async def caller(self, request: Request) -> Caller | None:
        """The caller (`agent.service.callers.Gate`)."""
        return (await self.admitted(request)).caller

    async def _checked(self, token: str, request: Request) -> Admitted:
        header, claims = self._unpacked(token)
        client = self._clients.of(claims.get("iss"))
        if client is None:
            raise self._refusal("iss is not a client that is known here")
        if "jku" in header and header["jku"] != client.jwks_url:
            raise self._refusal("jku is not the address of this client's keys")
        await self._verified(token, header, client)
        self._held(claims, client, request)
        await self._once(client, claims)
        tenant = claims.get("tenant")
        caller = Caller(id=f"cds:{client.issuer}", name=f"EHR {client.name}", via="cds")
        return Admitted(client=client, caller=caller, tenant=tenant if isinstance(tenant, str) else None)

    def _unpacked(self, token: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Header and claims, not yet believed: they say which key to ask for."""
        try:
            found = jws.extract_compact(token.encode())
            header, claims = found.headers(), orjson.loads(found.payload)
        except (JoseError, ValueError, TypeError, UnicodeError, AttributeError):
            raise self._refusal("the token is no signed JSON Web Token") from None
        if not isinstance(header, dict) or not isinstance(claims, dict):
            raise self._refusal("the token is no signed JSON Web Token")
        if header.get("alg") not in _ALGORITHMS:
            raise self._refusal(f"alg is to be {' or '.join(_ALGORITHMS)}")
        if header.get("typ") != "JWT":
            raise self._refusal("typ is to be JWT")
        if not isinstance(header.get("kid"), str):
            raise self._refusal("kid is missing")
        return header, claims

    async def _verified(self, token: str, header: Mapping[str, Any], client: Client) -> None:
        try:
            key = await self._keys.of(client, header["kid"])
        except ChartlineError as error:
            told = "the client's keys cannot be read now; try again"
            raise Problem(503, "keys", told, headers={"Retry-After": "30"}) from error
        if key is None:
            raise self._refusal("kid names no key of this client that can verify")
        try:
            jws.deserialize_compact(token, key, algorithms=list(_ALGORITHMS))
        except (JoseError, ValueError, TypeError):
            raise self._refusal("the signature does not hold") from None

    def _held(self, claims: Mapping[str, Any], client: Client, request: Request) -> None:
        """exp, iat, aud, jti and tenant (CDS Hooks 2.0.1; RFC 7519 4.1)."""
        now = self._clock()
        ends, made, jti = _number(claims.get("exp")), _number(claims.get("iat")), claims.get("jti")
        if ends is None or made is None:
            raise self._refusal("exp and iat are to be numbers")
        if ends <= now - _SKEW:
            raise self._refusal("the token has expired")
        if made > now + _SKEW:
            raise self._refusal("iat lies in the future; check the clocks")
        if ends - made > _LONGEST:
            raise self._refusal(f"the token lives longer than {_LONGEST} seconds")
        if not isinstance(jti, str) or not 1 <= len(jti) <= 500 or "\0" in jti:
            raise self._refusal("jti is to be a string")
        audiences = claims.get("aud")
        named = audiences if isinstance(audiences, list) else [audiences]
        address = f"{(self._settings.service_url or '').rstrip('/')}{request.url.path}"
        if address not in named:
            raise self._refusal("aud is to be the URL of the service that is called")
        if client.tenants and claims.get("tenant") not in client.tenants:
            raise self._refusal("tenant is not one that this client may call for")

    async def _once(self, client: Client, claims: Mapping[str, Any]) -> None:
        """Keep the token's id; one that is kept already was used before."""
        until = datetime.fromtimestamp(float(claims["exp"]) + _SKEW, UTC)
        row = {"issuer": client.issuer, "jti": claims["jti"], "until": until}
        try:
            async with self._database.begin() as connection:
                await connection.execute(SEEN.insert().values(**row))
        except IntegrityError:
            raise self._refusal("jti was used before: each call needs a token of its own") from None

    async def forget(self) -> None:
        """Let go of tokens that have ended."""
        async with self._database.begin() as connection:
            await connection.execute(delete(SEEN).where(SEEN.c.until < datetime.fromtimestamp(self._clock(), UTC)))

    def _refusal(self, why: str) -> Problem:
        return Problem(401, "client", why, headers={"WWW-Authenticate": f'{self.challenge}, error="invalid_token"'})


def _number(value: object) -> float | None:
    """A NumericDate (RFC 7519 2) that a calendar has; None for anything else."""
    fits = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e11
    return float(value) if fits else None  # type: ignore[arg-type]


def _is_local(request: Request, origins: Collection[str]) -> bool:
    """Whether the caller is a program on this machine: no proxy that is here itself, and no web page but of an origin
    that is let in. A page that has a name of its own made to mean this machine is known by that name (Host)."""
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    origin = request.headers.get("origin")
    if (origin is not None and origin not in origins) or not _is_loopback(request.url.hostname or ""):
        return False
    return _is_loopback(request.client.host)


def _is_loopback(host: str) -> bool:
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
