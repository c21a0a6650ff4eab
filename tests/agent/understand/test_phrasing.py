"""Operations in other words, over the demo charts: each row's figures were read off the charts by hand."""

from __future__ import annotations

import pytest

from agent.chart import Chart
from agent.understand.phrasing import written_out
from tests.agent.asking import Row, ask, check

ROWS: tuple[Row, ...] = (
    # extremes
    ("r", "How high did the INR climb in 2020?", "answered", ("Highest", "5.8"), "inr-2020-12-29"),
    ("m", "How low did her haemoglobin sink?", "answered", ("Lowest", "10.8 g/dL"), "hemoglobin-2025-12-22"),
    ("r", "Poorest ejection fraction so far?", "answered", ("Lowest", "31 %"), "ejection-2022-09-07"),
    ("m", "worst HbA1c ever", "answered", ("Highest", "8.8 %"), "a1c-2009-03-04"),
    # the one against the other
    ("m", "HbA1c: lower at the last check than at the one before?", "answered", ("No:", "7.2 %", "7.1 %"), "a1c-2025"),
    ("m", "Is the latest LDL higher than its predecessor?", "answered", ("Yes:", "92 mg/dL"), "ldl-2025-05-27"),
    ("m", "Was her LDL lower in 2024 than in 2023?", "answered", ("Yes:", "76 mg/dL", "84 mg/dL"), "ldl-2024-04-08"),
    ("m", "Was the LDL of 2023 higher than that of 2024?", "answered", ("Yes:", "lower than"), "ldl-2023-02-15"),
    ("m", "Did the second eGFR come down from the first?", "answered", ("Yes:", "82 ", "85 "), "egfr-2009-06-16"),
    ("r", "How much higher is the latest LVEF than the first?", "answered", ("+21 %", "31", "52"), "ejection-2025"),
    ("m", "How much lighter is she than at her first weight?", "answered", ("-9.5 kg",), "weight-2009-03-04"),
    # times
    ("m", "mean A1c over the year up to 6 April 2026, both ends counted", "answered", ("7.3 %", "4 "), "a1c-2026"),
    ("m", "What do the A1c results average, counting from October 2025?", "answered", ("7.15 %",), "a1c-2026-04-06"),
    ("m", "highest CRP, 9-13 Nov 2023", "answered", ("188 mg/L",), "2023-11-09"),
    ("m", "how many A1c results before her 52nd birthday?", "answered", ("4 Hemoglobin A1c",), "a1c-2009-03-04"),
    # which in order
    ("m", "second shingles vaccine, date?", "answered", ("2022-11-14",), "2022-11-14"),
    ("m", "when was the fourth covid vaccine?", "not_found", ("Fourth COVID",), ""),
    # stays
    ("m", "peak CRP during the pneumonia stay", "answered", ("212 mg/L",), "2023-11-08"),
    ("r", "lowest Hb in his admission for the gastric ulcer", "answered", ("7.4 g/dL",), "hemoglobin-2025-03-10"),
    ("m", "On what date was she allowed home after the pneumonia?", "answered", ("2023-11-13",), ""),
    ("r", "how many in-patient stays so far?", "answered", ("2 Hospital admission",), ""),
    # drugs
    ("r", "Against what was the warfarin given?", "answered", ("Paroxysmal atrial fibrillation",), "warfarin"),
    ("m", "ceftriaxone: in connection with which diagnosis?", "answered", ("pneumonia",), "ceftriaxone"),
    ("m", "day of the last dose of azithromycin that was given?", "answered", ("last given on 2023-11-11",), ""),
    ("r", "Which medicines is he on at the moment? Name them all.", "answered", ("Spironolactone",), "spironolactone"),
    ("m", "ceftriaxone given for?", "answered", ("pneumonia",), "ceftriaxone"),
    ("r", "which of his pills are for the heart failure?", "answered", ("Spironolactone",), "spironolactone"),
    ("m", "Please say me all medicines she takes today.", "answered", ("Amlodipine", "Losartan"), "losartan"),
    # what is looked for, and amounts
    ("m", "I can't find the last A1c, what was it?", "answered", ("7.2 %",), "a1c-2026-04-06"),
    ("m", "There should be an A1c from 22 December 2025, what was it?", "answered", ("7.1 %",), "a1c-2025-12-22"),
    ("m", "If you only look at 2025, how many A1c results are there?", "answered", ("4 ",), "a1c-2025"),
    ("m", "A1c last minus first", "answered", ("-1.6 %",), "a1c-2009-03-04"),
    ("m", "To what value did the CRP climb?", "answered", ("212 mg/L",), "2023-11-08"),
    ("r", "age at diagnosis: prostate cancer", "answered", ("66 years",), "prostate"),
    ("m", "In the past or now, has pneumonia been diagnosed?", "answered", ("Yes:",), "pneumonia"),
    ("l", "Who in the family had ovarian cancer and at what age?", "answered", ("63 years",), ""),
    # people
    ("r", "How old was dad when the prostate cancer was found?", "answered", ("66 years",), "prostate"),
    ("m", "How old was mom when the diabetes was found?", "answered", ("Mother",), ""),
    ("m", "Does pneumonia still count as an active problem?", "answered", ("No:", "resolved"), "pneumonia"),
    ("m", "What did her last A1c come back as?", "answered", ("7.2 %",), "a1c-2026-04-06"),
    ("m", "When was she last physically here?", "answered", ("2026-04-06",), ""),
    ("m", "When was she here last?", "answered", ("2026-04-06",), ""),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda r: f"{r[0]} {r[1]}")
def test_other_words_for_an_operation(row: Row, charts: dict[str, Chart]) -> None:
    check(charts, row)


@pytest.mark.parametrize(
    "question",
    [
        "CRP two days after the admission",
        "her worst sodium",  # neither high nor low is bad
        "is the A1c better than a year ago",
        "kidney function in the last year vs. when she was in hospital in 2023",
        "is her pneumonia back",
        "is the diabetes going ok",
        "which vaccines has she turned down",
        "was she admitted that time",
        "how well is she controlled",
        "how much did she gain with the pneumonia",
        "is she on the transplant list",
        "has she been intubated for pneumonia",
        "was the heparin off",
        "what did the endoscopist do",
        "to what value did the hemoglobin go down in the end",
        "the third most recent A1c",
        "A1c before 8 October 2020 inclusive",
    ],
)
def test_what_is_not_understood_is_not_passed_over(question: str, charts: dict[str, Chart]) -> None:
    assert ask(charts["m"], question).ask.unknown


def test_one_who_stops_is_not_listed_among_what_goes_on(charts: dict[str, Chart]) -> None:
    told = ask(charts["r"], "Which medicines is he on at the moment? Name them all.").text
    assert "Amiodarone" not in told
    assert "stopped" not in told


@pytest.mark.parametrize(
    "question",
    ["last A1c", "What did the last report say about the mass?", "against what is she vaccinated?", "compare with it"],
)
def test_other_questions_stay_as_they_are(question: str) -> None:
    assert written_out(question) == question


@pytest.mark.parametrize("question", [r[1] for r in ROWS])
def test_a_text_that_was_written_out_stays_so(question: str) -> None:
    once = written_out(question)
    assert written_out(once) == once
