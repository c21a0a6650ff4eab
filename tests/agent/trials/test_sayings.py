"""Protocols in plain words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.trials.sayings import said_plainly


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("at least forty-five years old", "at least 45 years old"),
        ("eighty or older", "80 or older"),
        ("QTc longer than 480 ms", "QTc longer than 480 msec"),
        ("renal artery narrower than 3 mm", "renal artery narrower than 3 millimetres"),
        ("systolic pressure above 150 mm Hg", "systolic pressure above 150 mm Hg"),
        ("relapsing MS", "relapsing MS"),
        ("Participants have to be 50 years old", "Participants are 50 years old"),
        ("dementia of whatever cause", "dementia "),
        ("prostate cancer, treated or not", "prostate cancer"),
        ("untreated hypertension", "untreated hypertension"),
        ("not expecting a child", "not pregnant"),
        ("had a pregnancy end in miscarriage", "had miscarriage"),
        (
            "latest blood pressure under 140 mmHg systolic and under 85 mmHg diastolic",
            "latest systolic blood pressure under 140 mmHg and diastolic blood pressure under 85 mmHg",
        ),
    ],
)
def test_what_everybody_says_is_said_plainly(text: str, expected: str) -> None:
    assert said_plainly(text) == expected


@given(st.integers(20, 99))
def test_a_number_in_words_is_that_number(number: int) -> None:
    tens = "twenty thirty forty fifty sixty seventy eighty ninety".split()[number // 10 - 2]
    ones = "one two three four five six seven eight nine".split()[number % 10 - 1] if number % 10 else ""
    words = f"{tens}-{ones}" if ones else tens
    assert said_plainly(f"{words} years or older") == f"{number} years or older"
