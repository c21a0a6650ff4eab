"""FHIR searches as text and as checked parameters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools import query
from fhir_tools.errors import QueryError
from fhir_tools.types import Query

NAMES = st.text(st.sampled_from("abcdefghij-_:."), min_size=1, max_size=12)
VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=6))
def test_a_query_survives_its_url(params: list[tuple[str, str]]) -> None:
    asked = Query(type="Observation", params=tuple(params))
    assert query.parse(query.to_url(asked)) == asked


@given(VALUES)
def test_an_escaped_literal_is_one_value_and_comes_back(text: str) -> None:
    assert query.split_value(query.escape(text)) == (query.escape(text),)
    assert query.split_value(query.escape(text), "|") == (query.escape(text),)
    assert query.unescape(query.escape(text)) == text


@given(st.lists(VALUES, min_size=1, max_size=5))
def test_joined_values_split_again(texts: list[str]) -> None:
    assert [query.unescape(v) for v in query.split_value(",".join(map(query.escape, texts)))] == texts


@pytest.mark.parametrize(
    ("text", "type_", "params"),
    [
        ("Observation", "Observation", ()),
        ("/Observation?", "Observation", ()),
        (
            "https://x.test/fhir/r4/Observation?code=a%7Cb&date=ge2012",
            "Observation",
            (("code", "a|b"), ("date", "ge2012")),
        ),
        ("Patient?name=M%C3%BCller%20A", "Patient", (("name", "Müller A"),)),
        (r"Patient?name=a\,b,c", "Patient", (("name", r"a\,b,c"),)),
        ("Patient?name=", "Patient", (("name", ""),)),
    ],
)
def test_parse(text: str, type_: str, params: tuple[tuple[str, str], ...]) -> None:
    assert query.parse(text) == Query(type=type_, params=params)


@pytest.mark.parametrize(
    "text", ["", "?_id=1", "observation?code=1", "Patient/1", "https://x.test/", "Observation/$lastn"]
)
def test_what_is_no_type_search_is_refused(text: str) -> None:
    with pytest.raises(QueryError):
        query.parse(text)


@pytest.mark.parametrize(
    ("value", "prefix", "rest"),
    [
        ("ge2012-01", "ge", "2012-01"),
        ("2012", "eq", "2012"),
        ("ap-3.5", "ap", "-3.5"),
        ("sa.5", "sa", ".5"),
        ("legacy", "eq", "legacy"),
        ("ge", "eq", "ge"),
    ],
)
def test_prefixes(value: str, prefix: str, rest: str) -> None:
    assert query.with_prefix(value) == (prefix, rest)


def test_check_separates_filters_from_result_parameters() -> None:
    asked = query.parse("Observation?code:not=a,b&subject:Patient=1&_sort=-date&_count=5&_include=Observation:subject")
    filters, result = query.check(asked)
    assert [(p.name, p.modifier, p.values) for p in filters] == [
        ("code", "not", ("a", "b")),
        ("subject", "Patient", ("1",)),
    ]
    assert result == {"_sort": ("-date",), "_count": ("5",), "_include": ("Observation:subject",)}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Observation?colour=red", "colour"),
        ("Observation?code:above=1", "above"),
        ("Observation?date:exact=2012", "exact"),
        ("Observation?subject:Planet=1", "Planet"),
        ("Observation?subject.name=x", "chained"),
        ("Observation?patient:Patient.name=x", "chained"),
        ("Patient?_has:Observation:patient:code=1", "_has"),
        ("Patient?_revinclude=Observation:patient", "_revinclude"),
        ("Patient?_include:iterate=Patient:link", "_include:iterate"),
        ("Patient?gender:missing=maybe", "maybe"),
        ("Patient?gender=male,", "empty"),
        ("Planet?_id=1", "Planet"),
    ],
)
def test_what_is_not_known_is_named(text: str, named: str) -> None:
    with pytest.raises(QueryError, match=named):
        query.check(query.parse(text))


def test_the_table_covers_the_types_that_chartline_reads() -> None:
    types = """Patient Observation Condition MedicationRequest MedicationStatement MedicationAdministration
        MedicationDispense Medication AllergyIntolerance Immunization Procedure Encounter DiagnosticReport
        DocumentReference ImagingStudy FamilyMemberHistory ServiceRequest CarePlan Goal Device Media Composition Binary
        Practitioner PractitionerRole Organization Location Specimen Endpoint EpisodeOfCare Coverage Claim
        ExplanationOfBenefit QuestionnaireResponse ResearchStudy ResearchSubject CareTeam Communication Consent Flag
        List Provenance""".split()
    for type_ in types:
        own = {n: p for n, p in query.parameters(type_).items() if not n.startswith("_")}
        assert own, type_
        assert "medication" not in own or own["medication"].targets == ("Medication",)
        assert {p.type for p in own.values()} <= {"token", "date", "string", "reference", "quantity", "number", "uri"}
        assert {t for p in own.values() for t in p.targets} <= query.R4_TYPES | {"Patient"}
        assert {"_id", "_lastUpdated", "_tag", "_profile", "_security"} <= set(query.parameters(type_))


def test_the_table_names_elements_that_r4_has() -> None:
    from fhir.resources.R4B import get_fhir_model_class

    for type_ in ("Observation", "Condition", "Encounter", "MedicationRequest", "DocumentReference", "ImagingStudy"):
        fields = {f.alias or n for n, f in get_fhir_model_class(type_).model_fields.items()}
        for spec in query.parameters(type_).values():
            for path in spec.paths:
                first = path[0].removesuffix("*")
                assert any(f == first or (path[0].endswith("*") and f.startswith(first)) for f in fields), (type_, path)
