"""Trials at the page: a protocol as understood, the open patient against it, several as a job and as a worklist."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from tests.agent.service.browser.chromium import PHONE, look, violations
from tests.agent.service.browser.conftest import Tab
from tests.agent.service.browser.test_page import maria
from tests.agent.service.conftest import MARIA

pytestmark = [pytest.mark.slow, pytest.mark.loopback]

PROTOCOL = """Inclusion Criteria:
* Age 18 years or older
* HbA1c above 7.0 % within 6 months
* eGFR of at least 20 mL/min/1.73 m2
* Willing to comply with study procedures

Exclusion Criteria:
* History of stroke
* Current use of insulin
"""


def kept(path: Path) -> str:
    """A file that was saved."""
    return path.read_text("utf-8")


async def read(page: Page, text: str = PROTOCOL) -> None:
    """Have a protocol read."""
    await page.fill("#protocol", text)
    await page.click("text=Read the criteria")
    await expect(page.locator("#criteria-title")).to_be_focused()


@pytest.mark.parametrize("way", ["light", "dark", "phone"])
async def test_a_patient_is_held_against_each_criterion(tab: Tab, way: str) -> None:
    page = await maria(tab, "&view=trials", **(PHONE if way == "phone" else {"color_scheme": way}))
    await read(page)
    rows = page.locator(".criterion")
    await expect(rows.nth(2)).to_contain_text("latest result of eGFR is ≥ 20 mL/min/1.73 m2")
    await expect(rows.nth(3)).to_contain_text("somebody has to ask")
    await expect(page.locator(".criteria > .muted")).to_contain_text("6 criteria, 1 of them needs a person")
    assert await violations(page) == []
    await page.click("text=Match Maria Elena Santos")
    await expect(page.locator(".outcome")).to_contain_text("Excluded")
    await expect(rows.nth(1).locator(".verdict")).to_have_text("Met")
    await expect(rows.nth(3).locator(".verdict")).to_have_text("Unknown")
    await expect(rows.nth(4).locator(".verdict")).to_have_text("Does not apply")
    await expect(rows.nth(5).locator(".verdict")).to_have_text("Applies")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await look(page, f"trials-{way}", whole=True)
    assert await violations(page) == []
    chip = rows.nth(1).locator(".chip").first
    await chip.click()
    await expect(page.locator("#evidence")).to_contain_text("7.2 %")
    assert await violations(page) == []
    await page.keyboard.press("Escape")
    await expect(chip).to_be_focused()
    await page.goto(f"{page.url.split('#')[0]}#patient=demo-robert-keller&view=trials")
    await expect(page.locator("#patient-name")).to_have_text("Robert Keller")
    await expect(page.locator(".outcome")).to_have_count(0)  # another's verdicts are not his


async def test_checks_can_be_changed_and_files_chosen(tab: Tab, tmp_path: Path) -> None:
    page = await maria(tab, "&view=trials")
    file = tmp_path / "my trial.txt"
    file.write_text(PROTOCOL, "utf-8")
    await page.set_input_files(".file input", file)
    await expect(page.locator("#protocol-name")).to_have_value("my trial")
    await expect(page.locator(".criterion")).to_have_count(6)
    await page.click("text=Change the checks")
    sheet = await page.input_value("#checks")
    await page.fill("#checks", sheet.replace("> 7 %", "> 9 %"))
    await page.click("text=Use these checks")
    await expect(page.locator(".criterion").nth(1)).to_contain_text("is > 9 %")
    await page.click("text=Match Maria")
    await expect(page.locator(".criterion").nth(1).locator(".verdict")).to_have_text("Not met")


async def test_what_is_no_protocol_is_told(tab: Tab) -> None:
    page = await maria(tab, "&view=trials", expected=("422",))
    for text, told in (
        ('{"protocolSection": ', "begins like JSON"),
        ("NCT00000000", "Numbers of trials are not looked up here"),
    ):
        await page.fill("#protocol", text)
        await page.click("text=Read the criteria")
        await expect(page.locator(".problem")).to_contain_text(told)
    assert await violations(page) == []


@pytest.mark.parametrize("way", ["light", "phone"])
async def test_several_patients_become_a_worklist(tab: Tab, way: str) -> None:
    page = await tab(**(PHONE if way == "phone" else {}))
    await page.click("text=Screen patients for a trial")
    await read(page, PROTOCOL.replace("* Current use of insulin\n", ""))
    await page.click("text=Screen all patients")
    await expect(page.locator("#worklist-title")).to_be_focused()
    rows = page.locator(".rows > li")
    await expect(rows).to_have_count(3)
    await expect(rows.first).to_contain_text("Maria Elena Santos")
    await expect(rows.first.locator(".outcome").first).to_have_text("Possibly eligible")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await look(page, f"worklist-{way}", whole=True)
    assert await violations(page) == []
    await rows.first.locator("summary").click()
    chip = rows.first.locator(".chip").first
    await chip.click()
    await expect(page.locator("#evidence")).to_contain_text("1958-04-17")
    await expect(page.locator(".panel-who")).to_have_text("Maria Elena Santos")
    await look(page, f"worklist-evidence-{way}")
    assert await violations(page) == []
    await page.keyboard.press("Escape")
    await expect(chip).to_be_focused()
    async with page.expect_download() as waited:
        await page.click("text=CSV")
    assert kept(await (await waited.value).path()).count("Patient/demo-") == 3
    await page.click("text=Open the chart of Maria")
    await expect(page.locator("#patient-name")).to_have_text("Maria Elena Santos")
    await expect(page.locator("#protocol")).to_have_value(PROTOCOL.replace("* Current use of insulin\n", ""))
    await page.go_back()
    await expect(rows).to_have_count(3)
    await page.reload()
    await expect(rows).to_have_count(3)
    await expect(page.locator(".jobs a").first).to_be_visible()


async def test_only_some_patients_are_screened(tab: Tab) -> None:
    page = await tab("#view=trials")
    await read(page)
    await page.fill("#only", f"{MARIA}\nno-such-patient")
    await page.click("text=Screen these patients")
    await expect(page.locator(".rows > li")).to_have_count(1)
    await expect(page.locator(".worklist .unread")).to_contain_text("Patient/no-such-patient")


async def test_a_job_shows_how_far_it_is_and_can_be_cancelled(tab: Tab) -> None:
    """A job of many patients, as the service tells it while it works."""
    page = await tab("#view=trials")
    job = {"id": "j1", "kind": "trial-screening", "done": 40, "total": 200, "error": None}
    job |= {"created": "2026-06-15T10:00:00Z", "updated": "2026-06-15T10:00:00Z", "state": "working"}
    cancelled = False

    async def told(route: Route) -> None:
        nonlocal cancelled
        cancelled = cancelled or route.request.method == "DELETE"
        now = {**job, "state": "cancelled" if cancelled else "working"}
        if route.request.method == "DELETE":
            await route.fulfill(status=204)
        elif not route.request.url.endswith("/events"):  # nothing new comes meanwhile
            await route.fulfill(json=now)

    await page.route("**/v1/jobs/j1**", told)
    await page.route("**/v1/jobs", lambda route: route.fulfill(status=202, json=job))
    await read(page)
    await page.click("text=Screen all patients")
    await expect(page.locator(".job")).to_contain_text("40 of 200 patients")
    await expect(page.locator("progress")).to_have_attribute("max", "200")
    assert await violations(page) == []
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.locator(".job")).to_contain_text("Cancelled")
    assert cancelled
