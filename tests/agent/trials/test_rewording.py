"""Turns of phrase of protocols, said plainly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.trials.rewording import labelled, reworded


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hypo- or hyperkalemia", "hypokalemia or hyperkalemia"),
        ("pre- and postmenopausal", "premenopausal and postmenopausal"),
        ("histologically or cytologically proven melanoma", "cytologically proven melanoma"),
        ("eGFR (CKD-EPI 2021 equation) above 45", "eGFR   above 45"),
        ("lisinopril, alone or in combination with amlodipine", "lisinopril alone"),
        ("T-score below -2.0 at the femoral neck or spine", "T-score below -2.0 (at the femoral neck or spine)"),
        ("stroke, precluding use of thrombolytics", "stroke (precluding use of thrombolytics)"),
        ("pain at the wrist", "pain at the wrist"),
        ("a 3- or 6-month course", "a 3- or 6-month course"),
    ],
)
def test_said_plainly(text: str, expected: str) -> None:
    assert reworded(text) == expected


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Gout: Participants with a history of gout", "Gout"),
        ("Lung or heart: Patients with asthma", ""),
        ("History of: patients with asthma", ""),
        ("One of the following: women with asthma", ""),
        ("Within 6 months: patients with stroke", ""),
        ("Gout: serum urate above 8 mg/dL", ""),
    ],
)
def test_only_a_sentence_of_people_has_a_label(text: str, label: str) -> None:
    assert labelled(text)[0] == label


@given(st.text(max_size=80))
def test_any_text_can_be_said(text: str) -> None:
    assert labelled(reworded(text))[1] in reworded(text)
