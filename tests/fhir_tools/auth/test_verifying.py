"""Tokens of others and the keys that they are checked with, by a clock of the test's own."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from fhir_tools.auth.jwks import Jwks, public_keys
from fhir_tools.auth.verifying import InvalidToken, Verifier
from fhir_tools.errors import SourceError

RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
CURVE = ECKey.generate_key("P-256", {"kid": "curve"})


def jwks(*rows: Any) -> bytes:
    return orjson.dumps({"keys": [row.as_dict(private=False) if hasattr(row, "as_dict") else row for row in rows]})


class Issuer:
    """Hands out what it is told to, and counts."""

    def __init__(self, *rows: Any) -> None:
        self.document: bytes | Exception = jwks(*rows)
        self.reads, self.now = 0, 0.0

    async def fetch(self) -> bytes:
        self.reads += 1
        await asyncio.sleep(0)
        if isinstance(self.document, Exception):
            raise self.document
        return self.document

    def keys(self, **options: Any) -> Jwks:
        return Jwks(self.fetch, clock=lambda: self.now, **options)


async def test_keys_are_kept_and_shared_by_those_who_ask_at_once() -> None:
    issuer = Issuer(RSA)
    keys = issuer.keys()
    found = await asyncio.gather(*(keys.find("RS256", "rsa") for _ in range(20)))
    assert {key.kid for key in found if key} == {"rsa"}
    issuer.now = 599.0
    await keys.find("RS256", "rsa")
    assert issuer.reads == 1
    issuer.now = 601.0
    await keys.find("RS256", "rsa")
    assert issuer.reads == 2


async def test_an_unknown_id_has_them_fetched_no_more_often_than_the_rest() -> None:
    issuer = Issuer(RSA)
    keys = issuer.keys()
    assert await keys.find("RS256", "new") is None
    issuer.document = jwks(RSA, RSAKey.generate_key(2048, {"kid": "new"}))
    for issuer.now in (1.0, 15.0, 29.0):
        assert await keys.find("RS256", "new") is None
    assert issuer.reads == 1
    issuer.now = 31.0
    assert await keys.find("RS256", "new")
    assert issuer.reads == 2


async def test_a_key_that_was_taken_back_is_refused_by_then() -> None:
    issuer = Issuer(RSA)
    keys = issuer.keys(seconds=60.0)
    assert await keys.find("RS256", "rsa")
    issuer.document, issuer.now = jwks(CURVE), 61.0
    assert await keys.find("RS256", "rsa") is None


async def test_kept_keys_outlast_a_short_fault_and_no_long_one() -> None:
    issuer = Issuer(RSA)
    keys = issuer.keys()
    await keys.find("RS256", "rsa")
    issuer.document, issuer.now = SourceError("down"), 700.0
    assert await keys.find("RS256", "rsa")
    issuer.now = 1300.0
    with pytest.raises(SourceError, match="down"):
        await keys.find("RS256", "rsa")
    issuer.now = 1301.0
    with pytest.raises(SourceError, match="try again shortly"):
        await keys.find("RS256", "rsa")
    assert issuer.reads == 3


async def test_without_an_id_one_key_alone_fits() -> None:
    keys = Issuer(RSA, CURVE).keys()
    assert (await keys.find("RS256", None)) is not None
    assert (await keys.find("ES256", None)) is not None
    assert (await keys.find("ES384", None)) is None
    assert await Issuer(RSA, RSAKey.generate_key(2048, {"kid": "b"})).keys().find("RS256", None) is None


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its length
    SHORT = RSAKey.generate_key(1024, {"kid": "short"}).as_dict(private=False)


@pytest.mark.parametrize(
    "row",
    [
        OctKey.generate_key(256, {"kid": "x"}).as_dict(private=True),
        OKPKey.generate_key("X25519", {"kid": "x"}),
        SHORT,
        {**RSA.as_dict(private=False), "use": "enc"},
        {**RSA.as_dict(private=False), "key_ops": ["encrypt"]},
        {**RSA.as_dict(private=False), "n": "!"},
        {**RSA.as_dict(private=False), "n": 5},
        {"kty": "RSA"},
        {"kty": ["RSA"]},
        {"kty": "ML-DSA"},
        7,
        None,
    ],
)
def test_rows_that_check_no_signature_are_left_out(row: Any) -> None:
    assert [key.kid for key in public_keys(jwks(row, RSA))] == ["rsa"]


@given(st.binary(max_size=60) | st.recursive(st.none() | st.text(max_size=5), lambda x: st.lists(x) | st.dictionaries(
    st.sampled_from(["keys", "kty", "n", "e", "crv", "x", "y", "use", "alg", "kid"]), x), max_leaves=8).map(
    orjson.dumps))  # fmt: skip
def test_any_document_is_read_or_told(content: bytes) -> None:
    with suppress(SourceError):
        assert isinstance(public_keys(content), tuple)


async def test_a_keys_own_algorithm_counts() -> None:
    keys = Issuer({**RSA.as_dict(private=False), "alg": "RS512"}).keys()
    assert await keys.find("RS256", "rsa") is None
    assert await keys.find("RS512", "rsa") is not None


def verifier(now: float = 1000.0, **options: Any) -> Verifier:
    clock: Callable[[], float] = lambda: now  # noqa: E731
    given = {"issuer": "https://i", "audiences": ("a",), "keys": Issuer(RSA, CURVE).keys(), "clock": clock}
    return Verifier(**given | options)


def token(**claims: Any) -> str:
    told = {"iss": "https://i", "aud": "a", "exp": 1100} | claims
    return jwt.encode({"alg": "RS256", "kid": "rsa"}, told, RSA)


@pytest.mark.parametrize(("at", "taken"), [(1099.0, True), (1129.0, True), (1130.0, False), (5000.0, False)])
async def test_the_moment_a_token_ends(at: float, taken: bool) -> None:
    if taken:
        assert (await verifier(at).claims(token()))["exp"] == 1100
    else:
        with pytest.raises(InvalidToken, match="expired"):
            await verifier(at).claims(token())


@pytest.mark.parametrize("name", ["nbf", "iat"])
async def test_the_moment_a_token_begins(name: str) -> None:
    assert await verifier().claims(token(**{name: 1030}))
    with pytest.raises(InvalidToken, match="not valid yet"):
        await verifier().claims(token(**{name: 1031}))
    with pytest.raises(InvalidToken, match=f"its {name} is no time"):
        await verifier().claims(token(**{name: "soon"}))


@given(
    st.text(max_size=40)
    | st.from_regex(r"[A-Za-z0-9_-]{0,20}\.[A-Za-z0-9_-]{0,20}\.[A-Za-z0-9_-]{0,20}", fullmatch=True)
)
def test_no_text_is_a_token_by_chance(text: str) -> None:
    with pytest.raises(InvalidToken):
        asyncio.run(verifier().claims(text))


MEMBERS = st.sampled_from(["alg", "kid", "typ", "crit", "b64", "zip", "enc"])
VALUES = st.sampled_from([None, True, "RS256", "none", "HS256", "rsa", "JWT", "", [], ["x"]])


@given(st.dictionaries(MEMBERS, VALUES))
def test_any_header_is_refused_where_its_signature_is_not_ours(header: dict[str, Any]) -> None:
    from joserfc.util import urlsafe_b64encode

    text = ".".join(urlsafe_b64encode(orjson.dumps(part)).decode() for part in (header, {"iss": "https://i"}))
    with pytest.raises(InvalidToken):
        asyncio.run(verifier().claims(f"{text}.{'A' * 342}"))
