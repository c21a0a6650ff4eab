"""FHIR searches as text and as checked parameters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools.errors import QueryError
from fhir_tools.search import query
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
        ("Observation?combo-code-value-quantity:missing=true", "missing"),
        ("Observation?combo-code-value-quantity=1", "combo-code[$]combo-value-quantity"),
        ("Observation?combo-code-value-quantity=1$much", "not a number"),
        ("Observation?code-value-quantity=1$", "code-value-quantity"),
        ("Observation?value-quantity=much", "value-quantity.*not a quantity|not a number"),
        ("Observation?date=2012-13", "date.*YYYY"),
        ("Observation?code=a|b|c", "code.*token"),
        ("Observation?code:of-type=a|b|c", "of-type"),
        ("Observation?identifier:of-type=a|b", "system.code.value"),
        ("Observation?subject:Patient=Group/1", "another type"),
        ("Observation?_sort=colour", "colour"),
        ("Observation?_sort=code-value-quantity", "code-value-quantity"),
        ("Observation?_total=some", "_total"),
        ("Observation?_summary=some", "_summary"),
        ("Observation?_elements=colour", "colour"),
        ("Observation?_elements=component.code", "component.code"),
        ("Observation?_elements=status&_summary=true", "_elements"),
        ("Observation?_count=few", "_count"),
        ("Observation?_count=²", "_count"),
        ("Observation?_text=x", "_text"),
        ("Observation?_content=x", "_content"),
        ("Observation?_filter=x", "_filter"),
        ("Observation?_list=x", "_list"),
        ("Observation?_query=x", "_query"),
        ("Observation?_contained=both", "_contained"),
        ("Observation?_containedType=container", "_containedType"),
        ("Observation?_type=Patient", "_type"),
        ("Observation?_sort:desc=date", "_sort:desc"),
        ("Observation?_score=1", "_score"),
        ("Location?near=1", "near"),
        ("Patient?phonetic=x", "phonetic"),
        ("?_type=Planet", "Planet"),
        ("?_type=Patient,Observation&gender=male", "Observation has no search parameter 'gender'"),
        ("?_type=Patient,Observation&_sort=gender", "gender"),
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
        DocumentReference ImagingStudy FamilyMemberHistory ServiceRequest CarePlan Goal Device Media Composition Claim
        Practitioner PractitionerRole Group Substance Organization Location Specimen Endpoint EpisodeOfCare Coverage
        ExplanationOfBenefit QuestionnaireResponse ResearchStudy ResearchSubject CareTeam Communication Consent Flag
        List Provenance RelatedPerson""".split()
    for type_ in types:
        own = {n: p for n, p in query.parameters(type_).items() if not n.startswith("_")}
        assert own, type_
        assert "medication" not in own or own["medication"].targets == ("Medication",)
        kinds = {"token", "date", "string", "reference", "quantity", "number", "uri", "composite"}
        assert {p.type for p in own.values()} <= kinds
        assert all(bool(p.components) == (p.type == "composite") for p in own.values())
        assert {t for p in own.values() for t in p.targets} <= query.R4_TYPES | {"Patient"}
        assert {"_id", "_lastUpdated", "_tag", "_profile", "_security"} <= set(query.parameters(type_))


def test_the_table_names_elements_that_r4_has() -> None:
    from fhir.resources.R4B import get_fhir_model_class

    for type_ in ("Observation", "Condition", "Encounter", "MedicationRequest", "DocumentReference", "ImagingStudy"):
        fields = {f.alias or n for n, f in get_fhir_model_class(type_).model_fields.items()}
        specs = [(p, path) for p in query.parameters(type_).values() for path in p.paths]
        specs += [(c, path) for p in query.parameters(type_).values() if () in p.paths for c in p.components
                  for path in c.paths]  # fmt: skip
        assert [path for _, path in specs if path and path[0].partition("[")[0] not in fields] == []


def test_a_search_of_the_whole_system_names_its_types() -> None:
    asked = query.parse("?_type=Patient,Group&_lastUpdated=ge2020&identifier=1")
    filters, result = query.check(asked)
    assert asked.type == "" and [p.name for p in filters] == ["_lastUpdated", "identifier"]
    assert result == {"_type": ("Patient,Group",)}
    assert [p.name for p in query.check(Query(type="", params=(("_id", "1"),)))[0]] == ["_id"]


def test_a_wrong_value_is_named_by_its_parameter_and_not_told() -> None:
    with pytest.raises(QueryError, match="birthdate") as refused:
        query.check(query.parse("Patient?birthdate=13.3.1970"))
    assert "1970" not in str(refused.value)


def test_composites_tell_their_components() -> None:
    spec = query.parameters("Observation")["combo-code-value-quantity"]
    assert spec.paths == ((), ("component",))
    assert [(c.name, c.type, c.paths) for c in spec.components] == [
        ("combo-code", "token", (("code",),)),
        ("combo-value-quantity", "quantity", (("valueQuantity",),)),
    ]


@pytest.mark.parametrize("text", ["http://[", "https://[::1/Observation?x=y", "//[x]/Observation"])
def test_an_address_that_is_none_is_no_search(text: str) -> None:
    with pytest.raises(QueryError, match="not a FHIR search"):
        query.parse(text)
