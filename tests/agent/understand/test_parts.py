"""A question of several, taken apart."""

from __future__ import annotations

import pytest

from agent.understand.parts import bare, parted

PARTED = (
    ("when was the last colonoscopy and what did it show", ("when was the last colonoscopy", "what did it show")),
    ("is she on aspirin and if so what dose?", ("is she on aspirin", "if so what dose?")),
    ("is he on warfarin? If not, when was it stopped?", ("is he on warfarin", "If not, when was it stopped?")),
    ("A1c before and after insulin", ("A1c before insulin", "A1c after insulin")),
    ("PSA before surgery and after", ("PSA before surgery", "PSA after surgery")),
    ("creatinine on admission and at discharge", ("creatinine on admission", "creatinine at discharge")),
    ("compare creatinine now to a year ago", ("latest creatinine", "creatinine a year ago")),
    ("A1c in 2023 vs 2025", ("A1c in 2023", "A1c in 2025")),
    ("EF then and now", ("first EF", "latest EF")),
    ("age and sex", ("age", "sex")),
    ("is she on aspirin and why and at what dose", ("is she on aspirin", "why", "at what dose")),
)
WHOLE = (
    "what was the last A1c, and when?",
    "has he had any imaging studies? When?",
    "what was the INR and what was the date",
    "lowest and highest potassium",
    "does he have diabetes and hypertension",
    "A1c between March and June",
    "ferritin and hemoglobin",
)


@pytest.mark.parametrize(("question", "parts"), PARTED)
def test_the_parts_of_a_question(question: str, parts: tuple[str, ...]) -> None:
    assert parted(question) == parts


@pytest.mark.parametrize("question", WHOLE)
def test_what_is_one_question(question: str) -> None:
    assert parted(question) == (question,)


def test_a_condition_on_the_first_answer_asks_nothing() -> None:
    assert bare("if so, what dose") == "what dose"
