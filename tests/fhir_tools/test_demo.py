"""The demo charts: valid, closed, small, reproducible, and holding what the demo asks about."""

from __future__ import annotations

import base64
import gzip
import importlib
import json
import re
from datetime import date
from typing import Any

import pytest

from fhir_tools import demo
from tools.make_demo_charts import bundle, charts, main, packed

CHARTS = {path.name.split(".")[0]: json.loads(gzip.decompress(path.read_bytes())) for path in demo.paths()}


def resources(patient: str, kind: str = "") -> list[dict[str, Any]]:
    entries = (entry["resource"] for entry in CHARTS[patient]["entry"])
    return [resource for resource in entries if not kind or resource["resourceType"] == kind]


def observations(patient: str, loinc: str) -> list[dict[str, Any]]:
    return [o for o in resources(patient, "Observation") if o["code"].get("coding", [{}])[0].get("code") == loinc]


def notes(patient: str) -> str:
    attachments = (d["content"][0]["attachment"] for d in resources(patient, "DocumentReference"))
    return "\n".join(base64.b64decode(a["data"]).decode() for a in attachments)


def test_there_are_three_patients_each_in_the_file_of_its_id() -> None:
    assert demo.patients() == ("demo-leila-haddad", "demo-maria-santos", "demo-robert-keller")
    assert [resources(patient, "Patient")[0]["id"] for patient in demo.patients()] == list(demo.patients())


def test_they_are_small() -> None:
    sizes = [path.stat().st_size for path in demo.paths()]
    assert max(sizes) < 250_000
    assert sum(sizes) < 1_000_000


@pytest.mark.parametrize("patient", CHARTS)
def test_every_resource_is_valid(patient: str) -> None:
    for resource in resources(patient):
        kind = resource["resourceType"]
        module = importlib.import_module(f"fhir.resources.R4B.{kind.lower()}")
        getattr(module, kind).model_validate(resource)


@pytest.mark.parametrize("patient", CHARTS)
def test_references_stay_in_the_chart_and_ids_are_unique(patient: str) -> None:
    held = [f"{r['resourceType']}/{r['id']}" for r in resources(patient)]
    assert len(set(held)) == len(held)
    assert set(re.findall(r'"reference": "([^"]+)"', json.dumps(CHARTS[patient]))) <= set(held)
    assert [e["fullUrl"].split("/fhir/")[1] for e in CHARTS[patient]["entry"]] == held


@pytest.mark.parametrize("patient", CHARTS)
def test_what_has_happened_lies_before_as_of(patient: str) -> None:
    happened = [r for r in resources(patient) if r.get("status") not in ("planned", "cancelled")]
    days = [d for r in happened for d in re.findall(r'"(\d{4}-\d{2}-\d{2})T', json.dumps(r))]
    assert date.fromisoformat(max(days)) <= demo.AS_OF


def test_a_second_run_writes_the_same_content(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(tmp_path)])
    assert capsys.readouterr().out.count("resources") == 3
    for path in demo.paths():
        # The deflate stream may differ between builds of zlib; what is packed may not.
        assert gzip.decompress((tmp_path / path.name).read_bytes()) == gzip.decompress(path.read_bytes())


def test_packing_knows_no_time_and_no_name() -> None:
    content = bundle(charts()["demo-leila-haddad"])
    assert packed(content) == packed(content)
    assert packed(content)[3:8] == bytes(5)  # RFC 1952: no flags, MTIME 0


@pytest.mark.parametrize("patient", CHARTS)
def test_every_kind_that_answers_rest_on_is_there(patient: str) -> None:
    kinds = {r["resourceType"] for r in resources(patient)}
    assert kinds >= {
        "AllergyIntolerance", "Condition", "DiagnosticReport", "DocumentReference", "Encounter", "FamilyMemberHistory",
        "ImagingStudy", "Immunization", "MedicationRequest", "MedicationAdministration", "Observation", "Procedure",
    }  # fmt: skip
    years = {r["effectiveDateTime"][:4] for r in resources(patient, "Observation")}
    assert len(years) >= 10
    assert [e for e in resources(patient, "Encounter") if e["class"]["code"] == "IMP"]


@pytest.mark.parametrize("patient", CHARTS)
def test_the_traps_of_real_charts_are_there(patient: str) -> None:
    found = resources(patient, "Observation")
    assert [o for o in found if o["status"] == "entered-in-error"]
    assert [o for o in found if o.get("valueQuantity", {}).get("comparator") == "<"]
    assert len({o["valueQuantity"]["unit"] for o in observations(patient, "29463-7")}) == 2
    codes = json.dumps([c["verificationStatus"] for c in resources(patient, "Condition")])
    assert "refuted" in codes
    assert {"cancelled", "planned"} <= {e["status"] for e in resources(patient, "Encounter")}
    assert {"active", "stopped", "completed"} <= {m["status"] for m in resources(patient, "MedicationRequest")}
    assert re.search(r"\b(denies|no history of)\b", notes(patient), re.IGNORECASE)


def test_the_stories_hold_together() -> None:
    a1c = [o["valueQuantity"]["value"] for o in observations("demo-maria-santos", "4548-4") if o["status"] == "final"]
    assert 6 < min(a1c) < max(a1c) < 10
    metformin = [m for m in resources("demo-maria-santos", "MedicationRequest") if "etformin" in json.dumps(m)]
    assert {m["status"] for m in metformin} == {"stopped"}
    nadir = min(
        o["valueQuantity"]["value"] for o in observations("demo-robert-keller", "718-7") if o["status"] == "final"
    )
    assert nadir == 7.4
    assert "No known allergies" in json.dumps(resources("demo-robert-keller", "AllergyIntolerance"))
    assert "Penicillin" in json.dumps(resources("demo-maria-santos", "AllergyIntolerance"))
