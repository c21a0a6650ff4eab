"""What is understood of a question: subject, operation, window, state, and what is left over."""

from __future__ import annotations

from datetime import date

import pytest

from agent.chart import Chart
from agent.understand import cautions, understand, vocabulary
from agent.understand.patterns import any_of, words
from fhir_tools.codes import words_of

OPS = (
    ("last A1c?", "latest", ("measurement",)),
    ("A1c, not the latest, the one before", "previous", ("measurement",)),
    ("nadir platelets", "lowest", ("measurement",)),
    ("what's the zenith of her creatinine", "highest", ("measurement",)),
    ("BP trend", "trend", ("measurement",)),
    ("tally the A1c results", "count", ("measurement",)),
    ("A1c count by year", "count_by_year", ("measurement",)),
    ("is she heavier than last time? weight", "compare", ("measurement",)),
    ("net change in weight since 2020", "change", ("measurement",)),
    ("still on metoprolol?", "taking", ("medication",)),
    ("when did we start losartan?", "started", ("medication",)),
    ("when was losartan stopped", "ended", ("medication",)),
    ("why is she on atorvastatin", "reason", ("medication",)),
    ("problem list", "list", ("condition",)),
    ("any history of CKD", "exists", ("condition",)),
    ("age at onset of diabetes", "age_at", ("condition",)),
    ("allergies?", "list", ("allergy",)),
    ("how long was the last admission?", "duration", ("encounter",)),
    ("what happened during the last admission?", "describe", ("encounter",)),
    ("when was she discharged", "ended", ("encounter",)),
    ("do the notes mention NSAIDs", "find", None),
    ("DOB", "attribute", ("patient",)),
    ("hi, could you please tell me her last A1c, thanks", "latest", ("measurement",)),
)


@pytest.mark.parametrize(("question", "op", "kinds"), OPS)
def test_the_operation_and_the_kind(
    question: str, op: str, kinds: tuple[str, ...] | None, charts: dict[str, Chart]
) -> None:
    asked = understand(question, charts["m"])
    assert asked.op == op
    assert kinds is None or asked.kinds[:1] == kinds
    if question != "nadir platelets":
        assert not asked.unknown


@pytest.mark.parametrize(
    ("question", "low", "high"),
    [
        ("A1c in 2018", date(2018, 1, 1), date(2019, 1, 1)),
        ("A1c since 2020", date(2020, 1, 1), None),
        ("A1c before 2015", None, date(2015, 1, 1)),
        ("A1c on 2023-12-25", date(2023, 12, 25), date(2023, 12, 26)),
    ],
)
def test_a_window(question: str, low: date | None, high: date | None, charts: dict[str, Chart]) -> None:
    window = understand(question, charts["m"]).window
    assert window is not None
    assert (window.low, window.high) == (low, high)


@pytest.mark.parametrize(
    ("question", "threshold"),
    [
        ("any A1c above 9", (">", 9.0, None)),
        ("A1c over 8.5 ever", (">", 8.5, None)),
        ("hemoglobin below 7", ("<", 7.0, None)),
        ("creatinine at least 2", (">=", 2.0, None)),
        ("A1c > 9?", (">", 9.0, None)),
        ("was A1c exceeding 9", (">", 9.0, None)),
        ("last A1c", None),
    ],
)
def test_a_threshold(question: str, threshold: object, charts: dict[str, Chart]) -> None:
    assert understand(question, charts["m"]).threshold == threshold


@pytest.mark.parametrize(
    ("question", "unknown"),
    [
        ("last xyzzy", "xyzzy"),
        ("should she take metformin", "should"),
        ("can she have ibuprofen", "can she"),
        ("last qqm9 and t9 xyzzy", "xyzzy"),
        ("A1c when metformin was stopped", "stopped"),
        ("who prescribed metformin", "who"),
    ],
)
def test_what_is_not_understood_is_kept(question: str, unknown: str, charts: dict[str, Chart]) -> None:
    assert any(unknown in word for word in understand(question, charts["m"]).unknown)


def test_a_number_of_the_name_is_understood_and_another_is_not(charts: dict[str, Chart]) -> None:
    assert not understand("CKD stage 4 onset", charts["m"]).unknown
    assert understand("hemoglobin 7", charts["m"]).unknown == ("7",)


@pytest.mark.parametrize(
    ("question", "state", "relative"),
    [
        ("active problems", "active", ""),
        ("resolved problems", "resolved", ""),
        ("which drugs were discontinued", "stopped", ""),
        ("her mother's conditions", "", "mother"),
    ],
)
def test_states_and_relatives(question: str, state: str, relative: str, charts: dict[str, Chart]) -> None:
    asked = understand(question, charts["m"])
    assert (asked.state, asked.relative) == (state, relative)


@pytest.mark.parametrize(
    ("question", "relative"),
    [
        ("what is my mum allergic to", ""),
        ("mum's last potassium", ""),
        ("when was my daughter's last flu shot", ""),
        ("how old is mother", ""),
        ("what is still active on the problem list of my mum", ""),
        ("my dad's last potassium", "father"),  # she is a woman: it may be the wrong chart
        ("her mother's last potassium", "mother"),
        ("is her daughter on metformin", "daughter"),
        ("has mum ever had a stroke", "mother"),  # a family history can hold that
        ("did mother and sister have diabetes", "mother"),
    ],
)
def test_one_of_the_family_may_be_asking_about_the_patient(
    question: str, relative: str, charts: dict[str, Chart]
) -> None:
    asked = understand(question, charts["m"])
    assert (asked.relative, "family" in asked.kinds[:1]) == (
        relative,
        relative == "mother" and "potassium" not in question,
    )


@pytest.mark.parametrize("question", ["drug allergies before induction", "does that apply", "wristband for latex"])
def test_english_words_are_not_taken_for_misspelt_names(question: str, charts: dict[str, Chart]) -> None:
    assert not any(target.corrected for target in understand(question, charts["l"]).targets)


# The tables.


@pytest.mark.parametrize("table", [vocabulary.FUNCTION_WORDS, vocabulary.BENIGN, vocabulary.STAYS])
def test_a_vocabulary_holds_words_as_questions_are_read(table: frozenset[str]) -> None:
    assert [w for w in table if [x.text for x in words_of(w)] != [w]] == []


def test_no_word_is_both_harmless_alone_and_unsafe_alone() -> None:
    """But for words that are safe only within a cue ("next to last", "concerning")."""
    both = {w for w in vocabulary.BENIGN if cautions.UNSAFE.fullmatch(w)}
    known = {
        "apart", "because", "besides", "concerning", "could", "never", "neither", "next", "not", "pre", "post",
        "should", "while", "without", "would",
    }  # fmt: skip
    assert both <= known


def test_a_list_of_words_is_a_pattern_of_whole_words() -> None:
    pattern = any_of(words("trend*, over time, visits?"))
    assert pattern.search("is it trending")
    assert pattern.search("a1c over time")
    assert pattern.fullmatch("visit")
    assert not pattern.search("overtime")
    assert not pattern.search("revisits")
