"""Everybody at the page: by keyboard alone, with a screen reader, on a phone, in the dark, on paper."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.agent.service.browser.conftest import SCREENS, Look, Tab
from tests.agent.service.browser.test_page import BOX, TURN, ask, maria
from tests.agent.service.conftest import MARIA

pytestmark = [pytest.mark.slow, pytest.mark.loopback]

PHONE = {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2, "has_touch": True}
Accessible = Callable[[Page], Awaitable[list[str]]]

SMALL = """() => [...document.querySelectorAll("button, a, input, select, summary, [role=option]")]
  .filter((one) => one.checkVisibility() && !one.closest("[inert]"))
  .map((one) => [one, one.getBoundingClientRect()])
  .filter(([, box]) => box.width && box.width > 1 && (box.width < 24 || box.height < 23.5))
  .map(([one, box]) => `${one.outerHTML.slice(0, 120)} ${box.width}x${box.height}`)"""
"""Targets below 24 px (WCAG 2.2, 2.5.8)."""


async def seen(page: Page, view: str) -> None:
    """Bring a view of the chart to the screen, filled."""
    await page.locator(".views a", has_text=view).click()
    waits = {"Summaries": ".kinds button", "Chart contents": ".concept", "Timeline": "#timeline > *", "Questions": BOX}
    await expect(page.locator(waits[view]).first).to_be_visible()
    if view == "Summaries":
        await page.click("text=Snapshot")
        await expect(page.locator(".summary h4").first).to_be_visible()


@pytest.mark.parametrize("way", ["light", "dark", "phone"])
async def test_axe_finds_nothing(tab: Tab, accessible: Accessible, look: Look, way: str) -> None:
    options = PHONE if way == "phone" else {"color_scheme": way}
    page = await tab(**options)
    await expect(page.locator(".people a").first).to_be_visible()
    assert await accessible(page) == []
    page = await maria(tab, **options)
    await expect(page.locator(".examples button").first).to_be_visible()
    assert await accessible(page) == []
    await page.locator(BOX).press_sequentially("last")
    await expect(page.locator("[role=option]").first).to_be_visible()
    await page.press(BOX, "ArrowDown")
    assert await accessible(page) == []
    await page.press(BOX, "Escape")
    for question in ("trend of creatinine", "Has she ever had gout?", "Should she be referred for dialysis?"):
        await ask(page, question)
    await page.click("text=5 sources")
    await page.click("text=3 searches")
    await look(page, f"answers-{way}")
    assert await accessible(page) == []
    await page.locator(".prose .chip").first.click()
    await expect(page.locator("#evidence")).to_contain_text("0.84")
    await look(page, f"evidence-{way}")
    assert await accessible(page) == []
    await page.keyboard.press("Escape")
    await page.locator(".history li button").first.click()
    assert await accessible(page) == []
    await page.click(".confirm >> text=Keep")
    for view in ("Summaries", "Timeline", "Chart contents"):
        await seen(page, view)
        await look(page, f"{view.split()[-1].lower()}-{way}")
        assert await accessible(page) == [], view


async def test_axe_finds_nothing_in_errors(tab: Tab, accessible: Accessible, look: Look) -> None:
    page = await tab("#patient=nobody", expected=("404",))
    await expect(page.locator(".problem")).to_contain_text("No such patient")
    await look(page, "unknown-patient")
    assert await accessible(page) == []


async def tab_to(page: Page, selector: str, key: str = "Tab") -> None:
    """Press Tab until it is there; the way a person without a mouse goes."""
    for _ in range(60):
        await page.keyboard.press(key)
        if await page.evaluate("(s) => document.activeElement?.matches(s)", selector):
            return
    raise AssertionError(f"{selector} cannot be reached by {key}")


async def test_by_keyboard_alone(page: Page, look: Look) -> None:
    """Patient, question, suggestion, source and back, follow-up, a summary, its source, the contents, the history."""
    await expect(page.locator(".people a").first).to_be_visible()
    await tab_to(page, "#patient-search")
    await page.keyboard.type("santos")
    await expect(page.locator(".people a")).to_have_count(1)
    await tab_to(page, ".people a")
    await page.keyboard.press("Enter")
    await expect(page.locator(BOX)).to_be_focused()
    await page.keyboard.type("last hemo")
    await expect(page.locator("[role=option]").first).to_be_visible()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.locator(f"{TURN} .answer")).to_have_count(1)
    await expect(page.locator("#live")).to_contain_text("Answer: Latest: Hemoglobin A1c")
    await expect(page.locator(BOX)).to_be_focused()
    await tab_to(page, ".prose .chip", "Shift+Tab")
    await look(page, "keyboard-focus")
    await page.keyboard.press("Enter")
    await expect(page.locator("#evidence")).to_be_visible()
    await tab_to(page, "#evidence .panel-head button")
    await page.keyboard.press("Enter")
    await expect(page.locator("#evidence")).to_be_hidden()
    assert await page.evaluate("document.activeElement.matches('.prose .chip')")
    await tab_to(page, BOX)
    await page.keyboard.type("and the one before?")
    await page.keyboard.press("Enter")
    await expect(page.locator(f"{TURN} .answer")).to_have_count(2)
    await tab_to(page, '.views a[href*="summaries"]', "Shift+Tab")
    await page.keyboard.press("Enter")
    await tab_to(page, ".kinds button")
    await page.keyboard.press("Enter")
    await expect(page.locator(".summary")).to_be_visible()
    await tab_to(page, ".summary .chip")
    await page.keyboard.press("Enter")
    await expect(page.locator("#evidence")).to_be_visible()
    await page.keyboard.press("Escape")
    await tab_to(page, '.views a[href*="contents"]', "Shift+Tab")
    await page.keyboard.press("Enter")
    await tab_to(page, ".concept")
    await page.keyboard.press("Enter")
    await expect(page.locator(BOX)).to_be_focused()
    await tab_to(page, ".history li button.icon", "Shift+Tab")
    await page.keyboard.press("Enter")
    await tab_to(page, ".confirm .danger")


async def test_the_skip_link_leads_to_the_question(tab: Tab) -> None:
    page = await maria(tab)
    await page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    await tab_to(page, ".skip")
    await page.keyboard.press("Enter")
    await expect(page.locator(BOX)).to_be_focused()


async def test_on_a_phone_nothing_runs_off_the_screen(tab: Tab, look: Look) -> None:
    page = await maria(tab, **PHONE)
    await expect(page.locator(".examples button").first).to_be_visible()
    await look(page, "phone")
    await ask(page, "trend of creatinine")
    for view in ("Questions", "Summaries", "Timeline", "Chart contents"):
        await seen(page, view)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360, view
        assert await page.evaluate(SMALL) == [], view


async def test_targets_are_large_enough(tab: Tab) -> None:
    page = await maria(tab)
    await ask(page, "trend of creatinine")
    await page.click("text=5 sources")
    for view in ("Questions", "Summaries", "Chart contents"):
        await seen(page, view)
        assert await page.evaluate(SMALL) == [], view


async def test_the_theme_is_kept(tab: Tab) -> None:
    page = await maria(tab, color_scheme="light")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = await page.evaluate(paper)
    await page.select_option(".end select", "dark")
    dark = await page.evaluate(paper)
    assert light != dark
    await page.reload()
    await expect(page.locator("#patient-name")).to_be_visible()
    assert await page.evaluate(paper) == dark


async def test_at_four_times_the_size_nothing_runs_off_the_screen(tab: Tab) -> None:
    """WCAG 1.4.10: 1280 px at 400 %."""
    page = await maria(tab, viewport={"width": 320, "height": 256})
    await ask(page, "trend of creatinine")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320


def text_of(path: Path) -> str:
    """The text of a PDF."""
    import pypdfium2

    document = pypdfium2.PdfDocument(path)
    try:
        return " ".join(" ".join(page.get_textpage().get_text_bounded() for page in document).split())
    finally:
        document.close()


@pytest.mark.parametrize("what", ["answers", "summary"])
async def test_on_paper(tab: Tab, look: Look, what: str) -> None:
    page = await maria(tab, color_scheme="dark")
    if what == "answers":
        await ask(page, "last A1c?")
        await ask(page, "Has she ever had gout?")
    else:
        await seen(page, "Summaries")
    path = SCREENS / f"print-{what}.pdf"
    SCREENS.mkdir(parents=True, exist_ok=True)
    await page.pdf(path=path)
    told = text_of(path)
    for word in ("Maria Elena Santos, born 1958-04-17, D-10031. As of 2026-06-15.", "Printed ", "Penicillin V"):
        assert word in told
    assert "Observation/santos-a1c-2026-04-06" in told
    for control in ("Change patient", "Conversations", "System colours", "Copy value", "Questions Timeline"):
        assert control not in told
    await page.emulate_media(media="print")
    await look(page, f"print-{what}", whole=True)


async def test_without_sign_in_the_ways_in_are_shown(tab: Tab, accessible: Accessible, look: Look) -> None:
    page = await tab(expected=("401",))
    await expect(page.locator(".people a").first).to_be_visible()
    problem = """{"type": "urn:chartline:problem:sign-in", "status": 401, "detail": "sign in first", "request": "ab",
      "sign_in": {"key": true, "smart": [{"iss": "https://ehr.example/r4", "name": "Example Hospital"}]}}"""
    media = "application/problem+json"
    await page.route("**/v1/me", lambda route: route.fulfill(status=401, content_type=media, body=problem))
    await page.goto(page.url + f"#patient={MARIA}")
    await page.reload()
    await expect(page.locator(".sign-in a")).to_have_text("Sign in at Example Hospital")
    href = await page.locator(".sign-in a").get_attribute("href")
    assert href == "launch/standalone?iss=https%3A%2F%2Fehr.example%2Fr4"
    await look(page, "sign-in")
    assert await accessible(page) == []
    await page.route("**/v1/sign-in", lambda route: route.fulfill(status=401, content_type=media, body=problem))
    await page.fill("#api-key", "wrong")
    await page.press("#api-key", "Enter")
    await expect(page.locator(".problem")).to_contain_text("sign in first")
    await page.unroute("**/v1/me")
    await page.unroute("**/v1/sign-in")
    sent: list[str | None] = []

    async def taken(route: object) -> None:
        sent.append(route.request.post_data)  # type: ignore[attr-defined]
        await route.fulfill(status=204)  # type: ignore[attr-defined]

    await page.route("**/v1/sign-in", taken)
    await page.fill("#api-key", "right")
    await page.press("#api-key", "Enter")
    await expect(page.locator("#patient-name")).to_have_text("Maria Elena Santos")
    assert sent == ['{"key":"right"}']


async def test_too_many_questions_says_when_to_try_again(tab: Tab, look: Look) -> None:
    page = await maria(tab, expected=("429",))
    body = (
        '{"type": "urn:chartline:problem:busy", "status": 429, "detail": "16 questions are at work", "request": "cd"}'
    )
    headers = {"Retry-After": "3"}
    await page.route(
        "**/v1/ask",
        lambda route: route.fulfill(status=429, headers=headers, content_type="application/problem+json", body=body),
    )
    await page.fill(BOX, "last A1c?")
    await page.press(BOX, "Enter")
    await expect(page.locator(".problem")).to_contain_text("Try again in 3 seconds")
    await expect(page.locator(".problem code")).to_have_text("cd")
    await look(page, "too-many")
    await page.unroute("**/v1/ask")
    await page.click('button:has-text("Try again")')
    await expect(page.locator(f"{TURN} .prose")).to_contain_text("Hemoglobin A1c")
