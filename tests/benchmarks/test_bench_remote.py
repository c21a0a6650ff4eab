from __future__ import annotations

from dataclasses import replace

import pytest

from agent.types import Answer
from benchmarks.bench_remote import Chart, Tally, compare, cost, demo_charts, explained, missed, over_all
from fhir_tools import demo
from fhir_tools.errors import SourceError
from fhir_tools.load import load
from fhir_tools.local import LocalStore


def _answer(status: str, text: str, **more: object) -> Answer:
    fields = {"question": "q", "patient": "Patient/x", "as_of": "2020-01-01", "reasoner": "rules"}
    return Answer.model_validate({**fields, "status": status, "text": text, **more})


def _chart(number: int = 1) -> Chart:
    chart = demo_charts()[0]
    return replace(chart, cases=chart.cases[:number])


FOUND = _answer("answered", "It was 6.9 %.")
CITED = [{"mark": "1", "reference": "Observation/1", "path": "Observation.value", "excerpt": ""}]
SEARCHED = [{"query": "Goal", "found": 0, "complete": False, "error": "this server does not offer Goal"}]


@pytest.mark.parametrize(
    ("found", "cause"),
    [
        (_answer("answered", "It was 7.1 %."), "other text"),
        (_answer("answered", "It was 6.9 %.", citations=CITED), "other citations"),
        (_answer("not_found", "Nothing."), "answered became not_found"),
        (_answer("incomplete", "", searched=SEARCHED), "answered became incomplete (this server does not offer Goal)"),
        (SourceError("the server is down"), "SourceError: the server is down"),
    ],
)
def test_a_difference_has_its_cause(found: Answer | SourceError, cause: str) -> None:
    chart = _chart()
    id_ = chart.cases[0].id
    (difference,) = compare("sekmet", chart, {id_: FOUND}, {id_: found})
    assert difference.cause == cause
    assert (explained(difference) is not None) == ("Goal" in cause)
    assert explained(replace(difference, source="own server")) is None


def test_equal_answers_may_be_proved_by_other_searches() -> None:
    chart = _chart()
    id_ = chart.cases[0].id
    assert not list(compare("own", chart, {id_: FOUND}, {id_: FOUND.model_copy(update={"trace": "another"})}))


def test_figures_that_are_missed_are_named() -> None:
    assert missed({"own": {"requests": 3, "bytes_share": 0.05}}, {"warm": {"added_ms": 9.0}}) == []
    assert len(missed({"own": {"requests": 4, "bytes_share": 0.5}}, {"warm": {"added_ms": 20.0}})) == 3


async def test_our_own_server_answers_a_few_questions_as_the_store_does() -> None:
    tally = Tally()
    await over_all(_chart(4), None, tally)
    assert tally.asked == {"own server": 4, "own server, catalogue": 4}
    assert not tally.differences


async def test_what_a_question_costs_is_counted() -> None:
    async with LocalStore() as store:
        load([demo.paths()[1]], store)
        rows = await cost(store, demo.patients()[1])
    assert set(rows) == {"own server", "own server, catalogue"}
    for row in rows.values():
        assert row["status"] == "answered"
        assert 0 < row["requests"] < 10 and row["bytes"] > 0 and row["everything_bytes"] > 0
