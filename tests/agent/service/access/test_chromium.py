"""A launch and other sites' pages in Debian's Chromium: what the browser itself makes of cookies and headers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from agent.service.app import create_app
from tests.agent.service.access.conftest import servers_file
from tests.agent.service.access.ehr import Ehr, served
from tests.agent.service.browser.chromium import chromium
from tests.agent.service.conftest import MARIA, settings_in

pytestmark = [pytest.mark.loopback, pytest.mark.slow]


@pytest.fixture
async def service(tmp_path: Path, ehr: Ehr) -> AsyncIterator[str]:
    """The address of a service that the EHR may launch."""
    app = create_app(settings_in(tmp_path, store=tmp_path / "none.sqlite", smart_servers=servers_file(tmp_path, ehr)))
    async with app.router.lifespan_context(app), served(app) as base:
        yield base


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A tab of a new browser."""
    async with chromium() as browser:
        yield await browser.new_page()


ASK = """async ([question, token]) => (await fetch("/v1/ask", {
    method: "POST", body: JSON.stringify({question}),
    headers: {"Content-Type": "application/json", ...(token ? {"X-CSRF-Token": token} : {})}})).status"""


async def test_a_launch_ends_in_a_session_that_no_script_and_no_other_site_uses(
    ehr: Ehr, service: str, page: Page
) -> None:
    ehr.launches["l1"] = MARIA
    await page.goto(f"{service}/launch?iss={ehr.iss}&launch=l1")
    assert page.url == f"{service}/"
    me = await page.evaluate("async () => (await fetch('/v1/me')).json()")
    assert (me["via"], me["patient"]) == ("launch", MARIA)
    assert await page.evaluate("document.cookie") == ""
    assert await page.evaluate(ASK, ["last A1c?", None]) == 403
    assert await page.evaluate(ASK, ["last A1c?", me["csrf"]]) == 200
    seen = len(ehr.asked)
    await _from_another_site(service, page)
    assert len(ehr.asked) == seen
    await page.goto(f"{service}/v1/me")
    assert "launch" in await page.inner_text("body")


async def _from_another_site(service: str, page: Page) -> None:
    """A page under another name posts a form, frames the service, loads it as an image, and reads from it."""
    form = f'<form method="post" action="{service}/v1/ask" enctype="text/plain"><input name="x"></form>'
    body = f'{form}<img src="{service}/v1/me"><iframe src="{service}/v1/me"></iframe>'
    other = Starlette(routes=[Route("/", lambda _: HTMLResponse(f"<!doctype html><body>{body}</body>"))])
    async with served(other) as base:
        await page.goto(base.replace("127.0.0.1", "localhost"))
        read = f"fetch('{service}/v1/me', {{credentials: 'include'}}).then(() => 'read', () => 'refused')"
        assert await page.evaluate(read) == "refused"
        assert await page.evaluate("document.images[0].naturalWidth") == 0
        assert not any(frame.url.startswith(service) for frame in page.frames[1:])
        async with page.expect_navigation():
            await page.evaluate("document.forms[0].submit()")
        assert "cross-site" in await page.inner_text("body")


async def test_a_page_of_another_site_reaches_no_service_that_asks_nobody(tmp_path: Path, page: Page, ehr: Ehr) -> None:
    app = create_app(settings_in(tmp_path, store=tmp_path / "none"), fhir=(ehr.iss,))
    async with app.router.lifespan_context(app), served(app) as service:
        await page.goto(f"{service}/v1/me")
        assert '"local"' in await page.inner_text("body")
        await _from_another_site(service, page)
        # DNS rebinding, as a browser that was misled would send it.
        await page.route("http://evil.example/**", lambda route: route.continue_())
        host = service.removeprefix("http://")
        answer = await page.request.get(f"{service}/v1/me", headers={"Host": f"evil.example:{host.partition(':')[2]}"})
        assert answer.status == 421
