"""Taking a drug: status, course and stay together; active alone is not enough."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from fhir_tools import medications
from fhir_tools.facts import facts_of
from fhir_tools.types import Fact, Reference

AS_OF = date(2019, 3, 10)
INPATIENT = [{"coding": [{"code": "inpatient"}]}]
WARD = {"category": INPATIENT, "encounter": {"reference": "Encounter/e1"}}


def drug(kind: str = "MedicationRequest", **elements: Any) -> Fact:
    base = {"resourceType": kind, "id": "m", "status": "active", "medicationCodeableConcept": {"text": "Heparin"}}
    (fact,) = facts_of({**base, "authoredOn": "2019-03-01", **elements})
    return fact


def stay(status: str = "finished", **period: str) -> dict[Reference, Fact]:
    (fact,) = facts_of({"resourceType": "Encounter", "id": "e1", "status": status, "period": period})
    return {fact.reference: fact}


def state(fact: Fact, stays: dict[Reference, Fact] | None = None, as_of: date = AS_OF) -> str:
    (judged,) = medications.judged((fact,), stays or {}, as_of)
    assert medications.taken(judged) is (judged.details["taking"] == "taking")
    assert judged.status == fact.status
    return str(judged.details["taking"])


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [
        ("MedicationRequest", "active", "taking"),
        ("MedicationRequest", "on-hold", "on hold"),
        ("MedicationRequest", "stopped", "stopped"),
        ("MedicationRequest", "completed", "completed"),
        ("MedicationRequest", "ended", "ended"),
        ("MedicationRequest", "cancelled", "cancelled"),
        ("MedicationRequest", "draft", "planned"),
        ("MedicationRequest", "unknown", "status unknown"),
        ("MedicationRequest", "entered-in-error", "entered in error"),
        ("MedicationStatement", "active", "taking"),
        ("MedicationStatement", "intended", "planned"),
        ("MedicationStatement", "not-taken", "not taken"),
        ("MedicationStatement", "on-hold", "on hold"),
        ("MedicationAdministration", "completed", "given"),
        ("MedicationAdministration", "not-done", "not given"),
        ("MedicationDispense", "completed", "dispensed"),
    ],
)
def test_by_status(kind: str, status: str, expected: str) -> None:
    assert state(drug(kind, status=status)) == expected


def test_an_order_not_to_give_is_not_taking() -> None:
    assert state(drug(doNotPerform=True)) == "not given"
    assert state(drug(intent="plan")) == "planned"


def test_an_unjudged_fact_is_not_taken() -> None:
    assert not medications.taken(drug())


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ("2019-03-09", "course ended 2019-03-09"),
        ("2019-03-10", "taking"),
        ("2019-03-11", "taking"),
        ("2019-03", "taking"),
        ("2019-02", "course ended 2019-02-28"),
        ("2018", "course ended 2018-12-31"),
        (None, "taking"),
    ],
)
def test_a_course_with_an_end(end: str | None, expected: str) -> None:
    period = {"start": "2018-01-01", **({"end": end} if end else {})}
    assert state(drug("MedicationStatement", effectivePeriod=period)) == expected
    assert state(drug(dosageInstruction=[{"timing": {"repeat": {"boundsPeriod": period}}}])) == expected


@pytest.mark.parametrize(
    ("days", "expected"), [(5, "course ended 2019-03-05"), (9, "course ended 2019-03-09"), (10, "taking")]
)
def test_a_course_of_known_length(days: int, expected: str) -> None:
    bounds = {"boundsDuration": {"value": days, "code": "d", "system": "http://unitsofmeasure.org"}}
    assert state(drug(dosageInstruction=[{"timing": {"repeat": bounds}}])) == expected


@pytest.mark.parametrize(
    ("stays", "as_of", "expected"),
    [
        (stay(start="2019-03-01", end="2019-03-06"), AS_OF, "stay over"),
        (stay(start="2019-03-01", end="2019-03-06"), date(2019, 3, 4), "taking"),
        (stay(start="2019-03-01", end="2019-03-06"), date(2019, 3, 6), "stay over"),
        (stay(start="2019-03-01T08:00:00-08:00", end="2019-03-06T23:00:00-08:00"), date(2019, 3, 6), "stay over"),
        (stay(start="2019-03-01T08:00:00-08:00", end="2019-03-06T23:00:00-08:00"), date(2019, 3, 5), "taking"),
        (stay("in-progress", start="2019-03-01"), AS_OF, "taking"),
        (stay("finished", start="2019-03-01"), AS_OF, "stay over"),
        (stay("finished"), AS_OF, "stay over"),
        ({}, AS_OF, "taking"),
    ],
)
def test_an_inpatient_order_ends_with_its_stay(stays: dict[Reference, Fact], as_of: date, expected: str) -> None:
    assert state(drug(**WARD), stays, as_of) == expected


def test_orders_that_do_not_depend_on_a_stay() -> None:
    over = stay(start="2019-03-01", end="2019-03-06")
    assert state(drug(encounter=WARD["encounter"]), over) == "taking"
    discharge = [{"coding": [{"code": "discharge"}]}]
    assert state(drug(encounter=WARD["encounter"], category=discharge), over) == "taking"
    assert state(drug(category=INPATIENT), over) == "taking"
    assert state(drug(**{**WARD, "status": "stopped"}), stay("in-progress", start="2019-03-01")) == "stopped"


def test_a_prescription_past_its_validity_is_not_taken() -> None:
    order = {
        "resourceType": "MedicationRequest",
        "id": "o",
        "status": "active",
        "intent": "order",
        "authoredOn": "2023-01-17",
        "medicationCodeableConcept": {"text": "Prednisone"},
        "dispenseRequest": {"validityPeriod": {"start": "2023-01-17", "end": "2023-01-22"}},
    }
    states = [
        medications.judged(facts_of(order), {}, day)[0].details["taking"]
        for day in (date(2023, 1, 22), date(2023, 1, 23))
    ]
    assert states == ["taking", "order ended 2023-01-22"]
