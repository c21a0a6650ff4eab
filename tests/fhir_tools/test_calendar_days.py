"""Holidays, and days of one month, in a question."""

from __future__ import annotations

from datetime import date

import pytest

from fhir_tools.calendar_days import calendar_days

TODAY = date(2026, 3, 1)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("on Christmas Day 2025", date(2025, 12, 25), date(2025, 12, 26)),
        ("over Christmas 2025", date(2025, 12, 24), date(2025, 12, 27)),
        ("on Christmas Eve", date(2025, 12, 24), date(2025, 12, 25)),
        ("Easter 2025", date(2025, 4, 20), date(2025, 4, 21)),
        ("Good Friday 2024", date(2024, 3, 29), date(2024, 3, 30)),
        ("Thanksgiving 2024", date(2024, 11, 28), date(2024, 11, 29)),
        ("new year's eve", date(2025, 12, 31), date(2026, 1, 1)),
        ("2-11 Aug 2025", date(2025, 8, 2), date(2025, 8, 12)),
        ("2nd to 10th of August 2025", date(2025, 8, 2), date(2025, 8, 11)),
        ("between 2 and 11 August", date(2025, 8, 2), date(2025, 8, 12)),
    ],
)
def test_the_days_that_are_meant(text: str, low: date, high: date) -> None:
    (point,) = calendar_days(text, TODAY)
    assert (point.low, point.high) == (low, high)


@pytest.mark.parametrize("text", ["12-15 units", "11-2 Aug 2025", "30-31 Feb 2025", "2 and 11 August", "Eastern"])
def test_what_is_no_such_day(text: str) -> None:
    assert not list(calendar_days(text, TODAY))
