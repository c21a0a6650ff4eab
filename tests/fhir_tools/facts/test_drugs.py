"""Drugs and vaccines: which, in which role, how dosed, and when the course is over."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from fhir_tools import dates
from fhir_tools.facts import facts_of
from fhir_tools.types import Concept, Fact, Quantity, Reference, Standing


def drug(kind: str = "MedicationRequest", **elements: Any) -> Fact:
    base = {"resourceType": kind, "id": "m1", "status": "active", "medicationCodeableConcept": {"text": "Warfarin"}}
    (fact,) = facts_of({**base, **elements})
    return fact


@pytest.mark.parametrize(
    ("kind", "status", "standing"),
    [
        ("MedicationRequest", "active", "fact"),
        ("MedicationRequest", "on-hold", "fact"),
        ("MedicationRequest", "stopped", "fact"),
        ("MedicationRequest", "completed", "fact"),
        ("MedicationRequest", "draft", "planned"),
        ("MedicationRequest", "cancelled", "cancelled"),
        ("MedicationRequest", "entered-in-error", "error"),
        ("MedicationStatement", "intended", "planned"),
        ("MedicationStatement", "not-taken", "not-done"),
        ("MedicationStatement", "entered-in-error", "error"),
        ("MedicationAdministration", "not-done", "not-done"),
        ("MedicationAdministration", "completed", "fact"),
        ("MedicationDispense", "declined", "not-done"),
        ("MedicationDispense", "preparation", "planned"),
        ("Immunization", "completed", "fact"),
        ("Immunization", "not-done", "not-done"),
        ("Immunization", "entered-in-error", "error"),
    ],
)
def test_status_gives_standing(kind: str, status: str, standing: Standing) -> None:
    fact = drug(kind, status=status)
    assert (fact.standing, fact.status) == (standing, status)


def test_an_order_not_to_give_is_no_order_to_give() -> None:
    assert drug(doNotPerform=True).standing == "not-done"
    assert drug(doNotPerform=True, status="entered-in-error").standing == "error"
    assert drug(doNotPerform="true").standing == "fact"


@pytest.mark.parametrize(("intent", "standing"), [("proposal", "planned"), ("plan", "planned"), ("order", "fact")])
def test_a_proposal_is_no_order(intent: str, standing: Standing) -> None:
    assert drug(intent=intent).standing == standing


@pytest.mark.parametrize(
    ("kind", "role", "when"),
    [
        ("MedicationRequest", "order", {"authoredOn": "2019-03-02"}),
        ("MedicationStatement", "statement", {"effectiveDateTime": "2019-03-02", "dateAsserted": "2020"}),
        ("MedicationStatement", "statement", {"dateAsserted": "2019-03-02"}),
        ("MedicationAdministration", "administration", {"effectiveDateTime": "2019-03-02"}),
        ("MedicationDispense", "dispense", {"whenHandedOver": "2019-03-02", "whenPrepared": "2019-03-01"}),
        ("MedicationDispense", "dispense", {"whenPrepared": "2019-03-02"}),
    ],
)
def test_role_and_time(kind: str, role: str, when: dict[str, Any]) -> None:
    fact = drug(kind, **when)
    assert fact.details["role"] == role
    assert fact.when and fact.when.text == "2019-03-02"


def test_a_contained_medication_names_the_drug() -> None:
    contained = [
        {"resourceType": "Medication", "id": "other"},
        {"resourceType": "Medication", "id": "m", "code": {"text": "Insulin"}},
    ]
    fact = drug(medicationCodeableConcept=None, medicationReference={"reference": "#m"}, contained=contained)
    assert fact.concept == Concept(label="Insulin")
    assert "medication" not in fact.details
    lost = drug(medicationCodeableConcept=None, medicationReference={"reference": "#gone", "display": "Insulin"})
    assert lost.concept == Concept(label="Insulin")


def test_a_referenced_medication_is_named_as_told_and_can_be_followed() -> None:
    fact = drug(medicationCodeableConcept=None, medicationReference={"reference": "Medication/9", "display": "Insulin"})
    assert fact.concept == Concept(label="Insulin")
    assert fact.details["medication"] == Reference(type="Medication", id="9")
    assert fact.path == "MedicationRequest.medicationReference"


def bounded(**repeat: Any) -> dict[str, Any]:
    return {"timing": {"repeat": repeat}}


@pytest.mark.parametrize(
    ("steps", "last"),
    [
        ([bounded(boundsPeriod={"start": "2019-03-02", "end": "2019-03-11"})], date(2019, 3, 11)),
        ([bounded(boundsDuration={"value": 10, "code": "d"})], date(2019, 3, 11)),
        ([bounded(boundsDuration={"value": 2, "code": "wk"})], date(2019, 3, 15)),
        ([bounded(boundsDuration={"value": 1, "code": "mo"})], date(2019, 4, 1)),
        (
            [bounded(boundsRange={"low": {"value": 5, "code": "d"}, "high": {"value": 7, "code": "d"}})],
            date(2019, 3, 8),
        ),
        # a taper ends with its last step, in whichever order they are written
        ([bounded(boundsPeriod={"end": "2019-03-20"}), bounded(boundsPeriod={"end": "2019-03-11"})], date(2019, 3, 20)),
        ([bounded(boundsPeriod={"end": "2019-03-11"}), {"text": "with food"}], date(2019, 3, 11)),
        ([bounded(boundsPeriod={"end": "2019-03-11"}), bounded(frequency=1, period=1)], None),
        ([bounded(boundsPeriod={"start": "2019-03-02"})], None),
        ([bounded(boundsDuration={"value": 10, "code": "tablets"})], None),
        ([bounded(frequency=1)], None),
        ([], None),
    ],
)
def test_when_an_ordered_course_is_over(steps: list[dict[str, Any]], last: date | None) -> None:
    ends = drug(authoredOn="2019-03-02", dosageInstruction=steps).details.get("ends")
    assert (dates.last_day(ends) if ends else None) == last


def test_a_supply_is_no_course() -> None:
    supply = {"expectedSupplyDuration": {"value": 30, "code": "d"}, "validityPeriod": {"end": "2019-04-01"}}
    assert "ends" not in drug(authoredOn="2019-03-02", dispenseRequest=supply).details


def test_a_statement_ends_with_its_effective_period() -> None:
    ends = drug("MedicationStatement", effectivePeriod={"start": "2018", "end": "2019-03"}).details["ends"]
    assert dates.last_day(ends) == date(2019, 3, 31)
    open_end = drug("MedicationStatement", effectivePeriod={"start": "2018"}).details["ends"]
    assert dates.last_day(open_end) is None


@pytest.mark.parametrize(
    ("dosage", "told"),
    [
        ({"text": "one  tablet\ndaily"}, "one tablet daily"),
        (
            {
                "doseAndRate": [{"doseQuantity": {"value": 5, "unit": "mg"}}],
                "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
                "asNeededBoolean": True,
            },
            "5 mg 2 per 1 d as needed",
        ),
        ({"timing": {"code": {"text": "BID"}}}, "BID"),
        ({"timing": {"repeat": {"frequency": "2", "period": "1"}}}, ""),
        ({"timing": "daily"}, ""),
    ],
)
def test_dosage_in_words(dosage: dict[str, Any], told: str) -> None:
    assert drug(dosageInstruction=[dosage]).details.get("dosage", "") == told


def test_dose_and_reason() -> None:
    fact = drug(
        "MedicationAdministration",
        dosage={"dose": {"value": 4, "unit": "mg"}, "route": {"text": "IV"}},
        reasonCode=[{"text": "pain"}],
        reasonReference=[{"reference": "Condition/c1"}],
        request={"reference": "MedicationRequest/r1"},
        context={"reference": "Encounter/e1"},
    )
    assert fact.details["dose"] == Quantity(value=4, unit="mg")
    assert fact.details["route"] == "IV"
    assert fact.details["reason"] == (Reference(type="Condition", id="c1"), Concept(label="pain"))
    assert fact.details["request"] == Reference(type="MedicationRequest", id="r1")
    assert fact.encounter == Reference(type="Encounter", id="e1")


def test_a_vaccine_given_at_an_uncertain_time() -> None:
    base = {"resourceType": "Immunization", "id": "i", "status": "completed", "vaccineCode": {"text": "Flu"}}
    (fact,) = facts_of({**base, "occurrenceDateTime": "2019-10"})
    assert (fact.concept.label, fact.when and fact.when.text) == ("Flu", "2019-10")
    (vague,) = facts_of({**base, "occurrenceString": "last autumn"})
    assert vague.when is None
