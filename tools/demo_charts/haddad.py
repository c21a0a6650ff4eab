"""Leila Haddad: asthma since childhood, one pregnancy with gestational diabetes, a birth, anemia, low mood after."""

from __future__ import annotations

from datetime import date

from tools.demo_charts.chart import SNOMED, UCUM, Chart, concept
from tools.demo_charts.routine import (
    allergy,
    measure_all,
    orders,
    read_courses,
    relative,
    smoking,
    social,
    visit_days,
    vitals,
)

__all__ = ["haddad"]

BIRTH, HEIGHT = "1994-08-23", 166.0

COURSES = read_courses(
    "haddad",
    """
    systolic ±5 2012-09-01=112 2024-07-01=110 2025-02-01=124 2025-04-01=114
    diastolic ±4 2012-09-01=70 2025-02-01=78 2025-04-01=72
    pulse ±6 2012-09-01=72 2025-02-01=86 2025-04-01=74
    weight ±0.5 2012-09-01=58 2024-06-01=64.2 2025-02-10=77.9 2025-04-01=70.4 2026-06-01=65.8
    peak_flow ±15 2012-09-01=400 2022-06-01=380 2023-04-01=430 2026-06-01=445
    hemoglobin ±0.2 2012-09-01=13.1 2024-06-20=12.6 2024-12-01=10.1 2025-02-09=10.8 2025-08-01=12.9
    platelets ±15 2012-09-01=262 2025-02-01=204 2025-08-01=255
    wbc ±0.8 2012-09-01=6.4 2025-02-01=10.2 2025-08-01=6.6
    ferritin ±2 2019-01-01=34 2024-06-20=26 2024-12-01=8 2025-08-01=31
    glucose ±5 2012-09-01=84
""",
)
"""How her values run; weight in kg, the rest in the unit that `codes` names."""

ORDERS = """
    Albuterol 90 MCG/ACTUAT Metered Dose Inhaler | 435 albuterol | 2012-09-04 | two puffs as needed | renewed | asthma
    Fluticasone 110 MCG/ACTUAT Inhaler [Flovent] | 41126 fluticasone | 2012-09-04 | one puff twice a day | stopped | asthma | Changed to a combination inhaler
    Budesonide 160 MCG / Formoterol 4.5 MCG Inhaler [Symbicort] | 19831 budesonide | 2023-01-24 | two puffs twice a day | renewed | asthma
    Epinephrine 0.3 MG Auto-Injector [EpiPen] | 3992 epinephrine | 2012-09-04 | 0.3 mg into the thigh as needed | active
    Cetirizine 10 MG Oral Tablet | 1014678 | 2016-04-12 | 10 mg by mouth once a day in spring | active | rhinitis
    Sumatriptan 50 MG Oral Tablet | 37418 sumatriptan | 2015-11-02 | 50 mg by mouth at onset of migraine | stopped | migraine | Pregnancy
    Ethinyl estradiol / Norgestimate Oral Tablet |  | 2016-01-19 | one tablet once a day | stopped |  | Planning pregnancy
    Ferrous sulfate 325 MG Oral Tablet | 310325 | 2024-12-05 | 325 mg by mouth once a day | completed | anemia
    Prenatal vitamins Oral Tablet |  | 2024-06-20 | one tablet once a day | completed
    Sertraline 50 MG Oral Tablet | 312941 | 2025-04-02 | 50 mg by mouth once a day | renewed | mood
"""
"""Drug | RxNorm | ordered on, or from/to | dosage | status | for | why it ended."""


def haddad() -> Chart:
    """The whole chart."""
    chart = Chart(
        "haddad",
        {
            "identifier": [{"system": "urn:chartline:demo:mrn", "value": "D-10062"}],
            "name": [{"use": "official", "family": "Haddad", "given": ["Leila"]}],
            "gender": "female",
            "birthDate": BIRTH,
            "communication": [{"language": {"text": "English"}, "preferred": True}],
        },
    )
    chart.resources[0]["id"], chart.patient = "demo-leila-haddad", "Patient/demo-leila-haddad"
    doctor = chart.staff("Noor van Dijk", "MD", "vandijk")
    midwife = chart.staff("Beatriz Romero", "CNM", "romero")
    problems = _problems(chart)
    _background(chart)
    _visits(chart, doctor)
    _asthma_attack(chart, doctor, problems)
    _pregnancy(chart, midwife, problems)
    _birth(chart, midwife)
    _after(chart, doctor, problems)
    _drugs(chart, doctor, problems)
    _outliers(chart)
    return chart


def _problems(chart: Chart) -> dict[str, str]:
    return {
        "asthma": chart.condition("Moderate persistent asthma", "J45.40", "2003"),
        "rhinitis": chart.condition("Seasonal allergic rhinitis", "J30.2", "2008"),
        "migraine": chart.condition("Migraine without aura", "G43.009", "2015-11-02"),
        "pregnancy": chart.condition("Pregnancy", "Z33.1", "2024-06-20", status="resolved", ended="2025-02-10"),
        "diabetes": chart.condition(
            "Gestational diabetes mellitus, diet controlled",
            "O24.410",
            "2024-12-05",
            status="resolved",
            ended="2025-02-10",
        ),
        "anemia": chart.condition(
            "Iron deficiency anemia", "D50.9", "2024-12-05", status="resolved", ended="2025-08-12"
        ),
        "mood": chart.condition("Postpartum depression", "F53.0", "2025-04-02", status="remission"),
        "ankle": chart.condition(
            "Fracture of left distal fibula", "S82.832A", "2011-07", status="resolved", ended="2011-10"
        ),
    }


def _background(chart: Chart) -> None:
    allergy(chart, "Peanut", "", "Anaphylaxis", since="1999", severity="severe", category="food")
    allergy(chart, "Ibuprofen", "5640", "Wheezing", since="2018-02-13", kind="intolerance")
    allergy(chart, "Latex", "", "", since="2012-09-04", category="environment", verified="refuted")
    relative(chart, "mother", "MTH", [("Breast cancer", "C50.919", 47), ("Asthma", "J45.909", None)])
    relative(chart, "maternal grandmother", "MGRMTH", [("Ovarian cancer", "C56.9", 63)], died=66)
    relative(chart, "brother", "BRO", [("Type 1 diabetes mellitus", "E10.9", 12)])
    smoking(chart, "2012-09-04", "Never smoker", "266919005")
    smoking(chart, "2025-08-12", "Never smoker", "266919005")
    social(chart, "History of alcohol use", "11331-6", "2024-06-20", "None")
    social(chart, "History of occupation", "11341-5", "2022-05-10", "Primary school teacher")
    for name, day in (
        ("hepb", "1995"),
        ("mmr", "1995-09"),
        ("mmr", "1999-03"),
        ("hpv9", "2016-01-19"),
        ("hpv9", "2016-03-22"),
        ("hpv9", "2016-07-26"),
        ("tdap", "2012-09-04"),
        ("covid", "2021-04-20"),
        ("covid", "2021-05-11"),
        ("tdap", "2024-12-05"),
        ("flu", "2019-10-14"),
        ("flu", "2021-10-19"),
        ("flu", "2022-10-11"),
        ("flu", "2023-10-16"),
        ("flu", "2024-10-10"),
        ("flu", "2025-10-21"),
    ):
        chart.vaccine(name, day)
    chart.vaccine("covid2023", "2024-10-10", status="not-done", why_not="Patient declined")
    for text, day in (
        ("Cervical cytology", "2018-02-13"),
        ("Cervical cytology", "2021-03-09"),
        ("Cervical cytology", "2024-03-19"),
    ):
        chart.report(text, day, "Negative for intraepithelial lesion or malignancy.", section="CP")


def _visits(chart: Chart, doctor: str) -> None:
    for n, day in enumerate(visit_days("2012-09-04", "2026-06-02", 184, skip=("2025-02", "2020-03"))):
        chart.encounter(day, "Moderate persistent asthma", code="J45.40", by=doctor, label="Asthma follow-up visit")
        vitals(chart, day, COURSES, HEIGHT)
        measure_all(chart, day, COURSES, "peak_flow")
        chart.measure("spo2", day, 97 + n % 3)
        if n % 2 == 0:
            measure_all(chart, day, COURSES, "hemoglobin platelets wbc glucose")
        if n % 5 == 2:
            chart.note(
                "Progress note",
                "11506-3",
                day,
                f"""
                Asthma review. Uses the reliever less than twice a week. No night waking, no emergency visit since last
                time. Denies smoking. Avoids peanuts, carries an auto-injector. Peak flow
                {COURSES["peak_flow"].at(date.fromisoformat(day)):.0f} L/min. Chest clear, no wheeze.
                Plan: keep the preventer inhaler, review in six months.
                """,
                by=doctor,
            )


def _asthma_attack(chart: Chart, doctor: str, problems: dict[str, str]) -> None:
    chart.encounter(
        "2023-01-17",
        "Asthma exacerbation",
        kind="EMER",
        code="J45.41",
        end="2023-01-17T23:10:00-05:00",
        by=doctor,
        label="Emergency department visit",
        disposition="Home",
    )
    chart.measure("spo2", "2023-01-17", 91)
    chart.measure("breaths", "2023-01-17", 28)
    chart.measure("peak_flow", "2023-01-17", 210)
    chart.measure("d_dimer", "2023-01-17", 0.22, comparator="<")
    chart.condition(
        "Pneumonia", "J18.9", "2023-01-17", status="inactive", verified="refuted", category="encounter-diagnosis"
    )
    chart.imaging(
        "Chest X-ray, 2 views",
        "DX",
        "Chest",
        "2023-01-17",
        "Hyperinflated lungs. No consolidation, no pneumothorax, no effusion.",
        loinc="36643-5",
        views=2,
    )
    chart.drug(
        "Prednisone 20 MG Oral Tablet",
        "312615",
        "2023-01-17",
        "40 mg by mouth once a day for 5 days",
        days=5,
        by=doctor,
        reason=problems["asthma"],
    )
    chart.note(
        "Emergency department note",
        "34111-5",
        "2023-01-17",
        """
        Wheeze and cough for two days after a cold. Peak flow 210 L/min, oxygen saturation 91 %. No fever. No peanut
        exposure. Chest X-ray without pneumonia or pneumothorax. Three albuterol nebulizers, prednisone. Peak flow
        340 L/min on leaving. Not admitted. No intubation ever. Latex: skin test negative in 2012, the old allergy
        entry is refuted.
        """,
        by=doctor,
    )
    chart.visit = None


def _pregnancy(chart: Chart, midwife: str, problems: dict[str, str]) -> None:
    """Last period 2024-05-09, due 2025-02-13."""
    for n, day in enumerate(
        (
            "2024-06-20",
            "2024-07-18",
            "2024-08-15",
            "2024-09-12",
            "2024-10-10",
            "2024-11-07",
            "2024-12-05",
            "2024-12-19",
            "2025-01-02",
            "2025-01-16",
            "2025-01-30",
            "2025-02-06",
        )
    ):
        chart.encounter(day, "Supervision of normal pregnancy", code="Z34.00", by=midwife, label="Prenatal visit")
        vitals(chart, day, COURSES, HEIGHT)
        if n in (0, 4, 6, 9):
            measure_all(chart, day, COURSES, "hemoglobin platelets ferritin")
        if n == 0:
            _booking(chart, day, midwife)
        if n == 3:
            chart.imaging(
                "Fetal ultrasound, anatomy survey",
                "US",
                "Pelvis",
                "2024-09-26",
                "Single live fetus, 20 weeks 0 days, "
                "anatomy normal. Placenta posterior, no previa. Amniotic fluid normal.",
                loinc="11525-3",
                views=38,
            )
        if n == 6:
            _glucose_test(chart, day, midwife)
    chart.visit = None
    group_b = {"valueCodeableConcept": concept("Not detected")}
    chart.finding("Group B streptococcus screen", "", "2025-01-16", group_b)


def _booking(chart: Chart, day: str, midwife: str) -> None:
    chart.measure("hcg", day, 48210)
    chart.finding(
        "Pregnancy status",
        "82810-3",
        day,
        {"valueCodeableConcept": concept("Pregnant", SNOMED, "77386006")},
        category="social-history",
    )
    chart.finding("Estimated delivery date", "11778-8", day, {"valueDateTime": "2025-02-13"}, category="exam")
    chart.finding("Urine pregnancy test", "2106-3", day, {"valueCodeableConcept": concept("Positive")})
    for text, loinc, value in (
        ("ABO group", "883-9", "O"),
        ("Rh type", "10331-7", "Negative"),
        ("HIV 1 and 2 antigen and antibody", "56888-1", "Nonreactive"),
        ("Hepatitis B surface antigen", "5196-1", "Negative"),
    ):
        chart.finding(text, loinc, day, {"valueCodeableConcept": concept(value)})
    chart.note(
        "Prenatal intake note",
        "34117-2",
        day,
        """
        First pregnancy, 6 weeks. No bleeding, no pain, mild nausea. Asthma well controlled. No history of diabetes,
        high blood pressure or blood clots. Mother had breast cancer at 47, grandmother ovarian cancer: genetic
        counseling offered. Blood group O, Rh negative: anti-D at 28 weeks. Stopped the contraceptive pill in
        January. Allergic to peanut. Sumatriptan not to be taken in pregnancy.
        """,
        by=midwife,
    )


def _glucose_test(chart: Chart, day: str, midwife: str) -> None:
    chart.measure("ogct", day, 158)
    for text, loinc, value in (
        ("Glucose fasting, 100 g test", "1558-6", 97),
        ("Glucose 1 hour after 100 g glucose", "1501-6", 191),
        ("Glucose 2 hours after 100 g glucose", "1514-9", 162),
        ("Glucose 3 hours after 100 g glucose", "1530-5", 128),
    ):
        quantity = {"value": value, "unit": "mg/dL", "system": UCUM, "code": "mg/dL"}
        chart.finding(text, loinc, "2024-12-10", {"valueQuantity": quantity})
    chart.drug(
        "Rho(D) immune globulin 300 MCG Injection",
        "",
        day,
        "300 mcg into the muscle, once",
        status="completed",
        by=midwife,
        why="Rh negative mother",
    )
    chart.note(
        "Progress note",
        "11506-3",
        day,
        """
        30 weeks. Baby moves well. No contractions, no bleeding, no headache, no visual symptoms. Glucose screen 158
        mg/dL; three- hour test ordered. Hemoglobin low with low ferritin: iron started. Tdap and anti-D given.
        Fundal height 30 cm.
        """,
        by=midwife,
    )


def _birth(chart: Chart, midwife: str) -> None:
    chart.encounter(
        "2025-02-09",
        "Childbirth",
        kind="IMP",
        code="O80",
        end="2025-02-12",
        by=midwife,
        label="Hospital admission",
        disposition="Home",
    )
    measure_all(chart, "2025-02-09", COURSES, "hemoglobin platelets wbc")
    chart.measure("hemoglobin", "2025-02-11", 9.4)
    for day, systolic, diastolic in (("2025-02-09", 128, 80), ("2025-02-10", 134, 84), ("2025-02-11", 118, 74)):
        chart.pressure(day, systolic, diastolic)
    chart.measure("temperature", "2025-02-10", 37.2)
    oxytocin = chart.drug(
        "Oxytocin 10 UNT/ML Injection",
        "7824",
        "2025-02-10",
        "10 units into the muscle after birth",
        name="oxytocin",
        inpatient=True,
        by=midwife,
        status="completed",
    )
    chart.given("Oxytocin 10 UNT/ML Injection", "7824", "2025-02-10", "10 units", oxytocin)
    chart.other(
        "Procedure",
        "procedure-delivery",
        "2025-02-10",
        status="completed",
        performedDateTime="2025-02-10T04:52:00-05:00",
        code=concept("Spontaneous vaginal delivery", "http://www.cms.gov/Medicare/Coding/ICD10", "10E0XZZ"),
        encounter=chart.ref(chart.visit),
    )
    chart.note(
        "Discharge summary",
        "18842-5",
        "2025-02-12",
        """
        Admitted 2025-02-09 in labor at 39 weeks, discharged 2025-02-12 to home with her daughter. Spontaneous
        vaginal delivery on 2025-02-10 at 04:52, girl, 3340 g, Apgar 9/10. Blood loss 350 mL. No tear that needed
        sutures. No preeclampsia, no fever, no transfusion. Baby is Rh negative, so no further anti-D. Epidural not
        used. Hemoglobin 9.4 g/dL on the first day, iron continued. Glucose normal after birth; 2-hour test in six
        to twelve weeks.
        """,
        by=midwife,
    )
    chart.visit = None


def _after(chart: Chart, doctor: str, problems: dict[str, str]) -> None:
    scores = (("2025-04-02", 16), ("2025-05-07", 12), ("2025-06-18", 8), ("2025-08-12", 4), ("2026-02-10", 3))
    for day, score in scores:
        chart.encounter(day, "Postpartum depression", code="F53.0", by=doctor, label="Office visit")
        chart.measure("phq9", day, score)
        vitals(chart, day, COURSES, HEIGHT)
    chart.visit = None
    chart.note(
        "Progress note",
        "11506-3",
        "2025-04-02",
        """
        Seven weeks after birth. Low mood, poor sleep, tearful. PHQ-9 is 16. No thoughts of harming herself or the
        baby. No psychosis, no mania. No previous depression. Breastfeeding. Sertraline 50 mg started, counseling
        arranged.
        """,
        by=doctor,
    )
    tolerance = {"value": 108, "unit": "mg/dL", "system": UCUM, "code": "mg/dL"}
    chart.finding("Glucose 2 hours after 75 g glucose", "1518-0", "2025-04-02", {"valueQuantity": tolerance})
    measure_all(chart, "2025-08-12", COURSES, "hemoglobin ferritin")
    _ahead(chart, doctor, problems)


def _ahead(chart: Chart, doctor: str, problems: dict[str, str]) -> None:
    chart.encounter("2025-06-24", "Physical therapy", status="cancelled", label="Pelvic floor therapy visit")
    chart.encounter(
        "2026-09-01", "Moderate persistent asthma", status="planned", label="Asthma follow-up visit", by=doctor
    )
    chart.visit = None
    chart.other(
        "CarePlan",
        "careplan-asthma",
        "2023-01-24",
        status="active",
        intent="plan",
        title="Asthma action plan",
        period={"start": "2023-01-24"},
        addresses=[chart.ref(problems["asthma"])],
        activity=[
            {"detail": {"status": "in-progress", "description": text}}
            for text in ("Green zone: peak flow above 340", "Red zone: peak flow below 215, call for help")
        ],
    )
    chart.other(
        "ServiceRequest",
        "referral-genetics",
        "2025-08-12",
        status="active",
        intent="order",
        authoredOn="2025-08-12",
        code=concept("Referral to genetic counseling"),
        reasonCode=[concept("Family history of breast cancer")],
    )


def _drugs(chart: Chart, doctor: str, problems: dict[str, str]) -> None:
    orders(chart, ORDERS, problems, by=doctor)


def _outliers(chart: Chart) -> None:
    chart.visit = None
    chart.measure("weight", "2022-03-08", 640.0, status="entered-in-error", note="Typing error.")
    chart.measure("weight", "2023-08-15", 141.0, unit="lb", ucum="[lb_av]")
    chart.measure("height", "2012-09-04", HEIGHT)
    chart.measure("ige", "2016-04-12", 412)
    chart.measure("hcg", "2024-01-30", 5, comparator="<")
    chart.measure("tsh", "2024-06-20", 1.62)
    chart.measure("tsh", "2026-06-02", 3.9, status="preliminary")
