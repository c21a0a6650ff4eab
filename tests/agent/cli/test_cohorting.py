"""`chartline cohort` as it is typed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from agent import cli
from benchmarks.cohorts import AS_OF, TRIAL, write

pytest.importorskip("ibis")


def main(arguments: list[str]) -> int:
    """The exit code of a command line."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["chartline", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    return int(ended.value.code or 0)


DAY = ("--as-of", AS_OF.isoformat())


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    write(folder, range(40), files=1)
    return folder


@pytest.fixture
def home(files: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("home") / "cohort"
    monkeypatch.setenv("CHARTLINE_COHORT", str(place))
    assert main(["cohort", "load", str(files)]) == 0
    return place


def test_load_ask_and_screen(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (home / "manifest.json").exists() and (home / "views" / "patient.json").exists()
    capsys.readouterr()
    assert main(["cohort", "ask", "how many patients with hypertension?", *DAY, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    number = told["patients"]["hold"]
    assert told["understood"] == ["condition: hypertension"] and 0 < number < 40
    out = tmp_path / "rows"
    assert main(["cohort", "ask", "list patients with hypertension", *DAY, "--no-names", "--out", str(out)]) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == number and set(rows[0]) == {"patient"}
    capsys.readouterr()
    (tmp_path / "t.txt").write_text(TRIAL)
    assert main(["cohort", "screen", str(tmp_path / "t.txt"), *DAY, "--json"]) == 0
    screened = json.loads(capsys.readouterr().out)
    assert len(screened["criteria"]) == 20 and screened["patients"]["pass"] + screened["patients"]["excluded"] == 40
    assert all(sum(c[w] for w in ("met", "unknown", "not_met")) == 40 for c in screened["criteria"])
    assert len(screened["passing"]) == screened["patients"]["pass"]


def test_small_counts_are_masked_and_nobody_is_listed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    question = "list patients with heart failure"
    assert main(["cohort", "ask", question, *DAY, "--json", "--min-cell", "30"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["patients"]["hold"] == "<30" and isinstance(told["patients"]["do not hold"], str)
    assert told["listed"] == []
    assert told["warnings"]


def test_sql_is_shown(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["cohort", "ask", "how many men with asthma", *DAY, "--sql"]) == 0
    assert capsys.readouterr().out.startswith(("SELECT", "WITH"))


@pytest.mark.parametrize("text", ["how many patients with frobnicated gizmos", "what is the weather"])
def test_what_is_not_understood_is_refused(home: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cohort", "ask", text]) == 1
    assert "chartline:" in capsys.readouterr().err


def test_each_run_is_on_record(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARTLINE_AUDIT", str(tmp_path / "audit.jsonl"))
    assert main(["cohort", "ask", "how many men with asthma", *DAY]) == 0
    [line] = (tmp_path / "audit.jsonl").read_text().splitlines()
    entry = json.loads(line)
    assert entry["patient"].startswith("Group/cohort-") and entry["purpose"] == "HRESCH" and "asthma" not in line


def test_a_model_is_not_used_on_many_charts_unasked(
    home: Path, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.txt").write_text("Inclusion Criteria:\n- Age over 18 years\n- Able to walk on stilts\n")
    monkeypatch.setenv("CHARTLINE_REASONER", "rules")
    sheet, state = tmp_path / "t.yaml", tmp_path / "state"
    assert main(["trials", "compile", str(tmp_path / "t.txt"), "--out", str(sheet)]) == 0
    command = ["cohort", "screen", str(sheet), *DAY, "--read", str(files)]
    assert main([*command, "--state", str(state)]) == 0
    assert "prompt and" in capsys.readouterr().err and state.exists()
    monkeypatch.setenv("CHARTLINE_REASONER", "auto")
    assert main(command) == 1
    assert "--yes" in capsys.readouterr().err


def test_a_trial_looks_only_at_whom_the_cohort_leaves(
    home: Path, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHARTLINE_STORE", str(tmp_path / "store.sqlite"))
    assert main(["load", str(files)]) == 0
    (tmp_path / "t.txt").write_text(TRIAL)
    command = ["trials", "match", str(tmp_path / "t.txt"), *DAY, "--format", "json"]
    capsys.readouterr()
    assert main([*command]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert main([*command, "--cohort", str(home)]) == 0
    printed = capsys.readouterr()
    left = json.loads(printed.out)
    assert "the cohort excludes" in printed.err
    kept = {r["patient"]: r["outcome"] for r in whole["rows"] if r["outcome"] != "excluded"}
    assert kept.items() <= {r["patient"]: r["outcome"] for r in left["rows"]}.items()
    assert len(left["rows"]) < len(whole["rows"])
