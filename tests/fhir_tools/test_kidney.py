"""eGFR by CKD-EPI 2021, and the table of drugs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools.facts import facts_of
from fhir_tools.kidney import EGFR_UNIT, ckd_epi, egfr_number, estimate, renal_limits
from fhir_tools.lexicon import lexicon
from fhir_tools.types import Fact, Quantity


@pytest.mark.parametrize(
    ("creatinine", "age", "female", "expected"),
    [
        # 142 x min(Scr/k, 1)^a x max(Scr/k, 1)^-1.2 x 0.9938^age x 1.012 for women, by hand
        (0.9, 0 + 18, False, 142 * 0.9938**18),
        (0.7, 50, True, 142 * 0.9938**50 * 1.012),
        (1.8, 60, False, 142 * 2**-1.2 * 0.9938**60),
        (0.35, 30, True, 142 * 0.5**-0.241 * 0.9938**30 * 1.012),
        (0.45, 30, False, 142 * 0.5**-0.302 * 0.9938**30),
    ],
)
def test_the_equation(creatinine: float, age: int, female: bool, expected: float) -> None:
    assert ckd_epi(creatinine, age, female=female) == pytest.approx(expected)


@given(st.floats(0.1, 20), st.integers(18, 110), st.booleans())
def test_more_creatinine_or_age_is_less_function(creatinine: float, age: int, female: bool) -> None:
    value = ckd_epi(creatinine, age, female=female)
    assert 0 < value < 350
    assert ckd_epi(creatinine * 1.1, age, female=female) < value
    assert ckd_epi(creatinine, age + 1, female=female) < value


@pytest.mark.parametrize(("creatinine", "age"), [(0, 40), (-1, 40), (1.0, 17)])
def test_what_it_is_not_for(creatinine: float, age: int) -> None:
    with pytest.raises(ValueError, match="for adults"):
        ckd_epi(creatinine, age, female=True)


def person(**changes: Any) -> tuple[Fact, ...]:
    return facts_of({"resourceType": "Patient", "id": "p", "birthDate": "1950-06-15", "gender": "female", **changes})


def creatinine(value: float = 1.4, unit: str = "mg/dL", day: str = "2026-06-14", **more: Any) -> Fact:
    quantity = {"value": value, "unit": unit, **more}
    row = {"resourceType": "Observation", "id": "o", "code": {"text": "Creatinine"}, "valueQuantity": quantity}
    return facts_of({**row, "effectiveDateTime": day} if day else row)[0]


def test_an_estimate_holds_its_inputs() -> None:
    found = estimate(creatinine(), person())
    assert found is not None and found.age == 75
    assert found.value == ckd_epi(1.4, 75, female=True)
    assert [f.path for f in found.inputs] == ["Observation.valueQuantity", "Patient.birthDate", "Patient.gender"]
    metric = estimate(creatinine(123.76, "umol/L"), person())
    assert metric is not None and metric.value == pytest.approx(found.value, rel=1e-3)


@pytest.mark.parametrize(
    ("fact", "who"),
    [
        (creatinine(), person(gender="unknown")),
        (creatinine(), person(gender=None)),
        (creatinine(), person(birthDate=None)),
        (creatinine(), person(birthDate="2010-01-01")),
        (creatinine(day="2026-06"), person(birthDate="1950")),  # 75 or 76
        (creatinine(comparator="<"), person()),
        (creatinine(unit="mmHg"), person()),
        (creatinine(0), person()),
        (creatinine(day=""), person()),
    ],
)
def test_what_cannot_be_worked_out_is_not(fact: Fact, who: tuple[Fact, ...]) -> None:
    assert estimate(fact, who) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Quantity(value=60, unit="mL/min/1.73 m2", code=EGFR_UNIT), 60),
        (Quantity(value=60, unit="mL/min"), 60),
        (Quantity(value=60), 60),
        (Quantity(value=1, unit="mL/s/1.73 m2", code="mL/s/{1.73_m2}"), 60),
        (Quantity(value=60, unit="mg/dL"), None),
        ("normal", None),
    ],
)
def test_reported_numbers(value: object, expected: float | None) -> None:
    found = egfr_number(value)
    assert (round(found.value) if found else None) == expected


def test_every_drug_of_the_table_is_in_the_lexicon() -> None:
    limits = renal_limits()
    assert len(limits) > 40
    for name, row in limits.items():
        assert lexicon().by_id("drug", name) is not None, name
        assert 5 <= row.limit <= 90 and row.source
