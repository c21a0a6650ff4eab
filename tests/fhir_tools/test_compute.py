"""What code works out over facts: units that differ, comparators, absence, order, and the same result twice."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools import compute, dates
from fhir_tools.types import Concept, Fact, Interval, Missing, Quantity, Reference

GLUCOSE = 180.156


def fact(number: int, value: Any, when: Any = None, **more: Any) -> Fact:
    told = dates.of_any(when if when is not None else f"2019-01-{number:02d}")
    base = {"kind": "measurement", "concept": Concept(label="Test"), "path": "Observation.value"}
    return Fact(
        **{**base, "reference": Reference(type="Observation", id=f"o{number}"), "value": value, "when": told, **more}
    )


def quantity(value: float, unit: str | None = None, comparator: str | None = None) -> Quantity:
    return Quantity(value=value, unit=unit, code=unit, comparator=comparator)


def encounter(period: dict[str, str]) -> tuple[Fact, ...]:
    return (fact(1, None, period, kind="encounter"),)


@pytest.mark.parametrize(
    ("values", "unit", "mean"),
    [
        ([quantity(120, "g/L"), quantity(14, "g/dL")], "g/dL", 13.0),
        ([quantity(14, "g/dL"), quantity(120, "g/L")], "g/L", 130.0),
        ([quantity(4, "10*3/uL"), quantity(6000, "/uL")], "/uL", 5000.0),
        ([quantity(4000, "/uL"), quantity(6, "10*9/L")], "10*9/L", 5.0),
        ([quantity(3), quantity(5)], None, 4.0),
        ([Quantity(value=3, unit="beats"), Quantity(value=5, unit="beats")], "beats", 4.0),
        # a unit of another kind takes no part
        ([quantity(90, "mm[Hg]"), quantity(14, "g/dL")], "g/dL", 14.0),
        ([quantity(3), quantity(14, "g/dL")], "g/dL", 14.0),
    ],
)
def test_one_course_in_the_unit_of_the_latest(values: list[Quantity], unit: str | None, mean: float) -> None:
    facts = tuple(fact(i + 1, v) for i, v in enumerate(values))
    result = compute.compute("mean", facts).result
    assert result.value == pytest.approx(mean)
    assert (result.unit, result.code) == (unit, unit)


def test_mass_and_substance_meet_through_the_molar_mass_only() -> None:
    facts = (fact(1, quantity(180.156, "mg/dL")), fact(2, quantity(8, "mmol/L")))
    assert compute.compute("mean", facts, molar_mass=GLUCOSE).result == Quantity(
        value=9.0, unit="mmol/L", code="mmol/L"
    )
    assert compute.compute("mean", facts).result.value == 8
    assert compute.series(facts).left_out == (facts[0],)


def test_comparators_and_absent_values_are_counted_and_left_out_of_means() -> None:
    facts = (
        fact(1, quantity(1, "ng/mL")),
        fact(2, quantity(0.5, "ng/mL", "<")),
        fact(3, Missing(reason="not performed")),
        fact(4, Concept(label="positive")),
        fact(5, quantity(3, "ng/mL")),
        fact(6, quantity(500, "ng/mL", ">")),
    )
    assert compute.compute("count", facts).result == 6
    assert compute.compute("mean", facts).result.value == 2
    assert compute.compute("change", facts).result.value == 2
    assert compute.series(facts).left_out == (facts[1], facts[2], facts[3], facts[5])


def test_nothing_to_compute_is_no_result() -> None:
    lone, absent = (fact(1, quantity(5, "%")),), (fact(1, Missing(reason="lost")),)
    assert compute.compute("change", lone).result is None
    assert compute.compute("percent_change", (fact(1, quantity(0)), fact(2, quantity(5)))).result is None
    assert compute.compute("mean", absent).result is None
    for op in compute.OPERATIONS:
        assert compute.compute(op, ()).result in (None, 0, ())


def test_change_goes_from_first_to_latest_whatever_the_order_given() -> None:
    facts = (fact(9, quantity(8, "%")), fact(1, quantity(10, "%")), fact(5, quantity(99, "%")))
    assert compute.compute("change", facts).result == Quantity(value=-2, unit="%", code="%")
    assert compute.compute("percent_change", facts).result.value == pytest.approx(-20)


def test_percent_change_from_below_zero_keeps_its_sign() -> None:
    assert compute.compute("percent_change", (fact(1, quantity(-4)), fact(2, quantity(-2)))).result.value == 50


def test_order_is_by_time_then_reference_and_undated_first() -> None:
    late, early, tie = fact(1, None, "2019-03-02"), fact(3, None, "2018"), fact(2, None, "2019-03-02")
    until = fact(5, None, {"end": "2016"})
    undated = Fact(kind="measurement", concept=late.concept, reference=Reference(type="Observation", id="o4"), path="x")
    assert compute.in_order((tie, late, early, undated, until)) == (undated, until, early, late, tie)


def test_years_are_those_of_the_date_as_written() -> None:
    whens = ("2018", "2018-12-31T23:30:00-05:00", "2019-01-01T00:30:00+02:00", {"start": "2019-05"}, {"end": "2017"})
    facts = tuple(fact(i + 1, None, when) for i, when in enumerate(whens))
    assert compute.compute("count_by_year", facts).result == ((2018, 2), (2019, 2))


@pytest.mark.parametrize(
    ("period", "length"),
    [
        ({"start": "2019-03-02T08:00:00Z", "end": "2019-03-06T10:00:00Z"}, (4, "d")),
        ({"start": "2019-03-02", "end": "2019-03-06"}, (4, "d")),
        ({"start": "2019-03-02", "end": "2019-03-02"}, (0, "d")),
        ({"start": "2019-03-02T08:00:00Z", "end": "2019-03-02T11:30:00Z"}, (3.5, "h")),
        ({"start": "2019-03-02T08:00:00Z", "end": "2019-03-02T08:20:00Z"}, (20, "min")),
        ({"start": "2019-03-02T08:00:00Z", "end": "2019-03-03"}, (1, "d")),
        # midnight by the clock of the place, not by UTC
        ({"start": "2019-03-02T18:00:00-05:00", "end": "2019-03-02T23:00:00-05:00"}, (5, "h")),
        ({"start": "2019-03-02"}, None),
        ({"end": "2019-03-02"}, None),
        ({"start": "2019-03", "end": "2019-04"}, None),
    ],
)
def test_length_of_stay(period: dict[str, str], length: tuple[float, str] | None) -> None:
    result = compute.compute("length_of_stay", encounter(period)).result
    assert (result and (result.value, result.code)) == length


def test_age_now_at_an_event_and_when_birth_is_known_to_the_year() -> None:
    birth = fact(1, dates.parse("1950-06-15"), path="Patient.birthDate", kind="patient")
    event = fact(2, None, "2019-06-14", kind="condition")
    assert compute.compute("age", (birth,), at=date(2020, 6, 15)).result == 70
    assert compute.compute("age_at", (birth, event)).result == 68
    vague = fact(1, dates.parse("1950"), path="Patient.birthDate", kind="patient")
    assert compute.compute("age", (vague,), at=date(2020, 6, 15)).result == (69, 70)
    assert compute.compute("age", (birth,)).result is None


def test_duration_in_days() -> None:
    facts = (fact(2, None, "2019-03-12"), fact(1, None, "2019-03-02"))
    assert compute.compute("duration", facts).result == 10
    assert compute.compute("duration", facts[1:], to=date(2020, 3, 2)).result == 366


def test_convert_and_list() -> None:
    assert compute.compute("convert", (fact(1, quantity(98.6, "[degF]")),), unit="Cel").result.value == pytest.approx(
        37
    )
    with pytest.raises(ValueError):
        compute.compute("convert", (fact(1, quantity(1, "g")),), unit="m")
    named = [fact(i, None, concept=Concept(label=label)) for i, label in enumerate("aba", 1)]
    assert compute.compute("list", tuple(named)).result == ("a", "b")


def test_an_unknown_operation_is_an_error() -> None:
    with pytest.raises(KeyError):
        compute.compute("median", ())


NUMBERS = st.floats(min_value=-1e6, max_value=1e6)
FACTS = st.lists(
    st.tuples(NUMBERS, st.sampled_from(["g/L", "g/dL", "mg/dL", "%", "odd", None]), st.sampled_from([None, None, "<"])),
    min_size=1,
    max_size=12,
).map(lambda rows: tuple(fact(i + 1, quantity(*row)) for i, row in enumerate(rows)))


@given(FACTS, st.randoms(use_true_random=False))
def test_results_can_be_run_again_in_any_order(facts: tuple[Fact, ...], random: Any) -> None:
    mixed = list(facts)
    random.shuffle(mixed)
    for op in ("count", "count_by_year", "mean", "change", "percent_change"):
        once = compute.compute(op, facts)
        assert compute.run(once) == once.result
        assert compute.compute(op, tuple(mixed)).result == once.result


@given(FACTS)
def test_a_course_loses_no_fact_and_its_mean_lies_inside(facts: tuple[Fact, ...]) -> None:
    course = compute.series(facts)
    assert {id(f) for f, _ in course.points} | {id(f) for f in course.left_out} == {id(f) for f in facts}
    assert len(course.points) + len(course.left_out) == len(facts)
    if course.points:
        numbers = [n for _, n in course.points]
        slack = 1e-9 * max(map(abs, numbers), default=1) + 1e-12
        assert min(numbers) - slack <= compute.compute("mean", facts).result.value <= max(numbers) + slack


def test_interval_is_what_age_reads() -> None:
    text = fact(1, "1950", path="Patient.birthDate")
    assert not isinstance(text.value, Interval)
    assert compute.compute("age", (text,), at=date(2020, 1, 1)).result is None
