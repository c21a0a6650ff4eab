"""Debian's Firefox without a window, driven over WebDriver BiDi (https://w3c.github.io/webdriver-bidi/).

Playwright's own Firefox is a build that it downloads; this is the browser that people have.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.agent.service.browser.chromium import SCREENS

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
SECONDS = 15
_KEYS = {"Enter": "\ue007", "Escape": "\ue00c", "Tab": "\ue004", "ArrowDown": "\ue015", "ArrowRight": "\ue014"}
_LISTENING = re.compile(rb"WebDriver BiDi listening on (ws://\S+)")


class Tab:
    """The one tab. What the page logs as an error is kept in `faults`."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._context = ""
        self._asked = 0
        self.faults: list[str] = []

    async def open(self) -> None:
        """Begin a session."""
        await self._call("session.new", capabilities={})
        found = await self._call("browsingContext.getTree")
        self._context = found["contexts"][0]["context"]
        await self._call("session.subscribe", events=["log.entryAdded"])
        await self._call("browsingContext.setViewport", context=self._context, viewport={"width": 1360, "height": 860})

    async def go(self, address: str) -> None:
        """Load a page."""
        await self._call("browsingContext.navigate", context=self._context, url=address, wait="complete")

    async def tell(self, script: str) -> Any:
        """What an expression comes to, as JSON."""
        told = await self._call(
            "script.evaluate",
            expression=f"Promise.resolve({script}).then((value) => JSON.stringify(value ?? null))",
            target={"context": self._context},
            awaitPromise=True,
        )
        assert told["type"] == "success", (script, told)
        return json.loads(told["result"]["value"])

    async def until(self, script: str) -> Any:
        """Wait until an expression holds; gives what it came to."""
        look = f"const found = ({script}); found ? done(found) : setTimeout(look, 30);"
        return await self.tell(f"new Promise((done) => {{ const look = () => {{ {look} }}; look(); }})")

    async def text(self, selector: str) -> str:
        """The text of an element, once it has any."""
        return str(await self.until(f"document.querySelector({json.dumps(selector)})?.textContent.trim()"))

    async def click(self, selector: str) -> None:
        """Press on the first element that is seen there, with the mouse."""
        found = json.dumps(selector)
        await self.until(f"document.querySelector({found})?.checkVisibility()")
        await self.tell(f"document.querySelector({found}).scrollIntoView({{ block: 'center' }})")
        nodes = await self._call(
            "browsingContext.locateNodes", context=self._context, locator={"type": "css", "value": selector}
        )
        origin = {"type": "element", "element": {"sharedId": nodes["nodes"][0]["sharedId"]}}
        moves = [{"type": "pointerMove", "x": 0, "y": 0, "origin": origin}]
        await self._act("pointer", [*moves, *({"type": f"pointer{way}", "button": 0} for way in ("Down", "Up"))])

    async def press(self, key: str) -> None:
        """Press a key by its name."""
        await self.type(_KEYS[key])

    async def type(self, text: str) -> None:
        """Press the keys of a text; a new line is Enter."""
        keys = text.replace("\n", _KEYS["Enter"])
        await self._act("key", [{"type": f"key{way}", "value": key} for key in keys for way in ("Down", "Up")])

    async def look(self, name: str) -> Path:
        """Keep what is shown as out/screens/firefox-NAME.png, for the eye."""
        SCREENS.mkdir(parents=True, exist_ok=True)
        path = SCREENS / f"firefox-{name}.png"
        shot = await self._call("browsingContext.captureScreenshot", context=self._context)
        path.write_bytes(base64.b64decode(shot["data"]))
        return path

    async def _act(self, kind: str, actions: list[dict[str, Any]]) -> None:
        hand = {"type": kind, "id": kind, "actions": actions}
        await self._call("input.performActions", context=self._context, actions=[hand])

    async def _call(self, method: str, **given: Any) -> dict[str, Any]:
        self._asked += 1
        await self._connection.send(json.dumps({"id": self._asked, "method": method, "params": given}))
        while True:
            answer = json.loads(await asyncio.wait_for(self._connection.recv(), SECONDS))
            if answer.get("id") == self._asked:
                assert answer["type"] == "success", answer
                return dict(answer["result"])
            if answer.get("method") == "log.entryAdded" and answer["params"]["level"] == "error":
                self.faults.append(str(answer["params"]["text"]))


@asynccontextmanager
async def firefox(folder: Path) -> AsyncIterator[Tab]:
    """A tab of a Firefox that keeps its profile in a folder; the test is skipped where there is no Firefox."""
    if FIREFOX is None:
        pytest.skip("needs Firefox: sudo apt install firefox-esr")
    arguments = ("--headless", "--no-remote", "--profile", str(folder), "--remote-debugging-port", "0")
    process = await asyncio.create_subprocess_exec(
        FIREFOX, *arguments, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr
    try:
        address = await asyncio.wait_for(_listening(process.stderr), 60)
        rest = asyncio.ensure_future(process.stderr.read())  # else it stops when the pipe is full
        async with connect(f"{address}/session", max_size=None) as connection:
            tab = Tab(connection)
            await tab.open()
            yield tab
        assert not tab.faults, tab.faults
    finally:
        process.terminate()
        await process.wait()
    await rest


async def _listening(told: asyncio.StreamReader) -> str:
    async for line in told:
        if found := _LISTENING.search(line):
            return found[1].decode()
    raise RuntimeError("Firefox ended before it listened")
