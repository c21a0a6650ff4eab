"""Observations and reports: values, parts, absence, status and time."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_tools.facts import facts_of
from fhir_tools.types import Components, Fact, Missing, Quantity, Reference, Standing

BP = {"coding": [{"system": "http://loinc.org", "code": "85354-9"}], "text": "Blood pressure"}


def observation(**more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": {"text": "Hemoglobin"},
        "effectiveDateTime": "2019-03-02",
        **more,
    }


def only(resource: dict[str, Any]) -> Fact:
    (fact,) = facts_of(resource)
    return fact


def part(code: str, value: float) -> dict[str, Any]:
    quantity = {"value": value, "unit": "mm[Hg]"}
    return {"code": {"coding": [{"system": "http://loinc.org", "code": code}]}, "valueQuantity": quantity}


@pytest.mark.parametrize(
    ("status", "standing"),
    [
        ("final", "fact"),
        ("preliminary", "fact"),
        ("amended", "fact"),
        ("corrected", "fact"),
        ("unknown", "fact"),
        ("registered", "planned"),
        ("cancelled", "cancelled"),
        ("entered-in-error", "error"),
    ],
)
def test_status_gives_standing(status: str, standing: Standing) -> None:
    for resource in (observation(status=status), {"resourceType": "DiagnosticReport", "id": "r", "status": status}):
        fact = only(resource)
        assert (fact.standing, fact.status) == (standing, status)


def test_an_error_is_one_in_every_part() -> None:
    facts = facts_of(observation(status="entered-in-error", component=[part("8480-6", 120), part("8462-4", 80)]))
    assert [f.standing for f in facts] == ["error"] * 3


def test_value_unit_and_place() -> None:
    fact = only(observation(valueQuantity={"value": 132, "unit": "g/L", "code": "g/L", "comparator": ">"}))
    assert fact.value == Quantity(value=132, unit="g/L", code="g/L", comparator=">")
    assert fact.path == "Observation.valueQuantity"
    assert fact.reference == Reference(type="Observation", id="o1")


def test_a_panel_holds_its_parts_and_each_part_is_a_fact() -> None:
    panel, top, bottom = facts_of(observation(code=BP, component=[part("8480-6", 120), part("8462-4", 80)]))
    assert panel.value == Components(parts=(top, bottom))
    assert [f.path for f in (panel, top, bottom)] == [
        "Observation.component",
        "Observation.component[0].valueQuantity",
        "Observation.component[1].valueQuantity",
    ]
    assert top.details["panel"] == panel.concept
    assert top.when == panel.when
    assert top.reference == panel.reference


def test_a_panel_that_is_absent_as_a_whole_still_has_its_parts() -> None:
    absent = {"text": "not a single value"}
    panel, top = facts_of(observation(code=BP, dataAbsentReason=absent, component=[part("8480-6", 120)]))
    assert panel.value == Components(parts=(top,))
    empty, _ = facts_of(observation(code=BP, dataAbsentReason=absent, component=[{"code": BP}]))
    assert empty.value == Missing(reason="not a single value")


def test_an_absent_value_says_why() -> None:
    reason = {"coding": [{"code": "not-performed", "display": "Not Performed"}]}
    fact = only(observation(dataAbsentReason=reason))
    assert (fact.value, fact.path) == (Missing(reason="Not Performed"), "Observation.dataAbsentReason")
    _, missing = facts_of(observation(component=[{"code": BP, "dataAbsentReason": reason}]))
    assert missing.value == Missing(reason="Not Performed")


def test_time_is_effective_else_issued() -> None:
    told = only(observation(issued="2020-01-01T00:00:00Z"))
    assert told.when and told.when.text == "2019-03-02"
    assert "when_from" not in told.details
    issued = only({**observation(issued="2020-01-01T00:00:00Z"), "effectiveDateTime": "unknown"})
    assert issued.when and issued.when.text == "2020-01-01"
    assert issued.details["when_from"] == "issued"
    undated = only({**observation(), "effectiveDateTime": None})
    assert undated.when is None
    assert "when_from" not in undated.details


def test_social_history_is_its_own_kind() -> None:
    category = [{"coding": [{"code": "social-history"}]}]
    assert only(observation(category=category)).kind == "social"
    assert only(observation()).kind == "measurement"


def test_interpretation_and_range() -> None:
    fact = only(
        observation(
            interpretation=[{"coding": [{"code": "H", "display": "High"}]}],
            referenceRange=[{"low": {"value": 12}, "high": {"value": 16, "unit": "g/dL"}}, {"text": "another"}],
        )
    )
    assert (fact.details["interpretation"], fact.details["range"]) == ("High", "12-16 g/dL")


@pytest.mark.parametrize(("text", "told"), [("adults", "12-16 g/dL"), ("up to 16", "up to 16")])
def test_words_without_a_number_do_not_stand_for_a_range(text: str, told: str) -> None:
    ends = {"low": {"value": 12}, "high": {"value": 16, "unit": "g/dL"}}
    assert only(observation(referenceRange=[{**ends, "text": text}])).details["range"] == told


@pytest.mark.parametrize(
    ("elements", "value", "path"),
    [
        ({"conclusion": "No fracture."}, "No fracture.", "DiagnosticReport.conclusion"),
        ({"conclusionCode": [{"text": "fracture"}]}, "fracture", "DiagnosticReport.conclusionCode"),
        ({}, None, "DiagnosticReport.code"),
    ],
)
def test_what_a_report_concludes(elements: dict[str, Any], value: str | None, path: str) -> None:
    report = {"resourceType": "DiagnosticReport", "id": "r", "status": "final", "issued": "2019-03-02", **elements}
    fact = only({**report, "result": [{"reference": "Observation/o1"}]})
    assert (fact.value, fact.path) == (value, path)
    assert fact.details["results"] == (Reference(type="Observation", id="o1"),)
    assert fact.when and fact.when.text == "2019-03-02"
