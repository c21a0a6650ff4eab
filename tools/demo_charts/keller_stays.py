"""Robert Keller's two hospital stays: new heart failure in 2022, a bleeding ulcer in 2025."""

from __future__ import annotations

from tools.demo_charts.chart import Chart, concept
from tools.demo_charts.routine import renal

__all__ = ["bleeding", "echo", "heart_failure"]


def heart_failure(chart: Chart, heart: str, problems: dict[str, str]) -> None:
    """New heart failure in September 2022."""
    chart.encounter(
        "2022-09-06",
        "Acute decompensated heart failure",
        kind="IMP",
        code="I50.23",
        end="2022-09-12",
        by=heart,
        label="Hospital admission",
        disposition="Home with home health care",
    )
    chart.condition(
        "Pulmonary embolism",
        "I26.99",
        "2022-09-06",
        status="inactive",
        verified="refuted",
        category="encounter-diagnosis",
        note="Excluded by CT pulmonary angiography.",
    )
    _failure_results(chart)
    _failure_pictures(chart)
    _failure_treatment(chart, heart, problems["failure"])
    chart.visit = None


def _failure_results(chart: Chart) -> None:
    for n, (weight, bnp, potassium, creatinine) in enumerate(
        (
            (97.4, 6420, 3.9, 1.41),
            (95.8, 0, 3.6, 1.46),
            (94.1, 0, 3.3, 1.49),
            (92.0, 4110, 3.7, 1.44),
            (90.6, 0, 4.1, 1.36),
            (89.3, 0, 4.3, 1.31),
            (88.7, 2540, 4.4, 1.28),
        )
    ):
        day = f"2022-09-{6 + n:02d}"
        chart.measure("weight", day, weight)
        chart.measure("potassium", day, potassium)
        renal(chart, day, creatinine, birth="1949-11-02", female=False)
        chart.pressure(day, 128 - 3 * n, 82 - 2 * n)
        chart.measure("spo2", day, 90 + n)
        if bnp:
            chart.measure("nt_probnp", day, bnp)


def _failure_pictures(chart: Chart) -> None:
    chart.imaging(
        "Chest X-ray, portable",
        "DX",
        "Chest",
        "2022-09-06",
        "Cardiomegaly. Interstitial edema and small bilateral "
        "pleural effusions. No focal consolidation. No pneumothorax.",
        loinc="36589-0",
    )
    chart.imaging(
        "CT angiography of the pulmonary arteries",
        "CT",
        "Chest",
        "2022-09-06",
        "No pulmonary embolism. Bilateral "
        "pleural effusions. Incidental 5 mm nodule in the right upper lobe; follow-up CT in twelve months.",
        views=412,
    )
    echo(
        chart,
        "2022-09-07",
        31,
        "Left ventricle dilated, globally reduced function, ejection fraction 31 %. Moderate "
        "mitral regurgitation. No thrombus. No pericardial effusion.",
    )


def _failure_treatment(chart: Chart, heart: str, failure: str) -> None:
    order = chart.drug(
        "Furosemide 10 MG/ML Injection",
        "4603",
        "2022-09-06",
        "40 mg intravenously twice a day",
        inpatient=True,
        name="furosemide",
        by=heart,
        status="completed",
        reason=failure,
    )
    for n in range(5):
        chart.given("Furosemide 10 MG/ML Injection", "4603", f"2022-09-{6 + n:02d}", "40 mg", order)
    chart.drug(
        "Potassium chloride 20 MEQ Oral Tablet",
        "8591",
        "2022-09-08",
        "20 mEq by mouth twice a day",
        inpatient=True,
        name="potassium chloride",
        by=heart,
    )
    chart.note(
        "Discharge summary",
        "18842-5",
        "2022-09-12",
        """
        Admitted 2022-09-06, discharged 2022-09-12 with home health care.
        Diagnosis: Acute heart failure with reduced ejection fraction (31 %), new. Likely cause: tachycardia.
        Course: 8.7 kg of weight lost with intravenous furosemide. CT angiography showed no pulmonary embolism.
        Coronary angiography was not done. No ventricular arrhythmia on telemetry. Weight at discharge 88.7 kg.
        Changes: Amiodarone was stopped in June for thyroid reasons and was not restarted. Started
        sacubitril-valsartan and spironolactone. Furosemide 40 mg by mouth daily.
        """,
        by=heart,
    )


def echo(chart: Chart, day: str, ejection: int, text: str) -> None:
    """An echocardiogram: the ejection fraction, the study and its report."""
    result = chart.measure("ejection", day, ejection)
    chart.imaging("Echocardiogram", "US", "Heart", day, text, loinc="42148-7")
    chart.resources[-1]["result"] = [{"reference": result}]


def bleeding(chart: Chart, problems: dict[str, str]) -> None:
    """A bleeding gastric ulcer in March 2025, on Eliquis and an unprescribed painkiller."""
    ward = chart.staff("Helen Marchetti", "MD", "marchetti")
    chart.encounter(
        "2025-03-10",
        "Gastric ulcer with bleeding",
        kind="IMP",
        code="K25.4",
        end="2025-03-15",
        by=ward,
        label="Hospital admission",
        disposition="Home",
    )
    ulcer = chart.condition(
        "Gastric ulcer with bleeding",
        "K25.4",
        "2025-03-10",
        status="resolved",
        ended="2025-06-02",
        category="encounter-diagnosis",
    )
    _bleeding_results(chart)
    _bleeding_procedures(chart, ulcer)
    _bleeding_treatment(chart, ward, ulcer)
    chart.visit = None


def _bleeding_results(chart: Chart) -> None:
    for day, minutes, value in (
        ("2025-03-10", 0, 8.1),
        ("2025-03-10", 420, 7.4),
        ("2025-03-11", 0, 8.6),
        ("2025-03-12", 0, 8.9),
        ("2025-03-13", 0, 9.1),
        ("2025-03-15", 0, 9.3),
    ):
        chart.measure("hemoglobin", chart.when(day, minutes), value)
    for day, platelets, potassium in (("2025-03-10", 231, 4.9), ("2025-03-11", 204, 4.4), ("2025-03-13", 212, 4.5)):
        chart.measure("platelets", day, platelets)
        chart.measure("potassium", day, potassium)
    chart.pressure("2025-03-10", 94, 56)
    chart.measure("pulse", "2025-03-10", 112)
    chart.measure("inr", "2025-03-10", 1.3)


def _bleeding_procedures(chart: Chart, ulcer: str) -> None:
    chart.other(
        "Procedure",
        "procedure-gastroscopy",
        "2025-03-11",
        status="completed",
        performedDateTime="2025-03-11",
        code=concept(
            "Esophagogastroduodenoscopy with clipping of a bleeding ulcer",
            "http://www.cms.gov/Medicare/Coding/ICD10",
            "0W3P8ZZ",
        ),
        encounter=chart.ref(chart.visit),
        reasonReference=[chart.ref(ulcer)],
    )
    chart.other(
        "Procedure",
        "procedure-transfusion",
        "2025-03-10",
        status="completed",
        performedDateTime="2025-03-10",
        code=concept(
            "Transfusion of two units of red blood cells", "http://www.cms.gov/Medicare/Coding/ICD10", "30233N1"
        ),
        encounter=chart.ref(chart.visit),
    )
    chart.report(
        "Gastroscopy report",
        "2025-03-11",
        "Gastric ulcer of 12 mm in the antrum with a visible vessel, two clips "
        "placed. No active bleeding at the end. No varices. Biopsy: no Helicobacter pylori, no malignancy.",
        loinc="18751-8",
        section="GE",
    )


def _bleeding_treatment(chart: Chart, ward: str, ulcer: str) -> None:
    order = chart.drug(
        "Pantoprazole 40 MG Injection",
        "40790",
        "2025-03-10",
        "40 mg intravenously twice a day",
        inpatient=True,
        name="pantoprazole",
        by=ward,
        status="completed",
        reason=ulcer,
    )
    for n in range(4):
        chart.given("Pantoprazole 40 MG Injection", "40790", f"2025-03-{10 + n:02d}", "40 mg", order)
    chart.drug(
        "Pantoprazole 40 MG Delayed Release Oral Tablet",
        "314200",
        "2025-03-15",
        "40 mg by mouth every morning",
        reason=ulcer,
        by=ward,
    )
    chart.note(
        "Discharge summary",
        "18842-5",
        "2025-03-15",
        """
        Admitted 2025-03-10, discharged 2025-03-15 to home.
        Diagnosis: Bleeding gastric ulcer on apixaban and over-the-counter naproxen.
        Course: Black stools for two days. Lowest hemoglobin 7.4 g/dL, two units of red cells. Endoscopy with two
        clips. No Helicobacter pylori. No rebleeding. Hemoglobin 9.3 g/dL at discharge. No chest pain, no stroke
        symptoms. Eliquis was held on admission and is to be restarted on 2025-03-24. Aspirin stopped for good. No
        naproxen or other NSAID. Pantoprazole 40 mg daily.
        """,
        by=ward,
    )
