"""CapabilityStatements as real servers write them: whole, sparse, odd, of another version, or none at all."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools.errors import SourceError
from fhir_tools.remote.statement import Statement, read_statement


def statement(**more: Any) -> dict[str, Any]:
    return {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", **more}


def test_what_the_planner_needs_is_read() -> None:
    read = read_statement(
        statement(
            publisher="A hospital",
            software={"name": "Server", "version": "9"},
            implementation={"url": "https://ehr.example/r4/"},
            format=["json", "application/fhir+JSON"],
            rest=[
                {
                    "mode": "server",
                    "interaction": [{"code": "batch"}, {"code": "search-system"}],
                    "searchParam": [{"name": "_id"}, {"name": "_lastUpdated"}],
                    "operation": [{"name": "export", "definition": "http://hl7.org/x/OperationDefinition/export"}],
                    "resource": [
                        {
                            "type": "Observation",
                            "interaction": [{"code": "read"}, {"code": "search-type"}],
                            "searchParam": [{"name": "code", "type": "token"}],
                            "searchInclude": ["Observation:subject", "*"],
                            "searchRevInclude": ["Provenance:target"],
                        },
                        {
                            "type": "Patient",
                            "operation": [
                                {"name": "$everything"},
                                {"definition": "http://hapi/OperationDefinition/Patient-it-match|1"},
                                {"definition": {"reference": "OperationDefinition/Patient-i-summary"}},
                            ],
                        },
                    ],
                }
            ],
        )
    )
    assert read == Statement(
        declared=True,
        fhir_version="4.0.1",
        software="Server",
        software_version="9",
        publisher="A hospital",
        base="https://ehr.example/r4",
        search={"Observation": frozenset(("code", "_id", "_lastUpdated")), "Patient": frozenset()},
        includes={"Observation": frozenset(("Observation:subject", "*")), "Patient": frozenset()},
        revincludes={"Observation": frozenset(("Provenance:target",)), "Patient": frozenset()},
        interactions={"Observation": frozenset(("read", "search-type")), "Patient": frozenset()},
        system=frozenset(("batch", "search-system")),
        operations=frozenset(("$export", "Patient/$everything", "Patient/$match", "Patient/$summary")),
        formats=frozenset(("json", "application/fhir+json")),
    )


def test_several_rest_entries_are_one_server_and_a_clients_entry_is_none() -> None:
    read = read_statement(
        statement(
            rest=[
                {"mode": "client", "resource": [{"type": "Patient", "searchParam": [{"name": "name"}]}]},
                {"mode": "server", "resource": [{"type": "Patient", "searchParam": [{"name": "_id"}]}]},
                {"resource": [{"type": "Patient", "searchParam": [{"name": "family"}]}]},
            ]
        )
    )
    assert read.search == {"Patient": frozenset(("_id", "family"))}


def test_security_services_and_the_smart_extension() -> None:
    smart = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
    ends = [
        {"url": "token", "valueUri": "https://ehr.example/token"},
        {"url": "authorize", "valueUrl": "https://ehr.example/authorize"},
        {"url": "introspect"},
    ]
    services = [{"coding": [{"code": "OAuth"}, {"display": "Basic"}]}, {"text": "Certificates"}]
    read = read_statement(
        statement(rest=[{"security": {"service": services, "extension": [{"url": smart, "extension": ends}]}}])
    )
    assert read.security == {"OAuth", "Basic", "Certificates", "SMART-on-FHIR"}
    assert read.oauth == {"token": "https://ehr.example/token", "authorize": "https://ehr.example/authorize"}
    assert not read.declared


@pytest.mark.parametrize("version", ["4.0.0", "4.0.1", "4.1.0", "4.3.0", "4.3.0-cibuild", "4.0", "R4", "", None])
def test_r4_and_r4b_are_read(version: Any) -> None:
    assert read_statement(statement(fhirVersion=version, rest=[{"resource": [{"type": "Patient"}]}])).declared


@pytest.mark.parametrize(
    ("resource", "told"),
    [
        (statement(fhirVersion="3.0.1"), "3.0.1 (STU3)"),
        (statement(fhirVersion="3.0.2"), "3.0.2 (STU3)"),
        (statement(fhirVersion="5.0.0"), "5.0.0 (R5)"),
        (statement(fhirVersion="4.6.0"), "4.6.0 (an R5 ballot)"),
        (statement(fhirVersion="6.0.0-ballot2"), "(R6)"),
        ({"resourceType": "Conformance"}, "1.0.2 (DSTU2)"),
        ({"resourceType": "Conformance", "fhirVersion": "1.0.1"}, "1.0.1 (DSTU2)"),
    ],
)
def test_another_version_is_refused_with_the_remedy(resource: dict[str, Any], told: str) -> None:
    with pytest.raises(SourceError, match="R4 endpoint") as caught:
        read_statement(resource)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "resource",
    [
        {},
        {"resourceType": "OperationOutcome"},
        statement(),
        statement(rest=None),
        statement(rest="server"),
        statement(rest=[None, 3, {"resource": [{"searchParam": [{"name": "code"}]}, "Patient", None]}]),
    ],
)
def test_what_says_nothing_declares_nothing(resource: dict[str, Any]) -> None:
    read = read_statement(resource)
    assert (read.declared, read.search, read.operations) == (False, {}, frozenset())


def test_single_objects_in_place_of_lists_and_bare_codes_are_taken() -> None:
    one = {"type": "Patient", "interaction": ["read", {"code": "search-type"}], "searchParam": {"name": " _id "}}
    read = read_statement(statement(software=[{"name": "S"}], format="json", rest={"resource": one}))
    assert read.search == {"Patient": frozenset(("_id",))}
    assert read.interactions == {"Patient": frozenset(("read", "search-type"))}
    assert (read.software, read.formats) == ("S", frozenset(("json",)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    "rest resource searchParam name type mode security service coding code text extension url valueUri operation "
    "definition interaction searchInclude format software implementation publisher documentation".split()
)
ODD = st.recursive(
    JSON, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=30
)


@given(st.dictionaries(KEYS, ODD))
def test_no_shape_breaks_the_reading(content: dict[str, Any]) -> None:
    read = read_statement(statement(**content))
    assert read.declared == bool(read.search)
    assert all(isinstance(name, str) and name for names in read.search.values() for name in names)
