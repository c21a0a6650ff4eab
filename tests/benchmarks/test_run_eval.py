"""The figures of the evaluation runner, on rows made up here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import run_eval
from benchmarks.run_eval import drops, evidence_figures, main, supported

WIDE = [f"Observation/{n}" for n in range(9)]


@pytest.mark.parametrize(
    ("marks", "support", "expected"),
    [
        ({"1": ["Observation/1"]}, ["Observation/1"], True),
        ({"1": ["Observation/1"], "2": ["Observation/2"]}, ["Observation/1", "Observation/2"], True),
        ({"1": ["Observation/1"]}, ["Observation/1", "Observation/2"], False),
        ({"c1": WIDE}, ["Observation/1"], False),
        ({"c1": WIDE}, WIDE[:4], False),
        ({"c1": WIDE}, WIDE[:5], True),
        ({"c1": WIDE[:3]}, ["Observation/1"], True),
        ({"c1": WIDE[:4]}, ["Observation/1"], False),
        ({}, ["Observation/1"], False),
    ],
)
def test_support_counts_behind_narrow_marks_only(
    marks: dict[str, list[str]], support: list[str], expected: bool
) -> None:
    assert supported(marks, support) is expected


def test_evidence_figures() -> None:
    questions = [
        {"id": "a", "support": ["Observation/1"]},
        {"id": "b", "support": ["Observation/2"]},
        {"id": "c", "support": []},
        {"id": "gone", "support": ["Observation/3"]},
    ]
    rows = [
        {"id": "a", "prompt": "x" * 10, "marks": {"1": ["Observation/1"]}},
        {"id": "b", "prompt": "x" * 20, "marks": {"1": ["Observation/1"]}},
        {"id": "c", "prompt": "x" * 90, "marks": {}},
    ]
    figures = evidence_figures(questions, rows, len)
    assert figures["prompt_tokens_median"] == 20
    assert figures["prompt_tokens_p95"] == 90
    assert figures["support_in_prompt"] == round(1 / 3, 4)
    assert figures["support_missed"] == ["b", "gone"]


def test_no_rows_give_no_figures() -> None:
    assert evidence_figures([], [], len)["support_in_prompt"] is None


@pytest.mark.parametrize(("new", "fell"), [(0.96, False), (0.95, False), (0.9499, True), (None, True)])
def test_a_fall_of_more_than_a_point_is_told(new: float | None, fell: bool) -> None:
    assert bool(drops({"accuracy": new, "right_answers_cited": 1.0}, {"accuracy": 0.96})) is fell


def test_without_sets_there_is_nothing_to_grade(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--sets", str(tmp_path)]) == 0
    assert "nothing to grade" in capsys.readouterr().out
    assert main(["--sets", str(tmp_path), "--only", "absent"]) == 2


@pytest.mark.parametrize(("accuracy", "code"), [(0.95, 0), (0.90, 1)])
def test_main_compares_with_the_figures_written_down(
    accuracy: float, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sets" / "one").mkdir(parents=True)
    (tmp_path / "sets" / "one" / "questions.jsonl").touch()
    written = tmp_path / "figures.json"
    written.write_text(json.dumps({"one": {"accuracy": 0.955}}))
    monkeypatch.setattr(run_eval, "FIGURES", written)
    monkeypatch.setattr(run_eval, "run_set", lambda *_: {"accuracy": accuracy, "families": {"latest": "1/2"}})
    options = ["--sets", str(tmp_path / "sets"), "--out", str(tmp_path / "out")]
    assert main(options) == code
    assert "latest 1/2" in capsys.readouterr().out
    assert main([*options, "--write"]) == 0
    assert json.loads(written.read_text())["one"]["accuracy"] == accuracy
    assert main(options) == 0


@pytest.mark.shared
def test_a_set_is_graded_and_measured(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the oracle's own support as evidence and answers that all abstain, the figures are known beforehand."""
    questions = run_eval.read_rows(shared / "inpatient" / "questions.jsonl")

    def chartline(_: str, verb: str, *arguments: object) -> float:
        out = Path(str(arguments[arguments.index("--out") + 1]))
        rows = [
            {"id": q["id"], "answer": "", "abstained": True, "citations": []}
            if verb == "run"
            else {"id": q["id"], "prompt": "Hemoglobin 7", "marks": {str(n): [r] for n, r in enumerate(q["support"])}}
            for q in questions
        ]
        out.write_text("\n".join(json.dumps(row) for row in rows))
        return 1.5

    monkeypatch.setattr(run_eval, "_chartline", chartline)
    figures = run_eval.run_set(shared / "inpatient", tmp_path, "rules")
    absent = sum(q["expected"]["kind"] == "abstain" or bool(q["expected"].get("absent")) for q in questions)
    assert figures["questions"] == len(questions)
    assert figures["accuracy"] == round(absent / len(questions), 4)
    assert figures["support_in_prompt"] == 1.0
    assert figures["seconds_in_all"] == 1.5
    assert 2 <= figures["prompt_tokens_median"] <= 4
