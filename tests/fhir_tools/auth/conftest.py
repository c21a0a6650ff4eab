"""A SMART server for tests: verifies assertions as the specification says, hands out short tokens, enforces scopes."""

from __future__ import annotations

import time
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fhir_tools.auth.keys import SigningKey

BASE = "https://fhir.example/r4"
TOKENS = "https://auth.example/token"


@dataclass
class SmartServer:
    """The FHIR server (fhir.example) and its authorization server (auth.example) as one ASGI app."""

    keys: dict[str, Any] = field(default_factory=lambda: {"keys": []})
    algorithms: list[str] = field(default_factory=lambda: ["RS384", "ES384"])
    methods: list[str] = field(default_factory=lambda: ["private_key_jwt", "client_secret_basic", "none"])
    lives: float = 300.0
    scope: str | None = "system/*.rs"
    discovery: bool = True
    statement: bool = False
    clock: Callable[[], float] = time.time
    tokens: dict[str, float] = field(default_factory=dict)
    jtis: set[str] = field(default_factory=set)
    requests: list[tuple[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    refresh: str = "refresh-0"
    answers: list[Response] = field(default_factory=list)
    secret: str | None = None
    pages: int = 3

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/r4/.well-known/smart-configuration", self.well_known),
                Route("/r4/metadata", self.metadata),
                Route("/r4/{type}", self.search),
                Route("/token", self.token, methods=["POST"]),
            ]
        )

    def transport(self) -> httpx.ASGITransport:
        return httpx.ASGITransport(self.app)

    def count(self, path: str) -> int:
        return sum(1 for _, seen in self.requests if seen.startswith(path))

    def _saw(self, request: Request) -> None:
        self.requests.append((request.method, str(request.url).removeprefix("https://")))
        self.headers.append(dict(request.headers))

    async def well_known(self, request: Request) -> Response:
        self._saw(request)
        if not self.discovery:
            return Response(status_code=404)
        return JSONResponse(
            {
                "token_endpoint": TOKENS,
                "token_endpoint_auth_methods_supported": self.methods,
                "token_endpoint_auth_signing_alg_values_supported": self.algorithms,
            }
        )

    async def metadata(self, request: Request) -> Response:
        self._saw(request)
        uris = {
            "url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
            "extension": [{"url": "authorize", "valueUri": "https://x/"}, {"url": "token", "valueUri": TOKENS}],
        }
        security = {"extension": [uris]} if self.statement else {}
        return JSONResponse({"resourceType": "CapabilityStatement", "rest": [{"mode": "server", "security": security}]})

    async def search(self, request: Request) -> Response:
        self._saw(request)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.tokens.get(token, 0) <= time.monotonic():
            return Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})
        type_ = request.path_params["type"]
        if self.scope is not None and f"/{type_}." not in self.scope and "/*." not in self.scope:
            return JSONResponse({"resourceType": "OperationOutcome"}, status_code=403)
        page = int(request.query_params.get("page", "0"))
        link = [{"relation": "next", "url": f"{BASE}/{type_}?page={page + 1}"}] if page + 1 < self.pages else []
        entry = [{"resource": {"resourceType": type_, "id": str(page)}}]
        return JSONResponse({"resourceType": "Bundle", "link": link, "entry": entry})

    async def token(self, request: Request) -> Response:
        self._saw(request)
        if self.answers:
            return self.answers.pop(0)
        async with request.form() as form:
            fields = {name: str(value) for name, value in form.items()}
        fault = self._client_fault(request, fields)
        if fault:
            return JSONResponse({"error": "invalid_client", "error_description": fault}, status_code=401)
        if fields["grant_type"] == "refresh_token":
            if fields["refresh_token"] != self.refresh:
                return JSONResponse({"error": "invalid_grant"}, status_code=400)
            self.refresh = f"refresh-{int(self.refresh.partition('-')[2]) + 1}"
        return JSONResponse(self._issued(fields))

    def _issued(self, fields: dict[str, str]) -> dict[str, Any]:
        token = f"access-{len(self.tokens)}"
        self.tokens[token] = time.monotonic() + self.lives
        issued = {"access_token": token, "token_type": "bearer", "expires_in": self.lives}
        if self.scope is not None:
            issued["scope"] = self.scope
        if fields["grant_type"] == "refresh_token":
            issued["refresh_token"] = self.refresh
        return issued

    def _client_fault(self, request: Request, fields: dict[str, str]) -> str | None:
        if "client_assertion" in fields:
            return self._assertion_fault(fields)
        given = request.headers.get("authorization", "")
        if self.secret is not None:
            pair = b64decode(given.removeprefix("Basic ")).decode().split(":")
            return None if [unquote(x) for x in pair] == ["app", self.secret] else "secret"
        return None if fields.get("client_id") == "app" and not given else "client"

    def _assertion_fault(self, fields: dict[str, str]) -> str | None:
        """SMART App Launch 2.2, Client Authentication: Asymmetric, "Signature verification"."""
        try:
            token = jwt.decode(
                fields["client_assertion"], KeySet.import_key_set(self.keys), algorithms=["RS384", "ES384"]
            )
        except (JoseError, ValueError) as fault:
            return f"signature: {fault}"
        claims, now = token.claims, self.clock()
        if not (now < claims["exp"] <= now + 300):
            return "exp"
        if claims["aud"] != TOKENS or claims["iss"] != claims["sub"] or claims["iss"] != "app":
            return "aud, iss or sub"
        if claims["jti"] in self.jtis or len(claims["jti"]) < 16:
            return "jti"
        self.jtis.add(claims["jti"])
        kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        return None if token.header["typ"] == "JWT" and fields["client_assertion_type"] == kind else "type"


@pytest.fixture(scope="session", params=["RS384", "ES384"])
def jose_key(request: pytest.FixtureRequest) -> RSAKey | ECKey:
    return RSAKey.generate_key(2048) if request.param == "RS384" else ECKey.generate_key("P-384")


@pytest.fixture
def key(jose_key: RSAKey | ECKey) -> SigningKey:
    return SigningKey(jose_key, kid="key-1")


@pytest.fixture
def server(key: SigningKey) -> SmartServer:
    return SmartServer(keys=dict(key.public()))
