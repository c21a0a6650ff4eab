"""Taking a question apart: mentions, times, the skeleton."""

from __future__ import annotations

import pytest

from agent.chart import Chart
from agent.understand.reading import Reading, is_stay, read
from fhir_tools import demo


def taken_apart(question: str, chart: Chart) -> Reading:
    return read(question, chart.matcher, demo.AS_OF, None)


@pytest.mark.parametrize(
    ("question", "skeleton"),
    [
        ("last A1c?", "last m0"),
        ("Could you please tell me the last A1c?", "the last m0"),
        ("A1c in 2018", "m0 t0"),
        ("A1c and creatinine since 2020", "m0 and m1 t0"),
        ("potassium, not the latest one", "m0"),
        ("problem list", "problem list"),
    ],
)
def test_the_skeleton(question: str, skeleton: str, charts: dict[str, Chart]) -> None:
    assert taken_apart(question, charts["m"]).skeleton == skeleton


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("last hemglobin a1c", ("hemoglobin a1c",)),
        ("last creatnine", ("creatinine",)),
        ("CVX 216", ("cvx 216",)),
        ("length of stay of the last admission", ("admission",)),
    ],
)
def test_the_mentions(question: str, words: tuple[str, ...], charts: dict[str, Chart]) -> None:
    assert tuple(m.words for m in taken_apart(question, charts["m"]).mentions) == words


def test_what_nothing_accounts_for_is_left(charts: dict[str, Chart]) -> None:
    assert taken_apart("last xyzzy value", charts["m"]).left == ["xyzzy"]


def test_the_patient_is_no_prothrombin_time(charts: dict[str, Chart]) -> None:
    (mention,) = taken_apart("pt last A1c", charts["m"]).mentions
    assert mention.words == "a1c"


def test_a_stay_is_told_from_other_things(charts: dict[str, Chart]) -> None:
    assert [is_stay(m) for m in taken_apart("creatinine at the last admission", charts["m"]).mentions] == [False, True]
