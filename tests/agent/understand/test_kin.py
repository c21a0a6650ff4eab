"""One of the family who asks about the patient, and a patient's relatives."""

from __future__ import annotations

import pytest

from agent.chart import Chart
from tests.agent.asking import ask


@pytest.mark.parametrize(
    ("who", "question", "relative"),
    [
        ("r", "Did dad have a colonoscopy?", ""),
        ("r", "My father has a pacemaker, when was it put in?", ""),
        ("r", "How old was grandpa when the prostate cancer was found?", ""),
        ("r", "How old was mum when the prostate cancer was found?", "mother"),  # of the other sex
        ("m", "Did her mother have diabetes?", "mother"),
        ("m", "Has mom got diabetes?", "mother"),  # the family history tells of it
    ],
)
def test_whose_it_is(who: str, question: str, relative: str, charts: dict[str, Chart]) -> None:
    assert ask(charts[who], question).ask.relative == relative
