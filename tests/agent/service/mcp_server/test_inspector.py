"""The MCP project's own client against ours: the inspector's command line, over HTTP and over standard input."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from agent.service.app import create_app
from agent.service.bound import PATIENT
from tests.agent.service.conftest import FOLDER, MARIA, settings_in
from tests.agent.service.listening import listening
from tools.peers.make_inspector import make
from tools.peers.pinned import PeerMissing

ROOT = Path(__file__).resolve().parents[4]
pytestmark = [pytest.mark.slow, pytest.mark.loopback]
Inspect = Callable[..., Awaitable[Any]]


@pytest.fixture
def inspect(tmp_path: Path) -> Inspect:
    """Runs the inspector with arguments; the JSON that it prints."""
    try:
        node, script = make()
    except PeerMissing as error:
        if os.environ.get("CI"):
            pytest.fail(f"continuous integration runs without its peer: {error}")
        pytest.skip(str(error))

    async def run(*arguments: str) -> Any:
        process = await asyncio.create_subprocess_exec(
            str(node), str(script), "--cli", *arguments,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        told, _ = await asyncio.wait_for(process.communicate(), 120)
        return json.loads(told)

    return run


async def test_over_http(inspect: Inspect, tmp_path: Path) -> None:
    async with listening(create_app(settings_in(tmp_path), fhir=(str(FOLDER),))) as base:
        server = (f"{base}/mcp", "--transport", "http")
        bound = (*server, "--header", f"{PATIENT}: {MARIA}")
        unbound = await inspect(*server, "--method", "tools/list")
        assert [tool["name"] for tool in unbound["tools"]] == ["list_patients"]
        asked = ("--method", "tools/call", "--tool-name", "ask", "--tool-arg", "question=last A1c?")
        told = await inspect(*bound, *asked)
        assert told["structuredContent"]["status"] == "answered"
        uri = next(block["uri"] for block in told["content"] if block["type"] == "resource_link")
        record = await inspect(*bound, "--method", "resources/read", "--uri", uri)
        assert "7.2 %" in record["contents"][0]["text"]
        other = "chartline://record/Patient/demo-robert-keller"
        refused = await inspect(*bound, "--method", "resources/read", "--uri", other)
        assert "no such resource" in refused["error"]["message"]


async def test_over_standard_input(inspect: Inspect) -> None:
    command = (sys.executable, "-m", "agent.cli", "mcp", "--fhir", str(FOLDER), "--patient", MARIA)
    given = ("-e", f"PYTHONPATH={ROOT}", "-e", "CHARTLINE_AUDIT=off")
    listed = await inspect(*command, *given, "--method", "tools/list")
    assert "ask" in [tool["name"] for tool in listed["tools"]]
    prompts = await inspect(*command, *given, "--method", "prompts/list")
    assert [prompt["name"] for prompt in prompts["prompts"]] == ["question"]
