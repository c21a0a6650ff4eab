"""A question in a model's words is taken where rules know all of it, the chart holds it, and nothing is lost."""

from __future__ import annotations

import pytest

from agent.chart import Chart
from agent.understand import reworded, understand

LOST = "how sugary did her frobnication get at worst?"


def taken(chart: Chart, question: str, *wordings: str) -> str:
    """The wording that was taken; empty where none was."""
    ask = reworded(understand(question, chart), [understand(w, chart) for w in wordings])
    assert ask.question == question
    assert ask.reads_as in wordings
    return "" if ask.unknown else ask.reads_as


def test_the_first_wording_that_the_chart_holds_is_taken(charts: dict[str, Chart]) -> None:
    said = ("highest glycation", "highest hemoglobin a1c", "highest creatinine")
    assert taken(charts["m"], LOST, *said) == "highest hemoglobin a1c"


@pytest.mark.parametrize(
    "wording",
    [
        "highest zinc",  # not in the chart
        "highest frobnication",  # not known
        "highest hemoglobin a1c scan",  # known in part
        "highest hemoglobin a1c and creatinine",  # two things
        "highest",
    ],
)
def test_no_part_of_a_name_is_taken(wording: str, charts: dict[str, Chart]) -> None:
    assert taken(charts["m"], LOST, wording) == ""


def test_a_value_is_asked_of_a_result_and_a_part_of_the_body_is_no_answer(charts: dict[str, Chart]) -> None:
    chart = charts["m"]
    assert taken(chart, "how sugary is her frobnication?", "latest hypertension") == ""
    assert taken(chart, "has she got the frobnication?", "any hypertension?") == "any hypertension?"
    assert taken(chart, "when did they frob it?", "when was the first chest") == ""


def test_a_whole_kind_is_taken_where_that_is_all_that_is_named(charts: dict[str, Chart]) -> None:
    assert taken(charts["m"], "what has she got to frob clear of?", "allergies") == "allergies"


@pytest.mark.parametrize(
    "question",
    [
        "how sugary did her frobnication never get?",
        "how sugary wasn't her frobnication?",
        "did she refuse the frobnication?",
        "how sugary was her frobnication the second time?",
        "how sugary was her frobnication on the day of the accident?",
        "how sugary was her frobnication until the accident?",
        "how sugary did her father's frobnication get?",
        "whose frobnication was sugary?",
        "was her frobnication ever sugarier than 9?",
    ],
)
def test_nothing_is_taken_where_the_question_says_more(question: str, charts: dict[str, Chart]) -> None:
    assert taken(charts["m"], question, "highest hemoglobin a1c") == ""


def test_the_time_of_the_question_stays(charts: dict[str, Chart]) -> None:
    chart = charts["m"]
    ask = reworded(
        understand("how sugary was her frobnication in 2010?", chart), [understand("highest hemoglobin a1c", chart)]
    )
    assert ask.window is not None
    assert ask.window.low is not None and ask.window.low.year == 2010
