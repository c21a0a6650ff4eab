"""Whose a resource is: every shape that a subject can have."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_tools.scope.belonging import owners, targets

BASE = "https://fhir.example/r4"


def ref(text: Any) -> dict[str, Any]:
    return {"reference": text}


@pytest.mark.parametrize(
    ("resource", "told"),
    [
        ({"resourceType": "Patient", "id": "7"}, ["Patient/7"]),
        ({"resourceType": "Observation", "subject": ref("Patient/7")}, ["Patient/7"]),
        ({"resourceType": "Observation", "subject": ref("Patient/7/_history/2")}, ["Patient/7"]),
        ({"resourceType": "Observation", "subject": ref(f"{BASE}/Patient/7")}, ["Patient/7"]),
        ({"resourceType": "Observation", "subject": ref("http://fhir.example/r4/Patient/7")}, ["Patient/7"]),
        (
            {"resourceType": "Observation", "subject": ref("https://other.example/Patient/7")},
            ["https://other.example/Patient/7"],
        ),
        ({"resourceType": "Observation", "subject": ref("urn:uuid:7")}, ["urn:uuid:7"]),
        ({"resourceType": "Observation", "subject": ref("#p")}, ["#p"]),
        ({"resourceType": "Observation", "subject": ref("Group/g")}, ["Group/g"]),
        ({"resourceType": "Observation", "subject": ref("Location/ward")}, []),
        ({"resourceType": "Observation", "subject": ref("Device/pump")}, []),
        ({"resourceType": "Observation", "subject": {"identifier": {"value": "7"}}}, []),
        ({"resourceType": "Observation", "subject": ref(7)}, []),
        ({"resourceType": "Observation", "subject": "Patient/7"}, []),
        ({"resourceType": "Observation", "performer": [ref("Patient/7")]}, []),
        (
            {"resourceType": "Account", "subject": [ref("Patient/7"), ref("Device/d"), ref("Patient/8")]},
            ["Patient/7", "Patient/8"],
        ),
        ({"resourceType": "Coverage", "beneficiary": ref("Patient/7")}, ["Patient/7"]),
        ({"resourceType": "ResearchSubject", "individual": ref("Patient/7")}, ["Patient/7"]),
        ({"resourceType": "Binary", "securityContext": ref("Patient/7")}, ["Patient/7"]),
        ({"resourceType": "Provenance", "target": [ref("Observation/1"), ref("Patient/7")]}, ["Patient/7"]),
        ({"resourceType": "Observation", "target": ref("Patient/7")}, []),
        ({"resourceType": "Task", "for": ref("RelatedPerson/m")}, ["RelatedPerson/m"]),
        ({}, []),
    ],
)
def test_owners(resource: dict[str, Any], told: list[str]) -> None:
    assert list(owners(resource, (BASE,))) == told


def test_targets_are_of_this_server_or_nobodys() -> None:
    resource = {"target": [ref("Observation/1/_history/2"), ref(f"{BASE}/Condition/2"), ref("urn:uuid:1"), None, {}]}
    assert targets(resource, "target", (BASE,)) == ("Observation/1", "Condition/2", None)
