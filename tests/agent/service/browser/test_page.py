"""A person at the page: asks, sees the answer come, opens what it rests on, asks on, comes back later."""

from __future__ import annotations

import re
from importlib.metadata import version

import pytest
from playwright.async_api import Page, Route, expect

from agent.types import Answer, Citation, ClaimOut, Reading, Removed, SearchedOut
from tests.agent.service.browser.chromium import look, violations
from tests.agent.service.browser.conftest import Tab
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


async def test_a_patient_is_found_and_asked_about(page: Page) -> None:
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


async def test_many_entries_of_one_allergy_are_told_as_one(tab: Tab) -> None:
    page = await tab(f"#patient={MARIA}")
    details = ["Hives; 1994", "Hives; 1994", "Rash; 2001"]
    items = [{"text": "Penicillin", "detail": detail, "reference": "AllergyIntolerance/x"} for detail in details]
    listed = {"state": "listed", "items": [*items, {**items[0], "text": "Latex", "detail": ""}], "complete": True}

    async def changed(route: Route) -> None:
        banner = await (await route.fetch()).json()
        await route.fulfill(json={**banner, "allergies": listed})

    await page.route(f"**/v1/patients/{MARIA}?*", changed)
    await page.reload()
    rows = page.locator(".allergies > ul > li")
    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text("Penicillin Hives; 1994")
    await page.click("text=1 more entry")
    await expect(rows.first.get_by_text("Rash; 2001")).to_be_visible()


async def test_an_answer_streams(tab: Tab) -> None:
    """Stages in words, then the claims, then the whole: each is on the screen before the next."""
    page = await maria(tab)
    await page.evaluate("""() => {
      window.seen = [];
      new MutationObserver(() => {
        const of = (selector) => document.querySelector(`.turn ${selector}`)?.textContent.trim();
        window.seen.push([of(".stage"), of(".claims"), of(".answer .prose"), of(".claims + .stage")]);
      }).observe(document.getElementById("app"), { subtree: true, childList: true, characterData: true });
    }""")
    asked = page.expect_request("**/v1/ask")
    async with asked as request:
        await ask(page, "trend of potassium")
    assert (await request.value).headers["accept"] == "text/event-stream"
    stages, claims, answers, below = zip(*(await page.evaluate("window.seen")), strict=True)
    assert len(set(filter(None, stages))) > 1
    first = [next(i for i, told in enumerate(column) if told) for column in (stages, claims, answers)]
    assert first == sorted(first)
    assert first[1] < first[2]
    assert any(below)  # what ends when the answer is there stands under the claims, which then stay where they are


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


async def test_a_lost_connection_is_told_and_the_answer_fetched(tab: Tab) -> None:
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


async def test_a_chip_opens_the_evidence_and_gives_the_focus_back(tab: Tab) -> None:
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


async def test_a_chip_stays_with_its_word_and_the_reader_at_it(tab: Tab) -> None:
    for width in (360, 620, 1280):
        page = await maria(tab, viewport={"width": width, "height": 800})
        await ask(page, "current medications")
        lines = await page.locator(".joined").evaluate_all("all => all.map((one) => one.getClientRects().length)")
        assert len(lines) == 6
        assert set(lines) == {1}
    await ask(page, "trend of creatinine")
    chip = page.locator(".prose .chip").nth(3)
    before = await chip.bounding_box()
    await chip.click()
    await expect(page.locator("#evidence .evidence-rows")).to_be_visible()
    during = await chip.bounding_box()
    await page.keyboard.press("Escape")
    after = await chip.bounding_box()
    assert before and during and after
    assert during["x"] < before["x"]
    assert during["y"] == pytest.approx(before["y"], abs=2)
    assert after["y"] == pytest.approx(before["y"], abs=2)


async def test_text_that_turns_its_direction_is_told_as_a_box(tab: Tab) -> None:
    name = "Maria \u202egro.live\u202c"
    page = await tab()
    people = {"patients": [{"id": MARIA, "name": name, "birth_date": None, "sex": None, "resources": 1}]}
    await page.route("**/v1/patients?*", lambda route: route.fulfill(json={**people, "complete": True}))
    await page.fill("#patient-search", "m")
    await expect(page.locator(".person-name")).to_have_text("Maria \u25a1gro.live\u25a1")
    told = TOLD.model_copy(update={"status": "answered", "text": "Seen \u202e[1] once \U000e0041."})
    events = f"event: answer\ndata: {told.model_dump_json()}\n\n"
    await page.route("**/v1/ask", lambda route: route.fulfill(content_type="text/event-stream", body=events))
    await page.click(".people a")
    await ask(page, "any nodule?")
    shown = await page.locator(f"{TURN} .prose").first.inner_text()
    assert not set(shown) & set("\u202e\u202c\U000e0041")
    assert "\u25a1" in shown


async def test_the_timeline_is_in_sight_on_a_laptop(tab: Tab) -> None:
    page = await maria(tab, "&view=timeline", viewport={"width": 1280, "height": 800})
    canvas = page.locator(".timeline canvas")
    await expect(canvas).to_be_visible()
    box = await canvas.bounding_box()
    assert box
    assert box["y"] < 300
    assert box["width"] > 1200
    await page.mouse.move(600, 600)
    await page.mouse.wheel(0, 200)
    await page.wait_for_function("() => scrollY > 100")
    await page.mouse.wheel(0, -400)
    await page.wait_for_function("() => scrollY === 0")
    await page.click(".timeline-kinds summary")
    await page.get_by_role("button", name="None").click()
    await page.get_by_role("checkbox", name="Conditions").check()
    await expect(page.locator(".timeline-count")).to_have_text("11 of 1,129 facts")
    await expect(page.locator(".timeline-kinds summary")).to_have_text("Kinds: 1 of 14")
    await page.mouse.click(900, 700)
    await expect(page.locator(".timeline-choice")).to_be_hidden()


async def test_what_was_searched_can_be_opened(tab: Tab) -> None:
    page = await maria(tab)
    await ask(page, "Has she ever had gout?")
    await expect(page.locator(".status")).to_have_text("Not found in the chart")
    await page.click(".prose .chip")
    await expect(page.locator("#evidence")).to_contain_text("12 found")
    await page.click("text=3 searches")
    await expect(page.locator(".searched li")).to_have_count(3)
    await look(page, "not-found")


async def test_a_follow_up_keeps_its_subject_and_the_history_reopens_it(tab: Tab) -> None:
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


async def test_suggestions_by_keyboard(tab: Tab) -> None:
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
    await expect(page.locator(f"{TURN} .link").nth(1)).to_have_text("Copied")


async def test_an_answer_is_copied_with_its_sources_and_what_limits_it(tab: Tab) -> None:
    page = await maria(tab)
    await ask(page, "last potassium and hemoglobin?")
    await expect(page.get_by_text("Copy value")).to_have_count(0)  # two values: neither is the answer
    await page.click("text=Copy with sources")
    assert await page.evaluate("navigator.clipboard.readText()") == "\n".join((
        "last potassium and hemoglobin?",
        "Latest: Potassium was 4.9 mmol/L (N) on 2026-04-06 [1]. "
        "Latest: Hemoglobin was 10.8 g/dL (L) on 2025-12-22 [2].",
        "",
        "[1] 2026-04-06 Potassium 4.9 mmol/L (Observation/santos-potassium-2026-04-06)",
        "[2] 2025-12-22 Hemoglobin 10.8 g/dL (Observation/santos-hemoglobin-2025-12-22)",
        "",
        f"Maria Elena Santos, D-10031. As of 2026-06-15. Answered by rules, chartline {version('chartline')}.",
    ))  # fmt: skip
    events = f"event: answer\ndata: {TOLD.model_dump_json()}\n\n"
    await page.route("**/v1/ask", lambda route: route.fulfill(content_type="text/event-stream", body=events))
    await ask(page, "any nodule?")
    await page.locator(TURN).nth(1).get_by_text("Copy with sources").click()
    await expect(page.locator("#live")).to_have_text("The answer is copied, with its sources.")
    copied = await page.evaluate("navigator.clipboard.readText()")
    for told in (
        "Incomplete: ",
        "2 records are of this patient",
        "1 statement was removed",
        "1 search was not finished",
    ):
        assert told in copied


async def test_the_panel_goes_from_source_to_source(tab: Tab) -> None:
    page = await maria(tab)
    await ask(page, "current medications")
    chips = page.locator(".prose .chip")
    await chips.first.click()
    panel = page.locator("#evidence")
    await expect(panel.locator(".steps")).to_contain_text("1 of 6")
    await expect(panel.get_by_role("button", name="Previous source")).to_be_disabled()
    await panel.get_by_role("button", name="Next source").press("Enter")
    await expect(panel.locator("h2").first).to_have_text("Source 2")
    await expect(panel).to_contain_text("Amlodipine")
    await expect(panel.get_by_role("button", name="Next source")).to_be_focused()
    await expect(chips.nth(1)).to_have_attribute("aria-current", "true")
    assert await violations(page) == []
    await page.keyboard.press("Escape")
    await expect(chips.nth(1)).to_be_focused()


async def test_the_contents_lead_to_a_question(tab: Tab) -> None:
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
    await page.fill("#as-of", "2020-02-30")
    await page.press("#as-of", "Enter")
    await expect(page.locator(".day .bad")).to_have_text("Not a day. Write it as YYYY-MM-DD.")
    await expect(page.locator(".facts")).to_contain_text("56 years")
    await page.fill("#as-of", "2020-01-01")
    await page.press("#as-of", "Enter")
    await expect(page.locator(".day .bad")).to_have_text("")
    await expect(page.locator(".facts")).to_contain_text("61 years")
    assert "as_of=2020-01-01" in page.url
    await page.click("text=Back to today")
    await expect(page.locator("#as-of")).to_have_value("2026-06-15")
    assert "as_of" not in page.url


TOLD = Answer(
    question="any nodule?",
    patient=f"Patient/{MARIA}",
    as_of="2026-06-15",
    status="incomplete",
    text='Taken to mean "last chest x-ray": Chest X-ray, 2 views was taken on 2023-12-20 [1].',
    claims=[ClaimOut(text="Chest X-ray, 2 views was taken on 2023-12-20.", marks=["1"], support="direct")],
    citations=[
        Citation(mark="1", reference="ImagingStudy/x", path="ImagingStudy.started", excerpt="2023-12-20 Chest X-ray")
    ],
    searched=[SearchedOut(query="Binary?x", found=0, complete=False, error="the server answered 503")],
    readings=[Reading(text="<b>No nodule</b> is seen.", image="1", model="medgemma-4b-it")],
    removed=[Removed(kind="value", reason="the number is in no cited record")],
    warnings=["2 records are of this patient; they are read as one chart"],
    reasoner="medgemma-27b-it",
)


async def test_all_that_a_reader_needs_to_judge_an_answer_is_shown(tab: Tab) -> None:
    """An answer with everything in it, as a model gives it over a chart that was not all read."""
    page = await maria(tab)
    events = f"event: answer\ndata: {TOLD.model_dump_json()}\n\n"
    await page.route("**/v1/ask", lambda route: route.fulfill(content_type="text/event-stream", body=events))
    await ask(page, "any nodule?")
    shown = page.locator(f"{TURN} .answer")
    await look(page, "everything")
    for text in (
        "Incomplete: not everything could be read",
        "Taken to mean: last chest x-ray",
        "Read from pixels by medgemma-4b-it, not checked",
        "<b>No nodule</b> is seen.",
        "1 statement was removed because the chart does not back it",
        "the number is in no cited record",
        "1 search was not finished",
        "the server answered 503",
        "2 records are of this patient",
        "Answered by medgemma-27b-it",
    ):
        await expect(shown).to_contain_text(text)
        await expect(shown.get_by_text(text).first).to_be_visible()
    await expect(shown.locator(".prose").first).not_to_contain_text("No nodule")
