"""Requests have an id, and a line in the log that holds no patient data; what breaks is told."""

from __future__ import annotations

import json
import logging
import re

import httpx
import pytest
from fastapi import FastAPI

from agent.service import identified, problems
from agent.service.identified import ACCESS, Identified
from tests.agent.service.conftest import MARIA

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, ACCESS.name)
    return caplog


async def test_a_request_keeps_its_id(client: httpx.AsyncClient) -> None:
    response = await client.get("/nothing", headers={"X-Request-ID": "ehr-2026.17_a"})
    assert response.headers["x-request-id"] == response.json()["request"] == "ehr-2026.17_a"


@pytest.mark.parametrize("given", ["", "short", "a" * 65, "two words", "new\tline-in-it", "-leading-dash"])
async def test_an_id_that_could_harm_a_log_is_not_kept(client: httpx.AsyncClient, given: str) -> None:
    response = await client.get("/healthz", headers={"X-Request-ID": given})
    assert re.fullmatch(r"[0-9a-f]{16}", response.headers["x-request-id"])


async def test_the_log_names_the_route_and_no_patient(client: httpx.AsyncClient, log: pytest.LogCaptureFixture) -> None:
    asked = {"question": "last A1c?", "patient": MARIA}
    await client.post(
        f"/v1/ask?patient={MARIA}", json=asked, headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    )
    await client.get(f"/v1/nothing/{MARIA}")
    await client.get("/healthz")
    lines = [json.loads(record.getMessage()) for record in log.records if record.name == ACCESS.name]
    assert [(line["method"], line["route"], line["status"]) for line in lines] == [
        ("POST", "/v1/ask", 200),
        ("GET", "-", 404),
    ]
    assert lines[0]["trace"] == TRACE and "trace" not in lines[1]
    assert re.fullmatch(r"[0-9a-f]{12}", lines[0]["caller"]) and lines[0]["ms"] > 0
    assert MARIA not in log.text and "A1c" not in log.text


@pytest.mark.parametrize(
    ("given", "trace"),
    [
        (f"00-{TRACE}-00f067aa0ba902b7-01", TRACE),
        (f"01-{TRACE}-00f067aa0ba902b7-01-more", TRACE),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", ""),
        (f"00-{TRACE}-{'0' * 16}-01", ""),
        (f"00-{TRACE.upper()}-00f067aa0ba902b7-01", ""),
        ("nonsense", ""),
    ],
)
def test_trace_context(given: str, trace: str) -> None:
    assert identified._trace(given) == trace


async def test_what_breaks_is_told_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()
    problems.install(app)

    @app.get("/broken")
    async def broken() -> None:
        raise ValueError(f"patient {MARIA}")

    app.add_middleware(Identified)
    transport = httpx.ASGITransport(app=app)  # raises what the app raises: nothing is left to raise
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        response = await client.get("/broken")
    assert (response.status_code, response.json()["type"]) == (500, "urn:chartline:problem:broken")
    assert response.headers["x-request-id"] == response.json()["request"]
    assert "ValueError at broken:" in caplog.text
    assert MARIA not in caplog.text and MARIA not in response.text
