"""Conditions, allergies and the family's conditions: who has them, since when, and whether at all."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_tools.facts import facts_of
from fhir_tools.types import Concept, Fact, Interval, Standing


def coded(code: str) -> dict[str, Any]:
    return {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/any", "code": code}]}


def only(kind: str, **elements: Any) -> Fact:
    (fact,) = facts_of({"resourceType": kind, "id": "x", "code": {"text": "Asthma"}, **elements})
    return fact


@pytest.mark.parametrize("kind", ["Condition", "AllergyIntolerance"])
@pytest.mark.parametrize(
    ("verification", "standing"),
    [
        ("confirmed", "fact"),
        ("refuted", "refuted"),
        ("unconfirmed", "unconfirmed"),
        ("provisional", "unconfirmed"),
        ("differential", "unconfirmed"),
        ("entered-in-error", "error"),
    ],
)
def test_verification_gives_standing(kind: str, verification: str, standing: Standing) -> None:
    assert only(kind, verificationStatus=coded(verification)).standing == standing
    assert only(kind, verificationStatus={"text": verification.title()}).standing == standing
    assert only(kind, verificationStatus=verification).standing == standing, "a lost shape must not make it a fact"
    assert only(kind).standing == "fact"


@pytest.mark.parametrize(
    ("elements", "status"),
    [
        ({"clinicalStatus": coded("active")}, "active"),
        ({"clinicalStatus": coded("resolved"), "abatementDateTime": "2020"}, "resolved"),
        ({"abatementDateTime": "2020-05"}, "resolved"),
        ({"abatementBoolean": True}, "resolved"),
        ({"abatementBoolean": False}, ""),
        ({"abatementString": "as a teenager"}, "resolved"),
        ({}, ""),
    ],
)
def test_clinical_status(elements: dict[str, Any], status: str) -> None:
    assert only("Condition", **elements).status == status


@pytest.mark.parametrize(
    ("onset", "text"),
    [
        ({"onsetDateTime": "2012"}, "2012"),
        ({"onsetDateTime": "2012-06"}, "2012-06"),
        ({"onsetPeriod": {"start": "2012-06-12"}}, "2012-06-12"),
        ({"onsetPeriod": {"end": "2013"}}, "until 2013"),
    ],
)
def test_time_is_the_onset_as_precisely_as_told(onset: dict[str, Any], text: str) -> None:
    fact = only("Condition", recordedDate="2019-01-01", **onset)
    assert fact.when and fact.when.text == text
    assert isinstance(fact.details["onset"], Interval)
    assert "when_from" not in fact.details


@pytest.mark.parametrize(
    ("onset", "told"),
    [({"onsetAge": {"value": 54, "unit": "years"}}, "54 years"), ({"onsetString": "childhood"}, "childhood")],
)
def test_an_onset_that_is_no_date_is_told_beside_the_date_of_record(onset: dict[str, Any], told: str) -> None:
    fact = only("Condition", recordedDate="2019-01-01", **onset)
    assert (fact.details["onset"], fact.details["when_from"]) == (told, "recorded")
    assert fact.when and fact.when.text == "2019-01-01"
    assert "when_from" not in only("Condition", **onset).details


@pytest.mark.parametrize(
    ("code", "negation"),
    [
        ({"coding": [{"code": "716186003", "display": "No known allergy"}]}, True),
        ({"coding": [{"code": "409137002"}]}, True),
        ({"text": "NKDA"}, True),
        ({"text": "no known drug allergies"}, True),
        ({"text": "Penicillin"}, False),
        ({"text": "Known nut allergy"}, False),
    ],
)
def test_no_known_allergy_is_a_statement_of_its_own(code: dict[str, Any], negation: bool) -> None:
    assert ("negation" in only("AllergyIntolerance", code=code).details) is negation


def test_an_allergy_known_by_its_reaction_only() -> None:
    reaction = [{"substance": {"text": "Latex"}, "manifestation": [{"text": "Hives"}]}, {"manifestation": []}]
    fact = only("AllergyIntolerance", code=None, reaction=reaction, category=["environment", 5], criticality="high")
    assert fact.concept.label == "Latex"
    assert fact.details["reaction"] == "Hives"
    assert (fact.details["category"], fact.details["criticality"]) == (("environment",), "high")


@pytest.mark.parametrize("category", [None, "food", {"a": 1}, 5, [None]])
def test_a_category_of_the_wrong_shape_reads_as_absent(category: Any) -> None:
    assert "category" not in only("AllergyIntolerance", category=category).details


def test_a_relatives_condition_is_never_the_patients() -> None:
    facts = facts_of(
        {
            "resourceType": "FamilyMemberHistory",
            "id": "f1",
            "status": "completed",
            "date": "2019",
            "relationship": {"text": "Father"},
            "condition": [
                {"code": {"text": "Stroke"}, "onsetAge": {"value": 60, "unit": "a"}, "outcome": {"text": "died"}},
                {"code": {"text": "Gout"}},
            ],
        }
    )
    assert [(f.kind, f.concept.label) for f in facts] == [("family", "Stroke"), ("family", "Gout")]
    assert {f.details["relationship"] for f in facts} == {Concept(label="Father")}
    assert facts[0].details["onset"] == "60 a"
    assert [f.path for f in facts] == [f"FamilyMemberHistory.condition[{i}].code" for i in (0, 1)]


def test_a_relative_without_conditions_and_one_in_error() -> None:
    bare = {"resourceType": "FamilyMemberHistory", "id": "f1", "relationship": {"text": "Aunt"}}
    (fact,) = facts_of(bare)
    assert (fact.concept.label, fact.path) == ("Aunt", "FamilyMemberHistory.relationship")
    (error,) = facts_of({**bare, "status": "entered-in-error"})
    assert error.standing == "error"
