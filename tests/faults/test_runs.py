"""No fault of a server makes an answer wrong or falsely absent (benchmarks/bench_faults.py, which runs 500 seeds)."""

from __future__ import annotations

import pytest

from agent.types import Answer
from benchmarks.bench_faults import VIOLATIONS, Run, attempt, one_run, summary, verdict
from fhir_tools import demo
from tools.faults.kinds import ALWAYS, KINDS, Fault


def _well(runs: list[Run]) -> None:
    bad = [f"{r.verdict} seed {r.seed} {r.question!r} {r.faults}: {r.said}" for r in runs if r.verdict in VIOLATIONS]
    assert not bad, "\n".join(bad)


def test_a_few_seeds() -> None:
    _well([one_run(seed) for seed in range(1_000, 1_000 + 8)])


@pytest.mark.parametrize("kind", ["truncated-json", "empty-body", "200-html", "json-null", "other-resource"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_spoilt_catalogue_is_a_fault_of_the_server(kind: str, at: int) -> None:
    fault = Fault(kind=kind, at=at, times=2)
    _well([attempt(0, demo.patients()[2], "What devices does the patient have?", [fault], operations=True)])


@pytest.mark.parametrize("statement", ["statement-404", "statement-html", None])
@pytest.mark.parametrize("at", [0, 2, 5])
def test_pages_of_another_patient_are_no_absence(statement: str | None, at: int) -> None:
    faults = [Fault(kind="other-patient-page", at=at, times=ALWAYS)]
    faults += [Fault(kind=statement, times=ALWAYS)] if statement else []
    _well([attempt(0, demo.patients()[2], "When was the last creatinine measured?", faults)])


@pytest.mark.slow
def test_every_kind_of_fault() -> None:
    runs = [one_run(seed) for seed in range(len(KINDS))]
    _well(runs)
    happened = {kind for run in runs for kind, times in run.injected.items() if times}
    assert len(happened) > len(KINDS) * 0.7, "most faults found no occasion: the runs prove little"
    assert {"equal", "incomplete", "failed"} <= {run.verdict for run in runs}
    assert sum(row["runs"] for row in summary(runs).values()) >= len(runs)


def _answer(status: str, text: str, **more: object) -> Answer:
    return Answer.model_validate(
        {
            "question": "q",
            "patient": "Patient/x",
            "as_of": "2020-01-01",
            "status": status,
            "text": text,
            "reasoner": "rules",
            **more,
        }
    )


FOUND = _answer("answered", "It was 6.9 %.")


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (FOUND, "equal"),
        (_answer("answered", "It was 7.1 %."), "WRONG"),
        (_answer("refused", "What?"), "WRONG"),
        (_answer("not_found", "Not documented."), "ABSENT"),
        (_answer("incomplete", "Perhaps."), "NO CAUSE"),
        (_answer("incomplete", "Perhaps.", warnings=["the server answered 503"]), "incomplete"),
        (_answer("failed", "The server is down."), "failed"),
        (_answer("failed", ""), "NO CAUSE"),
    ],
)
def test_the_judge_tells_wrong_from_incomplete(answer: Answer, word: str) -> None:
    assert verdict(answer, FOUND)[0] == word
