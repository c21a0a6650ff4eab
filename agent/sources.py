"""Where charts come from: FHIR servers, a store, or a file or folder of FHIR JSON loaded for as long as it is asked."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agent.errors import UserError
from agent.settings import Settings
from fhir_tools.local import LocalStore
from fhir_tools.source import Source

if TYPE_CHECKING:
    from fhir_tools.remote import Remote

__all__ = ["is_store", "is_url", "open_source", "places"]

_SQLITE = b"SQLite format 3\x00"


def places(given: Sequence[str | Path] | str | Path, settings: Settings) -> tuple[str, ...]:
    """The places that are asked: those given, else the servers of the settings, else their store."""
    told = (given,) if isinstance(given, str | Path) else tuple(given)
    return tuple(map(str, told or settings.fhir or (settings.store,)))


@asynccontextmanager
async def open_source(given: Sequence[str | Path] | str | Path, settings: Settings) -> AsyncIterator[Source]:
    """The source at the given places, or at those of the settings; several become one (`fhir_tools.servers`).

    Raises UserError where nothing is there or a file does not load. A server is not asked anything yet.
    """
    async with AsyncExitStack() as stack:
        asked = places(given, settings)
        alone = sum(map(is_url, asked)) < 2
        opened: list[Source] = [
            await stack.enter_async_context(await _opened(place, settings, alone)) for place in asked
        ]
        if len(opened) == 1:
            yield opened[0]
        else:
            from fhir_tools.servers import Servers

            yield Servers(dict(zip(_labels(asked), opened, strict=True)), systems=settings.fhir_systems)


async def _opened(place: str, settings: Settings, alone: bool) -> LocalStore | Remote:
    if is_url(place):
        return _remote(place, settings, alone=alone)
    # In a thread, since files are opened and perhaps loaded: a server's event loop goes on meanwhile.
    return await asyncio.to_thread(_stored, Path(place))


def _remote(base: str, settings: Settings, *, alone: bool) -> Remote:
    from fhir_tools.auth import open_auth
    from fhir_tools.http import Http, Limits
    from fhir_tools.profiles import profile
    from fhir_tools.remote import Remote

    auth = open_auth(base, file=settings.fhir_auth, token=settings.fhir_token, alone=alone)
    http = Http(
        base,
        auth=auth,
        origins=settings.fhir_origins,
        limits=Limits(total=settings.fhir_seconds, read=min(Limits().read, settings.fhir_seconds)),
        ca=str(settings.fhir_ca) if settings.fhir_ca else None,
    )
    named = profile(settings.fhir_profile) if settings.fhir_profile else None
    granted = (lambda: auth.granted) if auth else None
    return Remote(http, profile=named, granted=granted, page_budget=settings.fhir_pages)


def _labels(asked: Sequence[str]) -> tuple[str, ...]:
    """A short name for each server, by its host; a number behind it where two hosts begin alike."""
    named: list[str] = []
    for place in asked:
        host = urlsplit(place).hostname or "" if is_url(place) else "store"
        stem = re.sub(r"[^a-z0-9]", "", host.split(".")[0].lower())[:8]
        stem = stem if stem[:1].isalpha() else f"s{stem}"[:8]
        number = sum(name.rstrip("0123456789") == stem.rstrip("0123456789") for name in named)
        named.append(f"{stem}{number + 1}" if number else stem)
    return tuple(named)


def is_url(place: str) -> bool:
    """Whether a place is a server rather than a path."""
    return place.lower().startswith(("http://", "https://"))


def _stored(path: Path) -> LocalStore:
    path = path.expanduser()
    if not path.exists():
        raise UserError(f"there is no store at {str(path)!r}; make one with: chartline load PATH")
    if is_store(path):
        return LocalStore(path)
    store = LocalStore(":memory:")
    try:
        _fill(store, path)
    except BaseException:
        store.close()
        raise
    return store


def is_store(path: Path) -> bool:
    """Whether the file is an SQLite database."""
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False


def _fill(store: LocalStore, path: Path) -> None:
    from fhir_tools.load import load

    failed = load([path], store).errors
    if failed:
        more = f" (and {len(failed) - 1} more files)" if len(failed) > 1 else ""
        raise UserError(f"{failed[0]}{more}; nothing is answered from a chart that is not whole")
