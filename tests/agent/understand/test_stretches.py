"""Several times in one question."""

from __future__ import annotations

from datetime import date

from agent.chart import Chart
from agent.understand import understand
from agent.understand.stretches import later_first
from fhir_tools.dates import Window

_MAY = Window(low=date(2020, 5, 1), high=date(2020, 6, 1), text="in 2020-05")
_JULY = Window(low=date(2020, 7, 1), high=date(2020, 8, 1), text="in 2020-07")


def test_the_later_time_comes_first_and_turns_the_question() -> None:
    assert later_first(_MAY, _JULY, "higher") == (_JULY, _MAY, "lower")
    assert later_first(_JULY, _MAY, "higher") == (_JULY, _MAY, "higher")
    assert later_first(_MAY, None, "higher") == (_MAY, None, "higher")


def test_a_time_within_another_is_the_one_that_is_meant(charts: dict[str, Chart]) -> None:
    asked = understand("A1c in 2023, on 25 December 2023", charts["m"])
    assert asked.window is not None
    assert asked.window.low == date(2023, 12, 25)
    assert not asked.unknown


def test_the_same_time_twice_is_one(charts: dict[str, Chart]) -> None:
    asked = understand("In the second half of 2025 (1 July to 31 December) how many visits?", charts["m"])
    assert not asked.unknown
