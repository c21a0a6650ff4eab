"""The elements that the catalogue asks for: all types, names of R4, and enough for the same facts."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_tools.facts import CATALOGUE_ELEMENTS, KIND_TYPES, facts_of, is_enough
from fhir_tools.search.query import check
from fhir_tools.types import Query


def test_every_type_of_the_catalogue_has_its_elements() -> None:
    assert set(CATALOGUE_ELEMENTS) == {t for types in KIND_TYPES.values() for t in types} - {"Patient"}


@pytest.mark.parametrize("type_", CATALOGUE_ELEMENTS)
def test_they_are_elements_of_r4(type_: str) -> None:
    names = CATALOGUE_ELEMENTS[type_]
    check(Query(type=type_, params=(("_elements", ",".join(names)),)))
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("type_", ["DocumentReference", "DiagnosticReport", "Composition"])
def test_no_body_comes_along(type_: str) -> None:
    assert not {"content", "presentedForm", "section", "text"} & set(CATALOGUE_ELEMENTS[type_])


@pytest.mark.parametrize(
    ("resource", "enough"),
    [
        ({"resourceType": "DocumentReference", "type": {"text": "Note"}}, True),
        ({"resourceType": "DocumentReference", "description": "Letter"}, True),
        ({"resourceType": "DocumentReference"}, False),
        ({"resourceType": "ImagingStudy", "procedureCode": [{"text": "CT"}]}, True),
        ({"resourceType": "ImagingStudy"}, False),
        ({"resourceType": "MedicationRequest", "medicationReference": {"reference": "Medication/a"}}, True),
        ({"resourceType": "MedicationRequest", "medicationReference": {"reference": "#a"}}, False),
        ({"resourceType": "MedicationRequest", "medicationReference": {"reference": "#a"}, "contained": [{}]}, True),
        ({"resourceType": "Observation", "code": {"text": "Sodium"}}, True),
        ({"resourceType": "Observation", "code": {"text": "BP"}, "component": [{"code": {}}]}, False),
        ({"resourceType": "Observation"}, False),
    ],
)
def test_what_is_cut_too_far_is_known(resource: dict[str, Any], enough: bool) -> None:
    assert is_enough(resource, facts_of(resource)) == enough
