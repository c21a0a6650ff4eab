"""The coordinator's file: what is written reads back the same, and a fault names its line and what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import UserError
from agent.trials.reading import compile_trial, read_text, read_trial
from agent.trials.sheet import digest, read_sheet, write_sheet
from tests.agent.trials.protocols import study

TEXT = """Inclusion Criteria:

* Age 18 to 75 years
* Type 2 diabetes with HbA1c ≥ 7.0% within 6 months

Exclusion Criteria:

* Any malignancy within 5 years other than basal cell carcinoma
* No current use of aspirin or warfarin
* Severe asthma
* Unable to consent
"""


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "criteria.yaml"
    path.write_text(text)
    return path


def test_what_is_written_reads_back_the_same(tmp_path: Path) -> None:
    trial = read_text(TEXT, "T1")
    criteria = compile_trial(trial)
    sheet = read_sheet(_file(tmp_path, write_sheet(trial, criteria)))
    assert [c.check for c in sheet.criteria] == [c.check for c in criteria]
    assert digest(sheet.criteria) == digest(criteria)
    assert all(TEXT[c.statement.start : c.statement.end] for c in sheet.criteria)


def test_an_edit_is_what_runs(tmp_path: Path) -> None:
    trial = read_text(TEXT, "T1")
    text = write_sheet(trial, compile_trial(trial)).replace(">= 7 %", ">= 8 %")
    sheet = read_sheet(_file(tmp_path, text))
    assert "value=8.0" in repr(sheet.criteria[1].check) and digest(sheet.criteria) != digest(compile_trial(trial))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("type: age", "type: agee", "type should be one of"),
        (">= 7 %", "about 7", "is no limit; write a sign, a number and a unit"),
        ("within: 6 months", "within: a while", "is no length of time"),
        ("state: current", "state: active", "a medication has no state 'active'"),
        ("of: Type 2 diabetes", "oft: Type 2 diabetes", "no such key"),
        ("section: exclusion", "section: excluded", "'inclusion' or 'exclusion'"),
        ("number: 2", "number: 1", "two criteria have the number 1"),
        ("title: T1", "title: [T1", "line"),
        ("trial: T1", "trial: &a T1", "anchors are not taken"),
    ],
)
def test_a_fault_names_its_line_and_the_remedy(tmp_path: Path, old: str, new: str, told: str) -> None:
    trial = read_text(TEXT, "T1")
    text = write_sheet(trial, compile_trial(trial))
    assert old in text
    with pytest.raises(UserError) as caught:
        read_sheet(_file(tmp_path, text.replace(old, new, 1)))
    assert told in str(caught.value) and "criteria.yaml" in str(caught.value)


def test_the_line_is_that_of_the_fault(tmp_path: Path) -> None:
    trial = read_text(TEXT, "T1")
    text = write_sheet(trial, compile_trial(trial)).replace("within: 6 months", "within: soon")
    line = next(n for n, x in enumerate(text.splitlines(), 1) if "within: soon" in x)
    with pytest.raises(UserError, match=f"line {line}"):
        read_sheet(_file(tmp_path, text))


def test_the_registrys_fields_are_checked_where_the_text_does_not_say_them() -> None:
    silent = read_trial(study("Inclusion Criteria:\n* Asthma", minimumAge="18 Years", sex="FEMALE"), "x")
    assert [c.check.type for c in compile_trial(silent)] == ["age", "sex", "record"]
    told = read_trial(study("Inclusion Criteria:\n* Women over 18 years", minimumAge="18 Years", sex="ALL"), "x")
    assert [c.statement.number for c in compile_trial(told)] == [1]
