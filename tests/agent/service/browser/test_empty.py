"""The page where there is nothing to show: it says so, and does not look broken."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from agent.service.app import create_app
from tests.agent.service.browser.chromium import look, serving, violations
from tests.agent.service.browser.conftest import Tab
from tests.agent.service.browser.test_page import BOX, TURN, ask
from tests.agent.service.conftest import settings_in

pytestmark = [pytest.mark.slow, pytest.mark.loopback]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page over a chart that holds its patient and nothing else; not even a name."""
    folder = tmp_path_factory.mktemp("empty")
    entry = [{"resource": {"resourceType": "Patient", "id": "p"}}]
    (folder / "chart.json").write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entry}))
    with serving(create_app(settings_in(folder), fhir=(str(folder / "chart.json"),))) as address:
        yield address


async def test_an_empty_chart_says_so_in_every_view(tab: Tab, empty: str) -> None:
    page = await tab(address=empty)
    await page.fill("#patient-search", "nobody at all")
    await expect(page.locator(".chooser")).to_contain_text("No patient is found by these words.")
    await page.fill("#patient-search", "")
    await page.click(".people a")
    await expect(page.locator("#patient-name")).to_have_text("p")
    await expect(page.locator(".allergies")).to_contain_text("This does not mean that there are none.")
    await expect(page.locator(".history")).to_contain_text("None yet about this patient.")
    await ask(page, "last A1c?")
    await expect(page.locator(f"{TURN} .status")).to_contain_text("Incomplete")  # such a file offers no Observation
    await look(page, "empty-chart")
    assert await violations(page) == []
    await page.click(".views a >> nth=1")
    await expect(page.locator("#timeline")).to_contain_text("Nothing with a date is recorded in this chart")
    assert await violations(page) == []
    await page.click(".views a >> nth=2")
    await page.click("text=Snapshot")
    await expect(page.locator(".summary h4").first).to_be_visible()
    await look(page, "empty-summary")
    await page.click(".views a >> nth=4")
    await expect(page.locator(".contents")).to_contain_text("Nothing is recorded in this chart up to this day.")
    assert await violations(page) == []
    await page.click(".views a >> nth=0")
    await expect(page.locator(BOX)).to_be_visible()


async def test_words_that_fit_nothing_are_told(tab: Tab) -> None:
    page = await tab("#patient=demo-maria-santos&view=contents")
    await page.fill("#contents-filter", "ferritin")
    await expect(page.locator(".contents")).to_contain_text("Nothing in this chart has these words.")
