"""The page over a large chart: first paint, time to a usable timeline, time of a frame while it moves, its scripts.

    python -m benchmarks.bench_page

Needs Debian's Chromium and the development install. It is the whole page over the whole service on this machine: the
first paint is the browser's own figure; the timeline is usable when it is drawn after the click on its view; every
tab has an empty cache.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.async_api import Page

__all__ = ["Moved", "frames", "main", "painted", "shipped", "usable"]

_FRAMES = 240
_PAN = """async ([steps, zoomed]) => {
    const canvas = document.querySelector(".timeline canvas");
    const box = canvas.getBoundingClientRect();
    const at = { clientX: box.left + box.width / 2, clientY: box.top + 60, bubbles: true, cancelable: true };
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    const times = [];
    let last = await frame();
    for (let step = 0; step < steps; step += 1) {
        const way = Math.floor(step / 30) % 2 ? -1 : 1;
        const closer = { deltaY: -20 * way, deltaX: 0, ctrlKey: true };
        const move = zoomed && step % 2 ? closer : { deltaX: 15 * way, deltaY: 0 };
        canvas.dispatchEvent(new WheelEvent("wheel", { ...at, ...move }));
        const now = await frame();
        times.push((now - last) / 1000);
        last = now;
    }
    return times;
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Seconds from one frame to the next while the timeline was panned and zoomed."""

    median: float
    p99: float


async def painted(page: Page, address: str, patient: str) -> float:
    """Seconds until the page at a patient is first painted."""
    await page.goto(f"{address}#patient={patient}")
    await page.wait_for_selector(".examples button")
    seconds: float = await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000")
    return seconds


async def usable(page: Page) -> float:
    """Seconds from the click on the timeline's view to one that is drawn."""
    seconds: float = await page.evaluate(
        """async () => {
            const frame = () => new Promise((done) => requestAnimationFrame(done));
            const began = performance.now();
            document.querySelector('.views a[href*="timeline"]').click();
            while (!document.querySelector(".timeline[data-ready]")) await frame();
            await frame();
            await frame();
            return (performance.now() - began) / 1000;
        }"""
    )
    return seconds


async def frames(page: Page) -> Moved:
    """How long frames take while it moves: all of the chart, then closer, where facts are drawn one by one."""
    times = [*await page.evaluate(_PAN, [_FRAMES, False]), *await page.evaluate(_PAN, [_FRAMES, True])]
    return Moved(median=median(times), p99=quantiles(times, n=100)[-1])


def shipped() -> int:
    """Bytes of all scripts of the page, each gzipped by itself."""
    folder = Path(__file__).resolve().parents[1] / "agent" / "service" / "page"
    return sum(len(gzip.compress(path.read_bytes(), 9)) for path in folder.rglob("*.js"))


async def _run(size: int, runs: int) -> None:
    from agent.service.app import create_app
    from benchmarks.charts import PATIENT, fill
    from fhir_tools.local import LocalStore
    from tests.agent.service.browser.chromium import chromium, serving, watched
    from tests.agent.service.conftest import settings_in

    paints, opened, moved = [], [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with closing(LocalStore(folder / "store.sqlite")) as store:
            fill(store, size)
        app = create_app(settings_in(folder), fhir=(str(folder / "store.sqlite"),))
        with serving(app) as address:
            async with chromium() as browser:
                for _ in range(runs):
                    async with watched(browser, address) as page:
                        paints.append(await painted(page, address, PATIENT))
                        opened.append(await usable(page))
                        moved.append(await frames(page))
    print(f"{size:,} resources, {runs} tabs")
    print(f"first paint: first {paints[0]:.2f} s, then {median(paints[1:]):.2f} s [1 s]")
    print(f"usable timeline: first {opened[0]:.2f} s (the chart is opened), then {median(opened[1:]):.2f} s [2 s]")
    middle, slow = median(m.median for m in moved), median(m.p99 for m in moved)
    print(f"frame while moving: median {middle * 1000:.1f} ms, 99th {slow * 1000:.1f} ms [33 ms]")
    print(f"scripts, gzip: {shipped() / 1000:.0f} kB [150 kB]")


def main(argv: list[str] | None = None) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args(argv)
    asyncio.run(_run(given.size, given.runs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
