"""The page in Firefox: the same flows as in Chromium, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agent.service.browser.firefox import Tab, firefox
from tests.agent.service.conftest import MARIA

pytestmark = [pytest.mark.slow, pytest.mark.loopback]

PROTOCOL = "Inclusion Criteria:\n* HbA1c above 7.0 % within 6 months\n\nExclusion Criteria:\n* Current use of insulin"


async def view(tab: Tab, name: str) -> None:
    """Go to a view of the chart."""
    await tab.click(f'.views a[href*="view={name}"]')


async def test_the_main_flows(served: str, tmp_path: Path) -> None:
    async with firefox(tmp_path) as tab:
        await tab.go(served)
        await tab.click(f'.people a[href*="{MARIA}"]')
        await tab.until("document.activeElement.id === 'question'")
        await tab.type("trend of crea")
        assert await tab.text('[role="option"]') == "Trend of Creatinine?"
        await tab.press("ArrowDown")
        await tab.press("Enter")
        assert "2.08 mg/dL" in await tab.text(".turn .answer .prose")
        await tab.click(".prose .chip")
        await tab.until("document.querySelector('#evidence[open] .plot-chart[data-ready]')?.isConnected")
        await tab.look("evidence")
        await tab.press("Escape")
        await tab.until("document.activeElement.matches('.prose .chip')")
        await tab.until("!document.getElementById('evidence').checkVisibility()")

        await view(tab, "timeline")
        await tab.until("document.querySelector('.timeline[data-ready]')?.isConnected")
        await tab.look("timeline")
        await tab.tell("document.querySelector('canvas').focus()")
        await tab.press("ArrowRight")
        await tab.until("/^\\d{4}-/.test(document.querySelector('.timeline-told').textContent)")

        await view(tab, "summaries")
        await tab.click(".kinds button")
        await tab.text(".summary h4")
        await tab.look("summary")

        await view(tab, "trials")
        await tab.click("#protocol")
        await tab.type(PROTOCOL)
        await tab.click(".protocol .main")
        await tab.click(".criteria .main")
        assert await tab.text(".outcome strong") == "Excluded"
        await tab.look("trials")
