"""Traces: one line an answer, without patient data unless the setting asks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.errors import SettingsError
from agent.trace import Trace, Tracer
from agent.types import Answer, Claim, Draft, Removed, Verified

ANSWER = Answer(
    question="Secret question?",
    patient="Patient/secret-id",
    as_of="2020-01-01",
    status="answered",
    text="Secret text.",
    removed=[Removed(kind="number", reason="r")],
    reasoner="rules",
)


def traced() -> Trace:
    trace = Trace(op="latest")
    with trace.stage("retrieve") as row:
        row["cards"] = 2
    trace.keep(Draft(claims=(Claim(text="Secret claim"),)), Verified(feedback="Secret feedback"))
    return trace


def line(folder: Path) -> tuple[str, dict[str, object]]:
    (file,) = folder.glob("*.jsonl")
    text = file.read_text()
    return text, json.loads(text)


def test_a_trace_holds_stages_counts_and_hashes_and_nothing_of_the_patient(tmp_path: Path) -> None:
    trace = traced()
    Tracer(folder=tmp_path / "deep" / "traces", prompts={"answer": "ab12"}).write(trace, ANSWER)
    text, row = line(tmp_path / "deep" / "traces")
    assert "ecret" not in text
    assert row["trace"] == trace.id
    assert row["prompts"] == {"answer": "ab12"}
    assert (row["op"], row["status"], row["removed"]) == ("latest", "answered", ["number"])
    assert row["stages"][0]["cards"] == 2  # type: ignore[index]
    assert row["stages"][0]["seconds"] >= 0  # type: ignore[index]


def test_patient_data_is_written_when_the_setting_asks(tmp_path: Path) -> None:
    Tracer(folder=tmp_path, patient_data=True).write(traced(), ANSWER)
    text, row = line(tmp_path)
    assert row["patient_data"]["answer"]["patient"] == "Patient/secret-id"  # type: ignore[index]
    assert "Secret claim" in text
    assert "Secret feedback" in text


def test_answers_of_a_day_share_a_file(tmp_path: Path) -> None:
    tracer = Tracer(folder=tmp_path)
    first = traced()
    second = Trace(at=first.at)
    tracer.write(first, ANSWER)
    tracer.write(second, ANSWER)
    (file,) = tmp_path.glob("*.jsonl")
    assert [json.loads(text)["trace"] for text in file.read_text().splitlines()] == [first.id, second.id]


def test_a_stage_that_breaks_is_noted_by_its_type_alone() -> None:
    trace = Trace()

    def broken() -> None:
        with trace.stage("reason"):
            raise RuntimeError("Secret")

    with pytest.raises(RuntimeError):
        broken()
    assert trace.stages[0]["error"] == "RuntimeError"
    assert "Secret" not in json.dumps(trace.stages)


def test_without_a_folder_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Tracer().write(traced(), ANSWER)
    assert not list(tmp_path.rglob("*"))


def test_a_folder_that_cannot_be_made_names_the_variable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="CHARTLINE_TRACE"):
        Tracer(folder=tmp_path / "file" / "traces")
