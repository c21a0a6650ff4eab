"""The private key of a client, and the assertion that it signs.

SMART App Launch 2.2, Client Authentication: Asymmetric (public key).
"""

from __future__ import annotations

import secrets
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Literal, NoReturn, get_args

import orjson
from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, RSAKey

from fhir_tools.auth.secret import Secret
from fhir_tools.errors import UserError

__all__ = ["ALGORITHMS", "LIFETIME", "Algorithm", "SigningKey"]

Algorithm = Literal["RS384", "ES384"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
LIFETIME = 240
"""Seconds that an assertion lives; the specification allows 300, and a clock may be a little fast."""
_SHORTEST = 2048
_MAKE = "make one with: openssl ecparam -name secp384r1 -genkey -noout -out key.pem"


class SigningKey:
    """A private key for RS384 (RSA of 2048 bits or more) or ES384 (P-384), with the `kid` it is registered under."""

    __slots__ = ("_clock", "_key", "algorithm", "jku", "kid")

    def __init__(
        self,
        key: RSAKey | ECKey,
        *,
        kid: str | None = None,
        algorithm: str | None = None,
        jku: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._key, self._clock, self.jku = key, clock, jku
        self.algorithm: Algorithm = _algorithm(key)
        self.kid = kid or key.kid or key.thumbprint()
        if not key.is_private:
            raise UserError(f"the key is a public one; the client signs with its private key: {_MAKE}")
        if algorithm and algorithm != self.algorithm:
            raise UserError(f"the key signs {self.algorithm}, not {algorithm}; give another key or leave algorithm out")

    @classmethod
    def parse(
        cls, content: bytes, *, password: Secret | None = None, kid: str | None = None, **options: Any
    ) -> SigningKey:
        """From PEM, a JWK or a JWKS. Of several keys in a JWKS the one named by `kid`, or the only one that signs.

        Raises UserError for anything else; nothing of the content is told.
        """
        if content.lstrip()[:1] == b"{":
            return cls(_from_jwks(content, kid), kid=kid, **options)
        return cls(_from_pem(content, password), kid=kid, **options)

    def assertion(self, client_id: str, audience: str) -> str:
        """A signed JWT for one token request: `aud` the token endpoint, a `jti` of its own, ended in `LIFETIME`."""
        header = {"alg": self.algorithm, "kid": self.kid} | ({"jku": self.jku} if self.jku else {})
        ends = int(self._clock()) + LIFETIME
        claims = {"iss": client_id, "sub": client_id, "aud": audience, "exp": ends, "jti": secrets.token_urlsafe(24)}
        return jwt.encode(header, claims, self._key, algorithms=[self.algorithm])

    def public(self) -> Mapping[str, Any]:
        """The JWKS to register with the server: public parts only."""
        extra = {"kid": self.kid, "alg": self.algorithm, "use": "sig", "key_ops": ["verify"]}
        return {"keys": [{**self._key.as_dict(private=False), **extra}]}

    def __repr__(self) -> str:
        return f"SigningKey({self.algorithm}, kid={self.kid!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not written to pickles or copied to other processes")


def _algorithm(key: RSAKey | ECKey) -> Algorithm:
    if isinstance(key, RSAKey):
        if key.raw_value.key_size < _SHORTEST:
            raise UserError(f"the RSA key has {key.raw_value.key_size} bits; RS384 needs {_SHORTEST} or more: {_MAKE}")
        return "RS384"
    if key.curve_name != "P-384":
        raise UserError(f"the key is of curve {key.curve_name}; ES384 needs P-384: {_MAKE}")
    return "ES384"


def _from_pem(content: bytes, password: Secret | None) -> RSAKey | ECKey:
    # The cause is left out (`from None`): the libraries' messages and frames may hold what they were given.
    if b"-----BEGIN" not in content:
        raise UserError(f"the key is neither PEM nor JSON; {_MAKE}")
    for kind in (ECKey, RSAKey):
        try:
            return _imported(kind, content, password)
        except JoseError:
            continue
        except TypeError:
            raise UserError("the key and its password do not go together: one is there without the other") from None
        except ValueError:
            raise UserError("the PEM key cannot be read: it is damaged, or its password is wrong") from None
    raise UserError(f"the PEM holds no RSA and no EC key; {_MAKE}")


def _imported(kind: type[RSAKey | ECKey], value: Any, password: Secret | None = None) -> RSAKey | ECKey:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)  # of short keys: they are refused here, by name
        return kind.import_key(value, password=password.reveal() if password else None)


def _from_jwks(content: bytes, kid: str | None) -> RSAKey | ECKey:
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise UserError("the key file begins like JSON and is none; give PEM, a JWK or a JWKS") from None
    rows = document.get("keys", [document])
    keys = [row for row in rows if isinstance(row, dict) and _signs(row)] if isinstance(rows, list) else []
    fitting = [row for row in keys if row.get("kid") == kid] if kid and len(keys) > 1 else keys
    if len(fitting) != 1:
        what = (
            "several private keys; say which by key_id" if fitting else f"no private RSA or EC key that signs; {_MAKE}"
        )
        raise UserError(f"the key file holds {what}")
    return _from_jwk(fitting[0])


def _signs(row: Mapping[str, Any]) -> bool:
    operations = row.get("key_ops")
    return (
        row.get("kty") in ("RSA", "EC")
        and "d" in row
        and row.get("use", "sig") == "sig"
        and (not isinstance(operations, list) or "sign" in operations)
    )


def _from_jwk(row: Mapping[str, Any]) -> RSAKey | ECKey:
    kind = RSAKey if row["kty"] == "RSA" else ECKey
    try:
        key = _imported(kind, {k: v for k, v in row.items() if k not in ("alg", "key_ops", "use")})
        _ = key.raw_value  # made on first use: a damaged member shows here, not in the first request
        return key
    except (JoseError, ValueError, TypeError, KeyError):
        raise UserError("the JWK cannot be read: a member of it is missing or damaged") from None
