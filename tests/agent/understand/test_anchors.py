"""The event that a time is told by."""

from __future__ import annotations

import pytest

from agent.chart import Chart
from agent.understand import understand

ANCHORS = (
    ("m", "weight when hypertension was diagnosed", "closest", "Essential hypertension"),
    ("m", "creatinine during the last admission", "during", "Inpatient stay"),
    ("m", "creatinine on admission", "closest", "Inpatient stay"),
    ("m", "creatinine when she was admitted", "closest", "Inpatient stay"),
    ("m", "weight closest to the admission in November 2023", "closest", "Inpatient stay"),
    ("m", "A1c since the admission in November 2023", "since", "Inpatient stay"),
    ("m", "meds started at the last admission", "during", "Inpatient stay"),
    ("m", "weight before CKD stage 4", "before", "Chronic kidney disease, stage 4"),
    ("r", "BP after furosemide", "after", "Furosemide"),
)


@pytest.mark.parametrize(("who", "question", "relation", "event"), ANCHORS)
def test_a_time_told_by_an_event(who: str, question: str, relation: str, event: str, charts: dict[str, Chart]) -> None:
    anchor = understand(question, charts[who]).anchor
    assert anchor is not None
    assert anchor.relation == relation
    assert event.lower() in anchor.target.label.lower()


@pytest.mark.parametrize(
    "question",
    [
        "when was hypertension diagnosed",
        "how old was she when diabetes was diagnosed",
        "why was she admitted",
        "last A1c",
    ],
)
def test_what_is_asked_for_is_no_event(question: str, charts: dict[str, Chart]) -> None:
    assert understand(question, charts["m"]).anchor is None


def test_when_the_event_was_is_not_the_time_asked_about(charts: dict[str, Chart]) -> None:
    asked = understand("creatinine during the November 2023 admission", charts["m"])
    assert asked.window is None
    assert asked.anchor is not None
    assert asked.anchor.window is not None
    assert asked.anchor.window.text == "in 2023-11"


@pytest.mark.parametrize(("question", "which"), [("BP at the first visit", "first"), ("BP at the last visit", "last")])
def test_the_first_or_the_last(question: str, which: str, charts: dict[str, Chart]) -> None:
    anchor = understand(question, charts["m"]).anchor
    assert anchor is not None
    assert anchor.which == which


@pytest.mark.parametrize(
    "question",
    [
        "diagnoses made during the 2025 admission",
        "what was prescribed during the 2025 admission",
        "procedures in the March 2025 admission",
    ],
)
def test_a_stay_that_a_date_tells_is_when_not_what(question: str, charts: dict[str, Chart]) -> None:
    asked = understand(question, charts["r"])
    assert asked.anchor is not None
    assert asked.anchor.relation == "during"
    assert asked.kinds[0] != "encounter"


@pytest.mark.parametrize(
    "question", ["why the 2025 admission", "the 2025 hospitalization", "what happened in the 2025 admission"]
)
def test_a_stay_that_a_date_tells_may_be_what_is_asked(question: str, charts: dict[str, Chart]) -> None:
    asked = understand(question, charts["r"])
    assert asked.anchor is None
    assert asked.kinds == ("encounter",)


@pytest.mark.parametrize(
    "question",
    [
        "what meds was he on when atrial fibrillation was diagnosed",
        "was he on metoprolol when atrial fibrillation was diagnosed",
        "had he had an echo when atrial fibrillation was diagnosed",
        "which visit was closest to the pacemaker implantation",
    ],
)
def test_what_was_so_at_an_event_is_not_told_as_of_today(question: str, charts: dict[str, Chart]) -> None:
    assert understand(question, charts["r"]).unknown
