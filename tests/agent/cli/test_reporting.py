"""`chartline report` and `chartline images triage`, with a vision model that is told what to say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent import reasoning
from agent.cli.app import app
from agent.errors import UserError
from agent.models.base import ChatModel
from tests.agent.vision.charts import report, study
from tests.agent.vision.made import said

pytest.importorskip("pydicom")


def bundle(path: Path, patient: str, *resources: object) -> None:
    person = {"resourceType": "Patient", "id": patient, "birthDate": "1960-05-01", "gender": "female"}
    text = json.dumps(
        {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r} for r in (person, *resources)]}
    )
    path.write_text(text.replace("Patient/p", f"Patient/{patient}"))


@pytest.fixture
def charts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "charts"
    folder.mkdir()
    bundle(
        folder / "ann.json", "ann", study("film", "2024-03-02", 60), report("r1", "2024-03-02", "No effusion.", "film")
    )
    bad = study("broken", "2024-03-03", 60)
    bad["series"][0]["instance"][0]["extension"][0]["valueAttachment"]["data"] = "bm8="
    bundle(folder / "bob.json", "bob", bad, study("old", "2020-01-01", 90))
    return folder


def run(monkeypatch: pytest.MonkeyPatch, charts: Path, *words: str, model: ChatModel | None) -> Result:
    monkeypatch.setattr(reasoning, "vision_model", lambda settings, thinker=None: model)
    return CliRunner().invoke(app, [*words, "--fhir", str(charts)])


def test_a_draft_report_as_text_and_as_fhir(charts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("report", "--study", "ImagingStudy/film", "--patient", "ann")
    told = run(monkeypatch, charts, *words, model=said({}))
    assert told.exit_code == 0 and told.output.startswith("DRAFT, not verified.")
    assert "Pleural effusion: present, right base" in told.output
    assert 'the report says "No effusion." (DiagnosticReport/r1)' in told.output
    made = run(monkeypatch, charts, *words, "--format", "fhir", model=said({}))
    assert json.loads(made.stdout)["status"] == "preliminary"


def test_a_report_needs_a_model_and_an_image(charts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for image, model, words in (
        ("ImagingStudy/film", None, "CHARTLINE_VISION"),
        ("ImagingStudy/none", said({}), "is no image"),
        ("film", said({}), "names no image"),
    ):
        failed = run(monkeypatch, charts, "report", "--study", image, "--patient", "ann", model=model)
        assert isinstance(failed.exception, UserError) and words in str(failed.exception)


def test_triage_ranks_all_patients_and_tells_what_was_not_read(charts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, charts, "images", "triage", "--json", model=said({"name": "pneumothorax"}))
    assert done.exit_code == 3  # not all could be read
    rows = json.loads(done.stdout)["studies"]
    assert [(r["image"], r["soon"]) for r in rows] == [
        ("ImagingStudy/film", "minutes"),
        ("ImagingStudy/broken", "not read"),
    ]
    assert rows[0]["reason"].startswith("Pneumothorax: present") and rows[0]["model"] == "eyes"


def test_a_worklist_names_patients_and_images(charts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("# to read\nbob ImagingStudy/old\n\nann\n")
    done = run(monkeypatch, charts, "images", "triage", "--list", str(listed), model=said({}))
    assert done.exit_code == 0 and "ImagingStudy/old" in done.stdout and "ImagingStudy/broken" not in done.stdout
    listed.write_text("bob ImagingStudy/old and more\n")
    failed = run(monkeypatch, charts, "images", "triage", "--list", str(listed), model=said({}))
    assert isinstance(failed.exception, UserError) and "line 1 of the list" in str(failed.exception)
