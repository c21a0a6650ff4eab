"""An EHR on this machine, and the service in this process, which it may launch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent.service.app import create_app
from tests.agent.service.access.ehr import Ehr, served
from tests.agent.service.conftest import client_of, settings_in

Launching = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
async def ehr() -> AsyncIterator[Ehr]:
    """An EHR that holds the demo charts."""
    ehr = Ehr()
    async with served(ehr.app()) as base:
        ehr.base = base
        yield ehr


def servers_file(folder: Path, *ehrs: Ehr, lines: str = "") -> Path:
    """The file of SMART servers that names them."""
    path = folder / "smart.toml"
    path.write_text(
        "".join(f'[[server]]\niss = "{e.iss}"\nname = "Test EHR"\nclient_id = "{e.client}"\n{lines}\n' for e in ehrs)
    )
    path.chmod(0o600)
    return path


@pytest.fixture
def launching(tmp_path: Path, ehr: Ehr) -> Launching:
    """Opens the service that the EHR may launch. `lines` go into its file of servers."""

    @asynccontextmanager
    async def launching(lines: str = "", **changes: Any) -> AsyncIterator[httpx.AsyncClient]:
        settings = settings_in(
            tmp_path,
            store=tmp_path / "none.sqlite",  # charts are those of launches alone
            smart_servers=servers_file(tmp_path, ehr, lines=lines),
            **changes,
        )
        async with client_of(create_app(settings)) as client:
            yield client

    return launching


async def through(client: httpx.AsyncClient, response: httpx.Response) -> httpx.Response:
    """The browser's way by the EHR's sign-in and back: the answer of `/launch/callback`."""
    assert response.status_code == 303, response.text
    async with httpx.AsyncClient() as browser:
        there = await browser.get(response.headers["location"])
    assert there.status_code == 302, there.text
    return await client.get(there.headers["location"])


async def launch(client: httpx.AsyncClient, ehr: Ehr, patient: str) -> httpx.Response:
    """A launch from the EHR with a patient open."""
    ehr.launches[f"launch-{patient}"] = patient
    return await through(client, await client.get("/launch", params={"iss": ehr.iss, "launch": f"launch-{patient}"}))


async def csrf(client: httpx.AsyncClient) -> dict[str, str]:
    """The header that goes with the client's session."""
    return {"X-CSRF-Token": (await client.get("/v1/me")).json()["csrf"]}
