"""Access tokens of an authorization server (OAuth 2.0, RFC 9068): whose they are, and what they allow here.

    chartline            ask about the patient of the token's `patient` claim
    chartline.patients   ask about any patient that the settings' own source shows

SMART scopes do as well. Where charts are read with the caller's own token, the FHIR server holds it to its scopes.
Where they are read with the settings' credentials, nothing would: only scopes over whole charts count there, so
`patient/*.rs` is as good as `chartline`, and `user/*.rs` or `system/*.rs` as `chartline.patients`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson
from fastapi import Request

from agent.errors import SettingsError, SourceError
from agent.service.access.challenges import ONE, insufficient, invalid_token
from agent.service.callers import Access, Caller
from agent.service.problems import Problem
from agent.settings import Settings
from fhir_tools.auth import Bearer, Scopes
from fhir_tools.auth.base import is_safe
from fhir_tools.auth.jwks import Jwks
from fhir_tools.auth.verifying import ALGORITHMS, InvalidToken, Verifier
from fhir_tools.errors import UserError
from fhir_tools.http import Http

__all__ = ["SCOPES", "Tokens", "identity", "patient_of"]

ANY = "chartline.patients"
SCOPES = (ONE, ANY, "patient/*.rs", "user/*.rs")
_ID = re.compile(r"(?:Patient/)?([A-Za-z0-9.\-]{1,64})", re.ASCII)
_METADATA = ("oauth-authorization-server", "openid-configuration")


class Tokens:
    """Takes the tokens of the settings' issuer. `base` is the FHIR server that is asked with them; None is the
    settings' own source. Raises SettingsError for an issuer or algorithm that cannot be used."""

    def __init__(self, settings: Settings, base: str | None, connect: Callable[[str], Http]) -> None:
        issuer = settings.oauth_issuer or ""
        self._settings, self._base, self._connect = settings, base, connect
        address = (settings.service_url or "").rstrip("/")
        audiences = settings.oauth_audience or ((address, f"{address}/mcp") if address else ())
        if not audiences:
            raise SettingsError("CHARTLINE_OAUTH_AUDIENCE is empty: say what tokens are for, or CHARTLINE_SERVICE_URL")
        for name, url in (("ISSUER", issuer), ("JWKS", settings.oauth_jwks)):
            if url and not is_safe(url):
                raise SettingsError(f"CHARTLINE_OAUTH_{name} is {url!r}: give its https address")
        unknown = [name for name in settings.oauth_algorithms if name not in ALGORITHMS]
        if unknown:
            raise SettingsError(f"CHARTLINE_OAUTH_ALGORITHMS: {unknown[0]!r} is none of {', '.join(ALGORITHMS)}")
        self._keys_at = settings.oauth_jwks
        self._verifier = Verifier(
            issuer=issuer,
            audiences=audiences,
            keys=Jwks(self._fetch),
            algorithms=settings.oauth_algorithms or ALGORITHMS,
            leeway=settings.oauth_leeway,
        )

    async def caller(self, request: Request, token: str) -> Caller:
        """Who the token is of. Raises Problem: 401 for one that is not taken, 403 for one that does not allow to ask,
        503 where the issuer's keys cannot be read."""
        try:
            claims = await self._verifier.claims(token)
        except InvalidToken as error:
            raise invalid_token(request, self._settings, f"the token is not taken: {error}") from None
        except SourceError as error:
            raise Problem(
                503, "issuer", f"tokens cannot be checked now: {error}", headers={"Retry-After": "30"}
            ) from None
        fault = _unusable(claims)
        if fault:
            raise invalid_token(request, self._settings, f"the token is not taken: {fault}")
        return self._allowed(request, token, claims)

    def _allowed(self, request: Request, token: str, claims: Mapping[str, Any]) -> Caller:
        text, patient = _scope(claims), patient_of(claims.get("patient"))
        scopes = Scopes.parse(text)
        if not (_may_read(scopes) if self._base else _may_ask(scopes, patient)):
            wanted = ONE if patient or self._base else ANY
            raise insufficient(request, self._settings, wanted, "the token does not allow to ask about this chart")
        return Caller(
            id=f"token:{identity(claims)}",
            name=_name(claims),
            via="token",
            patient=patient,
            scopes=scopes,
            access=self._access(token, text, patient),
            claims=frozenset(scopes.others),
        )

    def _access(self, token: str, scope: str, patient: str | None) -> Access | None:
        if self._base is None:
            return None
        key = hashlib.sha256(token.encode()).hexdigest()
        return Access(base=self._base, auth=Bearer(self._base, token, scope=scope, patient=patient), key=f"token:{key}")

    async def _fetch(self) -> bytes:
        if self._keys_at is None:
            self._keys_at = await self._found()
        return await self._read(self._keys_at)

    async def _found(self) -> str:
        """Where the issuer's own metadata say that its keys are (RFC 8414 3.1; OpenID Connect Discovery 4)."""
        issuer = self._verifier.issuer
        parts = urlsplit(issuer)
        path = parts.path.rstrip("/")
        origin = f"{parts.scheme}://{parts.netloc}"
        for name in _METADATA:
            inside, behind = f"{origin}/.well-known/{name}{path}", f"{origin}{path}/.well-known/{name}"
            for url in dict.fromkeys((inside, behind)):
                document = await self._metadata(url)
                # RFC 8414 3.3: a document that names another issuer is not used.
                if document.get("issuer") == issuer and is_safe(str(document.get("jwks_uri"))):
                    return str(document["jwks_uri"])
        raise SourceError("the issuer of tokens does not say where its keys are; set CHARTLINE_OAUTH_JWKS")

    async def _metadata(self, url: str) -> Mapping[str, Any]:
        try:
            found = orjson.loads(await self._read(url))
        except (SourceError, orjson.JSONDecodeError):
            return {}
        return found if isinstance(found, dict) else {}

    async def _read(self, url: str) -> bytes:
        parts = urlsplit(url)
        async with self._connect(f"{parts.scheme}://{parts.netloc}") as http:
            response = await http.send("GET", url, headers={"Accept": "application/json, application/jwk-set+json"})
        if response.status != 200:
            raise SourceError(f"the issuer of tokens answers {response.status} where its keys should be")
        return response.body


def identity(claims: Mapping[str, Any], server: str = "") -> str:
    """One who is the same by issuer and subject, opaque (OpenID Connect Core 2: the pair is unique, `sub` is not).

    Whose charts are those of a `server` is one for each: a patient's id means somebody else on another.
    """
    told = [str(claims["iss"]), str(claims["sub"]), *filter(None, [server])]
    return hashlib.sha256(orjson.dumps(told)).hexdigest()[:32]


def patient_of(told: object) -> str | None:
    """The id of a `patient` claim or launch context, which some servers write as `Patient/id`; None where there is
    none. Raises UserError for what is no id: nobody may be asked about by it."""
    if told is None:
        return None
    found = _ID.fullmatch(told) if isinstance(told, str) else None
    if not found:
        raise UserError("the credentials name a patient in a form that is no id")
    return found[1]


def _unusable(claims: Mapping[str, Any]) -> str | None:
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        return "it does not say who it is for (sub)"
    if "cnf" in claims:  # RFC 7800: only who proves to have a key may use it, and a bearer proves nothing
        return "it is bound to a key, which is not checked here"
    try:
        patient_of(claims.get("patient"))
    except UserError as error:
        return str(error)
    return None


def _scope(claims: Mapping[str, Any]) -> str:
    """`scope` by RFC 9068; some servers write `scp`, and some a list."""
    told = claims.get("scope", claims.get("scp", ""))
    return " ".join(word for word in told if isinstance(word, str)) if isinstance(told, list) else str(told)


def _may_read(scopes: Scopes) -> bool:
    return (
        ONE in scopes.others or ANY in scopes.others or any("r" in s.actions or "s" in s.actions for s in scopes.scopes)
    )


def _may_ask(scopes: Scopes, patient: str | None) -> bool:
    """Whether whole charts are allowed, of one patient or of any."""
    whole = {s.context for s in scopes.scopes if s.type == "*" and {"r", "s"} <= s.actions and not s.filters}
    if ANY in scopes.others or whole & {"user", "system"}:
        return True
    return patient is not None and (ONE in scopes.others or "patient" in whole)


def _name(claims: Mapping[str, Any]) -> str:
    """Who goes on record: the name where there is one, always with the subject."""
    names = (claims.get(key) for key in ("name", "preferred_username", "fhirUser", "client_id"))
    name = next((" ".join(name.split()) for name in names if isinstance(name, str) and name.strip()), None)
    return f"{name} ({claims['sub']})"[:300] if name and name != claims["sub"] else str(claims["sub"])[:300]
