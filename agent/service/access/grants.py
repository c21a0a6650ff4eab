"""The tokens of launches in use: one `Launched` for each session, renewed by one process at a time."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from agent.service.access.sessions import Session, Sessions
from agent.service.callers import Access
from fhir_tools.auth import Launched
from fhir_tools.auth.launching import Launcher
from fhir_tools.auth.secret import Secret
from fhir_tools.auth.tokens import Token
from fhir_tools.errors import SourceError

__all__ = ["Grants", "kept", "key_of", "read_grant"]

_LEASE = 20.0
"""Seconds in which one process alone renews a token; twice the longest that it usually takes."""
_SIZE = 4096
"""How many sessions' tokens are held; one more is opened from the database when it is used."""


class Grants:
    """How the charts of a launched session are read. The tokens that sessions keep are the truth."""

    def __init__(self, sessions: Sessions, launchers: Mapping[str, Launcher]) -> None:
        self._sessions, self._launchers = sessions, launchers
        self._live: OrderedDict[str, Launched] = OrderedDict()
        self._leased: dict[str, float] = {}

    def access(self, session: Session) -> Access | None:
        """The access of a session; None where its server is no longer one that chartline is registered at."""
        launcher = self._launchers.get(session.credential)
        if launcher is None:
            return None
        auth = self._live.get(session.id) or self._launched(session, launcher)
        auth.adopt(read_grant(session.grant))
        self._live[session.id] = auth
        self._live.move_to_end(session.id)
        if len(self._live) > _SIZE:
            self._live.popitem(last=False)
        return Access(base=launcher.base, auth=auth, key=key_of(session.id))

    async def end(self, session: Session) -> None:
        """Take the tokens of a session back at its server. Raises OperatorError where that fails."""
        self._live.pop(session.id, None)
        launcher = self._launchers.get(session.credential)
        if launcher:
            token = read_grant(session.grant)
            await launcher.revoke(token.refresh or token.access)

    def _launched(self, session: Session, launcher: Launcher) -> Launched:
        async def renewed(token: Token) -> None:
            self._leased.pop(session.id, None)
            await self._sessions.renewed(session.id, kept(token, session.grant["context"]))

        async def newest(token: Token) -> Token | None:
            return await self._newest(session.id, token)

        token, cleartext = read_grant(session.grant), launcher.cleartext
        return Launched(launcher.base, launcher.client, token, on_refresh=renewed, newest=newest, cleartext=cleartext)

    async def _newest(self, id_: str, at_hand: Token) -> Token | None:
        """The token that is kept, once another process has renewed the one at hand; that one where none is at it:
        then no other will be for a while, and this one may."""
        while True:
            session = await self._sessions.load(id_)
            if session is None:
                raise SourceError("the session has ended; sign in again")
            token = read_grant(session.grant)
            if token.access != at_hand.access or self._leased.get(id_, 0.0) > time.monotonic():
                return token
            if await self._sessions.lease(id_, session.version, _LEASE):
                self._leased[id_] = time.monotonic() + _LEASE / 2
                return token
            await asyncio.sleep(0.1)


def key_of(session: str) -> str:
    """What a session's grant is known by among open charts."""
    return f"launch:{session}"


def kept(token: Token, context: Mapping[str, Any]) -> dict[str, Any]:
    """A grant as a session keeps it. `ends` is in seconds of the epoch: clocks of processes differ."""
    return {
        "access": token.access.reveal(),
        "refresh": token.refresh.reveal() if token.refresh else None,
        "ends": None if token.ends_at is None else time.time() + token.ends_at - time.monotonic(),
        "renew": None if token.renew_at is None else time.time() + token.renew_at - time.monotonic(),
        "scope": token.scope,
        "patient": token.patient,
        "context": dict(context),
    }


def read_grant(grant: Mapping[str, Any]) -> Token:
    """The token of a kept grant."""
    apart = time.monotonic() - time.time()
    return Token(
        access=Secret(grant["access"], "the access token"),
        refresh=Secret(grant["refresh"], "the refresh token") if grant["refresh"] else None,
        ends_at=None if grant["ends"] is None else grant["ends"] + apart,
        renew_at=None if grant["renew"] is None else grant["renew"] + apart,
        scope=grant["scope"],
        patient=grant["patient"],
    )
