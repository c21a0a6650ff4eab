"""MCP over a port of this machine with the SDK's client: sessions, whose they are, the bound patient, and the walls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Request
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from agent.service.app import create_app
from agent.service.bound import AS_OF, PATIENT
from agent.service.callers import Caller, Gates
from tests.agent.service.conftest import FOLDER, MARIA, settings_in
from tests.agent.service.listening import listening

ROBERT = "demo-robert-keller"
pytestmark = pytest.mark.loopback

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}
LIST = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
HEADERS = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}


class ByName:
    """A gate that believes the header X-Who; `bound` are the patients of their tokens."""

    def __init__(self, **bound: str) -> None:
        self._bound = bound

    def challenge(self, request: Request) -> str:
        return f'Bearer resource_metadata="{request.base_url}.well-known/oauth-protected-resource/mcp"'

    async def caller(self, request: Request) -> Caller | None:
        name = request.headers.get("x-who")
        return Caller(id=name, name=name, via="token", patient=self._bound.get(name)) if name else None


def app_in(folder: Path, **changes: Any) -> FastAPI:
    return create_app(settings_in(folder, **changes), fhir=(str(FOLDER),))


@asynccontextmanager
async def connected(base: str, mode: str = "auto", **headers: str) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers={name.replace("_", "-"): value for name, value in headers.items()}) as http,
        Client(streamable_http_client(f"{base}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


def text_of(result: Any) -> str:
    return "\n".join(block.text for block in result.content if block.type == "text")


@pytest.mark.parametrize("sessions", [True, False])
@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_question_over_http(tmp_path: Path, mode: str, sessions: bool) -> None:
    async with (
        listening(app_in(tmp_path, mcp_sessions=sessions)) as base,
        connected(base, mode, **{PATIENT: MARIA}) as client,
    ):
        told: list[str | None] = []

        async def progress(_: float, __: float | None, message: str | None) -> None:
            told.append(message)

        result = await client.call_tool("ask", {"question": "last A1c?"}, progress_callback=progress)
        assert "7.2 %" in text_of(result) and "opening the chart" in told
        await client.call_tool("find", {"what": "sodium"})
        change = await client.call_tool("compute", {"operation": "change", "marks": ["1", "2"]})
        assert "first to latest" in text_of(change)


async def test_older_protocols_are_negotiated(tmp_path: Path) -> None:
    async with listening(app_in(tmp_path)) as base, httpx2.AsyncClient(headers=HEADERS) as http:
        for version in ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"):
            asked = {**INITIALIZE, "params": {**INITIALIZE["params"], "protocolVersion": version}}
            response = await http.post(f"{base}/mcp", json=asked, headers={"MCP-Protocol-Version": version})
            assert f'"protocolVersion":"{version}"' in response.text and response.headers["mcp-session-id"]


async def test_a_session_is_of_one_caller_and_one_patient(tmp_path: Path) -> None:
    app = app_in(tmp_path)
    async with listening(app) as base, httpx2.AsyncClient(headers=HEADERS, base_url=base) as http:
        app.state.parts = replace(app.state.parts, gates=Gates([ByName()]))
        mine = {"X-Who": "ann", PATIENT: MARIA}
        session = (await http.post("/mcp", json=INITIALIZE, headers=mine)).headers["mcp-session-id"]
        ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        assert (await http.post("/mcp", json=ready, headers={**mine, "mcp-session-id": session})).status_code == 202
        for headers, status in (
            (mine, 200),
            ({"X-Who": "bob", PATIENT: MARIA}, 404),
            ({"X-Who": "ann", PATIENT: ROBERT}, 404),
        ):
            response = await http.post("/mcp", json=LIST, headers={**headers, "mcp-session-id": session})
            assert response.status_code == status


async def test_the_token_has_the_last_word_on_the_patient(tmp_path: Path) -> None:
    app = app_in(tmp_path)
    async with listening(app) as base:
        app.state.parts = replace(app.state.parts, gates=Gates([ByName(ann=MARIA)]))
        async with connected(base, X_Who="ann") as client:
            assert "7.2 %" in text_of(await client.call_tool("ask", {"question": "last A1c?"}))
        async with httpx2.AsyncClient(headers=HEADERS, base_url=base) as http:
            refused = await http.post("/mcp", json=INITIALIZE, headers={"X-Who": "ann", PATIENT: ROBERT})
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:chartline:problem:another-patient")


async def test_who_brings_no_token_is_told_where_to_get_one(tmp_path: Path) -> None:
    """MCP specification, Authorization: 401 with a challenge that names the metadata (RFC 9728 5.1)."""
    app = app_in(tmp_path)
    async with listening(app) as base, httpx2.AsyncClient(headers=HEADERS, base_url=base) as http:
        app.state.parts = replace(app.state.parts, gates=Gates([ByName()]))
        refused = await http.post("/mcp", json=INITIALIZE)
        assert refused.status_code == 401
        assert "resource_metadata=" in refused.headers["www-authenticate"]


async def test_the_walls(tmp_path: Path) -> None:
    app = app_in(tmp_path, service_url="https://charts.example")
    async with listening(app) as base, httpx2.AsyncClient(headers=HEADERS) as http:
        for headers, status in (
            ({"Host": "evil.example"}, 421),
            ({"Host": "evil.example:8000"}, 421),
            ({"Origin": "https://evil.example"}, 403),
            ({"Origin": "http://localhost.evil.example"}, 403),
            ({"Origin": "null"}, 403),
            ({"Origin": "http://localhost:3000"}, 403),
            ({"Origin": base}, 200),
            ({"Host": "charts.example"}, 421),  # without credentials this machine's own names are all there are
            ({PATIENT: "https://elsewhere/Patient/1"}, 422),
            ({AS_OF: "yesterday"}, 422),
        ):
            response = await http.post(f"{base}/mcp", json=INITIALIZE, headers=headers)
            assert response.status_code == status, headers


async def test_too_much_and_what_is_no_message(tmp_path: Path) -> None:
    async with listening(app_in(tmp_path)) as base, httpx2.AsyncClient(headers=HEADERS, base_url=base) as http:
        assert (await http.post("/mcp", content=b" " * 300_000)).status_code == 413
        broken = await http.post("/mcp", content=b"{", headers={"Content-Type": "application/json"})
        assert broken.status_code == 400
        assert (await http.post("/mcp", json=LIST, headers={"mcp-session-id": "made-up"})).status_code == 404


async def test_without_a_patient_over_http(tmp_path: Path) -> None:
    async with listening(app_in(tmp_path)) as base, connected(base) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["list_patients"]
        with pytest.raises(MCPError, match="no patient is bound"):
            await client.read_resource("chartline://catalogue")
