"""`chartline images`: what a chart has, one picture as PNG, and errors that say what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("pydicom")

from PIL import Image

from agent.cli.app import app
from agent.errors import ImageError, UserError
from tests.fhir_tools.imaging.charts import PATIENT, attachment, study
from tests.fhir_tools.imaging.made import bytes_of, dataset, slope_image

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    film = bytes_of(dataset(slope_image(), bits=12, Modality="DX", BodyPartExamined="CHEST", PatientName="Doe^Jane"))
    media = {
        "resourceType": "Media",
        "id": "m",
        "status": "completed",
        "subject": PATIENT,
        "createdDateTime": "2024-02-01",
        "content": attachment(film, "application/dicom", title="chest film"),
    }
    report = {
        "resourceType": "DiagnosticReport",
        "id": "r",
        "status": "final",
        "subject": PATIENT,
        "code": {"text": "Radiology"},
        "media": [{"link": {"reference": "Media/m"}}],
    }
    series = [{"uid": "1.1", "modality": {"code": "CT"}, "bodySite": {"code": "CHEST", "display": "Chest"}}]
    ct = study("s", "1.2", started="2023-01-01", endpoint=[], series=series, description="CT of the chest")
    resources = ({"resourceType": "Patient", "id": "p"}, media, report, ct)
    path = tmp_path / "chart.json"
    entries = [{"resource": resource} for resource in resources]
    path.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}))
    return path


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["images", *map(str, arguments)])


def test_the_list_has_what_and_where_and_the_reports(chart: Path) -> None:
    result = run("list", "--fhir", chart)
    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert lines[0].split() == ["2024-02-01", "chest", "film", "·", "attached"]
    assert [line.strip() for line in lines[1:3]] == ["Media/m", "report DiagnosticReport/r"]
    assert lines[3].startswith("2023-01-01  CT  Chest · CT of the chest · not said where its pixels are")
    told = json.loads(run("list", "--fhir", chart, "--json").stdout)
    assert [i["reference"] for i in told["images"]] == ["Media/m", "ImagingStudy/s"]
    assert all(row["complete"] for row in told["searched"]) and "Doe" not in str(told)


def test_a_day_leaves_out_what_is_later(chart: Path) -> None:
    assert "Media/m" not in run("list", "--fhir", chart, "--as-of", "2023-12-31").stdout


def test_a_picture_is_written_without_any_tag(chart: Path, tmp_path: Path) -> None:
    out = tmp_path / "film.png"
    result = run("show", "Media/m", "--fhir", chart, "--out", out)
    assert result.exit_code == 0, result.exception
    pixels = np.array(Image.open(out))
    assert pixels.shape == (96, 96) and pixels[48, 0] == 0 and pixels[48, -1] == 255
    assert b"Doe" not in out.read_bytes() and "Doe" not in result.output and "DX chest" in result.output


def test_errors_say_what_to_do(chart: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.png"
    nothing = run("show", "Media/other", "--fhir", chart, "--out", out).exception
    assert isinstance(nothing, UserError) and "chartline images list" in str(nothing)
    pixels = run("show", "ImagingStudy/s", "--fhir", chart, "--out", out).exception
    assert isinstance(pixels, ImageError) and "does not say where its pixels are" in str(pixels)
    assert not out.exists()
