"""The page for people who sign in: by key, by a launch, for one patient, until a session ends, beside others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from agent.service.access.keys import KeyFile
from agent.service.app import create_app
from agent.settings import Settings
from tests.agent.service.access.conftest import servers_file
from tests.agent.service.access.ehr import Ehr
from tests.agent.service.access.ehr import served as running
from tests.agent.service.browser.chromium import look, serving, violations, watched
from tests.agent.service.browser.conftest import Tab
from tests.agent.service.browser.test_page import BOX, TURN, ask
from tests.agent.service.conftest import FOLDER, MARIA, settings_in

pytestmark = [pytest.mark.slow, pytest.mark.loopback]

REFUSED = ("401", "403", "404")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_in(tmp_path_factory.mktemp("keys"), service_local=False)


@pytest.fixture(scope="module")
def keys(settings: Settings) -> dict[str, str]:
    """The texts of API keys by their names; `bound` is for one patient."""
    file = KeyFile(settings.service_keys)
    return {name: file.add(name, patient)[1] for name, patient in (("one", None), ("two", None), ("bound", MARIA))}


@pytest.fixture(scope="module")
def service(settings: Settings, keys: dict[str, str]) -> Iterator[str]:
    """The page over the demo charts, for those who have a key."""
    with serving(create_app(settings, fhir=(str(FOLDER),))) as address:
        yield address


async def enter(page: Page, key: str) -> None:
    """Sign in at the page."""
    await page.fill("#api-key", key)
    await page.press("#api-key", "Enter")


async def test_a_key_signs_in_and_out(tab: Tab, service: str, keys: dict[str, str]) -> None:
    page = await tab(address=service, expected=REFUSED)
    await expect(page.locator("#sign-in-title")).to_be_visible()
    await look(page, "sign-in-key")
    assert await violations(page) == []
    await enter(page, "clk_wrong")
    await expect(page.locator(".problem")).to_contain_text("there is no such API key")
    await expect(page.locator("#api-key")).to_be_focused()
    await enter(page, keys["one"])
    await expect(page.locator(".people a")).to_have_count(3)
    await expect(page.locator(".user")).to_have_text("one")
    assert await page.evaluate("document.cookie") == ""
    await page.click("text=Sign out")
    await expect(page.locator("#sign-in-title")).to_be_visible()
    await page.reload()
    await expect(page.locator("#sign-in-title")).to_be_visible()


async def test_a_session_that_ends_loses_neither_the_place_nor_the_question(
    tab: Tab, service: str, keys: dict[str, str]
) -> None:
    page = await tab(f"#patient={MARIA}", address=service, expected=REFUSED)
    await enter(page, keys["one"])
    await expect(page.locator("#patient-name")).to_have_text("Maria Elena Santos")
    await ask(page, "last A1c?")
    await page.context.clear_cookies()
    await page.fill(BOX, "last potassium?")
    await page.press(BOX, "Enter")
    await expect(page.locator(".sign-in")).to_contain_text("Your session has ended")
    await look(page, "session-ended")
    assert await violations(page) == []
    await enter(page, keys["one"])
    await expect(page.locator(f"{TURN} .answer")).to_have_count(1)
    await expect(page.locator(BOX)).to_have_value("last potassium?")
    await page.press(BOX, "Enter")
    await expect(page.locator(f"{TURN} .answer")).to_have_count(2)
    await page.context.clear_cookies()
    await page.click(".views a >> nth=1")
    await expect(page.locator(".sign-in")).to_be_visible()
    await enter(page, keys["two"])
    await expect(page.locator(".user")).to_have_text("two")
    await expect(page.locator("#patient-name")).to_have_text("Maria Elena Santos")
    assert "potassium" not in await page.locator("body").inner_text()


async def test_all_that_changes_something_carries_the_token(tab: Tab, service: str, keys: dict[str, str]) -> None:
    page = await tab(f"#patient={MARIA}", address=service, expected=REFUSED)
    sent: list[tuple[str, str, str | None]] = []
    page.on("request", lambda r: sent.append((r.method, r.url, r.headers.get("x-csrf-token"))))
    await enter(page, keys["one"])
    await ask(page, "last A1c?")
    await page.click(".views a >> nth=2")
    await page.click("text=Problems")
    await expect(page.locator(".summary")).to_be_visible()
    await page.click(".views a >> nth=0")
    await page.locator(".history li button.icon").first.click()
    await page.click(".confirm .danger")
    await expect(page.locator("#live")).to_have_text("The conversation was deleted.")
    async with page.expect_request("**/v1/sign-out"):
        await page.click("text=Sign out")
    changing = [one for one in sent if one[0] != "GET" and not one[1].endswith("/v1/sign-in")]
    assert {url.rpartition("/v1/")[2].split("/")[0] for _, url, _ in changing} == {
        "threads", "ask", "summaries", "sign-out",
    }  # fmt: skip
    assert {method for method, _, _ in changing} == {"POST", "DELETE"}
    assert all(token for _, _, token in changing)
    assert not any(token for method, _, token in sent if method == "GET")


async def test_a_caller_of_one_patient_is_led_straight_to_the_chart(
    tab: Tab, service: str, keys: dict[str, str]
) -> None:
    page = await tab("#patient=demo-robert-keller", address=service, expected=REFUSED)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await enter(page, keys["bound"])
    await expect(page.locator("#patient-name")).to_have_text("Maria Elena Santos")
    assert not [url for url in asked if "/v1/patients?" in url or "keller" in url]
    await expect(page.locator(".top").get_by_text("Patients")).to_have_count(0)
    await page.click(".wordmark")
    await expect(page.locator("#patient-name")).to_have_text("Maria Elena Santos")
    await ask(page, "last A1c?")
    await page.click(".views a >> nth=3")
    await page.fill("#protocol", "Inclusion Criteria:\n* Age 18 years or older")
    await page.click("text=Read the criteria")
    await page.click("text=Match Maria")
    await expect(page.locator(".outcome strong")).to_have_text("Eligible")
    await expect(page.get_by_text("Screen several patients")).to_have_count(0)


async def test_two_people_do_not_see_each_others_conversations(tab: Tab, service: str, keys: dict[str, str]) -> None:
    first = await tab(f"#patient={MARIA}", address=service, expected=REFUSED)
    second = await tab(f"#patient={MARIA}", address=service, expected=REFUSED)
    for page, key in ((first, "one"), (second, "two")):
        await enter(page, keys[key])
        await expect(page.locator(BOX)).to_be_visible()
    await ask(first, "trend of sodium")
    await expect(first.locator(".history li", has_text="trend of sodium")).to_have_count(1)
    await second.reload()
    await expect(second.locator(".examples button").first).to_be_visible()
    await expect(second.locator(".history li", has_text="sodium")).to_have_count(0)
    await second.goto(first.url)
    await expect(second.locator(".questions .problem")).to_contain_text("This conversation is not there")
    await expect(second.locator(TURN)).to_have_count(0)


@asynccontextmanager
async def launched(browser: Browser, folder: Path, ehr: Ehr, **changes: Any) -> AsyncIterator[Page]:
    """The page as an EHR launched it with a patient open."""
    ehr.launches["l1"] = MARIA
    files = {"store": folder / "none.sqlite", "smart_servers": servers_file(folder, ehr)}
    app = create_app(settings_in(folder, **files, **changes))
    async with (
        app.router.lifespan_context(app),
        running(app) as base,
        watched(browser, base, ehr.base, expected=REFUSED) as page,
    ):
        await page.goto(f"{base}/launch?iss={ehr.iss}&launch=l1")
        yield page


@pytest.fixture
async def ehr() -> AsyncIterator[Ehr]:
    ehr = Ehr()
    async with running(ehr.app()) as base:
        ehr.base = base
        yield ehr


async def test_a_launch_lands_on_the_chart_of_its_patient(browser: Browser, tmp_path: Path, ehr: Ehr) -> None:
    async with launched(browser, tmp_path, ehr) as page:
        await expect(page.locator("#patient-name")).to_have_text("Maria Elena Santos")
        await expect(page.locator("#patient-name")).to_be_visible()
        await expect(page.locator(".user")).to_contain_text("Dr 1")
        assert "code=" not in page.url
        assert "launch" not in page.url
        await ask(page, "last A1c?")
        await expect(page.locator(f"{TURN} .prose")).to_contain_text("7.2 %")
        await expect(page.get_by_role("button", name="Write to chart")).to_have_count(0)
        await look(page, "launched")
        ehr.patient = MARIA
        await page.context.clear_cookies()
        await page.click(".views a >> nth=2")
        await expect(page.locator(".sign-in")).to_contain_text("Your session has ended")
        await page.click("text=Sign in at Test EHR")
        await expect(page.locator(".kinds button").first).to_be_visible()
        await page.click(".views a >> nth=0")
        await expect(page.locator(f"{TURN} .prose")).to_contain_text("7.2 %")


async def test_an_ehr_that_shows_the_patient_itself_gets_no_second_banner(
    browser: Browser, tmp_path: Path, ehr: Ehr
) -> None:
    ehr.changes = {"need_patient_banner": False}
    async with launched(browser, tmp_path, ehr) as page:
        await expect(page.locator(".examples button").first).to_be_visible()
        await expect(page.locator(".allergies")).to_have_count(0)
        await expect(page.locator(".who-short")).to_have_count(0)
        await expect(page.locator("#as-of")).to_have_value("2026-06-15")
        await look(page, "launched-without-banner")
        assert await violations(page) == []
        await page.evaluate("scrollTo(0, 600)")
        assert "Penicillin" not in await page.locator("body").inner_text()
