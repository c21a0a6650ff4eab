"""The lexicon's tables hold together, and the words clinicians type find what they mean."""

from __future__ import annotations

import re
from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools.lexicon import Entry, Lexicon, fold, lexicon, normalise
from fhir_tools.lexicon.entry import CVX, ENTRY_KINDS, ICD10, LOINC, RXNORM

LEXICON = lexicon()
_FORMS = {
    LOINC: re.compile(r"\d{1,7}-\d"),
    CVX: re.compile(r"\d{2,3}"),
    ICD10: re.compile(r"[A-Z]\d[0-9A-Z](\.[0-9A-Z]{1,4})?"),
    RXNORM: re.compile(r"\d{2,7}"),
}


def check_digit(number: str) -> int:
    """LOINC's mod-10 check digit: every second digit from the right doubled (LOINC Users' Guide, app. C)."""
    digits = [int(c) for c in reversed(number)]
    total = sum(sum(divmod(2 * d, 10)) if at % 2 == 0 else d for at, d in enumerate(digits))
    return -total % 10


def ids(entries: tuple[Entry, ...]) -> set[tuple[str, str]]:
    return {(entry.kind, entry.id) for entry in entries}


def test_ids_are_unique_within_a_kind() -> None:
    seen = [(entry.kind, entry.id) for entry in LEXICON.entries()]
    assert sorted({pair for pair in seen if seen.count(pair) > 1}) == []


def test_kinds_are_the_documented_ones_and_large_enough() -> None:
    least = {"lab": 500, "drug": 1400, "drug_class": 200, "condition": 700, "vaccine": 40, "procedure": 250}
    assert {entry.kind for entry in LEXICON.entries()} == set(ENTRY_KINDS) - {"icd10"}
    for kind, number in least.items():
        assert len(LEXICON.entries(kind)) >= number, kind


def test_every_parent_exists() -> None:
    for entry in LEXICON.entries():
        kind = "drug_class" if entry.kind == "drug" else entry.kind
        for parent in entry.parents:
            assert LEXICON.by_id(kind, parent), (entry.id, parent)
            assert (kind, parent) != (entry.kind, entry.id)


def test_ingredients_of_combinations_exist() -> None:
    for entry in LEXICON.entries("drug"):
        for ingredient in filter(None, entry.attributes.get("ingredients", "").split("|")):
            assert LEXICON.by_id("drug", ingredient), (entry.id, ingredient)


def test_codes_are_well_formed() -> None:
    for entry in LEXICON.entries():
        for system, code in entry.codes:
            form = _FORMS.get(system)
            assert form is None or form.fullmatch(code), (entry.id, code)
            if system == LOINC:
                assert check_digit(code[:-2]) == int(code[-1]), (entry.id, code)


def test_conditions_use_codes_of_the_icd10_table() -> None:
    # Ranges such as J00-J99 hold categories that are not assigned, so subcategories are checked.
    # External causes (V to Y) are not in the table, and S/T only at three characters.
    for entry in LEXICON.entries("condition"):
        for _, code in entry.codes:
            if code[0] not in "VWXYST" and len(code) == 5:
                assert LEXICON.by_id("icd10", code), (entry.id, code)


def test_terms_are_normalised_and_not_empty() -> None:
    for entry in LEXICON.entries():
        assert entry.terms
        assert all(term and normalise(term) == term for term in entry.terms), entry.id


@given(st.text(max_size=60))
def test_normalise_is_stable_and_never_raises(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert "  " not in once
    fold(once)
    assert isinstance(LEXICON.lookup(text), tuple)
    assert isinstance(LEXICON.ingredients_of(text), frozenset)


@pytest.mark.parametrize(
    ("term", "kind", "name"),
    [
        ("A1c", "lab", "hemoglobin a1c"),
        ("K", "lab", "potassium"),
        ("hgb", "lab", "hemoglobin"),
        ("troponins", "lab", "troponin i"),
        ("ferritin", "lab", "ferritin"),
        ("digoxin level", "lab", "digoxin level"),
        ("BP", "lab", "blood pressure"),
        ("statins", "drug_class", "statin"),
        ("blood thinner", "drug_class", "anticoagulant"),
        ("water pills", "drug_class", "diuretic"),
        ("Eliquis", "drug", "apixaban"),
        ("paracetamol", "drug", "acetaminophen"),
        ("rivaroxaban", "drug", "rivaroxaban"),
        ("CHF", "condition", "heart failure"),
        ("heart attack", "condition", "myocardial infarction"),
        ("Crohn’s disease", "condition", "crohn's disease"),
        ("sugar diabetes", "condition", "diabetes"),
        ("glaucoma", "condition", "glaucoma"),
        ("flu shots", "vaccine", "influenza vaccine"),
        ("Tdap", "vaccine", "tdap vaccine"),
        ("zoster vaccine", "vaccine", "zoster vaccine"),
        ("latex allergy", "allergen", "latex"),
        ("cabg", "procedure", "cabg"),
        ("C section", "procedure", "c-section"),
        ("xray", "modality", "CR"),
        ("x-rays", "modality", "CR"),
        ("belly", "body_site", "abdomen"),
        ("d/c summary", "document", "discharge summary"),
        ("ER visits", "encounter", "emergency department visit"),
        ("mum", "relationship", "mother"),
    ],
)
def test_words_clinicians_type(term: str, kind: str, name: str) -> None:
    assert (kind, name) in ids(LEXICON.lookup(term))
    assert (kind, name) in ids(LEXICON.lookup(term, (kind,)))


def test_ambiguous_abbreviations_return_all() -> None:
    assert {("condition", "multiple sclerosis"), ("condition", "mitral stenosis"), ("drug", "morphine")} <= ids(
        LEXICON.lookup("MS")
    )
    assert {("lab", "pt"), ("procedure", "physical therapy"), ("modality", "PT")} <= ids(LEXICON.lookup("pt"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("hemoglobin", "hemoglobin a1c"),
        ("direct bilirubin", "total bilirubin"),
        ("urine creatinine", "creatinine"),
        ("fasting glucose", "urine glucose"),
    ],
)
def test_distinct_analytes_share_no_code(one: str, other: str) -> None:
    first, second = LEXICON.by_id("lab", one), LEXICON.by_id("lab", other)
    assert first and second and not set(first.codes) & set(second.codes)


@pytest.mark.parametrize("term", ["", "  ", "zzxqy", "the", "what was her"])
def test_unknown_words_find_nothing(term: str) -> None:
    assert LEXICON.lookup(term) == ()


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("metoprolal", "metoprolol"),
        ("hemaglobin", "hemoglobin"),
        ("diabetis", "diabetes"),
        ("colonscopy", "colonoscopy"),
        ("hypertention", "hypertension"),
        ("lisinoprol", "lisinopril"),
        ("warferin", "warfarin"),
    ],
)
def test_misspellings(typed: str, name: str) -> None:
    found = LEXICON.fuzzy(typed)
    assert found[0][0].id == name
    assert 0.8 < found[0][1] < 1


@pytest.mark.parametrize("typed", ["a1d", "chff", "bp", "1234567", "zebrawood", ""])
def test_short_or_far_words_are_not_guessed(typed: str) -> None:
    assert LEXICON.fuzzy(typed) == ()


def test_fuzzy_keeps_to_kinds_and_limit() -> None:
    assert LEXICON.fuzzy("metoprolal", ("condition",)) == ()
    assert len(LEXICON.fuzzy("hemaglobin", None, 1)) == 1


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("24 HR metoprolol succinate 100 MG Extended Release Oral Tablet [Toprol]", {"metoprolol"}),
        ("Acetaminophen 325 MG / oxyCODONE Hydrochloride 5 MG Oral Tablet", {"acetaminophen", "oxycodone"}),
        ("Trinessa 28 Day Pack", {"norgestimate", "ethinyl estradiol"}),
        ("Diazepam [Valium]", {"diazepam"}),
        ("Fluticasone/Salmeterol (Advair)", {"fluticasone", "salmeterol"}),
        ("NDA020800 0.3 ML Epinephrine 1 MG/ML Auto-Injector", {"epinephrine"}),
        ("Vitamin B 12 5 MG/ML Injectable Solution", {"cyanocobalamin"}),
        ("atorvastatin calcium 20 mg tab", {"atorvastatin"}),
        ("fenoprofen calcium 200 MG", {"fenoprofen"}),
        ("Penicillin V Potassium 250 MG Oral Tablet", {"penicillin v"}),
        ("Percocet 5/325", {"oxycodone", "acetaminophen"}),
        (
            "insulin human, isophane 70 UNT/ML / Regular Insulin, Human 30 UNT/ML Injectable Suspension [Humulin]",
            {"insulin isophane", "insulin regular"},
        ),
        ("Piperacillin/Tazobactam", {"piperacillin", "tazobactam"}),
        ("metoprolal tartrat 25", {"metoprolol"}),
        ("ASA 81 mg", {"aspirin"}),
        ("Oral Tablet", set()),
        ("", set()),
    ],
)
def test_ingredients_of_labels(label: str, expected: set[str]) -> None:
    assert LEXICON.ingredients_of(label) == expected


def test_members_include_subclasses() -> None:
    anticoagulants = LEXICON.members("anticoagulant")
    assert {"warfarin", "apixaban", "heparin", "enoxaparin", "dabigatran"} <= anticoagulants
    assert "aspirin" not in anticoagulants
    assert "aspirin" in LEXICON.members("antiplatelet")
    assert LEXICON.members("doac") < anticoagulants
    assert LEXICON.members("no such class") == frozenset()


def test_every_class_has_a_member() -> None:
    assert [c.id for c in LEXICON.entries("drug_class") if not LEXICON.members(c.id)] == []


def test_by_code_reads_codes_as_charts_write_them() -> None:
    assert ids(LEXICON.by_code(LOINC, "4548-4")) == {("lab", "hemoglobin a1c")}
    assert LEXICON.by_code(CVX, "3") == LEXICON.by_code(CVX, "03") != ()
    diabetes = ids(LEXICON.by_code(ICD10, "E11.9"))
    assert {("condition", "type 2 diabetes"), ("condition", "diabetes")} <= diabetes
    titled = LEXICON.by_code(ICD10, "E11.9", titles=True)
    assert ids(titled) == diabetes | {("icd10", "E11.9")} and titled[-1].kind == "icd10"
    assert ids(LEXICON.by_code(ICD10, "E119")) == diabetes
    assert ("condition", "type 1 diabetes") not in diabetes
    assert ("condition", "infection") in ids(LEXICON.by_code(ICD10, "B34.9"))
    assert ("condition", "cancer") in ids(LEXICON.by_code(ICD10, "C50.912"))
    assert LEXICON.by_code("http://example.org", "1") == ()


def test_the_icd10_table_is_read_only_on_request() -> None:
    fresh = Lexicon(LEXICON.entries())
    with pytest.MonkeyPatch.context() as patch:
        module = import_module("fhir_tools.lexicon.lexicon")
        patch.setattr(module, "read_icd10", lambda: pytest.fail("the table was read"))
        assert ids(fresh.by_code(ICD10, "E11.9")) == ids(LEXICON.by_code(ICD10, "E11.9"))


def test_icd10_titles_only_on_request() -> None:
    title = "Cholera due to Vibrio cholerae 01, biovar eltor"
    assert LEXICON.lookup(title) == ()
    assert ids(LEXICON.lookup(title, ("icd10",))) == {("icd10", "A00.1")}


def test_td_and_tdap_are_two_vaccines_under_tetanus() -> None:
    for name, parent in (("td vaccine", "tetanus vaccine"), ("tdap vaccine", "td vaccine")):
        entry = LEXICON.by_id("vaccine", name)
        assert entry and entry.parents == (parent,)


def test_max_words_and_cache() -> None:
    assert LEXICON.max_words == max(len(term.split()) for entry in LEXICON.entries() for term in entry.terms)
    assert lexicon() is LEXICON
    assert Lexicon([]).lookup("a1c") == ()
