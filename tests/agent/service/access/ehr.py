"""A small EHR for tests: an authorization server with real keys and PKCE, and chartline's FHIR server behind it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from fhir_tools import demo
from fhir_tools.load import load
from fhir_tools.local import LocalStore
from fhir_tools.serve import create_app

__all__ = ["KEY", "Ehr", "served", "signed"]

Key = RSAKey | ECKey


def signed(key: Key, claims: dict[str, Any], **header: Any) -> str:
    """A JWT; `alg` follows the key unless the header says otherwise."""
    algorithm = header.pop("alg", "RS256" if isinstance(key, RSAKey) else "ES384")
    return jwt.encode({"alg": algorithm, "kid": key.kid, **header}, claims, key, algorithms=[algorithm])


@cache
def _charts() -> LocalStore:
    store = LocalStore()
    load(demo.paths(), store)
    return store


KEY = RSAKey.generate_key(2048, {"kid": "one"})


@dataclass
class Ehr:
    """What the next sign-in gives: `user`, `patient` (None: none is chosen) and `scope` (None: all that was asked).

    `audience` is what `aud` has to be, where that is not the FHIR base URL to the letter.
    `changes` go over the token response, `claims` over the identity token. `codes` and `tokens` are what was issued;
    a token maps to its scope, patient, and when it ends.
    """

    base: str = ""
    user: str = "Practitioner/1"
    audience: str | None = None
    patient: str | None = None
    scope: str | None = None
    lives: float = 300.0
    client: str = "chartline"
    secret: str | None = None
    key: Any = None
    refreshes: bool = True
    changes: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    identity_key: Key | None = None
    identity_header: dict[str, Any] = field(default_factory=dict)
    discovery: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    keys: list[Key] = field(default_factory=lambda: [KEY])
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    launches: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, tuple[str, str | None, float]] = field(default_factory=dict)
    refresh: dict[str, str] = field(default_factory=dict)
    revoked: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    key_reads: int = 0

    def app(self) -> Starlette:
        self._fhir = create_app(_charts())
        return Starlette(
            routes=[
                Route("/fhir/.well-known/smart-configuration", self.well_known),
                Route("/auth/.well-known/openid-configuration", self.issuer_metadata),
                Route("/auth/authorize", self.authorize),
                Route("/auth/token", self.token, methods=["POST"]),
                Route("/auth/revoke", self.revoke, methods=["POST"]),
                Route("/auth/keys", self.jwks),
                Mount("/fhir", self.fhir),
            ]
        )

    @property
    def iss(self) -> str:
        return f"{self.base}/fhir"

    @property
    def issuer(self) -> str:
        return f"{self.base}/auth"

    def access_token(self, **claims: Any) -> str:
        """A signed access token for a service at http://localhost."""
        now = int(time.time())
        told = {"iss": self.issuer, "aud": "http://localhost", "sub": "u1", "iat": now, "exp": now + 300}
        return signed(self.keys[-1], {k: v for k, v in (told | claims).items() if v is not None}, typ="at+jwt")

    async def well_known(self, request: Request) -> Response:
        told = {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/keys",
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "revocation_endpoint": f"{self.issuer}/revoke",
            "code_challenge_methods_supported": ["S256"],
            "grant_types_supported": ["authorization_code"],
            "capabilities": ["launch-ehr", "launch-standalone", "client-public", "permission-v2"],
        }
        return JSONResponse({k: v for k, v in (told | self.discovery).items() if v is not None})

    async def issuer_metadata(self, request: Request) -> Response:
        return JSONResponse({"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"})

    async def jwks(self, request: Request) -> Response:
        self.key_reads += 1
        return JSONResponse({"keys": [key.as_dict(private=False) for key in self.keys]})

    async def authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        fault = self._asked_wrong(asked)
        if fault:
            return JSONResponse({"error": fault}, 400)
        answer = {"state": asked["state"], "iss": self.issuer}
        if self.error:
            answer["error"] = self.error
        else:
            answer["code"] = code = secrets.token_urlsafe(16)
            self.codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(answer)}", 302)

    def _asked_wrong(self, asked: dict[str, str]) -> str | None:
        """SMART App Launch 2.2, "Obtain authorization code"."""
        if asked.get("response_type") != "code" or asked.get("client_id") != self.client:
            return "client or response_type"
        if asked.get("aud") != (self.audience or self.iss) or len(asked.get("state", "")) < 22:
            return "aud or state"
        if asked.get("code_challenge_method") != "S256" or len(asked.get("code_challenge", "")) != 43:
            return "PKCE"
        wants_launch = "launch" in asked.get("scope", "").split()
        return "launch" if wants_launch and asked.get("launch") not in self.launches else None

    async def token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        if not self._client_is_right(request, form):
            return JSONResponse({"error": "invalid_client"}, 401)
        if form["grant_type"] == "refresh_token":
            scope = self.refresh.pop(form["refresh_token"], None)
            if scope is None:
                return JSONResponse({"error": "invalid_grant"}, 400)
            return JSONResponse(self._issued(scope, self.patient) | self.changes)
        asked = self.codes.pop(form.get("code", ""), None)  # good once
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
        if asked is None or challenge.decode() != asked["code_challenge"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        if asked["redirect_uri"] != form["redirect_uri"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        return JSONResponse(self._granted(asked))

    def _granted(self, asked: dict[str, str]) -> dict[str, Any]:
        scope = self.scope or asked["scope"]
        patient = self.launches.get(asked.get("launch", ""), self.patient)
        answer = self._issued(scope, patient) | ({"patient": patient} if patient else {})
        if "openid" in scope.split():
            now = int(time.time())
            claims = {
                "iss": self.issuer, "aud": self.client, "sub": self.user, "iat": now, "exp": now + 300,
                "nonce": asked["nonce"], "fhirUser": f"{self.iss}/{self.user}", "name": f"Dr {self.user[-1]}",
            }  # fmt: skip
            key = self.identity_key or self.keys[-1]
            digest = hashlib.new(
                "sha256" if isinstance(key, RSAKey) else "sha384", answer["access_token"].encode()
            ).digest()
            claims["at_hash"] = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
            told = {k: v for k, v in (claims | self.claims).items() if v is not None}
            answer["id_token"] = signed(key, told, **self.identity_header)
        return {k: v for k, v in (answer | self.changes).items() if v is not None}

    def _issued(self, scope: str, patient: str | None) -> dict[str, Any]:
        token = secrets.token_urlsafe(24)
        self.tokens[token] = (scope, patient, time.monotonic() + self.lives)
        answer: dict[str, Any] = {
            "access_token": token, "token_type": "Bearer", "expires_in": self.lives, "scope": scope
        }  # fmt: skip
        if self.refreshes:
            answer["refresh_token"] = secrets.token_urlsafe(24)
            self.refresh[answer["refresh_token"]] = scope
        return answer

    def _client_is_right(self, request: Request, form: dict[str, str]) -> bool:
        if self.key is not None:
            keys = KeySet.import_key_set(self.key)
            claims = jwt.decode(form["client_assertion"], keys, algorithms=["RS384", "ES384"]).claims
            return claims["iss"] == claims["sub"] == self.client and claims["aud"] == f"{self.issuer}/token"
        if self.secret is not None:
            sent = request.headers.get("authorization", "").removeprefix("Basic ")
            return unquote(base64.b64decode(sent).decode()) == f"{self.client}:{self.secret}"
        return form.get("client_id") == self.client

    async def revoke(self, request: Request) -> Response:
        token = parse_qs((await request.body()).decode())["token"][0]
        self.revoked.append(token)
        self.refresh.pop(token, None)
        self.tokens.clear()
        return Response()

    async def fhir(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The FHIR server: what a token's scopes and patient allow, and nothing without one."""
        request = Request(scope, receive)
        body = await request.body()
        told = request.headers.get("authorization", "").removeprefix("Bearer ")
        below = scope["path"].removeprefix("/fhir").strip("/")
        kind = below.partition("/")[0]
        urls = (
            [row["request"]["url"] for row in json.loads(body)["entry"]] if not kind and body else [_url(scope, body)]
        )
        granted, patient, ends = self.tokens.get(told, ("", None, 0.0))
        if kind != "metadata" and ends <= time.monotonic():
            await Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})(scope, receive, send)
            return
        self.asked += [f"{told} {url}" for url in urls]
        if kind != "metadata" and not all(self._allowed(url, granted, patient) for url in urls):
            await JSONResponse({"resourceType": "OperationOutcome", "issue": []}, 403)(scope, receive, send)
            return

        async def again() -> dict[str, Any]:
            return {"type": "http.request", "body": body}

        await self._fhir(scope, again, send)

    def _allowed(self, url: str, granted: str, patient: str | None) -> bool:
        kind = re.split("[/?]", url)[0]
        if not any(word.split(".")[0].endswith((f"/{kind}", "/*")) for word in granted.split() if "/" in word):
            return False
        return patient is None or not any(id_ in url for id_ in demo.patients() if id_ != patient)


def _url(scope: Scope, body: bytes) -> str:
    """A request as one line, the form of a POST search with it."""
    return f"{scope['path'].removeprefix('/fhir').strip('/')}?{scope['query_string'].decode()}&{body.decode()}"


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """The app on a free port of the loopback, in this loop; its address."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off", ws="none", loop="none")
    config.timeout_graceful_shutdown = 1
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
