"""Maria Santos: type 2 diabetes since 2009, kidney disease that ended her metformin, one pneumonia."""

from __future__ import annotations

from datetime import date

from tools.demo_charts.chart import Chart, concept
from tools.demo_charts.routine import (
    allergy,
    measure_all,
    orders,
    read_courses,
    relative,
    renal,
    smoking,
    social,
    visit_days,
    vitals,
)
from tools.demo_charts.santos_stays import pneumonia_stay

__all__ = ["santos"]

BIRTH, HEIGHT = "1958-04-17", 159.0

COURSES = read_courses(
    "santos",
    """
    a1c ±0.15 2009-03-01=8.9 2010-03-01=7.1 2015-01-01=7.4 2019-06-01=8.6 2021-06-01=7.9 2023-12-01=7.4 2024-05-01=8.8 2025-02-01=7.6 2026-06-01=7.1
    glucose ±14 2009-03-01=212 2010-03-01=148 2019-06-01=183 2023-12-01=151 2024-05-01=204 2026-06-01=138
    creatinine ±0.04 2009-03-01=0.84 2014-01-01=0.93 2018-02-01=1.16 2021-05-01=1.44 2024-02-01=1.94 2026-06-01=2.12
    bun ±2 2009-03-01=15 2018-02-01=21 2026-06-01=39
    sodium ±1.8 2009-03-01=139
    potassium ±0.25 2009-03-01=4.2 2021-05-01=4.6 2026-06-01=5
    bicarbonate ±1.2 2009-03-01=26 2026-06-01=21.5
    uacr ±12 2010-03-01=22 2016-03-01=64 2021-05-01=310 2024-02-01=420 2026-06-01=265
    cholesterol ±9 2009-03-01=241 2010-06-01=178 2026-06-01=158
    hdl ±3 2009-03-01=39 2026-06-01=46
    triglycerides ±25 2009-03-01=244 2012-01-01=168 2026-06-01=141
    hemoglobin ±0.3 2009-03-01=13.4 2021-05-01=12 2026-06-01=10.7
    wbc ±0.9 2009-03-01=7.1
    platelets ±24 2009-03-01=248
    systolic ±6 2009-03-01=148 2012-01-01=134 2019-06-01=142 2026-06-01=131
    diastolic ±4 2009-03-01=90 2012-01-01=80 2026-06-01=74
    pulse ±6 2009-03-01=76
    weight ±0.7 2009-03-01=86.5 2013-01-01=82 2021-05-01=84.6 2026-06-01=76.8
""",
)
"""How her values run; weight in kg, the rest in the unit that `codes` names."""

ORDERS = """
    Metformin 500 MG Oral Tablet | 861007 | 2009-03-04/2013-01-15 | 500 mg by mouth twice a day | stopped | diabetes | Dose increased
    Metformin 1000 MG Oral Tablet | 861004 | 2013-01-15/2021-05-17 | 1000 mg by mouth twice a day | stopped | diabetes | Dose reduced for kidney function
    Metformin 500 MG Oral Tablet | 861007 | 2021-05-17/2024-02-12 | 500 mg by mouth twice a day | stopped | diabetes | eGFR below 30 mL/min/1.73 m2
    Lisinopril 10 MG Oral Tablet | 314076 | 2009-03-04/2011-10-11 | 10 mg by mouth once a day | stopped | hypertension | Dry cough
    Losartan 50 MG Oral Tablet | 52175 losartan | 2011-10-11/2016-03-07 | 50 mg by mouth once a day | stopped | hypertension | Dose increased
    Losartan 100 MG Oral Tablet | 52175 losartan | 2016-03-07 | 100 mg by mouth once a day | renewed | hypertension
    Amlodipine 5 MG Oral Tablet | 197361 | 2019-06-10 | 5 mg by mouth once a day | renewed | hypertension
    Atorvastatin 20 MG Oral Tablet | 617310 | 2009-03-04/2019-06-10 | 20 mg by mouth at bedtime | stopped | lipids | Dose increased
    Atorvastatin 40 MG Oral Tablet | 617311 | 2019-06-10 | 40 mg by mouth at bedtime | renewed | lipids
    Empagliflozin 10 MG Oral Tablet [Jardiance] | 1545653 empagliflozin | 2021-05-17 | 10 mg by mouth every morning | renewed | diabetes
    Insulin glargine 100 UNT/ML Pen Injector | 274783 insulin glargine | 2024-05-13 | 14 units under the skin at bedtime | renewed | diabetes
"""
"""Drug | RxNorm | ordered on, or from/to | dosage | status | for | why it ended."""


def santos() -> Chart:
    """The whole chart."""
    chart = Chart(
        "santos",
        {
            "identifier": [{"system": "urn:chartline:demo:mrn", "value": "D-10031"}],
            "name": [{"use": "official", "family": "Santos", "given": ["Maria", "Elena"]}],
            "gender": "female",
            "birthDate": BIRTH,
            "maritalStatus": {"text": "Married"},
            "communication": [{"language": {"text": "Portuguese"}, "preferred": True}],
        },
    )
    chart.resources[0]["id"], chart.patient = "demo-maria-santos", "Patient/demo-maria-santos"
    doctor = chart.staff("Ifeoma Okafor", "MD", "okafor")
    kidney = chart.staff("Lars Lindqvist", "MD", "lindqvist")
    chart.place("Willow Creek Family Medicine", "clinic")
    problems = _problems(chart)
    _background(chart)
    _visits(chart, doctor, problems)
    _drugs(chart, doctor, kidney, problems)
    _outliers(chart)
    pneumonia_stay(chart, doctor)
    _kidney(chart, kidney, problems)
    _ahead(chart, kidney)
    return chart


def _problems(chart: Chart) -> dict[str, str]:
    chart.condition("Cholelithiasis", "K80.20", "1997", status="resolved", ended="1998")
    return {
        "hypertension": chart.condition("Essential hypertension", "I10", "2005-06"),
        "diabetes": chart.condition("Type 2 diabetes mellitus", "E11.9", "2009-03-04"),
        "lipids": chart.condition("Mixed hyperlipidemia", "E78.2", "2009-03-04"),
        "stage3a": chart.condition(
            "Chronic kidney disease, stage 3a", "N18.31", "2018-02-19", status="inactive", ended="2021-05-17"
        ),
        "stage3b": chart.condition(
            "Chronic kidney disease, stage 3b", "N18.32", "2021-05-17", status="inactive", ended="2024-02-12"
        ),
        "stage4": chart.condition("Chronic kidney disease, stage 4", "N18.4", "2024-02-12"),
        "retina": chart.condition("Mild nonproliferative diabetic retinopathy", "E11.329", "2017-09-21"),
        "anemia": chart.condition("Anemia in chronic kidney disease", "D63.1", "2024-08-05"),
    }


def _background(chart: Chart) -> None:
    allergy(chart, "Penicillin V", "7984", "Hives and facial swelling", since="1994", severity="severe")
    allergy(chart, "Lisinopril", "29046", "Dry cough", since="2011-10-11", severity="mild", kind="intolerance")
    relative(chart, "mother", "MTH", [("Type 2 diabetes mellitus", "E11.9", 49)], died=81)
    relative(chart, "father", "FTH", [("Myocardial infarction", "I21.9", 61), ("Hypertension", "I10", None)], died=61)
    relative(chart, "sister", "SIS", [("Breast cancer", "C50.919", 52)])
    smoking(chart, "2009-03-04", "Former smoker", "8517006")
    smoking(chart, "2025-08-18", "Former smoker", "8517006")
    social(chart, "History of alcohol use", "11331-6", "2025-08-18", "One glass of wine a week")
    social(chart, "History of occupation", "11341-5", "2009-03-04", "School cook, retired 2020")
    for year in range(2010, 2026):
        chart.vaccine("flu", f"{year}-10-{10 + year % 9:02d}")
    for name, day in (
        ("td", "2008"),
        ("ppsv23", "2011-10-11"),
        ("tdap", "2018-02-19"),
        ("covid", "2021-03-16"),
        ("covid", "2021-04-06"),
        ("covid2023", "2023-10-02"),
        ("pcv20", "2024-05-13"),
        ("zoster", "2022-08-15"),
        ("zoster", "2022-11-14"),
    ):
        chart.vaccine(name, day)
    chart.vaccine("rsv", "2025-08-18", status="not-done", why_not="Patient declined")
    for text, pcs, day in (
        ("Laparoscopic cholecystectomy", "0FT44ZZ", "1998"),
        ("Colonoscopy", "0DJD8ZZ", "2019-04-26"),
    ):
        _procedure(chart, text, pcs, day)
    chart.report(
        "Colonoscopy report",
        "2019-04-26",
        "Two hyperplastic polyps of 3 mm in the sigmoid colon, removed. "
        "No adenoma and no malignancy. Repeat in ten years.",
        loinc="18746-8",
        section="GE",
    )


def _procedure(chart: Chart, text: str, pcs: str, day: str) -> None:
    code = concept(text, "http://www.cms.gov/Medicare/Coding/ICD10", pcs)
    chart.other("Procedure", f"procedure-{text}", day, status="completed", code=code, performedDateTime=day)


def _visits(chart: Chart, doctor: str, problems: dict[str, str]) -> None:
    days = visit_days("2009-03-04", "2026-06-10", 104, skip=("2020-04", "2023-11"))
    for n, day in enumerate(days):
        chart.encounter(day, "Type 2 diabetes mellitus", code="E11.9", by=doctor, label="Diabetes follow-up visit")
        vitals(chart, day, COURSES, HEIGHT)
        at = date.fromisoformat(day)
        measure_all(chart, day, COURSES, "a1c glucose bun sodium potassium bicarbonate")
        renal(chart, day, COURSES["creatinine"].at(at), birth=BIRTH, female=True)
        if n % 2 == 0:
            measure_all(chart, day, COURSES, "uacr hemoglobin wbc platelets")
        if n % 4 == 0:
            _lipids(chart, day)
        if n % 9 == 4:
            _progress(chart, day, doctor)


def _lipids(chart: Chart, day: str) -> None:
    at = date.fromisoformat(day)
    total, hdl, fat = (round(COURSES[name].at(at)) for name in ("cholesterol", "hdl", "triglycerides"))
    results = [
        chart.measure("cholesterol", day, total),
        chart.measure("hdl", day, hdl),
        chart.measure("triglycerides", day, fat),
        chart.measure("ldl", day, total - hdl - fat / 5),
    ]
    chart.report("Lipid panel", day, "", loinc="24331-1", results=results)


def _progress(chart: Chart, day: str, doctor: str) -> None:
    at = date.fromisoformat(day)
    systolic, diastolic = round(COURSES["systolic"].at(at)), round(COURSES["diastolic"].at(at))
    chart.note(
        "Progress note",
        "11506-3",
        day,
        f"""
        Subjective: Comes for her diabetes. Denies chest pain, dyspnea and leg swelling. No hypoglycemia since the
        last visit. No new visual symptoms. Walks half an hour on most days.
        Objective: BP {systolic}/{diastolic} mmHg. Lungs clear. No pedal edema. Feet: pulses palpable, monofilament
        sensation intact, no ulcer.
        Assessment: Type 2 diabetes, A1c {COURSES["a1c"].at(at):.1f} %. Hypertension.
        Plan: Continue present treatment. Diet reviewed. Return in three to four months with laboratory tests.
        """,
        by=doctor,
    )


def _drugs(chart: Chart, doctor: str, kidney: str, problems: dict[str, str]) -> None:
    chart.visit = None
    orders(chart, ORDERS, problems, by=doctor)
    chart.other(
        "MedicationStatement",
        "takes-acetaminophen",
        "2025-08-18",
        status="active",
        dateAsserted="2025-08-18",
        medicationCodeableConcept=concept(
            "Acetaminophen 500 MG, over the counter",
            "http://www.nlm.nih.gov/research/umls/rxnorm",
            "161",
            "acetaminophen",
        ),
        effectivePeriod={"start": "2025"},
        dosage=[{"text": "500 mg now and then for knee pain"}],
    )


def _outliers(chart: Chart) -> None:
    """What an honest reader of charts has to notice: errors, other units, limits of detection, missing values."""
    chart.visit = None
    chart.measure("a1c", "2022-03-15", 16.4, status="entered-in-error", note="Sample of another patient.")
    chart.measure("potassium", "2025-01-09", None, absent="error", note="Specimen hemolyzed.")
    chart.measure("creatinine", "2022-07-05", 132, unit="umol/L", note="Outside laboratory.")
    chart.measure("creatinine", "2025-10-07", 181, unit="umol/L", note="Outside laboratory.")
    chart.measure("glucose", "2022-07-05", 9.1, unit="mmol/L", note="Outside laboratory.")
    chart.measure("weight", "2022-07-05", 184.5, unit="lb", ucum="[lb_av]")
    chart.measure("uacr", "2009-09-15", 5, comparator="<")
    chart.measure("ldl", "2012-05-22", None, absent="not-performed", note="Triglycerides too high to calculate.")
    chart.measure("height", "2009-03-04", HEIGHT)
    chart.measure("b12", "2023-03-20", 214)


def _kidney(chart: Chart, kidney: str, problems: dict[str, str]) -> None:
    chart.encounter(
        "2024-02-12", "Chronic kidney disease, stage 4", code="N18.4", by=kidney, label="Nephrology consultation"
    )
    chart.note(
        "Consult note",
        "11488-4",
        "2024-02-12",
        """
        Asked to see Mrs. Santos for a falling eGFR.
        History: Diabetes for fifteen years, hypertension, albuminuria. No hematuria, no stones, takes no ibuprofen
        or other NSAID. Her sister had breast cancer; there is no kidney disease in the family.
        Assessment: Chronic kidney disease stage 4 from diabetes. eGFR is now below 30.
        Plan: Stop metformin today. Continue losartan and empagliflozin. Start basal insulin if A1c rises. Not yet a
        candidate for dialysis; transplant evaluation was discussed and she wishes to think about it.
        """,
        by=kidney,
    )
    chart.imaging(
        "Renal ultrasound",
        "US",
        "Kidney",
        "2024-02-12",
        "Right kidney 9.4 cm, left kidney 9.7 cm, increased cortical echogenicity. No hydronephrosis. No renal mass.",
    )
    _plans(chart, problems)


def _plans(chart: Chart, problems: dict[str, str]) -> None:
    chart.encounter("2025-09-23", "Diabetic retinopathy screening", status="cancelled", label="Eye clinic visit")
    chart.visit = None
    chart.other(
        "Procedure",
        "procedure-retinal-photography",
        "2024-10-01",
        status="completed",
        performedDateTime="2024-10-01",
        code=concept("Retinal photography, both eyes"),
        reasonReference=[chart.ref(problems["retina"])],
    )
    chart.other(
        "CarePlan",
        "careplan-kidney",
        "2024-02-12",
        status="active",
        intent="plan",
        title="Chronic kidney disease",
        period={"start": "2024-02-12"},
        addresses=[chart.ref(problems["stage4"])],
        activity=[
            {"detail": {"status": "in-progress", "description": text}}
            for text in ("Sodium below 2 g a day", "Avoid NSAIDs", "Vaccination against hepatitis B")
        ],
    )
    chart.other(
        "Goal",
        "goal-a1c",
        "2024-05-13",
        lifecycleStatus="active",
        description={"text": "A1c below 7.5 %"},
        startDate="2024-05-13",
        addresses=[chart.ref(problems["diabetes"])],
    )
    chart.other(
        "Device",
        "device-glucose-sensor",
        subject="patient",
        status="active",
        type=concept("Continuous glucose monitor"),
        deviceName=[{"name": "Glucose sensor", "type": "user-friendly-name"}],
    )


def _ahead(chart: Chart, kidney: str) -> None:
    chart.encounter(
        "2026-08-11",
        "Chronic kidney disease, stage 4",
        status="planned",
        code="N18.4",
        by=kidney,
        label="Nephrology follow-up visit",
    )
    chart.visit = None
    chart.other(
        "ServiceRequest",
        "referral-transplant",
        "2026-03-02",
        status="active",
        intent="order",
        code=concept("Referral to transplant clinic"),
        authoredOn="2026-03-02",
        requester=chart.ref(kidney),
    )
