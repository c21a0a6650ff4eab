"""The Patient resource: each demographic element a fact with a place of its own."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_tools.facts import facts_of
from fhir_tools.types import Fact, Interval

US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"


def person(**elements: Any) -> dict[str, Fact]:
    return {f.concept.label: f for f in facts_of({"resourceType": "Patient", "id": "p1", **elements})}


@pytest.mark.parametrize("birth", ["1950", "1950-02", "1950-02-03"])
def test_birth_date_keeps_its_precision(birth: str) -> None:
    value = person(birthDate=birth)["date of birth"].value
    assert isinstance(value, Interval)
    assert value.text == birth


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (
            [{"use": "old", "family": "Was"}, {"use": "official", "given": ["Ada", "B"], "family": "Stone"}],
            "Ada B Stone",
        ),
        ([{"use": "maiden", "family": "Was"}, {"family": "Stone"}], "Stone"),
        ([{"use": "nickname", "given": ["Addie"]}, {"use": "usual", "text": "Ada Stone"}], "Ada Stone"),
        ([{"use": "old", "family": "Was"}], "Was"),
        ({"given": "Ada", "family": "Stone"}, "Stone"),
        ([{"given": [None, 5, "Ada"], "family": ["Stone"], "use": ["official"]}], "Ada"),
    ],
)
def test_the_name_that_counts(names: Any, told: str) -> None:
    assert person(name=names)["name"].value == told


@pytest.mark.parametrize(
    ("elements", "value", "path"),
    [
        ({"deceasedBoolean": False}, False, "Patient.deceasedBoolean"),
        ({"deceasedBoolean": True}, True, "Patient.deceasedBoolean"),
        ({"deceasedDateTime": "in spring"}, True, "Patient.deceasedDateTime"),
    ],
)
def test_deceased(elements: dict[str, Any], value: bool, path: str) -> None:
    fact = person(**elements)["deceased"]
    assert (fact.value, fact.path) == (value, path)


def test_a_date_of_death_and_none() -> None:
    value = person(deceasedDateTime="2020-05")["deceased"].value
    assert isinstance(value, Interval)
    assert value.text == "2020-05"
    assert "deceased" not in person()
    assert "deceased" not in person(deceasedBoolean={"value": True})


def test_race_ethnicity_and_birth_sex_have_places_of_their_own() -> None:
    extension = [
        {"url": f"{US_CORE}race", "extension": [{"url": "text", "valueString": "Asian"}]},
        {"url": f"{US_CORE}ethnicity", "extension": [{"url": "text", "valueString": "Not Hispanic"}]},
        {"url": f"{US_CORE}birthsex", "valueCode": "F"},
        {"url": 5},
    ]
    found = person(extension=extension)
    assert {k: f.value for k, f in found.items()} == {"race": "Asian", "ethnicity": "Not Hispanic", "birthsex": "F"}
    assert len({f.path for f in found.values()}) == 3


def test_the_rest() -> None:
    found = person(
        gender="female",
        maritalStatus={"text": "Married"},
        address=[{"line": ["1 Road", "Flat 2"], "city": "Town", "state": None, "country": "XX"}],
        telecom=[{"system": "email", "value": "a@b"}, {"system": "phone", "value": "555"}],
        communication=[{"language": {"text": "Welsh"}}],
        identifier=[{"value": "no type"}, {"type": {"coding": [{"code": "MR"}]}, "value": "77"}],
        generalPractitioner=[{"display": "Dr One"}],
    )
    assert {k: f.value for k, f in found.items()} == {
        "gender": "female",
        "marital status": "Married",
        "address": "1 Road, Flat 2, Town, XX",
        "phone": "555",
        "language": "Welsh",
        "medical record number": "77",
        "general practitioner": "Dr One",
    }
    assert {f.kind for f in found.values()} == {"patient"}


def test_nothing_known_is_no_fact() -> None:
    assert person(name=[], gender=None, address="x", telecom={}, extension="x") == {}
