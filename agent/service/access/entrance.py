"""The entrance: the ways in that the settings open, with what they need, for as long as the service runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.datastructures import Headers

from agent import auditing
from agent.errors import OperatorError, SettingsError
from agent.service.access.attempts import Attempts
from agent.service.access.cookies import token_of
from agent.service.access.gates import HeaderGate, LocalGate, SessionGate
from agent.service.access.grants import Grants, key_of
from agent.service.access.keys import KeyFile
from agent.service.access.sealing import Seal
from agent.service.access.sessions import Session, Sessions
from agent.service.access.tokens import Tokens
from agent.service.access.ways import Ways, ways
from agent.service.callers import Gate, Gates
from agent.settings import Settings
from agent.sources import is_url, places
from fhir_tools.auth.launching import Launcher
from fhir_tools.auth.registrations import Registration, registrations
from fhir_tools.http import Http, Limits

__all__ = ["Entrance", "open_entrance"]

_log = logging.getLogger(__name__)
_SWEEP = 60.0
_LIMITS = Limits(read=10.0, total=15.0, attempts=2, body=1_000_000)
"""Of requests for sign-in: somebody waits for each of them before a screen."""

Forget = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """What signing in and out needs. `servers` are those that may launch, by their `iss`."""

    ways: Ways
    gates: Gates
    keys: KeyFile
    sessions: Sessions
    grants: Grants
    attempts: Attempts
    servers: Mapping[str, Registration] = field(default_factory=dict)
    launchers: Mapping[str, Launcher] = field(default_factory=dict)
    forget: Forget

    async def end(self, session: Session) -> None:
        """End a session: nothing of it opens a chart any more, and its server takes its token back where it can."""
        await self.sessions.end(session.id)
        await self.forget(key_of(session.id))
        if session.via != "launch":
            return
        try:
            await self.grants.end(session)
        except OperatorError as error:
            _log.warning("a token was not taken back at sign-out: %s", error)

    async def leave(self, headers: Headers) -> None:
        """End the session of a browser, where it has one: to sign in begins with signing out."""
        token = token_of(headers)
        former = await self.sessions.find(token) if token else None
        if former:
            await self.end(former)

    async def sweep(self) -> None:
        """Take away what has ended by itself."""
        await self.attempts.sweep()
        for id_ in await self.sessions.sweep():
            await self.forget(key_of(id_))


@asynccontextmanager
async def open_entrance(
    settings: Settings, database: AsyncEngine, forget: Forget, fhir: tuple[str, ...] = ()
) -> AsyncIterator[Entrance]:
    """The entrance by the settings. `forget` closes the charts that a grant opened.

    Raises UserError (SettingsError) for settings and files that cannot be used.
    """
    entrance = _made(settings, database, forget, fhir)
    sweeping = asyncio.create_task(_swept(entrance))
    try:
        yield entrance
    finally:
        sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await sweeping


def _made(settings: Settings, database: AsyncEngine, forget: Forget, fhir: tuple[str, ...]) -> Entrance:
    def connect(base: str) -> Http:
        return Http(base, limits=_LIMITS, ca=str(settings.fhir_ca) if settings.fhir_ca else None)

    known = registrations(settings.smart_servers) if settings.smart_servers else ()
    launchers = {one.iss: Launcher(one.iss, one.client(), connect, cleartext=one.cleartext) for one in known}
    keys, seal, open_ = KeyFile(settings.service_keys), Seal(settings.service_secret), ways(settings)
    sessions = Sessions(database, seal, idle=settings.service_idle, longest=settings.service_session)
    grants = Grants(sessions, launchers)
    tokens = Tokens(settings, _forwarded(settings, fhir), connect) if open_.tokens else None
    gates: list[Gate] = [HeaderGate(settings, keys, tokens), SessionGate(sessions, keys, grants)]
    if open_.local:
        gates.append(LocalGate(auditing.user(settings)))
    smart = [{"iss": one.iss, "name": one.title} for one in known if one.standalone]
    return Entrance(
        ways=open_,
        gates=Gates(gates, {"key": open_.keys, "smart": smart}),
        keys=keys,
        sessions=sessions,
        grants=grants,
        attempts=Attempts(database, seal),
        servers={one.iss: one for one in known},
        launchers=launchers,
        forget=forget,
    )


def _forwarded(settings: Settings, fhir: tuple[str, ...]) -> str | None:
    """The FHIR server that is asked with callers' own tokens; None where none is. It must be the only one."""
    if not settings.oauth_forward:
        return None
    asked = places(fhir, settings)
    if len(asked) != 1 or not is_url(asked[0]):
        raise SettingsError("CHARTLINE_OAUTH_FORWARD needs one FHIR server, which takes these tokens: CHARTLINE_FHIR")
    return asked[0]


async def _swept(entrance: Entrance) -> None:
    while True:
        await asyncio.sleep(_SWEEP)
        try:
            await entrance.sweep()
        except (SQLAlchemyError, OSError) as error:
            _log.warning("ended sessions were not taken away (%s)", type(error).__name__)
