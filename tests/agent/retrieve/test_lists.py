"""Lists of results: the newest of each, and what is flagged."""

from __future__ import annotations

from pathlib import Path

from tests.agent.asking import ask, made_up, result


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
