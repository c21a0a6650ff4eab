"""Every profile is read strictly, chosen rightly, and every one of its rules does what it says."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import MISSING, fields, replace

import pytest

from fhir_tools.errors import Unsupported, UserError
from fhir_tools.profiles import DEFAULT_COUNT, Profile, choose, names, profile, read_profile
from fhir_tools.remote.plan import Plan, plan
from fhir_tools.remote.statement import Statement
from fhir_tools.search.query import parameters, parse

LOINC = "http://loinc.org"


def everything(*types: str) -> Statement:
    """A server that declares every parameter of R4 (so that what is not sent is the profile's doing)."""
    search = {t: frozenset(parameters(t)) for t in types or TYPES}
    return Statement(declared=True, search=search, includes={t: frozenset(("*",)) for t in search})


TYPES = (
    "Patient", "Observation", "Condition", "Procedure", "Immunization", "DiagnosticReport", "DocumentReference",
    "MedicationRequest", "AllergyIntolerance", "Encounter", "Coverage",
)  # fmt: skip


def planned(name: str, text: str, statement: Statement | None = None) -> Plan:
    return plan(parse(text), statement or everything(), profile(name))


def sent(name: str, text: str, statement: Statement | None = None) -> list[str]:
    made = planned(name, text, statement)
    return [re.sub(r"[?&]_count=\d+|[?&]_sort=_lastUpdated", "", str(q)) for q in made.queries]


def counts(name: str, text: str) -> set[str | None]:
    return {dict(q.params).get("_count") for q in planned(name, text).queries}


def left(name: str, text: str) -> list[str]:
    return [p.name for p in planned(name, text).residue]


# The files.


def test_the_names() -> None:
    assert names() == ("aws", "azure", "chartline", "epic", "generic", "google", "hapi", "medplum", "oracle-health")
    with pytest.raises(UserError, match="there are aws, azure"):
        profile("cerner")


@pytest.mark.parametrize("name", names())
def test_every_field_that_is_set_was_set_by_a_rule_with_its_source(name: str) -> None:
    found = profile(name)
    assert found.title
    ruled = {field for rule in found.rules for field in rule.fields}
    for field in fields(Profile):
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        if field.name not in ("name", "title", "recognised", "rules") and getattr(found, field.name) != default:
            assert field.name in ruled
    for rule in found.rules:
        assert rule.text.endswith((".", "here."))
        assert rule.source.startswith(("https://", "docs/"))


@pytest.mark.parametrize("name", names())
def test_the_tables_name_types_and_parameters_of_r4(name: str) -> None:
    found = profile(name)
    for table in (found.lacks, found.adds, found.alone, found.overrides, found.single, found.sorts):
        for type_, params in table.items():
            assert params <= set(parameters("Observation" if type_ == "*" else type_))
    for type_, alternatives in found.require.items():
        assert all(alternative <= set(parameters(type_)) for alternative in alternatives)
    assert found.prefixes <= {"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"}


HEAD = 'name = "x"\ntitle = "X"\n'
RULE = HEAD + '[[rule]]\nname = "r"\ntext = "T."\nsource = "https://x.example"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('name = "y"\ntitle = "X"', "takes its name"),
        ('name = "x"', "a title"),
        (HEAD + "colour = 3", "colour"),
        (HEAD + "elements = true", "not ['elements']"),
        (HEAD + '[[rule]]\nname = "r"\ntext = "T."', "source"),
        (HEAD + '[[rule]]\nname = "r"\ntext = "T."\nsource = "somebody said"', "source"),
        (RULE + "colour = true", "no field 'colour'"),
        (RULE + "elements = 1", "elements"),
        (RULE + "short_pages = 0", "short_pages"),
        (RULE + "expires = true", "expires"),
        (RULE + 'patient = "full"', "patient"),
        (RULE + 'merged = "gone"', "merged"),
        (RULE + "count = { Observation = 0 }", "count"),
        (RULE + "count = { Observation = 1.5 }", "count"),
        (RULE + 'apart = [["date"]]', "apart"),
        (RULE + 'lacks = ["date"]', "lacks"),
        (RULE + 'lacks = { Observation = "date" }', "lacks"),
        (RULE + "batch = true\n" + RULE[len(HEAD) :].replace('"r"', '"s"') + "batch = false", "set twice"),
        (RULE + "batch = true\n" + RULE[len(HEAD) :], "two rules"),
    ],
)
def test_a_wrong_file_is_refused(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        read_profile("x", text)


def test_rules_may_each_set_a_part_of_a_table() -> None:
    second = RULE[len(HEAD) :].replace('"r"', '"s"')
    text = (
        RULE
        + 'lacks = { A = ["x"] }\ncount = { A = 1 }\n'
        + second
        + 'lacks = { A = ["y"], B = ["z"] }\ncount = { B = "none" }'
    )
    found = read_profile("x", text)
    assert found.lacks == {"A": {"x", "y"}, "B": {"z"}}
    assert (found.most("A"), found.most("B"), found.most("C")) == (1, None, DEFAULT_COUNT)
    assert [rule.fields for rule in found.rules] == [("lacks", "count"), ("lacks", "count")]


# Choosing.


@pytest.mark.parametrize(
    ("name", "statement", "base"),
    [
        ("epic", Statement(software="Epic"), ""),
        ("epic", Statement(), "https://ehr.hospital.example/interconnect-prd-oauth/api/FHIR/R4"),
        ("epic", Statement(), "https://fhir.epic.com/x"),
        ("oracle-health", Statement(publisher="Cerner"), ""),
        ("oracle-health", Statement(), "https://fhir-ehr.cerner.com/r4/0b8a0111"),
        ("oracle-health", Statement(publisher="Oracle Health"), ""),
        ("hapi", Statement(software="HAPI FHIR Server"), ""),
        ("hapi", Statement(software="Smile CDR"), ""),
        ("medplum", Statement(software="medplum"), ""),
        ("medplum", Statement(), "https://api.medplum.com/fhir/R4"),
        (
            "google",
            Statement(),
            "https://healthcare.googleapis.com/v1/projects/p/locations/l/datasets/d/fhirStores/f/fhir",
        ),
        ("azure", Statement(), "https://w-s.fhir.azurehealthcareapis.com"),
        ("azure", Statement(publisher="Microsoft"), ""),
        ("aws", Statement(publisher="Amazon HealthLake"), ""),
        ("aws", Statement(), "https://healthlake.us-east-1.amazonaws.com/datastore/8/r4"),
        ("chartline", Statement(software="chartline"), ""),
        # what the software is called decides over where it stands
        ("hapi", Statement(software="HAPI FHIR Server", publisher="Microsoft"), "https://fhir.epic.com"),
        ("generic", Statement(software="sekmet"), "http://127.0.0.1:8080/fhir"),
        ("generic", Statement(software="Oracle Healthcare Data Repository"), ""),
        ("generic", Statement(software="an epicurean's server"), "https://epicentre.example/fhir"),
        ("generic", Statement(), ""),
    ],
)
def test_a_server_is_recognised(name: str, statement: Statement, base: str) -> None:
    assert choose(statement, base).name == name


# The rules, one by one.


def epic_category_or_code() -> None:
    made = sent("epic", "Observation?patient=a")
    assert "Observation?patient=a&category=laboratory" in made
    assert "Observation?patient=a&category=survey" in made
    assert len(made) == 15
    assert sent("epic", "Observation?patient=a&code=x") == ["Observation?patient=a&code=x"]
    assert sent("epic", "Observation?patient=a&category=laboratory") == ["Observation?patient=a&category=laboratory"]
    assert sent("epic", "Condition?patient=a") == ["Condition?patient=a"]


def epic_one_category() -> None:
    assert sent("epic", "Observation?patient=a&category=laboratory,survey") == [
        "Observation?patient=a&category=laboratory",
        "Observation?patient=a&category=survey",
    ]
    assert planned("epic", "Observation?patient=a&category=laboratory,survey&_summary=count").counts_only


def epic_one_patient() -> None:
    assert sent("epic", "Condition?patient=a,Patient/b") == ["Condition?patient=a", "Condition?patient=b"]


def epic_post_filters() -> None:
    text = f"Observation?patient=a&combo-code={LOINC}|4548-4"
    assert all("combo-code" not in s for s in sent("epic", text))
    assert left("epic", text) == ["combo-code"]


def epic_id_overrides() -> None:
    assert sent("epic", "Observation?patient=a&_id=o&code=x") == ["Observation?patient=a&_id=o&code=x"]
    assert left("epic", "Observation?patient=a&_id=o&code=x") == ["patient", "code"]


def epic_result_parameters() -> None:
    made = planned("epic", "Condition?patient=a&_elements=code&_sort=-recorded-date&_count=2")
    assert str(made.queries[0]) == f"Condition?patient=a&_count={DEFAULT_COUNT}"
    assert (made.fields, made.sort, made.count) == ({"code"}, ("-recorded-date",), 2)
    assert planned("epic", "Condition?patient=a&_summary=count").counts_only


def epic_no_batch() -> None:
    assert profile("epic").batch is False


def epic_merged() -> None:
    assert profile("epic").merged == "redirect"


def epic_notes() -> None:
    assert profile("epic").binary_notes


def epic_paging_sessions() -> None:
    assert profile("epic").expires is None


def oracle_count_observation() -> None:
    assert counts("oracle-health", "Observation?patient=a") == {"200"}


def oracle_count_report() -> None:
    assert counts("oracle-health", "DiagnosticReport?patient=a") == {"100"}


def oracle_count_document() -> None:
    assert counts("oracle-health", "DocumentReference?patient=a") == {"100"}


def oracle_no_count() -> None:
    for type_ in ("AllergyIntolerance", "Condition", "Immunization", "Procedure"):
        assert counts("oracle-health", f"{type_}?patient=a") == {None}
    assert planned("oracle-health", "Condition?patient=a&_count=2").count == 2


def oracle_short_pages() -> None:
    made = planned("oracle-health", "Observation?patient=a&_count=2")
    assert (str(made.queries[0]), made.count) == ("Observation?patient=a&_count=200", 2)


def oracle_date_or_updated() -> None:
    text = "Observation?patient=a&date=ge2020&_lastUpdated=ge2021"
    assert sent("oracle-health", text) == ["Observation?patient=a&date=ge2020"]
    assert left("oracle-health", text) == ["_lastUpdated"]
    assert sent("oracle-health", "Observation?patient=a&_lastUpdated=ge2021") == [
        "Observation?patient=a&_lastUpdated=ge2021"
    ]


def oracle_id_alone() -> None:
    assert sent("oracle-health", "Observation?patient=a&_id=o") == ["Observation?patient=a"]
    assert left("oracle-health", "Observation?patient=a&_id=o") == ["_id"]
    assert sent("oracle-health", "Patient?_id=a&gender=male") == ["Patient?_id=a"]


def oracle_components() -> None:
    made = sent("oracle-health", f"Observation?patient=a&combo-code={LOINC}|8480-6")
    assert made == [f"Observation?patient=a&code={LOINC}|8480-6,{LOINC}|85354-9"]
    assert left("oracle-health", f"Observation?patient=a&combo-code={LOINC}|8480-6") == ["combo-code"]


def oracle_prefixes() -> None:
    assert sent("oracle-health", "Encounter?patient=a&date=ge2020&date=lt2021") == [
        "Encounter?patient=a&date=ge2020&date=lt2021"
    ]
    assert sent("oracle-health", "Encounter?patient=a&date=2020") == ["Encounter?patient=a"]
    assert left("oracle-health", "Encounter?patient=a&date=2020") == ["date"]


def _date_is_tested_here(type_: str, *params: str) -> None:
    for name in params:
        assert sent("oracle-health", f"{type_}?patient=a&{name}=ge2020") == [f"{type_}?patient=a"]
        assert left("oracle-health", f"{type_}?patient=a&{name}=ge2020") == [name]


def oracle_one_patient() -> None:
    assert sent("oracle-health", "Immunization?patient=a,b") == ["Immunization?patient=a", "Immunization?patient=b"]


def oracle_coverage_id() -> None:
    assert sent("oracle-health", "Coverage?patient=a&_id=c") == ["Coverage?patient=a"]
    assert left("oracle-health", "Coverage?patient=a&_id=c") == ["_id"]


def oracle_merged() -> None:
    assert profile("oracle-health").merged == "link"


def oracle_notes() -> None:
    assert profile("oracle-health").binary_notes


def oracle_json() -> None:
    assert profile("oracle-health").accept == "application/fhir+json"


def hapi_count() -> None:
    assert counts("hapi", "Observation?patient=a") == {"500"}


def hapi_search_cache() -> None:
    assert profile("hapi").expires == 3600


def hapi_chains() -> None:
    for text in ("Observation?patient=a&encounter.status=finished", "Patient?_id=a&_has:Observation:patient:code=x"):
        assert sent("hapi", text) == [text]
        with pytest.raises(Unsupported):
            planned("generic", text)


def hapi_missing() -> None:
    assert sent("hapi", "Observation?patient=a&category:missing=true") == ["Observation?patient=a"]


def hapi_stale_results() -> None:
    assert "one minute" in _text("hapi", "stale-results")


def medplum_count() -> None:
    assert counts("medplum", "Observation?patient=a") == {"1000"}


def medplum_stable_pages() -> None:
    assert ("_sort", "_lastUpdated") in planned("medplum", "Observation?patient=a").queries[0].params
    page = planned("medplum", "Observation?patient=a&_sort=-date&_count=3").queries[0]
    assert [v for n, v in page.params if n == "_sort"] == ["-date"]


def medplum_modifiers() -> None:
    _modifiers_are_sent("medplum", "code:not=x", "category:missing=true")
    assert sent("medplum", "Observation?patient=a&code:text=x") == ["Observation?patient=Patient/a"]


def medplum_prefixes() -> None:
    assert left("medplum", "Observation?patient=a&date=sa2020") == []
    assert left("medplum", "Observation?patient=a&date=ap2020") == ["date"]


def medplum_typed_references() -> None:
    assert sent("medplum", "Observation?patient=a") == ["Observation?patient=Patient/a"]


def medplum_estimated_totals() -> None:
    assert planned("medplum", "Observation?patient=a&_summary=count").counts_only


def medplum_mandatory_elements() -> None:
    assert ("_elements", "code") in planned("medplum", "Observation?patient=a&_elements=code").queries[0].params


def medplum_chains() -> None:
    for text in (
        "Observation?patient=Patient/a&encounter.status=finished",
        "Patient?_id=a&_has:Observation:patient:code=x",
    ):
        assert sent("medplum", text) == [text]


def google_count() -> None:
    assert counts("google", "Observation?patient=a") == {"1000"}


def google_no_form_search() -> None:
    assert profile("google").post is False


def _modifiers_are_sent(name: str, *params: str) -> None:
    who = "patient=Patient/a" if profile(name).patient == "typed" else "patient=a"
    for param in params:
        assert sent(name, f"Observation?patient=a&{param}") == [f"Observation?{who}&{param}"]
        assert left(name, f"Observation?patient=a&{param}") == []


def google_modifiers() -> None:
    _modifiers_are_sent("google", "code:text=x", "category:missing=true", "code:not=x", "performer:Practitioner=p")


def google_result_parameters() -> None:
    assert ("_elements", "code") in planned("google", "Observation?patient=a&_elements=code").queries[0].params
    assert profile("google").summary_count is False


def google_estimated_totals() -> None:
    assert planned("google", "Observation?patient=a&_summary=count").counts_only


def google_chains() -> None:
    text = "Observation?patient=a&encounter.status=finished"
    assert sent("google", text) == [text]


def google_late_index() -> None:
    assert "after they are stored" in _text("google", "late-index")


def azure_count() -> None:
    assert counts("azure", "Observation?patient=a") == {"1000"}


def azure_modifiers() -> None:
    _modifiers_are_sent("azure", "code:text=x", "category:missing=true", "code:not=x", "performer:Practitioner=p")


def azure_prefixes() -> None:
    assert left("azure", "Observation?patient=a&date=ap2020") == []


def azure_one_sort_key() -> None:
    assert planned("azure", "Observation?patient=a&_sort=date&_count=2").count is None
    assert planned("azure", "Observation?patient=a&_sort=date,code&_count=2").count == 2


def azure_few_includes() -> None:
    made = planned("azure", "MedicationRequest?patient=a&_include=MedicationRequest:medication")
    assert made.include == ("MedicationRequest:medication",)
    assert not any(n == "_include" for n, _ in made.queries[0].params)


def azure_chains() -> None:
    for text in ("Observation?patient=a&encounter.status=finished", "Patient?_id=a&_has:Observation:patient:code=x"):
        assert sent("azure", text) == [text]


def azure_elements() -> None:
    assert ("_elements", "code") in planned("azure", "Observation?patient=a&_elements=code").queries[0].params


def azure_lenient() -> None:
    assert "ignored" in _text("azure", "lenient")


def aws_string_case() -> None:
    assert sent("aws", "Patient?_id=a&family=Berg") == ["Patient?_id=a"]
    assert left("aws", "Patient?_id=a&family=Berg") == ["family"]


def aws_form_search() -> None:
    assert profile("aws").post is True


def aws_pages_by_get() -> None:
    assert "GET" in _text("aws", "pages-by-get")


def aws_patient() -> None:
    statement = Statement(declared=True, search={"Observation": frozenset(("subject", "code"))})
    assert sent("aws", "Observation?patient=a", statement) == ["Observation?subject=Patient/a"]


def aws_prefixes() -> None:
    assert left("aws", "Observation?patient=a&date=ne2020") == []
    assert left("aws", "Observation?patient=a&date=sa2020") == ["date"]


def chartline_whole_search() -> None:
    _modifiers_are_sent("chartline", "code:text=x", "category:missing=true", "code:not=x", "date=ap2020")
    for text in ("Observation?patient=a&encounter.status=finished", "Patient?_id=a&_has:Observation:patient:code=x"):
        assert sent("chartline", text) == [text]


def chartline_count() -> None:
    assert counts("chartline", "Observation?patient=a") == {"1000"}


def _text(name: str, rule: str) -> str:
    return next(r.text for r in profile(name).rules if r.name == rule)


CASES: dict[tuple[str, str], Callable[[], None]] = {
    ("oracle-health", "procedure-date"): lambda: _date_is_tested_here("Procedure", "date"),
    ("oracle-health", "immunization-date"): lambda: _date_is_tested_here("Immunization", "date"),
    ("oracle-health", "report-date"): lambda: _date_is_tested_here("DiagnosticReport", "date"),
    ("oracle-health", "document-date"): lambda: _date_is_tested_here("DocumentReference", "date", "period"),
}
RULES = [(name, rule.name) for name in names() for rule in profile(name).rules]


@pytest.mark.parametrize(("name", "rule"), RULES)
def test_the_rule_does_what_it_says(name: str, rule: str) -> None:
    case = CASES.get((name, rule)) or globals()[f"{name.removesuffix('-health')}_{rule.replace('-', '_')}"]
    case()


def test_a_profile_can_be_changed_for_one_site() -> None:
    assert replace(profile("hapi"), count={"*": 50}).most("Observation") == 50
