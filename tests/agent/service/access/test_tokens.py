"""Access tokens: which are taken, what they allow, and what is told to those whose are not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from joserfc.jwk import ECKey, RSAKey

from agent.errors import SettingsError
from agent.service.app import create_app
from tests.agent.service.access.ehr import KEY, Ehr, signed
from tests.agent.service.conftest import FOLDER, MARIA, client_of, settings_in

pytestmark = pytest.mark.loopback
ROBERT = "demo-robert-keller"

Taking = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]
EC = ECKey.generate_key("P-384", {"kid": "curve"})
STRANGER = RSAKey.generate_key(2048, {"kid": "one"})


@pytest.fixture
def taking(tmp_path: Path, ehr: Ehr) -> Taking:
    """Opens the service that takes the issuer's tokens, over the demo charts or the EHR's FHIR server."""

    @asynccontextmanager
    async def taking(*fhir: str, **changes: Any) -> AsyncIterator[httpx.AsyncClient]:
        options = {"oauth_issuer": ehr.issuer, "oauth_audience": ("http://localhost",)} | changes
        settings = settings_in(tmp_path, **options)
        async with client_of(create_app(settings, fhir=fhir or (str(FOLDER / f"{MARIA}.json.gz"),))) as client:
            yield client

    return taking


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_a_token_is_taken(ehr: Ehr, taking: Taking) -> None:
    token = ehr.access_token(scope="chartline", patient=MARIA, name="Ada  Byron")
    async with taking() as client:
        me = (await client.get("/v1/me", headers=bearer(token))).json()
        assert (me["via"], me["name"], me["patient"], me["csrf"]) == ("token", "Ada Byron (u1)", MARIA, None)
        answer = await client.post("/v1/ask", json={"question": "last A1c?"}, headers=bearer(token))
        assert answer.json()["status"] == "answered"
        other = await client.post("/v1/ask", json={"question": "age?", "patient": ROBERT}, headers=bearer(token))
        assert other.status_code == 403


SCOPES = [
    ("chartline", MARIA, True),
    ("chartline", f"Patient/{MARIA}", True),
    ("chartline", None, False),
    ("chartline.patients", None, True),
    ("patient/*.rs", MARIA, True),
    ("patient/*.read", MARIA, True),
    ("patient/*.rs", None, False),
    ("user/*.rs", None, True),
    ("system/*.read", None, True),
    ("patient/Observation.rs", MARIA, False),
    ("user/*.r", None, False),
    ("user/*.rs?category=laboratory", None, False),
    ("openid profile", MARIA, False),
    ("", MARIA, False),
    (["chartline"], MARIA, True),
]
"""Scopes, patient, and whether they allow to ask of the settings' own source."""


async def test_which_scopes_allow_the_settings_own_source(ehr: Ehr, taking: Taking) -> None:
    async with taking() as client:
        for scope, patient, allowed in SCOPES:
            token = ehr.access_token(scope=scope, patient=patient)
            response = await client.get("/v1/me", headers=bearer(token))
            assert response.status_code == (200 if allowed else 403), (scope, patient)
            told = response.headers.get("www-authenticate", "")
            assert ('error="insufficient_scope"' in told) is not allowed
            assert (f'scope="{"chartline" if patient else "chartline.patients"}"' in told) is not allowed


def unsigned(claims: dict[str, Any]) -> str:
    return compact({"alg": "none"}, claims, b"")


def compact(header: dict[str, Any], claims: dict[str, Any], signature: bytes | Callable[[bytes], bytes]) -> str:
    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    told = f"{part(json.dumps(header).encode())}.{part(json.dumps(claims).encode())}"
    return f"{told}.{part(signature(told.encode()) if callable(signature) else signature)}"


def with_public_key_as_secret(claims: dict[str, Any]) -> str:
    """The classic confusion: HMAC with the public key that everybody can read."""
    secret = KEY.as_pem(private=False)
    return compact({"alg": "HS256", "kid": "one"}, claims, lambda text: hmac.digest(secret, text, hashlib.sha256))


def by_key(text: bytes) -> bytes:
    """The issuer's own signature, RS256."""
    return KEY.raw_value.sign(text, padding.PKCS1v15(), hashes.SHA256())


def good(ehr: Ehr, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {
        "iss": ehr.issuer, "aud": "http://localhost", "sub": "u1", "exp": now + 60,
        "scope": "chartline", "patient": MARIA,
    }  # fmt: skip
    return {k: v for k, v in (claims | changes).items() if v is not None}


NOW = int(time.time())
BAD: dict[str, Callable[[Ehr], str]] = {
    "expired": lambda e: signed(KEY, good(e, exp=NOW - 60)),
    "no expiry": lambda e: signed(KEY, good(e, exp=None)),
    "expiry is no number": lambda e: signed(KEY, good(e, exp="2099")),
    "expiry is true": lambda e: signed(KEY, good(e, exp=True)),
    "expiry is NaN": lambda e: signed(KEY, good(e, exp=float("nan"))),
    "expiry beyond floats": lambda e: signed(KEY, good(e, exp=10**400)),
    "not yet": lambda e: signed(KEY, good(e, nbf=NOW + 600)),
    "issued tomorrow": lambda e: signed(KEY, good(e, iat=NOW + 86_400)),
    "other audience": lambda e: signed(KEY, good(e, aud="https://other.example")),
    "audience of a list": lambda e: signed(KEY, good(e, aud=["https://other.example", {"a": 1}])),
    "no audience": lambda e: signed(KEY, good(e, aud=None)),
    "other issuer": lambda e: signed(KEY, good(e, iss=e.issuer + "/")),
    "no subject": lambda e: signed(KEY, good(e, sub=None)),
    "alg none": lambda e: unsigned(good(e)),
    "HMAC with the public key": lambda e: with_public_key_as_secret(good(e)),
    "another's key under this id": lambda e: signed(STRANGER, good(e)),
    "unknown key": lambda e: signed(RSAKey.generate_key(2048, {"kid": "nobody"}), good(e)),
    "identity token": lambda e: signed(KEY, good(e), typ="id+jwt"),
    "critical header": lambda e: compact({"alg": "RS256", "kid": "one", "crit": ["x"], "x": 1}, good(e), by_key),
    "critical header, empty": lambda e: compact({"alg": "RS256", "kid": "one", "crit": []}, good(e), by_key),
    "key id is a list": lambda e: compact({"alg": "RS256", "kid": ["one"]}, good(e), b"x"),
    "changed": lambda e: signed(KEY, good(e)).replace(".", ".e30", 1),
    "bound to a key": lambda e: signed(KEY, good(e, cnf={"jkt": "x"})),
    "patient is no id": lambda e: signed(KEY, good(e, patient="Group/1")),
    "patient is a list": lambda e: signed(KEY, good(e, patient=[MARIA])),
    "no JWT": lambda e: "abc",
    "five parts": lambda e: "a.b.c.d.e",
    "a header that is no JSON": lambda e: "e30x.e30.e30",
    "a header that is a list": lambda e: compact([], {}, b""),  # type: ignore[arg-type]
    "long": lambda e: "a." * 2 + "a" * 20_000,
}


async def test_a_bad_token_is_refused_and_never_another_way_in(ehr: Ehr, taking: Taking) -> None:
    """Also where whoever is at this machine needs none."""
    async with taking(service_local=True) as client:
        assert (await client.get("/v1/me")).status_code == 200
        for name, made in BAD.items():
            token = made(ehr)
            response = await client.get("/v1/me", headers=bearer(token))
            told = response.headers.get("www-authenticate", "")
            assert response.status_code == 401, name
            assert told.startswith('Bearer realm="chartline", error="invalid_token"')
            assert 'resource_metadata="http://localhost/.well-known/oauth-protected-resource"' in told
            assert token not in response.text


async def test_good_headers_are_taken(ehr: Ehr, taking: Taking) -> None:
    ehr.keys.append(EC)
    async with taking() as client:
        for typ in ("at+jwt", "application/at+jwt", "AT+JWT", "JWT", None):
            for alg in ("RS256", "RS384", "RS512", "PS256", "ES384"):
                claims, header = good(ehr, aud=["x", "http://localhost"]), {"alg": alg} | ({"typ": typ} if typ else {})
                token = signed(EC if alg == "ES384" else KEY, claims, **header)
                assert (await client.get("/v1/me", headers=bearer(token))).status_code == 200, header


async def test_a_clock_may_be_apart(ehr: Ehr, taking: Taking) -> None:
    now = int(time.time())
    token = signed(KEY, good(ehr, exp=now - 10, nbf=now - 100))
    async with taking() as client:
        assert (await client.get("/v1/me", headers=bearer(token))).status_code == 200
    async with taking(oauth_leeway=0) as client:
        assert (await client.get("/v1/me", headers=bearer(token))).status_code == 401


async def test_an_algorithm_can_be_left_out(ehr: Ehr, taking: Taking) -> None:
    async with taking(oauth_algorithms=("ES384",)) as client:
        assert (await client.get("/v1/me", headers=bearer(signed(KEY, good(ehr))))).status_code == 401


HEADERS = [
    ([("Authorization", "Basic dTpw")], 400),
    ([("Authorization", "Bearer")], 400),
    ([("Authorization", "Bearer a b")], 400),
    ([("Authorization", "")], 400),
    ([("Authorization", "Bearer a.b.c"), ("Authorization", "Bearer a.b.c")], 400),
    ([], 401),
]


async def test_headers_that_are_no_token(taking: Taking) -> None:
    async with taking() as client:
        for headers, status in HEADERS:
            response = await client.get("/v1/me", headers=headers)
            assert response.status_code == status, headers
            assert response.headers["www-authenticate"].startswith("Bearer realm=")
            assert ("error=" in response.headers["www-authenticate"]) is (status == 400)


async def test_tokens_in_an_address_are_not_read(ehr: Ehr, taking: Taking) -> None:
    """RFC 6750 5.3: they would stand in logs and histories."""
    async with taking() as client:
        response = await client.get("/v1/me", params={"access_token": ehr.access_token(scope="chartline.patients")})
    assert response.status_code == 401


async def test_new_keys_are_found_and_old_ones_are_refused(ehr: Ehr, taking: Taking) -> None:
    async with taking() as client:
        keys = client._transport.app.state.parts.entrance.gates._gates[0]._tokens._verifier.keys
        clock = [time.monotonic()]
        keys._clock = lambda: clock[0]
        old = signed(KEY, good(ehr))
        assert (await client.get("/v1/me", headers=bearer(old))).status_code == 200
        ehr.keys = [EC]
        new = signed(EC, good(ehr))
        assert (await client.get("/v1/me", headers=bearer(new))).status_code == 401  # it was read a moment ago
        clock[0] += 31
        assert (await client.get("/v1/me", headers=bearer(new))).status_code == 200
        assert (await client.get("/v1/me", headers=bearer(old))).status_code == 401
        reads = ehr.key_reads
        for _ in range(20):
            await client.get("/v1/me", headers=bearer(signed(STRANGER, good(ehr), kid="made-up")))
        assert ehr.key_reads == reads, "made-up ids do not have keys fetched"


async def test_an_issuer_that_is_down_is_no_bad_token(ehr: Ehr, taking: Taking) -> None:
    async with taking(oauth_jwks="http://127.0.0.1:9/keys") as client:
        response = await client.get("/v1/me", headers=bearer(signed(KEY, good(ehr))))
    assert (response.status_code, response.headers["retry-after"]) == (503, "30")


async def test_the_metadata_of_the_resource(ehr: Ehr, taking: Taking) -> None:
    async with taking(service_url="https://c.example/chart") as client:
        whole = (await client.get("/.well-known/oauth-protected-resource")).json()
        mcp = (await client.get("/.well-known/oauth-protected-resource/mcp")).json()
    assert whole["resource"] == "https://c.example/chart"
    assert whole["authorization_servers"] == [ehr.issuer]
    assert mcp == whole | {"resource": "https://c.example/chart/mcp"}


async def test_what_tokens_are_for_follows_the_address(ehr: Ehr, taking: Taking) -> None:
    async with taking(service_url="https://c.example", oauth_audience=()) as client:
        for aud, status in (("https://c.example", 200), ("https://c.example/mcp", 200), ("http://localhost", 401)):
            token = signed(KEY, good(ehr, aud=aud))
            assert (await client.get("/v1/me", headers=bearer(token))).status_code == status


@pytest.mark.parametrize(
    "changes",
    [
        {"oauth_audience": ()},
        {"oauth_issuer": "http://issuer.example"},
        {"oauth_jwks": "http://issuer.example/keys"},
        {"oauth_algorithms": ("HS256",)},
        {"oauth_algorithms": ("none",)},
        {"oauth_forward": True},
    ],
)
async def test_settings_that_would_be_unsafe_end_the_start(taking: Taking, changes: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="CHARTLINE_OAUTH"):
        async with taking(**changes):
            pass


# The caller's own token at the FHIR server.


async def test_the_users_token_goes_to_the_fhir_server(ehr: Ehr, taking: Taking) -> None:
    token, other = ehr.access_token(scope="user/*.rs"), ehr.access_token(scope="user/*.rs", sub="u2")
    for known in (token, other):
        ehr.tokens[known] = ("user/*.rs", None, time.monotonic() + 60)
    async with taking(ehr.iss, oauth_forward=True) as client:
        for mine, patient in ((token, MARIA), (other, ROBERT)):
            asked = {"question": "how old is the patient?", "patient": patient}
            answer = await client.post("/v1/ask", json=asked, headers=bearer(mine))
            assert answer.json()["status"] == "answered"
    users = (
        {line.split()[0] for line in ehr.asked if MARIA in line},
        {line.split()[0] for line in ehr.asked if ROBERT in line},
    )
    assert users == ({token}, {other})


async def test_a_forwarded_token_that_the_fhir_server_refuses_is_told(ehr: Ehr, taking: Taking) -> None:
    token = ehr.access_token(scope="user/*.rs")
    async with taking(ehr.iss, oauth_forward=True) as client:
        answer = await client.post("/v1/ask", json={"question": "last A1c?", "patient": MARIA}, headers=bearer(token))
    assert answer.status_code == 502 or answer.json()["status"] in ("failed", "incomplete")


async def test_a_forwarded_tokens_scopes_make_an_answer_incomplete(ehr: Ehr, taking: Taking) -> None:
    scope = "patient/Patient.rs patient/Condition.rs"
    token = ehr.access_token(scope=scope, patient=MARIA)
    ehr.tokens[token] = (scope, MARIA, time.monotonic() + 60)
    async with taking(ehr.iss, oauth_forward=True) as client:
        answer = await client.post("/v1/ask", json={"question": "last A1c?"}, headers=bearer(token))
    assert answer.json()["status"] == "incomplete"
