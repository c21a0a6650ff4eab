"""Alive, ready, and how it is doing."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from agent.errors import ModelError, NotFound, SourceError
from agent.models.openai_compatible import OpenAICompatible
from agent.service import readiness
from agent.service.app import create_app
from agent.service.readiness import Readiness
from fhir_tools.types import Query, SearchResult
from tests.agent.models.fake_server import FakeServer, served
from tests.agent.service.conftest import FOLDER, MARIA, Opened, client_of, settings_in


def samples(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """Each sample's value by its name and the values of its labels, in the order of the labels' names."""
    families = text_string_to_metric_families(text)
    return {
        (s.name, tuple(v for _, v in sorted(s.labels.items()))): s.value for family in families for s in family.samples
    }


async def counted(client: httpx.AsyncClient) -> dict[tuple[str, tuple[str, ...]], float]:
    response = await client.get("/metrics")
    assert response.status_code == 200 and response.headers["content-type"].startswith("text/plain")
    return samples(response.text)


async def test_questions_and_requests_are_counted(client: httpx.AsyncClient) -> None:
    before = await counted(client)
    await client.post("/v1/ask", json={"question": "last A1c?", "patient": MARIA})
    await client.post("/v1/ask", json={"question": "is it serious?", "patient": MARIA})
    await client.get(f"/v1/nothing/{MARIA}")
    after = await counted(client)

    def more(name: str, *labels: str) -> float:
        return after.get((name, labels), 0) - before.get((name, labels), 0)

    assert more("chartline_questions_total", "rules", "answered") == 1
    assert more("chartline_questions_total", "rules", "refused") == 1
    assert more("chartline_requests_total", "POST", "/v1/ask", "200") == 2
    assert more("chartline_requests_total", "GET", "-", "404") == 1
    assert more("chartline_request_seconds_count", "/v1/ask") == 2
    assert more("chartline_stage_seconds_count", "retrieve") >= 1
    assert more("chartline_fhir_seconds_count", "search") >= 1
    assert after["chartline_open_charts", ()] == 1
    assert after["chartline_requests_in_flight", ()] == 1  # that for the metrics themselves
    assert any(name == "process_resident_memory_bytes" for name, _ in after)
    assert not any(MARIA in label or "A1c" in label for _, labels in after for label in labels)


async def test_refusals_are_counted(opened: Opened) -> None:
    async with opened(service_body=1000) as client:
        before = (await counted(client)).get(("chartline_rejected_total", ("too-long",)), 0)
        assert (await client.post("/v1/ask", content=b"x" * 2000)).status_code == 413
        assert (await counted(client))["chartline_rejected_total", ("too-long",)] == before + 1


async def test_a_made_up_method_is_no_label(client: httpx.AsyncClient) -> None:
    await client.request("BREW", "/healthz")
    assert ("chartline_requests_total", ("-", "/healthz", "405")) in await counted(client)


def asked_from(app: FastAPI, address: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, client=(address, 1))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


async def test_metrics_are_for_this_machine_or_with_the_token(tmp_path: Path) -> None:
    app = create_app(settings_in(tmp_path, service_metrics_token="open sesame"), fhir=(str(FOLDER),))
    async with client_of(app) as here, asked_from(app, "192.0.2.7") as far:
        assert (await here.get("/metrics")).status_code == 200
        assert (await here.get("/metrics", headers={"X-Forwarded-For": "192.0.2.7"})).status_code == 403
        assert (await far.get("/metrics")).status_code == 403
        for given, status in (("Bearer open sesame", 200), ("Bearer open", 403), ("open sesame", 403)):
            assert (await far.get("/metrics", headers={"Authorization": given})).status_code == status


async def test_no_token_opens_nothing(tmp_path: Path) -> None:
    app = create_app(settings_in(tmp_path), fhir=(str(FOLDER),))
    async with client_of(app), asked_from(app, "192.0.2.7") as far:
        assert (await far.get("/metrics", headers={"Authorization": "Bearer "})).status_code == 403


async def test_ready_says_what_answers(client: httpx.AsyncClient) -> None:
    assert (await client.get("/readyz")).json() == {
        "status": "ready",
        "checks": {"database": "ready", "threads": "ready", "fhir": "ready", "model": "ready"},
    }


@pytest.mark.loopback
async def test_a_server_that_is_away_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_PATIENCE", 0.2)
    async with client_of(create_app(settings_in(tmp_path), fhir=("http://127.0.0.1:9/fhir",))) as client:
        response = await client.get("/readyz")
        assert (response.status_code, response.json()["type"]) == (503, "urn:chartline:problem:not-ready")
        checks = response.json()["checks"]
        assert checks["database"] == "ready" and checks["fhir"] != "ready"
        assert (await client.get("/healthz")).status_code == 200


class _Desk:
    """A desk whose source answers as told, and counts."""

    model: Any = None

    def __init__(self, outcome: SearchResult | Exception) -> None:
        self.outcome, self.asked = outcome, 0
        self.own = self

    async def search(self, query: Query) -> SearchResult:
        self.asked += 1
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


class _Away:
    """A database, and threads, that cannot be reached."""

    async def beat(self) -> None:
        raise OSError

    async def aget_tuple(self, config: object) -> None:
        raise OSError


QUERY = Query(type="Patient")


async def test_a_check_that_cannot_be_broken_off_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """As psycopg does with a server that is silent."""
    monkeypatch.setattr(readiness, "_PATIENCE", 0.05)
    silent, ended = asyncio.Event(), asyncio.Event()

    async def stubborn() -> None:
        try:
            await silent.wait()
        finally:
            await silent.wait()
            ended.set()

    assert await readiness._tried(stubborn) == "did not answer within 0.05 s"
    silent.set()
    async with asyncio.timeout(5):
        await ended.wait()


@pytest.mark.parametrize(
    ("outcome", "ready"),
    [
        (SearchResult(query=QUERY), True),
        (SearchResult(query=QUERY, complete=False), False),
        (NotFound("no"), True),
        (SourceError("who are you?", status=401), True),
        (SourceError("down", status=503), False),
        (SourceError("no connection"), False),
    ],
)
async def test_which_answers_of_a_server_count(outcome: SearchResult | Exception, ready: bool) -> None:
    desk: Any = _Desk(outcome)
    away: Any = _Away()
    checked = Readiness(away, away, desk)
    told = await asyncio.gather(*(checked.checks() for _ in range(5)))
    assert (told[0]["fhir"] == "ready") is ready
    assert (told[0]["database"], told[0]["threads"]) == ("failed (OSError)", "failed (OSError)")
    assert desk.asked == 1


@pytest.mark.loopback
async def test_a_model_server_is_asked() -> None:
    async with served(FakeServer(models=("m",))) as url, OpenAICompatible(url) as model:
        await model.alive(5)
    async with OpenAICompatible("http://127.0.0.1:9/v1") as away:
        with pytest.raises(ModelError):
            await away.alive(0.2)


_SHARED = """
import sys
from pathlib import Path
from agent import settings
folder = Path(sys.argv[1])
settings.export("PROMETHEUS_MULTIPROC_DIR", str(folder))
from agent.service import metrics
metrics.clear(folder)
metrics.requested("/v1/ask", "POST", 200, 0.01)
metrics.IN_FLIGHT.inc()
print(metrics.exposition(folder).decode())
"""


def test_processes_add_up_what_they_counted(tmp_path: Path) -> None:
    """One after the other: the counts of one that is gone stay, what it had in flight does not."""
    command = [sys.executable, "-c", _SHARED, str(tmp_path)]
    told = [subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ)) for _ in range(2)]
    found = samples(told[-1].stdout)
    assert found["chartline_requests_total", ("POST", "/v1/ask", "200")] == 2
    assert found["chartline_requests_in_flight", ()] == 1
