"""Parts of a resource by `_elements` and `_summary`."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_tools.search.control import Control
from fhir_tools.search.definitions import R4_TYPES, elements
from fhir_tools.search.subset import subset, with_elements

ALWAYS = {"resourceType", "id", "meta"}
PANEL: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "o",
    "meta": {"tag": [{"code": "mine"}]},
    "text": {"div": "<div/>"},
    "status": "final",
    "_status": {"id": "s"},
    "code": {"text": "Panel"},
    "effectivePeriod": {"start": "2012"},
    "note": [{"text": "x"}],
    "modifierExtension": [{"url": "urn:m"}],
    "component": [
        {"id": "1", "code": {"text": "A"}, "valueQuantity": {"value": 1}, "interpretation": [{"text": "high"}]},
        {"code": {"text": "B"}, "dataAbsentReason": {"text": "none"}, "referenceRange": [{"text": "to 5"}]},
    ],
}


def test_the_summary_goes_down_into_elements() -> None:
    short = subset(PANEL, Control(summary="true"))
    assert set(short) == ALWAYS | {"status", "_status", "code", "effectivePeriod", "component", "modifierExtension"}
    assert [set(part) for part in short["component"]] == [{"id", "code", "valueQuantity"}, {"code"}]
    assert short["component"][0]["valueQuantity"] == {"value": 1}


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"effective"}, {"effectivePeriod"}),
        ({"effectivePeriod"}, {"effectivePeriod"}),
        ({"effectiveDateTime"}, set()),
        ({"note", "component"}, {"note", "component"}),
        ({"text"}, {"text"}),
    ],
)
def test_elements_keep_what_is_mandatory_and_what_changes_meaning(fields: set[str], kept: set[str]) -> None:
    short = with_elements(PANEL, fields)
    assert set(short) == ALWAYS | {"status", "_status", "code", "modifierExtension"} | kept


def test_a_part_is_marked_once_more_and_the_whole_is_left_alone() -> None:
    assert [tag["code"] for tag in subset(PANEL, Control(summary="data"))["meta"]["tag"]] == ["mine", "SUBSETTED"]
    assert "text" not in subset(PANEL, Control(summary="data"))
    assert subset(PANEL, Control()) == PANEL
    assert len(PANEL["meta"]["tag"]) == 1


def test_what_is_not_shaped_as_it_should_be_is_left_as_it_is() -> None:
    broken = {"resourceType": "Observation", "meta": {"tag": "x"}, "component": ["x", {"code": 1}], "status": None}
    short = subset(broken, Control(summary="true"))
    assert short["component"] == ["x", {"code": 1}] and short["meta"]["tag"][0]["code"] == "SUBSETTED"
    assert subset({"resourceType": "Planet", "size": 1}, Control(summary="true"))["size"] == 1


def test_the_elements_are_those_of_the_models() -> None:
    """R4B differs from R4 in few types; where both have one, the summary and mandatory elements are the same."""
    from fhir.resources.R4B import get_fhir_model_class

    for type_ in ("Observation", "Condition", "Patient", "MedicationRequest", "Encounter", "DiagnosticReport"):
        model = get_fhir_model_class(type_)
        known = elements(type_)
        summary = {known.base(name) for name in model.summary_elements_sequence()}
        assert {name for name in known.summary if "." not in name} == summary
        fields = {known.base(f.alias or n) for n, f in model.model_fields.items() if not (f.alias or n).startswith("_")}
        assert known.top == fields - {"resourceType", "fhir_comments", "resource_type"}
    assert all(elements(t).top for t in R4_TYPES - {"CatalogEntry"} if elements(t).summary)
