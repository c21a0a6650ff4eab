"""Shorthand written out, and which clause of several asks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.chart import Chart
from agent.types import Ask
from agent.understand import understand
from agent.understand.clauses import askings
from agent.understand.shorthand import plain
from tests.agent.asking import ask

PLAIN = (
    ("Could I trouble you for the last weight?", "the last weight?"),
    ("I need his DOB", "his DOB"),
    ("The surgeon wants to know whether he smokes", "whether he smokes"),
    ("She isn't on warfarin, is she?", "is She on warfarin?"),
    ("Isn't he on apixaban?", "Is he on apixaban?"),
    ("what haven't we checked", "what have not we checked"),
    ("we've had CRPs", "we have had CRP"),
    ("any CRPS?", "any CRPS?"),
    ("meds rn", "meds now"),
    ("lithium y/n?", "lithium yes or no?"),
    ("no. of weights", "number of weights"),
    ("last A&E visit", "last emergency department visit"),
    ("is he taking it atm?", "is he taking it now?"),
    ("hx of gout w dates", "hx of gout with dates"),
    ("shes on what", "she is on what"),
    ("HES resolved?", "HES resolved?"),
    ("the boy's weight", "the patient's weight"),
    ("the child of his sister", "the child of his sister"),
    ("latest c r p", "latest crp"),
    ("vitamin d c x", "vitamin d c x"),
    ("a one c trend", "A1c trend"),
    ("the heaviest so far", "the highest weight so far"),
    ("weight at the last weigh-in, in kilos", "weight at the last weight, in kg"),
    ("how heavy was he", "what weight was he"),
    ("by how many mmol/L did sodium fall", "by how much mmol/L did sodium fall"),
    ("how many mg tablets", "how many mg tablets"),
    ("ferritin blood test", "ferritin lab test"),
    ("which x-rays or scans", "which imaging"),
    ("since the third of May 2020", "since 3 May 2020"),
    ("the first of the two", "the first of the two"),
    ("fecal occult blood test", "fecal occult blood test"),
)


@pytest.mark.parametrize(("typed", "text"), PLAIN)
def test_shorthand_and_courtesy(typed: str, text: str) -> None:
    assert plain(typed).strip() == text


@given(st.text(max_size=300))
def test_any_text_is_taken(text: str) -> None:
    assert isinstance(plain(text), str)
    assert len(list(askings(text))) <= 1


ALONE = (
    ("He is going to theatre tomorrow, is he on a blood thinner?", "is he on a blood thinner?"),
    ("I'm clerking her in. What are the active problems?", "What are the active problems?"),
    ("INR pls - she is due a procedure", "INR pls"),
    ("Before I prescribe: any allergies?", "any allergies?"),
    (
        "Preparing the clinic letter: which medicines is he taking at present?",
        "which medicines is he taking now?",
    ),
    ("Chest pain overnight, what was the last troponin?", "what was the last troponin?"),
    ("Oncology follow-up: latest ferritin?", "latest ferritin?"),
    ("Giving nitrates, is this patient on sildenafil?", "is this patient on sildenafil?"),
)


@pytest.mark.parametrize(("question", "clause"), ALONE)
def test_the_clause_that_asks(question: str, clause: str) -> None:
    assert [asked for asked, _ in askings(question)] == [clause]


@pytest.mark.parametrize(
    "question",
    [
        "I only want values of this year. What is the highest potassium?",  # an exception
        "I do not trust the bedside values. What is the last hemoglobin?",
        "He had a bleed. What was the hemoglobin?",  # a past that may be meant
        "She is on lithium. When was it started?",  # it points back
        "His weight is 80 now. Is that more than before?",
        "Is he on lithium? Is he on warfarin?",  # two questions
        "last weight?",
        "In the ICU, what was the last potassium?",
        "Acute MI: what was the hemoglobin?",  # which of them is not said
        "Mother: any stroke?",
        "Not on warfarin, is he on apixaban?",
        "After dialysis: last potassium?",
    ],
)
def test_what_may_narrow_the_question_is_not_passed_over(question: str) -> None:
    assert not list(askings(question))


def asked(question: str, chart: Chart) -> Ask:
    found = understand(question, chart)
    assert not found.unknown, found.unknown
    assert found.question == question
    return found


def test_a_question_among_clauses_is_understood(charts: dict[str, Chart]) -> None:
    found = asked("He's going to theatre tomorrow, is he on a blood thinner?", charts["r"])
    assert (found.op, found.window) == ("taking", None)


KNOWN = (
    ("which problems haven't resolved yet?", "list", "active"),
    ("open problems", "list", "active"),
    ("what is he taking today?", "list", "active"),
)


@pytest.mark.parametrize(("question", "op", "state"), KNOWN)
def test_what_goes_on_now(question: str, op: str, state: str, charts: dict[str, Chart]) -> None:
    found = asked(question, charts["r"])
    assert found.op == op
    assert found.state == state or found.current
    assert found.window is None


OPS = (
    ("how much was the last potassium", "latest", "number"),
    ("how much times was potassium tested", "count", "number"),
    ("potassium, last result and its date", "latest", "number"),
    ("what was potassium when it was last checked", "latest", "number"),
    ("last time potassium was checked", "latest", "date"),
    ("did potassium rise between the last two readings", "compare", "bool"),
    ("by what amount did potassium go up from the first to the last reading", "change", "number"),
    ("the fastest heart rate", "highest", "number"),
    ("the slowest heart rate", "lowest", "number"),
    ("the worst (lowest) hemoglobin", "lowest", "number"),
    ("age, hypertension onset", "age_at", "number"),
    ("when sleep apnea was found, what was his age", "age_at", "number"),
    ("potassium at the very beginning", "first", "number"),
    ("apixaban since?", "started", "date"),
    ("ED visits total", "count", "number"),
    ("max ALT", "highest", "number"),
    ("last hemoglobin, g/dL", "latest", "number"),
    ("when potassium was measured the first time, what was it?", "first", "number"),
    ("to how much did potassium go at maximum", "highest", "number"),
    ("potassium results in 2024, number", "count", "number"),
    ("how many years has he had hypertension", "duration", "text"),
    ("has he had a flu shot, and when last", "latest", "date"),
    ("versus the prior value, has potassium climbed?", "compare", "bool"),
    ("what is apixaban in aid of", "reason", "text"),
    ("what was the latest sodium, and on what date was it taken", "latest", "number"),
    ("by how many mmol/L did potassium change from the first to the latest", "change", "number"),
    ("when hypertension was diagnosed, what was the sodium around then", "closest", "number"),
    ("what was his weight when measured on 2024-05-01", "on", "number"),
    ("potassium: last vs second to last, is it an increase", "compare", "bool"),
    ("how many kilos has his weight shifted from the first entry to the latest", "change", "number"),
    ("GI clinic wants to know the date of his last colonoscopy", "latest", "date"),
    ("what is he on these days", "list", "set"),
    ("is he on apixaban or not", "taking", "bool"),
    ("was pneumonia ever diagnosed, past or present", "exists", "bool"),
    ("latest weight as things stand today", "latest", "number"),
    ("newest potassium against the prior one: is it higher", "compare", "bool"),
    ("his weight when it was first measured", "first", "number"),
    ("what should I list under allergies", "list", "set"),
    ("last visit, ignoring anything that was cancelled", "latest", "date"),
    ("latest weight, disregarding entries made in error", "latest", "number"),
    ("My dad's moving house tomorrow, what medicines is he on at present?", "list", "set"),
    ("which drugs should he be taking now", "list", "set"),
    ("current problems, leaving out anything that's resolved", "list", "set"),
    ("current problems, not the old stuff that cleared up", "list", "set"),
    ("any ovarian cancer, as opposed to relatives?", "exists", "bool"),
    ("total cholesterol at the last lipid check", "latest", "number"),
    ("has he put on weight since the last weigh-in?", "compare", "bool"),
    ("what is the least he has ever weighed", "lowest", "number"),
    ("when did the latest encounter begin", "latest", "date"),
    ("platelets at the last count", "latest", "number"),
    ("Morning round. penicillin allergy?", "exists", "bool"),
    ("GP surgery calling: how many potassium readings are there?", "count", "number"),
    ("Vaccination clinic: how old is the patient?", "attribute", "number"),
    ("I can't find this anywhere. when was hypertension first diagnosed?", "first", "date"),
    ("first potassium on record, because the insurer asks?", "first", "number"),
    ("when was the patient last seen, to put in the letter?", "latest", "date"),
    ("sorry to bother you, last potassium, thanks so much", "latest", "number"),
    ("any idea what his last potassium was?", "latest", "number"),
    ("last potassium minus first potassium", "change", "number"),
    ("how different is the latest potassium from the first one", "change", "number"),
    ("of the two most recent potassium values is the later one higher", "compare", "bool"),
    ("potassium maximum over time", "highest", "number"),
    ("what is the most the potassium has ever been", "highest", "number"),
    ("the first time potassium was checked, what was it?", "first", "number"),
    ("what was the potassium when we first measured it", "first", "number"),
    ("what is wrong with him at the moment", "list", "set"),
    ("how many times was he here in 2025", "count", "number"),
    ("on account of what was apixaban prescribed", "reason", "text"),
    ("is it true that he has hypertension", "exists", "bool"),
    ("average weight between 2020-11-15 and now", "mean", "number"),
    ("potassium closest to when he was found to have atrial fibrillation", "closest", "number"),
)


@pytest.mark.parametrize(("question", "op", "expects"), OPS)
def test_the_operation(question: str, op: str, expects: str, charts: dict[str, Chart]) -> None:
    found = asked(question, charts["r"])
    assert (found.op, found.expects) == (op, expects)


@pytest.mark.parametrize(
    "question",
    [
        "worst potassium",  # high or low?
        "creatinine in umol/L",  # another unit is asked for
        "hemoglobin 2024 13 17",  # numbers that nothing accounts for
        "average of the first three weights",
        "what issues did he have with amiodarone",
        "the team asks about stopping apixaban",
        "what was he on before apixaban",
        "is he up to date with vaccines",
        "problem with potassium?",
        "where was the colonoscopy done",
        "which doctor saw him last",
        "what made his hemoglobin drop",
    ],
)
def test_what_is_not_understood_is_said(question: str, charts: dict[str, Chart]) -> None:
    assert understand(question, charts["r"]).unknown


def test_a_thing_that_the_chart_lacks_is_not_a_question_about_the_person(charts: dict[str, Chart]) -> None:
    found = asked("where is his vitamin D these days?", charts["r"])
    assert not found.attribute
    assert found.kinds[:1] == ("measurement",)


def test_a_mean_from_a_day_goes_on_from_it(charts: dict[str, Chart]) -> None:
    mean = asked("mean weight from 3 August 2023", charts["r"]).window
    one = asked("weight from 3 August 2023", charts["r"]).window
    assert mean is not None
    assert mean.high is None
    assert one is not None
    assert one.high is not None


def test_going_back_to_a_day_is_since_that_day(charts: dict[str, Chart]) -> None:
    window = asked("average weight going back to 3 March 2025", charts["r"]).window
    assert window is not None
    assert window.high is None


def test_a_word_of_everyday_speech_is_no_misspelt_name(charts: dict[str, Chart]) -> None:
    (target,) = asked("he wants to see his last weight as it looks now", charts["r"]).targets
    assert target.label == "Body weight"


def test_a_level_of_what_is_known_as_a_drug_alone_is_not_understood(charts: dict[str, Chart]) -> None:
    assert understand("heparin reading?", charts["r"]).unknown


def test_a_mean_over_the_last_few(charts: dict[str, Chart]) -> None:
    answer = ask(charts["r"], "average of the last three weights").text
    assert "in the last 3 results" in answer
    assert "(3 results)" in answer


def test_tablets_are_a_drug(charts: dict[str, Chart]) -> None:
    assert asked("still on potassium tablets?", charts["r"]).kinds[:1] == ("medication",)


def test_words_that_join_are_part_of_a_label(charts: dict[str, Chart]) -> None:
    (target,) = asked("when was the ulcer with bleeding diagnosed", charts["r"]).targets
    assert target.label == "Gastric ulcer with bleeding"


def test_images_of_two_kinds_are_two_subjects(charts: dict[str, Chart]) -> None:
    assert len(asked("x-rays, CTs", charts["r"]).targets) == 2


def test_an_event_apart_from_its_relation(charts: dict[str, Chart]) -> None:
    anchor = asked("closest weight to the onset of hypertension", charts["r"]).anchor
    assert anchor is not None
    assert (anchor.relation, anchor.target.label) == ("closest", "Essential hypertension")
