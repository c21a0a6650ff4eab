"""What rules say when the chart does not hold it, when it could not be read, and when they do not understand."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.chart import Chart
from tests.agent.asking import Failing, Row, ask, check, condition, made_up, opened, result, store_of

ROWS: tuple[Row, ...] = (
    # absent
    ("m", "does she have heart failure?", "not_found", ("Heart failure is not documented in conditions",), ""),
    ("m", "any history of stroke?", "not_found", ("notes were read and do not state it by that name",), ""),
    ("m", "on Ozempic?", "not_found", ("Semaglutide is not documented in medications",), ""),
    ("m", "any allergy to latex?", "not_found", ("not documented in allergies",), ""),
    ("m", "last ED visit", "not_found", ("not documented in encounters",), ""),
    ("r", "last A1c", "not_found", ("Hemoglobin A1c is not documented", "The closest there: Hemoglobin"), ""),
    ("r", "glucose", "not_found", ("Glucose is not documented in results and vital signs",), ""),
    ("m", "A1c on 2023-11-08", "not_found", ("on 2023-11-08", "Also in the chart"), "a1c-2026-04-06"),
    ("m", "last dental visit", "not_found", ("Dental visit is not documented",), ""),
    # said of somebody else
    ("l", "does she have breast cancer", "not_found", ("Also in the chart: Breast cancer (mother)",), "mother"),
    ("r", "does he have colon cancer?", "not_found", ("Also in the chart: Colon cancer (brother)",), "brother"),
    # the event of a time is not there
    ("m", "A1c after semaglutide", "not_found", ("Semaglutide is not documented",), ""),
    ("m", "creatinine since the admission in November", "not_found", ("in 2025-11",), ""),
    # not understood, or not for rules
    ("m", "should I increase metformin?", "refused", ("'should'",), ""),
    ("m", "what will her A1c be next year", "refused", ("'next'",), ""),
    ("m", "A1c before and after semaglutide", "not_found", ("Semaglutide is not documented",), ""),
    ("r", "best treatment for afib", "refused", ("'best'",), ""),
    ("r", "INR when warfarin was stopped", "refused", ("'stopped'",), ""),
    ("m", "xyzzy level?", "refused", ("'xyzzy'", "did not understand"), ""),
    ("m", "next lab", "refused", ("'next'",), ""),
    ("m", "median A1c", "refused", ("'median'",), ""),
    ("m", "A1c except in 2020", "refused", ("'except'",), ""),
    ("l", "what does the discharge summary say", "answered", ("Discharge summary",), ""),
    ("l", "hello", "refused", ("can't tell what part",), ""),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda r: f"{r[0]} {r[1]}")
def test_what_is_not_there_or_not_understood(row: Row, charts: dict[str, Chart]) -> None:
    check(charts, row)


@pytest.mark.parametrize("question", ["does she have heart failure?", "on Ozempic?", "last ED visit", "any stroke?"])
def test_what_is_not_found_names_searches_that_are_complete(question: str, charts: dict[str, Chart]) -> None:
    told = ask(charts["m"], question).answer
    assert told.searched
    assert all(s.complete for s in told.searched)
    assert any(c.path.startswith(s.query) for c in told.citations for s in told.searched)


@pytest.mark.parametrize(
    ("failing", "question"),
    [
        (("Condition",), "does she have asthma?"),
        (("Condition",), "problem list"),
        (("MedicationRequest",), "on warfarin?"),
        (("Observation",), "last A1c"),
        (("AllergyIntolerance",), "allergies"),
        (("Encounter",), "last visit"),
    ],
)
def test_a_search_that_was_cut_short_shows_no_absence(failing: tuple[str, ...], question: str, tmp_path: Path) -> None:
    store = store_of(tmp_path, result("Sodium", "2024-01-01", 139, unit="mmol/L", code="2951-2"))
    done = ask(opened(Failing(store, failing)), question)
    assert done.answer.status == "incomplete"
    assert "not complete" in done.text


def test_what_was_read_of_a_failing_source_is_told_as_not_all(tmp_path: Path) -> None:
    store = store_of(tmp_path, condition("Asthma", "2020"))
    chart = opened(Failing(store, ("Observation",)))
    assert ask(chart, "does she have asthma?").answer.status == "answered"
    assert ask(chart, "last sodium").answer.status == "incomplete"


def test_an_entry_without_code_and_name_could_be_it(tmp_path: Path) -> None:
    chart = made_up(tmp_path, condition("x1", "2020"))
    done = ask(chart, "does she have asthma?")
    assert done.answer.status == "incomplete"
    assert "neither a code nor a readable name" in done.text


def test_two_concepts_that_fit_are_told(tmp_path: Path) -> None:
    one = result("Widget antibody IgG", "2024-01-01", 1, code="99991-1")
    two = result("Widget antibody IgM", "2024-01-01", 2, code="99992-2")
    done = ask(made_up(tmp_path, one, two), "last widget antibody")
    assert done.answer.status == "refused"
    assert "2 concepts match" in done.text
    assert "IgG" in done.text
    assert "IgM" in done.text


def test_a_mended_spelling_is_told(charts: dict[str, Chart]) -> None:
    done = ask(charts["m"], "last creatnine")
    assert "2.08 mg/dL" in done.text
    assert any("Creatinine" in w for w in done.answer.warnings)


@pytest.mark.parametrize("question", ["when was his pulmonary embolism diagnosed", "his age at the PE", "any PE?"])
def test_what_was_refuted_has_no_day_and_no_age(question: str, charts: dict[str, Chart]) -> None:
    done = ask(charts["r"], question)
    assert done.answer.text.startswith("No: Pulmonary embolism is recorded as refuted on 2022-09-06")
    assert done.answer.value is None or done.answer.value.value is False
