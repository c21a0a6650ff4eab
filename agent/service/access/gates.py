"""The ways in, as gates: a header with a key or a token, a session's cookie, and this machine itself."""

from __future__ import annotations

import re

from fastapi import Request

from agent.service.access.addresses import is_here
from agent.service.access.challenges import challenge, invalid_request, invalid_token
from agent.service.access.cookies import token_of
from agent.service.access.grants import Grants
from agent.service.access.keys import ApiKey, KeyFile, is_key
from agent.service.access.sessions import Session, Sessions
from agent.service.access.tokens import Tokens
from agent.service.callers import Caller
from agent.settings import Settings
from fhir_tools.auth import Scopes

__all__ = ["HeaderGate", "LocalGate", "SessionGate", "bearer_of", "caller_of_key"]

_BEARER = re.compile(r"bearer +([A-Za-z0-9\-._~+/]+=*) *", re.IGNORECASE | re.ASCII)


def bearer_of(header: str) -> str | None:
    """The token of an Authorization header (RFC 6750 2.1); None for any other."""
    found = _BEARER.fullmatch(header)
    return found[1] if found else None


def caller_of_key(key: ApiKey) -> Caller:
    """Who asks with a key."""
    return Caller(id=f"key:{key.id}", name=key.name, via="key", patient=key.patient)


class HeaderGate:
    """An Authorization header: an API key of ours, or a token of the issuer's. One that is not taken ends the
    request: it never asks by another way instead."""

    def __init__(self, settings: Settings, keys: KeyFile, tokens: Tokens | None) -> None:
        self._settings, self._keys, self._tokens = settings, keys, tokens

    def challenge(self, request: Request) -> str:
        """Bearer, for both."""
        return challenge(request, self._settings)

    async def caller(self, request: Request) -> Caller | None:
        """Who the header is of. Raises Problem for one that is not taken."""
        told = request.headers.getlist("authorization")
        if not told or (self._tokens is None and not self._keys.all()):
            return None
        token = bearer_of(told[0]) if len(told) == 1 else None
        if token is None:
            raise invalid_request(request, self._settings, "send one header: Authorization: Bearer, then key or token")
        if is_key(token) or self._tokens is None:
            key = self._keys.find(token)
            if key is None:
                raise invalid_token(request, self._settings, "there is no such API key")
            return caller_of_key(key)
        return await self._tokens.caller(request, token)


class SessionGate:
    """The cookie of a session. One that has ended is as none: the request may have another way in."""

    def __init__(self, sessions: Sessions, keys: KeyFile, grants: Grants) -> None:
        self._sessions, self._keys, self._grants = sessions, keys, grants

    def challenge(self, request: Request) -> str:
        """None: cookies have no scheme of HTTP authentication."""
        return ""

    async def caller(self, request: Request) -> Caller | None:
        """Who has signed in."""
        token = token_of(request.headers)
        session = await self._sessions.find(token) if token else None
        if session is None:
            return None
        caller = self._keyed(session) if session.via == "key" else self._launched(session)
        request.state.session = session if caller else None
        return caller

    def _keyed(self, session: Session) -> Caller | None:
        key = self._keys.by_id(session.credential)
        return caller_of_key(key) if key else None

    def _launched(self, session: Session) -> Caller | None:
        access = self._grants.access(session)
        if access is None:
            return None
        scopes = Scopes.granted(session.grant["scope"])
        return Caller(
            id=session.caller,
            name=session.name,
            via="launch",
            patient=session.patient,
            scopes=scopes,
            access=access,
            claims=frozenset(scopes.others) if scopes else frozenset(),
        )


class LocalGate:
    """Whoever is at this machine. A request that a proxy passed on is of somebody elsewhere, and is not let in."""

    def __init__(self, name: str) -> None:
        self._caller = Caller(id="local", name=name, via="local")

    def challenge(self, request: Request) -> str:
        """None: there is nothing to send."""
        return ""

    async def caller(self, request: Request) -> Caller | None:
        """The one caller, for requests of this machine."""
        return self._caller if is_here(request) else None
