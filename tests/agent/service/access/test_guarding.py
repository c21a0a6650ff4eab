"""What pages in a browser may send: a matrix of sites, cookies and ways in; and the headers of every answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from agent.errors import UserError
from agent.service.access.browsers import guard, headed
from agent.service.access.cookies import SESSION, cookie_of, token_of
from agent.service.access.guarding import csrf_of
from agent.service.access.keys import KeyFile
from agent.service.access.ways import Ways, check_reachable, ways
from tests.agent.service.conftest import Opened, settings_in

TOKEN = "t" * 43
OWN = {"X-CSRF-Token": csrf_of(TOKEN)}
COOKIE = {"Cookie": f"{SESSION}={TOKEN}"}


def app_of(folder: Path, *, signed: bool = False, **changes: object) -> FastAPI:
    """An app that answers everything, behind the guard. `signed`: nobody is let in without signing in."""
    app = FastAPI()
    settings = settings_in(folder, service_local=not signed, **changes)
    guard(app, settings)
    headed(app, settings)

    @app.api_route("/{path:path}", methods=["GET", "POST", "DELETE", "PUT"])
    async def anything(path: str, request: Request) -> dict[str, str]:
        if path == "broken":
            raise ZeroDivisionError("Jane Doe")
        return {"path": path}

    return app


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service where people sign in, at https://c.example."""
    app = app_of(tmp_path, signed=True, service_url="https://c.example", service_origins=("https://friend.example",))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://c.example") as client:
        yield client


def site(value: str, mode: str = "cors") -> dict[str, str]:
    return {"Sec-Fetch-Site": value, "Sec-Fetch-Mode": mode}


CHANGING = [
    # headers of a POST, and whether it is let through
    ({}, True),  # no browser, no cookie
    ({"Origin": "https://c.example"}, True),
    ({"Origin": "https://C.EXAMPLE:443"}, True),
    ({"Origin": "https://c.example:8443"}, False),
    ({"Origin": "http://c.example.evil.example"}, False),
    ({"Origin": "https://evil.example"}, False),
    ({"Origin": "null"}, False),
    ({"Origin": "https://[::1"}, False),
    ({"Origin": "https://friend.example"}, True),
    (site("same-origin"), True),
    (site("none"), True),
    (site("same-site"), False),
    (site("cross-site"), False),
    (site("cross-site", "navigate"), False),
    (site("cross-site") | {"Origin": "https://friend.example"}, True),
    (site("cross-site") | {"Origin": "https://c.example"}, False),
    (site("weird"), False),
    ({"Origin": "https://evil.example", "Authorization": "Bearer x"}, True),
    ({"Origin": "https://evil.example", "Authorization": "Basic dTpw"}, False),
    # with a session's cookie
    (COOKIE, False),
    (COOKIE | OWN, True),
    (COOKIE | {"X-CSRF-Token": ""}, False),
    (COOKIE | {"X-CSRF-Token": csrf_of("u" * 43)}, False),
    (COOKIE | {"X-CSRF-Token": TOKEN}, False),
    (COOKIE | site("same-origin"), False),
    (COOKIE | site("same-origin") | OWN, True),
    (COOKIE | site("cross-site") | OWN, False),
    (COOKIE | OWN | {"Origin": "https://evil.example"}, False),
    ({"Cookie": f"{SESSION}={TOKEN}; {SESSION}={'u' * 43}"} | OWN, False),
    ({"Cookie": "other=1"}, True),
]


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
async def test_what_changes_something_is_of_our_own_pages(browser: httpx.AsyncClient, method: str) -> None:
    for headers, allowed in CHANGING:
        response = await browser.request(method, "/v1/threads", headers=headers)
        assert response.status_code == (200 if allowed else 403), headers
        if not allowed:
            assert response.headers["content-type"] == "application/problem+json"
            assert response.json()["type"].rpartition(":")[2] in ("cross-site", "csrf")


READING = [
    ({}, True),
    (COOKIE, True),
    ({"Origin": "https://evil.example"}, True),  # an older browser: it does not show the answer to that page
    (site("cross-site", "navigate"), True),  # a link from an EHR
    (site("cross-site", "no-cors"), False),  # an image, a script
    (site("cross-site") | {"Origin": "https://evil.example"}, False),
    (site("cross-site") | {"Origin": "https://friend.example"}, True),
    (site("same-site"), False),
    (site("same-origin"), True),
    (site("none", "navigate"), True),
]


async def test_what_reads_is_not_of_other_pages(browser: httpx.AsyncClient) -> None:
    for headers, allowed in READING:
        response = await browser.get("/v1/threads", headers=headers)
        assert response.status_code == (200 if allowed else 403), headers


async def test_signing_in_needs_no_token_of_a_session_and_no_other_site(browser: httpx.AsyncClient) -> None:
    assert (await browser.post("/v1/sign-in", headers=COOKIE)).status_code == 200
    assert (await browser.post("/v1/sign-in", headers=site("cross-site"))).status_code == 403


async def test_other_pages_may_call_where_they_are_named(browser: httpx.AsyncClient) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    good = await browser.options("/v1/ask", headers=asked | {"Origin": "https://friend.example"})
    assert good.headers["access-control-allow-origin"] == "https://friend.example"
    assert "access-control-allow-credentials" not in good.headers
    for origin in ("https://evil.example", "null"):
        bad = await browser.options("/v1/ask", headers=asked | site("cross-site") | {"Origin": origin})
        assert "access-control-allow-origin" not in bad.headers


async def test_there_is_no_cors_by_default(tmp_path: Path) -> None:
    app = app_of(tmp_path)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        response = await client.get("/v1/me", headers={"Origin": "https://evil.example"})
    assert not [name for name in response.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("evil.example", 421),
        ("evil.example:8000", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
        ("10.0.0.7", 421),
        ("", 421),
    ],
)
async def test_a_page_under_another_name_reaches_no_local_service(tmp_path: Path, host: str, status: int) -> None:
    """DNS rebinding: to the browser, that page and this service are one origin."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app_of(tmp_path)), base_url="http://localhost"
    ) as client:
        for method in ("GET", "POST"):
            headers = {"Host": host} | site("same-origin") | {"Authorization": "Bearer x"}
            assert (await client.request(method, "/v1/me", headers=headers)).status_code == status


async def test_a_host_that_is_named_twice_is_none(tmp_path: Path) -> None:
    headers = [("Host", "localhost"), ("Host", "evil.example")]
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app_of(tmp_path)), base_url="http://localhost"
    ) as client:
        assert (await client.get("/v1/me", headers=headers)).status_code == 400


@pytest.mark.parametrize("name", ["Forwarded", "X-Forwarded-For", "X-Real-IP"])
async def test_what_a_proxy_passes_on_is_not_of_this_machine(opened: Opened, name: str) -> None:
    async with opened() as client:
        assert (await client.get("/v1/me")).json()["via"] == "local"
        assert (await client.get("/v1/me", headers={name: "203.0.113.9"})).status_code == 401


async def test_a_cookie_that_was_left_over_locks_nobody_out(opened: Opened) -> None:
    """Browsers keep one jar for all ports of a host, so the cookie may be another service's."""
    async with opened() as client:
        client.cookies.set(SESSION, TOKEN)
        me = (await client.get("/v1/me")).json()
        assert (me["via"], me["csrf"]) == ("local", OWN["X-CSRF-Token"])
        assert (await client.post("/v1/sign-out", headers=OWN)).status_code == 204


# Headers of answers.


async def test_every_answer_has_them(tmp_path: Path) -> None:
    transport = httpx.ASGITransport(app_of(tmp_path), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answers = {
            200: await client.get("/v1/me"),
            403: await client.post("/v1/me", headers=site("cross-site")),
            421: await client.get("/v1/me", headers={"Host": "evil.example"}),
            500: await client.get("/broken"),
        }
        asset = await client.get("/assets/page.js")
    for status, answer in answers.items():
        assert answer.status_code == status
        told = answer.headers
        assert told["content-security-policy"] == (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
            "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )
        assert told["x-content-type-options"] == "nosniff"
        assert told["referrer-policy"] == "no-referrer"
        assert told["cross-origin-opener-policy"] == told["cross-origin-resource-policy"] == "same-origin"
        assert told["x-frame-options"] == "DENY"
        assert told["cache-control"] == "no-store"
        assert "camera=()" in told["permissions-policy"]
        assert "strict-transport-security" not in told
    assert answers[500].json()["detail"].startswith("something in chartline broke (ZeroDivisionError)")
    assert "Jane Doe" not in answers[500].text
    assert "cache-control" not in asset.headers


async def test_https_is_kept_to(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/v1/me")).headers["strict-transport-security"] == "max-age=31536000"


# Parsing.


@given(st.lists(st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=60), max_size=3))
def test_any_cookie_header_is_read(values: list[str]) -> None:
    headers = Headers(raw=[(b"cookie", value.encode("latin-1")) for value in values])
    token = token_of(headers)
    assert token is None or len(token) == 43


@given(
    st.lists(st.tuples(st.sampled_from([SESSION, "a", "b"]), st.from_regex(r"[A-Za-z0-9_-]{1,9}", fullmatch=True))),
    st.sampled_from(["; ", ";", " ; "]),
)
def test_a_cookie_is_what_it_says_where_it_says_one_thing(pairs: list[tuple[str, str]], joint: str) -> None:
    headers = Headers({"Cookie": joint.join(f"{name}={value}" for name, value in pairs)})
    values = {value for name, value in pairs if name == SESSION}
    assert cookie_of(headers, SESSION) == (values.pop() if len(values) == 1 else None)


def test_ways_are_read_from_the_settings(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    assert ways(settings) == Ways(local=True, keys=False, tokens=False, launches=False, hooks=False)
    check_reachable(settings, "127.0.0.1")
    check_reachable(settings_in(tmp_path, service_url="http://localhost:8000"), "::1")
    for wide in ("0.0.0.0", "::", "192.168.1.4", "chart.example", ""):
        with pytest.raises(UserError, match="CHARTLINE_OAUTH_ISSUER"):
            check_reachable(settings, wide)
    with pytest.raises(UserError, match=r"'c\.example' can be reached"):
        check_reachable(settings_in(tmp_path, service_url="https://c.example"), "127.0.0.1")
    with pytest.raises(UserError, match="nobody could sign in"):
        check_reachable(settings_in(tmp_path, service_local=False), "0.0.0.0")
    check_reachable(settings_in(tmp_path, service_local=False, cds_clients=tmp_path / "clients.yaml"), "0.0.0.0")
    KeyFile(settings.service_keys).add("bot")
    check_reachable(settings, "0.0.0.0")
    assert ways(settings) == Ways(local=False, keys=True, tokens=False, launches=False, hooks=False)
    with pytest.raises(UserError, match="unset CHARTLINE_SERVICE_LOCAL"):
        check_reachable(settings_in(tmp_path, service_local=True), "0.0.0.0")
