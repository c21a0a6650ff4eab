"""`chartline doctor --model` as it is met: the report, JSON, exit codes."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from agent import settings
from agent.cli import doctoring_model
from agent.cli.app import app
from agent.errors import UserError
from tests.agent.models.fake_server import FakeServer, served

pytestmark = pytest.mark.loopback


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in settings.Settings.model_fields:
        monkeypatch.delenv(settings.PREFIX + name.upper(), raising=False)


async def _report(server: FakeServer, *options: str) -> tuple[int, str]:
    async with served(server) as url:
        result = await asyncio.to_thread(CliRunner().invoke, app, ["doctor", "--model", url, *options])
    return result.exit_code, " ".join(result.stdout.split())


async def test_a_model_that_is_well() -> None:
    code, out = await _report(FakeServer(kind="llama.cpp", models=("medgemma-4b-it",)))
    assert code == 0
    for words in (
        "medgemma-4b-it answers (llama.cpp)",
        "8192 tokens",
        "enforced while decoding",
        "told apart",
        "✓ a line at the start of a prompt of",
        "reused",
    ):
        assert words in out
    assert "All good" in out


@pytest.mark.parametrize(
    ("habits", "words"),
    [
        ({"grammar": "none"}, ["! not enforced", "→ serve it with vLLM"]),
        ({"lengths": False}, ["lengths of texts are not"]),
        ({"images": "ignored"}, ["dropped without a word", "→ for images"]),
        ({"images": "refused"}, ["the server refuses them"]),
        ({"pairs": False}, ["! two coloured squares were told apart, but not when both"]),
        ({"window": 1200}, ["! a line at the end was found again, one at the start", "→ compare with the same"]),
        ({"window": 20}, ["! neither a line"]),
        ({"context": 3000}, ["! 3000 tokens", "--max-model-len of 8192"]),
        ({"kind": "plain"}, ["8192 tokens"]),
        (
            {"kind": "llama-cpp-python", "grammar": "shaped"},
            ["8192 tokens", "does not count tokens", "json_object with a schema"],
        ),
    ],
)
async def test_what_is_worth_knowing(habits: dict[str, Any], words: list[str]) -> None:
    code, out = await _report(FakeServer(**{"models": ("m",), **habits}))
    assert code == 0
    for word in words:
        assert word in out


@pytest.mark.parametrize(
    ("habits", "words"),
    [
        ({"models": ("one", "two")}, "set CHARTLINE_MODEL to one of them"),
        ({"key": "hidden"}, "→ set CHARTLINE_MODEL_KEY"),
        ({"context": 1500, "models": ("m",)}, "✗ 1500 tokens"),
    ],
)
async def test_what_cannot_be_used(habits: dict[str, Any], words: str) -> None:
    code, out = await _report(FakeServer(**habits))
    assert code == 3 and words in out and "cannot be used" in out and "hidden" not in out


async def test_as_json() -> None:
    server = FakeServer(models=("m",))
    async with served(server) as url:
        result = await asyncio.to_thread(CliRunner().invoke, app, ["doctor", "--model", url, "--json"])
    report = json.loads(result.stdout)
    assert report["usable"] is True and report["trial"]["card"]["context"] == 8192 and report["base"] == url


def test_nobody_there() -> None:
    result = CliRunner().invoke(app, ["doctor", "--model", "http://127.0.0.1:9"])
    assert result.exit_code == 3 and "cannot be reached" in result.stdout


def test_it_wants_a_server() -> None:
    with pytest.raises(UserError, match="CHARTLINE_MODEL_URL"):
        doctoring_model.doctor_model("medgemma-27b-it", as_json=False)


@pytest.mark.parametrize("width", [50, 80, 160])
def test_a_report_fits_the_terminal(width: int) -> None:
    findings = (
        doctoring_model.ModelFinding(area="model", level="bad", text="words " * 30, remedy="more " * 30),
        doctoring_model.ModelFinding(area="speed", level="poor", text="\x1b[31mred"),
    )
    file = io.StringIO()
    report = doctoring_model.ModelReport(base="http://x/v1", findings=findings)
    Console(file=file, width=width, highlight=False).print(doctoring_model.report_view(report))
    text = file.getvalue()
    assert max(map(len, text.splitlines())) <= width and "\x1b" not in text and "cannot be used" in text
