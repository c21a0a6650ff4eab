"""The scorers: each kind with a right answer, a wrong one, and one that only looks right."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.evals.cases import AnswerRow, Case, Expected
from agent.evals.scorers import dates_in, numbers_in, score


def right(expected: dict[str, Any], answer: str, value: dict[str, Any] | None = None, **more: Any) -> bool:
    case = Case(id="x", patient="p", question="?", expected=Expected(**expected))
    return score(case, AnswerRow(id="x", answer=answer, value=value, **more)).right


NUMBER = {"kind": "number", "value": 183.17308308, "unit": "cm"}


@pytest.mark.parametrize(
    ("answer", "value", "ok"),
    [
        ("It was 183.2 cm on 2020-01-02 [1].", None, True),
        ("It was 183 cm.", None, True),
        ("It was 183.3 cm.", None, False),
        ("It was 2e2 cm.", None, False),
        ("See Observation/183.2", None, False),
        ("It was 183.2 cm.", {"kind": "number", "value": 183.173, "unit": "cm"}, True),
        ("It was 1.832 m.", {"kind": "number", "value": 1.832, "unit": "m"}, True),
        ("It was 183.2 kg.", {"kind": "number", "value": 183.2, "unit": "kg"}, False),
        ("It was 183.2 cm.", {"kind": "number", "value": 150.0, "unit": "cm"}, False),
        ("It was tall.", {"kind": "number", "value": 183.2, "unit": "cm"}, False),
        ("It was 183.2.", {"kind": "bool", "value": True}, False),
        ("1 2 3 4 5 6 7 8 183.2", None, False),
        ("", None, False),
    ],
)
def test_a_number(answer: str, value: dict[str, Any] | None, ok: bool) -> None:
    assert right(NUMBER, answer, value) is ok


def test_a_tolerance_is_held() -> None:
    expected = {"kind": "number", "value": 10.0, "tolerance": 0.5}
    assert right(expected, "10.4")
    assert not right(expected, "10.6")


def test_the_sign_of_a_value_counts() -> None:
    expected = {"kind": "number", "value": -1.2}
    assert right(expected, "It fell by 1.2.", {"kind": "number", "value": -1.2})
    assert not right(expected, "It rose by 1.2.", {"kind": "number", "value": 1.2})
    assert right({"kind": "number", "value": 1.2}, "It fell by 1.2.", {"kind": "number", "value": -1.2})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("on 2019-03-02T10:00:00+01:00 and 2019-03-02", {"2019-03-02"}),
        ("March 2, 2019; 2 Mar 2019; 3/2/2019; 2nd of", {"2019-03-02"}),
        ("May 5th 2020", {"2020-05-05"}),
        ("in 2019-03 or 2019", set()),
    ],
)
def test_dates_are_read_in_usual_forms(text: str, found: set[str]) -> None:
    assert dates_in(text) == found


def test_numbers_leave_out_dates_references_and_marks() -> None:
    assert numbers_in("1,204 on 2019-03-02 [1, c2], Observation/77, May 5 2020: -3.5") == ["1204", "-3.5"]


@given(st.dates())
def test_any_iso_date_is_found_again(day: Any) -> None:
    assert dates_in(f"on {day.isoformat()}.") == {day.isoformat()}


@pytest.mark.parametrize(
    ("expected", "answer", "value", "ok"),
    [
        ({"kind": "date", "date": "2019-03-02"}, "On 2 March 2019.", None, True),
        ({"kind": "date", "date": "2019-03-02"}, "On 2019-03-02.", {"kind": "date", "value": "2019-03-02T10:00"}, True),
        ({"kind": "date", "date": "2019-03-02"}, "On 2019-03-02.", {"kind": "date", "value": "2018-03-02"}, False),
        ({"kind": "date", "date": "2019-03-02"}, "On 2019-03-03.", None, False),
        ({"kind": "dates", "dates": ["2019-03-02", "2019-04-02"]}, "2019-03-02 and 2019-04-02", None, True),
        ({"kind": "dates", "dates": ["2019-03-02", "2019-04-02"]}, "2019-03-02", None, False),
        ({"kind": "bool", "value": True}, "Yes [1].", None, True),
        ({"kind": "bool", "value": True}, "It is taken [1].", {"kind": "bool", "value": True}, True),
        ({"kind": "bool", "value": False}, "It was stopped in May.", None, True),
        ({"kind": "bool", "value": False}, "Yes.", {"kind": "bool", "value": False}, True),
        ({"kind": "bool", "value": False}, "No.", {"kind": "bool", "value": True}, False),
        ({"kind": "text", "value": "Type 2 diabetes"}, "Type-2 Diabetes [1].", None, True),
        ({"kind": "text", "value": "Type 2 diabetes"}, "Diabetes.", None, False),
        ({"kind": "numbers", "values": [120.4, 80.0]}, "120/80 mmHg", None, True),
        ({"kind": "numbers", "values": [120.4, 80.0]}, "120 mmHg", None, False),
        ({"kind": "comparator", "value": 0.5}, "<0.5 ng/mL", None, True),
        ({"kind": "comparator", "value": 0.5}, "0.5 ng/mL", None, False),
        ({"kind": "abstain"}, "No result was found.", None, True),
        ({"kind": "abstain"}, "Not 5 mg but 7 mg.", None, False),
        ({"kind": "bool", "value": False, "absent": True}, "Nothing of it.", None, True),
        ({"kind": "bool", "value": False, "absent": True}, "Yes, since 2010.", None, False),
    ],
)
def test_other_kinds(expected: dict[str, Any], answer: str, value: dict[str, Any] | None, ok: bool) -> None:
    assert right(expected, answer, value) is ok


SET = {
    "kind": "set",
    "items": ["Asthma", "Gout", "Migraine"],
    "universe": ["Asthma", "Gout", "Migraine", "Stroke", "Mig"],
}


@pytest.mark.parametrize(
    ("answer", "ok"),
    [
        ("Asthma, gout and migraine.", True),
        ("Asthma, gout.", True),
        ("Asthma.", False),
        ("Asthma, gout, stroke.", False),
        ("Asthma, gout, migraine, stroke.", True),
    ],
)
def test_a_set_is_right_at_eight_tenths(answer: str, ok: bool) -> None:
    assert right(SET, answer) is ok


def test_abstaining_is_right_only_where_nothing_is() -> None:
    assert right({"kind": "abstain"}, "Not documented.", abstained=True)
    assert right({"kind": "bool", "value": False, "absent": True}, "Not documented.", abstained=True)
    assert not right(NUMBER, "183.2 cm", abstained=True)


@pytest.mark.parametrize(
    ("support", "citations", "expected", "cited"),
    [
        (("A/1",), ("A/1",), NUMBER, True),
        (("A/1", "A/2"), ("A/2",), NUMBER, True),
        (("A/1",), (), NUMBER, False),
        (("A/1",), ("A/1", *(f"B/{n}" for n in range(8))), NUMBER, False),
        (tuple(f"A/{n}" for n in range(10)), tuple(f"A/{n}" for n in range(8)), NUMBER, False),
        (tuple(f"A/{n}" for n in range(10)), tuple(f"A/{n}" for n in range(9)), NUMBER, True),
        (("A/1", "A/2"), ("A/2",), SET, False),
        ((), (), NUMBER, None),
        (("A/1",), ("A/1",), {"kind": "abstain"}, None),
    ],
)
def test_citations(
    support: tuple[str, ...], citations: tuple[str, ...], expected: dict[str, Any], cited: bool | None
) -> None:
    case = Case(id="x", patient="p", question="?", expected=Expected(**expected), support=support)
    assert score(case, AnswerRow(id="x", answer="183.2", citations=citations)).cited is cited


def test_a_refusal_is_no_denial() -> None:
    refused = {"status": "refused"}
    assert not right({"kind": "bool", "value": False}, "Nothing can be told.", **refused)
    assert not right({"kind": "bool", "value": False, "absent": True}, "I cannot answer this.", **refused)
    assert not right({"kind": "abstain"}, "I cannot answer this.", **refused)


def test_wrong_is_told_apart_from_refused() -> None:
    case = Case(id="x", patient="p", question="?", expected=Expected(**NUMBER))
    assert score(case, AnswerRow(id="x", answer="99 cm")).told_wrong
    assert not score(case, AnswerRow(id="x", answer="Cannot.", status="refused")).told_wrong
    with pytest.raises(ValueError, match="'expected'"):
        score(Case(id="x", patient="p", question="?"), AnswerRow(id="x"))
