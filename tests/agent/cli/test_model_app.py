"""`chartline model bench`, `compare` and `needs` as they are met: tables, JSON, exit codes, Ctrl-C."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agent import settings
from agent.cli import benching, needing
from agent.cli.app import app
from agent.errors import UserError
from agent.evals.bench import Bench
from agent.evals.bench.figures import Figures, Pace, read_figures, write_figures
from agent.evals.bench.table import rows
from agent.models.memory import GIB
from tests.agent.models.fake_server import FakeServer, served


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in settings.Settings.model_fields:
        monkeypatch.delenv(settings.PREFIX + name.upper(), raising=False)


def figures(**more: Any) -> Figures:
    base = {
        "measured": "2026-11-28T12:00:00Z",
        "chartline": "0.1.0",
        "machine": {"system": "Linux", "processor": "CPU", "cores": 2, "memory": 8 * GIB, "packages": {"torch": "2"}},
        "model": {"name": "m", "place": "here", "precision": "bf16", "context": 8192, "grammar": "decoding"},
        "reasoner": "llm",
        "of": 2,
    }
    return Figures.model_validate({**base, **more})


def pace(rate: float) -> Pace:
    return Pace(
        way="new",
        at_once=1,
        requests=2,
        prompt_tokens=700,
        cached_tokens=0,
        first_token=1.5,
        per_second=rate,
        writing=None,
    )


@pytest.mark.loopback
async def test_a_server_is_measured_and_what_it_does_not_tell_is_said(tmp_path: Path) -> None:
    out = tmp_path / "a.json"
    async with served(FakeServer(kind="llama.cpp", models=("medgemma-4b-it",))) as url:
        command = ["model", "bench", "--url", url, "--minutes", "60", "--at-once", "2", "--out", str(out)]
        result = await asyncio.to_thread(CliRunner().invoke, app, command)
    told = " ".join(result.stdout.split())
    assert result.exit_code == 0, result.output
    for words in ("medgemma-4b-it, a server", "time to load not known", "memory held at most not known", "calls a"):
        assert words in told
    found = read_figures(out)
    assert found.cut == () and found.faults == () and [a.asked for a in found.asked] == [12, 12]
    assert url not in out.read_text()


@pytest.mark.loopback
async def test_json_alone_is_on_standard_output() -> None:
    async with served(FakeServer(models=("m",))) as url:
        command = ["model", "bench", "--url", url, "--minutes", "0.05", "--json"]
        result = await asyncio.to_thread(CliRunner().invoke, app, command)
    assert Figures.model_validate_json(result.stdout).model.name == "m"


@pytest.mark.loopback
def test_nobody_there_is_an_error() -> None:
    result = CliRunner().invoke(app, ["model", "bench", "--url", "http://127.0.0.1:9/v1", "--minutes", "0.05"])
    assert "cannot be reached" in str(result.exception)


def test_ctrl_c_leaves_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(made: Bench) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(benching, "_run", run)
    monkeypatch.setattr(Bench, "figures", lambda self: figures(paces=[pace(3.0)], cut=("questions",)))
    out = tmp_path / "a.json"
    result = CliRunner().invoke(app, ["model", "bench", "--url", "http://127.0.0.1:9/v1", "--out", str(out)])
    assert result.exit_code == 130 and "first token after" in result.stdout and read_figures(out).cut == ("questions",)


def test_questions_want_their_charts(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--questions and --charts together"):
        benching.bench(benching.Wanted(url="http://x/v1", charts=tmp_path), None, as_json=False)


def test_two_machines_side_by_side(tmp_path: Path) -> None:
    files = [tmp_path / "slow.json", tmp_path / "fast.json"]
    for path, rate, seconds in zip(files, (4.0, 10.0), (None, 30.0), strict=True):
        write_figures(path, figures(paces=[pace(rate)], load_seconds=seconds))
    result = CliRunner().invoke(app, ["model", "compare", *map(str, files)])
    told = " ".join(result.stdout.split())
    assert result.exit_code == 0 and "slow fast" in told
    assert "tokens/s, reading included 4.0 10.0 2.50 ×" in told and "time to load – 30.00 s" in told
    as_json = json.loads(CliRunner().invoke(app, ["model", "compare", "--json", *map(str, files)]).stdout)
    assert [as_json[str(path)]["paces"][0]["per_second"] for path in files] == [4.0, 10.0]


def test_other_questions_cannot_be_compared(tmp_path: Path) -> None:
    files = [tmp_path / "a.json", tmp_path / "b.json"]
    for path, of in zip(files, (2, 3), strict=True):
        write_figures(path, figures(of=of))
    assert "cannot be compared" in CliRunner().invoke(app, ["model", "compare", *map(str, files)]).stderr


def test_only_rows_that_somebody_has_are_shown() -> None:
    labels = [(row.group, row.label) for row in rows([figures()])]
    assert not any("prompt" in group or "questions" in group or "GPU" in label for group, label in labels)
    assert {row.cells for row in rows([figures(), figures()]) if row.label == "model"} == {
        ("m bf16, this process",) * 2
    }


def test_needs_of_every_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needing, "_free", lambda given: (24 * GIB, "GPU 0"))
    result = CliRunner().invoke(app, ["model", "needs", "--at-once", "1"])
    told = " ".join(result.stdout.split())
    assert result.exit_code == 0
    assert "medgemma-27b-it context" in told and "medgemma-4b-it, medgemma-1.5-4b-it context" in told
    assert "4bit 8,192 15.7 1.0 2.0 0.5 19.3 fits" in told and "bf16 8,192 51.1 1.0 2.0 0.5 54.7 –" in told
    assert "not measured" in result.stderr and "GPU 0 has 24.0 GiB free" in result.stderr
    assert "CHARTLINE_MODEL=medgemma-27b-it CHARTLINE_MODEL_PRECISION=4bit CHARTLINE_MODEL_CONTEXT=8192" in (
        result.stderr
    )


@pytest.mark.parametrize(
    ("room", "words"), [((2 * GIB, "this machine"), "None of these fits"), (None, "is not known without pip install")]
)
def test_where_nothing_fits_or_nothing_is_known(
    monkeypatch: pytest.MonkeyPatch, room: tuple[int, str] | None, words: str
) -> None:
    monkeypatch.setattr(needing, "_free", lambda given: room)
    result = CliRunner().invoke(app, ["model", "needs", "--context", "4096"])
    assert words in result.stderr and ("?" in result.stdout) is (room is None)


def test_needs_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needing, "_free", lambda given: (24 * GIB, "GPU 0"))
    told = json.loads(CliRunner().invoke(app, ["model", "needs", "--json", "--context", "8192"]).stdout)
    assert told["free"] == 24 * GIB and len(told["needs"]) == 9
    for need in told["needs"]:
        parts = need["bytes"]
        assert parts["total"] == sum(parts[name] for name in ("weights", "cache", "prefixes", "work"))
        assert need["fits"] is (parts["total"] <= 0.95 * 24 * GIB)
