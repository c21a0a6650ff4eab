"""The SMART App Launch itself: from a browser that is sent to the server's sign-in to tokens and their context.

SMART App Launch 2.2 (EHR launch, standalone launch), RFC 7636 (PKCE), RFC 9207 (the issuer of an answer), OpenID
Connect Core 3.1.3.7 (the identity token), RFC 7009 (taking tokens back).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import httpx

from fhir_tools.auth.base import is_safe, origin_of
from fhir_tools.auth.discovery import WELL_KNOWN, SmartConfiguration, body_of, from_statement, from_well_known
from fhir_tools.auth.jwks import Jwks
from fhir_tools.auth.secret import Secret
from fhir_tools.auth.smart import Client
from fhir_tools.auth.tokens import Token, read_token
from fhir_tools.auth.verifying import InvalidToken, Verifier, said
from fhir_tools.errors import ChartlineError, SourceError
from fhir_tools.http import Http, Response

__all__ = ["Attempt", "Granted", "LaunchFailed", "Launcher"]

_DOCUMENT = 1_000_000
"""Bytes of the longest identity token, JWKS or token response that is read."""


class LaunchFailed(ChartlineError):
    """A launch that does not end with a session. The message says why and who can act."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A launch under way: what its answer is checked with. All of it is secret but `redirect`."""

    state: str = field(repr=False, default_factory=lambda: secrets.token_urlsafe(32))
    nonce: str = field(repr=False, default_factory=lambda: secrets.token_urlsafe(32))
    verifier: str = field(repr=False, default_factory=lambda: secrets.token_urlsafe(64))
    redirect: str

    @property
    def challenge(self) -> str:
        """RFC 7636 4.2, S256."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """What a launch gave. `context` are the members of the token response beside the token, by their names (SMART 2.2,
    "Launch context arrives with your access_token"); `identity` the checked claims of the identity token."""

    token: Token
    context: Mapping[str, Any] = field(repr=False)
    identity: Mapping[str, Any] | None = field(repr=False, default=None)


class Launcher:
    """Launches at one FHIR server. `connect` opens a client for a base URL; nothing else is contacted.

    `configuration` is read from the server when it is first needed and kept for `seconds`.
    """

    def __init__(
        self,
        base: str,
        client: Client,
        connect: Callable[[str], Http],
        *,
        cleartext: bool = False,
        seconds: float = 600.0,
    ) -> None:
        self.base, self.client, self._connect = base.rstrip("/"), client, connect
        self.cleartext, self._seconds = cleartext, seconds
        self._known: SmartConfiguration | None = None
        self._read = 0.0
        self._keys = Jwks(self._jwks)

    async def configuration(self) -> SmartConfiguration:
        """What the server says of its authorization. Raises SourceError where it says too little, or is not safe."""
        if self._known is None or time.monotonic() - self._read > self._seconds:
            self._known, self._read = self._accepted(await self._discovered()), time.monotonic()
        return self._known

    async def address(self, attempt: Attempt, scopes: str, launch: str | None = None, iss: str | None = None) -> str:
        """Where the browser goes to sign in. `launch` is the EHR's own word for the launch; None is standalone.

        `iss` is the server as the EHR wrote it, with which `aud` is then the same to the letter (SMART 2.2, aud).
        """
        endpoint = (await self.configuration()).authorization_endpoint or ""
        asked = {
            "response_type": "code",
            "client_id": self.client.id,
            "redirect_uri": attempt.redirect,
            "scope": scopes,
            "state": attempt.state,
            "aud": iss or self.base,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        } | ({"launch": launch} if launch else {})
        parts = urlsplit(endpoint)
        return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, urlencode(asked)))), fragment=""))

    async def finish(self, attempt: Attempt, code: str, issuer: str | None = None) -> Granted:
        """The tokens for a code. `issuer` is the one that the answer named.

        Raises LaunchFailed as `require` does and for an identity token that is not right; SourceError.
        """
        await self.require(issuer)
        configuration = await self.configuration()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": attempt.redirect,
            "code_verifier": attempt.verifier,
        }
        asked_at = time.monotonic()
        response = _as_httpx(await self._post(configuration.token_endpoint, form))
        token = read_token(response, asked_at)
        context = dict(body_of(response) or {})
        identity = await self._identity(context.get("id_token"), attempt, token.access)
        hidden = ("access_token", "refresh_token", "id_token")
        return Granted(token=token, context={k: v for k, v in context.items() if k not in hidden}, identity=identity)

    async def require(self, issuer: str | None) -> None:
        """Raises LaunchFailed where an answer, an error too, is of another server than the one that was asked.

        RFC 9207 2.4. A server that does not say who it is (`issuer` goes with identity tokens alone in SMART 2.2)
        cannot be held to it.
        """
        own = await self.configuration()
        missing = issuer is None and own.tells_issuer
        if missing or (issuer is not None and own.issuer is not None and issuer != own.issuer):
            raise LaunchFailed("the answer to the launch is of another server than the one it was sent to")

    async def revoke(self, token: Secret) -> bool:
        """Take a token back (RFC 7009); False where the server has no way to. Raises SourceError where it fails."""
        endpoint = (await self.configuration()).revocation_endpoint
        if endpoint is None:
            return False
        response = await self._post(endpoint, {"token": token.reveal()})
        if response.status >= httpx.codes.BAD_REQUEST:
            raise SourceError(f"the server did not take the token back ({response.status})")
        return True

    async def _discovered(self) -> SmartConfiguration:
        async with self._connect(self.base) as http:
            for path, accept, read in (
                (WELL_KNOWN, "application/json", from_well_known),
                ("metadata", "application/fhir+json", from_statement),
            ):
                response = await http.send("GET", path, headers={"Accept": accept})
                document = body_of(_as_httpx(response)) if response.status == httpx.codes.OK else None
                found = read(document, self.base) if document else None
                if found and found.authorization_endpoint:
                    return found
        raise SourceError("the FHIR server names no authorization endpoint, so that nobody can sign in there")

    def _accepted(self, found: SmartConfiguration) -> SmartConfiguration:
        for url in (found.token_endpoint, found.authorization_endpoint, found.revocation_endpoint, found.jwks_uri):
            self._require_safe(url)
        if found.challenges and "S256" not in found.challenges:
            raise SourceError("the FHIR server does not take PKCE with S256, which SMART App Launch requires")
        refusal = found.refuses(method=self.client.method, algorithm=None, grant="authorization_code")
        if refusal:
            raise SourceError(f"{refusal}; register chartline with what it lists")
        return found

    def _require_safe(self, url: str | None) -> None:
        try:
            safe = url is None or is_safe(url) or (self.cleartext and urlsplit(url).scheme == "http")
            here = url is None or is_safe(self.base) or origin_of(url) == origin_of(self.base)
        except ValueError:
            safe = here = False
        if not (safe and here):
            raise SourceError("the FHIR server names an address for sign-in that is not https; have it corrected")

    async def _identity(self, told: object, attempt: Attempt, access: Secret) -> Mapping[str, Any] | None:
        """The claims of the identity token; None where the server gave none, as when `openid` was not granted."""
        if told is None:
            return None
        configuration = await self.configuration()
        if configuration.issuer is None or configuration.jwks_uri is None:
            raise SourceError(
                "the FHIR server gives identity tokens, and does not say who issues them (issuer, jwks_uri)"
            )
        verifier = Verifier(
            issuer=configuration.issuer, audiences=(self.client.id,), keys=self._keys, types=("", "jwt")
        )
        try:
            claims = await verifier.claims(str(told))
        except InvalidToken as error:
            raise LaunchFailed(f"the identity token of the launch is not taken: {error}") from None
        if not secrets.compare_digest(str(claims.get("nonce")).encode(), attempt.nonce.encode()):
            raise LaunchFailed("the identity token is not of this launch")
        if claims.get("azp", self.client.id) != self.client.id or not isinstance(claims.get("sub"), str):
            raise LaunchFailed("the identity token is for another application")
        if "at_hash" in claims and claims["at_hash"] != _hashed(str(told), access):
            raise LaunchFailed("the identity token is of another access token")
        return claims

    async def _jwks(self) -> bytes:
        url = (await self.configuration()).jwks_uri or ""
        async with self._connect(_origin(url)) as http:
            response = await http.send("GET", url, headers={"Accept": "application/jwk-set+json, application/json"})
        if response.status != httpx.codes.OK or len(response.body) > _DOCUMENT:
            raise SourceError(f"the keys of the server's identity tokens are not there ({response.status})")
        return response.body

    async def _post(self, endpoint: str, form: dict[str, str]) -> Response:
        request = self.client.request(endpoint, form, httpx.Request("POST", endpoint))
        async with self._connect(_origin(endpoint)) as http:
            return await http.send("POST", endpoint, headers=dict(request.headers), body=request.content, safe=False)


def _hashed(identity: str, access: Secret) -> str:
    """What `at_hash` is to be (OpenID Connect Core 3.1.3.6): of the hash that the token's own algorithm is with."""
    bits = str(said(identity)[0]["alg"])[2:]
    digest = hashlib.new(f"sha{bits}", access.reveal().encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _as_httpx(response: Response) -> httpx.Response:
    """As those read it who take an answer of httpx. Its body was decoded: it says so no more."""
    headers = {k: v for k, v in response.headers.items() if k.lower() not in ("content-encoding", "content-length")}
    return httpx.Response(response.status, headers=headers, content=response.body)
