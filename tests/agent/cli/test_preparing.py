"""`chartline service`: answers ahead, the file of cards, feedback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.cli.app import app
from agent.errors import UserError
from fhir_tools import demo

FOLDER = str(demo.paths()[0].parent)
AS_OF = demo.AS_OF.isoformat()


@pytest.fixture(autouse=True)
def _state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CHARTLINE_SERVICE_STATE", str(tmp_path / "service.sqlite"))
    monkeypatch.setenv("CHARTLINE_THREADS", str(tmp_path / "threads.sqlite"))


def run(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["service", *arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def test_answers_are_kept_and_what_fails_is_told(tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    ids.write_text("# today\ndemo-maria-santos\n\nnobody\n")
    code, out, err = run("ahead", "--patients", str(ids), "--fhir", FOLDER, "--as-of", AS_OF, "--json")
    rows = json.loads(out)
    assert code == 3 and [(r["patient"], r["kept"]) for r in rows] == [("demo-maria-santos", 1), ("nobody", 0)]
    assert "no patient 'nobody' here" in err and "1 answers kept of 1 patients; 1 failed" in err


def test_nobody_has_an_appointment_today() -> None:
    code, _, err = run("ahead", "--fhir", FOLDER, "--as-of", AS_OF)
    assert code == 0 and "no patient has an appointment today" in err


def test_a_file_without_questions_has_nothing_to_ask(tmp_path: Path) -> None:
    path = tmp_path / "cards.yaml"
    path.write_text("cards:\n  - {kind: allergy, name: a, hooks: [order-sign]}\n")
    with pytest.raises(UserError, match="no card asks a question"):
        run("ahead", "--cards", str(path), "--fhir", FOLDER)


def test_the_cards_are_listed_and_a_fault_is_told() -> None:
    code, out, _ = run("cards")
    assert code == 0 and "allergy-to-order" in out.replace("\n", "")
    with pytest.raises(UserError, match="cannot read"):
        run("cards", "--cards", "none.yaml")


def test_feedback_before_any_card() -> None:
    code, out, _ = run("feedback", "--json")
    assert (code, json.loads(out)) == (0, [])
    assert "no card was shown yet" in run("feedback")[2]
