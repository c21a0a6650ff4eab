"""What a note states: concepts, times, statements, and what of it the chart lacks."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools import dates
from fhir_tools.catalogue import from_rows, group_rows
from fhir_tools.codes import Matcher
from fhir_tools.documents import Document
from fhir_tools.documents.concepts import concepts
from fhir_tools.documents.lacking import lacking
from fhir_tools.documents.statements import Statement, is_stopped, statements
from fhir_tools.documents.times import times
from fhir_tools.types import Concept, Fact, Quantity, Reference

WRITTEN = dates.parse("2025-10-04")
NOTE = Fact(
    kind="document", concept=Concept(label="Note"), reference=Reference(type="DocumentReference", id="n"), path="x",
    when=WRITTEN,
)  # fmt: skip


def stated(text: str) -> list[Statement]:
    return list(statements(Document(fact=NOTE, text=text)))


def told(text: str) -> list[tuple[str, str, str]]:
    return [(s.sort, s.entries[0].id, s.assertion) for s in stated(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Fever began yesterday.", "2025-10-03"),
        ("Onset 3 day(s) ago: wheezing", "2025-10-01"),
        ("seen on 3/14 for a cough", "2025-03-14"),
        ("seen on 12/14 for a cough", "2024-12-14"),  # the latest that is not after the note
        ("last Tuesday", "2025-09-30"),
        ("CT of 2025-09-30", "2025-09-30"),
    ],
)
def test_a_time_is_told_against_the_day_of_the_note(text: str, expected: str) -> None:
    assert [str(t.on) for t in times(text, WRITTEN)] == [expected]


@pytest.mark.parametrize("text", ["for 3 days", "x 5 days", "BP 120/80", "2 tablets", "Braden 13/23"])
def test_a_length_or_a_value_tells_no_time(text: str) -> None:
    assert times(text, WRITTEN) == ()


def test_without_the_day_of_the_note_no_time_is_worked_out() -> None:
    assert times("yesterday", None) == ()


def test_names_are_found_longest_first_and_short_ones_only_as_abbreviations() -> None:
    text = "COPD, type 2 diabetes mellitus; MI in 2010. It may help all. Na 140, he had it as a child."
    assert [text[c.start : c.end] for c in concepts(text)] == ["COPD", "type 2 diabetes mellitus", "MI", "Na"]


@given(st.text(alphabet=st.sampled_from("COPD diabetes 2,.;:()\n-Na140/ warfarin"), max_size=200))
def test_every_statement_stands_in_its_text(text: str) -> None:
    for s in stated(text):
        assert text[s.span.start : s.span.end] == s.span.quote
        assert s.name in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Assessment: pneumonia.", [("problem", "pneumonia", "affirmed")]),
        ("No evidence of pneumonia.", [("problem", "pneumonia", "negated")]),
        ("Possible pneumonia.", [("problem", "pneumonia", "uncertain")]),
        ("Mother had pneumonia.", [("problem", "pneumonia", "family")]),
        ("Fever since Monday.", [("symptom", "fever", "affirmed")]),
        ("Continue warfarin.", [("medication", "warfarin", "affirmed")]),
        ("Discharge instructions:\nCall for pneumonia.", []),
        ("Susceptibility: vancomycin=S", []),
        ("acetaminophen prn temp >= 38.5", [("medication", "acetaminophen", "affirmed")]),
    ],
)
def test_statements(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("Steroid-induced hyperglycemia.", "corticosteroid"),
        ("Developed angioedema after lisinopril.", "lisinopril"),
        ("Hyperkalemia due to spironolactone.", "spironolactone"),
        ("Allergic to penicillin (rash).", "penicillin"),
        ("Amoxicillin allergy.", "amoxicillin"),
        ("Allergies:\nSulfa", ""),
    ],
)
def test_adverse_events_name_their_agent(text: str, cause: str) -> None:
    events = [s for s in stated(text) if s.sort == "adverse event"]
    assert cause in events[0].cause.lower()


def test_measurements_have_their_values_and_units() -> None:
    found = stated("BP 126/60 mmHg, Hb 7.4 g/dL, K 5.1 mmol/L. Barthel index 58/100.")
    assert [(s.entries[0].id, [q.value for q in s.values]) for s in found] == [
        ("blood pressure", [126, 60]), ("hemoglobin", [7.4]), ("potassium", [5.1]), ("barthel index", [58]),
    ]  # fmt: skip
    assert found[1].values[0].code == "g/dL"


@pytest.mark.parametrize(
    ("sentence", "stopped"),
    [
        ("Metformin was stopped yesterday.", True),
        ("Stopped metformin for AKI.", True),
        ("Metformin held during this admission because of AKI.", True),
        ("Do not stop metformin.", False),
        ("Stop metformin if vomiting.", False),
        ("Metformin continued; aspirin stopped.", False),
        ("Consider stopping metformin.", False),
        ("Plan to hold metformin and restart tomorrow.", False),
    ],
)
def test_whether_a_drug_was_stopped(sentence: str, stopped: bool) -> None:
    at = sentence.lower().index("metformin")
    assert is_stopped(sentence, at, at + 9) is stopped


def fact(kind: str, label: str, day: str = "2025-10-04", value: Quantity | None = None) -> Fact:
    return Fact(
        kind=kind, concept=Concept(label=label), reference=Reference(type="Observation", id=label.replace(" ", "-")),
        path="x", when=dates.parse(day), value=value,
    )  # type: ignore[arg-type]  # fmt: skip


def lacks(text: str, *facts: Fact) -> list[tuple[str, str]]:
    matcher = Matcher(from_rows(group_rows(facts, date(2025, 12, 31))))
    results = {f.concept.key: [f] for f in facts}
    return [(x.how, x.statement.name) for x in lacking(stated(text), matcher, results)]


def test_what_the_chart_has_is_not_lacking() -> None:
    text = "Pneumonia and COPD. Continue warfarin."
    assert lacks(text, fact("condition", "Pneumonia")) == [("lacks", "COPD"), ("lacks", "warfarin")]
    assert (
        lacks(
            text,
            fact("condition", "Bacterial pneumonia"),
            fact("condition", "COPD"),
            fact("medication", "warfarin 5 MG"),
        )
        == []
    )


def test_an_affirmed_mention_is_told_before_a_negated_one_of_the_same() -> None:
    assert [
        x.statement.assertion for x in lacking(stated("No pneumonia. Now pneumonia."), Matcher(from_rows([])), {})
    ] == ["affirmed"]


@pytest.mark.parametrize(
    ("told", "recorded", "how"),
    [
        ("Hemoglobin 7.4 g/dL", Quantity(value=7.4, unit="g/dL", code="g/dL"), []),
        ("Hemoglobin 7.4 g/dL", Quantity(value=74, unit="g/L", code="g/L"), []),
        ("Hemoglobin 7.4", Quantity(value=7.42, unit="g/dL", code="g/dL"), []),
        ("Hemoglobin 9.4 g/dL", Quantity(value=7.4, unit="g/dL", code="g/dL"), [("differs", "Hemoglobin")]),
    ],
)
def test_a_value_is_held_against_the_results_of_its_day(
    told: str, recorded: Quantity, how: list[tuple[str, str]]
) -> None:
    assert lacks(told, fact("measurement", "Hemoglobin", value=recorded)) == how
    other = fact("measurement", "Hemoglobin", day="2024-01-01", value=recorded)
    assert lacks(told, other) == [("lacks", "Hemoglobin")]
