"""What rules say of drugs: taking, start, dose, what for, why stopped, how often."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.chart import Chart
from tests.agent.asking import Row, ask, check, condition, made_up, order, visit

ROWS: tuple[Row, ...] = (
    ("m", "still on metformin?", "answered", ("No:", "stopped"), "metformin-2021-05-17"),
    ("m", "is she on lisinopril?", "answered", ("No:", "stopped"), "lisinopril-2009-03-04"),
    ("m", "is she on insulin?", "answered", ("Yes:", "Insulin glargine"), "insulin-2026-01-12"),
    ("m", "why was lisinopril stopped", "answered", ("Dry cough",), "lisinopril-2009-03-04"),
    ("m", "when did we start Losartan?", "answered", ("2011-10-11",), "losartan-2011-10-11"),
    ("m", "last order of atorvastatin", "answered", ("2026-01-12",), "atorvastatin-2026-01-12"),
    ("m", "dose of metformin", "answered", ("500 mg by mouth twice a day",), "metformin-2021-05-17"),
    ("m", "what is atorvastatin for?", "answered", ("Mixed hyperlipidemia",), "atorvastatin-2026-01-12"),
    ("m", "any statins?", "answered", ("Yes:", "Atorvastatin"), "atorvastatin-2026-01-12"),
    ("m", "Lipitor", "answered", ("Yes:", "Atorvastatin"), "atorvastatin-2026-01-12"),
    ("m", "any ACE inhibitors ever?", "answered", ("Yes:", "Lisinopril"), "lisinopril-2009-03-04"),
    ("m", "on a blood thinner?", "answered", ("No: Heparin",), "heparin-2023-11-08"),
    ("m", "was she given ceftriaxone", "answered", ("Yes:", "2023-11-08", "2023-11-11"), "ceftriaxone-2023-11-10"),
    ("m", "how many times was ceftriaxone given", "answered", ("4 times",), "ceftriaxone-2023-11-08"),
    ("m", "meds started at the last admission", "answered", ("Azithromycin: last given",), "azithromycin-2023-11-11"),
    ("m", "what was given during the admission", "answered", ("Ceftriaxone: last given",), "ceftriaxone"),
    ("m", "meds before 2010", "answered", ("Atorvastatin 20", "Lisinopril 10", "Metformin 500"), "metformin-2009"),
    ("m", "current meds", "answered", ("Amlodipine 5 MG", "Atorvastatin 40 MG"), "amlodipine-2026-01-12"),
    ("m", "metformin and insulin", "answered", ("No: Metformin", "Yes: Insulin"), "insulin-2026-01-12"),
    ("r", "still on metoprolol?", "answered", ("Yes:", "2026-01-12"), "rx-24-2026-01-12"),
    ("r", "when did we start Eliquis?", "answered", ("2021-06-15",), "apixaban-2021-06-15"),
    ("r", "on a blood thinner?", "answered", ("Yes: Apixaban",), "apixaban-2025-03-24"),
    ("r", "why was apixaban stopped", "answered", ("Gastric bleeding",), "apixaban-2021-06-15"),
    ("r", "how many times was apixaban dispensed", "answered", ("dispensed 21 times",), "apixaban-2026-03-19"),
    ("r", "any beta blockers?", "answered", ("Yes:", "Metoprolol"), "rx-24-2026-01-12"),
    ("r", "any NSAIDs?", "answered", ("No: Naproxen",), "naproxen"),
    ("r", "Coumadin", "answered", ("No: Warfarin",), "warfarin-2020-02-10"),
    ("r", "levothyroxine dose", "answered", ("50 mcg by mouth every morning",), "levothyroxine-2022-06-14"),
    (
        "r",
        "furosemide during the 2022 admission",
        "answered",
        ("Injection was ordered on 2022-09-06",),
        "furosemide-2022-09-06",
    ),
    ("r", "pantoprazole indication", "answered", ("Gastric ulcer with bleeding",), "pantoprazole-2025-03-15"),
    ("l", "zoloft?", "answered", ("Yes: Sertraline",), "sertraline-2026-01-12"),
    ("l", "birth control", "answered", ("No: Ethinyl estradiol",), "ethinyl-2016-01-19"),
    ("l", "why was sumatriptan stopped", "answered", ("Pregnancy",), "sumatriptan-2015-11-02"),
    ("l", "inhalers", "answered", ("Albuterol", "Budesonide"), "albuterol-2026-01-12"),
    ("l", "Symbicort dose", "answered", ("two puffs twice a day",), "budesonide-2026-01-12"),
    ("l", "iron", "answered", ("No: Ferrous sulfate",), "ferrous-2024-12-05"),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda r: f"{r[0]} {r[1]}")
def test_drugs_of_the_demo_charts(row: Row, charts: dict[str, Chart]) -> None:
    check(charts, row)


def test_how_often_is_not_told_where_no_record_says(charts: dict[str, Chart]) -> None:
    """Two orders are not two dispenses."""
    assert ask(charts["r"], "how many times was metoprolol dispensed").answer.status == "refused"


@pytest.mark.parametrize(
    ("status", "taken"),
    [("active", True), ("stopped", False), ("on-hold", False), ("completed", False), ("cancelled", False)],
)
def test_taking_follows_the_status(status: str, taken: bool, tmp_path: Path) -> None:
    done = ask(made_up(tmp_path, order("Warfarin 5 MG Oral Tablet", "2024-03-01", status=status)), "on warfarin?")
    (claim,) = done.draft.claims
    assert claim.text.startswith("Yes:" if taken else "No:") or status == "cancelled"
    assert "listed active" not in claim.text or taken


def test_an_order_with_an_end_is_over_after_it(tmp_path: Path) -> None:
    timing = {"repeat": {"boundsPeriod": {"start": "2024-03-01", "end": "2024-03-08"}}}
    course = order("Amoxicillin 500 MG Oral Capsule", "2024-03-01", dosageInstruction=[{"timing": timing}])
    done = ask(made_up(tmp_path, course), "still on amoxicillin?")
    assert "No:" in done.text
    assert "2024-03-08" in ask(made_up(tmp_path, course), "when did amoxicillin end").text


def test_an_inpatient_order_ends_with_the_stay(tmp_path: Path) -> None:
    stay = visit("Hospital admission", "2024-03-01T10:00:00Z", "2024-03-05T10:00:00Z", class_="IMP")
    inpatient = order(
        "Heparin 5000 UNT Injection",
        "2024-03-01",
        category=[{"coding": [{"code": "inpatient"}]}],
        encounter={"reference": f"Encounter/{stay['id']}"},
    )
    assert "the stay is over" in ask(made_up(tmp_path, stay, inpatient), "on heparin?").draft.claims[0].text


def test_an_order_after_as_of_is_not_there(tmp_path: Path) -> None:
    assert ask(made_up(tmp_path, order("Warfarin", "2024-07-01")), "on warfarin?").answer.status == "not_found"


def test_what_drugs_were_ordered_for(tmp_path: Path) -> None:
    asthma = condition("Asthma", "2020-01-01")
    treats = order("Albuterol Inhaler", "2024-01-02", reasonReference=[{"reference": "Condition/c-asthma"}])
    other = order("Lisinopril 10 MG Oral Tablet", "2024-01-02")
    done = ask(made_up(tmp_path, asthma, treats, other), "which medications were ordered for asthma?")
    assert "Albuterol" in done.text
    assert "Lisinopril" not in done.text


def test_a_drug_named_only_by_its_resource_is_found(tmp_path: Path) -> None:
    drug = {"resourceType": "Medication", "id": "d1", "code": {"text": "Warfarin 5 MG Oral Tablet"}}
    by_reference = order("x", "2024-03-01", medicationReference={"reference": "Medication/d1"})
    del by_reference["medicationCodeableConcept"]
    assert "Yes: Warfarin" in ask(made_up(tmp_path, drug, by_reference), "on warfarin?").text
