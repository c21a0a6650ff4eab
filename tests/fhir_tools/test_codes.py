"""Finding in a question the concepts of a chart."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools.catalogue import Catalogue, CatalogueEntry
from fhir_tools.codes import Matcher, Mention, names_of, words_of
from fhir_tools.types import Coding, Concept, Kind

LOINC, CVX, ICD = "http://loinc.org", "http://hl7.org/fhir/sid/cvx", "http://hl7.org/fhir/sid/icd-10-cm"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"


def entry(kind: Kind, label: str, system: str = "", code: str = "") -> CatalogueEntry:
    codings = (Coding(system=system, code=code, display=label),) if code else ()
    concept = Concept(label=label, codings=codings)
    return CatalogueEntry(kind=kind, key=concept.key, concept=concept, counts={"fact": 1}, labels=(label,))


A1C = entry("measurement", "Hemoglobin A1c", LOINC, "4548-4")
HGB = entry("measurement", "Hemoglobin", LOINC, "718-7")
PCV = entry("immunization", "Pneumococcal conjugate PCV20", CVX, "216")
HTN = entry("condition", "Essential hypertension", ICD, "I10")
RISK = entry("condition", "Family history of asthma", ICD, "Z82.5")
STATIN = entry("medication", "Atorvastatin 20 MG Oral Tablet", RXNORM, "617310")
IBUPROFEN = entry("allergy", "Ibuprofen")
OPAQUE = entry("condition", "x1")
MATCHER = Matcher(Catalogue(entries=(A1C, HGB, PCV, HTN, RISK, STATIN, IBUPROFEN, OPAQUE)))


def mentioned(question: str) -> list[Mention]:
    words = words_of(question)
    return MATCHER.mentions(words, [False] * len(words), frozenset(("last", "the", "any", "of")))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("What's the last A1c?", ["whats", "the", "last", "a1c"]),
        ("h/o CHF", ["history", "of", "chf"]),
        ("labs/vitals", ["labs", "vitals"]),
        ("A1c > 9", ["a1c", "above", "9"]),
        ("A1c≥9", ["a1c", "at", "least", "9"]),
        ("D.O.B.", ["dob"]),
        ("s/p CABG, w/ stent", ["after", "cabg", "with", "stent"]),
        ("CVX 216", ["cvx", "216"]),
        ("Stage III, type II", ["stage", "3", "type", "2"]),
        ("", []),
        ("?!", []),
    ],
)
def test_words_are_in_normal_form(text: str, words: list[str]) -> None:
    assert [w.text for w in words_of(text)] == words


@given(st.text(max_size=60))
def test_words_know_where_they_stand(text: str) -> None:
    for word in words_of(text):
        assert word.text
        assert 0 <= word.start < word.end <= len(text)
        assert text[word.start : word.end].strip() == text[word.start : word.end]


def test_a_label_is_known_without_its_bracketed_tail() -> None:
    assert names_of("Asthma (disorder)") == ("asthma disorder", "asthma")


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("last hemoglobin a1c", A1C),
        ("last 4548-4", A1C),
        ("LOINC 718-7", HGB),
        ("CVX 216", PCV),
        ("icd-10 I10", HTN),
        ("rxcui 617310", STATIN),
        ("Essential hypertension", HTN),
    ],
)
def test_a_label_or_a_code_is_found(question: str, found: CatalogueEntry) -> None:
    (mention,) = mentioned(question)
    assert mention.entries == (found,)


@pytest.mark.parametrize(
    ("question", "kind", "found"),
    [
        ("htn", "condition", HTN),
        ("any statins", "medication", STATIN),
        ("lipitor", "medication", STATIN),
        ("hba1c", "measurement", A1C),
    ],
)
def test_a_meaning_of_the_lexicon_reaches_the_chart(question: str, kind: Kind, found: CatalogueEntry) -> None:
    (mention,) = mentioned(question)
    assert mention.entries == ()
    assert found in MATCHER.entries_of(((c.kind, c.id) for c in mention.classes), (kind,))


def test_a_condition_that_is_only_a_risk_has_no_meaning() -> None:
    assert MATCHER.classes_of(RISK) == frozenset()
    assert MATCHER.by_words("asthma", ("condition",)) == ()


def test_what_a_label_denies_is_not_what_it_is() -> None:
    label = "Dementia, without behavioral disturbance, and anxiety"
    entry = replace(HTN, key="d", concept=Concept(label=label), labels=(label,))
    matcher = Matcher(Catalogue(entries=(entry,), by_key={(entry.kind, entry.key): entry}))
    assert ("condition", "anxiety") not in matcher.classes_of(entry)
    assert ("condition", "dementia") in matcher.classes_of(entry)
    assert matcher.by_words("anxiety") == ()
    assert matcher.by_words("without anxiety") == (entry,)


def test_words_of_a_label_find_it() -> None:
    assert MATCHER.by_words("conjugate", ("immunization",)) == (PCV,)
    assert MATCHER.by_words("hypertens") == (HTN,)
    assert MATCHER.by_words("conjugate hypertension") == ()


def test_a_misspelling_finds_the_label_and_says_so() -> None:
    mended = MATCHER.by_spelling(0, 1, "hemoglobn")
    assert mended is not None
    assert mended.corrected
    assert HGB in mended.entries


@pytest.mark.parametrize("phrase", ["xyz", "hgb", "qqqqqqqqqq"])
def test_what_is_short_or_far_off_is_not_mended(phrase: str) -> None:
    assert MATCHER.by_spelling(0, 1, phrase) is None


def test_entries_that_nothing_explains_are_opaque() -> None:
    assert MATCHER.opaque("condition") == (OPAQUE,)
    assert MATCHER.opaque("measurement") == ()


def test_the_nearest_are_of_the_kind_asked_for() -> None:
    assert [e.concept.label for e in MATCHER.nearest("hemoglobin s", ("measurement",))][:1] == ["Hemoglobin"]
    assert MATCHER.nearest("hemoglobin s", ("condition",)) == ()


def test_a_panel_is_told_from_an_analyte() -> None:
    assert MATCHER.is_panel(("lab", "lipid panel"))
    assert not MATCHER.is_panel(("lab", "hemoglobin a1c"))
    assert not MATCHER.is_panel(("condition", "lipid panel"))


def test_labels_with_numbers_are_found_before_times() -> None:
    (mention,) = MATCHER.labels_in(words_of("last Atorvastatin 20 MG Oral Tablet order"))
    assert mention.entries == (STATIN,)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ovarian carcinoma", "ovarian cancer"),
        ("ovary ca", "ovarian cancer"),
        ("a-fib", "atrial fibrillation"),
        ("flu vaccination", "influenza vaccine"),
    ],
)
def test_other_ways_to_write_a_term(typed: str, meant: str) -> None:
    (found,) = mentioned(typed)
    assert meant in {c.id for c in found.classes}


def test_a_word_of_asking_is_no_part_of_a_name_in_one_word() -> None:
    words = words_of("max alt")
    (found,) = MATCHER.mentions(words, [False, False], frozenset(("max",)))
    assert found.words == "alt"
