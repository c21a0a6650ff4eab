"""SMART on FHIR: tokens that are fetched when they are needed, shared by all requests, and renewed in time.

SMART App Launch 2.2: Backend Services (`client_credentials`) and the tokens of an app launch (`refresh_token`).

Token requests are yielded on the client that sends the FHIR request, so its own check of origins does not see them.
They are made safe here: a token endpoint is one that the credentials name, or the FHIR server's own discovery
document, read over TLS or on this machine; it is https or on this machine itself; and a response that came by a
redirect is not taken. A client must not follow redirects by itself (`Http` does not).
"""

from __future__ import annotations

import asyncio
import random
import time
from base64 import b64encode
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from dataclasses import replace
from urllib.parse import quote

import httpx

from fhir_tools.auth.base import FhirAuth, is_safe, origin_of
from fhir_tools.auth.discovery import SmartConfiguration, discover, timeouts
from fhir_tools.auth.keys import SigningKey
from fhir_tools.auth.scopes import Context
from fhir_tools.auth.secret import Secret
from fhir_tools.auth.tokens import Token, read_token
from fhir_tools.errors import SourceError, UserError

__all__ = ["Backend", "Client", "Launched", "SmartAuth"]

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_BUSY = frozenset((429, 500, 502, 503, 504))
_PAUSES = (0.25, 1.0)
_LONGEST_PAUSE = 10.0
_REST = 2.0
"""Seconds after a refusal in which no other token is asked for."""

Steps = Generator[httpx.Request | float, httpx.Response, Token | None]
"""Requests whose responses are sent in, read, and pauses in seconds; ends with the token, or None to go on as it is."""


class Client:
    """Who asks for tokens: a client id with a key (`private_key_jwt`), a secret (`client_secret_basic`) or neither."""

    __slots__ = ("id", "key", "secret")

    def __init__(self, client_id: str, *, key: SigningKey | None = None, secret: Secret | None = None) -> None:
        if key and secret:
            raise UserError("a client has a key or a secret, not both")
        self.id, self.key, self.secret = client_id, key, secret

    @property
    def method(self) -> str:
        """Its way to authenticate, as discovery documents name it."""
        return "private_key_jwt" if self.key else "client_secret_basic" if self.secret else "none"

    def request(self, endpoint: str, form: dict[str, str], like: httpx.Request) -> httpx.Request:
        """A token request. Each has an assertion of its own: a `jti` is good once."""
        headers = {"Accept": "application/json"}
        if self.secret:
            # RFC 6749 2.3.1: both are form-encoded before they are joined.
            headers["Authorization"] = (
                "Basic "
                + b64encode(f"{quote(self.id, safe='')}:{quote(self.secret.reveal(), safe='')}".encode()).decode()
            )
        proof = (
            {"client_assertion_type": _ASSERTION, "client_assertion": self.key.assertion(self.id, endpoint)}
            if self.key
            else {}
            if self.secret
            else {"client_id": self.id}
        )
        return httpx.Request("POST", endpoint, data=form | proof, headers=headers, extensions=timeouts(like))

    def __repr__(self) -> str:
        return f"Client({self.id!r}, {self.method})"


class SmartAuth(FhirAuth):
    """A token of its own, renewed shortly before it ends and once after a 401. One request at a time fetches it.

    `asking` is the origin that is being asked for a token, and stays so when the network fails: httpx tells the flow
    nothing of that, and an error that names the FHIR server alone would lead astray.

    Raises, in a request: SourceError that says why there is no token and what helps.
    """

    grant = ""
    context: Context = "patient"

    def __init__(self, base: str, client: Client, *, token_url: str | None = None, cleartext: bool = False) -> None:
        super().__init__(base, cleartext=cleartext)
        if token_url:
            self._check(token_url, "the token endpoint")
        self.client = client
        self.configuration = SmartConfiguration(token_endpoint=token_url) if token_url else None
        self._token: Token | None = None
        self.asking: str | None = None
        self._failed: tuple[float, SourceError] | None = None
        self._lock = asyncio.Lock()

    async def flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        refused: Token | None = None
        for last in (False, True):
            if self._needs(refused):
                arrived = time.monotonic()
                async with self._lock:
                    await self.catch_up()
                    steps = self._renewal(request, refused, arrived)
                    step = await self._advance(steps)
                    while step is not None:
                        if isinstance(step, float):
                            step = await self._advance(steps, step)
                            continue
                        self.asking = f"{step.url.scheme}://{step.url.netloc.decode()}"
                        response = yield step  # a fault of the network ends the flow here
                        self.asking = None
                        step = await self._advance(steps, step, response)
            refused = self._authorize(request)
            response = yield request
            if response.status_code != httpx.codes.UNAUTHORIZED or last:
                return
            await response.aread()  # gives its connection back before this request waits for others

    def form(self, token: Token | None) -> dict[str, str]:
        """The fields of a token request, without those of the client. Raises SourceError where none can be made."""
        raise NotImplementedError

    async def catch_up(self) -> None:
        """Take a token into use that was renewed elsewhere; called before one is asked for."""

    async def keep(self, token: Token) -> None:
        """Take a fetched token into use."""
        self._token, self.granted = token, token.granted(self.context)

    def _needs(self, refused: Token | None) -> bool:
        return self._token is None or self._token is refused or self._token.stale()

    def _authorize(self, request: httpx.Request) -> Token:
        token = self._token
        assert token is not None  # noqa: S101 - `_needs` has seen to it
        request.headers["Authorization"] = f"Bearer {token.access.reveal()}"
        return token

    async def _advance(
        self, steps: Steps, step: httpx.Request | float = 0.0, response: httpx.Response | None = None
    ) -> httpx.Request | float | None:
        """The next step, or None when the token is there and kept."""
        try:
            if response is None or isinstance(step, float):
                await asyncio.sleep(step if isinstance(step, float) else 0.0)
                return next(steps)
            await response.aread()
            if response.url != step.url:
                raise SourceError("a request for a token was redirected, and the answer not taken; correct token_url")
            return steps.send(response)
        except StopIteration as ended:
            if ended.value is not None:
                await self.keep(ended.value)
            return None
        except SourceError as error:
            self._failed = (time.monotonic(), error)
            raise

    def _renewal(self, like: httpx.Request, refused: Token | None, arrived: float) -> Steps:
        """The steps to a token that can be used now; none where another request has fetched one meanwhile.

        What failed for another one meanwhile, or a moment ago, has failed for this one too: a server locks out who
        asks too often.
        """
        if not self._needs(refused):
            return None
        if self._failed and self._failed[0] >= arrived - _REST:
            raise SourceError(str(self._failed[1]))
        self.form(self._token)  # raises where none can be asked for, before anything is sent
        if self.configuration is None:
            self.configuration = self._accepted((yield from discover(self.base, like)))
        pauses = iter(_PAUSES)
        while True:
            asked_at = time.monotonic()
            response = yield self._request(like)
            pause = next(pauses, None) if response.status_code in _BUSY else None
            if pause is None:
                return read_token(response, asked_at)
            yield _pause(response, pause)

    def _request(self, like: httpx.Request) -> httpx.Request:
        endpoint = self.configuration.token_endpoint if self.configuration else ""
        # The form is no local variable of a frame that may raise: it can hold a refresh token.
        return self.client.request(endpoint, self.form(self._token), like)

    def _accepted(self, configuration: SmartConfiguration) -> SmartConfiguration:
        """A discovered configuration that may be used. Raises SourceError for one that may not."""
        if not (self._cleartext or is_safe(configuration.token_endpoint)):
            raise SourceError(
                "the FHIR server names a token endpoint that is not https; have it corrected, or set token_url"
            )
        if not is_safe(self.base) and origin_of(configuration.token_endpoint) != origin_of(self.base):
            raise SourceError("a token endpoint elsewhere was named without TLS, which anyone can do; set token_url")
        algorithm = self.client.key.algorithm if self.client.key else None
        refusal = configuration.refuses(method=self.client.method, algorithm=algorithm, grant=self.grant)
        if refusal:
            raise SourceError(
                f"{refusal}; use another kind of credentials or key, or set token_url to try all the same"
            )
        return configuration

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base!r}, {self.client!r})"


class Backend(SmartAuth):
    """SMART Backend Services: `client_credentials` with a signed assertion. `scopes` as text, `system/…`."""

    kind, grant, context = "backend", "client_credentials", "system"

    def __init__(
        self,
        base: str,
        client_id: str,
        key: SigningKey,
        *,
        scopes: str | Sequence[str] = "system/*.rs",
        token_url: str | None = None,
        cleartext: bool = False,
    ) -> None:
        super().__init__(base, Client(client_id, key=key), token_url=token_url, cleartext=cleartext)
        self.scopes = scopes if isinstance(scopes, str) else " ".join(scopes)

    def form(self, token: Token | None) -> dict[str, str]:
        return {"grant_type": self.grant, "scope": self.scopes}


class Launched(SmartAuth):
    """The tokens of a SMART App Launch. Without a refresh token they end with the access token.

    A server may give a new refresh token each time, and the old one then is void: `on_refresh` gets every new token,
    to keep it for the next session. Where other processes renew it as well, `newest` gets the token that is to be
    renewed, before it is, and tells the one that is kept by then.
    """

    kind, grant, context = "launch", "refresh_token", "patient"

    def __init__(
        self,
        base: str,
        client: Client,
        token: Token,
        *,
        token_url: str | None = None,
        on_refresh: Callable[[Token], Awaitable[None] | None] | None = None,
        newest: Callable[[Token], Awaitable[Token | None]] | None = None,
        cleartext: bool = False,
    ) -> None:
        super().__init__(base, client, token_url=token_url, cleartext=cleartext)
        self._token, self.granted, self._on_refresh = token, token.granted(self.context), on_refresh
        self._newest = newest

    @property
    def patient(self) -> str | None:
        """The id of the patient that the app was launched for, where the launch said."""
        return self._token.patient if self._token else None

    def _needs(self, refused: Token | None) -> bool:
        if self._token and not self._token.refresh:  # nothing to renew it with: it is good to its last second
            return self._token is refused or self._token.ended()
        return super()._needs(refused)

    def form(self, token: Token | None) -> dict[str, str]:
        if token is None or token.refresh is None:
            raise SourceError(
                "the launch has ended: its token has, and there is no refresh token; launch the app again"
            )
        return {"grant_type": self.grant, "refresh_token": token.refresh.reveal()}

    async def catch_up(self) -> None:
        """The token that is kept by now, where `newest` tells one."""
        kept = await self._newest(self._token) if self._newest and self._token else None
        if kept:
            self.adopt(kept)

    def adopt(self, token: Token) -> None:
        """Take a token into use that another process has renewed and kept."""
        if self._token is None or token.access != self._token.access:
            self._token, self.granted = token, token.granted(self.context)

    async def keep(self, token: Token) -> None:
        """Also what the response left out, which stays as it was (RFC 6749 6), and tell `on_refresh`."""
        before = self._token
        if before:
            token = replace(
                token,
                refresh=token.refresh or before.refresh,
                scope=token.scope or before.scope,
                patient=token.patient or before.patient,
            )
        await super().keep(token)
        told = self._on_refresh(token) if self._on_refresh else None
        if told is not None:
            await told


def _pause(response: httpx.Response, usual: float) -> float:
    """Seconds to wait: `Retry-After` in seconds where it is short enough, else the usual with jitter."""
    after = response.headers.get("retry-after", "")
    if after.isascii() and after.isdigit():
        return min(float(after), _LONGEST_PAUSE)
    return usual * random.uniform(0.5, 1.5)  # noqa: S311 - jitter is no secret
