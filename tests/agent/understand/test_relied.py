"""Which kinds of record a question rests on, and which it needs of a chart that is read by and by."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.chart import Chart
from agent.understand import understand, wanted
from fhir_tools.types import KINDS
from tests.agent.asking import ask, condition, opened, order, result, store_of
from tests.agent.faulty import Plain

ALL = frozenset(KINDS) - {"patient"}


def relies(chart: Chart, question: str) -> set[str]:
    return set(understand(question, chart).relies)


def test_a_result_rests_on_the_results(charts: dict[str, Chart]) -> None:
    assert relies(charts["m"], "last A1c?") == {"measurement"}
    assert "immunization" not in relies(charts["m"], "is she on insulin?")
    assert relies(charts["m"], "problem list") == {"condition"}
    assert relies(charts["m"], "how old is she") == set()


@pytest.mark.parametrize(
    "question", ["xyzzy level?", "hello", "last hemglobin a1c", "does she have heart failure?", "birth control"]
)
def test_what_is_not_understood_as_it_stands_rests_on_everything(charts: dict[str, Chart], question: str) -> None:
    assert relies(charts["m"], question) >= ALL


def test_an_anchor_is_rested_on_as_well(charts: dict[str, Chart]) -> None:
    assert {"measurement", "encounter"} <= relies(charts["m"], "highest creatinine during the last admission")


CHART = (
    result("Hemoglobin A1c", "2024-01-01", 6.9, unit="%", code="4548-4"),
    condition("Asthma", "2020"),
    order("Metformin 500 MG Oral Tablet", "2023-01-01", code="860975"),
)


@pytest.mark.parametrize(
    ("question", "types"),
    [
        ("does she have asthma?", {"Condition"}),
        ("last HbA1c?", {"Observation", "DiagnosticReport", "Procedure"}),
        ("problem list", {"Condition"}),
        ("date of birth", set()),
    ],
)
def test_a_chart_is_read_as_far_as_the_question_needs(tmp_path: Path, question: str, types: set[str]) -> None:
    source = Plain(store_of(tmp_path, *CHART))
    done = ask(opened(source, lazy=True), question)
    assert done.answer.status == "answered", done.text
    assert {q.partition("?")[0] for q in source.asked if "_elements=" in q} == types
    assert done.text == ask(opened(Plain(source.source)), question).text


@pytest.mark.parametrize("question", ["does she have gout?", "xyzzy?", "what do the notes say about asthma?"])
def test_what_is_not_where_it_should_be_is_looked_for_everywhere(tmp_path: Path, question: str) -> None:
    source = Plain(store_of(tmp_path, *CHART))
    done = ask(opened(source, lazy=True), question)
    assert len({q.partition("?")[0] for q in source.asked if "_elements=" in q}) == 19
    assert done.text == ask(opened(Plain(source.source)), question).text


def test_nothing_more_is_wanted_of_a_whole_chart(charts: dict[str, Chart]) -> None:
    assert wanted(understand("xyzzy", charts["m"]), frozenset()) == frozenset()


def test_a_patient_is_read_once(tmp_path: Path) -> None:
    source = Plain(store_of(tmp_path, *CHART))
    opened(source, lazy=True)
    assert source.asked == ["Patient/p"]
