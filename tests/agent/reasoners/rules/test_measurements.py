"""What rules say of results: the demo charts' figures were read off the charts by hand."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.chart import Chart
from agent.reasoners.rules import Rules
from tests.agent.asking import Row, ask, check, concept, made_up, result

ROWS: tuple[Row, ...] = (
    # points of a series
    ("m", "last A1c?", "answered", ("7.2 %", "2026-04-06"), "a1c-2026-04-06"),
    ("m", "4548-4", "answered", ("7.2 %",), "a1c-2026-04-06"),
    ("m", "LOINC 4548-4", "answered", ("7.2 %",), "a1c-2026-04-06"),
    ("m", "last hemglobin a1c", "answered", ("7.2 %",), "a1c-2026-04-06"),
    ("m", "previous A1c", "answered", ("7.1 %", "2025-12-22"), "a1c-2025-12-22"),
    ("m", "first A1c", "answered", ("8.8 %", "2009-03-04"), "a1c-2009-03-04"),
    ("m", "highest A1c in 2018", "answered", ("8.5 %", "2018"), "a1c-2018-11-08"),
    ("m", "nadir hemoglobin", "answered", ("10.8 g/dL",), "hemoglobin-2025-12-22"),
    ("m", "peak creatinine", "answered", ("2.61 mg/dL", "2023-11-08"), "creatinine-2023-11-08"),
    ("m", "lowest diastolic", "answered", ("58 mmHg", "2023-11-08"), "bp-2023-11-08"),
    ("m", "trend of vitamin B12", "answered", ("First and latest", "214 pg/mL"), "b12"),
    ("m", "mean vitamin B12", "answered", ("214 pg/mL",), "b12"),
    ("m", "CRP at discharge", "answered", ("29 mg/L", "2023-11-13"), "2023-11-13"),  # drawn as she left
    ("r", "last checked cholesterol when, and what was it?", "answered", ("158 mg/dL",), "2025-07-15"),
    ("r", "Gleason score?", "answered", ("Gleason score 3+4=7", "not documented in results"), "biopsy"),
    ("m", "range of potassium", "answered", ("4.1 mmol/L", "5.1 mmol/L"), "potassium-2025-12-22"),
    ("m", "last three A1c", "answered", ("7.2 %", "7.1 %", "7.4 %"), "a1c-2025-09-08"),
    ("m", "last A1c, BP and weight", "answered", ("7.2 %", "126/73 mmHg", "77.3 kg"), "weight-2026-04-06"),
    ("m", "last lipid panel", "answered", ("166 mg/dL", "47 mg/dL", "92 mg/dL", "134 mg/dL"), "ldl-2025-05-27"),
    ("r", "EF", "answered", ("52 %", "2025-09-16"), "ejection-2025-09-16"),
    ("r", "2857-1", "answered", ("<0.1 ng/mL", "2025-08-26"), "psa-2025-08-26"),
    ("r", "highest PSA", "answered", ("7.2 ng/mL", "2016-03-08"), "psa-2016-03-08"),
    ("r", "D-dimer", "answered", ("<0.27 ug/mL",), "d-dimer-2020-02-10"),
    ("r", "highest TSH", "answered", ("7.69 mIU/L", "2022-08-30"), "tsh-2022-08-30"),
    ("l", "peak flow", "answered", ("452 L/min",), "peak-flow-2026-04-13"),
    ("l", "blood type", "answered", ("was O",), "abo-group"),
    ("l", "BMI latest", "answered", ("23.9 kg/m2",), "bmi-2026-04-13"),
    # days, events, windows
    ("m", "BP on 2023-11-08", "answered", ("104/58 mmHg",), "bp-2023-11-08"),
    ("r", "systolic BP on 2026-02-12", "answered", ("121 mmHg",), "bp-2026-02-12"),
    ("r", "potassium closest to 2025-03-10", "answered", ("4.9 mmol/L",), "potassium-2025-03-10"),
    ("m", "weight when CKD stage 4 was diagnosed", "answered", ("81 kg", "2023-12-25"), "weight-2023-12-25"),
    ("r", "TSH when hypothyroidism was diagnosed", "answered", ("7.69 mIU/L",), "tsh-2022-08-30"),
    ("m", "LDL before 2015", "answered", ("110 mg/dL", "2014-11-13"), "ldl-2014-11-13"),
    ("m", "potassium in the last 6 months", "answered", ("4.9 mmol/L", "5.1 mmol/L"), "potassium-2025-12-22"),
    ("m", "glucose or A1c in 2026", "answered", ("144 mg/dL", "7.2 %"), "glucose-2026-04-06"),
    ("m", "highest creatinine during the last admission", "answered", ("2.61 mg/dL",), "creatinine-2023-11-08"),
    ("m", "lowest creatinine since 2020", "answered", ("1.38 mg/dL",), "creatinine-2020-07-24"),
    ("r", "lowest hemoglobin during the last admission", "answered", ("7.4 g/dL",), "hemoglobin-2025-03-10t17"),
    ("r", "creatinine last year", "answered", ("1.16 mg/dL", "1.2 mg/dL"), "creatinine-2025-01-21"),
    ("l", "weight before pregnancy", "answered", ("64.5 kg", "2024-04-08"), "weight-2024-04-08"),
    ("l", "peak flow at the ED visit in January 2023", "answered", ("210 L/min",), "peak-flow-2023-01-17"),
    # computed
    ("m", "how many A1c results", "answered", ("60 Hemoglobin A1c results",), "a1c-2009-03-04"),
    ("m", "how many A1c results in 2018?", "answered", ("4 Hemoglobin A1c results", "in 2018"), "a1c-2018-01-01"),
    ("m", "how many A1c above 8?", "answered", ("15 ", "above 8"), "a1c-2024-07-19"),
    ("m", "A1c per year", "answered", ("2009: 3", "2020: 2", "2026: 1"), "a1c-2020-11-05"),
    ("r", "how many INRs in 2020", "answered", ("16 INR results",), "inr-2020-12-29"),
    ("m", "average A1c in 2019", "answered", ("8.55 %", "4 results"), "a1c-2019-02-20"),
    ("m", "mean systolic blood pressure since 2024", "answered", ("132.1 mmHg", "8 results"), "bp-2024-04-08"),
    ("m", "how much has her A1c changed since 2020", "answered", ("-0.9 %", "8.1", "7.2"), "a1c-2020-07-24"),
    ("r", "weight change during the 2022 admission", "answered", ("-8.7 kg", "97.4", "88.7"), "weight-2022-09-12"),
    ("m", "A1c trend", "answered", ("8.8 %", "7.2 %", "7.1 %", "-1.6 %"), "a1c-2025-12-22"),
    ("r", "NT-proBNP trend", "answered", ("6420", "393", "-6027"), "nt-probnp-2022-09-06"),
    ("l", "PHQ-9 trend", "answered", ("16", "3", "-13"), "phq9-2026-02-10"),
    # yes and no
    ("m", "is her latest A1c higher than the previous one?", "answered", ("Yes:", "7.2 %", "7.1 %"), "a1c-2025-12-22"),
    ("m", "has her creatinine gone up?", "answered", ("No:", "the same as"), "creatinine-2025-12-22"),
    ("m", "glucose above 300 ever?", "answered", ("No:", "216 mg/dL"), "glucose-2009-03-04"),
    ("r", "PSA above 4 ever?", "answered", ("Yes:", "7.2 ng/mL"), "psa-2016-03-08"),
    ("m", "is the potassium normal?", "answered", ("Yes:", "4.9 mmol/L"), "potassium-2026-04-06"),
    ("m", "does she smoke?", "answered", ("No:", "Former smoker"), "tobacco-smoking-status-2025-08-18"),
    # whole parts
    ("r", "abnormal labs in 2025", "answered", ("9.3 g/dL", "460 pg/mL"), "creatinine-2025-07-15"),
    ("r", "vitals", "answered", ("87.2 kg", "121/75 mmHg"), "weight-2026-02-12"),
    ("m", "labs in the last 3 months", "answered", ("139 mmol/L", "2.08 mg/dL"), "sodium-2026-04-06"),
    ("r", "occupation", "answered", ("Carpenter, retired",), "occupation"),
    ("m", "alcohol use", "answered", ("One glass of wine a week",), "alcohol"),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda r: f"{r[0]} {r[1]}")
def test_results_of_the_demo_charts(row: Row, charts: dict[str, Chart]) -> None:
    check(charts, row)


VALUES: tuple[tuple[str, str, object, str | None], ...] = (
    ("m", "last A1c", 7.2, "%"),
    ("m", "when was the last A1c", "2026-04-06", None),
    ("m", "how many A1c results", 60, None),
    ("m", "is her A1c higher than the previous one?", True, None),
    ("r", "last PSA", "<0.1 ng/mL", "ng/mL"),
    ("m", "last BP", "126/73 mmHg", None),
)


@pytest.mark.parametrize(("who", "question", "value", "unit"), VALUES)
def test_the_value_for_programs(who: str, question: str, value: object, unit: str | None, charts: Any) -> None:
    told = ask(charts[who], question).answer.value
    assert told is not None
    assert (told.value, told.unit) == (value, unit)


def test_a_result_entered_in_error_is_no_result(tmp_path: Path) -> None:
    wrong = result("Hemoglobin A1c", "2024-02-01", 16.4, unit="%", code="4548-4", status="entered-in-error")
    chart = made_up(tmp_path, result("Hemoglobin A1c", "2023-01-01", 7.0, unit="%", code="4548-4"), wrong)
    assert "7 %" in ask(chart, "highest A1c").text
    assert "1 Hemoglobin A1c result is" in ask(chart, "how many A1c results").text


def test_only_a_result_in_error_is_told_as_that(tmp_path: Path) -> None:
    chart = made_up(tmp_path, result("Hemoglobin A1c", "2024-02-01", 16.4, unit="%", status="entered-in-error"))
    done = ask(chart, "last A1c?")
    assert "entered in error" in done.text
    assert "16.4" not in done.text


def test_results_after_as_of_are_not_there(tmp_path: Path) -> None:
    chart = made_up(
        tmp_path,
        result("Sodium", "2024-05-30", 139, unit="mmol/L", code="2951-2"),
        result("Sodium", "2024-06-02", 150, unit="mmol/L", code="2951-2"),
    )
    assert "139 mmol/L" in ask(chart, "last sodium").text
    assert "1 Sodium result is" in ask(chart, "how many sodium results").text


def test_a_preliminary_result_is_told_as_preliminary(tmp_path: Path) -> None:
    chart = made_up(tmp_path, result("Sodium", "2024-05-30", 139, unit="mmol/L", code="2951-2", status="preliminary"))
    assert "(preliminary)" in ask(chart, "last sodium").text


def test_units_that_differ_are_compared_in_one(tmp_path: Path) -> None:
    chart = made_up(
        tmp_path,
        result("Hemoglobin", "2023-05-01", 112, unit="g/L", code="718-7"),
        result("Hemoglobin", "2024-05-01", 12.1, unit="g/dL", code="718-7"),
    )
    assert "12.1 g/dL" in ask(chart, "highest hemoglobin").text
    assert "112 g/L" in ask(chart, "lowest hemoglobin").text
    (compared,) = ask(chart, "is the hemoglobin higher than the previous one?").draft.claims
    assert compared.text.startswith("Yes:")


def test_a_bound_is_no_number(tmp_path: Path) -> None:
    below = {"valueQuantity": {"value": 0.1, "comparator": "<", "unit": "ng/mL", "code": "ng/mL"}}
    chart = made_up(
        tmp_path,
        result("Prostate specific antigen", "2023-05-01", 2.0, unit="ng/mL", code="2857-1"),
        result("Prostate specific antigen", "2024-05-01", None, code="2857-1", **below),
    )
    done = ask(chart, "last PSA")
    assert "<0.1 ng/mL" in done.text
    assert done.answer.value is not None
    assert done.answer.value.kind == "text"
    assert ask(chart, "how much has the PSA changed since 2022").answer.status != "answered"


def test_a_result_without_a_value_is_passed_over_and_told_where_it_is_all(tmp_path: Path) -> None:
    absent = {"dataAbsentReason": concept("Not performed", "http://x/data-absent-reason", "not-performed")}
    missing = result("Sodium", "2024-05-30", None, code="2951-2", **absent)
    chart = made_up(tmp_path, result("Sodium", "2023-05-30", 139, unit="mmol/L", code="2951-2"), missing)
    assert "139 mmol/L" in ask(chart, "last sodium").text
    (claim,) = ask(made_up(tmp_path, missing), "last sodium").draft.claims
    assert "has no value" in claim.text


def test_partial_dates_keep_their_precision(tmp_path: Path) -> None:
    chart = made_up(tmp_path, result("Sodium", "2019", 139, unit="mmol/L", code="2951-2"))
    assert "in 2019" in ask(chart, "last sodium").text
    assert ask(chart, "sodium in 2018").answer.status == "not_found"


def test_other_results_of_the_same_time_are_told(tmp_path: Path) -> None:
    at = "2024-05-30T08:00:00+00:00"
    chart = made_up(
        tmp_path,
        result("Sodium", at, 139, unit="mmol/L", code="2951-2", key="o1"),
        result("Sodium", at, 131, unit="mmol/L", code="2951-2", key="o2"),
    )
    told = ask(chart, "last sodium").text
    assert "139" in told
    assert "131" in told


def test_a_newer_result_without_a_value_is_told(tmp_path: Path) -> None:
    chart = made_up(
        tmp_path,
        result("Creatinine", "2024-03-01", 1.4, unit="mg/dL", code="2160-0"),
        result("Creatinine", "2024-04-01", None, code="2160-0", dataAbsentReason={"text": "clotted"}),
    )
    done = ask(chart, "last creatinine")
    assert "1.4 mg/dL on 2024-03-01" in done.text
    assert "has no value on 2024-04-01: clotted" in done.text
    assert done.answer.removed == []


def test_a_mean_leaves_out_what_has_no_exact_number_and_says_so(tmp_path: Path) -> None:
    below = result("Creatinine", "2024-02-01", 0.5, unit="mg/dL", code="2160-0")
    below["valueQuantity"]["comparator"] = "<"
    chart = made_up(
        tmp_path,
        result("Creatinine", "2024-01-01", 1.0, unit="mg/dL", code="2160-0"),
        below,
        result("Creatinine", "2024-03-01", 1.4, unit="mg/dL", code="2160-0"),
    )
    done = ask(chart, "mean creatinine")
    assert "exact results" in done.text
    assert "1.2 mg/dL" in done.text
    assert done.answer.removed == []


def test_since_when_a_measurement_is_taken_is_its_first_result(charts: dict[str, Chart]) -> None:
    asked = replace(ask(charts["m"], "first A1c").ask, op="started")
    done = asyncio.run(Rules().reason(asked, ask(charts["m"], "first A1c").evidence))
    assert done.claims[0].text.startswith("First: Hemoglobin A1c was")
