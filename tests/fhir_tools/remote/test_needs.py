"""What each kind of question needs, against statements and profiles."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fhir_tools.auth import Scopes
from fhir_tools.profiles import names, profile
from fhir_tools.remote.findings import Need
from fhir_tools.remote.needs import ASPECTS, TYPES, lacking, needs, offers, questions
from fhir_tools.remote.statement import Statement

FULL = Statement(
    declared=True,
    search={
        t: frozenset(("patient", "_id", "code", "category", "date", "vaccine-code", "type", "authoredon", "effective"))
        for t in TYPES
    },
    includes={t: frozenset((f"{t}:medication",)) for t in TYPES},
    interactions={t: frozenset(("read", "search-type")) for t in (*TYPES, "Binary", "Medication")},
    system=frozenset(("batch",)),
)


def by_type(found: tuple[Need, ...]) -> dict[str, Need]:
    return {need.type: need for need in found}


@pytest.mark.parametrize("name", names())
def test_every_profile_can_be_told(name: str) -> None:
    """No profile makes a search that is wrong, and none makes a type unusable that the server offers by patient."""
    for statement in (FULL, Statement()):
        found = needs(statement, profile(name), None)
        assert [n.type for n in found] == list(TYPES)
        assert all(set(n.abilities) <= set(ASPECTS) for n in found)
        assert by_type(found)["Patient"].usable and by_type(found)["Observation"].usable
        told = [*questions(found), *offers(statement, profile(name), None)]
        assert {f.level for f in told} <= {"good", "note", "poor"} and all(f.text for f in told)


def test_a_server_that_has_everything() -> None:
    found = needs(FULL, profile("generic"), None)
    assert by_type(found)["MedicationRequest"].abilities == dict.fromkeys(ASPECTS, "server")
    assert [f.level for f in questions(found)] == ["good"]
    assert {f.level for f in offers(FULL, profile("generic"), None)} <= {"good", "note"}


def test_what_the_server_does_not_filter_is_filtered_here() -> None:
    bare = replace(FULL, search=dict.fromkeys(TYPES, frozenset(("patient", "_id"))), includes={})
    found = by_type(needs(bare, profile("generic"), None))
    assert found["Observation"].abilities["code"] == found["Observation"].abilities["date"] == "here"
    assert found["MedicationRequest"].abilities["_include"] == "here" and found["Observation"].usable


def test_a_type_without_a_search_by_patient_cannot_be_used() -> None:
    less = replace(FULL, search={**FULL.search, "Condition": frozenset(("code",))})
    need = by_type(needs(less, profile("generic"), None))["Condition"]
    assert not need.usable and "by patient" in need.reason and need.abilities == {"patient": "no"}
    (poor,) = [f for f in questions(needs(less, profile("generic"), None)) if f.level == "poor"]
    assert poor.text.startswith("conditions and problems: not answered") and poor.remedy


def test_scopes_of_version_1_are_asked_for_as_such() -> None:
    granted = Scopes.parse("user/Patient.read user/Observation.read")
    found = needs(FULL, profile("generic"), granted)
    assert by_type(found)["Goal"].scope == "user/Goal.read" and by_type(found)["Observation"].usable
    (asked,) = lacking(found, granted)
    assert (
        "user/Goal.read" in asked.remedy and "user/Binary.read" in asked.remedy and "user/Patient" not in asked.remedy
    )


def test_nothing_is_lacking_where_all_is_granted_or_nothing_is_known() -> None:
    for granted in (Scopes.parse("patient/*.rs"), None):
        found = needs(FULL, profile("generic"), granted)
        assert list(lacking(found, granted)) == [] and not any(n.scope or n.part for n in found)
