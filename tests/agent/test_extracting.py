"""What notes state and the structured chart lacks, with its span, and the command that lists it."""

from __future__ import annotations

import base64
import json
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from agent.cli.app import app
from agent.extracting import Extract, extract
from agent.open import open_chart
from fhir_tools.local import LocalStore
from fhir_tools.types import Reference

TEXT = """Assessment: COPD and gout. No pneumonia. Possible sepsis. Sodium 128 mmol/L.
Family history:
Mother had stroke.
Plan: warfarin was stopped. Developed angioedema after lisinopril."""
ME = {"resourceType": "Patient", "id": "p", "birthDate": "1960-01-01", "name": [{"text": "Pat Doe"}]}
COPD = {"resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/p"}, "code": {"text": "COPD"},
        "clinicalStatus": {"coding": [{"code": "active"}]}, "onsetDateTime": "2020-01-01"}  # fmt: skip


def note(data: str | None = None, kind: str = "text/plain") -> dict[str, Any]:
    packed = data if data is not None else base64.b64encode(TEXT.encode()).decode()
    return {
        "resourceType": "DocumentReference", "id": "n", "status": "current", "type": {"text": "Note"},
        "subject": {"reference": "Patient/p"}, "date": "2025-06-01T10:00:00Z",
        "content": [{"attachment": {"contentType": kind, "data": data or packed}}],
    }  # fmt: skip


async def extracted(*resources: dict[str, Any], every: bool = False) -> Extract:
    store = LocalStore(":memory:")
    with store.transaction():
        for resource in (ME, *resources):
            store.put(resource)
    async with store:
        chart = await open_chart(store, Reference(type="Patient", id="p"), date(2025, 12, 1))
        return await extract(chart, every=every)


async def test_what_the_chart_lacks_is_listed_with_its_span() -> None:
    found = await extracted(COPD, note())
    assert [(r.sort, r.concept, r.value, r.stopped) for r in found.rows] == [
        ("problem", "Gout", "", False), ("adverse event", "Angioedema", "", False),
        ("medication", "warfarin", "", True), ("measurement", "Sodium", "128 mmol/L", False),
    ]  # fmt: skip
    assert found.complete and found.documents == 1
    for row in found.rows:
        assert TEXT[row.span.start : row.span.end] == row.span.quote
        assert (row.reference, row.date, row.how) == ("DocumentReference/n", "2025-06-01", "lacks")
    assert next(r.cause for r in found.rows if r.sort == "adverse event") == "lisinopril"


async def test_a_combination_that_the_chart_has_by_its_ingredients_is_not_lacking() -> None:
    order = {
        "resourceType": "MedicationRequest", "id": "m", "status": "active", "intent": "order",
        "authoredOn": "2025-05-01", "subject": {"reference": "Patient/p"},
        "medicationCodeableConcept": {"text": "Sacubitril 24 MG / Valsartan 26 MG Oral Tablet"},
    }  # fmt: skip
    told = base64.b64encode(b"Started Entresto.").decode()
    assert [row.concept for row in (await extracted(note(told))).rows] == ["Entresto"]
    assert not (await extracted(note(told), order)).rows


async def test_negated_uncertain_and_family_mentions_are_left_out_or_marked() -> None:
    meant = {r.concept: r.assertion for r in (await extracted(COPD, note(), every=True)).rows}
    assert (meant["Pneumonia"], meant["Sepsis"], meant["Stroke"]) == ("negated", "uncertain", "family")
    assert {r.assertion for r in (await extracted(COPD, note())).rows} <= {"affirmed", "historical"}


async def test_a_document_that_cannot_be_read_is_named() -> None:
    found = await extracted(note(base64.b64encode(b"%PDF-1.7").decode(), "application/pdf"))
    assert (found.rows, found.complete) == ([], False)
    assert found.unread == ["2025-06-01 Note (DocumentReference/n): the PDF is broken"]


@pytest.fixture
def chart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHARTLINE_AUDIT", "off")
    path = tmp_path / "chart.json"
    entries = [{"resource": r} for r in (ME, COPD, note())]
    path.write_bytes(orjson.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}))
    return path


def test_the_command_prints_a_table_json_or_a_file(chart: Path, tmp_path: Path) -> None:
    command = ["extract", "--fhir", str(chart), "--as-of", "2025-12-01"]
    table = CliRunner().invoke(app, command)
    assert table.exit_code == 0
    assert "Adverse events that notes state and the chart does not" in table.stdout
    assert "Pneumonia" not in table.stdout
    every = json.loads(CliRunner().invoke(app, [*command, "--json", "--all"]).stdout)
    assert {row["concept"] for row in every["rows"]} >= {"Gout", "Pneumonia", "Stroke"}
    out = tmp_path / "rows.txt"
    assert CliRunner().invoke(app, [*command, "--out", str(out)]).exit_code == 0
    assert "Gout" in out.read_text() and "DocumentReference/n:0" in out.read_text()


def test_the_exit_code_tells_that_not_all_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARTLINE_AUDIT", "off")
    path = tmp_path / "chart.json"
    broken = note(base64.b64encode(b"%PDF-1.7").decode(), "application/pdf")
    entries = [{"resource": r} for r in (ME, broken)]
    path.write_bytes(orjson.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}))
    result = CliRunner().invoke(app, ["extract", "--fhir", str(path), "--as-of", "2025-12-01"])
    assert result.exit_code == 3 and "not read whole" in result.stdout
