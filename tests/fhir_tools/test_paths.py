"""Elements by their paths: what is listed is found again, and labels are words."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools import demo, paths
from fhir_tools.facts import facts_of

A1C = {
    "resourceType": "Observation",
    "id": "a1c",
    "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4", "display": "A1c"}], "text": "A1c"},
    "valueQuantity": {"value": 6.9, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"},
    "component": [
        {"code": {"text": "first"}, "valueString": "one"},
        {"code": {"text": "second"}, "valueQuantity": {"value": 2, "unit": "kg"}},
    ],
    "contentType": "no choice",
}

names = st.sampled_from(["code", "value", "item", "valueString", "reference", "start", "display", "a1"])
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=300))
json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=4)),
    max_leaves=25,
)
resources = st.dictionaries(names, json_values, max_size=6).map(lambda r: {"resourceType": "Basic", **r})


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("Observation.valueQuantity", ["Observation.valueQuantity"]),
        ("Observation.value", ["Observation.valueQuantity"]),
        ("Observation.component", ["Observation.component[0]", "Observation.component[1]"]),
        ("Observation.component[1].value", ["Observation.component[1].valueQuantity"]),
        ("Observation.component.valueString", ["Observation.component[0].valueString"]),
        ("Observation.component[2]", []),
        ("Observation.valueQuantity[0]", ["Observation.valueQuantity"]),
        ("Observation.valueQuantity[1]", []),
        ("Observation.content", []),
        ("Observation.missing.value", []),
        ("Condition.code", []),
        ("Observation", ["Observation"]),
    ],
)
def test_a_path_names_elements(path: str, found: list[str]) -> None:
    assert [where for where, _ in paths.at(A1C, path)] == found


@pytest.mark.parametrize("path", ["", "Observation.", "Observation.value Quantity", "a[b]", "x" + ".y" * 60, "A.b[-1]"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="no path"):
        paths.at(A1C, path)


@given(resources)
def test_every_leaf_is_found_by_its_path(resource: dict[str, Any]) -> None:
    for leaf in paths.leaves(resource):
        (where, _), *others = paths.at(resource, leaf.path)
        assert where == leaf.path
        assert others == []
        assert paths.is_below(leaf.path, leaf.path)
        assert not paths.is_below(f"{leaf.path}x", leaf.path)


@given(resources, st.text(max_size=40))
def test_any_path_is_answered_or_refused(resource: dict[str, Any], path: str) -> None:
    try:
        found = paths.at(resource, path)
    except ValueError:
        return
    assert all(where.startswith("Basic") for where, _ in found)


def test_a_demo_chart_is_cited_where_it_says_it() -> None:
    """Every path of a fact with a value leads to an element."""
    import gzip

    for file in demo.paths():
        for entry in orjson.loads(gzip.decompress(file.read_bytes()))["entry"]:
            for fact in facts_of(entry["resource"]):
                assert fact.value is None or paths.at(entry["resource"], fact.path), fact.path


def test_leaves_are_told_in_words() -> None:
    told = {leaf.path: (leaf.label, leaf.text) for leaf in paths.leaves(A1C)}
    assert told["Observation.code.coding[0]"] == ("Code", "A1c · 4548-4 · LOINC")
    assert "Observation.code.text" not in told
    assert told["Observation.valueQuantity"] == ("Value", "6.9 %")
    assert told["Observation.component[1].valueQuantity"] == ("Component 2 › Value", "2 kg")
    assert told["Observation.contentType"] == ("Content type", "no choice")


@pytest.mark.parametrize(
    ("system", "text"),
    [
        ("http://terminology.hl7.org/CodeSystem/observation-category", "laboratory"),
        ("http://hl7.org/fhir/observation-status", "laboratory"),
        ("http://hl7.org/fhir/sid/ndc", "laboratory · NDC"),
        ("http://hl7.org/fhir/sid/other", "laboratory · other"),
        ("http://hospital.example/codes", "laboratory · codes"),
    ],
)
def test_a_code_of_fhir_itself_is_told_without_its_system(system: str, text: str) -> None:
    category = [{"coding": [{"system": system, "code": "laboratory"}]}]
    (leaf,) = paths.leaves({"resourceType": "Observation", "category": category})
    assert leaf.text == text


def test_long_and_deep_values_are_cut() -> None:
    deep: Any = "bottom"
    for _ in range(60):
        deep = {"item": deep}
    long, nested = paths.leaves({"resourceType": "Basic", "data": "x" * 5000, "nested": deep})
    assert not long.whole
    assert long.text.endswith("(5,000 characters)")
    assert "too deeply" in nested.text


def test_references_are_links() -> None:
    (leaf,) = paths.leaves({"resourceType": "Basic", "subject": {"reference": "Patient/p", "display": "Ann"}})
    assert (leaf.text, leaf.link) == ("Ann (Patient/p)", "Patient/p")


def test_systems_are_told_by_their_names_and_never_by_their_addresses() -> None:
    resource = {
        "resourceType": "ImagingStudy",
        "identifier": [{"system": "urn:dicom:uid", "value": "urn:oid:1.2.3"}, {"value": "A 7"}],
        "modality": [{"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "US"}],
        "reasonCode": [{"coding": [{"system": "https://ehr.example/codes/local/", "code": "x"}]}],
    }
    assert [leaf.text for leaf in paths.leaves(resource)] == [
        "urn:oid:1.2.3 · DICOM UID", "A 7", "US · DICOM", "x · local",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("2023-12-20T12:55:00-05:00", "2023-12-20 12:55 (UTC-05:00)"),
        ("2023-12-20T12:55:30.250Z", "2023-12-20 12:55:30.250 (UTC)"),
        ("2023-12-20T12:55Z", "2023-12-20 12:55 (UTC)"),
        ("2023-12-20", "2023-12-20"),
        ("2023", "2023"),
        ("seen 2023-12-20T12:55:00Z", "seen 2023-12-20T12:55:00Z"),
    ],
)
def test_a_moment_is_told_as_people_write_it(written: str, told: str) -> None:
    assert paths.text_at(written) == told
    assert paths.text_at({"start": written, "end": "2024-01-02"}) == f"{told} to 2024-01-02"
