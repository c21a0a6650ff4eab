"""Who may call: tokens as EHRs sign them, and what is wrong with them."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from joserfc.jwk import ECKey
from pydantic import ValidationError
from sqlalchemy import select

from agent.errors import SettingsError, UserError
from agent.service.app import create_app
from agent.service.cds.clients import read_clients
from agent.service.cds.gate import SEEN
from agent.settings import Settings
from tests.agent.service.cds.conftest import context
from tests.agent.service.conftest import FOLDER, Opened, client_of, settings_in
from tools.cds_client import Signer, request

ISSUER = "https://ehr.example/"
URL = "https://cds.example/app"
PATH = "/cds-services/chartline-order-sign"
AUDIENCE = f"{URL}{PATH}"
BODY = request("order-sign", context(drafts=[]), {"medications": None, "platelets": None})


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer()


@pytest.fixture(scope="module")
def rsa() -> Signer:
    return Signer("rsa-1", "RSA", 2048)


def clients_file(folder: Path, *signers: Signer, more: str = "", rows: list[Any] | None = None) -> Path:
    keys = folder / "jwks.json"
    keys.write_bytes(orjson.dumps({"keys": rows or [s.public() for s in signers]}))
    path = folder / "clients.yaml"
    path.write_text(f"clients:\n  - issuer: {ISSUER}\n    jwks: {keys}\n{more}")
    return path


@pytest.fixture
async def guarded(opened: Opened, tmp_path: Path, signer: Signer, rsa: Signer) -> AsyncIterator[httpx.AsyncClient]:
    path = clients_file(tmp_path, signer, rsa)
    async with opened(cds_clients=path, service_url=URL) as client:
        yield client


async def called(client: httpx.AsyncClient, token: str, path: str = PATH, body: Any = BODY) -> httpx.Response:
    return await client.post(path, json=body, headers={"Authorization": f"Bearer {token}"})


async def test_both_algorithms_are_taken(guarded: httpx.AsyncClient, signer: Signer, rsa: Signer) -> None:
    for one in (signer, rsa):
        for audience in (AUDIENCE, [AUDIENCE, "https://other.example"]):
            answer = await called(guarded, one.token(ISSUER, audience))  # type: ignore[arg-type]
            assert (answer.status_code, answer.json()) == (200, {"cards": []})


NOW = time.time()


@pytest.mark.parametrize(
    ("claims", "header", "told"),
    [
        ({"aud": f"{URL}/cds-services"}, {}, "audience"),
        ({"aud": "http://localhost/cds-services/chartline-order-sign"}, {}, "audience"),
        ({"aud": None}, {}, "audience"),
        ({"aud": [[AUDIENCE]]}, {}, "audience"),
        ({"exp": NOW - 120}, {}, "expired"),
        ({"exp": None}, {}, "its exp is no time"),
        ({"exp": "soon"}, {}, "its exp is no time"),
        ({"exp": True}, {}, "its exp is no time"),
        ({"exp": 1e300}, {}, "lives longer"),
        ({"iat": None}, {}, "iat is missing"),
        ({"iat": NOW + 600, "exp": NOW + 700}, {}, "not valid yet"),
        ({"exp": NOW + 90_000}, {}, "lives longer"),
        ({"jti": None}, {}, "jti"),
        ({"jti": 7}, {}, "jti"),
        ({"jti": "a\0b"}, {}, "jti"),
        ({"iss": "https://evil.example"}, {}, "iss"),
        ({"iss": None}, {}, "iss"),
        ({}, {"typ": None}, "another kind"),
        ({}, {"typ": "at+jwt"}, "another kind"),
        ({}, {"kid": None}, "kid"),
        ({}, {"kid": "other"}, "its key is not one"),
        ({}, {"jku": "https://evil.example/keys"}, "jku"),
    ],
)
async def test_a_token_that_does_not_hold_is_refused(
    guarded: httpx.AsyncClient, signer: Signer, claims: dict[str, Any], header: dict[str, Any], told: str
) -> None:
    given = {"issuer": claims.get("iss", ISSUER), "audience": claims.get("aud", AUDIENCE)}
    rest = {k: v for k, v in claims.items() if k not in ("iss", "aud")}
    answer = await called(guarded, signer.token(**given, header=header, **rest))
    assert answer.status_code == 401 and answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:chartline:problem:client" and told in answer.json()["detail"]
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_forgeries_are_refused(guarded: httpx.AsyncClient, signer: Signer, rsa: Signer) -> None:
    """Another's key, another algorithm, no algorithm, a changed claim, and what is no token at all."""
    stranger = Signer(signer.kid)
    good = signer.token(ISSUER, AUDIENCE)
    head, claims, signature = good.split(".")

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(orjson.dumps(value)).decode().rstrip("=")

    said = orjson.loads(base64.urlsafe_b64decode(claims + "=="))
    unsigned = f"{part({'alg': 'none', 'kid': signer.kid, 'typ': 'JWT'})}.{claims}."
    mixed = f"{part({'alg': 'RS384', 'kid': signer.kid, 'typ': 'JWT'})}.{claims}.{signature}"
    changed = f"{head}.{part({**said, 'tenant': 'x'})}.{signature}"
    for token in (
        stranger.token(ISSUER, AUDIENCE), unsigned, mixed, changed, "x", "a.b.c", "..", f"{head}.{claims}",
        f"{head}.{part([1])}.{signature}", f"{part([1])}.{claims}.{signature}",
    ):  # fmt: skip
        answer = await called(guarded, token)
        assert answer.status_code == 401, (token, answer.text)
    assert (await called(guarded, good)).status_code == 200


async def test_feedback_is_taken_for_either_address(guarded: httpx.AsyncClient, signer: Signer) -> None:
    body = {"feedback": [{"card": "x", "outcome": "overridden", "outcomeTimestamp": "2026-06-15T00:00:00Z"}]}
    for audience, status in ((AUDIENCE, 404), (f"{AUDIENCE}/feedback", 404), (f"{URL}/cds-services/other", 401)):
        answer = await called(guarded, signer.token(ISSUER, audience), f"{PATH}/feedback", body)
        assert answer.status_code == status
    assert (await called(guarded, signer.token(ISSUER, f"{AUDIENCE}/feedback"))).status_code == 401


async def test_the_ids_of_ended_tokens_are_let_go(guarded: httpx.AsyncClient, signer: Signer) -> None:
    app = guarded._transport.app  # type: ignore[attr-defined]
    assert (await called(guarded, signer.token(ISSUER, AUDIENCE, jti="old"))).status_code == 200
    later = time.time() + 4000
    app.state.cds.gate._clock = lambda: later
    answer = await called(guarded, signer.token(ISSUER, AUDIENCE, jti="new"))
    assert answer.status_code == 200, answer.text
    async with app.state.parts.database.connect() as connection:
        assert list((await connection.execute(select(SEEN.c.jti))).scalars()) == ["new"]


async def test_a_token_is_taken_once(guarded: httpx.AsyncClient, signer: Signer) -> None:
    token = signer.token(ISSUER, AUDIENCE)
    assert (await called(guarded, token)).status_code == 200
    again = await called(guarded, token)
    assert again.status_code == 401 and "jti was used before" in again.json()["detail"]


async def test_a_refused_call_uses_no_token_up(guarded: httpx.AsyncClient, signer: Signer) -> None:
    token = signer.token(ISSUER, AUDIENCE, jti="one")
    assert (await called(guarded, token, "/cds-services/chartline-patient-view")).status_code == 401
    assert (await called(guarded, token)).status_code == 200


@pytest.mark.parametrize("header", [{}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer "}])
async def test_without_a_token_nothing_is_told(guarded: httpx.AsyncClient, header: dict[str, str]) -> None:
    for path in (PATH, f"{PATH}/feedback", "/cds-services/no-such"):
        answer = await guarded.post(path, json=BODY, headers=header)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="cds-services"')
    assert (await guarded.get("/cds-services")).status_code == 200


async def test_a_proxy_on_this_machine_is_not_this_machine(opened: Opened) -> None:
    async with opened(cds_open=True) as client:
        assert (await client.post(PATH, json=BODY)).status_code == 200
        for name in ("X-Forwarded-For", "Forwarded", "Via"):
            assert (await client.post(PATH, json=BODY, headers={name: "203.0.113.7"})).status_code == 401


async def test_a_web_page_is_no_program_on_this_machine(opened: Opened) -> None:
    async with opened(cds_open=True, cds_origins=("https://sandbox.example",)) as client:
        for headers, status in (
            ({"Origin": "https://evil.example"}, 403),
            ({"Host": "evil.example"}, 421),
            ({"Origin": "https://sandbox.example", "Sec-Fetch-Site": "cross-site"}, 200),
            ({"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 403),
            ({"Origin": "https://sandbox.example"}, 200),
            ({"Host": "127.0.0.1:8000"}, 200),
            ({"Host": "[::1]:8000"}, 200),
        ):
            assert (await client.post(PATH, json=BODY, headers=headers)).status_code == status, headers


@pytest.mark.parametrize("origin", ["*", "sandbox.example", "https://a.example/path"])
def test_an_origin_is_written_as_one(origin: str) -> None:
    with pytest.raises(ValidationError, match="is no origin"):
        Settings(cds_origins=(origin,))


async def test_another_machine_is_not_let_in_without_a_token(tmp_path: Path) -> None:
    app = create_app(settings_in(tmp_path, cds_open=True), fhir=(str(FOLDER),))
    async with client_of(app):
        transport = httpx.ASGITransport(app=app, client=("203.0.113.7", 999))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            assert (await client.post(PATH, json=BODY)).status_code == 401


async def test_a_tenant_that_the_client_may_not_call_for(opened: Opened, tmp_path: Path, signer: Signer) -> None:
    path = clients_file(tmp_path, signer, more="    tenants: [north]\n")
    async with opened(cds_clients=path, service_url=URL) as client:
        for tenant, status in (("north", 200), ("south", 401), (None, 401)):
            assert (await called(client, signer.token(ISSUER, AUDIENCE, tenant=tenant))).status_code == status


@pytest.mark.parametrize("kind", [("EC", "P-256"), ("RSA", 1024)])
async def test_weak_keys_verify_nothing(opened: Opened, tmp_path: Path, signer: Signer, kind: tuple[str, Any]) -> None:
    weak = ECKey.generate_key(kind[1]).as_dict(private=False) if kind[0] == "EC" else _short()
    rows = [{**weak, "kid": signer.kid}]
    async with opened(cds_clients=clients_file(tmp_path, rows=rows), service_url=URL) as client:
        answer = await called(client, signer.token(ISSUER, AUDIENCE))
        assert answer.status_code == 401 and "its key is not one" in answer.json()["detail"]


def _short() -> dict[str, Any]:
    """An RSA key of 1024 bits, by its parts: libraries warn of making one."""
    number = base64.urlsafe_b64encode(b"\xc1" + b"\x07" * 127).decode().rstrip("=")
    return {"kty": "RSA", "n": number, "e": "AQAB"}


async def test_tokens_need_an_address_that_they_are_for(tmp_path: Path, signer: Signer) -> None:
    app = create_app(settings_in(tmp_path, cds_clients=clients_file(tmp_path, signer)), fhir=(str(FOLDER),))
    with pytest.raises(SettingsError, match="CHARTLINE_SERVICE_URL"):
        async with client_of(app):
            pass


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("clients:\n  - issuer: a\n", "line 2: clients.0: give either jwks_url or jwks"),
        (
            "clients:\n  - issuer: a\n    jwks_url: http://ehr.example/k\n",
            "line 3: clients.0.jwks_url: an https address",
        ),
        ("clients:\n  - {issuer: a, jwks: k}\n  - {issuer: a, jwks: k}\n", "two clients have the issuer 'a'"),
        ("clients:\n  - issuer: a\n    jwks: k\n    server: x\n", "line 4: clients.0.server: there is no such key"),
        ("local_servers: [ftp://x]\n", "line 1: local_servers.0: what is asked is a path, or a FHIR server"),
    ],
)
def test_the_file_of_clients_tells_its_faults(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "clients.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_clients(path)
    assert told in str(caught.value)
