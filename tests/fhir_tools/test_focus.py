"""What of a chart's results a question about one analyte can do without."""

from __future__ import annotations

import pytest

from fhir_tools import focus as module
from fhir_tools.focus import focus_on
from fhir_tools.lexicon import Entry, lexicon
from fhir_tools.search.query import check, to_url
from fhir_tools.types import Query, Reference

LOINC = "http://loinc.org|"


def lab(name: str) -> Entry:
    return lexicon().lookup(name, ("lab",))[0]


def left_out(question: str, name: str) -> set[str]:
    focus = focus_on(lab(name), question)
    assert focus is not None
    return {token.removeprefix(LOINC) for token in focus.others}


def test_the_common_codes_are_known_to_the_lexicon_and_stand_once() -> None:
    common = module._COMMON
    assert len(set(common)) == len(common)
    assert [c for c in common if not lexicon().by_code("http://loinc.org", c)] == []


def test_the_results_of_others_are_left_out() -> None:
    out = left_out("What was the latest creatinine level?", "creatinine")
    assert {"2951-2", "718-7", "85354-9", "72166-2"} <= out
    assert out.isdisjoint(code for _, code in lab("creatinine").codes)


@pytest.mark.parametrize(
    ("question", "name", "code"),
    [
        ("last creatinine?", "creatinine", "9318-7"),  # albumin/creatinine ratio
        ("last hemoglobin?", "hemoglobin", "4548-4"),  # hemoglobin A1c
        ("last hemoglobin?", "hemoglobin", "785-6"),  # mean corpuscular hemoglobin
        ("last LDL cholesterol?", "ldl", "2093-3"),
        ("last systolic pressure?", "systolic", "85354-9"),  # the panel that it is a part of
        ("last MAP?", "map", "85354-9"),  # a panel of the same group may have it as a part
    ],
)
def test_what_may_be_meant_stays(question: str, name: str, code: str) -> None:
    assert code not in left_out(question, name)


@pytest.mark.parametrize("name", ["blood pressure", "cbc", "lipid panel"])
def test_a_panel_has_no_focus(name: str) -> None:
    assert focus_on(lab(name), f"latest {name}") is None


def test_a_name_of_common_words_has_no_focus() -> None:
    assert focus_on(lab("total protein"), "total protein") is None


def test_what_is_no_analyte_has_no_focus() -> None:
    assert focus_on(lexicon().lookup("asthma", ("condition",))[0], "asthma") is None


def test_the_searches_are_right_by_r4_and_short_enough_for_a_url() -> None:
    for entry in lexicon().entries("lab"):
        focus = focus_on(entry, f"what was the latest {entry.terms[0]}?")
        if focus is None:
            continue
        own = focus.query(Reference(type="Patient", id="p" * 36))
        rest = Query(type="Observation", params=(("patient", "Patient/p"), ("code:not", ",".join(focus.apart))))
        check(own)
        check(rest)
        assert len(to_url(rest)) < 1_700
        assert not set(focus.own) & set(focus.others)
