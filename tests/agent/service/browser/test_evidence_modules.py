"""The page's modules for evidence, in a browser: plot, note, image, raw, and hostile text of a chart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, expect
from pydicom.data import get_testdata_file

from agent.service.app import create_app
from tests.agent.service.browser.chromium import PHONE, look, serving, violations
from tests.agent.service.browser.modules import emptied
from tests.agent.service.conftest import FOLDER, MARIA, settings_in
from tests.agent.service.test_evidence import CHART, attached, bundle

pytestmark = [pytest.mark.slow, pytest.mark.loopback]

HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>\u202egnp.exe\u2066'
READINGS = [
    {"text": "Dense structure", "image": "1", "region": [30, 40, 70, 90], "frame": 1, "model": "tiny-eyes"},
    {"text": HOSTILE, "image": "1", "region": [80, 20, 110, 50], "frame": 1, "model": "tiny-eyes"},
]


def dicom(name: str) -> bytes:
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip(f"pydicom does not bring {name} along")
    return Path(path).read_bytes()


def chart() -> bytes:
    long = "\n".join(f"Line {n}: nothing of note \U0001fa7a on this day." for n in range(4000))
    hostile = {
        "resourceType": "Condition",
        "id": "hostile",
        "code": {"text": HOSTILE + "x" * 5000},
        "subject": {"reference": "Patient/p", "display": HOSTILE},
        "onsetDateTime": "2020-01-01",
    }
    return bundle(
        *CHART,
        hostile,
        attached("long", "text/plain", long.encode()),
        attached("hostile-note", "text/plain", f"Plan: {HOSTILE} and rest.".encode()),
        attached("ct", "application/dicom", dicom("CT_small.dcm")),
        attached("mr", "application/dicom", dicom("emri_small.dcm")),
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The service over the demo charts."""
    app = create_app(settings_in(tmp_path_factory.mktemp("demo")), fhir=(str(FOLDER),))
    with serving(app) as address:
        yield address


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The service over a small chart with images, a long note and hostile text."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "chart.json").write_bytes(chart())
    app = create_app(settings_in(folder), fhir=(str(folder / "chart.json"),))
    with serving(app) as address:
        yield address


def asked(address: str, question: str) -> Any:
    """The first citation of an answer about the demo patient."""
    answer = httpx.post(f"{address}v1/ask", json={"question": question, "patient": MARIA}, timeout=30).json()
    return answer["citations"][0]


def note_of(address: str, reference: str) -> Any:
    """The text of a document as the service tells it."""
    return httpx.get(f"{address}v1/evidence/{reference}", params={"patient": "p"}, timeout=30).json()["note"]


async def show(page: Page, patient: str, citation: Any, readings: Any = ()) -> None:
    given = {"patient": patient, "citation": citation, "readings": list(readings)}
    await page.evaluate("given => evidence(given)", given)


def cite(reference: str, **more: Any) -> Any:
    return {"mark": "1", "reference": reference, "version": None, "path": "", "inputs": [], "span": None, **more}


async def test_a_result_is_plotted_with_its_range_and_the_cited_point(demo: str) -> None:
    async with emptied(demo) as page:
        await show(page, MARIA, asked(demo, "last A1c?"))
        await page.wait_for_selector(".plot-chart[data-ready] canvas")
        await expect(page.locator(".evidence-cited")).to_contain_text("7.2 %")
        await expect(page.locator(".plot figcaption")).to_contain_text("reference range 4 to 5.6 %")
        await expect(page.locator(".plot-told")).to_contain_text("2026-04-06 · 7.2 % (H) · above its range · cited")
        await page.locator(".plot-chart").focus()
        await page.keyboard.press("ArrowLeft")
        await expect(page.locator(".plot-told")).to_contain_text("2025-12-22 · 7.1 %")
        await page.keyboard.press("Home")
        await expect(page.locator(".plot-told")).to_contain_text("2009-03-04")
        await page.keyboard.press("Enter")
        await expect(page.locator(".evidence-where")).to_contain_text("santos-a1c-2009-03-04")
        await page.get_by_role("button", name="Back").click()
        await expect(page.locator(".evidence-where")).to_contain_text("santos-a1c-2026-04-06")
        await page.get_by_role("button", name="Table").click()
        await expect(page.locator(".plot-table tr.cited")).to_contain_text("2026-04-06")
        assert await page.locator(".plot-table tbody tr").count() == 60
        await look(page, "evidence-plot-table")


async def test_the_curve_is_really_drawn(demo: str) -> None:
    """Pixels of the band's colour and of the curve's are on the canvas, in light and in dark."""
    for name, scheme in (("light", "light"), ("dark", "dark")):
        async with emptied(demo, color_scheme=scheme) as page:
            await show(page, MARIA, asked(demo, "last A1c?"))
            await page.wait_for_selector(".plot-chart[data-ready] canvas")
            await page.wait_for_timeout(100)
            colours = await page.evaluate("""() => {
                const canvas = document.querySelector(".plot-chart canvas");
                const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
                const seen = new Set();
                for (let at = 0; at < data.length; at += 4)
                    if (data[at + 3] > 20) seen.add([data[at], data[at + 1], data[at + 2]].join());
                return seen.size;
            }""")
            assert colours > 20
            await look(page, f"evidence-plot-{name}")


async def test_a_plot_follows_the_colours_and_the_width_and_comes_back_as_it_was(demo: str) -> None:
    """Its commonest colour tells the theme; a plot that was left for another record is there again."""
    seen = """() => {
        const canvas = document.querySelector(".plot-chart canvas");
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const colours = new Map();
        for (let at = 0; at < data.length; at += 4) {
            const colour = data.slice(at, at + 3).join();
            if (data[at + 3] === 255) colours.set(colour, (colours.get(colour) ?? 0) + 1);
        }
        return [canvas.clientWidth, [...colours].sort((a, b) => b[1] - a[1])[0][0]];
    }"""
    async with emptied(demo, color_scheme="light") as page:
        await show(page, MARIA, asked(demo, "last A1c?"))
        await page.wait_for_selector(".plot-chart[data-ready] canvas")
        wide, light = await page.evaluate(seen)
        await page.locator(".plot-chart").press("Home")
        await page.locator(".plot-chart").press("Enter")
        await page.get_by_role("button", name="Back").click()
        await expect(page.locator(".plot-told")).to_contain_text("2009-03-04")
        await page.emulate_media(color_scheme="dark")
        await page.set_viewport_size({"width": 600, "height": 900})
        changed = f"([wide, light]) => {{ const [now, hue] = ({seen})(); return now < wide && hue !== light; }}"
        await page.wait_for_function(changed, arg=[wide, light])
        assert await page.locator(".plot-chart canvas").count() == 1


async def test_evidence_is_drawn_once_it_is_in_the_page(demo: str) -> None:
    """The shell makes it apart from the page and puts it in when it is whole."""
    async with emptied(demo) as page:
        given = {"patient": MARIA, "citation": asked(demo, "last blood pressure?")}
        await page.evaluate(
            """async (given) => {
                const place = document.createElement("div");
                await window.apart(place, given);
                await new Promise((done) => setTimeout(done, 200));
                document.getElementById("shown").replaceChildren(place);
            }""",
            given,
        )
        await page.wait_for_selector(".plot-chart[data-ready] canvas")
        await page.wait_for_timeout(100)
        assert await page.evaluate("document.querySelector('.plot-chart canvas').clientWidth") > 900
        await look(page, "evidence-pressure")


async def test_a_computation_shows_all_its_inputs(demo: str) -> None:
    citation = asked(demo, "mean A1c in 2025?")
    assert citation["reference"] == ""
    async with emptied(demo) as page:
        await show(page, MARIA, citation)
        await page.wait_for_selector(".plot-chart[data-ready]")
        await expect(page.get_by_role("heading", name="Worked out from 4 records")).to_be_visible()
        assert await page.locator(".evidence-inputs li").count() == 4
        await page.get_by_role("button", name="Table").click()
        assert await page.locator(".plot-table tr.cited").count() == 4
        await page.locator(".evidence-inputs button").nth(1).click()
        await expect(page.locator(".evidence-where")).to_contain_text("2025-05-27")


async def test_a_quote_is_marked_in_its_note(demo: str) -> None:
    citation = asked(demo, "what do the notes say about pneumonia?")
    async with emptied(demo) as page:
        await show(page, MARIA, citation)
        await expect(page.locator(".note mark")).to_have_text(citation["span"]["quote"])
        await look(page, "evidence-note")


async def test_a_passage_deep_in_a_long_note_comes_into_view(small: str) -> None:
    note = note_of(small, "DocumentReference/long")
    start = note["text"].index("Line 3700:")
    quote = note["text"][start : start + 20]
    async with emptied(small) as page:
        began = await page.evaluate("performance.now()")
        await show(page, "p", cite("DocumentReference/long", span={"start": start, "end": start + 20, "quote": quote}))
        await page.wait_for_timeout(100)
        assert await page.evaluate("performance.now()") - began < 2000
        await expect(page.locator(".note mark")).to_have_text(quote)
        place = await page.evaluate("""() => {
            const box = document.querySelector(".note-text").getBoundingClientRect();
            const mark = document.querySelector(".note mark").getBoundingClientRect();
            return mark.top >= box.top && mark.bottom <= box.bottom;
        }""")
        assert place
        text = await page.evaluate("document.querySelector('.note-text').textContent")
        assert text == note["text"]
        await look(page, "evidence-note-long")


async def test_several_passages_are_walked(small: str) -> None:
    text = "One. \U0001f600 Two is here. Three overlaps four."
    spans = [(text.index(q), q) for q in ("Two is here.", "Three overlaps", "overlaps four", "One.")]
    given = [{"start": at, "end": at + len(q), "quote": q} for at, q in spans]
    async with emptied(small) as page:
        await page.evaluate("([text, spans]) => note({ text, complete: true }, spans)", [text, given])
        assert await page.locator(".note mark").all_text_contents() == [
            "One.", "Two is here.", "Three ", "overlaps", " four",
        ]  # fmt: skip
        await page.get_by_role("button", name="Next passage").click()
        await expect(page.locator(".note-walk [role=status]")).to_have_text("passage 2 of 4")
        moved = [{"start": 3, "end": 8, "quote": "other"}]
        await page.evaluate("([text, spans]) => note({ text, complete: true }, spans)", [text, moved])
        await expect(page.locator(".evidence-notice")).to_contain_text("has changed since it was cited")
        assert await page.locator(".note mark").count() == 0


async def test_a_dicom_image_has_boxes_that_say_who_drew_them(small: str) -> None:
    async with emptied(small) as page:
        await show(page, "p", cite("DocumentReference/ct"), READINGS)
        await page.wait_for_selector(".image[data-ready]")
        await expect(page.locator(".image-unchecked")).to_have_text("Read by tiny-eyes from the pixels, not checked:")
        size = await page.evaluate(
            "[...document.querySelectorAll('.image-stage img')].flatMap((x) => [x.naturalWidth, x.naturalHeight])"
        )
        assert size == [128, 128]
        before = await boxes(page)
        assert before["box"] == pytest.approx(before["wanted"], abs=1)
        await look(page, "evidence-image")
        stage = page.locator(".image-stage")
        await stage.focus()
        await page.keyboard.press("+")
        await page.keyboard.press("ArrowLeft")
        zoomed = await boxes(page)
        assert zoomed["scale"] > before["scale"]
        assert zoomed["box"] == pytest.approx(zoomed["wanted"], abs=1)
        await stage.hover()
        await page.mouse.wheel(0, -300)
        assert (await boxes(page))["scale"] > zoomed["scale"]
        await page.keyboard.press("0")
        assert (await boxes(page))["scale"] == pytest.approx(before["scale"])
        await page.locator(".image-readings button").first.click()
        assert (await boxes(page))["scale"] > before["scale"]
        alt = await page.locator(".image-stage img").get_attribute("alt")
        assert alt and "CT" in alt
        await look(page, "evidence-image-box")


async def boxes(page: Page) -> dict[str, Any]:
    """Where the first box is on the screen, and where its region of the picture is."""
    found: dict[str, Any] = await page.evaluate(
        """([left, top, right, bottom]) => {
        const image = document.querySelector(".image-stage img").getBoundingClientRect();
        const box = document.querySelector(".image-box").getBoundingClientRect();
        const scale = image.width / 128;
        return {
            scale,
            box: [box.left, box.top, box.right, box.bottom],
            wanted: [
                image.left + left * scale, image.top + top * scale,
                image.left + right * scale, image.top + bottom * scale,
            ],
        };
    }""",
        READINGS[0]["region"],
    )
    return found


async def test_frames_are_turned(small: str) -> None:
    async with emptied(small) as page:
        await show(page, "p", cite("DocumentReference/mr"))
        await page.wait_for_selector(".image[data-ready='1']")
        await expect(page.locator(".image-pages output")).to_have_text("1 of 10")
        await page.locator(".image-stage").focus()
        await page.keyboard.press("PageDown")
        await page.wait_for_selector(".image[data-ready='2']")
        await page.get_by_role("slider", name="Frame").fill("7")
        await page.wait_for_selector(".image[data-ready='7']")
        await expect(page.locator(".image-pages output")).to_have_text("7 of 10")
        await look(page, "evidence-frames")


async def test_an_image_that_cannot_be_read_says_why(small: str) -> None:
    async with emptied(small, expected=("422",)) as page:
        await show(page, "p", cite("DocumentReference/junk"))
        await expect(page.locator(".image-status")).to_contain_text("The image cannot be shown:")


async def test_hostile_text_is_text(small: str) -> None:
    async with emptied(small) as page:
        await show(page, "p", cite("Condition/hostile", path="Condition.code"))
        await expect(page.locator("h3")).to_contain_text("<img src=x onerror=")
        assert await page.locator("#shown img, #shown script").count() == 0
        shown = await page.locator("#shown").text_content()
        assert shown and not set(shown) & {"\u202e", "\u2066"}
        await page.locator(".evidence-raw > summary").click()
        await page.wait_for_selector(".raw details")
        assert await page.locator("#shown img, #shown script").count() == 0
        wide = await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert wide
        await look(page, "evidence-hostile")
        await show(page, "p", cite("DocumentReference/hostile-note", span={"start": 6, "end": 10, "quote": "<img"}))
        await expect(page.locator(".note mark")).to_have_text("<img")
        assert await page.locator("#shown img, #shown script").count() == 0
        await show(page, "p", cite("DocumentReference/ct"), READINGS)
        await page.wait_for_selector(".image[data-ready]")
        assert await page.locator("#shown img").count() == 1


async def test_the_raw_record_is_folded_and_copied(demo: str) -> None:
    async with emptied(demo) as page:
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await show(page, MARIA, asked(demo, "last A1c?"))
        await page.locator(".evidence-raw > summary").click()
        await page.get_by_role("button", name="Copy JSON").click()
        await expect(page.locator(".raw-told")).to_have_text("Copied")
        copied = await page.evaluate("navigator.clipboard.readText().then(JSON.parse)")
        assert copied["id"] == "santos-a1c-2026-04-06"
        await look(page, "evidence-raw")


async def test_evidence_is_accessible(small: str, demo: str) -> None:
    places = [
        (demo, MARIA, asked(demo, q))
        for q in ("last A1c?", "mean A1c in 2025?", "what do the notes say about pneumonia?")
    ]
    places += [(small, "p", cite("DocumentReference/ct")), (small, "p", cite("DocumentReference/mr"))]
    for options in ({}, {"color_scheme": "dark"}, PHONE):
        for address, patient, citation in places:
            async with emptied(address, **options) as page:
                await show(page, patient, citation, READINGS if citation["reference"].endswith("/ct") else ())
                await page.wait_for_selector(".plot-chart[data-ready], .note mark, .image[data-ready]")
                if citation["reference"]:
                    await page.locator(".evidence-raw > summary").click()
                assert await violations(page) == []
                assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_a_picture_of_each_kind_for_the_eye(small: str) -> None:
    async with emptied(small, **PHONE) as page:
        for name, citation, readings in (
            ("image", cite("DocumentReference/ct"), READINGS),
            ("units", cite("Observation/g1", path="Observation.valueQuantity"), ()),
        ):
            await show(page, "p", citation, readings)
            await page.wait_for_selector(".plot-chart[data-ready], .image[data-ready]")
            await look(page, f"evidence-{name}-phone")
