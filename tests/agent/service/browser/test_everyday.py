"""Small things that a clinician does all day: find, ask on, compare, come back, by as few keys and clicks as can be."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.agent.service.browser.chromium import PHONE, look
from tests.agent.service.browser.conftest import Tab
from tests.agent.service.browser.test_page import BOX, TURN, ask, maria

pytestmark = [pytest.mark.slow, pytest.mark.loopback]


async def test_a_patient_is_opened_without_the_mouse(page: Page) -> None:
    search = page.locator("#patient-search")
    await expect(search).to_be_focused()
    await expect(page.locator(".people a")).to_have_count(3)
    await page.keyboard.press("Enter")
    await expect(page.locator(".people a").first).to_be_focused()
    await page.keyboard.press("Control+k")
    await expect(search).to_be_focused()
    await page.keyboard.type("santos")
    await page.keyboard.press("Enter")
    await expect(page.locator("#patient-name")).to_have_text("Maria Elena Santos")
    await expect(page.locator(BOX)).to_be_focused()


async def test_the_question_box_is_one_key_away(tab: Tab) -> None:
    page = await maria(tab, "&view=timeline")
    await expect(page.locator(".timeline[data-ready]")).to_be_visible()
    await page.locator(".timeline canvas").focus()
    await page.keyboard.press("Control+k")
    await expect(page.locator(BOX)).to_be_focused()
    await page.keyboard.type("last A1c?")
    await page.keyboard.press("Enter")
    await page.locator(".prose .chip").click()
    await expect(page.locator("#evidence h2")).to_be_focused()
    await page.keyboard.press("Control+k")
    await expect(page.locator(BOX)).to_be_focused()
    await expect(page.locator("#evidence")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#evidence")).to_be_hidden()
    await expect(page.locator(BOX)).to_be_focused()


async def test_more_about_the_same_is_asked_by_one_click(tab: Tab) -> None:
    page = await maria(tab)
    await ask(page, "last A1c?")
    offers = page.locator(".offers button")
    await expect(offers).to_have_text(["Trend of Hemoglobin A1c?", "Highest Hemoglobin A1c?"])
    await look(page, "offers")
    await offers.first.click()
    await expect(page.locator(f"{TURN} .answer")).to_have_count(2)
    await expect(page.locator(TURN).first.locator(".offers")).to_have_count(0)
    await expect(offers.first).to_have_text("Last Hemoglobin A1c?")
    await ask(page, "allergies?")
    await expect(offers).to_have_count(0)  # the only one is the same question in more words


async def test_the_contents_offer_what_can_be_asked(tab: Tab) -> None:
    page = await maria(tab, "&view=contents")
    await page.get_by_role("button", name="Potassium", exact=True).click()
    await expect(page.locator("[role=option]").first).to_have_text("Last Potassium?")


async def test_a_search_is_told_in_words(tab: Tab) -> None:
    page = await maria(tab)
    await ask(page, "Has she ever had gout?")
    chip = page.get_by_role("button", name="Source s1: Conditions: 12 found")
    await chip.click()
    panel = page.locator("#evidence")
    await expect(panel.get_by_role("heading", level=3)).to_have_text("Searched: Conditions")
    await expect(panel).to_contain_text("12 found")
    await page.click("text=3 searches")
    await expect(page.locator(".searched li").nth(1)).to_contain_text("Documents DocumentReference?")


async def test_a_result_is_shown_with_the_one_before(tab: Tab) -> None:
    page = await maria(tab)
    await ask(page, "last A1c?")
    await page.locator(".prose .chip").click()
    readout = page.locator(".plot-readout")
    await expect(readout).to_contain_text("Before it: 2025-12-22 · 7.1 % (H)")
    await page.locator(".plot-chart").press("Home")
    await expect(readout).to_contain_text("2009-03-04 · 8.8 %")
    await expect(readout).not_to_contain_text("Before it")


async def test_on_a_small_screen_of_a_hospital_source_and_answer_stand_side_by_side(tab: Tab) -> None:
    page = await maria(tab, viewport={"width": 1024, "height": 768})
    await ask(page, "last A1c?")
    await page.locator(".prose .chip").click()
    await expect(page.locator(".plot-chart[data-ready]")).to_be_visible()
    answer, panel = await page.locator(TURN).bounding_box(), await page.locator("#evidence").bounding_box()
    assert answer and panel
    assert answer["x"] + answer["width"] <= panel["x"]
    assert await page.locator("#evidence:modal").count() == 0


async def test_on_a_phone_a_source_is_as_wide_as_the_screen(tab: Tab) -> None:
    page = await maria(tab, **PHONE, is_mobile=True)
    await ask(page, "trend of creatinine")
    await page.locator(".prose .chip").first.click()
    await expect(page.locator(".plot-chart[data-ready]").first).to_be_visible()
    assert await page.evaluate("[innerWidth, document.documentElement.scrollWidth]") == [360, 360]


async def test_what_is_much_enlarged_is_not_covered_by_the_box(tab: Tab) -> None:
    page = await maria(tab, viewport={"width": 320, "height": 256})
    assert await page.locator(".box").evaluate("(box) => getComputedStyle(box).position") == "static"


async def test_the_focus_is_kept_when_what_was_pressed_goes(tab: Tab) -> None:
    page = await maria(tab)
    events = 'event: progress\ndata: {"stage": "reason", "text": "reading"}\n\n'
    await page.route("**/v1/ask", lambda route: route.fulfill(content_type="text/event-stream", body=events))
    await page.fill(BOX, "last potassium?")
    await page.press(BOX, "Enter")
    await expect(page.locator(".problem-title")).to_contain_text("ended before the answer")
    await page.unroute("**/v1/ask")
    await page.get_by_role("button", name="Fetch the answer").press("Enter")
    await expect(page.locator(f"{TURN} .prose")).to_contain_text("Potassium was")
    await expect(page.locator(BOX)).to_be_focused()


async def test_a_screen_reader_is_told_what_is_what(tab: Tab) -> None:
    page = await maria(tab)
    await ask(page, "last A1c?")
    await page.locator(".prose .chip").click()
    await expect(page.locator(".plot-chart[data-ready]")).to_be_visible()
    await expect(page.locator("main")).to_match_aria_snapshot("""
      - main:
        - region "Questions and answers":
          - heading "Questions and answers" [level=2]
          - button "Print"
          - article "last A1c?":
            - heading "last A1c?" [level=3]
            - time
            - paragraph:
              - 'button "Source 1: 2026-04-06 Hemoglobin A1c 7.2 %"'
            - paragraph
            - button "Copy with sources"
            - button "Copy value"
            - group: 1 source
            - group: 3 searches
            - paragraph: "Ask next:"
            - list "Questions that this chart can answer"
          - combobox "Question about this patient"
          - button "Ask"
    """)
    await expect(page.locator("#evidence")).to_match_aria_snapshot("""
      - dialog "Source 1":
        - heading "Source 1" [level=2]
        - button "Close"
        - heading "Hemoglobin A1c" [level=3]
        - blockquote: "Cited: 7.2 %"
        - figure /Hemoglobin A1c % 60 results/:
          - heading "Hemoglobin A1c %" [level=4]
          - paragraph
          - button "Table"
          - group /Hemoglobin A1c, 60 results/
          - status: /2026-04-06 · 7\\.2 % \\(H\\) · above its range · cited/
        - group
        - group
    """)
