"""SMART Backend Services and App Launch tokens against a server that verifies what it is sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from fhir_tools.auth import Backend, Client, Launched, smart
from fhir_tools.auth.keeping import write_back
from fhir_tools.auth.keys import SigningKey
from fhir_tools.auth.secret import Secret
from fhir_tools.auth.tokens import Token, read_token
from fhir_tools.errors import SourceError, UserError
from fhir_tools.http import Http

BASE = "https://fhir.example/r4"
TOKENS = "https://auth.example/token"


@pytest.fixture
def backend(key: SigningKey) -> Backend:
    return Backend(BASE, "app", key)


@pytest.fixture
async def client(server: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=server.transport()) as made:
        yield made


async def test_a_token_is_fetched_once_and_used_by_all(
    server: Any, backend: Backend, client: httpx.AsyncClient
) -> None:
    answers = await asyncio.gather(*(client.get(f"{BASE}/Observation", auth=backend) for _ in range(10)))
    assert [a.status_code for a in answers] == [200] * 10
    assert (server.count("auth.example/token"), server.count("fhir.example/r4/.well-known")) == (1, 1)
    assert str(backend.granted) == "system/*.rs"


async def test_discovery_and_token_requests_carry_no_fhir_credentials(
    server: Any, backend: Backend, client: httpx.AsyncClient
) -> None:
    await client.get(f"{BASE}/Observation", auth=backend)
    seen = [
        (url.partition("?")[0], "authorization" in h)
        for (_, url), h in zip(server.requests, server.headers, strict=True)
    ]
    assert seen == [
        ("fhir.example/r4/.well-known/smart-configuration", False),
        ("auth.example/token", False),
        ("fhir.example/r4/Observation", True),
    ]


async def test_a_token_is_renewed_shortly_before_it_ends(
    server: Any, backend: Backend, client: httpx.AsyncClient
) -> None:
    server.lives = 0.5
    for _ in range(4):
        assert (await client.get(f"{BASE}/Observation", auth=backend)).status_code == 200
        await asyncio.sleep(0.25)
    assert server.count("auth.example/token") in (2, 3)
    assert server.count("fhir.example/r4/Observation") == 4  # none was refused: the token never had ended


async def test_a_token_withdrawn_in_the_middle_of_paging_is_fetched_anew(server: Any, backend: Backend) -> None:
    ids, url = [], f"{BASE}/Observation?page=0"
    async with Http(BASE, auth=backend, transport=server.transport()) as http:
        while url:
            bundle = httpx.Response(200, content=(await http.send("GET", url)).body).json()
            ids += [e["resource"]["id"] for e in bundle["entry"]]
            url = next((link["url"] for link in bundle["link"]), "")
            server.tokens.clear() if len(ids) == 2 else None
    assert (ids, server.count("auth.example/token")) == (["0", "1", "2"], 2)


async def test_many_requests_that_are_refused_at_once_share_one_new_token(
    server: Any, backend: Backend, client: httpx.AsyncClient
) -> None:
    await client.get(f"{BASE}/Observation", auth=backend)
    server.tokens = {"other": time.monotonic() + 60}
    answers = await asyncio.gather(*(client.get(f"{BASE}/Observation", auth=backend) for _ in range(8)))
    assert ([a.status_code for a in answers], server.count("auth.example/token")) == ([200] * 8, 2)


async def test_a_server_that_refuses_every_token_is_asked_twice(
    server: Any, backend: Backend, client: httpx.AsyncClient
) -> None:
    server.lives = -1
    assert (await client.get(f"{BASE}/Observation", auth=backend)).status_code == 401
    assert (server.count("fhir.example/r4/Observation"), server.count("auth.example/token")) == (2, 2)


async def test_refused_requests_give_their_connection_back_before_they_wait(server: Any, backend: Backend) -> None:
    async with httpx.AsyncClient(transport=server.transport(), limits=httpx.Limits(max_connections=1)) as client:
        await client.get(f"{BASE}/Observation", auth=backend)
        server.tokens.clear()
        async with asyncio.timeout(5):
            await asyncio.gather(*(client.get(f"{BASE}/Observation", auth=backend) for _ in range(4)))


async def test_the_oauth_uris_of_the_statement_are_taken_where_there_is_no_discovery_document(
    server: Any, backend: Backend, client: httpx.AsyncClient
) -> None:
    server.discovery, server.statement = False, True
    assert (await client.get(f"{BASE}/Observation", auth=backend)).status_code == 200


async def test_a_server_without_either_is_told(server: Any, backend: Backend, client: httpx.AsyncClient) -> None:
    server.discovery = False
    with pytest.raises(SourceError, match=r"names no token endpoint \(.*404.*; set token_url"):
        await client.get(f"{BASE}/Observation", auth=backend)


async def test_a_token_url_of_the_settings_needs_no_discovery(
    server: Any, key: SigningKey, client: httpx.AsyncClient
) -> None:
    backend = Backend(BASE, "app", key, token_url=TOKENS)
    assert (await client.get(f"{BASE}/Observation", auth=backend)).status_code == 200
    assert server.count("fhir.example/r4/.well-known") == 0


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("methods", ["client_secret_basic"], "client authentication 'private_key_jwt'"),
        ("algorithms", ["RS512"], "algorithm"),
    ],
)
async def test_what_the_server_does_not_list_is_not_tried(
    server: Any, backend: Backend, client: httpx.AsyncClient, field: str, value: list[str], told: str
) -> None:
    setattr(server, field, value)
    with pytest.raises(SourceError, match=told):
        await client.get(f"{BASE}/Observation", auth=backend)
    assert server.count("auth.example/token") == 0


async def test_a_key_that_is_not_registered_is_told_with_its_remedy(server: Any, client: httpx.AsyncClient) -> None:
    stranger = SigningKey(ECKey.generate_key("P-384"), kid="key-1")
    with pytest.raises(SourceError, match=r"401, invalid_client.*public key.*clock") as raised:
        await client.get(f"{BASE}/Observation", auth=Backend(BASE, "app", stranger))
    assert "signature" not in str(raised.value)  # the server's own words are not repeated


@pytest.mark.parametrize("apart", [-600, 600])
async def test_a_clock_that_is_wrong_is_named(
    server: Any, jose_key: Any, client: httpx.AsyncClient, apart: int
) -> None:
    key = SigningKey(jose_key, kid="key-1", clock=lambda: time.time() + apart)
    with pytest.raises(SourceError, match="invalid_client"):
        await client.get(f"{BASE}/Observation", auth=Backend(BASE, "app", key))
    date = format_datetime(datetime.now(UTC) - timedelta(seconds=apart), usegmt=True)
    server.answers = [JSONResponse({"error": "invalid_client"}, 401, headers={"Date": date})]
    with pytest.raises(SourceError, match=r"it is (599|600|601) s (ahead of|behind) the server's") as raised:
        await client.get(f"{BASE}/Observation", auth=Backend(BASE, "app", key))
    assert ("ahead" in str(raised.value)) == (apart > 0)


async def test_every_assertion_has_a_jti_of_its_own(server: Any, backend: Backend, client: httpx.AsyncClient) -> None:
    for _ in range(3):
        server.tokens.clear()
        assert (await client.get(f"{BASE}/Observation", auth=backend)).status_code == 200
    assert len(server.jtis) == 3


async def test_a_busy_token_endpoint_is_asked_again(server: Any, backend: Backend, client: httpx.AsyncClient) -> None:
    server.answers = [Response(status_code=503, headers={"Retry-After": "0"}), Response(status_code=429)]
    assert (await client.get(f"{BASE}/Observation", auth=backend)).status_code == 200
    server.tokens.clear()
    server.answers = [Response(status_code=503, headers={"Retry-After": "0"})] * 3
    with pytest.raises(SourceError, match=r"failed \(503\)") as raised:
        await client.get(f"{BASE}/Observation", auth=backend)
    assert raised.value.status is None  # it is not the FHIR server's


async def test_requests_that_waited_for_a_token_that_failed_fail_with_it(
    server: Any, backend: Backend, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.keys = {"keys": []}
    gets = (client.get(f"{BASE}/Observation", auth=backend) for _ in range(6))
    faults = await asyncio.gather(*gets, return_exceptions=True)
    assert {type(f) for f in faults} == {SourceError} and server.count("auth.example/token") == 1
    with pytest.raises(SourceError):  # one that comes a moment later as well
        await client.get(f"{BASE}/Observation", auth=backend)
    assert server.count("auth.example/token") == 1
    monkeypatch.setattr(smart, "_REST", 0.0)
    with pytest.raises(SourceError):
        await client.get(f"{BASE}/Observation", auth=backend)
    assert server.count("auth.example/token") == 2


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda: HTMLResponse("<p>sign in</p>"), "answered 200 without a token"),
        (lambda: JSONResponse({"token_type": "bearer"}), "without a token"),
        (lambda: JSONResponse([1]), "without a token"),
        (lambda: JSONResponse({"access_token": "x", "token_type": "mac"}), "no bearer token"),
        (lambda: JSONResponse({"access_token": "x\r\nHost: evil"}), "characters that no header"),
        (lambda: JSONResponse({"error": "invalid_scope"}, 400), r"invalid_scope\): ask for scopes"),
        (lambda: JSONResponse({"error": "access-7f3a"}, 400), r"failed \(400\)"),
        (lambda: JSONResponse({"error": ["x"]}, 400), r"failed \(400\)"),
        (lambda: Response(status_code=401), "invalid_client"),
        (lambda: RedirectResponse("https://evil.example/token", 307), "redirects .307., which is not followed"),
    ],
)
async def test_other_answers_of_a_token_endpoint(
    server: Any, backend: Backend, client: httpx.AsyncClient, answer: Any, told: str
) -> None:
    server.answers = [answer()]
    with pytest.raises(SourceError, match=told) as raised:
        await client.get(f"{BASE}/Observation", auth=backend)
    assert "7f3a" not in str(raised.value) and "evil" not in str(raised.value)


@pytest.mark.parametrize(
    ("lives", "renewed"),
    [
        ("300", False),
        (None, False),
        ("soon", False),
        (0, True),
        (-5, True),
        ("inf", False),
        (10**15, False),
        ("nan", True),
    ],
)
async def test_lifetimes_as_servers_write_them(
    server: Any, backend: Backend, client: httpx.AsyncClient, lives: Any, renewed: bool
) -> None:
    server.tokens["t"] = time.monotonic() + 60
    answer = {"access_token": "t", "token_type": "Bearer", "expires_in": lives}
    server.answers = [JSONResponse(answer) for _ in range(2)]
    for _ in range(2):
        assert (await client.get(f"{BASE}/Observation", auth=backend)).status_code == 200
    assert (server.count("auth.example/token") == 2) == renewed
    assert backend.granted is None  # the response did not say


async def test_a_life_without_end_can_be_kept(tmp_path: Path) -> None:
    path = tmp_path / "launch.json"
    path.write_text('{"server": [1, {"client_id": "app", "fhir": null}]}')
    for lives in ("1e300", "inf", 9e15):
        token = read_token(httpx.Response(200, json={"access_token": "t", "expires_in": lives}), time.monotonic())
        assert token.ends_at is not None and not token.ended()
        write_back(path, "app", None, token)
        assert '"access_token": "t"' in path.read_text() and "expires_at" in path.read_text()


@pytest.mark.parametrize("wait", [b"\xb2", "²".encode(), b"-1", b"soon", b"9" * 400])
async def test_a_strange_retry_after_is_no_fault(
    server: Any, backend: Backend, client: httpx.AsyncClient, wait: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fhir_tools.auth.smart._LONGEST_PAUSE", 0.01)
    monkeypatch.setattr("fhir_tools.auth.smart._PAUSES", (0.01,))
    busy = Response(status_code=503)
    busy.raw_headers.append((b"retry-after", wait))
    server.answers = [busy]
    assert (await client.get(f"{BASE}/Observation", auth=backend)).status_code == 200


async def test_a_request_to_another_origin_has_no_credentials(
    server: Any, backend: Backend, client: httpx.AsyncClient
) -> None:
    await client.get("https://other.example/r4/Observation", auth=backend)
    assert server.requests == [("GET", "other.example/r4/Observation")] and "authorization" not in server.headers[0]


async def test_a_discovered_token_endpoint_is_https(backend: Backend) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"token_endpoint": "http://auth.example/token"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        with pytest.raises(SourceError, match="not https"):
            await client.get(f"{BASE}/Observation", auth=backend)


async def test_a_token_endpoint_elsewhere_is_not_taken_from_a_document_that_came_without_tls(key: SigningKey) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(200, json={"token_endpoint": endpoint, "access_token": "t"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        base, endpoint = "http://fhir.intern/r4", "http://fhir.intern/token"
        await client.get(f"{base}/Observation", auth=Backend(base, "app", key, cleartext=True))
        assert seen[1:] == [endpoint, f"{base}/Observation"]
        endpoint = "https://evil.example/token"
        with pytest.raises(SourceError, match=r"without TLS.*; set token_url"):
            await client.get(f"{base}/Observation", auth=Backend(base, "app", key, cleartext=True))
    assert not any("evil" in url for url in seen)


async def test_a_client_that_follows_redirects_by_itself_gets_no_token_by_them(server: Any, backend: Backend) -> None:
    server.answers = [RedirectResponse("https://evil.example/token", 303)]
    async with httpx.AsyncClient(transport=server.transport(), follow_redirects=True) as client:
        with pytest.raises(SourceError, match="redirected"):
            await client.get(f"{BASE}/Observation", auth=backend)


async def test_token_requests_have_the_time_outs_of_the_request_that_needs_them(backend: Backend) -> None:
    seen: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.extensions.get("timeout"))
        return httpx.Response(200, json={"token_endpoint": TOKENS, "access_token": "t"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer), timeout=7) as client:
        await client.get(f"{BASE}/Observation", auth=backend)
    assert len(seen) == 3 and all(t and t["read"] == 7 for t in seen)


@pytest.mark.parametrize("base", ["http://fhir.example/r4", "ftp://fhir.example", "http://localhost.evil.example"])
def test_credentials_do_not_travel_in_the_clear(key: SigningKey, base: str) -> None:
    with pytest.raises(UserError, match="unencrypted"):
        Backend(base, "app", key)
    with pytest.raises(UserError, match="unencrypted"):
        Backend(BASE, "app", key, token_url=base)


@pytest.mark.parametrize("base", ["http://127.0.0.1:8080/r4", "http://localhost/r4", "http://[::1]:1/r4"])
def test_this_machine_may_be_spoken_to_without_tls(key: SigningKey, base: str) -> None:
    assert Backend(base, "app", key).base == base
    assert Backend("http://fhir.intern/r4", "app", key, cleartext=True).base == "http://fhir.intern/r4"


# App Launch.


def launched(server: Any, client: Client | None = None, lives: float = 60.0, **options: Any) -> Launched:
    """An app in the middle of its first token's life."""
    server.tokens["access-first"] = time.monotonic() + lives
    server.scope = "patient/Observation.rs launch/patient"
    ends = time.monotonic() + lives
    token = Token(
        access=Secret("access-first"),
        refresh=Secret(server.refresh) if options.pop("refresh", True) else None,
        renew_at=ends,
        ends_at=ends,
        scope="patient/*.read",
        patient="p1",
    )
    return Launched(BASE, client or Client("app"), token, **options)


async def test_the_tokens_of_a_launch_are_renewed_and_told(server: Any, client: httpx.AsyncClient) -> None:
    told: list[Token] = []
    auth = launched(server, lives=0.2, on_refresh=told.append)
    assert auth.granted is not None and auth.granted.allows("Condition", "r")
    assert (await client.get(f"{BASE}/Observation", auth=auth)).status_code == 200
    assert server.count("auth.example/token") == 0
    for turn in (1, 2):
        await asyncio.sleep(0.25)
        server.tokens.clear() if turn == 2 else None
        assert (await client.get(f"{BASE}/Observation", auth=auth)).status_code == 200
    assert [t.refresh and t.refresh.reveal() for t in told] == ["refresh-1", "refresh-2"]
    assert told[0].patient == "p1" and not auth.granted.allows("Condition", "r")


async def test_a_callback_may_be_asynchronous(server: Any, client: httpx.AsyncClient) -> None:
    told: list[Token] = []

    async def keep(token: Token) -> None:
        await asyncio.sleep(0)
        told.append(token)

    await client.get(f"{BASE}/Observation", auth=launched(server, lives=-1, on_refresh=keep))
    assert len(told) == 1


@pytest.mark.parametrize("way", ["secret", "key"])
async def test_a_confidential_client_proves_itself(
    server: Any, key: SigningKey, client: httpx.AsyncClient, way: str
) -> None:
    server.secret = "s:e c/r+et"
    who = Client("app", secret=Secret(server.secret)) if way == "secret" else Client("app", key=key)
    assert (await client.get(f"{BASE}/Observation", auth=launched(server, who, lives=-1))).status_code == 200
    server.secret = "another"
    if way == "secret":
        with pytest.raises(SourceError, match="invalid_client"):
            await client.get(f"{BASE}/Observation", auth=launched(server, who, lives=-1))


async def test_a_refresh_token_that_has_ended_says_to_launch_again(server: Any, client: httpx.AsyncClient) -> None:
    auth = launched(server, lives=-1)
    server.refresh = "refresh-9"
    with pytest.raises(SourceError, match="launch the app again"):
        await client.get(f"{BASE}/Observation", auth=auth)


async def test_a_launch_without_refresh_token_ends_with_its_token(server: Any, client: httpx.AsyncClient) -> None:
    auth = launched(server, lives=0.2, refresh=False)
    assert (await client.get(f"{BASE}/Observation", auth=auth)).status_code == 200
    await asyncio.sleep(0.25)
    with pytest.raises(SourceError, match="launch the app again"):
        await client.get(f"{BASE}/Observation", auth=auth)
    withdrawn = launched(server, refresh=False)
    server.tokens.clear()
    with pytest.raises(SourceError, match="launch the app again"):
        await client.get(f"{BASE}/Observation", auth=withdrawn)
    assert server.count("auth.example/token") == 0


def test_a_client_has_one_way_to_prove_itself(key: SigningKey) -> None:
    with pytest.raises(UserError, match="not both"):
        Client("app", key=key, secret=Secret("x"))
