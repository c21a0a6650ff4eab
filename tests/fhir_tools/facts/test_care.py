"""Procedures, encounters, documents, imaging and the types that need only concept, status and time."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_tools.facts import facts_of
from fhir_tools.types import Fact, Reference, Standing


def only(kind: str, **elements: Any) -> Fact:
    (fact,) = facts_of({"resourceType": kind, "id": "x", **elements})
    return fact


@pytest.mark.parametrize(
    ("kind", "status", "standing"),
    [
        ("Procedure", "completed", "fact"),
        ("Procedure", "in-progress", "fact"),
        ("Procedure", "stopped", "fact"),
        ("Procedure", "preparation", "planned"),
        ("Procedure", "not-done", "not-done"),
        ("Procedure", "entered-in-error", "error"),
        ("Encounter", "finished", "fact"),
        ("Encounter", "in-progress", "fact"),
        ("Encounter", "planned", "planned"),
        ("Encounter", "cancelled", "cancelled"),
        ("Encounter", "entered-in-error", "error"),
        ("DocumentReference", "current", "fact"),
        ("DocumentReference", "superseded", "fact"),
        ("DocumentReference", "entered-in-error", "error"),
        ("ImagingStudy", "available", "fact"),
        ("ImagingStudy", "registered", "planned"),
        ("ImagingStudy", "cancelled", "cancelled"),
        ("ImagingStudy", "entered-in-error", "error"),
        ("ServiceRequest", "active", "fact"),
        ("ServiceRequest", "draft", "planned"),
        ("ServiceRequest", "revoked", "cancelled"),
        ("ServiceRequest", "entered-in-error", "error"),
        ("CarePlan", "revoked", "cancelled"),
        ("Device", "entered-in-error", "error"),
    ],
)
def test_status_gives_standing(kind: str, status: str, standing: Standing) -> None:
    fact = only(kind, status=status)
    assert (fact.standing, fact.status) == (standing, status)


@pytest.mark.parametrize(
    ("status", "standing"),
    [("active", "fact"), ("proposed", "planned"), ("rejected", "cancelled"), ("entered-in-error", "error")],
)
def test_a_goal_has_a_lifecycle(status: str, standing: Standing) -> None:
    assert only("Goal", lifecycleStatus=status, description={"text": "Walk"}).standing == standing


def test_a_document_in_error_by_its_own_status() -> None:
    assert only("DocumentReference", status="current", docStatus="entered-in-error").standing == "error"
    assert only("DocumentReference", status="current", docStatus="preliminary").standing == "fact"


def test_an_order_not_to_do_something() -> None:
    assert only("ServiceRequest", status="active", doNotPerform=True).standing == "not-done"
    assert only("ServiceRequest", status="draft", doNotPerform=True).standing == "planned"


@pytest.mark.parametrize(
    ("performed", "text", "path"),
    [
        ({"performedDateTime": "2019-03"}, "2019-03", "Procedure.performedDateTime"),
        ({"performedPeriod": {"start": "2019-03-02"}}, "2019-03-02", "Procedure.performedPeriod"),
        ({"performedPeriod": {"end": "2019"}}, "until 2019", "Procedure.performedPeriod"),
        ({"performedString": "years ago"}, None, "Procedure.performedDateTime"),
    ],
)
def test_when_a_procedure_was_done(performed: dict[str, Any], text: str | None, path: str) -> None:
    fact = only("Procedure", code={"text": "Biopsy"}, **performed)
    assert (fact.when.text if fact.when else None) == text
    assert fact.path == path


def test_an_encounter_is_in_itself() -> None:
    fact = only(
        "Encounter",
        status="finished",
        **{"class": {"code": "IMP"}},
        type=[{"text": "Admission"}],
        period={"start": "2019-03-02", "end": "2019-03-06"},
        reasonCode=[{"text": "chest pain"}],
        hospitalization={"dischargeDisposition": {"text": "home"}},
        location=[{"location": {"display": "Ward 1"}}, {"location": {"display": "Ward 1"}}],
    )
    assert fact.encounter == fact.reference == Reference(type="Encounter", id="x")
    assert fact.concept.label == "Admission"
    assert (fact.details["class"], fact.details["disposition"], fact.details["location"]) == ("IMP", "home", "Ward 1")
    assert fact.when and fact.when.high


def test_an_encounter_without_type_is_named_by_its_class() -> None:
    assert only("Encounter", **{"class": {"code": "AMB", "display": "ambulatory"}}).concept.label == "ambulatory"
    assert only("Encounter", **{"class": ["AMB"]}, hospitalization=[]).concept.label == "encounter"


def test_a_document() -> None:
    fact = only(
        "DocumentReference",
        status="current",
        type={"text": "Discharge summary"},
        content=[{"attachment": {"contentType": "text/plain", "title": "Summary"}}],
        context={"encounter": [{"reference": "Encounter/e1"}], "period": {"start": "2019-03-02"}},
        author=[{"display": "Dr One"}, {"display": "Dr Two"}],
    )
    assert fact.concept.label == "Discharge summary"
    assert (fact.details["title"], fact.details["author"]) == ("Summary", "Dr One, Dr Two")
    assert fact.details["content_types"] == ("text/plain",)
    assert fact.encounter == Reference(type="Encounter", id="e1")
    assert fact.when and fact.when.text == "2019-03-02"


def test_an_imaging_study_is_told_by_modality_and_site_where_nothing_names_it() -> None:
    series = [{"modality": {"code": "CT", "display": "CT"}, "bodySite": {"display": "Chest"}, "instance": [{}, {}]}]
    fact = only("ImagingStudy", status="available", started="2019-03-02", series=[*series, {"modality": {}}])
    assert fact.concept.label == "CT of chest"
    assert (fact.details["series"], fact.details["instances"]) == ("2", "2")
    assert fact.details["modality_codes"] == ("CT",)
    assert fact.details["modality"] == "CT"
    named = only("ImagingStudy", procedureCode=[{"text": "CT thorax"}], numberOfSeries=4, numberOfInstances="many")
    assert (named.concept.label, named.details["series"], named.details["instances"]) == ("CT thorax", "4", "0")


def test_plain_types_take_the_first_time_they_have() -> None:
    plan = only("CarePlan", category=[{"text": "Diabetes care"}], created="2018", period={"start": "2019"})
    assert (plan.concept.label, plan.when and plan.when.text) == ("Diabetes care", "2019")
    created = only("CarePlan", title="My plan", created="2018")
    assert (created.concept.label, created.when and created.when.text) == ("My plan", "2018")


@pytest.mark.parametrize("kind", ["Practitioner", "Medication", "Bundle", "Nonsense", ""])
def test_types_without_clinical_content_state_nothing(kind: str) -> None:
    assert facts_of({"resourceType": kind, "id": "x"}) == ()
