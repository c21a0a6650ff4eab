"""Keys as files have them, and the assertion that they sign."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from fhir_tools.auth.keys import SigningKey
from fhir_tools.auth.secret import Secret
from fhir_tools.errors import UserError

EC = ECKey.generate_key("P-384")
RSA = RSAKey.generate_key(2048)
SHORT = rsa.generate_private_key(65537, 1024).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)


def as_json(*keys: Any, **extra: Any) -> bytes:
    rows = [{**key.as_dict(private=True), **extra} for key in keys]
    return json.dumps(rows[0] if len(rows) == 1 else {"keys": rows}).encode()


def test_the_assertion_is_short_signed_and_for_one_endpoint(jose_key: Any) -> None:
    key = SigningKey(jose_key, kid="k", jku="https://app.example/jwks")
    token = jwt.decode(key.assertion("app", "https://a/token"), jose_key, algorithms=[key.algorithm])
    assert token.header == {"typ": "JWT", "alg": key.algorithm, "kid": "k", "jku": "https://app.example/jwks"}
    assert (token.claims["iss"], token.claims["sub"], token.claims["aud"]) == ("app", "app", "https://a/token")
    assert time.time() + 60 < token.claims["exp"] < time.time() + 300
    assert (
        token.claims["jti"] != jwt.decode(key.assertion("app", "x"), jose_key, algorithms=[key.algorithm]).claims["jti"]
    )


@pytest.mark.parametrize(
    ("content", "algorithm"),
    [
        (EC.as_pem(private=True), "ES384"),
        (RSA.as_pem(private=True), "RS384"),
        (b"\n" + as_json(EC), "ES384"),
        (as_json(RSA, use="sig", alg="RS384", key_ops=["sign"]), "RS384"),
        (json.dumps({"keys": [EC.as_dict(private=True), RSA.as_dict(private=False)]}).encode(), "ES384"),
    ],
)
def test_keys_in_every_form(content: bytes, algorithm: str) -> None:
    key = SigningKey.parse(content)
    assert (key.algorithm, key.kid) == (algorithm, (EC if algorithm == "ES384" else RSA).thumbprint())


def test_an_encrypted_key_needs_its_password() -> None:
    content = EC.as_pem(private=True, password="open sesame")
    assert SigningKey.parse(content, password=Secret("open sesame")).algorithm == "ES384"
    with pytest.raises(UserError, match="one is there without the other"):
        SigningKey.parse(content)
    with pytest.raises(UserError, match="one is there without the other"):
        SigningKey.parse(EC.as_pem(private=True), password=Secret("open sesame"))
    with pytest.raises(UserError, match="damaged, or its password is wrong"):
        SigningKey.parse(content, password=Secret("wrong"))


def test_one_of_several_keys_is_chosen_by_its_id() -> None:
    rows = [{**EC.as_dict(private=True), "kid": "a"}, {**RSA.as_dict(private=True), "kid": "b"}]
    content = json.dumps({"keys": rows}).encode()
    assert SigningKey.parse(content, kid="b").algorithm == "RS384"
    with pytest.raises(UserError, match="several private keys; say which by key_id"):
        SigningKey.parse(content)
    with pytest.raises(UserError, match="no private"):
        SigningKey.parse(content, kid="c")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (EC.as_pem(private=False), "public one"),
        (as_json(EC, use="enc"), "no private RSA or EC key"),
        (json.dumps(EC.as_dict(private=False)).encode(), "no private RSA or EC key"),
        (ECKey.generate_key("P-256").as_pem(private=True), "P-256; ES384 needs P-384"),
        (SHORT, "1024 bits; RS384 needs 2048"),
        (as_json(OctKey.generate_key(256)), "no private RSA or EC key"),
        (OKPKey.generate_key("Ed25519").as_pem(private=True), "no RSA and no EC key"),
        (b"", "neither PEM nor JSON"),
        (b"not a key", "neither PEM nor JSON"),
        (b"{", "begins like JSON"),
        (b'{"keys": 7}', "no private RSA or EC key"),
        (b'{"keys": [7]}', "no private RSA or EC key"),
        (as_json(EC, d="!!"), "missing or damaged"),
        (as_json(EC, d=7), "missing or damaged"),
        (as_json(RSA, p="AA"), "missing or damaged"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "damaged"),
    ],
)
def test_what_is_no_key_to_sign_with_is_told(content: bytes, told: str) -> None:
    with pytest.raises(UserError, match=told):
        SigningKey.parse(content)


def test_another_algorithm_than_the_keys_is_refused() -> None:
    with pytest.raises(UserError, match="signs ES384, not RS384"):
        SigningKey.parse(EC.as_pem(private=True), algorithm="RS384")


def test_what_is_registered_holds_no_private_part(key: SigningKey) -> None:
    (row,) = key.public()["keys"]
    assert row["kid"] == "key-1" and row["alg"] == key.algorithm and not {"d", "p", "q", "dp", "dq", "qi"} & set(row)
