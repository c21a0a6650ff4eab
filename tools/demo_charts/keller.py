"""Robert Keller: atrial fibrillation, warfarin and then Eliquis, heart failure that recovers, a bleeding ulcer."""

from __future__ import annotations

from datetime import date, timedelta

from tools.demo_charts.chart import RXNORM, UCUM, Chart, Json, concept
from tools.demo_charts.keller_stays import bleeding, echo, heart_failure
from tools.demo_charts.routine import (
    measure_all,
    no_known_allergy,
    orders,
    read_courses,
    relative,
    renal,
    smoking,
    social,
    visit_days,
    vitals,
)

__all__ = ["keller"]

BIRTH, HEIGHT = "1949-11-02", 181.0

COURSES = read_courses(
    "keller",
    """
    inr ±0.5 2020-03-01=2.3 2021-06-01=2.5
    creatinine ±0.05 2014-01-01=0.98 2022-09-01=1.22 2026-06-01=1.19
    sodium ±1.6 2014-01-01=140 2022-09-01=135 2023-06-01=139
    potassium ±0.25 2014-01-01=4.3 2022-10-01=4.7
    hemoglobin ±0.3 2014-01-01=15.1 2025-01-15=14.2 2025-04-01=9.6 2025-09-01=13.4
    platelets ±18 2014-01-01=214
    wbc ±0.8 2014-01-01=6.6
    nt_probnp ±60 2022-10-01=2350 2023-06-01=1080 2024-06-01=620 2026-06-01=410
    tsh ±0.3 2014-01-01=1.9 2021-10-01=2.4 2022-06-01=9.8 2022-12-01=5.2 2023-06-01=2.3
    alt ±5 2014-01-01=24
    cholesterol ±8 2014-01-01=216 2015-06-01=168 2026-06-01=151
    hdl ±3 2014-01-01=48
    systolic ±7 2014-01-01=138 2022-09-01=118 2026-06-01=122
    diastolic ±4 2014-01-01=84 2022-09-01=70 2026-06-01=72
    pulse ±8 2014-01-01=72 2020-02-10=104 2020-04-01=78 2023-05-16=64
    weight ±0.8 2014-01-01=91 2022-08-20=93.5 2022-09-20=88.2 2026-06-01=86.9
""",
)
"""How his values run; weight in kg, the rest in the unit that `codes` names."""

ORDERS = """
    Lisinopril 20 MG Oral Tablet | 314077 | 2014-01-14 | 20 mg by mouth once a day | stopped | hypertension | Replaced by sacubitril-valsartan
    Aspirin 81 MG Oral Tablet | 243670 | 2014-01-14 | 81 mg by mouth once a day | stopped | hypertension | Gastric bleeding
    Warfarin 5 MG Oral Tablet | 855332 | 2020-02-10 | as the INR clinic says | stopped | af | Changed to apixaban, INR unstable
    Apixaban 5 MG Oral Tablet [Eliquis] | 1364447 | 2021-06-15 | 5 mg by mouth twice a day | stopped | af | Gastric bleeding
    Apixaban 5 MG Oral Tablet [Eliquis] | 1364447 | 2025-03-24 | 5 mg by mouth twice a day | active | af
    24 HR Metoprolol Succinate 50 MG Extended Release Oral Tablet | 866436 | 2020-02-10 | 50 mg by mouth once a day | renewed | af
    Amiodarone 200 MG Oral Tablet | 833528 | 2021-10-05 | 200 mg by mouth once a day | stopped | af | Hypothyroidism
    Levothyroxine 50 MCG Oral Tablet | 10582 levothyroxine | 2022-06-14 | 50 mcg by mouth every morning | completed | thyroid
    Sacubitril 24 MG / Valsartan 26 MG Oral Tablet [Entresto] |  | 2022-09-12 | one tablet by mouth twice a day | renewed | failure
    Spironolactone 25 MG Oral Tablet | 313096 | 2022-09-12 | 25 mg by mouth once a day | renewed | failure
    Furosemide 40 MG Oral Tablet | 313988 | 2022-09-12 | 40 mg by mouth once a day | stopped | failure | Dose reduced
    Furosemide 20 MG Oral Tablet | 310429 | 2023-06-20 | 20 mg by mouth once a day | active | failure
    Atorvastatin 20 MG Oral Tablet | 617310 | 2014-07-08 | 20 mg by mouth at bedtime | on-hold |  | Muscle pain, to be tried again
"""
"""Drug | RxNorm | ordered on, or from/to | dosage | status | for | why it ended."""


def keller() -> Chart:
    """The whole chart."""
    chart = Chart(
        "keller",
        {
            "identifier": [{"system": "urn:chartline:demo:mrn", "value": "D-10047"}],
            "name": [{"use": "official", "family": "Keller", "given": ["Robert"]}],
            "gender": "male",
            "birthDate": BIRTH,
            "maritalStatus": {"text": "Widowed"},
            "communication": [{"language": {"text": "English"}, "preferred": True}],
        },
    )
    chart.resources[0]["id"], chart.patient = "demo-robert-keller", "Patient/demo-robert-keller"
    heart = chart.staff("Priya Raman", "MD", "raman")
    doctor = chart.staff("Thomas Adeyemi", "MD", "adeyemi")
    problems = _problems(chart)
    _background(chart)
    _visits(chart, doctor)
    _rhythm(chart, heart, problems)
    heart_failure(chart, heart, problems)
    _clinic(chart, heart)
    bleeding(chart, problems)
    _drugs(chart, heart, doctor, problems)
    _outliers(chart)
    return chart


def _problems(chart: Chart) -> dict[str, str]:
    return {
        "hypertension": chart.condition("Essential hypertension", "I10", "2008"),
        "prostate": chart.condition(
            "Malignant neoplasm of prostate", "C61", "2016-04-11", status="remission", note="Gleason 3+4, margins free."
        ),
        "af": chart.condition("Paroxysmal atrial fibrillation", "I48.0", "2020-02-10"),
        "failure": chart.condition("Heart failure with reduced ejection fraction", "I50.22", "2022-09-06"),
        "thyroid": chart.condition(
            "Hypothyroidism due to amiodarone", "E03.2", "2022-06-14", status="resolved", ended="2023-06-20"
        ),
        "sinus": chart.condition("Sick sinus syndrome", "I49.5", "2023-05-02"),
        "knee": chart.condition("Osteoarthritis of both knees", "M17.0", "2017"),
        "sleep": chart.condition("Obstructive sleep apnea", "G47.33", "2020-11-30", verified="unconfirmed"),
    }


def _background(chart: Chart) -> None:
    no_known_allergy(chart, "2014-01-14")
    relative(chart, "brother", "BRO", [("Colon cancer", "C18.9", 58)])
    relative(chart, "mother", "MTH", [("Stroke", "I63.9", 77), ("Atrial fibrillation", "I48.91", None)], died=79)
    relative(chart, "father", "FTH", [("Chronic obstructive pulmonary disease", "J44.9", None)], died=70)
    smoking(chart, "2014-01-14", "Never smoker", "266919005")
    smoking(chart, "2025-10-20", "Never smoker", "266919005")
    social(chart, "History of alcohol use", "11331-6", "2020-02-10", "Two beers a day")
    social(chart, "History of alcohol use", "11331-6", "2025-10-20", "None since March 2025")
    social(chart, "History of occupation", "11341-5", "2014-01-14", "Carpenter, retired")
    for year in range(2014, 2026):
        chart.vaccine("flu3" if year < 2018 else "flu", f"{year}-09-{15 + year % 8:02d}")
    for name, day in (
        ("tdap", "2015-05-19"),
        ("ppsv23", "2015-05-19"),
        ("zoster", "2019-02-12"),
        ("zoster", "2019-05-14"),
        ("covid", "2021-02-09"),
        ("covid", "2021-03-02"),
        ("covid2023", "2023-11-14"),
        ("rsv", "2024-10-08"),
    ):
        chart.vaccine(name, day)
    _procedures(chart)


def _procedures(chart: Chart) -> None:
    for text, pcs, day in (
        ("Radical prostatectomy, robotic", "0VT04ZZ", "2016-06-02"),
        ("Electrical cardioversion", "5A2204Z", "2020-04-21"),
        ("Dual chamber pacemaker implantation", "0JH606Z", "2023-05-16"),
        ("Inguinal hernia repair", "", "1989"),
        ("Colonoscopy", "0DJD8ZZ", "2018-03-22"),
    ):
        code = concept(text, "http://www.cms.gov/Medicare/Coding/ICD10", pcs)
        chart.other("Procedure", f"procedure-{text}", day, status="completed", code=code, performedDateTime=day)
    chart.other(
        "Procedure",
        "procedure-ablation",
        "2021-09",
        status="not-done",
        code=concept("Catheter ablation of atrial fibrillation"),
        statusReason={"text": "Patient declined"},
        performedDateTime="2021-09",
    )
    chart.report(
        "Prostate biopsy",
        "2016-04-11",
        "Adenocarcinoma of the prostate, Gleason score 3+4=7, in four of twelve cores. No perineural invasion.",
        loinc="11526-1",
        section="PAT",
    )


def _visits(chart: Chart, doctor: str) -> None:
    days = visit_days("2014-01-14", "2026-06-08", 175, skip=("2022-09", "2025-03"))
    for n, day in enumerate(days):
        chart.encounter(day, "Essential hypertension", code="I10", by=doctor, label="Primary care visit")
        vitals(chart, day, COURSES, HEIGHT)
        measure_all(chart, day, COURSES, "sodium potassium hemoglobin platelets wbc")
        renal(chart, day, COURSES["creatinine"].at(date.fromisoformat(day)), birth=BIRTH, female=False)
        if n % 2 == 0:
            measure_all(chart, day, COURSES, "tsh alt cholesterol hdl")
    for day, value in (("2014-01-14", 2.9), ("2015-01-20", 3.8), ("2016-01-19", 6.7), ("2016-03-08", 7.2)):
        chart.measure("psa", day, value)
    for day in visit_days("2016-09-06", "2026-05-20", 364):
        chart.measure("psa", day, 0.1, comparator="<")


def _rhythm(chart: Chart, heart: str, problems: dict[str, str]) -> None:
    chart.encounter(
        "2020-02-10",
        "Palpitations",
        kind="EMER",
        end="2020-02-10T21:40:00-05:00",
        code="R00.2",
        by=heart,
        label="Emergency department visit",
        disposition="Home",
    )
    chart.measure("pulse", "2020-02-10", 142)
    chart.pressure("2020-02-10", 146, 92)
    chart.measure("troponin", "2020-02-10", 9)
    chart.measure("d_dimer", "2020-02-10", 0.27, comparator="<")
    chart.report(
        "12-lead electrocardiogram",
        "2020-02-10",
        "Atrial fibrillation with a ventricular rate of 142 per minute. No ST elevation. QTc 438 ms.",
        loinc="11524-6",
        section="CUS",
    )
    chart.note(
        "Emergency department note",
        "34111-5",
        "2020-02-10",
        """
        Palpitations since the morning. No chest pain, no syncope, no fever. No history of stroke or bleeding.
        ECG: atrial fibrillation, 142 per minute. Troponin normal. CHA2DS2-VASc score 2 (age 70, hypertension). Rate
        controlled with metoprolol. Warfarin started; INR clinic informed. No signs of heart failure.
        """,
        by=heart,
    )
    for day in visit_days("2020-03-03", "2021-06-10", 21):
        chart.encounter(day, "Anticoagulation monitoring", code="Z79.01", label="Anticoagulation clinic visit")
        measure_all(chart, day, COURSES, "inr")
    chart.visit = None
    chart.measure("inr", "2020-12-29", 5.8, note="Repeated and confirmed. Took clarithromycin last week.")


def _clinic(chart: Chart, heart: str) -> None:
    for n, day in enumerate(visit_days("2022-10-11", "2026-05-30", 122, skip=("2025-03",))):
        chart.encounter(
            day,
            "Heart failure with reduced ejection fraction",
            code="I50.22",
            by=heart,
            label="Heart failure clinic visit",
        )
        measure_all(chart, day, COURSES, "nt_probnp potassium")
        vitals(chart, day, COURSES, HEIGHT)
        if n % 3 == 0:
            chart.note(
                "Progress note",
                "11506-3",
                day,
                f"""
                Heart failure clinic. Walks two flights of stairs. Denies orthopnea, paroxysmal nocturnal dyspnea and leg
                edema. No bleeding, no falls, no syncope. Takes his tablets regularly. Weight
                {COURSES["weight"].at(date.fromisoformat(day)):.1f} kg. Lungs clear, no edema, no jugular distension.
                Plan: treatment unchanged, laboratory tests in four months.
                """,
                by=heart,
            )
    _heart_pictures(chart)
    _device(chart, heart)


def _heart_pictures(chart: Chart) -> None:
    echo(chart, "2023-06-20", 41, "Ejection fraction 41 %, improved. Mild mitral regurgitation. No thrombus.")
    echo(chart, "2025-09-16", 52, "Ejection fraction 52 %. Left ventricular size normal. Mild mitral regurgitation.")
    chart.imaging(
        "CT of the chest",
        "CT",
        "Chest",
        "2023-09-14",
        "The 5 mm nodule of the right upper lobe is unchanged. No new nodule. No effusion.",
        loinc="24627-2",
        views=260,
    )


def _device(chart: Chart, heart: str) -> None:
    chart.visit = None
    chart.encounter("2025-11-18", "Heart failure clinic visit", status="cancelled", label="Heart failure clinic visit")
    chart.encounter("2026-07-14", "Pacemaker check", status="planned", label="Device clinic visit", by=heart)
    chart.visit = None
    chart.other(
        "Device",
        "device-pacemaker",
        subject="patient",
        status="active",
        type=concept("Dual chamber pacemaker"),
        manufacturer="Northstar Rhythm",
        serialNumber="NR-550213",
        manufactureDate="2023-02-01",
    )
    chart.other(
        "Goal",
        "goal-weight",
        "2022-09-12",
        lifecycleStatus="active",
        description={"text": "Weight below 89 kg"},
        startDate="2022-09-12",
    )


def _drugs(chart: Chart, heart: str, doctor: str, problems: dict[str, str]) -> None:
    chart.visit = None
    for order in orders(chart, ORDERS, problems, by=heart):
        if "Eliquis" in order["medicationCodeableConcept"]["text"]:
            _dispense(chart, order)
    chart.other(
        "MedicationStatement",
        "took-naproxen",
        "2025-03-10",
        status="stopped",
        dateAsserted="2025-03-10",
        medicationCodeableConcept=concept("Naproxen 220 MG, over the counter", RXNORM, "7258", "naproxen"),
        effectivePeriod={"start": "2025-01", "end": "2025-03-10"},
    )


def _dispense(chart: Chart, order: Json) -> None:
    """Every ninety days until the bleeding ended the first order, and until the demo's today."""
    start = date.fromisoformat(order["authoredOn"][:10])
    last = date(2026, 6, 8) if order["status"] == "active" else date(2025, 3, 1)
    for n in range((last - start).days // 90 + 1):
        day = (start + timedelta(days=90 * n)).isoformat()
        chart.other(
            "MedicationDispense",
            "dispense-apixaban",
            day,
            status="completed",
            whenHandedOver=chart.when(day),
            medicationCodeableConcept=order["medicationCodeableConcept"],
            authorizingPrescription=[{"reference": f"MedicationRequest/{order['id']}"}],
            daysSupply={"value": 90, "unit": "days", "system": UCUM, "code": "d"},
        )


def _outliers(chart: Chart) -> None:
    chart.visit = None
    chart.measure("potassium", "2024-02-20", 7.9, status="entered-in-error", note="Hemolyzed, wrongly released.")
    chart.measure("weight", "2024-08-06", 193.0, unit="lb", ucum="[lb_av]")
    chart.measure("hemoglobin", "2025-05-06", 112, unit="g/L", note="Outside laboratory.")
    chart.measure("ferritin", "2025-05-06", 18)
    chart.measure("height", "2014-01-14", HEIGHT)
    chart.measure("free_t4", "2022-06-14", 0.7)
    chart.measure("phq9", "2025-10-20", None, absent="asked-declined")
    chart.other(
        "ServiceRequest",
        "order-sleep-study",
        "2021-01-12",
        status="revoked",
        intent="order",
        code=concept("Sleep study"),
        authoredOn="2021-01-12",
    )
