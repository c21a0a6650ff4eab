"""Lists of results: the newest of each, and what is flagged."""

from __future__ import annotations

from pathlib import Path

from tests.agent.asking import ask, condition, made_up, result, visit


def test_without_flags_nothing_is_told_as_normal(tmp_path: Path) -> None:
    chart = made_up(tmp_path, result("Creatinine", "2024-03-01", 1.4, unit="mg/dL", code="2160-0"))
    done = ask(chart, "any abnormal labs?")
    assert done.answer.status == "incomplete"
    assert any("no flags" in w for w in done.answer.warnings)


def test_an_analyte_that_is_normal_by_now_is_not_listed_as_abnormal(tmp_path: Path) -> None:
    high, normal = ({"interpretation": [{"coding": [{"code": code}]}]} for code in ("H", "N"))
    chart = made_up(
        tmp_path,
        result("Potassium", "2023-03-01", 5.9, unit="mmol/L", code="2823-3", **high),
        result("Potassium", "2024-03-01", 4.4, unit="mmol/L", code="2823-3", **normal),
        result("Creatinine", "2024-03-01", 1.9, unit="mg/dL", code="2160-0", **high),
    )
    assert "Potassium" not in ask(chart, "any abnormal labs?").text
    assert "Potassium was 5.9" in ask(chart, "abnormal labs in 2023").text


def test_results_at_an_event_are_those_nearest_to_it_not_the_latest(tmp_path: Path) -> None:
    chart = made_up(
        tmp_path,
        result("Potassium", "2023-03-01", 5.1, unit="mmol/L", code="2823-3"),
        result("Potassium", "2024-03-01", 4.4, unit="mmol/L", code="2823-3"),
        {
            "resourceType": "Procedure",
            "id": "op",
            "status": "completed",
            "code": {"text": "Appendectomy"},
            "subject": {"reference": "Patient/p"},
            "performedDateTime": "2023-03-04",
        },
    )
    told = ask(chart, "labs when the appendectomy was performed").text
    assert "5.1 mmol/L" in told
    assert "4.4" not in told


def test_what_tells_its_day_alone_is_within_the_stay_that_begins_on_that_day(tmp_path: Path) -> None:
    stay = visit("Hospital admission", "2024-03-10T10:15:00-04:00", "2024-03-15T10:15:00-04:00", class_="IMP")
    chart = made_up(tmp_path, stay, condition("Gastric ulcer", "2024-03-10"))
    assert "Gastric ulcer" in ask(chart, "conditions diagnosed during the last admission").text
