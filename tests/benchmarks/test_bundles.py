"""The files that loading is measured with are charts in good order: all loads, and all references hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import bundles
from benchmarks.charts import PATIENT, fill
from fhir_tools.load import load
from fhir_tools.local import LocalStore
from fhir_tools.search.query import parse


@pytest.mark.parametrize("ndjson", [False, True])
@pytest.mark.parametrize("shape", bundles.SHAPES)
def test_a_made_file_loads_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: str, *, ndjson: bool) -> None:
    monkeypatch.setattr(bundles, "_CHUNK", 400_000)
    path = bundles.write(tmp_path, 1, shape, ndjson=ndjson)
    assert 0.5e6 < path.stat().st_size < 1.5e6
    store = LocalStore()
    report = load([path], store)
    store.close()
    assert report.errors == () and report.new == sum(report.resources.values()) > 400
    assert all("Practitioner" in warned.message for _, warned in report.warnings)
    assert ("Claim" in report.resources) is (shape == "mixed")


async def test_a_made_chart_has_its_size_and_its_own_patient_only() -> None:
    async with LocalStore() as store:
        fill(store, 2_000)
        (row,) = store.patients()
        assert row.id == PATIENT and 1_900 < row.resources <= 2_000
        copies = await store.search(parse(f"Observation?patient={PATIENT}&code=http://loinc.org|4548-4"))
        assert len({m["effectiveDateTime"] for m in copies.matches}) == len(copies.matches) > 1
        encounters = {f"Encounter/{m['id']}" for m in (await store.search(parse("Encounter"))).matches}
        named = {m["encounter"]["reference"] for m in copies.matches if "encounter" in m}
        assert named and len(named & encounters) > len(named) / 2
