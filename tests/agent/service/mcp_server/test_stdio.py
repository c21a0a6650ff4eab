"""`chartline mcp` as a client starts it: over standard input and output of a process of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters

from agent.cli import connecting
from agent.errors import MissingExtra, UserError
from tests.agent.service.conftest import FOLDER, MARIA

ROOT = Path(__file__).resolve().parents[4]
COMMAND = ["-m", "agent.cli", "mcp", "--fhir", str(FOLDER), "--as-of", "2026-06-15"]


def environment(home: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH",)}
    return {**kept, "PYTHONPATH": str(ROOT), "HOME": str(home), "CHARTLINE_AUDIT": "off"}


@pytest.mark.parametrize("mode", [pytest.param("legacy", marks=pytest.mark.slow), "auto"])
async def test_a_client_starts_it_and_asks(tmp_path: Path, mode: str) -> None:
    server = StdioServerParameters(
        command=sys.executable, args=[*COMMAND, "--patient", MARIA], env=environment(tmp_path)
    )
    async with Client(server, mode=mode) as client:
        result = await client.call_tool("ask", {"question": "last A1c?"})
        assert result.structured_content["citations"][0]["reference"] == "Observation/santos-a1c-2026-04-06"
        uri = next(block.uri for block in result.content if block.type == "resource_link")
        assert "7.2 %" in (await client.read_resource(uri)).contents[0].text
        tools = (await client.list_tools()).tools
        assert "list_patients" not in [tool.name for tool in tools]


@pytest.mark.parametrize(("patient", "told"), [(None, "choose one with --patient"), ("Nobody", "no patient")])
def test_it_begins_only_with_one_patient(patient: str | None, told: str) -> None:
    with pytest.raises(UserError, match=told):
        connecting.mcp(patient, [str(FOLDER)], None)


def test_without_the_extra_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "agent.service.mcp_server.stdio", raising=False)
    monkeypatch.setitem(sys.modules, "mcp.server.stdio", None)
    with pytest.raises(MissingExtra, match=r"chartline\[service\]"):
        connecting.mcp(MARIA, [str(FOLDER)], None)
