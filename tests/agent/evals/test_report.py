"""Rows and the report over them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import UserError
from agent.evals.cases import AnswerRow, Case, Expected, answer_row, read_rows, write_rows
from agent.evals.report import grade, table
from agent.types import Answer, Citation, Usage

ONE = Expected(kind="number", value=5.0)
CASES = [
    Case(id="a", family="latest", patient="p", question="?", expected=ONE, support=("A/1",)),
    Case(id="b", family="latest", patient="p", question="?", expected=ONE, support=("A/1",)),
    Case(id="c", family="no_x", patient="p", question="?", expected=Expected(kind="abstain")),
    Case(id="d", family="count", patient="p", question="?", expected=ONE, support=("A/1", "A/2")),
    Case(id="e", family="own", patient="p", question="?"),
]
ROWS = [
    AnswerRow(id="a", answer="5", citations=("A/1",), seconds=0.1),
    AnswerRow(id="b", answer="7", citations=("A/1", "A/9"), seconds=0.3),
    AnswerRow(id="c", answer="Not documented.", abstained=True, status="not_found", seconds=0.2),
    AnswerRow(id="d", answer="Not documented.", abstained=True, status="not_found", seconds=0.4),
]


def test_the_figures() -> None:
    report, scores = grade(CASES, ROWS)
    assert (report.asked, report.answered, report.ungraded) == (5, 4, 1)
    assert report.accuracy == 0.5
    assert (report.cited, report.precision) == (1.0, round(2 / 3, 4))
    assert report.recall == round((1 + 1 + 0) / 3, 4)
    assert (report.absent.right, report.absent.asked) == (1, 1)
    assert (report.answerable_abstained.right, report.answerable_abstained.asked) == (1, 3)
    assert report.told_wrong == 0.25
    assert report.median_seconds == 0.25
    assert {name: (t.right, t.asked) for name, t in report.families.items()} == {
        "count": (0, 1),
        "latest": (1, 2),
        "no_x": (1, 1),
    }
    assert [id_ for id_, s in scores.items() if s.right] == ["a", "c"]


def test_a_question_without_a_row_is_wrong_and_not_told() -> None:
    report, _ = grade(CASES[:1], [])
    assert (report.accuracy, report.told_wrong, report.answered) == (0.0, 0.0, 0)


def test_the_table_shows_the_weakest_family_first() -> None:
    lines = table(grade(CASES, ROWS)[0]).splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["count", "latest", "no_x"]
    assert any("accuracy" in line and "50.0%" in line for line in lines)


def test_an_empty_grading_has_no_figures() -> None:
    report, _ = grade([CASES[4]], [])
    assert report.accuracy is None
    assert "–" in table(report)


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    write_rows(tmp_path / "a", ROWS)
    assert read_rows(tmp_path / "a", AnswerRow) == ROWS


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"id": "a", "patient": "p", "question": "?"}\n\n{"id": "b"}', "line 3: patient"),
        ("{", "line 1"),
        ('{"id": "a", "patient": "p", "question": "?", "as_of": "soon"}', "line 1: as_of"),
        ('{"id": "a", "patient": "p", "question": "?", "expected": {"kind": "guess"}}', "line 1: expected.kind"),
    ],
)
def test_a_faulty_row_is_told_by_line_and_field(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "q").write_text(text)
    with pytest.raises(UserError, match=told):
        read_rows(tmp_path / "q", Case)


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "q").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not UTF-8"):
        read_rows(tmp_path / "q", Case)


def test_the_inputs_of_a_computation_are_citations() -> None:
    answer = Answer(
        question="?",
        patient="Patient/p",
        as_of="2020-01-01",
        status="answered",
        text="t",
        citations=[
            Citation(mark="c1", reference="", path="mean", excerpt="", inputs=["A/1", "A/2"]),
            Citation(mark="1", reference="A/2", path="x", excerpt=""),
        ],
        usage=Usage(llm_calls=1, prompt_tokens=9, completion_tokens=3, seconds=0.5),
        reasoner="rules",
    )
    row = answer_row("x", answer)
    assert row.citations == ("A/1", "A/2")
    assert (row.llm_calls, row.prompt_tokens, row.completion_tokens, row.seconds, row.abstained) == (
        1,
        9,
        3,
        0.5,
        False,
    )
