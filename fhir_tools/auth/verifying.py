"""Signed tokens of others (JWT): who issued one, for whom, until when, and whether that can be believed."""

from __future__ import annotations

import binascii
import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode

from fhir_tools.auth.jwks import Jwks
from fhir_tools.errors import ChartlineError

__all__ = ["ALGORITHMS", "InvalidToken", "Verifier", "said"]

ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "PS256", "PS384", "PS512")
"""The algorithms that may sign: none with a shared secret, and never `none` (RFC 8725 3.1, 3.2)."""
_LONGEST = 16_384


class InvalidToken(ChartlineError):
    """A token that is not taken. The message says why, without anything of the token."""


class _Registry(JWSRegistry):
    """A header may hold a chain of certificates, which nobody here reads."""

    max_header_length = _LONGEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """Takes tokens of one issuer for one of `audiences`. `leeway` is in seconds, for clocks that are apart.

    `types` are the `typ` headers that are taken, in lower case without `application/`; empty is a token without one.
    """

    issuer: str
    audiences: Collection[str]
    keys: Jwks
    algorithms: Collection[str] = ALGORITHMS
    leeway: float = 30.0
    types: Collection[str] = ("", "jwt", "at+jwt")
    clock: Callable[[], float] = time.time

    async def claims(self, token: str) -> Mapping[str, Any]:
        """The claims of a token. Raises InvalidToken; SourceError where the issuer's keys cannot be read."""
        header = _part(token, 0)
        algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", "")
        if algorithm not in self.algorithms or algorithm not in ALGORITHMS:
            raise InvalidToken("it is signed in a way that is not taken")
        if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in self.types:
            raise InvalidToken("it is a token of another kind")
        if (kid is not None and not isinstance(kid, str)) or "crit" in header:  # RFC 7515 4.1.11
            raise InvalidToken("its header asks for what is not known here")
        key = await self.keys.find(algorithm, kid)
        if key is None:
            raise InvalidToken("its key is not one of the issuer's")
        try:
            registry = _Registry(algorithms=[algorithm], strict_check_header=False)
            claims = jwt.decode(token, key, algorithms=[algorithm], registry=registry).claims
        except (JoseError, ValueError, TypeError):
            raise InvalidToken("its signature is not the issuer's") from None
        self._check(claims)
        return claims

    def _check(self, claims: Mapping[str, Any]) -> None:
        """RFC 7519 4.1, RFC 9068 4: issuer, audience and expiry must be there; the rest counts where it is."""
        now = self.clock()
        if claims.get("iss") != self.issuer:
            raise InvalidToken("it is of another issuer")
        told = claims.get("aud")
        if not any(audience in self.audiences for audience in (told if isinstance(told, list) else [told])):
            raise InvalidToken("it is for another audience")
        if _moment(claims, "exp") + self.leeway <= now:
            raise InvalidToken("it has expired")
        if any(name in claims and _moment(claims, name) - self.leeway > now for name in ("nbf", "iat")):
            raise InvalidToken("it is not valid yet: is this machine's clock right?")


def said(token: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The header and the claims of a token that nothing has been checked of: they say whose keys to ask for, and are
    not to be believed before. Raises InvalidToken for what is no signed token."""
    return _part(token, 0), _part(token, 1)


def _moment(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    try:
        moment = math.nan if isinstance(value, bool) or not isinstance(value, int | float) else float(value)
    except OverflowError:
        moment = math.nan
    if not math.isfinite(moment):  # every comparison with what is no number would be false
        raise InvalidToken(f"its {name} is no time")
    return moment


def _part(token: str, number: int) -> Mapping[str, Any]:
    parts = token.split(".")
    if len(parts) != 3 or len(token) > _LONGEST or not token.isascii():  # RFC 7515 7.1
        raise InvalidToken("it is no signed token (JWT)")
    try:
        part = orjson.loads(urlsafe_b64decode(parts[number].encode()))
    except (ValueError, binascii.Error):
        part = None
    if not isinstance(part, dict):
        raise InvalidToken("it is no signed token (JWT)")
    return part
