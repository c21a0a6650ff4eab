"""The page's modules of evidence and timeline by themselves: loaded from the page, into an emptied tab of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Page, expect

from tests.agent.service.browser.chromium import chromium, watched

_EMPTIED = """async () => {
  const from = document.querySelector("script[type=module]").src;
  const load = (name) => import(new URL(name, from));
  const [evidence, image, note, plot, timeline, { render }] = await Promise.all(
    ["evidence.js", "image.js", "note.js", "plot.js", "timeline.js", "vendor/lit-html/lit-html.js"].map(load));
  const made = (tag, id, text) => Object.assign(document.createElement(tag), { id, textContent: text });
  const main = made("main", "main", "");
  const shown = made("div", "shown", "");
  main.className = "page";
  main.append(made("h1", "", "Evidence"), made("h2", "", "Shown"), shown);
  document.body.replaceChildren(main);
  const fresh = () => shown.appendChild((shown.replaceChildren(), made("div", "", "")));
  const put = (view) => {
    const place = fresh();
    place.className = "evidence";
    render(view, place);
  };
  const onPick = (reference) => window.picked.push(reference);
  window.picked = [];
  window.apart = evidence.showEvidence;
  window.evidence = (given) => evidence.showEvidence(fresh(), given);
  window.timeline = (given) => timeline.showTimeline(fresh(), { onPick, ...given });
  window.note = (text, spans) => put(note.noteView(text, spans));
  window.image = (one, readings) => put(image.imageView(one, readings));
  window.plots = (series) => put(plot.plotViews(series, { onPick })[0]);
}"""


@asynccontextmanager
async def emptied(address: str, **options: Any) -> AsyncIterator[Page]:
    """A tab that shows nothing but what its functions `evidence`, `timeline`, `note`, `image` and `plots` put there."""
    options.setdefault("viewport", {"width": 1000, "height": 900})
    async with chromium() as browser, watched(browser, address, **options) as page:
        await page.goto(address)
        await expect(page.locator(".people")).to_have_count(1)
        await page.evaluate(_EMPTIED)
        yield page
