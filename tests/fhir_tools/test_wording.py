"""Facts in few words."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_tools import dates, wording
from fhir_tools.facts import facts_of
from fhir_tools.types import Concept, Fact, Missing, Quantity, Reference, Standing


def fact(value: Any = None, when: Any = None, **more: Any) -> Fact:
    base = {"kind": "measurement", "concept": Concept(label="Hemoglobin"), "path": "Observation.value"}
    told = {**base, "reference": Reference(type="Observation", id="o"), "value": value, "when": dates.of_any(when)}
    return Fact(**{**told, **more})


def pressure(*parts: tuple[str, float, str | None]) -> Fact:
    components = [
        {
            "code": {"coding": [{"system": "http://loinc.org", "code": code}], "text": code},
            "valueQuantity": {"value": value, "unit": "mm[Hg]", **({"comparator": c} if c else {})},
        }
        for code, value, c in parts
    ]
    return facts_of({"resourceType": "Observation", "id": "o", "code": {"text": "BP"}, "component": components})[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Asthma (disorder)", "Asthma"),
        ("Biopsy (procedure)", "Biopsy"),
        ("Fever (finding) in a child", "Fever (finding) in a child"),
        ("Glucose (random)", "Glucose (random)"),
        ("(disorder)", "(disorder)"),
    ],
)
def test_semantic_tags_go(text: str, expected: str) -> None:
    assert wording.label(Concept(label=text)) == expected


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        (Quantity(value=6.9, unit="%"), "6.9 %"),
        (Quantity(value=183.17308308399453, unit="mg/dL"), "183.2 mg/dL"),
        (Quantity(value=5.0, code="10*3/uL"), "5 10*3/uL"),
        (Quantity(value=0.5, unit="ng/mL", comparator="<"), "<0.5 ng/mL"),
        (Quantity(value=4, unit="{score}"), "4"),
        (Quantity(value=1.02, unit="1"), "1.02"),
        (Quantity(value=7), "7"),
    ],
)
def test_quantities(quantity: Quantity, expected: str) -> None:
    assert wording.quantity_text(quantity) == expected


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({"start": "2019-03-02", "end": "2019-03-06"}, "2019-03-02 to 2019-03-06"),
        ({"start": "2019-03-02", "end": "2019-03-02"}, "2019-03-02"),
        ({"start": "2019-03-02T23:00:00-05:00", "end": "2019-03-03T01:00:00-05:00"}, "2019-03-02 to 2019-03-03"),
        ({"start": "2019-03-02T20:00:00-05:00", "end": "2019-03-02T23:59:59-05:00"}, "2019-03-02"),
        ({"start": "2019-03", "end": "2019-05"}, "2019-03 to 2019-05"),
        ({"start": "2018", "end": "2019"}, "2018 to 2019"),
        ({"start": "2019-03-02"}, "since 2019-03-02"),
        ({"end": "2019-03"}, "until 2019-03"),
        ("2019", "2019"),
        (None, "undated"),
    ],
)
def test_periods(when: Any, expected: str) -> None:
    assert wording.period_text(dates.of_any(when)) == expected


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((("8480-6", 151.6, None), ("8462-4", 92, None)), "152/92 mm[Hg]"),
        ((("8462-4", 92, None), ("8480-6", 152, None)), "152/92 mm[Hg]"),
        ((("8478-0", 100, None), ("8462-4", 92, None), ("8480-6", 152, None)), "152/92 mm[Hg]"),
        ((("8480-6", 250, ">"), ("8462-4", 92, None)), ">250/92 mm[Hg]"),
        ((("8480-6", 152, None),), "8480-6 152 mm[Hg]"),
        ((("8867-4", 70, None), ("8480-6", 152, None)), "8867-4 70 mm[Hg]; 8480-6 152 mm[Hg]"),
    ],
)
def test_panels(parts: Any, expected: str) -> None:
    panel = pressure(*parts)
    assert wording.value_text(panel) == expected
    assert wording.is_blood_pressure(panel) is ("/" in expected)
    if found := wording.pressures(panel):
        assert [p.concept.label for p in found] == ["8480-6", "8462-4"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Missing(reason="not performed"), "no value (not performed)"),
        (Concept(label="Positive (finding)"), "Positive"),
        (dates.parse("1950-02"), "1950-02"),
        (True, "yes"),
        (False, "no"),
        ("clear", "clear"),
        (None, ""),
    ],
)
def test_values(value: Any, expected: str) -> None:
    assert wording.value_text(fact(value)) == expected


@pytest.mark.parametrize(
    ("standing", "status", "told"),
    [
        ("fact", "final", ""),
        ("fact", "preliminary", " (preliminary)"),
        ("fact", "amended", " (amended)"),
        ("error", "entered-in-error", " (entered in error)"),
        ("refuted", "", " (refuted)"),
        ("planned", "planned", " (planned)"),
        ("cancelled", "cancelled", " (cancelled)"),
        ("not-done", "not-done", " (not done)"),
        ("unconfirmed", "active", " (unconfirmed)"),
    ],
)
def test_a_status_that_changes_the_reading_is_told(standing: Standing, status: str, told: str) -> None:
    one = fact(Quantity(value=13, unit="g/dL"), "2019-03-02T08:00:00Z", standing=standing, status=status)
    assert wording.describe(one) == f"2019-03-02 Hemoglobin 13 g/dL{told}"


def test_a_relatives_condition_names_the_relative() -> None:
    one = fact(kind="family", concept=Concept(label="Stroke"), details={"relationship": Concept(label="Father")})
    assert wording.describe(one) == "Stroke (Father)"


def test_spans() -> None:
    assert wording.span_of(()) == "undated"
    assert wording.span_of((fact(when="2018"),)) == "2018"
    assert wording.span_of((fact(), fact(when="2018"), fact(when="2019-03"))) == "2018 to 2019-03"
