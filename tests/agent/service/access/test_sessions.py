"""Sessions: their ends, their cookies, renewed tokens, sign-out, and that two users share nothing."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent.service.access.cookies import SESSION
from agent.service.access.entrance import Entrance
from agent.service.app import create_app
from tests.agent.service.access.conftest import Launching, csrf, launch, servers_file, through
from tests.agent.service.access.ehr import Ehr
from tests.agent.service.conftest import MARIA, client_of, settings_in

pytestmark = pytest.mark.loopback
ROBERT = "demo-robert-keller"
LEILA = "demo-leila-haddad"


async def ask(client: httpx.AsyncClient, question: str, **more: str) -> httpx.Response:
    return await client.post("/v1/ask", json={"question": question, **more}, headers=await csrf(client))


def entrance_of(client: httpx.AsyncClient) -> Entrance:
    return client._transport.app.state.parts.entrance


async def test_two_users_of_one_service_share_nothing(ehr: Ehr, launching: Launching) -> None:
    """Each token is used for its own user's patient alone, also where one asks right after the other."""
    async with launching() as first:
        app = first._transport.app
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as second:
            await launch(first, ehr, MARIA)
            ehr.user = "Practitioner/2"
            await launch(second, ehr, ROBERT)
            for _ in range(2):
                for client, own, other in ((first, MARIA, ROBERT), (second, ROBERT, MARIA)):
                    assert (await ask(client, "how old is the patient?")).json()["patient"].endswith(own)
                    assert (await ask(client, "how old is the patient?", patient=other)).status_code == 403
            callers = {(await client.get("/v1/me")).json()["name"] for client in (first, second)}
            assert len(callers) == 2
        keys = list(app.state.parts.desk._agents._entries)
        assert {(key.patient, key.user) for key in keys} == {
            (MARIA, "Dr 1 (Practitioner/1) at Test EHR"),
            (ROBERT, "Dr 2 (Practitioner/2) at Test EHR"),
        }
        assert len({key.grant for key in keys}) == 2
    by_token: dict[str, set[str]] = {}
    for line in ehr.asked:
        token, _, url = line.partition(" ")
        by_token.setdefault(token, set()).update(id_ for id_ in (MARIA, ROBERT) if id_ in url)
    assert all(len(patients) <= 1 for patients in by_token.values())


async def test_one_user_with_two_launches_keeps_them_apart(ehr: Ehr, launching: Launching) -> None:
    """Two windows of one user, each with the patient that the EHR had open: the later one replaces the cookie."""
    async with launching() as client:
        await launch(client, ehr, MARIA)
        before = client.cookies[SESSION]
        await launch(client, ehr, ROBERT)
        assert client.cookies[SESSION] != before
        assert (await client.get("/v1/me")).json()["patient"] == ROBERT
        assert (await client.get("/v1/me", headers={"Cookie": f"{SESSION}={before}"})).status_code == 401


async def test_a_token_is_renewed_and_kept(ehr: Ehr, launching: Launching, tmp_path: Path) -> None:
    ehr.lives = 0.4
    async with launching(service_fresh=0.01) as client:
        await launch(client, ehr, MARIA)
        for _ in range(3):
            assert (await ask(client, "last A1c?")).json()["status"] == "answered"
            await asyncio.sleep(0.4)
    assert len(ehr.tokens) >= 3
    assert len(ehr.refresh) == 1, "each refresh token was used once"


async def test_a_restart_keeps_sessions_and_their_renewed_tokens(ehr: Ehr, launching: Launching) -> None:
    ehr.lives = 0.4
    async with launching() as client:
        await launch(client, ehr, MARIA)
        await asyncio.sleep(0.4)
        assert (await ask(client, "last A1c?")).json()["status"] == "answered"
        cookies = dict(client.cookies)
    await asyncio.sleep(0.4)
    async with launching() as client:
        client.cookies.update(cookies)
        assert (await ask(client, "last A1c?")).json()["status"] == "answered"


async def test_two_processes_renew_one_token_once(ehr: Ehr, tmp_path: Path) -> None:
    """Both see that it has ended at one moment; a second use of a refresh token would end the launch."""
    ehr.lives = 1.5
    settings = settings_in(tmp_path, store=tmp_path / "none", smart_servers=servers_file(tmp_path, ehr))
    async with client_of(create_app(settings)) as one, client_of(create_app(settings)) as two:
        await launch(one, ehr, MARIA)
        two.cookies.update(dict(one.cookies))
        assert [a.json()["status"] for a in await asyncio.gather(ask(one, "last A1c?"), ask(two, "last A1c?"))] == [
            "answered",
            "answered",
        ]
        for question in ("last hemoglobin?", "all active medications", "allergies?"):
            ehr.tokens.clear()  # the server ends them
            answers = await asyncio.gather(ask(one, question), ask(two, question))
            assert {a.json()["status"] for a in answers} <= {"answered", "not_found"}, [
                a.json()["text"] for a in answers
            ]
    assert len(ehr.refresh) == 1


async def test_a_token_that_was_taken_back_is_no_empty_chart(ehr: Ehr, launching: Launching) -> None:
    ehr.refreshes = False
    async with launching() as client:
        await launch(client, ehr, MARIA)
        ehr.tokens.clear()
        response = await ask(client, "last A1c?")
    answer = response.json()
    assert response.status_code == 502 or answer["status"] in ("incomplete", "failed")
    assert "launch" in response.text


async def test_sign_out_ends_everything(ehr: Ehr, launching: Launching) -> None:
    async with launching() as client:
        await launch(client, ehr, MARIA)
        assert (await ask(client, "last A1c?")).status_code == 200
        cookie, refresh = client.cookies[SESSION], list(ehr.refresh)
        response = await client.post("/v1/sign-out", headers=await csrf(client))
        assert response.status_code == 204
        assert f"{SESSION}=; Max-Age=0" in response.headers["set-cookie"]
        assert ehr.revoked == refresh
        again = await client.get("/v1/me", headers={"Cookie": f"{SESSION}={cookie}"})
        assert again.status_code == 401
        assert again.json()["sign_in"] == {"key": False, "smart": [{"iss": ehr.iss, "name": "Test EHR"}]}
        assert len(client._transport.app.state.parts.desk._agents) == 0


async def test_sign_out_works_where_the_server_does_not(ehr: Ehr, launching: Launching) -> None:
    ehr.discovery = {"revocation_endpoint": "http://127.0.0.1:9/revoke"}
    async with launching() as client:
        await launch(client, ehr, MARIA)
        assert (await client.post("/v1/sign-out", headers=await csrf(client))).status_code == 204
        assert (await client.get("/v1/me")).status_code == 401


async def test_tokens_do_not_lie_readable_in_the_database(ehr: Ehr, launching: Launching, tmp_path: Path) -> None:
    async with launching() as client:
        await launch(client, ehr, MARIA)
        cookie = client.cookies[SESSION]
    with sqlite3.connect(tmp_path / "service.sqlite") as database:
        content = "".join(database.iterdump())
    files = [path for path in tmp_path.glob("service.sqlite*") if path.is_file()]  # noqa: ASYNC240
    kept = b"".join(path.read_bytes() for path in files)
    for secret in (*ehr.tokens, *ehr.refresh, cookie):
        assert secret not in content
        assert secret.encode() not in kept
    assert (tmp_path / "service.secret").stat().st_mode & 0o777 == 0o600


async def test_another_secret_signs_everybody_out(ehr: Ehr, launching: Launching, tmp_path: Path) -> None:
    async with launching() as client:
        await launch(client, ehr, MARIA)
        cookies = dict(client.cookies)
    (tmp_path / "service.secret").unlink()
    async with launching() as client:
        client.cookies.update(cookies)
        assert (await client.get("/v1/me")).status_code == 401


async def test_a_server_that_is_no_longer_registered_signs_out(ehr: Ehr, launching: Launching, tmp_path: Path) -> None:
    async with launching() as client:
        await launch(client, ehr, MARIA)
        cookies = dict(client.cookies)
    other = Ehr(base="https://other.example")
    settings = settings_in(tmp_path, store=tmp_path / "none", smart_servers=servers_file(tmp_path, other))
    async with client_of(create_app(settings)) as client:
        client.cookies.update(cookies)
        assert (await client.get("/v1/me")).status_code == 401


@pytest.mark.parametrize(("after", "known"), [(1700.0, True), (1900.0, False)])
async def test_an_unused_session_ends(ehr: Ehr, launching: Launching, after: float, known: bool) -> None:
    async with launching() as client:
        await launch(client, ehr, MARIA)
        entrance_of(client).sessions._clock = lambda: time.time() + after
        assert (await client.get("/v1/me")).is_success is known


async def test_a_used_session_ends_too(ehr: Ehr, launching: Launching) -> None:
    async with launching() as client:
        await launch(client, ehr, MARIA)
        sessions = entrance_of(client).sessions
        for after in range(0, 45_000, 1_500):
            sessions._clock = lambda after=after: time.time() + after
            assert (await client.get("/v1/me")).is_success is (after < 43_200)
        await entrance_of(client).sweep()
        assert await sessions.sweep() == ()


async def test_the_sweep_closes_what_ended(ehr: Ehr, launching: Launching) -> None:
    async with launching() as client:
        await launch(client, ehr, MARIA)
        await ask(client, "last A1c?")
        desk = client._transport.app.state.parts.desk
        assert len(desk._agents) == 1
        entrance_of(client).sessions._clock = lambda: time.time() + 2000
        await entrance_of(client).sweep()
        assert len(desk._agents) == 0


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ["HttpOnly", "SameSite=Lax", "Path=/"]),
        ({"service_url": "https://c.example/chart"}, ["HttpOnly", "SameSite=Lax", "Secure", "Path=/chart/"]),
        (
            {"service_url": "https://c.example", "service_frame_ancestors": ("https://ehr.example",)},
            ["HttpOnly", "SameSite=None", "Secure", "Partitioned", "Path=/"],
        ),
    ],
)
async def test_how_cookies_are_set(ehr: Ehr, launching: Launching, changes: dict[str, Any], told: list[str]) -> None:
    ehr.patient = MARIA
    async with launching(**changes) as client:
        begun = await client.get("/launch/standalone", params={"iss": ehr.iss})
        parts = begun.headers["set-cookie"].split("; ")
        assert sorted(p for p in parts[1:] if not p.startswith("Max-Age")) == sorted(told)
        assert len(parts[0].partition("=")[2]) == 43


async def test_in_a_frame_a_launch_ends_in_a_session(ehr: Ehr, launching: Launching) -> None:
    ehr.patient = MARIA
    async with launching(service_url="https://c.example", service_frame_ancestors=("https://ehr.example",)) as client:
        client.base_url = httpx.URL("https://c.example")
        done = await through(client, await client.get("/launch/standalone", params={"iss": ehr.iss}))
        assert done.headers["location"] == "https://c.example/"
        assert (await client.get("/v1/me")).json()["patient"] == MARIA
        assert "frame-ancestors 'self' https://ehr.example" in done.headers["content-security-policy"]
        assert "x-frame-options" not in done.headers
