"""What every story shares: visits on a schedule, vital signs, panels, vaccines, allergies, relatives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from tools.demo_charts.chart import ICD10, RXNORM, SNOMED, Chart, Course, Json, concept, egfr, hl7

__all__ = [
    "allergy",
    "measure_all",
    "no_known_allergy",
    "orders",
    "read_courses",
    "relative",
    "renal",
    "smoking",
    "social",
    "visit_days",
    "vitals",
]

RENEWED = "2026-01-12"


def visit_days(start: str, end: str, every: int, *, skip: Iterable[str] = ()) -> list[str]:
    """Days from `start` to `end`, every so many days, moved off weekends; `skip` are years or months left out."""
    days, left_out = [], tuple(skip)
    for ordinal in range(date.fromisoformat(start).toordinal(), date.fromisoformat(end).toordinal(), every):
        day = date.fromordinal(ordinal)
        day = date.fromordinal(ordinal + max(0, 7 - day.weekday())) if day.weekday() > 4 else day
        if not day.isoformat().startswith(left_out or ("never",)):
            days.append(day.isoformat())
    return days


def read_courses(slug: str, table: str) -> dict[str, Course]:
    """Courses from lines of `name ±noise day=value day=value …`."""
    rows = (line.split() for line in table.strip().splitlines())
    return {
        name: Course(
            [(day, float(value)) for day, value in (anchor.split("=") for anchor in anchors)],
            noise=float(noise.removeprefix("±")),
            seed=f"{slug}-{name}",
        )
        for name, noise, *anchors in rows
    }


def orders(chart: Chart, table: str, problems: Mapping[str, str], *, by: str) -> list[Json]:
    """Community prescriptions from lines of `drug | RxNorm | day | dosage | status | problem | why ended`.

    `RxNorm` may be followed by the name of the ingredient that it stands for. A day of the form `from/to` bounds it.
    The status `renewed` gives a completed order and, at the start of 2026, an active one for a year.
    """
    added = []
    for line in table.strip().splitlines():
        text, code, days, dosage, status, *rest = (cell.strip() for cell in line.split("|"))
        rxnorm, _, name = code.partition(" ")
        start, _, end = days.partition("/")
        reason = problems.get(rest[0]) if rest else None
        why = rest[1] if len(rest) > 1 else ""
        first = "completed" if status == "renewed" else status
        order = chart.drug(text, rxnorm, start, dosage, status=first, name=name, reason=reason, by=by, stopped=why)
        added.append(chart.resources[-1])
        if end:
            timing = {"repeat": {"boundsPeriod": {"start": start, "end": end}}}
            chart.resources[-1]["dosageInstruction"][0]["timing"] = timing
        if status == "renewed":
            chart.drug(text, rxnorm, RENEWED, dosage, name=name, reason=reason, by=by, days=365)
            chart.resources[-1]["priorPrescription"] = chart.ref(order)
            added.append(chart.resources[-1])
    return added


def measure_all(chart: Chart, day: str, courses: Mapping[str, Course], names: str) -> list[str]:
    """One result each for the space-separated `names`."""
    at = date.fromisoformat(day)
    return [chart.measure(name, day, courses[name].at(at)) for name in names.split()]


def renal(chart: Chart, day: str, creatinine: float, *, birth: str, female: bool) -> list[str]:
    """Creatinine in mg/dL and the eGFR that follows from it."""
    at, born = date.fromisoformat(day), date.fromisoformat(birth)
    age = at.year - born.year - ((at.month, at.day) < (born.month, born.day))
    shown = round(creatinine, 2)
    rate = egfr(shown, age=age, female=female)
    return [chart.measure("creatinine", day, shown), chart.measure("egfr", day, rate)]


def vitals(chart: Chart, day: str, courses: Mapping[str, Course], height: float) -> None:
    """Blood pressure, pulse, weight and body mass index; `height` in cm."""
    at = date.fromisoformat(day)
    chart.pressure(day, courses["systolic"].at(at), courses["diastolic"].at(at))
    chart.measure("pulse", day, courses["pulse"].at(at))
    weight = round(courses["weight"].at(at), 1)
    chart.measure("weight", day, weight)
    chart.measure("bmi", day, weight / (height / 100) ** 2)


def allergy(
    chart: Chart,
    text: str,
    rxnorm: str,
    reaction: str,
    *,
    since: str,
    severity: str = "moderate",
    category: str = "medication",
    kind: str = "allergy",
    verified: str = "confirmed",
) -> str:
    """An allergy or intolerance with its reaction; a refuted one keeps what was once said."""
    code: Json = concept(text, RXNORM, rxnorm)
    refuted = verified == "refuted"
    return chart.other(
        "AllergyIntolerance",
        f"allergy-{text}",
        subject="patient",
        clinicalStatus=hl7("allergyintolerance-clinical", "inactive" if refuted else "active"),
        verificationStatus=hl7("allergyintolerance-verification", verified),
        type=kind,
        category=[category],
        criticality="high" if severity == "severe" else "low",
        code=code,
        recordedDate=since,
        reaction=[{"manifestation": [{"text": reaction}], "severity": severity}] if reaction else None,
    )


def no_known_allergy(chart: Chart, day: str) -> str:
    """The explicit negative record (US Core and IPS use this SNOMED CT code)."""
    return chart.other(
        "AllergyIntolerance",
        "no-known-allergy",
        subject="patient",
        clinicalStatus=hl7("allergyintolerance-clinical", "active"),
        verificationStatus=hl7("allergyintolerance-verification", "confirmed"),
        code=concept("No known allergies", SNOMED, "716186003", "No known allergy"),
        recordedDate=day,
    )


def relative(
    chart: Chart, who: str, code: str, conditions: Iterable[tuple[str, str, int | None]], *, died: int | None = None
) -> str:
    """A family member (v3-RoleCode) with conditions as (text, ICD-10-CM, age at onset in years)."""
    listed = [
        {"code": concept(text, ICD10, icd)} | ({"onsetAge": _years(age)} if age else {})
        for text, icd, age in conditions
    ]
    return chart.other(
        "FamilyMemberHistory",
        f"family-{who}",
        subject="patient",
        status="completed",
        relationship=concept(who, "http://terminology.hl7.org/CodeSystem/v3-RoleCode", code),
        deceasedAge=_years(died) if died else None,
        condition=listed,
    )


def _years(age: int) -> Json:
    return {"value": age, "unit": "years", "system": "http://unitsofmeasure.org", "code": "a"}


def smoking(chart: Chart, day: str, text: str, snomed: str) -> str:
    """Tobacco smoking status as US Core asks for it."""
    value = {"valueCodeableConcept": concept(text, SNOMED, snomed)}
    return chart.finding("Tobacco smoking status", "72166-2", day, value, category="social-history")


def social(chart: Chart, text: str, loinc: str, day: str, answer: str) -> str:
    """A line of the social history in words."""
    return chart.finding(text, loinc, day, {"valueString": answer}, category="social-history")
