"""Comparisons and times of criteria."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.trials.amounts import amounts, levelled
from agent.trials.checks import Length, Period
from agent.trials.periods import times


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("HbA1c of at least 5.0 %", [">= 5 %"]),
        ("HbA1c ≥ 7.0% and ≤ 10.5%", [">= 7 %", "<= 10.5 %"]),
        ("age 18-65 years, inclusive", [">= 18 years", "<= 65 years"]),
        ("between 25 and 40 kg/m²", [">= 25 kg/m2", "<= 40 kg/m2"]),
        ("eGFR <30 mL/min/1.73 m^2", ["< 30 mL/min/{1.73_m2}"]),
        ("ALT > 2.5 times the upper limit of normal", ["> 2.5 ULN"]),
        ("Platelets < 100,000/mm3", ["< 100000 /mm3"]),
        ("ANC ≥ 1.5 × 10⁹/L", [">= 1.5 10*9/L"]),
        ("130 mmHg or more", [">= 130 mm[Hg]"]),
        ("serum creatinine greater than or equal to 2.0 mg/dL", [">= 2 mg/dL"]),
        ("not exceeding 5.5", ["<= 5.5"]),
        ("BMI 18.5–30", [">= 18.5", "<= 30"]),
        ("aged 60+", [">= 60"]),
        ("temperature over 38 degrees Celsius", ["> 38 Cel"]),
        ("temperature > 100.4 °F", ["> 100.4 [degF]"]),
        ("type 1 or 2", []),
        ("stage 3 or higher", []),
        ("COVID-19", []),
    ],
)
def test_limits(text: str, limits: list[str]) -> None:
    assert [str(x) for a in amounts(levelled(text)) for x in a.limits] == limits


def test_a_blood_pressure_is_two_numbers() -> None:
    (found,) = amounts("> 140/90 mmHg", pressure=True)
    assert [str(x) for x in (*found.limits, *found.second)] == ["> 140 mm[Hg]", "> 90 mm[Hg]"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("within 6 months prior to screening", "within 6 months"),
        ("in the past year", "within 1 year"),
        ("less than 4 weeks prior to study entry", "within 4 weeks"),
        ("within two (2) weeks of the first dose of study drug", "within 2 weeks"),
        ("within 30 days or 5 half-lives, whichever is longer", "within 30 days"),
        ("≥ 6 months before enrollment", "at least 6 months ago"),
        ("since January 2020", "since 2020-01-01"),
    ],
)
def test_periods(text: str, told: str) -> None:
    (found,) = times(text)
    assert (str(found.period), found.start, found.end) == (told, 0, len(text))


def test_a_length_of_treatment_is_no_period() -> None:
    assert times("for at least 3 months")[0].lasting == Length(count=3, unit="month")


def test_what_is_counted_from_another_event_is_no_period() -> None:
    assert times("within 24 hours of surgery") == []


def test_a_period_is_whole_days_counted_from_the_day_of_screening() -> None:
    window = Period(within=Length(count=6, unit="month")).window(date(2024, 8, 31))
    assert (window.low, window.high) == (date(2024, 2, 29), None)
    assert Period(before=Length(count=1, unit="year")).window(date(2024, 2, 29)).high == date(2023, 3, 1)


@given(
    st.floats(0.5, 40), st.sampled_from(["day", "week", "month", "year"]), st.dates(date(1950, 1, 1), date(2050, 1, 1))
)
def test_the_day_on_which_a_length_is_over(count: float, unit: str, day: date) -> None:
    length = Length(count=round(count, 1), unit=unit)  # type: ignore[arg-type]
    turn = length.after(day)
    assert length.before(turn) > day


@given(st.text(max_size=120))
def test_any_text_can_be_read(text: str) -> None:
    for found in (*amounts(levelled(text)), *times(levelled(text))):
        assert 0 <= found.start < found.end <= len(text)
