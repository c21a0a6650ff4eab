"""The page's modules of evidence and timeline by themselves, in Debian's Chromium, over the app on a free port.

A policy like that of the service holds, so that markup made of chart text could do nothing even if there were any.
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

import orjson
import pytest
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.staticfiles import StaticFiles
from playwright.async_api import Page, async_playwright

import agent.service

HERE = Path(__file__).parent
FILES = Path(agent.service.__file__).parent / "page"
SCREENS = HERE.parents[3] / "out" / "screens"
AXE = HERE.parents[3] / ".venv" / "peers" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'"
)
_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def with_modules(app: FastAPI) -> FastAPI:
    """The app with a page at /try/ that loads the modules."""

    @app.middleware("http")
    async def guarded(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        response.headers["Content-Security-Policy"] = CSP
        return response

    @app.get("/try/assets/texts.json")
    async def texts() -> dict[str, Any]:
        return {"language": "en", "texts": orjson.loads((FILES / "texts" / "en.json").read_bytes())}

    @app.get("/try/v1/{path:path}")
    async def api(path: str, request: Request) -> Response:
        return Response(status_code=307, headers={"Location": f"/v1/{path}?{request.url.query}"})

    app.mount("/try/page", StaticFiles(directory=FILES))
    app.mount("/try", StaticFiles(directory=HERE, html=True))
    return app


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve an app from a thread; gives its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@asynccontextmanager
async def tab(address: str, *, expected: str = "", **options: Any) -> AsyncIterator[Page]:
    """A tab with the modules loaded. An error that the page logs fails the test when the tab is closed.

    `expected` is a piece of those that are meant to come.
    """
    if _CHROMIUM is None:
        pytest.skip("needs Chromium: sudo apt install chromium")
    faults: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        context = await browser.new_context(**{"viewport": {"width": 1000, "height": 900}, **options})
        page = await context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda told: faults.append(told.text) if told.type == "error" else None)
        page.on("dialog", lambda dialog: faults.append(f"dialog {dialog.message}"))
        await page.goto(f"{address}/try/modules.html")
        await page.wait_for_selector("html[data-loaded]", state="attached", timeout=10_000)
        try:
            yield page
        finally:
            await browser.close()
    assert [fault for fault in faults if not expected or expected not in fault] == []


async def look(page: Page, name: str) -> None:
    """Keep a picture of the page for the eye."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SCREENS / f"{name}.png", full_page=True)


async def violations(page: Page) -> list[str]:
    """What axe-core finds against WCAG 2.2 AA; skips where it is not installed."""
    if not AXE.exists():
        pytest.skip("needs axe-core: npm install --prefix .venv/peers/axe axe-core")
    await page.evaluate(AXE.read_text())
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = await page.evaluate("tags => axe.run(document, {runOnly: tags})", tags)
    return [
        f"{v['id']}: {v['nodes'][0]['html'][:200]} {v['nodes'][0].get('failureSummary', '')[:300]}"
        for v in found["violations"]
    ]
