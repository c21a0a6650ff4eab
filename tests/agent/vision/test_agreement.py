"""Reading against report: contradictions are told, and nothing else is."""

from __future__ import annotations

import pytest

from agent.vision.agreement import disagreements, told_of
from agent.vision.terms import term_of, terms
from tests.agent.vision.made import document, finding

CLEAR = (
    "CLINICAL HISTORY: Pneumonia, evaluate for effusion.\n"
    "COMPARISON: The prior film showed a pneumothorax.\n"
    "FINDINGS: The lungs are clear. Heart size is normal. No pleural effusion or pneumothorax.\n"
    "IMPRESSION: No acute cardiopulmonary abnormality."
)
SICK = "Small left pleural effusion. Possible right lower lobe consolidation. The heart is enlarged. No pneumothorax."


@pytest.mark.parametrize(
    ("name", "presence", "location", "text", "about"),
    [
        ("pleural effusion", "present", "right base", CLEAR, "presence"),
        ("Pneumothorax", "present", "left apex", CLEAR, "presence"),
        ("cardiomegaly", "present", "", CLEAR, "presence"),
        ("right lower lobe opacity", "present", "", CLEAR, "presence"),
        ("lung nodule", "present", "", CLEAR, "presence"),
        ("cardiomegaly", "absent", "", SICK, "presence"),
        ("pleural effusion", "present", "right base", SICK, "side"),
        ("pleural effusion", "present", "bilateral", SICK, None),
        ("pleural effusion", "present", "left base", SICK, None),
        ("pneumothorax", "absent", "", CLEAR, None),
        ("pneumothorax", "uncertain", "", CLEAR, None),
        ("consolidation", "present", "", SICK, None),
        ("consolidation", "absent", "", SICK, None),
        ("fracture", "present", "", CLEAR, None),
        ("pneumothorax", "present", "", "Status post resolved pneumothorax.", None),
        ("pleural effusion", "present", "left", "No right effusion. Small left pleural effusion.", None),
        ("lung nodule", "present", "", "The lungs are not clear.", None),
    ],
)
def test_disagreements(name: str, presence: str, location: str, text: str, about: str | None) -> None:
    found = disagreements([finding(name, presence, location=location)], [document(text)])
    assert [d.about for d in found] == ([about] if about else [])


def test_the_report_is_quoted_with_its_reference() -> None:
    (found,) = disagreements([finding("pneumothorax", location="left apex")], [document("No pneumothorax.", "xr-7")])
    assert 'the report says "No pneumothorax." (DiagnosticReport/xr-7)' in found.text
    assert "the model reads present, left apex" in found.text


def test_a_finding_seen_in_one_place_is_not_told_as_absent_for_another() -> None:
    both = [finding("effusion", "present", location="left"), finding("effusion", "absent", location="right")]
    assert disagreements(both, [document("Small left pleural effusion.")]) == ()


def test_what_stands_under_comparison_is_of_another_image() -> None:
    assert {t.says for t in told_of(term_of("pneumothorax"), [document(CLEAR)])} == {"absent"}


def test_names_meet_their_finding() -> None:
    assert term_of("Small right pleural effusion").id == "pleural effusion"
    assert term_of("free air under the diaphragm").id == "pneumoperitoneum"
    assert term_of("Lung Nodules").id == "lung nodule"
    unknown = term_of("swirl sign")
    assert (unknown.label, unknown.urgency) == ("swirl sign", 3)


def test_the_table_holds_together() -> None:
    names = [name for term in terms() for name in term.names]
    assert len(names) == len(set(names)), "a name means two findings"
    assert {term.urgency for term in terms()} == {1, 2, 3, 4}
    assert all(term_of(name).id == term.id for term in terms() for name in term.names)
