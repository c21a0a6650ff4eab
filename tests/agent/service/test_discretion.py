"""What the process writes beside its answers holds nothing of a patient: log, metrics, errors, audit record, start."""

from __future__ import annotations

import json
import signal
import sqlite3
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.agent.cli.test_hosting import started
from tests.agent.service.conftest import MARIA

NAME, VALUE, WORD = "Zebulonmark", "77.7317", "quaggaword"
MARKED = (NAME, VALUE, WORD)
ASKED = f"Observation/none-{WORD}"
KEEPING = {"threads", "runs", "jobs", "job_units", "checkpoints", "writes", "kept_summary"}
"""The tables that hold what was asked and answered: they are what a thread, a question on record and a job are."""
REFUSED: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("POST", "/v1/ask", {"json": {"question": f"{NAME} {VALUE} {WORD}?", "patient": "nobody"}}),
    ("POST", "/v1/ask", {"json": {"question": "", "patient": f"{NAME} {WORD}/{VALUE}"}}),
    ("POST", "/v1/ask", {"json": {"question": [NAME, VALUE], "patient": {"name": WORD}}}),
    ("POST", "/v1/ask", {"content": f'{{"question": "{NAME} {VALUE} {WORD}'}),
    ("POST", "/v1/ask", {"json": {"question": "x", "as_of": WORD}}),
    ("POST", "/v1/summaries", {"json": {"patient": "m", "kind": WORD}}),
    ("POST", "/v1/jobs", {"json": {"kind": "questions", "input": {"patients": [[NAME]], "questions": VALUE}}}),
    ("POST", "/v1/chat/completions", {"json": {"model": "chartline", "messages": [{"role": "user", "content": WORD}]}}),
    ("POST", "/cds-services/chartline-patient-view", {"json": {"prefetch": {"patient": {"name": NAME}}}}),
    ("POST", "/mcp", {"content": f'{{"jsonrpc": "{NAME}"'}),
    ("GET", f"/v1/evidence/{ASKED}", {"params": {"patient": "m"}}),
    ("GET", f"/{WORD}/{NAME}", {}),
    ("GET", "/v1/patients/m/timeline", {"params": {"as_of": NAME}}),
)
"""What is asked wrongly; what a reader is told of it may repeat an id that was asked for, and nothing else."""


def chart() -> dict[str, Any]:
    about = {"subject": {"reference": "Patient/m"}, "status": "final"}
    code = {"coding": [{"system": "http://loinc.org", "code": "2951-2"}], "text": "Sodium"}
    value = {"value": float(VALUE), "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"}
    person = {"resourceType": "Patient", "id": "m", "name": [{"family": NAME}], "birthDate": "1950-02-03"}
    sodium = {"resourceType": "Observation", "id": "o", **about, "code": code, "effectiveDateTime": "2026-05-01"}
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": r} for r in (person, {**sodium, "valueQuantity": value})],
    }


def used(url: str) -> tuple[str, str]:
    """Every kind of question and fault; what was answered, and what was told of faults and in metrics."""
    answers = faults = ""
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
        assert [p["id"] for p in client.get("/v1/patients", params={"search": NAME}).json()["patients"]] == ["m"]
        asked = {"question": f"last sodium? {WORD}", "patient": "m"}
        thread = client.post("/v1/threads", json={"patient": "m"}).json()["id"]
        for question in ("last sodium?", asked["question"]):
            answers += client.post("/v1/ask", json={**asked, "question": question}).text
            answers += client.post("/v1/ask", json={"question": question, "thread": thread}).text
        client.post("/v1/jobs", json={"kind": "questions", "input": {"patients": ["m"], "questions": ["last sodium?"]}})
        answers += client.post("/v1/summaries", json={"patient": "m"}).text
        answers += client.get("/v1/patients/m").text + client.get("/v1/evidence/Observation/o?patient=m").text
        for method, path, options in REFUSED:
            answer = client.request(method, path, **options)
            assert answer.status_code >= 400, (path, answer.text)
            faults += answer.text.replace(f"{NAME} {WORD}/{VALUE}", "")
        faults += client.get("/metrics").text
    return answers, faults


@pytest.mark.loopback
def test_nothing_of_a_patient_is_written_beside_the_answers(tmp_path: Path) -> None:
    charts = tmp_path / "charts.json"
    charts.write_text(json.dumps(chart()))
    arguments = ("serve", "--fhir", str(charts), "--as-of", "2026-06-15", "--port", "0")
    with started(tmp_path, *arguments, service_keys=str(tmp_path / "keys.json")) as (process, url, lines):
        answers, faults = used(url)
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    log = "".join(lines)
    assert all(mark in answers for mark in (NAME, VALUE)) and '"route":"/v1/ask"' in log
    for where, text in (("log", log), ("faults", faults), ("audit", (tmp_path / "audit.jsonl").read_text())):
        told = text.replace(ASKED, "")  # an id that was asked for
        assert not [mark for mark in MARKED if mark in told], (where, told)
    assert MARIA not in log


@pytest.mark.loopback
def test_what_is_kept_of_a_patient_is_for_the_owner_of_the_files(tmp_path: Path) -> None:
    charts = tmp_path / "in" / "charts.json"
    charts.parent.mkdir()
    charts.write_text(json.dumps(chart()))
    arguments = ("serve", "--fhir", str(charts), "--as-of", "2026-06-15", "--port", "0")
    with started(tmp_path, *arguments, service_keys=str(tmp_path / "keys.json")) as (process, url, _):
        used(url)
        files = {path for path in tmp_path.iterdir() if path.is_file()}
        marked = {path for path in files if any(mark.encode() in path.read_bytes() for mark in MARKED)}
        assert marked and all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in marked)
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    holding = {table for path in tmp_path.glob("*.sqlite") for table in _marked(path)}
    assert {"runs", "checkpoints"} & holding and holding <= KEEPING


def _marked(path: Path) -> set[str]:
    """The tables of a database in which a mark stands."""
    database = sqlite3.connect(path)
    try:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {name: database.execute(f"SELECT * FROM {name}").fetchall() for name in names}
    finally:
        database.close()
    return {name for name, found in rows.items() if any(mark in str(found) for mark in MARKED)}
