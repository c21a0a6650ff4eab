"""Maria Santos's hospital stay of 2023: pneumonia with kidney injury."""

from __future__ import annotations

from tools.demo_charts.chart import Chart
from tools.demo_charts.routine import renal

__all__ = ["pneumonia_stay"]


def pneumonia_stay(chart: Chart, doctor: str) -> None:
    """Pneumonia with kidney injury in November 2023; an embolism was thought of and ruled out."""
    ward = chart.staff("Grace Whitfield", "MD", "whitfield")
    chart.encounter(
        "2023-11-08",
        "Community-acquired pneumonia",
        kind="IMP",
        code="J18.9",
        end="2023-11-13",
        label="Hospital admission",
        by=ward,
        disposition="Home",
    )
    pneumonia = _diagnoses(chart)
    _results(chart)
    _pictures(chart)
    _treatment(chart, ward, pneumonia)
    _discharge_note(chart, ward)
    _follow_up(chart, doctor)


def _diagnoses(chart: Chart) -> str:
    pneumonia = chart.condition(
        "Community-acquired pneumonia",
        "J18.9",
        "2023-11-08",
        status="resolved",
        ended="2023-12-04",
        category="encounter-diagnosis",
    )
    chart.condition(
        "Acute kidney injury",
        "N17.9",
        "2023-11-08",
        status="resolved",
        ended="2023-11-20",
        category="encounter-diagnosis",
    )
    chart.condition(
        "Pulmonary embolism",
        "I26.99",
        "2023-11-08",
        status="inactive",
        verified="refuted",
        category="encounter-diagnosis",
        note="Ventilation-perfusion scan normal.",
    )
    return pneumonia


def _results(chart: Chart) -> None:
    for n, (crp, wbc, creatinine, temperature, oxygen) in enumerate(
        (
            (212.0, 17.8, 2.61, 39.1, 89),
            (188.0, 15.2, 2.44, 38.4, 92),
            (121.0, 11.9, 2.17, 37.6, 94),
            (74.0, 9.8, 1.98, 37.1, 95),
            (41.0, 8.4, 1.91, 36.8, 96),
            (29.0, 7.9, 1.90, 36.7, 97),
        )
    ):
        day = f"2023-11-{8 + n:02d}"
        chart.measure("crp", day, crp)
        chart.measure("wbc", day, wbc)
        chart.measure("temperature", day, temperature)
        chart.measure("spo2", day, oxygen)
        renal(chart, day, creatinine, birth="1958-04-17", female=True)
        chart.pressure(day, 104 + 5 * n, 58 + 3 * n)
    chart.measure("temperature", "2023-11-08", 102.4, unit="degF", ucum="[degF]", note="Triage.")
    chart.measure("procalcitonin", "2023-11-08", 4.2)
    chart.measure("d_dimer", "2023-11-08", 1.34)
    chart.measure("troponin", "2023-11-08", 6, comparator="<")


def _pictures(chart: Chart) -> None:
    chart.imaging(
        "Chest X-ray, 2 views",
        "DX",
        "Chest",
        "2023-11-08",
        "Consolidation of the right lower lobe, consistent "
        "with pneumonia. No pleural effusion. No pneumothorax. Heart size normal.",
        loinc="36643-5",
        views=2,
    )
    chart.imaging(
        "Lung ventilation and perfusion scan",
        "NM",
        "Chest",
        "2023-11-09",
        "Normal perfusion in both lungs. No evidence of pulmonary embolism.",
    )


def _treatment(chart: Chart, ward: str, pneumonia: str) -> None:
    for text, code, dosage, dose in (
        ("Ceftriaxone", "2193", "2 g intravenously once a day", "2 g"),
        ("Azithromycin", "18631", "500 mg intravenously once a day", "500 mg"),
    ):
        order = chart.drug(
            text, code, "2023-11-08", dosage, reason=pneumonia, inpatient=True, by=ward, status="completed"
        )
        for n in range(4):
            chart.given(text, code, f"2023-11-{8 + n:02d}", dose, order)
    heparin = chart.drug(
        "Heparin",
        "5224",
        "2023-11-08",
        "5000 units under the skin every 12 hours",
        inpatient=True,
        by=ward,
        why="Prevention of venous thrombosis",
    )
    chart.given("Heparin", "5224", "2023-11-08", "5000 units", heparin)
    chart.drug(
        "Doxycycline 100 MG Oral Tablet",
        "3640",
        "2023-11-13",
        "100 mg by mouth twice a day for 5 days",
        reason=pneumonia,
        by=ward,
        days=5,
    )


def _discharge_note(chart: Chart, ward: str) -> None:
    chart.note(
        "Discharge summary",
        "18842-5",
        "2023-11-13",
        """
        Admitted 2023-11-08, discharged 2023-11-13 to home.
        Diagnoses: Community-acquired pneumonia of the right lower lobe. Acute kidney injury on chronic kidney
        disease.
        Course: Fever and cough for three days. Treated with ceftriaxone and azithromycin; no reaction in spite of
        the penicillin allergy. Pulmonary embolism was considered because of hypoxia and a raised D-dimer, and was
        ruled out by a normal ventilation-perfusion scan. No history of deep vein thrombosis. Creatinine 2.61 mg/dL
        on admission, 1.90 mg/dL at discharge. Metformin was held during the stay. She did not need intensive care
        or oxygen at home. Follow-up: Doxycycline for five days. Creatinine in one week. Repeat chest X-ray in six
        weeks.
        """,
        by=ward,
    )


def _follow_up(chart: Chart, doctor: str) -> None:
    chart.visit = None
    chart.encounter("2023-12-20", "Follow-up after pneumonia", by=doctor, code="Z09")
    chart.imaging(
        "Chest X-ray, 2 views",
        "DX",
        "Chest",
        "2023-12-20",
        "Complete resolution of the right lower lobe consolidation. No mass, no effusion.",
        loinc="36643-5",
        views=2,
    )
