"""Stretches told by a length and one end."""

from __future__ import annotations

from datetime import date

import pytest

from fhir_tools import phrases

TODAY = date(2026, 3, 1)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("over the two years up to 8 October 1984 (both ends counted)", date(1982, 10, 8), date(1984, 10, 9)),
        ("in the last two years up to 8 October 1984", date(1982, 10, 8), date(1984, 10, 9)),
        ("in the twelve months before 1 Jan 2016", date(2015, 1, 1), date(2016, 1, 1)),
        ("in the year before 2016", date(2015, 1, 1), date(2016, 1, 1)),
        ("the 3 months after 5 May 2019", date(2019, 5, 6), date(2019, 8, 6)),
        ("two weeks from 1 May 2019", date(2019, 5, 1), date(2019, 5, 15)),
        ("the six months up to June 2019", date(2019, 1, 1), date(2019, 7, 1)),
        ("in the July/August 2025", date(2025, 7, 1), date(2025, 9, 1)),
        ("counting from June 2016", date(2016, 6, 1), None),
        ("until 8 October 1984 inclusive", None, date(1984, 10, 9)),
    ],
)
def test_a_length_and_its_end(text: str, low: date | None, high: date | None) -> None:
    (phrase,) = phrases.find(text, TODAY)
    assert phrase.window is not None
    assert (phrase.window.low, phrase.window.high) == (low, high)
    assert text[phrase.start : phrase.end] == text


def test_a_day_that_lies_before_another_is_left_to_the_reader() -> None:
    (phrase,) = phrases.find("weight three months before 5 May 2019", TODAY)
    assert phrase.vague


@pytest.mark.parametrize(
    ("text", "low", "high"), [("before her 85th birthday", None, 85), ("since his 50th birthday", 50, None)]
)
def test_a_birthday_is_an_age(text: str, low: int | None, high: int | None) -> None:
    (phrase,) = phrases.find(text, TODAY)
    assert phrase.anchor is not None
    assert (phrase.anchor.low, phrase.anchor.high) == (low, high)
