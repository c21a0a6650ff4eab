"""The public keys of EHRs: from a file, or fetched from the one address that the settings name, and kept a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from agent.service.cds.clients import Client
from agent.settings import Settings
from fhir_tools.errors import SourceError

__all__ = ["Keys"]

_SHORTEST = 2048
_KEPT, _REST = 3600.0, 30.0
"""Seconds that a key set is kept, and that it is not fetched again for a key that it does not have."""
_MOST = 1_000_000
Key = RSAKey | ECKey


class Keys:
    """The keys of each client by `kid`. One that is not there has the set fetched again, at most twice a minute."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._clock = settings, clock
        self._sets: dict[str, tuple[float, dict[str, Any]]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def of(self, client: Client, kid: str) -> Key | None:
        """The public key; None where the client has none of that name that is fit to verify.

        Raises SourceError where a set cannot be fetched, UserError for a file that is none.
        """
        async with self._locks.setdefault(client.issuer, asyncio.Lock()):
            born, keys = self._sets.get(client.issuer, (float("-inf"), {}))
            age = self._clock() - born
            if age > _KEPT or (kid not in keys and age > _REST):
                keys = _by_kid(await self._rows(client))
                self._sets[client.issuer] = (self._clock(), keys)
        return _key(keys.get(kid))

    async def _rows(self, client: Client) -> list[object]:
        kept = client.keys()
        return kept if kept is not None else await self._fetched(client)

    async def _fetched(self, client: Client) -> list[object]:
        from fhir_tools.http import Http, Limits

        assert client.jwks_url  # noqa: S101  a client has a file or an address
        ca = str(self._settings.fhir_ca) if self._settings.fhir_ca else None
        limits = Limits(total=10, read=5, attempts=2, redirects=0, body=_MOST)
        async with Http(client.jwks_url, limits=limits, ca=ca) as http:
            answer = await http.send("GET", client.jwks_url, headers={"Accept": "application/json"})
        try:
            found = orjson.loads(answer.body) if answer.status == 200 else None
        except orjson.JSONDecodeError:
            found = None
        keys = found.get("keys") if isinstance(found, dict) else None
        if not isinstance(keys, list):
            raise SourceError("the client's JSON Web Key Set cannot be read at its jwks_url")
        return keys


def _by_kid(rows: list[object]) -> dict[str, Any]:
    """The rows by their `kid`; a name that stands twice names none."""
    named = [(row["kid"], row) for row in rows if isinstance(row, dict) and isinstance(row.get("kid"), str)]
    names = [kid for kid, _ in named]
    return {kid: row for kid, row in named if names.count(kid) == 1}


def _key(row: Any) -> Key | None:
    """RSA of 2048 bits or more, or EC on P-384: what RS384 and ES384 verify with (R4 SMART and CDS Hooks 2.0.1)."""
    if row is None or row.get("use", "sig") != "sig":
        return None
    public = {k: v for k, v in row.items() if k in ("kty", "n", "e", "crv", "x", "y")}
    try:
        if row.get("kty") == "RSA" and len(str(row.get("n"))) * 6 >= _SHORTEST:  # base64url; shorter ones are warned of
            rsa = RSAKey.import_key(public)
            return rsa if rsa.raw_value.key_size >= _SHORTEST else None
        if row.get("kty") == "EC" and row.get("crv") == "P-384":
            ec = ECKey.import_key(public)
            _ = ec.raw_value  # made on first use: a damaged member shows here
            return ec
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return None
