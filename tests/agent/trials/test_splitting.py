"""Eligibility texts as protocols write them → single statements with their places."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.trials.splitting import plain, split

NESTED = """Inclusion Criteria:

1. Men and women aged \\>= 18 years
2. At least one of the following:

   1. Type 2 diabetes
   2. HbA1c \\> 6.5 %
3. Adequate organ function, defined as:
   a. eGFR \\> 60
   b. ALT \\< 3 x ULN

Key Exclusion Criteria:

* Any of the following within 6 months prior to screening:
  - Stroke
  - TIA
    which was severe
* All of the following:
  * Smoking
  * COPD
"""


def _told(text: str) -> list[tuple[str, str]]:
    return [(s.section[:2], s.text) for s in split(text)]


def test_a_flat_list_keeps_its_order_and_numbers() -> None:
    found = split("Inclusion Criteria:\n\n* A one\n* B two\n\nExclusion Criteria:\n\n* C three")
    assert [(s.number, s.section, s.text) for s in found] == [
        (1, "inclusion", "A one"), (2, "inclusion", "B two"), (3, "exclusion", "C three"),
    ]  # fmt: skip


def test_exclusion_written_first_is_numbered_after_inclusion() -> None:
    assert _told("Exclusion Criteria:\n* C\nInclusion Criteria:\n* A one") == [("in", "A one")] or [
        s.section for s in split("Exclusion Criteria:\n* C three\nInclusion Criteria:\n* A one")
    ] == ["inclusion", "exclusion"]


def test_nested_lists_are_one_requirement_or_many() -> None:
    found = split(NESTED)
    assert [s.text for s in found if not s.parts] == [
        "Men and women aged >= 18 years", "eGFR > 60", "ALT < 3 x ULN", "Stroke", "TIA which was severe",
    ]  # fmt: skip
    one, every = (s for s in found if s.parts)
    assert (one.parts, one.needed) == (("Type 2 diabetes", "HbA1c > 6.5 %"), 1)
    assert (every.parts, every.needed, every.section) == (("Smoking", "COPD"), 0, "exclusion")
    assert {s.under for s in found if s.text == "Stroke"} == {
        "Any of the following within 6 months prior to screening:"
    }


@pytest.mark.parametrize(
    "head", ["INCLUSION CRITERIA", "Key Inclusion Criteria:", "Inclusion:", "**Inclusion Criteria:**"]
)
def test_headings_in_many_forms(head: str) -> None:
    assert _told(f"{head}\n- Asthma\n\nMain Exclusion Criteria (part A):\n- Stroke") == [
        ("in", "Asthma"),
        ("ex", "Stroke"),
    ]


@pytest.mark.parametrize(
    "head",
    [
        "Patients will be excluded if they have any of the following:",
        "A participant is not eligible if any of these is true:",
        "If any exclusion criterion applies, the subject must not be included:",
        "Reasons for exclusion:",
        "People cannot take part if they have:",
        "Exclusion Criteria - All participants:",
        "Exclusion criteria (both arms)",
    ],
)
def test_a_sentence_opens_a_section(head: str) -> None:
    text = f"Eligibility Criteria\n\nSubjects must meet all of the following:\n1. Asthma\n\n{head}\n o Stroke\n o Gout"
    assert _told(text) == [("in", "Asthma"), ("ex", "Stroke"), ("ex", "Gout")]


def test_a_list_of_what_must_not_be_excludes() -> None:
    text = "Inclusion Criteria:\n1. Asthma\n2. Must not have any of these:\n   a. Stroke\n   b. Gout\n3. Age over 40"
    assert _told(text) == [("in", "Asthma"), ("in", "Age over 40"), ("ex", "Stroke"), ("ex", "Gout")]


def test_a_sentence_says_its_own_section() -> None:
    assert _told("Adults are eligible. Patients with gout will be excluded. Pregnant women are ineligible.") == [
        ("in", "Adults are eligible."), ("ex", "Patients with gout will be excluded."),
        ("ex", "Pregnant women are ineligible."),
    ]  # fmt: skip


def test_a_paragraph_without_marks_is_split_into_sentences() -> None:
    assert _told("Inclusion Criteria: Age over 18; asthma. Able to consent.\nExclusion Criteria: Stroke") == [
        ("in", "Age over 18"), ("in", "asthma."), ("in", "Able to consent."), ("ex", "Stroke"),
    ]  # fmt: skip


def test_spans_are_of_the_source() -> None:
    for statement in split(NESTED):
        here = NESTED[statement.start : statement.end]
        if not statement.parts:
            assert plain(here).strip(" ;") == statement.text


@given(st.text(alphabet=st.sampled_from("ab1.*-:;()\n  ≥\\>Inclusion Exclusion Criteria"), max_size=200))
def test_any_text_splits_and_spans_stay_inside(text: str) -> None:
    for statement in split(text):
        assert 0 <= statement.start <= statement.end <= len(text)
        assert statement.text.strip()


def test_an_inclusion_that_ends_with_or_goes_on_with_the_next() -> None:
    text = "Inclusion Criteria:\n* Age over 18\n* Gout; or\n* Pseudogout\n* Asthma\n\nOR\n\n* COPD\n"
    text += "Exclusion Criteria:\n* Stroke; or\n* Seizure\n"
    made = split(text)
    assert [(s.text, s.parts, s.needed) for s in made] == [
        ("Age over 18", (), 0),
        ("Gout or Pseudogout", ("Gout", "Pseudogout"), 1),
        ("Asthma or COPD", ("Asthma", "COPD"), 1),
        ("Stroke; or", (), 0),
        ("Seizure", (), 0),
    ]


def test_an_organ_over_a_list_is_no_criterion() -> None:
    made = split(
        "Inclusion Criteria:\n* Adequate function:\n  * Hepatic\n    * ALT < 40 U/L\n  * Renal\n    * eGFR > 60\n"
    )
    assert [s.text for s in made] == ["ALT < 40 U/L", "eGFR > 60"]
