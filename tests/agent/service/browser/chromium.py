"""Debian's Chromium on the service, which runs on a free port of this machine.

Whatever a page logs as an error, and a request of it to anywhere else, is a fault. Pictures go to out/screens/.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.async_api import Browser, Page, async_playwright

from tools.peers import make_axe

SCREENS = Path(__file__).resolve().parents[4] / "out" / "screens"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DESKTOP = {"viewport": {"width": 1360, "height": 860}}
PHONE = {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2, "has_touch": True}


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve an app from a thread; gives its address, which ends in a slash."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Chromium without a window; the test is skipped where it is not installed."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium: sudo apt install chromium")
    async with async_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"]
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def watched(
    browser: Browser, *origins: str, expected: tuple[str, ...] = (), **options: Any
) -> AsyncIterator[Page]:
    """A tab with cookies of its own. Faults fail the test when it is closed, but those that hold an expected piece."""
    faults: list[str] = []
    context = await browser.new_context(base_url=origins[0], reduced_motion="reduce", **{**DESKTOP, **options})
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = await context.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda told: faults.append(told.text) if told.type == "error" else None)
    page.on("dialog", lambda dialog: faults.append(f"dialog {dialog.message}"))
    page.on("request", lambda one: None if one.url.startswith((*origins, "blob:")) else faults.append(one.url))
    try:
        yield page
    finally:
        await context.close()
    left = [fault for fault in faults if not any(piece in fault for piece in expected)]
    assert not left, left


async def look(page: Page, name: str, *, whole: bool = False) -> Path:
    """Keep what a tab shows as out/screens/NAME.png, for the eye."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    path = SCREENS / f"{name}.png"
    await page.screenshot(path=path, full_page=whole, caret="initial")  # hiding the caret takes an inline style
    return path


async def violations(page: Page) -> list[str]:
    """What axe-core finds against WCAG 2.2 A and AA and its best practices; skips where it is not installed."""
    script = make_axe.FOLDER / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        pytest.skip("needs axe-core: make peers")
    await page.evaluate(script.read_text("utf-8"))
    # It would load style sheets anew by inline style, which the page's policy does not allow.
    options = "{resultTypes: ['violations'], preload: false}"
    found = await page.evaluate(f"axe.run(document, {options}).then((r) => r.violations)")
    return [f"{v['id']}: {n['html'][:160]} {n['failureSummary'][:300]}" for v in found for n in v["nodes"]]
