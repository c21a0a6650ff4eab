"""Images by the settings: which archives may be asked, with whose credentials, and within which limits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agent.settings import Settings
from agent.sources import credentials_for, is_url, places
from fhir_tools.source import Source

if TYPE_CHECKING:
    from fhir_tools.http import Http
    from fhir_tools.imaging import Access

__all__ = ["open_access"]


@asynccontextmanager
async def open_access(
    source: Source, settings: Settings, given: Sequence[str | Path] | str | Path = ()
) -> AsyncIterator[Access]:
    """Access to the images of a chart, whose `source` is scoped to the patient; `given` as for `open_source`.

    An archive at the origin of a FHIR server gets that server's credentials. One at an origin of CHARTLINE_FHIR_ORIGINS
    gets those that the credentials file has for an address there, else none; any other origin is not asked.
    """
    from fhir_tools.imaging import Archives, Limits
    from fhir_tools.imaging import open_access as opened

    limits = Limits(pixels=settings.image_pixels, seconds=settings.image_seconds)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(client) for client in _clients(given, settings)]
        yield await stack.enter_async_context(
            opened(source, archives=Archives(clients), limits=limits, burned=settings.image_burned)
        )


def _clients(given: Sequence[str | Path] | str | Path, settings: Settings) -> list[Http]:
    from fhir_tools.auth import open_auth, servers
    from fhir_tools.http import Http

    origins = settings.fhir_origins
    ca = str(settings.fhir_ca) if settings.fhir_ca else None
    asked = [place for place in places(given, settings) if is_url(place)]
    alone = len(asked) < 2
    clients = [Http(base, auth=credentials_for(base, settings, alone=alone), origins=origins, ca=ca) for base in asked]
    others = Http(origins[0], origins=origins, ca=ca) if origins else None
    known = servers(settings.fhir_auth) if settings.fhir_auth else ()
    clients += [
        Http(base, auth=open_auth(base, file=settings.fhir_auth, alone=False), ca=ca)
        for base in known
        if others and base not in asked and others.allows(base)
    ]
    return [*clients, *([others] if others else [])]
