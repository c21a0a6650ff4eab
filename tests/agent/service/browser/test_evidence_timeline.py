"""The timeline in a browser: 20,000 facts, by mouse, keys and touch, as a list, and accessible."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from agent.service.app import create_app
from benchmarks.bench_page import frames, painted, usable
from benchmarks.charts import PATIENT, fill
from fhir_tools.local import LocalStore
from tests.agent.service.browser.chromium import PHONE, look, serving, violations
from tests.agent.service.browser.modules import emptied
from tests.agent.service.conftest import FOLDER, MARIA, settings_in

pytestmark = [pytest.mark.slow, pytest.mark.loopback]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The service over the demo charts."""
    app = create_app(settings_in(tmp_path_factory.mktemp("demo")), fhir=(str(FOLDER),))
    with serving(app) as address:
        yield address


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The service over a chart of 20,000 resources."""
    folder = tmp_path_factory.mktemp("large")
    store = LocalStore(folder / "store.sqlite")
    fill(store, 20_000)
    store.close()
    app = create_app(settings_in(folder), fhir=(str(folder / "store.sqlite"),))
    with serving(app) as address:
        yield address


async def open_timeline(page: Page, patient: str = MARIA) -> None:
    await page.evaluate("patient => timeline({ patient })", patient)
    await page.wait_for_selector(".timeline[data-ready]")
    await page.wait_for_timeout(60)


async def untick(page: Page, kind: str) -> None:
    """Hide a kind of facts; the choice of kinds closes when the focus leaves it."""
    await page.locator(".timeline-kinds summary").click()
    await page.get_by_role("checkbox", name=kind).uncheck()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("checkbox", name=kind)).to_be_hidden()


async def test_a_fact_is_found_by_keys_and_opened(demo: str) -> None:
    async with emptied(demo) as page:
        await open_timeline(page)
        told = page.locator(".timeline-told")
        await page.locator("canvas").focus()
        await page.keyboard.press("End")
        await expect(told).to_contain_text("2026-04-06")
        await page.keyboard.press("ArrowDown")
        first = await told.text_content()
        await page.keyboard.press("ArrowLeft")
        assert await told.text_content() != first
        kind = (await told.text_content() or "").split(" · ")[1]
        await page.keyboard.press("+")
        await page.keyboard.press("Enter")
        assert kind in ("Social history", "Conditions")
        (reference,) = await page.evaluate("picked")
        assert reference.partition("/")[0] in ("Observation", "Condition")
        await look(page, "timeline-keys")


async def test_kinds_and_words_narrow_it(demo: str) -> None:
    async with emptied(demo) as page:
        await open_timeline(page)
        count = page.locator(".timeline-count")
        await expect(count).to_have_text("1,129 facts")
        await untick(page, "Results and vital signs")
        await expect(count).to_have_text("174 of 1,129 facts")
        await page.get_by_role("searchbox").fill("chest x-ray")
        await expect(count).to_have_text("4 of 1,129 facts")
        await look(page, "timeline-filtered")
        await page.get_by_role("searchbox").fill("no such thing")
        await expect(count).to_have_text("0 of 1,129 facts")


async def test_the_mouse_points_zooms_and_drags(demo: str) -> None:
    async with emptied(demo) as page:
        await open_timeline(page)
        await untick(page, "Results and vital signs")
        box = await page.locator("canvas").bounding_box()
        assert box
        told = page.locator(".timeline-told")
        found = set()
        for y in range(90, 160, 9):
            for x in range(200, int(box["width"]) - 10, 60):
                await page.mouse.move(box["x"] + x, box["y"] + y)
                found.add(await told.text_content())
        assert len([text for text in found if text and "Conditions" in text]) >= 3
        await page.mouse.move(box["x"] + 500, box["y"] + 105)
        await page.keyboard.down("Control")
        await page.mouse.wheel(0, -600)
        await page.keyboard.up("Control")
        await page.mouse.down()
        await page.mouse.move(box["x"] + 300, box["y"] + 105, steps=5)
        await page.mouse.up()
        await page.wait_for_timeout(100)
        assert await page.evaluate("picked") == []
        await look(page, "timeline-zoomed")


async def test_the_list_says_the_same(demo: str) -> None:
    async with emptied(demo) as page:
        await open_timeline(page)
        await page.get_by_role("button", name="List").click()
        rows = page.locator(".timeline-list tbody tr")
        assert await rows.count() == 50
        await expect(rows.first).to_contain_text("2026-04-06")
        await page.get_by_role("button", name="Older").click()
        await expect(page.locator(".timeline-pager [role=status]")).to_have_text("page 2 of 23")
        await rows.first.get_by_role("button").click()
        assert len(await page.evaluate("picked")) == 1
        await page.get_by_role("searchbox").fill("cholelithiasis")
        await expect(rows).to_have_count(1)
        await expect(rows.first).to_contain_text("1997 to 1998")


async def test_it_is_accessible(demo: str) -> None:
    for name, options in (("light", {}), ("dark", {"color_scheme": "dark"}), ("phone", PHONE)):
        async with emptied(demo, **options) as page:
            await open_timeline(page)
            assert await violations(page) == []
            await look(page, f"timeline-{name}")
            await page.get_by_role("button", name="List").click()
            assert await violations(page) == []
            await look(page, f"timeline-list-{name}")
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_a_phone_pinches_and_drags(demo: str) -> None:
    async with emptied(demo, **PHONE) as page:
        await open_timeline(page)
        axis = """() => {
            const canvas = document.querySelector("canvas");
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, 52);
            return data.reduce((sum, value, at) => (sum * 31 + value * (at % 97)) % 1000003, 7);
        }"""
        before = await page.evaluate(axis)
        await page.evaluate("""() => {
            const canvas = document.querySelector("canvas");
            const box = canvas.getBoundingClientRect();
            const send = (type, id, x) => canvas.dispatchEvent(new PointerEvent(type, {
                pointerId: id, pointerType: "touch", clientX: box.left + x, clientY: box.top + 100, bubbles: true }));
            canvas.setPointerCapture = () => {};
            send("pointerdown", 1, 150);
            send("pointerdown", 2, 200);
            for (let step = 1; step < 10; step += 1) {
                send("pointermove", 1, 150 - step * 8);
                send("pointermove", 2, 200 + step * 8);
            }
            send("pointerup", 1, 70);
            send("pointerup", 2, 280);
        }""")
        await page.wait_for_timeout(100)
        assert await page.evaluate(axis) != before
        assert await page.evaluate("picked") == []


async def test_a_large_chart_is_soon_usable_and_stays_smooth(large: str) -> None:
    """Bounds with room for a machine that has other work; `benchmarks.bench_page` has the figures."""
    async with emptied(large) as page:
        await page.goto(large)
        await painted(page, large, PATIENT)
        assert await usable(page) < 2.0
        await look(page, "timeline-large")
        moved = await frames(page)
        assert moved.median < 0.034
        await look(page, "timeline-large-zoomed")
        await page.get_by_role("searchbox").fill("glucose")
        await expect(page.locator(".timeline-count")).to_contain_text("of 19,8")
