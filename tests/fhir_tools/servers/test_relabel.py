"""Names of resources over several servers: no two share one, and each finds back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools.errors import SourceError
from fhir_tools.scope import addresses
from fhir_tools.servers.relabel import Labels
from fhir_tools.types import Reference

A, B = "https://a.example/fhir", "https://b.example/r4"
LABELS = Labels(labels=("a", "b"), bases={"a": A, "b": B})
IDS = st.from_regex(addresses.ID, fullmatch=True) | st.sampled_from(
    ["a.1", "b.1", "a.a.1", "b.", ".b", "a", "b", "a.b.1", "b..."]
)


@pytest.mark.parametrize("label", ["", "A", "1a", "a-b", "a.b", "x" * 13, "ä"])
def test_a_label_is_short_and_plain(label: str) -> None:
    with pytest.raises(ValueError, match="label"):
        Labels(labels=(label,), bases={})


@pytest.mark.parametrize(
    ("label", "id_", "inside"),
    [
        ("a", "7", "7"),
        ("b", "7", "b.7"),
        ("a", "b.7", "a.b.7"),
        ("a", "a.7", "a.a.7"),
        ("b", "b.7", "b.b.7"),
        ("a", "c.7", "c.7"),
        ("a", "b..", "b.."),
    ],
)
def test_ids_by_example(label: str, id_: str, inside: str) -> None:
    assert LABELS.inside(label, id_) == inside
    assert LABELS.outside(inside) == (label, id_)


@given(st.sampled_from("ab"), IDS)
def test_every_id_finds_back(label: str, id_: str) -> None:
    assert LABELS.outside(LABELS.inside(label, id_)) == (label, id_)


@given(st.sampled_from("ab"), IDS, st.sampled_from("ab"), IDS)
def test_no_two_resources_share_a_name(one: str, id_: str, other: str, id2: str) -> None:
    assert (LABELS.inside(one, id_) == LABELS.inside(other, id2)) == ((one, id_) == (other, id2))


@pytest.mark.parametrize(
    ("label", "url", "inside"),
    [
        ("a", "Patient/7", "Patient/7"),
        ("b", "Patient/7", "Patient/b.7"),
        ("b", "Patient/7/_history/2", "Patient/b.7/_history/2"),
        ("b", f"{B}/Patient/7", "Patient/b.7"),
        ("b", f"{A}/Patient/7", "Patient/7"),
        ("a", f"{B}/Patient/7/_history/2", "Patient/b.7/_history/2"),
        ("a", "http://A.example:80/fhir/Patient/7", "Patient/7"),
        ("b", "https://elsewhere.example/fhir/Patient/7", "https://elsewhere.example/fhir/Patient/7"),
        ("b", "https://b.example/r4x/Patient/7", "https://b.example/r4x/Patient/7"),
        ("b", "#contained", "#contained"),
        ("b", "urn:uuid:7", "urn:uuid:7"),
        ("b", "see the letter", "see the letter"),
        ("b", "", ""),
        ("b", "Patient/7/$everything?_count=5", "Patient/b.7/$everything?_count=5"),
    ],
)
def test_references(label: str, url: str, inside: str) -> None:
    assert LABELS.url_inside(label, url) == inside


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("Patient/7", ("a", "Patient/7")),
        ("Patient/b.7/$everything?x=1", ("b", "Patient/7/$everything?x=1")),
        (f"{B}/Binary/7", ("b", "Binary/7")),
        ("Binary/a.b.7", ("a", "Binary/b.7")),
        ("https://elsewhere.example/x", None),
        ("nonsense", ("a", "nonsense")),
    ],
)
def test_urls_go_back_to_their_server(url: str, expected: tuple[str, str] | None) -> None:
    assert LABELS.url_outside(url) == expected


def test_a_resource_is_renamed_throughout() -> None:
    resource: dict[str, Any] = {
        "resourceType": "DocumentReference",
        "id": "d1",
        "subject": {"reference": "Patient/7", "identifier": {"value": "Patient/7"}},
        "custodian": {"reference": f"{A}/Organization/o"},
        "contained": [
            {"resourceType": "Practitioner", "id": "p", "qualification": [{"issuer": {"reference": "Organization/o"}}]}
        ],
        "author": [{"reference": "#p"}, {"reference": "https://elsewhere.example/Practitioner/9"}],
        "content": [
            {"attachment": {"url": "Binary/x"}},
            {"attachment": {"url": f"{B}/Binary/y"}},
            {"attachment": {"url": "files/z.pdf"}},
        ],
        "extension": [{"url": "Patient/7", "valueString": "Patient/7"}],
    }
    told = LABELS.resource("b", resource)
    assert told["id"] == "b.d1"
    assert told["subject"] == {"reference": "Patient/b.7", "identifier": {"value": "Patient/7"}}
    assert told["custodian"] == {"reference": "Organization/o"}
    assert told["contained"][0]["id"] == "p"
    assert told["contained"][0]["qualification"][0]["issuer"] == {"reference": "Organization/b.o"}
    assert [a["reference"] for a in told["author"]] == ["#p", "https://elsewhere.example/Practitioner/9"]
    assert [c["attachment"]["url"] for c in told["content"]] == ["Binary/b.x", "Binary/b.y", f"{B}/files/z.pdf"]
    assert told["extension"] == resource["extension"]
    assert resource["id"] == "d1" and resource["subject"]["reference"] == "Patient/7"


def test_a_bundle_is_renamed_entry_by_entry() -> None:
    entry = {
        "fullUrl": f"{B}/Observation/1",
        "resource": {"resourceType": "Observation", "id": "1", "subject": {"reference": "Patient/7"}},
    }
    told = LABELS.resource(
        "b", {"resourceType": "Bundle", "entry": [entry, {"fullUrl": "urn:uuid:1", "resource": None}]}
    )
    assert told["entry"][0] == {
        "fullUrl": "Observation/b.1",
        "resource": {"resourceType": "Observation", "id": "b.1", "subject": {"reference": "Patient/b.7"}},
    }
    assert told["entry"][1]["fullUrl"] == "urn:uuid:1"


@given(IDS, st.sampled_from("ab"))
def test_a_first_servers_resource_without_odd_ids_stays_as_it_is(id_: str, label: str) -> None:
    resource = {"resourceType": "Observation", "id": id_, "subject": {"reference": f"Patient/{id_}"}}
    told = LABELS.resource(label, resource)
    assert LABELS.original(Reference(type="Patient", id=told["subject"]["reference"][8:])) == (
        label,
        Reference(type="Patient", id=id_),
    )
    if label == "a" and id_.partition(".")[0] not in ("a", "b"):
        assert told == resource


def test_a_resource_nested_without_end_is_refused() -> None:
    deep: dict[str, Any] = {"reference": "Patient/7"}
    for _ in range(900):
        deep = {"extension": [deep]}
    with pytest.raises(SourceError, match=r"b: .*nested"):
        Labels(labels=("a", "b"), bases={}).resource("b", {"resourceType": "Observation", "id": "1", **deep})


def test_a_url_of_a_server_that_is_no_resource_keeps_its_server() -> None:
    labels = Labels(labels=("a", "b"), bases={"a": "https://a.example/fhir", "b": "https://b.example/fhir"})
    for url in ("https://b.example/fhir/files/7.pdf", "https://b.example/fhir/Patient?identifier=7"):
        assert labels.url_inside("b", url) == labels.url_inside("a", url) == url
        attached = {"resourceType": "Media", "id": "1", "content": {"url": url}}
        assert labels.resource("b", attached)["content"]["url"] == url
