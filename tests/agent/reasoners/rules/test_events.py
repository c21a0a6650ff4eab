"""What rules say of conditions, allergies, vaccines, procedures, visits, reports, images and family."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.chart import Chart
from tests.agent.asking import CVX, ICD, Row, allergy, ask, check, concept, condition, made_up, visit

ROWS: tuple[Row, ...] = (
    # conditions
    ("m", "problem list", "answered", ("Essential hypertension", "Type 2 diabetes mellitus"), "hypertension"),
    ("m", "resolved problems", "answered", ("Acute kidney injury", "2023-11-20"), "acute-kidney-injury"),
    ("m", "any history of CKD?", "answered", ("Yes:", "stage 3a", "stage 4"), "stage-4"),
    ("m", "when was hypertension diagnosed", "answered", ("in 2005-06",), "essential-hypertension"),
    ("m", "onset of type 2 diabetes", "answered", ("2009-03-04",), "type-2-diabetes"),
    ("m", "how old was she when diabetes was diagnosed", "answered", ("50 years",), "type-2-diabetes"),
    ("m", "is diabetes active?", "answered", ("Yes:", "Type 2 diabetes mellitus"), "type-2-diabetes"),
    ("m", "did she have pneumonia?", "answered", ("Yes:", "resolved"), "pneumonia"),
    ("m", "when did the pneumonia resolve", "answered", ("2023-12-04",), "pneumonia"),
    ("m", "E11.9", "answered", ("Type 2 diabetes mellitus",), "type-2-diabetes"),
    ("m", "ICD-10 E11.9", "answered", ("Type 2 diabetes mellitus",), "type-2-diabetes"),
    ("m", "how long has she had diabetes", "answered", ("6312 days",), "type-2-diabetes"),
    ("r", "any hx of CHF", "answered", ("Yes:", "Heart failure with reduced ejection"), "heart-failure"),
    ("r", "when was afib diagnosed", "answered", ("2020-02-10",), "atrial-fibrillation"),
    ("r", "HTN onset", "answered", ("in 2008",), "hypertension"),
    ("r", "how old was he when he was diagnosed with prostate cancer", "answered", ("66 years",), "prostate"),
    ("r", "is hypothyroidism active?", "answered", ("No:", "resolved"), "hypothyroidism"),
    ("r", "any history of PE?", "answered", ("No:", "refuted"), "pulmonary-embolism"),
    ("r", "does he have sleep apnea?", "answered", ("only as unconfirmed",), "sleep-apnea"),
    ("l", "any hx of pneumonia", "answered", ("No:", "refuted"), "pneumonia"),
    ("l", "fibula fracture", "answered", ("2011-07", "2011-10"), "fibula"),
    ("l", "when did the pregnancy end", "answered", ("2025-02-10",), "pregnancy"),
    ("l", "asthma onset", "answered", ("in 2003",), "asthma"),
    # allergies
    ("m", "allergies", "answered", ("Penicillin V", "Lisinopril", "Dry cough"), "penicillin"),
    ("m", "allergic to penicillin?", "answered", ("Yes:", "Hives"), "penicillin"),
    ("m", "penicillin reaction", "answered", ("Hives and facial swelling",), "penicillin"),
    ("r", "allergies", "answered", ("No known allergies",), "no-known-allergy"),
    ("r", "allergic to penicillin?", "answered", ("No:", "No known allergies"), "no-known-allergy"),
    ("l", "allergic to latex?", "answered", ("No:", "refuted"), "latex"),
    ("l", "allergic to peanuts?", "answered", ("Yes:", "Anaphylaxis"), "peanut"),
    ("l", "NSAID allergy?", "answered", ("Yes:", "Ibuprofen"), "ibuprofen"),
    # vaccines
    ("m", "last flu shot", "answered", ("2025-10-10",), "flu-2025-10-10"),
    ("m", "how many flu shots", "answered", ("16 ",), "flu-2010-10-13"),
    ("m", "has she had the shingles vaccine?", "answered", ("Yes:", "2022-11-14"), "zoster-2022-11-14"),
    ("m", "RSV vaccine?", "answered", ("No:", "was not done"), "rsv"),
    ("m", "CVX 216", "answered", ("PCV20", "2024-05-13"), "pcv20"),
    ("r", "vaccines in 2023", "answered", ("2023-11-14", "2023-09-22"), "covid2023"),
    ("l", "MMR", "answered", ("1999-03",), "mmr-1999-03"),
    ("l", "hepatitis B vaccine", "answered", ("in 1995",), "hepb"),
    # procedures, reports, images
    ("m", "when was the colonoscopy", "answered", ("2019-04-26",), "colonoscopy"),
    ("m", "procedures before 2000", "answered", ("cholecystectomy", "in 1998"), "cholecystectomy"),
    ("r", "when was the pacemaker placed", "answered", ("2023-05-16",), "pacemaker"),
    ("r", "EGD date", "answered", ("2025-03-11",), "gastroscopy"),
    ("m", "colonoscopy report", "answered", ("No adenoma",), "report-colonoscopy"),
    ("l", "last Pap", "answered", ("2024-03-19", "Negative"), "cytology-2024-03-19"),
    ("m", "last chest x-ray", "answered", ("2023-12-20",), "chest-x-ray-2-views-2023-12-20"),
    ("m", "what did the chest x-ray show", "answered", ("was reported",), "report-chest-x-ray"),
    ("m", "renal ultrasound findings", "answered", ("No hydronephrosis",), "report-renal-ultrasound"),
    ("r", "chest CT findings", "answered", ("5 mm nodule",), "report-ct-of-the-chest"),
    ("r", "how many echocardiograms", "answered", ("3 ",), "echocardiogram-2022-09-07"),
    ("r", "last CT", "answered", ("2023-09-14",), "ct-of-the-chest"),
    # visits
    ("m", "last visit", "answered", ("2026-04-06",), "visit-2026-04-06"),
    ("m", "previous visit", "answered", ("2025-12-22",), "visit-2025-12-22"),
    ("m", "how many visits in 2024", "answered", ("4 ",), "visit-2024-10-31"),
    ("m", "visits per year", "answered", ("2009: 3", "2023: 6"), "visit-2009-03-04"),
    ("m", "when was the last admission", "answered", ("2023-11-08 to 2023-11-13",), "stay-2023-11-08"),
    ("m", "how long was the last admission", "answered", ("5 days",), "stay-2023-11-08"),
    ("m", "why was she admitted", "answered", ("Community-acquired pneumonia",), "stay-2023-11-08"),
    ("m", "what happened during the last admission", "answered", ("5 days", "Ceftriaxone: last given"), "ceftriaxone"),
    ("r", "how many admissions", "answered", ("2 Hospital admission",), "stay-2022-09-06"),
    ("r", "why was he hospitalized in 2022", "answered", ("heart failure",), "stay-2022-09-06"),
    ("r", "last ED visit", "answered", ("2020-02-10",), "visit-2020-02-10"),
    ("r", "last heart failure clinic visit", "answered", ("2026-02-12",), "visit-2026-02-12"),
    ("l", "prenatal visits count", "answered", ("12 ",), "visit-2024-06-20"),
    ("l", "office visits in 2025", "answered", ("2025-08-12", "2025-04-02"), "visit-2025-06-18"),
    ("m", "last office visit", "answered", ("2023-12-20",), "visit-2023-12-20"),
    # family and the rest of the chart
    ("m", "family history", "answered", ("Sister: Breast cancer", "Father: Myocardial infarction"), "father"),
    ("m", "did her father have a heart attack", "answered", ("Yes: Father",), "father"),
    ("m", "does anyone in the family have breast cancer?", "answered", ("Yes: Sister",), "sister"),
    ("r", "what did his mother have", "answered", ("Stroke", "Atrial fibrillation"), "mother"),
    ("l", "maternal grandmother", "answered", ("Ovarian cancer",), "grandmother"),
    ("m", "care plan", "answered", ("Chronic kidney disease",), "careplan"),
    ("m", "goals", "answered", ("A1c below 7.5 %",), "goal"),
    ("r", "device", "answered", ("Dual chamber pacemaker",), "device"),
    ("m", "referrals", "answered", ("transplant",), "referral"),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda r: f"{r[0]} {r[1]}")
def test_events_of_the_demo_charts(row: Row, charts: dict[str, Chart]) -> None:
    check(charts, row)


def test_a_part_of_many_is_told_as_a_part(charts: dict[str, Chart]) -> None:
    told = ask(charts["m"], "all encounters")
    assert told.answer.claims[0].text.startswith("63 encounters are on record")
    assert told.answer.claims[0].text.endswith("not all of them follow.")
    assert "not all" not in ask(charts["m"], "all procedures").answer.text


def test_active_problems_leave_out_what_is_over(charts: dict[str, Chart]) -> None:
    told = ask(charts["m"], "active problems").text
    assert "Essential hypertension" in told
    assert "pneumonia" not in told
    assert "embolism" not in told


def test_cancelled_and_planned_visits_are_no_visits(charts: dict[str, Chart]) -> None:
    assert "2026-02-12" in ask(charts["r"], "last visit").text
    assert "2025-11-18" not in ask(charts["r"], "visits in 2025").text


def test_a_planned_visit_alone_is_told_as_planned(tmp_path: Path) -> None:
    planned = visit("Dental visit", "2024-08-01T10:00:00Z", "2024-08-01T11:00:00Z", status="planned")
    done = ask(made_up(tmp_path, planned), "last visit")
    assert done.answer.status == "not_found"


def test_a_visit_type_is_not_its_class(tmp_path: Path) -> None:
    """Every dental visit is ambulatory; not every ambulatory visit is a dental one."""
    office = visit("Office visit", "2024-05-01T10:00:00Z", "2024-05-01T11:00:00Z")
    dental = visit("Dental visit", "2024-03-01T10:00:00Z", "2024-03-01T11:00:00Z")
    assert ask(made_up(tmp_path, office), "last dental visit").answer.status == "not_found"
    assert "2024-03-01" in ask(made_up(tmp_path, office, dental), "last dental visit").text
    assert ask(made_up(tmp_path, office), "last ICU stay").answer.status == "not_found"
    assert "2024-05-01" in ask(made_up(tmp_path, office, dental), "last outpatient visit").text


@pytest.mark.parametrize(
    ("label", "question", "status"),
    [
        ("No known allergies", "allergic to peanuts?", "answered"),
        ("No known drug allergies", "allergic to penicillin?", "answered"),
        ("No known drug allergies", "allergic to peanuts?", "not_found"),
    ],
)
def test_no_known_allergies_speak_of_what_they_name(label: str, question: str, status: str, tmp_path: Path) -> None:
    done = ask(made_up(tmp_path, allergy(label)), question)
    assert done.answer.status == status
    assert ("No:" in done.text) == (status == "answered")


def test_an_old_statement_that_there_are_no_allergies_denies_none(tmp_path: Path) -> None:
    done = ask(made_up(tmp_path, allergy("No known allergies", clinical="resolved")), "allergic to penicillin?")
    assert done.answer.status == "not_found"


def test_a_vaccine_that_was_not_given_is_told_as_that(tmp_path: Path) -> None:
    given = {
        "resourceType": "Immunization",
        "id": "i1",
        "status": "completed",
        "patient": {"reference": "Patient/p"},
        "vaccineCode": concept("Tdap", CVX, "115"),
        "occurrenceDateTime": "2019-03-02",
    }
    refused = {**given, "id": "i2", "status": "not-done", "occurrenceDateTime": "2024-03-02"}
    chart = made_up(tmp_path, given, refused)
    assert "2019-03-02" in ask(chart, "last Tdap").text
    assert "was not done" in ask(chart, "Tdap in 2024?").text


def test_a_condition_entered_in_error_is_no_condition(tmp_path: Path) -> None:
    done = ask(made_up(tmp_path, condition("Asthma", "2020", verified="entered-in-error")), "does she have asthma?")
    assert "entered in error" in done.text
    assert "Yes" not in done.text


def test_a_condition_without_a_date_is_told_without_one(tmp_path: Path) -> None:
    done = ask(made_up(tmp_path, condition("Asthma", "")), "when was asthma diagnosed?")
    assert "without a date" in done.draft.claims[0].text


def test_a_label_keeps_its_commas(tmp_path: Path) -> None:
    done = ask(made_up(tmp_path, allergy("1,4-dioxane")), "allergies")
    assert "1,4-dioxane is recorded" in done.draft.claims[0].text


def test_events_in_order_are_told_with_both_dates(tmp_path: Path) -> None:
    first = condition("Hypertension", "2010-02-03", code=concept("Hypertension", ICD, "I10"))
    then = condition("Asthma", "2015-04-05", code=concept("Asthma", ICD, "J45.909"))
    (claim,) = ask(made_up(tmp_path, first, then), "was hypertension diagnosed before asthma?").draft.claims
    assert claim.text.startswith("Yes:")
    assert "2010-02-03" in claim.text
    assert "2015-04-05" in claim.text
