"""What rules say of the person."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.chart import Chart
from tests.agent.asking import Row, ask, check, made_up

ROWS: tuple[Row, ...] = (
    ("m", "DOB", "answered", ("1958-04-17",), "Patient/"),
    ("m", "how old is she", "answered", ("68 years", "1958-04-17"), "Patient/"),
    ("r", "age", "answered", ("76 years",), "Patient/"),
    ("m", "sex", "answered", ("female",), "Patient/"),
    ("m", "marital status", "answered", ("Married",), "Patient/"),
    ("m", "language", "answered", ("Portuguese",), "Patient/"),
    ("m", "race", "not_found", ("not documented",), ""),
    ("m", "address", "not_found", ("not documented",), ""),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda r: f"{r[0]} {r[1]}")
def test_the_person_of_the_demo_charts(row: Row, charts: dict[str, Chart]) -> None:
    check(charts, row)


@pytest.mark.parametrize(
    ("element", "question", "text", "value"),
    [
        ({"deceasedDateTime": "2023-02-03"}, "is she alive?", "No: the patient died on 2023-02-03.", False),
        ({"deceasedDateTime": "2023-02-03"}, "did she die?", "Yes: the patient died on 2023-02-03.", True),
        ({"deceasedDateTime": "2023-02-03"}, "when did she die?", "The patient died on 2023-02-03.", "2023-02-03"),
        ({"deceasedBoolean": True}, "is she deceased?", "Yes: the patient is recorded as deceased.", True),
        ({"deceasedBoolean": False}, "is she dead?", "No: the patient is not recorded as deceased.", False),
        ({"deceasedBoolean": False}, "is she alive?", "Yes: the patient is not recorded as deceased.", True),
    ],
)
def test_death_and_life(element: dict[str, object], question: str, text: str, value: object, tmp_path: Path) -> None:
    (claim,) = ask(made_up(tmp_path, **element), question).draft.claims
    assert claim.text == text
    assert claim.value is not None
    assert claim.value["value"] == value


def test_an_age_of_an_imprecise_birth_date_is_its_lower_bound(tmp_path: Path) -> None:
    done = ask(made_up(tmp_path, birthDate="1960"), "how old is she")
    (claim,) = done.draft.claims
    assert "at least 63 years" in claim.text
    assert (done.answer.status, done.answer.removed) == ("answered", [])
    assert claim.value is None


def test_the_age_at_death_is_not_of_today(tmp_path: Path) -> None:
    (claim,) = ask(made_up(tmp_path, deceasedDateTime="2020-05-02"), "how old was she when she died").draft.claims
    assert "60 years old at death" in claim.text


@pytest.mark.parametrize(
    ("element", "question", "text"),
    [
        ({}, "how old was she on 2010-03-01", "The patient was 50 years old on 2010-03-01, born 1960-01-01"),
        ({"deceasedDateTime": "2020-05-02"}, "age on 2010-03-01", "The patient was 50 years old on 2010-03-01, born"),
        ({"deceasedDateTime": "2020-05-02"}, "age on 2022-03-01", "The patient was 60 years old at death, born"),
        ({}, "age today", "The patient is"),
    ],
)
def test_an_age_on_a_day(element: dict[str, object], question: str, text: str, tmp_path: Path) -> None:
    done = ask(made_up(tmp_path, birthDate="1960-01-01", **element), question)
    assert (done.answer.status, done.answer.removed) == ("answered", [])
    assert done.answer.text.startswith(text)


@pytest.mark.parametrize("when", ["in 2010", "on 1950-01-01", "on 2090-01-01"])
def test_an_age_over_a_year_before_birth_or_to_come_is_refused(when: str, tmp_path: Path) -> None:
    done = ask(made_up(tmp_path, birthDate="1960-01-01"), f"how old was she {when}")
    assert done.answer.status == "refused"
