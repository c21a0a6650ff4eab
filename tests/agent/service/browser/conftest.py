"""Debian's Chromium on the page, served by the app on a free port of this machine.

`served` is the address, `page` a tab with the page open at the patients; `tab` opens further ones (phone, dark).
Whatever a page logs as an error fails the test, so does a request to anywhere else. `look` keeps a screenshot in
out/screens/.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.async_api import Browser, Page, async_playwright

from agent.service.app import create_app
from tests.agent.service.browser.standins import complete
from tests.agent.service.conftest import FOLDER, settings_in
from tools.peers import make_axe

SCREENS = Path(__file__).resolve().parents[4] / "out" / "screens"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

Tab = Callable[..., Awaitable[Page]]
Look = Callable[..., Awaitable[Path]]


def serving(app: FastAPI) -> Iterator[str]:
    """Serve an app from a thread until the generator is closed; gives its address."""
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


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page over the demo charts."""
    settings = settings_in(tmp_path_factory.mktemp("service"))
    yield from serving(complete(create_app(settings, fhir=(str(FOLDER),))))


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium without a window; the test is skipped where it is not installed."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium: sudo apt install chromium")
    async with async_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"]
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        await browser.close()


@asynccontextmanager
async def _watched(browser: Browser, address: str, faults: list[str], **options: Any) -> AsyncIterator[Page]:
    context = await browser.new_context(base_url=address, reduced_motion="reduce", **options)
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = await context.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda told: faults.append(told.text) if told.type == "error" else None)
    page.on("request", lambda asked: None if asked.url.startswith(address) else faults.append(f"asked {asked.url}"))

    async def guarded(route: Any) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, headers={"content-security-policy": CSP, **answer.headers})

    await page.route(address, guarded)
    try:
        yield page
    finally:
        await context.close()


@pytest.fixture
async def tab(browser: Browser, served: str) -> AsyncIterator[Tab]:
    """Opens the page in a tab of its own: `await tab("#patient=…", viewport={…}, color_scheme="dark")`."""
    opened: list[Any] = []
    faults: list[str] = []
    allowed: list[str] = []

    async def tab(place: str = "", *, expected: tuple[str, ...] = (), **options: Any) -> Page:
        allowed.extend(expected)
        options.setdefault("viewport", {"width": 1360, "height": 860})
        manager = _watched(browser, served, faults, **options)
        page = await manager.__aenter__()
        opened.append(manager)
        await page.goto(served + place)
        return page

    yield tab
    for manager in opened:
        await manager.__aexit__(None, None, None)
    assert [f for f in faults if not any(a in f for a in allowed)] == []


@pytest.fixture
async def page(tab: Tab) -> Page:
    """The page, open at the choice of a patient."""
    return await tab()


@pytest.fixture
def look() -> Look:
    """Keeps what a tab shows as out/screens/NAME.png."""

    async def look(page: Page, name: str, *, whole: bool = False) -> Path:
        SCREENS.mkdir(parents=True, exist_ok=True)
        path = SCREENS / f"{name}.png"
        await page.screenshot(path=path, full_page=whole)
        return path

    return look


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core's script; the test is skipped where `make peers` has not brought it."""
    script = make_axe.FOLDER / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        pytest.skip("needs axe-core: make peers")
    return script.read_text("utf-8")


@pytest.fixture
def accessible(axe: str) -> Callable[[Page], Awaitable[list[str]]]:
    """What axe-core finds against WCAG 2.2 A and AA, and its best practices, in the tab as it is now."""

    async def accessible(page: Page) -> list[str]:
        await page.evaluate(axe)
        found = await page.evaluate("axe.run(document, {resultTypes: ['violations']}).then((r) => r.violations)")
        return [f"{v['id']}: {n['html'][:160]} {n['failureSummary'][:300]}" for v in found for n in v["nodes"]]

    return accessible
