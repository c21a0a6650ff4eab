"""`related`: what a record refers to and what refers to it, within the chart and up to today."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.chart import Chart
from tests.agent.asking import Failing, condition, made_up, opened, order, result, store_of, visit
from tests.fhir_tools.tools.benches import bench_of, refused, run, text

MORNING = "Encounter/e-2024-01-02"


def at(encounter: str) -> dict[str, dict[str, str]]:
    return {"encounter": {"reference": encounter}}


def test_a_stay_brings_its_contents_and_they_bring_it(tmp_path: Path) -> None:
    chart = made_up(
        tmp_path,
        visit("Office visit", "2024-01-02T08:00:00Z", "2024-01-02T09:00:00Z"),
        result("Sodium", "2024-01-02", 140, code="2951-2", unit="mmol/L", **at(MORNING)),
        result("Sodium", "2024-03-02", 150, code="2951-2", unit="mmol/L"),
        condition("Gout", "2024-01-02", **at(MORNING)),
    )
    found = run(chart, "related", record=MORNING)
    assert [c.kind for c in found.cards] == ["measurement", "condition"]
    assert "140 mmol/L" in text(found) and "150" not in text(found)
    assert len(found.cards[0].facts) == 2  # "latest" is held against all sodium, not against that of the visit
    back = run(chart, "related", record="Condition/c-gout")
    assert [c.kind for c in back.cards] == ["encounter"]


def test_a_reason_brings_its_orders_and_an_order_its_reason(charts: dict[str, Chart]) -> None:
    record = "Condition/santos-condition-type-2-diabetes-mellitus"
    found = run(charts["m"], "related", record=record, kind="medication")
    assert "taking" in text(found) and "for Type 2 diabetes mellitus" in text(found)
    back = run(charts["m"], "related", record="MedicationRequest/santos-rx-metformin-2009-03-04")
    assert any(c.kind == "condition" for c in back.cards)


def test_a_report_brings_its_results(charts: dict[str, Chart]) -> None:
    found = run(charts["m"], "related", record="DiagnosticReport/santos-report-lipid-panel-2024-04-08")
    assert "Triglycerides 2024-04-08, 160 mg/dL" in text(found)
    back = run(charts["m"], "related", record="Observation/santos-cholesterol-2009-03-04", kind="report")
    assert "Lipid panel 2009-03-04" in text(back)


def test_a_study_brings_the_report_that_names_it(tmp_path: Path) -> None:
    study = {
        "resourceType": "ImagingStudy", "id": "i1", "status": "available", "subject": {"reference": "Patient/p"},
        "started": "2024-01-02T08:00:00Z", "description": "Chest CT",
    }  # fmt: skip
    report = {
        "resourceType": "DiagnosticReport", "id": "r1", "status": "final", "subject": {"reference": "Patient/p"},
        "code": {"text": "CT report"}, "effectiveDateTime": "2024-01-02", "conclusion": "No mass.",
        "imagingStudy": [{"reference": "ImagingStudy/i1"}],
    }  # fmt: skip
    chart = made_up(tmp_path, study, report)
    assert "No mass." in text(run(chart, "related", record="ImagingStudy/i1"))
    assert "Chest CT" in text(run(chart, "related", record="DiagnosticReport/r1"))


def test_links_after_today_in_error_and_to_nowhere_are_left_out(tmp_path: Path) -> None:
    chart = made_up(
        tmp_path,
        visit("Office visit", "2024-01-02T08:00:00Z", "2024-01-02T09:00:00Z"),
        result("Sodium", "2024-07-02", 140, **at(MORNING)),
        result("Potassium", "2024-01-02", 4, **{**at(MORNING), "status": "entered-in-error"}),
        order("Metformin", "2024-01-02", reasonReference=[{"reference": "Condition/none"}]),
    )
    assert "no record refers to" in run(chart, "related", record=MORNING).lines[0]
    assert not run(chart, "related", record="MedicationRequest/m-metformin-2024-01-02").cards


def test_a_mark_is_a_record_and_a_computation_is_none(charts: dict[str, Chart]) -> None:
    bench = bench_of(charts["r"])
    run(bench, "find", what="apixaban")
    assert "Paroxysmal atrial fibrillation" in text(run(bench, "related", record="1", kind="condition"))
    assert "no single record" in refused(bench, "related", record="c1")


def test_a_search_that_fails_is_told(tmp_path: Path) -> None:
    store = store_of(
        tmp_path,
        visit("Office visit", "2024-01-02T08:00:00Z", "2024-01-02T09:00:00Z"),
        result("Sodium", "2024-01-02", 140, **at(MORNING)),
        condition("Gout", "2024-01-02", **at(MORNING)),
    )
    found = run(opened(Failing(store, ("Condition",))), "related", record=MORNING)
    assert "140" in text(found) and not found.complete


@pytest.mark.parametrize("who", ["l", "m", "r"])
def test_every_record_of_the_demo_charts_gives_short_cards(charts: dict[str, Chart], who: str) -> None:
    chart = charts[who]
    bench = bench_of(chart)
    for kind in ("encounter", "report", "medication", "condition", "document", "procedure"):
        for card in run(bench, "find", kind=kind, how="all").cards:
            for mark in [m for m in card.marks if m.fact][:3]:
                found = run(bench, "related", record=mark.id)
                assert found.cards or found.lines
                assert all(len(c.text) <= 1500 for c in found.cards)
