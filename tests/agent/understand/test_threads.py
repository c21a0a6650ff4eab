"""Follow-up questions keep their subject; new subjects do not."""

from __future__ import annotations

import json

import pytest

from agent.chart import Chart
from agent.understand import subject_of
from tests.agent.asking import ask, talk

THREADS = (
    ("m", ("last A1c?", "and the one before?"), "previous", "2025-12-22"),
    ("m", ("last A1c?", "and the one before?", "and the one before?"), "previous", "2025-09-08"),
    ("m", ("last A1c?", "in 2018?"), "latest", "2018-11-08"),
    ("m", ("last A1c?", "and in 2019?", "and in 2020?"), "latest", "2020-11-05"),
    ("m", ("how many A1c results", "in 2018?"), "count", "4 Hemoglobin A1c results"),
    ("m", ("last A1c?", "what about LDL?"), "latest", "92 mg/dL"),
    ("m", ("A1c trend", "and creatinine?"), "trend", "0.84 mg/dL"),
    ("m", ("highest A1c", "lowest?"), "lowest", "7.1 %"),
    ("m", ("last A1c?", "when was it first measured?"), "first", "2009-03-04"),
    ("m", ("still on metformin?", "why was it stopped?"), "reason", "eGFR below 30"),
    ("m", ("when was the last admission", "how long was it?"), "duration", "5 days"),
    ("r", ("any beta blockers?", "any statins?"), "taking", "Atorvastatin"),
    # another subject
    ("m", ("last A1c?", "problem list"), "list", "Essential hypertension"),
    ("m", ("last A1c?", "allergies"), "list", "Penicillin V"),
    ("m", ("last A1c?", "DOB"), "attribute", "1958-04-17"),
    ("m", ("problem list", "last A1c?"), "latest", "7.2 %"),
)


@pytest.mark.parametrize(("who", "questions", "op", "told"), THREADS)
def test_a_thread(who: str, questions: tuple[str, ...], op: str, told: str, charts: dict[str, Chart]) -> None:
    done = talk(charts[who], *questions)
    assert done.ask.op == op
    assert told in done.text


def test_a_follow_up_that_is_not_understood_is_refused(charts: dict[str, Chart]) -> None:
    assert talk(charts["m"], "last A1c?", "xyzzy?").answer.status == "refused"


def test_a_follow_up_without_a_thread_has_no_subject(charts: dict[str, Chart]) -> None:
    assert ask(charts["m"], "and the one before?").answer.status == "refused"


def test_what_a_thread_keeps_is_plain_data(charts: dict[str, Chart]) -> None:
    kept = subject_of(ask(charts["m"], "A1c since 2020").ask)
    assert json.loads(json.dumps(kept)) == kept
    assert kept["targets"][0]["label"] == "Hemoglobin A1c"
