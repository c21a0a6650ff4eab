"""A person at the page: asks, sees the answer come, opens what it rests on, asks on, comes back later."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from tests.agent.service.browser.conftest import Look, Tab
from tests.agent.service.conftest import MARIA

pytestmark = [pytest.mark.slow, pytest.mark.loopback]

BOX = "#question"
TURN = "article.turn"


async def ask(page: Page, question: str) -> None:
    """Type a question, send it, and wait for the whole answer."""
    before = await page.locator(f"{TURN} .answer").count()
    await page.fill(BOX, question)
    await page.press(BOX, "Enter")
    await expect(page.locator(f"{TURN} .answer")).to_have_count(before + 1)


async def maria(tab: Tab, more: str = "", **options: object) -> Page:
    """The page open at a patient."""
    page = await tab(f"#patient={MARIA}{more}", **options)
    await expect(page.locator("#patient-name")).to_have_text("Maria Elena Santos")
    return page


async def test_a_patient_is_found_and_asked_about(page: Page, look: Look) -> None:
    await page.fill("#patient-search", "santos")
    await expect(page.locator(".people a")).to_have_count(1)
    await look(page, "patients")
    await page.click(".people a")
    await expect(page.locator(BOX)).to_be_focused()
    await expect(page.locator(".examples button").first).to_be_visible()
    await look(page, "patient")
    await ask(page, "last A1c?")
    answer = page.locator(TURN)
    await expect(answer.locator(".prose")).to_contain_text("Hemoglobin A1c was 7.2 % (H) on 2026-04-06")
    await expect(answer.locator(".by")).to_contain_text("Answered by rules")
    await look(page, "answer")


async def test_the_banner_tells_allergies_apart(tab: Tab) -> None:
    page = await maria(tab)
    await expect(page.locator(".allergies[data-state=listed] li").first).to_contain_text("Penicillin V")
    other = await tab("#patient=demo-robert-keller")
    await expect(other.locator(".allergies[data-state=none_known]")).to_contain_text("No known allergies")


async def test_an_answer_streams(tab: Tab) -> None:
    """Stages in words, then the claims, then the whole: each is on the screen before the next."""
    page = await maria(tab)
    await page.evaluate("""() => {
      window.seen = [];
      new MutationObserver(() => {
        const of = (selector) => document.querySelector(`.turn ${selector}`)?.textContent.trim();
        window.seen.push([of(".stage"), of(".claims"), of(".answer .prose")]);
      }).observe(document.getElementById("app"), { subtree: true, childList: true, characterData: true });
    }""")
    asked = page.expect_request("**/v1/ask")
    async with asked as request:
        await ask(page, "trend of potassium")
    assert (await request.value).headers["accept"] == "text/event-stream"
    stages, claims, answers = zip(*(await page.evaluate("window.seen")), strict=True)
    assert len(set(filter(None, stages))) > 1
    first = [next(i for i, told in enumerate(column) if told) for column in (stages, claims, answers)]
    assert first == sorted(first)
    assert first[1] < first[2]


async def test_a_stream_that_breaks_off_is_told(tab: Tab) -> None:
    page = await maria(tab)
    events = 'event: progress\ndata: {"stage": "reason", "text": "reading"}\n\n'
    await page.route("**/v1/ask", lambda route: route.fulfill(content_type="text/event-stream", body=events))
    await page.fill(BOX, "last potassium?")
    await page.press(BOX, "Enter")
    await expect(page.locator(".problem-title")).to_contain_text("ended before the answer")
    await page.unroute("**/v1/ask")
    await page.click("text=Fetch the answer")
    await expect(page.locator(f"{TURN} .prose")).to_contain_text("Potassium was")


async def test_a_lost_connection_is_told_and_the_answer_fetched(tab: Tab, look: Look) -> None:
    page = await maria(tab, expected=("ERR_FAILED", "Failed to load"))
    await page.route("**/v1/ask", lambda route: route.abort())
    await page.fill(BOX, "last A1c?")
    await page.press(BOX, "Enter")
    await expect(page.locator(".problem")).to_contain_text("The connection ended")
    await expect(page.locator("#live")).to_contain_text("The connection ended")
    await look(page, "lost")
    await page.unroute("**/v1/ask")
    await page.click("text=Fetch the answer")
    await expect(page.locator(f"{TURN} .prose")).to_contain_text("Hemoglobin A1c")


async def test_a_chip_opens_the_evidence_and_gives_the_focus_back(tab: Tab, look: Look) -> None:
    page = await maria(tab)
    await ask(page, "trend of creatinine")
    chip = page.locator(".prose .chip").first
    await chip.click()
    panel = page.locator("#evidence")
    await expect(panel).to_be_visible()
    await expect(panel.locator("h2").first).to_be_focused()
    await expect(panel).to_contain_text("0.84")
    await look(page, "evidence")
    await page.keyboard.press("Escape")
    await expect(panel).to_be_hidden()
    await expect(chip).to_be_focused()


async def test_what_was_searched_can_be_opened(tab: Tab, look: Look) -> None:
    page = await maria(tab)
    await ask(page, "Has she ever had gout?")
    await expect(page.locator(".status")).to_have_text("Not found in the chart")
    await page.click(".prose .chip")
    await expect(page.locator("#evidence")).to_contain_text("12 found")
    await page.click("text=3 searches")
    await expect(page.locator(".searched li")).to_have_count(3)
    await look(page, "not-found")


async def test_a_follow_up_keeps_its_subject_and_the_history_reopens_it(tab: Tab, look: Look) -> None:
    page = await maria(tab)
    await ask(page, "last A1c?")
    await ask(page, "and the one before?")
    await expect(page.locator(f"{TURN} .prose").nth(1)).to_contain_text("7.1 %")
    thread = re.search(r"thread=(\w+)", page.url)
    assert thread
    await look(page, "follow-up")
    await page.click(".history >> text=New")
    await expect(page.locator(TURN)).to_have_count(0)
    await page.go_back()
    await expect(page.locator(f"{TURN} .prose")).to_have_count(2)
    await page.reload()
    await expect(page.locator(f"{TURN} .prose")).to_have_count(2)
    row = page.locator(".history li", has=page.locator("[aria-current=page]"))
    await row.locator("button").click()
    await page.click(".confirm >> text=Delete >> nth=-1")
    await expect(page.locator(TURN)).to_have_count(0)
    assert "thread=" not in page.url


async def test_the_fragment_alone_holds_patient_and_thread(tab: Tab) -> None:
    page = await maria(tab)
    await ask(page, "last A1c?")
    assert await page.evaluate("location.search + location.pathname") == "/"


async def test_suggestions_by_keyboard(tab: Tab, look: Look) -> None:
    page = await maria(tab)
    await page.locator(BOX).press_sequentially("trend of crea")
    options = page.locator("[role=option]")
    await expect(options.first).to_have_text("Trend of Creatinine?")
    box = page.locator(BOX)
    await expect(box).to_have_attribute("aria-expanded", "true")
    await box.press("ArrowDown")
    await expect(box).to_have_attribute("aria-activedescendant", "option-0")
    await look(page, "suggestions")
    await box.press("Escape")
    await expect(box).to_have_attribute("aria-expanded", "false")
    await expect(box).to_have_value("trend of crea")
    await box.press("ArrowDown")
    await box.press("Enter")
    await expect(page.locator(f"{TURN} h3")).to_have_text("Trend of Creatinine?")


async def test_a_value_is_copied(tab: Tab) -> None:
    page = await maria(tab)
    await ask(page, "last A1c?")
    await page.click("text=Copy value")
    assert await page.evaluate("navigator.clipboard.readText()") == "7.2 %"
    await expect(page.locator("#live")).to_have_text("Copied: 7.2 %")


async def test_the_contents_lead_to_a_question(tab: Tab, look: Look) -> None:
    page = await maria(tab, "&view=contents")
    await expect(page.locator(".groups section").first).to_contain_text("Results and vital signs", ignore_case=True)
    await page.fill("#contents-filter", "ferritin")
    await expect(page.locator(".concept")).to_have_count(0)
    await page.fill("#contents-filter", "potassium")
    await look(page, "contents")
    await page.click(".concept")
    await expect(page.locator(BOX)).to_have_value("Potassium")


async def test_the_day_that_counts_as_today_can_be_another(tab: Tab) -> None:
    page = await maria(tab, "&as_of=2015-01-01")
    await expect(page.locator(".facts")).to_contain_text("56 years")
    await page.fill("#as-of", "2020-01-01")
    await page.locator("#as-of").blur()
    await expect(page.locator(".facts")).to_contain_text("61 years")
    assert "as_of=2020-01-01" in page.url
