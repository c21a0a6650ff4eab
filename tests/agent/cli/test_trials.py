"""`chartline trials` and `chartline eval trials` as a coordinator types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent.cli.app import app
from agent.errors import UserError
from fhir_tools import demo
from tests.agent.trials.protocols import study

TEXT = """Inclusion Criteria:
* Age 18 years or older
* Hypertension
* Able to give consent

Exclusion Criteria:
* Zorblax disease
"""


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, words)], catch_exceptions=False, env={"COLUMNS": "140"})


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    (tmp_path / "trials").mkdir()
    path = tmp_path / "trials" / "t.json"
    path.write_text(json.dumps(study(TEXT)))
    return path


@pytest.fixture
def charts() -> Path:
    return demo.paths()[0].parent


def test_compile_edit_match(trial: Path, charts: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "criteria.yaml"
    assert run("trials", "compile", trial, "-o", sheet).exit_code == 0
    sheet.write_text(sheet.read_text().replace(">= 18 years", ">= 130 years"))
    done = run("trials", "match", sheet, "--charts", charts, "--as-of", "2024-06-01", "--format", "json")
    work = json.loads(done.stdout)
    assert work["trial"] == "NCT00000001" and {r["outcome"] for r in work["rows"]} == {"excluded"}


def test_the_worklist_tells_what_would_settle_it(trial: Path, charts: Path) -> None:
    done = run("trials", "match", trial, "--charts", charts, "--as-of", "2024-06-01", "--no-names", "--verbose")
    assert "ask: Able to give consent" in done.stdout and "possibly eligible" in done.stdout
    assert "a reader who looks for zorblax" in done.stdout.lower()


@pytest.mark.parametrize("format_", ["csv", "html", "fhir"])
def test_exports_are_written(trial: Path, charts: Path, tmp_path: Path, format_: str) -> None:
    out = tmp_path / "out"
    args = ("trials", "match", trial, "--charts", charts, "--as-of", "2024-06-01", "--format", format_, "-o", out)
    assert run(*args).exit_code == 0 and out.stat().st_size > 500


def test_a_second_run_tells_that_nobody_changed(trial: Path, charts: Path, tmp_path: Path) -> None:
    args = ("trials", "match", trial, "--charts", charts, "--as-of", "2024-06-01", "--state", tmp_path / "s.json")
    assert " looked at" in run(*args).stdout and "; 0 looked at" in run(*args).stdout


def test_find_for_a_patient(trial: Path, charts: Path) -> None:
    patient = demo.patients()[0]
    done = run(
        "trials",
        "find",
        "--trials",
        trial.parent,
        "--patient",
        patient,
        "--fhir",
        charts,
        "--as-of",
        "2024-06-01",
        "--json",
    )
    (found,) = json.loads(done.stdout)
    assert (found["trial"], found["patient"]) == ("NCT00000001", f"Patient/{patient}")


def test_verdict_rows_have_the_shape_of_the_set(trial: Path, charts: Path, tmp_path: Path) -> None:
    questions, out, folder = tmp_path / "q.jsonl", tmp_path / "v.jsonl", tmp_path / "charts"
    folder.mkdir()
    patient = demo.patients()[0]
    (folder / f"{patient}.json.gz").write_bytes(demo.paths()[0].read_bytes())
    questions.write_text(json.dumps({"patient": patient, "as_of": "2024-06-01", "question": "?", "id": "1"}) + "\n")
    done = run("eval", "trials", "--trials", trial.parent, "--charts", folder, "--questions", questions, "--out", out)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert done.exit_code == 0 and [r["criterion"] for r in rows] == [0, 1, 2, 3]
    assert {"trial", "patient", "criterion", "section", "text", "verdict", "citations"} <= rows[0].keys()
    assert rows[0]["citations"] == [f"Patient/{patient}"] and rows[2]["verdict"] == "unknown"


@pytest.mark.parametrize(
    ("words", "told"),
    [(("trials", "match", "nowhere.json"), "cannot read"), (("trials", "compile", "."), "is a folder")],
)
def test_errors_say_what_to_do(words: tuple[str, ...], told: str) -> None:
    with pytest.raises(UserError, match=told):
        run(*words)
