"""The service over the demo charts, in this process: no socket is opened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from agent.service.app import create_app
from agent.settings import Settings
from fhir_tools import demo

FOLDER = demo.paths()[0].parent
MARIA = "demo-maria-santos"

Opened = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@asynccontextmanager
async def client_of(app: FastAPI, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an app that has started; it stops when the block ends."""
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", **options) as client:
            yield client


def settings_in(folder: Path, **changes: Any) -> Settings:
    """Settings whose files are all in the folder, on the demo's day."""
    files = {"threads": folder / "threads.sqlite", "service_state": folder / "service.sqlite"}
    files |= {"service_keys": folder / "keys.json", "service_secret": folder / "service.secret"}
    return Settings(**{"as_of": demo.AS_OF, "audit": None, **files, **changes})


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """Opens the service over the demo charts with changes to its settings."""

    @asynccontextmanager
    async def opened(**changes: Any) -> AsyncIterator[httpx.AsyncClient]:
        async with client_of(create_app(settings_in(tmp_path, **changes), fhir=(str(FOLDER),))) as client:
            yield client

    return opened


@pytest.fixture
async def client(opened: Opened) -> AsyncIterator[httpx.AsyncClient]:
    """The service over the demo charts."""
    async with opened() as client:
        yield client
