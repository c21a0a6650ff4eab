"""`compute`: the fixed operations over marks or a concept; what cannot be worked out is told, not guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from agent.chart import Chart
from fhir_tools.compute import OPERATIONS
from fhir_tools.compute import run as run_again
from fhir_tools.tools.computing import Operation
from tests.agent.asking import condition, made_up, result, visit
from tests.fhir_tools.tools.benches import bench_of, refused, run, text

NA = {"code": "2951-2", "unit": "mmol/L"}


def test_the_operations_are_those_that_code_has() -> None:
    assert get_args(Operation) == tuple(OPERATIONS)


@pytest.fixture
def sodium(tmp_path: Path) -> Chart:
    return made_up(
        tmp_path,
        result("Sodium", "2020-05-01", 130, **NA),
        result("Sodium", "2022-05-01", 140, **NA),
        result("Sodium", "2024-05-01", 147, **NA),
        result("Sodium", "2024-09-01", 170, **NA),
        result("Glucose", "2024-05-01", 90, code="2345-7"),
        condition("Gout", "2020-05-01", abatementDateTime="2020-05-31"),
        condition("Asthma", "2000-05-01"),
        visit("Hospital admission", "2024-01-02", "2024-01-06", class_="IMP"),
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"operation": "mean", "what": "sodium"}, "mean 139 mmol/L [c1]"),
        ({"operation": "mean", "what": "sodium", "since": "2022-01-01"}, "mean 143.5 mmol/L [c1]"),
        ({"operation": "change", "what": "sodium"}, "first to latest +17 mmol/L [c1]"),
        ({"operation": "percent_change", "what": "sodium"}, "+13.08 %"),
        ({"operation": "count", "what": "sodium", "until": "2022-12-31"}, "count 2 [c1]"),
        ({"operation": "count_by_year", "what": "sodium"}, "2020: 1  2022: 1  2024: 1"),
        ({"operation": "age"}, "age 64 years"),
        ({"operation": "age", "on": "2000-04-30"}, "age 39 years"),
        ({"operation": "age_at", "what": "asthma"}, "age then 40 years"),
        ({"operation": "duration", "what": "gout"}, "duration 30 days"),
        ({"operation": "duration", "what": "asthma", "on": "2000-05-31"}, "duration 30 days"),
        ({"operation": "length_of_stay", "what": "hospital admission"}, "length of stay 4 d"),
        ({"operation": "convert", "what": "glucose", "unit": "mmol/L"}, "convert 4.99"),
        ({"operation": "list", "what": "sodium, "}, "names (1) Sodium"),
    ],
)
def test_each_operation_gives_what_code_gives_again(sodium: Chart, arguments: dict[str, Any], told: str) -> None:
    [card] = run(sodium, "compute", **arguments).cards
    assert told in card.text
    [mark] = [m for m in card.marks if m.computation]
    assert mark.computation is not None and run_again(mark.computation) == mark.computation.result


def test_marks_are_computed_over_in_the_order_of_time(sodium: Chart) -> None:
    bench = bench_of(sodium)
    shown = run(bench, "find", what="sodium").cards[0].text
    assert "latest [1] 2024-05-01" in shown and "first [3]" in shown
    assert "+17 mmol/L" in text(run(bench, "compute", operation="change", marks=["[1]", "3"]))
    assert "mean 139 mmol/L" in text(run(bench, "compute", operation="mean", marks=["c1"]))


def test_the_two_numbers_of_a_blood_pressure_are_told_apart(charts: dict[str, Chart]) -> None:
    shown = text(run(charts["m"], "compute", operation="mean", what="blood pressure", since="2024-01-01"))
    assert "mean systolic 132.1 mmHg" in shown and "mean diastolic 74.75 mmHg" in shown


def test_results_that_cannot_take_part_are_said_to_be_left_out(tmp_path: Path) -> None:
    below = {"valueQuantity": {"value": 100, "comparator": "<", "unit": "mmol/L", "code": "mmol/L"}}
    chart = made_up(
        tmp_path,
        result("Sodium", "2020-05-01", 130, **NA),
        result("Sodium", "2022-05-01", 140, **NA),
        result("Sodium", "2023-05-01", None, **NA, **below),
    )
    assert "of 2 of 3 results" in text(run(chart, "compute", operation="mean", what="sodium"))


def test_what_has_no_records_in_the_window_is_absent(sodium: Chart) -> None:
    found = run(sodium, "compute", operation="count", what="sodium", until="2010-01-01")
    assert found.absent[0].window == "until 2010-01-01" and found.absent[0].complete


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"operation": "mean"}, "give marks"),
        ({"operation": "median", "what": "sodium"}, "operation: "),
        ({"operation": "mean", "what": "sodium, glucose"}, "one concept at a time"),
        ({"operation": "mean", "marks": ["9"]}, "no record of this chart"),
        ({"operation": "mean", "marks": ["1"] * 13}, "at most 12"),
        ({"operation": "mean", "what": "gout"}, "at least one number"),
        ({"operation": "change", "what": "glucose"}, "at least two numbers"),
        ({"operation": "convert", "what": "glucose"}, "convert needs unit"),
        ({"operation": "convert", "what": "glucose", "unit": "kg"}, "they are in mg/dL"),
        ({"operation": "convert", "what": "glucose", "unit": "drop table"}, "they are in mg/dL"),
        ({"operation": "mean", "what": "sodium", "unit": "kg"}, "unit goes with operation convert"),
        ({"operation": "length_of_stay", "what": "sodium"}, "of one encounter"),
        ({"operation": "age_at", "what": "sodium"}, "of 1 record"),
        ({"operation": "age", "what": "sodium"}, "age_at"),
        ({"operation": "age", "on": "2999-01-01"}, "after today"),
        ({"operation": "duration", "what": "asthma"}, "second mark"),
    ],
)
def test_what_cannot_be_worked_out_is_told(sodium: Chart, arguments: dict[str, Any], told: str) -> None:
    assert told in refused(sodium, "compute", **arguments)


def test_marks_of_different_things_have_no_mean(sodium: Chart) -> None:
    bench = bench_of(sodium)
    run(bench, "find", what="sodium, glucose")
    glucose = next(m.id for m in bench.marks.all() if m.fact and m.fact.concept.label == "Glucose")
    assert "results of one thing" in refused(bench, "compute", operation="mean", marks=["1", glucose])


def test_quotes_and_searches_are_no_numbers(charts: dict[str, Chart]) -> None:
    bench = bench_of(charts["m"])
    run(bench, "find_notes", words="cough")
    run(bench, "find", what="ferritin")
    assert "is a quote" in refused(bench, "compute", operation="count", marks=["1"])
    assert "is a search" in refused(bench, "compute", operation="count", marks=["s1"])


def test_an_age_needs_a_birth_date(tmp_path: Path) -> None:
    chart = made_up(tmp_path, birthDate=None)
    assert "birth date" in refused(chart, "compute", operation="age")


def test_an_age_at_death_is_that(tmp_path: Path) -> None:
    chart = made_up(tmp_path, deceasedDateTime="2000-06-01")
    assert "age 40 years" in text(run(chart, "compute", operation="age"))
