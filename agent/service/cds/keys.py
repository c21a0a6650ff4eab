"""The public keys of an EHR: from a file, or fetched from the one address that the settings name."""

from __future__ import annotations

import asyncio
from functools import partial

from agent.errors import UserError
from agent.service.cds.clients import Client
from agent.settings import Settings
from fhir_tools.auth.jwks import Jwks, public_keys
from fhir_tools.errors import SourceError

__all__ = ["keys_of"]

_MOST = 1_000_000


def keys_of(client: Client, settings: Settings) -> Jwks:
    """The keys of a client, kept a while. Finding one raises SourceError where the set cannot be read."""
    return Jwks(partial(_fetched, client.jwks_url, settings) if client.jwks_url else partial(_read, client))


async def _fetched(url: str, settings: Settings) -> bytes:
    from fhir_tools.http import Http, Limits

    ca = str(settings.fhir_ca) if settings.fhir_ca else None
    limits = Limits(total=10, read=5, attempts=2, redirects=0, body=_MOST)
    async with Http(url, limits=limits, ca=ca) as http:
        answer = await http.send("GET", url, headers={"Accept": "application/json"})
    if answer.status != 200:
        raise SourceError("the client's JSON Web Key Set cannot be read at its jwks_url")
    return answer.body


async def _read(client: Client) -> bytes:
    assert client.jwks  # noqa: S101  a client has a file or an address
    path = client.jwks.expanduser()
    try:
        content = await asyncio.to_thread(path.read_bytes)
        public_keys(content)
    except (OSError, SourceError) as error:
        raise UserError(f"{str(path)!r} is no file of a JSON Web Key Set") from error
    return content
