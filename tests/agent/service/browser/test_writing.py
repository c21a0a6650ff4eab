"""Writing to the chart from the page: asked first, told after, offered only where it is allowed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from agent.service.app import create_app
from fhir_tools import demo
from fhir_tools.load import load
from fhir_tools.local import LocalStore
from tests.agent.service.browser.chromium import look, serving, violations
from tests.agent.service.browser.conftest import Tab
from tests.agent.service.browser.test_page import TURN, ask
from tests.agent.service.conftest import MARIA, settings_in

pytestmark = [pytest.mark.slow, pytest.mark.loopback]

WRITE = "button:has-text('Write to chart')"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "charts.sqlite"
    with closing(LocalStore(path)) as store:
        load([p for p in demo.paths() if MARIA in p.name], store)
    return path


@pytest.fixture(scope="module")
def writable(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page over a store that may be written."""
    settings = settings_in(tmp_path_factory.mktemp("w"), service_write_back=True, service_write_store=True)
    with serving(create_app(settings, fhir=(str(store),))) as address:
        yield address


def documents(store: Path) -> int:
    """How many the chart holds."""
    with closing(sqlite3.connect(store)) as connection:
        count: int = connection.execute("SELECT count(*) FROM resource WHERE type = 'DocumentReference'").fetchone()[0]
        return count


async def at_maria(tab: Tab, address: str) -> Page:
    page = await tab(f"#patient={MARIA}", address=address)
    await expect(page.locator("#patient-name")).to_have_text("Maria Elena Santos")
    return page


async def test_an_answer_is_written_once_a_person_says_yes(tab: Tab, writable: str, store: Path) -> None:
    page = await at_maria(tab, writable)
    await ask(page, "last A1c?")
    before = documents(store)
    button = page.locator(f"{TURN} {WRITE}")
    await button.click()
    dialog = page.locator("#record")
    await expect(dialog).to_contain_text("becomes a document in the chart (DocumentReference), with a record of")
    await expect(dialog).to_contain_text("Maria Elena Santos (demo-maria-santos) in the store of this service")
    await look(page, "write-asked")
    assert await violations(page) == []
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(button).to_be_focused()
    assert documents(store) == before
    await button.click()
    await dialog.locator(".main").click()
    await expect(dialog).to_contain_text("It stands in the chart now.")
    await expect(dialog.locator("code")).to_contain_text("DocumentReference/")
    await look(page, "write-done")
    assert documents(store) == before + 1
    await dialog.locator(".main").click()
    await expect(page.locator(f"{TURN} .good")).to_contain_text("In the chart: DocumentReference/")
    await page.reload()
    await page.locator(f"{TURN} {WRITE}").click()
    await dialog.locator(".main").click()
    await expect(dialog).to_contain_text("It stood in the chart already")
    assert documents(store) == before + 1


async def test_a_summary_is_written(tab: Tab, writable: str, store: Path) -> None:
    page = await at_maria(tab, writable)
    await page.click(".views a >> nth=2")
    await page.click("text=Medications")
    before = documents(store)
    await page.locator(f".summary {WRITE}").click()
    await page.locator("#record .main").click()
    await expect(page.locator("#record")).to_contain_text("It stands in the chart now.")
    assert documents(store) == before + 1


async def test_what_the_service_refuses_is_told_in_the_dialog(tab: Tab, writable: str) -> None:
    page = await tab(f"#patient={MARIA}", address=writable, expected=("502",))
    await ask(page, "last A1c?")
    body = '{"type": "urn:chartline:problem:not-written", "status": 502, "detail": "the server said no"}'
    media = "application/problem+json"
    await page.route("**/record", lambda route: route.fulfill(status=502, content_type=media, body=body))
    await page.locator(f"{TURN} {WRITE}").click()
    await page.locator("#record .main").click()
    await expect(page.locator("#record .problem")).to_contain_text("the server said no")
    await page.unroute("**/record")
    await page.locator("#record .main").click()
    await expect(page.locator("#record code")).to_contain_text("DocumentReference/")


async def test_nothing_is_offered_where_it_is_off_or_there_is_nothing_to_write(tab: Tab, writable: str) -> None:
    page = await tab(f"#patient={MARIA}")
    await ask(page, "last A1c?")
    await expect(page.locator(WRITE)).to_have_count(0)
    page = await at_maria(tab, writable)
    await ask(page, "Should she be referred for dialysis?")
    await expect(page.locator(WRITE)).to_have_count(0)
    await expect(page.locator(".offers button")).to_have_count(4)
    await page.locator(".offers button").first.click()
    await expect(page.locator(f"{TURN} .answer")).to_have_count(2)
    await expect(page.locator(TURN).first.locator(".offers")).to_have_count(0)
