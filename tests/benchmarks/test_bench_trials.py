"""The grader of verdicts: what counts as right, recalled, cited, and told though unknown."""

from __future__ import annotations

from typing import Any

from benchmarks.bench_trials import figures_of


def _row(criterion: int, verdict: str, **more: Any) -> dict[str, Any]:
    return {"trial": "T", "patient": "p", "criterion": criterion, "text": "x", "verdict": verdict, **more}


def test_figures() -> None:
    expected = [
        _row(0, "met", support=["A/1"]), _row(1, "met", support=["A/2"]), _row(2, "met", support=[]),
        _row(3, "unknown", support=[]), _row(4, "unknown", support=[]), _row(5, "not_met", support=[]),
    ]  # fmt: skip
    given = [
        _row(0, "met", citations=["A/1", "A/9"]), _row(1, "met", citations=["A/9"]), _row(2, "not_met", citations=[]),
        _row(3, "unknown", citations=[]), _row(4, "met", citations=[]),
    ]  # fmt: skip
    figures, wrong = figures_of(expected, given)
    assert figures == {
        "verdicts": 6, "right": 0.5, "recall_met": 0.6667, "recall_unknown": 0.5, "right_met_cited": 0.5,
        "told_though_unknown": 0.5,
    }  # fmt: skip
    assert [w.rpartition(": ")[2] for w in wrong] == ["met, told not_met", "unknown, told met", "not_met, told nothing"]
