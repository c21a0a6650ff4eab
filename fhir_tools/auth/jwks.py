"""The public keys of an issuer of tokens (RFC 7517), read when they are needed and again when they have changed."""

from __future__ import annotations

import asyncio
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import orjson
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, RSAKey

from fhir_tools.errors import SourceError

__all__ = ["Jwks", "PublicKey", "public_keys"]

PublicKey = RSAKey | ECKey
_SHORTEST = 2048
_CURVES: Mapping[str, str] = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}


class Jwks:
    """The keys that `fetch` brings, a JWKS document. Raises SourceError where they cannot be had.

    They are kept for `seconds`, so that a key that its issuer has taken back is refused by then. A key id that is not
    known has them fetched at once, but no more often than every `rest` seconds: anybody can send a token with an id
    that does not exist. Where a fetch fails, keys that are kept are used for as long again.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[bytes]],
        *,
        seconds: float = 600.0,
        rest: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch, self._seconds, self._rest, self._clock = fetch, seconds, rest, clock
        self._keys: tuple[PublicKey, ...] = ()
        self._read: float | None = None
        self._asked: float | None = None
        self._lock = asyncio.Lock()

    async def find(self, algorithm: str, kid: str | None) -> PublicKey | None:
        """The key that a token of this header must be signed with; None where the issuer has none, or several and no
        id says which. Raises SourceError where keys cannot be read."""
        if self._old(self._seconds):
            await self._renew(self._seconds)
        found = self._fitting(algorithm, kid)
        if found is None and self._rested():
            await self._renew(0.0)
            found = self._fitting(algorithm, kid)
        return found

    def _old(self, seconds: float) -> bool:
        return self._read is None or self._clock() - self._read > seconds

    def _rested(self) -> bool:
        return self._asked is None or self._clock() - self._asked >= self._rest

    def _fitting(self, algorithm: str, kid: str | None) -> PublicKey | None:
        fitting = [key for key in self._keys if _fits(key, algorithm) and kid in (None, key.kid)]
        return fitting[0] if len(fitting) == 1 else None

    async def _renew(self, seconds: float) -> None:
        """Read the keys, unless another request has meanwhile. One that failed a moment ago is not asked again."""
        before = self._asked
        async with self._lock:
            if self._asked != before or not (self._rested() and self._old(seconds)):
                self._require()
                return
            self._asked = self._clock()
            try:
                self._keys = public_keys(await self._fetch())
                self._read = self._clock()
            except SourceError:
                if self._old(2 * self._seconds):
                    self._keys = ()
                    raise

    def _require(self) -> None:
        if self._old(2 * self._seconds):
            raise SourceError("the keys of the issuer of tokens cannot be read now; try again shortly")


def public_keys(content: bytes) -> tuple[PublicKey, ...]:
    """The keys of a JWKS document that can check a signature. Raises SourceError for what is no JWKS.

    Left out: symmetric keys (with one, whoever reads the document could sign), keys for encryption, RSA below 2048
    bits, and rows that cannot be read.
    """
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        document = None
    rows = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        raise SourceError("the issuer's keys are no JWKS: check the address")
    return tuple(key for row in rows for key in _read(row))


def _read(row: Any) -> Iterator[PublicKey]:
    if not isinstance(row, dict) or row.get("use", "sig") != "sig":
        return
    operations = row.get("key_ops")
    if isinstance(operations, list) and "verify" not in operations:
        return
    kinds: dict[str, type[PublicKey]] = {"RSA": RSAKey, "EC": ECKey}
    kind = kinds.get(str(row.get("kty")))
    if kind is None:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # of short keys: they are left out here
            key = kind.import_key({k: v for k, v in row.items() if k not in ("key_ops", "use")})
            if isinstance(key, RSAKey) and key.raw_value.key_size < _SHORTEST:
                return
            _ = key.raw_value
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        return
    yield key


def _fits(key: PublicKey, algorithm: str) -> bool:
    if key.alg not in (None, algorithm):
        return False
    if isinstance(key, RSAKey):
        return algorithm[:2] in ("RS", "PS")
    return _CURVES.get(algorithm) == key.curve_name
