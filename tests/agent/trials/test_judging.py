"""Checks held against made-up charts: what is met, not met and unknown, and on what it rests."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from agent.chart import Chart
from agent.trials.screening import screen
from agent.trials.types import Screened, Verdict
from tests.agent.asking import made_up, opened, store_of
from tests.agent.faulty import Plain
from tests.agent.trials.protocols import condition, criterion, order, result

A1C = ("4548-4", "Hemoglobin A1c")


def judged(chart: Chart, text: str, section: Any = "inclusion") -> Verdict:
    """The verdict on one statement."""
    return screened(chart, (text, section)).verdicts[0]


def screened(chart: Chart, *statements: tuple[str, Any]) -> Screened:
    criteria = [criterion(text, section, n) for n, (text, section) in enumerate(statements, 1)]
    return asyncio.run(screen("T", criteria, chart))


def cited(verdict: Verdict) -> list[str]:
    return [c.reference for c in verdict.citations if c.reference]


@pytest.fixture
def chart(tmp_path: Path) -> Chart:
    return made_up(
        tmp_path,
        condition("1", "Hypertension", "2010-02-03"),
        condition("2", "Asthma", "2001-01-01", clinical="resolved", abatementDateTime="2005-01-01"),
        condition("3", "Pulmonary embolism", "2020-01-01", verification="refuted"),
        condition("4", "History of myocardial infarction (situation)", "2015-05-05"),
        condition("5", "Chronic intractable migraine without aura", "2012"),
        condition("6", "Osteoarthritis of knee", "2024"),
        order("1", "Metformin 500 MG Oral Tablet", "2023-01-10"),
        order("2", "Simvastatin 20 MG Oral Tablet", "2020-01-10", "stopped"),
        order("3", "Warfarin Sodium 5 MG Oral Tablet", "2024-05-20"),
        result("1", *A1C, 8.1, "%", "2023-09-01"),
        result("2", *A1C, 6.9, "%", "2024-04-01"),
        result("3", "2823-3", "Potassium", 4.8, "mmol/L", "2024-01-01"),
        result(
            "4",
            "1742-6",
            "ALT",
            130,
            "U/L",
            "2024-01-01",
            referenceRange=[{"low": {"value": 7}, "high": {"value": 40}}],
        ),
        result("5", "33914-3", "eGFR", 55, "mL/min/{1.73_m2}", "2019-01-01"),
    )


@pytest.mark.parametrize(
    ("text", "verdict", "reference"),
    [
        ("Age 18 to 75 years", "met", "Patient/p"),
        ("Age over 64", "not_met", "Patient/p"),
        ("Male", "not_met", "Patient/p"),
        ("Documented hypertension", "met", "Condition/1"),
        ("Active asthma", "not_met", "Condition/2"),
        ("History of asthma", "met", "Condition/2"),
        ("Pulmonary embolism", "not_met", "Condition/3"),
        ("History of myocardial infarction", "met", "Condition/4"),
        ("Active myocardial infarction", "not_met", ""),
        ("Chronic intractable migraine", "met", "Condition/5"),
        ("Migraine within 1 year", "not_met", "Condition/5"),
        ("Osteoarthritis within 3 months", "unknown", "Condition/6"),
        ("Osteoarthritis of the hip", "not_met", ""),
        ("Currently taking metformin", "met", "MedicationRequest/1"),
        ("Metformin for at least 12 months", "met", "MedicationRequest/1"),
        ("Warfarin for at least 3 months", "not_met", "MedicationRequest/3"),
        ("Currently on a statin", "not_met", "MedicationRequest/2"),
        ("Prior use of a statin", "met", "MedicationRequest/2"),
        ("Statin use within 6 months", "not_met", "MedicationRequest/2"),
        ("HbA1c ≥ 7.0 %", "not_met", "Observation/2"),
        ("HbA1c ≥ 6.5 % and < 7 % within 6 months", "met", "Observation/2"),
        ("eGFR > 50 mL/min/1.73 m2 within 1 year", "unknown", "Observation/5"),
        ("LDL > 100 mg/dL", "unknown", ""),
        ("Potassium < 5.0 mEq/L", "met", "Observation/3"),
        ("ALT > 3 x ULN", "met", "Observation/4"),
        ("ALT > 4 x ULN", "not_met", "Observation/4"),
        ("Potassium > 3 x ULN", "unknown", "Observation/3"),
        ("Severe hypertension", "unknown", "Condition/1"),
        ("Severe pneumonia", "not_met", ""),
        ("Recent hypertension", "unknown", "Condition/1"),
        ("Zorblax syndrome", "unknown", ""),
        ("Able to give written informed consent", "unknown", ""),
        ("Current smoker", "unknown", ""),
        ("Not pregnant", "met", ""),
    ],
)
def test_verdicts(chart: Chart, text: str, verdict: str, reference: str) -> None:
    found = judged(chart, text)
    assert found.verdict == verdict, found.reason
    if reference:
        assert reference in cited(found), found
    assert (found.missing != "") == (verdict == "unknown")


def test_an_absence_is_told_as_not_documented_with_its_searches(chart: Chart) -> None:
    found = judged(chart, "History of stroke", "exclusion")
    assert (found.verdict, found.documented) == ("not_met", False)
    assert "not documented" in found.reason
    assert [c.path for c in found.citations] and all(s.complete for s in found.searched)


def test_a_missing_result_says_what_to_order(chart: Chart) -> None:
    assert judged(chart, "eGFR > 50 within 1 year").missing == "no eGFR since 2019-01-01: order or find one"
    assert judged(chart, "LDL > 100 mg/dL").missing == "a result of LDL: order or find one"


def test_a_day_is_told_on_which_time_alone_may_change_the_verdict(chart: Chart) -> None:
    assert judged(chart, "Age 18 to 64 years").until == "2025-05-01"
    assert judged(chart, "HbA1c < 7 % within 6 months").until == "2024-10-02"
    assert judged(chart, "History of asthma").until is None


def test_who_passes_exclusions_only_by_absence_is_possibly_eligible(chart: Chart) -> None:
    found = screened(chart, ("Documented hypertension", "inclusion"), ("History of stroke", "exclusion"))
    assert (found.outcome, found.open) == ("possibly eligible", (2,))


def test_who_is_settled_by_records_alone_is_eligible(chart: Chart) -> None:
    found = screened(chart, ("Documented hypertension", "inclusion"), ("HbA1c > 8 %", "exclusion"))
    assert (found.outcome, found.open) == ("eligible", ())


def test_an_exclusion_names_its_reason(chart: Chart) -> None:
    found = screened(chart, ("Documented hypertension", "exclusion"), ("LDL > 100", "inclusion"))
    assert found.outcome == "excluded" and found.why.startswith("exclusion met: Documented hypertension")


def test_who_has_died_is_excluded(tmp_path: Path) -> None:
    dead = made_up(tmp_path, condition("1", "Hypertension", "2010-02-03"), deceasedDateTime="2023-01-01")
    assert screened(dead, ("Documented hypertension", "inclusion")).why == "died 2023-01-01"


def test_what_could_not_all_be_read_is_never_an_absence(tmp_path: Path) -> None:
    class Cut(Plain):
        async def search(self, query: Any) -> Any:
            found = await super().search(query)
            from dataclasses import replace

            cut = query.type in ("Condition", "Observation")
            return replace(found, complete=False, error="page limit") if cut else found

    resources = (result("1", *A1C, 6, "%", "2024-01-01"), condition("1", "Hypertension", "2010-02-03"))
    chart = opened(Cut(store_of(tmp_path, *resources)), as_of=date(2024, 6, 1))
    for text in ("History of stroke", "HbA1c > 5 %", "Hypertension within 1 year", "No history of stroke"):
        found = judged(chart, text, "exclusion")
        assert found.verdict == "unknown" and "not all" in found.reason.lower()
        assert any(not s.complete for s in found.searched)
    assert judged(chart, "Documented hypertension").verdict == "met"


def test_an_uncoded_entry_that_could_hide_it_makes_an_absence_unknown(tmp_path: Path) -> None:
    odd = {"resourceType": "Condition", "id": "9", "subject": {"reference": "Patient/p"}, "onsetDateTime": "2020-01-01"}
    assert judged(made_up(tmp_path, odd), "History of stroke", "exclusion").verdict == "unknown"


def test_a_known_absence_of_allergies_is_documented(tmp_path: Path) -> None:
    none = {
        "resourceType": "AllergyIntolerance", "id": "1", "patient": {"reference": "Patient/p"},
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "code": {"text": "No known allergy", "coding": [{"system": "http://snomed.info/sct", "code": "716186003"}]},
    }  # fmt: skip
    found = judged(made_up(tmp_path, none), "Known allergy to penicillin", "exclusion")
    assert (found.verdict, found.documented, cited(found)) == ("not_met", True, ["AllergyIntolerance/1"])


def test_a_partial_birth_date_that_leaves_it_open_is_unknown(tmp_path: Path) -> None:
    chart = made_up(tmp_path, birthDate="2006")
    assert judged(chart, "Age 18 years or older").verdict == "unknown"
    assert judged(chart, "Age 17 years or older").verdict == "met"


@pytest.mark.parametrize(("onset", "verdict"), [("2024-03-01", "met"), ("2022-01-01", "unknown")])
def test_pregnancy_ends(tmp_path: Path, onset: str, verdict: str) -> None:
    chart = made_up(tmp_path, condition("1", "Normal pregnancy", onset))
    assert judged(chart, "Pregnant", "exclusion").verdict == verdict


def test_a_man_is_not_pregnant(tmp_path: Path) -> None:
    found = judged(made_up(tmp_path, gender="male"), "Pregnant women", "exclusion")
    assert (found.verdict, found.documented) == ("not_met", True)


@pytest.mark.parametrize(
    ("said", "text", "verdict"),
    [
        ("Never smoker", "Current smoker", "not_met"),
        ("Former smoker", "History of smoking", "met"),
        ("Smokes tobacco daily", "Current tobacco use", "met"),
        ("Former smoker", "Non-smoker", "met"),
    ],
)
def test_smoking(tmp_path: Path, said: str, text: str, verdict: str) -> None:
    status = {
        "resourceType": "Observation", "id": "1", "status": "final", "effectiveDateTime": "2024-01-01",
        "category": [{"coding": [{"code": "social-history"}]}], "subject": {"reference": "Patient/p"},
        "code": {"text": "Tobacco smoking status", "coding": [{"system": "http://loinc.org", "code": "72166-2"}]},
        "valueCodeableConcept": {"text": said},
    }  # fmt: skip
    assert judged(made_up(tmp_path, status), text).verdict == verdict


def test_a_bounded_result_is_told_only_where_it_decides(tmp_path: Path) -> None:
    low = result("1", *A1C, 4.0, "%", "2024-01-01")
    low["valueQuantity"]["comparator"] = "<"
    chart = made_up(tmp_path, low)
    assert judged(chart, "HbA1c ≥ 5.0 %").verdict == "not_met"
    assert judged(chart, "HbA1c < 3.0 %").verdict == "unknown"
    assert judged(chart, "HbA1c < 4.0 %").verdict == "met"


def test_results_of_one_moment_that_disagree_are_unknown(tmp_path: Path) -> None:
    chart = made_up(
        tmp_path,
        result("1", *A1C, 6.0, "%", "2024-01-01T08:00:00Z"),
        result("2", *A1C, 8.0, "%", "2024-01-01T08:00:00Z"),
    )
    assert judged(chart, "HbA1c > 7 %").verdict == "unknown"
    assert set(cited(judged(chart, "HbA1c > 5 %"))) == {"Observation/1", "Observation/2"}


@pytest.fixture
def odd(tmp_path: Path) -> Chart:
    """Events that repeat, a cream, an operation, a disease without its stage."""
    return made_up(
        tmp_path,
        *(condition(f"s{n}", "Viral sinusitis", f"{m}-01") for n, m in enumerate(("2023-08", "2024-02", "2024-04"))),
        condition("k", "Chronic kidney disease", "2015-01-01"),
        condition("m", "Migraine without aura", "2012-01-01"),
        order("1", "Hydrocortisone 10 MG/ML Topical Cream", "2024-01-10"),
        {
            "resourceType": "Procedure", "id": "o", "status": "completed", "code": {"text": "Hip replacement"},
            "subject": {"reference": "Patient/p"}, "performedDateTime": "2024-05-01",
        },
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "verdict", "reference"),
    [
        ("Three or more episodes of sinusitis within 12 months", "met", "Condition/s0"),
        ("More than three episodes of sinusitis", "not_met", "Condition/s2"),
        ("At least two episodes of sinusitis in the past 3 months", "not_met", "Condition/s2"),
        ("No more than two episodes of sinusitis in the past year", "not_met", "Condition/s0"),
        ("Chronic kidney disease stage 3 or 4", "unknown", "Condition/k"),
        ("Migraine with aura", "unknown", ""),
        ("Use of topical corticosteroids", "met", "MedicationRequest/1"),
        ("Use of systemic corticosteroids", "not_met", ""),
        ("Major surgery within 3 months", "unknown", "Procedure/o"),
        ("Major surgery within 2 weeks", "not_met", "Procedure/o"),
    ],
)
def test_counts_routes_stages_and_operations(odd: Chart, text: str, verdict: str, reference: str) -> None:
    found = judged(odd, text, "exclusion")
    assert found.verdict == verdict, found.reason
    if reference:
        assert reference in cited(found), found


SHOT = {
    "resourceType": "Immunization",
    "id": "i1",
    "status": "completed",
    "vaccineCode": {"text": "Hep B, adult", "coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": "43"}]},
    "patient": {"reference": "Patient/p"},
    "occurrenceDateTime": "2024-05-20",
}


def test_a_vaccine_without_a_name_is_any(tmp_path: Path) -> None:
    given = made_up(tmp_path, SHOT)
    assert judged(given, "Any vaccination within 30 days before screening", "exclusion").verdict == "met"
    assert judged(given, "Any vaccination within 7 days before screening", "exclusion").verdict == "not_met"
    assert judged(given, "Receipt of a live vaccine within 30 days before screening", "exclusion").verdict == "unknown"
    none = made_up(tmp_path)
    assert judged(none, "Any vaccination within 30 days before screening", "exclusion").verdict == "not_met"


@pytest.mark.parametrize(
    ("person", "word"),
    [
        ({"birthDate": "1960-05-01"}, "unknown"),
        ({"birthDate": "1995-05-01"}, "not_met"),
        ({"birthDate": "1960-05-01", "gender": "male"}, "not_met"),
    ],
)
def test_a_silent_chart_says_nothing_of_menopause(tmp_path: Path, person: Any, word: str) -> None:
    assert judged(made_up(tmp_path, **person), "Postmenopausal women").verdict == word


def test_what_may_be_meant_but_was_at_another_time_is_not(tmp_path: Path) -> None:
    old = made_up(tmp_path, condition("1", "Stroke", "2015-03-01"))
    assert judged(old, "Ischemic stroke within 30 days", "exclusion").verdict == "not_met"
    new = made_up(tmp_path, condition("1", "Stroke", "2024-05-20"))
    assert judged(new, "Ischemic stroke within 30 days", "exclusion").verdict == "unknown"


STAY = {
    "resourceType": "Encounter",
    "id": "e1",
    "status": "finished",
    "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
    "subject": {"reference": "Patient/p"},
    "period": {"start": "2024-04-01", "end": "2024-04-05"},
}


def test_a_stay_for_what_the_chart_does_not_hold_was_for_something_else(tmp_path: Path) -> None:
    text = "Hospitalization for pneumonia within 6 months"
    assert judged(made_up(tmp_path, STAY), text, "exclusion").verdict == "not_met"
    both = made_up(tmp_path, STAY, condition("1", "Pneumonia", "2024-04-01"))
    assert judged(both, text, "exclusion").verdict == "unknown"


def test_drug_abuse_is_no_tobacco(tmp_path: Path) -> None:
    smokes = made_up(tmp_path, condition("1", "Nicotine dependence, cigarettes", "2020-01-01"))
    assert judged(smokes, "Drug or alcohol abuse", "exclusion").verdict != "met"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Documented hemoglobin A1c within 6 months", "met"),
        ("Documented hemoglobin A1c within 2 weeks", "not_met"),
        ("No documented hemoglobin A1c within 2 weeks", "met"),
        ("Documented ferritin within 6 months", "not_met"),
        ("Chronic migraine", "met"),
        ("Chronic use of warfarin", "met"),
        ("Hypertension (chronic)", "met"),
    ],
)
def test_results_that_are_there_and_what_has_gone_on_for_long(chart: Chart, text: str, verdict: str) -> None:
    assert judged(chart, text).verdict == verdict


def test_a_new_disease_is_not_yet_chronic(tmp_path: Path) -> None:
    chart = made_up(tmp_path, condition("1", "Diarrhea", "2024-05-20"))
    assert judged(chart, "Chronic diarrhea").verdict == "unknown"
    assert judged(chart, "Diarrhea").verdict == "met"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Coronary revascularization", "met"),
        ("Cardiac surgery", "met"),
        ("Cardiovascular surgery", "met"),
        ("Spinal surgery", "not_met"),
        ("Endoscopy within 6 months", "met"),
        ("Cystoscopy", "not_met"),
    ],
)
def test_procedures_have_broader_ones(tmp_path: Path, text: str, verdict: str) -> None:
    def procedure(id_: str, label: str, day: str) -> dict[str, Any]:
        return {
            "resourceType": "Procedure", "id": id_, "status": "completed", "performedDateTime": day,
            "code": {"text": label}, "subject": {"reference": "Patient/p"},
        }  # fmt: skip

    chart = made_up(
        tmp_path,
        procedure("1", "Coronary artery bypass graft", "2020-02-02"),
        procedure("2", "Colonoscopy", "2024-03-03"),
    )
    assert judged(chart, text).verdict == verdict


def test_a_place_or_a_way_that_the_record_tells_in_other_words_is_no_doubt(tmp_path: Path) -> None:
    dosage = [{"route": {"text": "IV"}}]
    kept = made_up(
        tmp_path,
        condition("1", "Cyst of kidney", "2020-01-01"),
        order("1", "Ceftriaxone", "2024-05-30", dosageInstruction=dosage),
    )
    assert judged(kept, "Renal cyst").verdict == "met"
    assert judged(kept, "Intravenous antibiotics within 30 days").verdict == "met"
    assert judged(kept, "Oral antibiotics within 30 days").verdict == "unknown"
