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
from fhir_tools.scope import addresses
from fhir_tools.source import Source

if TYPE_CHECKING:
    from fhir_tools.auth import FhirAuth
    from fhir_tools.http import Http
    from fhir_tools.remote import Remote
    from fhir_tools.writing.writer import Writer

__all__ = [
    "check_place",
    "credentials_for",
    "is_store",
    "is_url",
    "open_granted",
    "open_source",
    "open_writer",
    "places",
    "same_place",
]

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
        _refuse_twice(asked)
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


@asynccontextmanager
async def open_granted(base: str, auth: FhirAuth, settings: Settings) -> AsyncIterator[Source]:
    """A FHIR server with somebody's own credentials, instead of those of the settings."""
    async with _server(base, auth, settings) as source:
        yield source


def _remote(base: str, settings: Settings, *, alone: bool) -> Remote:
    return _server(base, credentials_for(base, settings, alone=alone), settings)


@asynccontextmanager
async def open_writer(base: str, auth: FhirAuth | None, settings: Settings) -> AsyncIterator[Writer]:
    """What writes to a FHIR server. It is no source: nothing that reads charts can reach it."""
    from fhir_tools.writing.writer import Writer, over_http

    async with _http(base, auth, settings) as http:
        yield Writer(over_http(http))


def _http(base: str, auth: FhirAuth | None, settings: Settings) -> Http:
    from fhir_tools.http import Http, Limits

    return Http(
        base,
        auth=auth,
        origins=settings.fhir_origins,
        limits=Limits(total=settings.fhir_seconds, read=min(Limits().read, settings.fhir_seconds)),
        ca=str(settings.fhir_ca) if settings.fhir_ca else None,
    )


def _server(base: str, auth: FhirAuth | None, settings: Settings) -> Remote:
    from fhir_tools.profiles import profile
    from fhir_tools.remote import Remote

    http = _http(base, auth, settings)
    named = profile(settings.fhir_profile) if settings.fhir_profile else None
    granted = (lambda: auth.granted) if auth else None
    launched = (lambda: auth.patient) if auth else (lambda: None)  # asked anew: a token may tell it late
    return Remote(http, profile=named, granted=granted, launched=launched, page_budget=settings.fhir_pages)


def credentials_for(base: str, settings: Settings, *, alone: bool = True) -> FhirAuth | None:
    """Authentication at a server by the settings. `alone`: no other server is asked along with it.

    What does not say itself which server it is for is for those of the settings, and goes to no other that is named
    beside them (by `--fhir`, or for the record). Raises UserError where that leaves it open.
    """
    from fhir_tools.auth import open_auth

    known = not settings.fhir or any(same_place(base, own) for own in settings.fhir)
    if settings.fhir_token and not known:
        raise UserError(
            f"CHARTLINE_FHIR_TOKEN is for the server of CHARTLINE_FHIR, and is not sent to {_host(base)}: unset it, "
            "set CHARTLINE_FHIR to that server, or use CHARTLINE_FHIR_AUTH, whose file says which server it is for"
        )
    return open_auth(base, file=settings.fhir_auth, token=settings.fhir_token, alone=alone and known)


def same_place(one: str, other: str) -> bool:
    """Whether two places are one and the same, however they are written: `https://HOST:443/fhir/` and `…/fhir`."""
    if is_url(one) and is_url(other):
        return addresses.relative(one.rstrip("/") + "/", (other,)) == ""
    return is_url(one) == is_url(other) and Path(one).expanduser().resolve() == Path(other).expanduser().resolve()


def _refuse_twice(asked: Sequence[str]) -> None:
    """The same chart from two places would be counted twice."""
    for at, place in enumerate(asked):
        check_place(place)
        if any(same_place(place, other) for other in asked[:at]):
            raise UserError(f"{_host(place) if is_url(place) else repr(place)} is named twice: name each place once")


def _host(place: str) -> str:
    """A server by its host alone, for errors: an address may hold what nobody should read."""
    return repr(urlsplit(place).hostname or "?")


def check_place(place: str) -> None:
    """Raises UserError for what looks like an address and is none, before it is repeated or taken for a path."""
    try:
        parts = urlsplit(place) if is_url(place) else None
        bad = parts is not None and (parts.port == 0 or not parts.hostname or "@" in parts.netloc)
    except ValueError:
        bad = True
    if bad or ("://" in place and not is_url(place)):
        raise UserError(
            "what is asked is a path, or a FHIR server as https://host/path or https://host:port/path; credentials are "
            "given by the settings"
        )


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
