"""The fast paths against fhirpathpy: the same on every path of the shipped views, and on resources that are odd."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.cohorts import chart
from fhir_tools.cohort import paths
from fhir_tools.cohort.paths import compile_path, is_fast
from fhir_tools.cohort.views import shipped
from fhir_tools.errors import UserError

pytest.importorskip("fhirpathpy")

RESOURCES = [
    *(r for n in range(12) for r in chart(n)),
    {"resourceType": "Patient", "id": "p", "name": [{"given": ["A", "B"]}, {}], "deceasedBoolean": True},
    {"resourceType": "Observation", "id": "o", "valueCodeableConcept": {"coding": [{"display": "x"}, {"code": "c"}]}},
    {"resourceType": "Condition", "id": "c", "subject": {"reference": "http://a/fhir/Patient/7/_history/2"}},
    {"resourceType": "Condition", "id": "d", "subject": {"reference": "urn:uuid:1"}, "onsetPeriod": {"start": "2020"}},
]
EXTRA = (
    "name.where(use = 'official' and family != 'x').given.first()",
    "name.given.join(', ')",
    "name.given[1]",
    "(gender = 'male') or (gender = 'female')",
    "name.exists().not()",
    "name.empty()",
    "name.where(family.exists()).family",
    "extension('http://x').value.ofType(string)",
    "name.given.count()",
    "Patient.birthDate",
)


def every_path() -> Iterator[tuple[str, str, str]]:
    """Resource type, forEach and path of each column that ships."""
    for view in shipped():
        for select in json.loads(view.source)["select"]:
            for column in select["column"]:
                yield view.resource, select.get("forEach", ""), column["path"]


def test_every_path_of_the_shipped_views_is_fast() -> None:
    assert [p for _, _, p in every_path() if not is_fast(p)] == []


@pytest.mark.slow
def test_equal_to_fhirpathpy_on_the_shipped_views() -> None:
    compared = 0
    for type_, each, path in every_path():
        fast, slow = compile_path(path), paths._reference(path, {})
        for resource in RESOURCES:
            if resource["resourceType"] == type_:
                for node in compile_path(each)(resource) if each else [resource]:
                    assert fast(node) == slow(node), path
                    compared += 1
    assert compared > 5_000


@pytest.mark.parametrize("path", EXTRA)
def test_equal_to_fhirpathpy_on_others(path: str) -> None:
    assert is_fast(path)
    fast, slow = compile_path(path), paths._reference(path, {})
    for resource in RESOURCES:
        if resource["resourceType"] == "Patient":
            assert fast(resource) == slow(resource)


@given(
    st.dictionaries(
        st.sampled_from(("name", "gender", "id")), st.none() | st.booleans() | st.text() | st.lists(st.text())
    )
)
def test_odd_shapes_do_not_raise(body: dict[str, Any]) -> None:
    for path in ("name.given.first()", "gender", "name.where(use = 'a').family", "getResourceKey()"):
        assert isinstance(compile_path(path)({"resourceType": "Patient", **body}), list)


def test_what_is_not_fast_goes_to_fhirpathpy() -> None:
    path = "name.given.select($this & '!').first()"
    assert not is_fast(path)
    assert compile_path(path)({"resourceType": "Patient", "name": [{"given": ["A"]}]}) == ["A!"]


def test_constants_are_values_and_unknown_ones_are_refused() -> None:
    assert compile_path("name.where(use = %u).family", {"u": "usual"})({"name": [{"use": "usual", "family": "F"}]}) == [
        "F"
    ]
    with pytest.raises(UserError, match="%nothing"):
        compile_path("name.where(use = %nothing)")


@pytest.mark.parametrize("path", ["name.(", "a..b", "name.where(", "'open"])
def test_what_is_no_fhirpath_is_refused(path: str) -> None:
    with pytest.raises(UserError, match="no FHIRPath"):
        compile_path(path)


@pytest.mark.parametrize(
    ("reference", "type_", "key"),
    [
        ("Patient/1", "Patient", ["1"]),
        ("Group/1", "Patient", []),
        ("http://s/fhir/Patient/1/_history/3", "", ["1"]),
        ("#c", "", []),
    ],
)
def test_reference_keys(reference: str, type_: str, key: list[str]) -> None:
    node = {"subject": {"reference": reference}}
    assert compile_path(f"subject.getReferenceKey({type_})")(node) == key
