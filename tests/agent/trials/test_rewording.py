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
        ("lisinopril, alone or in combination with amlodipine", "lisinopril"),
        ("lisinopril, either alone or in fixed-dose combination with amlodipine", "lisinopril"),
        ("AST ≤ 2.5 x ULN (ULN = 35 U/L)", "AST ≤ 87.5 U/L"),
        ("AST > 3 x ULN of the local laboratory", "AST > 3 x ULN"),
        ("sodium above 130 mmol/L in a blood sample drawn within 2 weeks", "sodium above 130 mmol/L within 2 weeks"),
        ("past or present use of lithium", "history of use of lithium"),
        ("current or former smoker", "current or former smoker"),
        ("on lithium or with epilepsy", "on lithium or epilepsy"),
        ("systolic > 160 mmHg", "systolic blood pressure > 160 mmHg"),
        ("unless adequately controlled (LDL < 100 mg/dL)", "unless LDL < 100 mg/dL"),
        ("arthritis of the wrist, elbow or knee", "arthritis of the wrist or arthritis of elbow or arthritis of knee"),
        ("one or more previous pregnancies", "history of pregnancy, miscarriage or ectopic pregnancy"),
        ("alanine aminotransferase > 2 x ULN", "alanine aminotransferase > 2 x ULN"),
        ("gout, regardless of its stage (acute or chronic)", "gout"),
        ("maintenance treatment with lithium", "treatment with lithium"),
        ("gastrectomy, total or partial", "gastrectomy"),
        ("renal or biliary colic", "renal colic or biliary colic"),
        ("renal or unheard-of colic", "renal or unheard-of colic"),
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
