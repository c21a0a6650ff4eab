"""The service with a program on this machine let in, and the demo charts as the EHR's own."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent.service.app import create_app
from fhir_tools import demo
from fhir_tools.load import load
from fhir_tools.local import LocalStore
from tests.agent.service.conftest import MARIA, Opened, client_of, settings_in
from tools.cds_client import draft, prefetched, request

ROBERT = "demo-robert-keller"
LEILA = "demo-leila-haddad"
USER = "Practitioner/dr-1"
GRANT = "own.sqlite"


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo charts as a store, loaded once: each test copies it."""
    path = tmp_path_factory.mktemp("charts") / "demo.sqlite"
    store = LocalStore(path)
    load(demo.paths(), store)
    store.close()
    return path


@pytest.fixture
async def charts(loaded: Path, tmp_path: Path) -> AsyncIterator[LocalStore]:
    """The EHR's own charts: a test may add to them."""
    async with LocalStore(shutil.copy(loaded, tmp_path / "ehr.sqlite")) as store:
        yield store


@pytest.fixture
def opened(loaded: Path, tmp_path: Path) -> Opened:
    """Opens the service over the demo charts with changes to its settings; its charts are at `GRANT` in the folder."""
    place = shutil.copy(loaded, tmp_path / GRANT)

    @asynccontextmanager
    async def opened(**changes: Any) -> AsyncIterator[httpx.AsyncClient]:
        async with client_of(create_app(settings_in(tmp_path, **changes), fhir=(str(place),))) as client:
            yield client

    return opened


@dataclass(frozen=True, kw_only=True)
class Ehr:
    """Calls the service as an EHR does."""

    client: httpx.AsyncClient
    charts: LocalStore

    async def service(self, hook: str) -> Mapping[str, Any]:
        """The service of a hook, as the discovery has it."""
        found = (await self.client.get("/cds-services")).json()["services"]
        return next(s for s in found if s["hook"] == hook)

    async def prefetch(self, hook: str, context: Mapping[str, Any], only: Collection[str] | None = None) -> Any:
        """What the EHR sends along."""
        return await prefetched(self.charts, await self.service(hook), context, only)

    async def call(self, hook: str, context: Mapping[str, Any], prefetch: Any = "all", **more: Any) -> httpx.Response:
        """The answer of a hook's service, with all of the prefetch if not told otherwise."""
        sent = await self.prefetch(hook, context) if prefetch == "all" else prefetch
        body = request(hook, context, sent, **more)
        return await self.client.post(f"/cds-services/chartline-{hook}", json=body)

    async def orders(self, *drugs: str, patient: str = MARIA, hook: str = "order-sign", **more: Any) -> list[Any]:
        """The cards for drafts of these drugs."""
        drafts = [draft(f"draft-{at}", drug, patient, **more) for at, drug in enumerate(drugs)]
        answer = await self.call(hook, context(patient, drafts))
        assert answer.status_code == 200, answer.text
        return list(answer.json()["cards"])


def context(patient: str = MARIA, drafts: Collection[Mapping[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    """A context; with `drafts` that of order-sign."""
    found: dict[str, Any] = {"userId": USER, "patientId": patient, **more}
    if drafts is not None:
        found["draftOrders"] = {
            "resourceType": "Bundle",
            "type": "collection",
            "entry": [{"resource": d} for d in drafts],
        }
    return found


def topics(cards: Collection[Mapping[str, Any]]) -> list[str]:
    """The names of cards, in order."""
    return [card["source"]["topic"]["code"] for card in cards]


@pytest.fixture
async def ehr(opened: Opened, charts: LocalStore) -> AsyncIterator[Ehr]:
    """An EHR on this machine, over the demo charts."""
    async with opened(cds_open=True) as client:
        yield Ehr(client=client, charts=charts)
