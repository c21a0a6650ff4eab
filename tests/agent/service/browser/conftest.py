"""A browser, the page over the demo charts, and tabs of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from agent.service.app import create_app
from tests.agent.service.browser.chromium import chromium, serving, watched
from tests.agent.service.conftest import FOLDER, settings_in

Tab = Callable[..., Awaitable[Page]]


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page over the demo charts."""
    settings = settings_in(tmp_path_factory.mktemp("service"))
    with serving(create_app(settings, fhir=(str(FOLDER),))) as address:
        yield address


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def tab(browser: Browser, served: str) -> AsyncIterator[Tab]:
    """Opens the page in a tab of its own: `await tab("#patient=…", viewport={…}, color_scheme="dark")`.

    `address` is that of another service than the one over the demo charts.
    """
    async with AsyncExitStack() as stack:

        async def tab(place: str = "", *, address: str = served, **options: Any) -> Page:
            page = await stack.enter_async_context(watched(browser, address, **options))
            await page.goto(address + place)
            return page

        yield tab


@pytest.fixture
async def page(tab: Tab) -> Page:
    """The page, open at the choice of a patient."""
    return await tab()
