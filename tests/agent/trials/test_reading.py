"""Protocols in every form that is taken, and files that are none."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from agent.errors import UserError
from agent.settings import Settings
from agent.trials.reading import read_file, read_folder, read_trial
from agent.trials.registry import fetch_trial
from tests.agent.trials.protocols import study

BOTH = "Inclusion Criteria:\n* Asthma\nExclusion Criteria:\n* Stroke"


def test_a_study_of_the_registry() -> None:
    trial = read_trial(study(BOTH), "x")
    assert (trial.id, trial.title, [s.text for s in trial.statements]) == (
        "NCT00000001",
        "A study",
        ["Asthma", "Stroke"],
    )


def test_files_of_several_studies_and_of_text(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text(json.dumps({"studies": [study(BOTH, "NCT1"), study(BOTH, "NCT2")]}))
    (tmp_path / "a.txt").write_text(BOTH)
    assert [t.id for t in read_folder(tmp_path)] == ["a", "NCT1", "NCT2"]
    (tmp_path / "c.json").write_text(json.dumps(study(BOTH, "NCT2")))
    with pytest.raises(UserError, match="two protocols"):
        read_folder(tmp_path)


def test_a_research_study_with_its_text_or_its_groups() -> None:
    told = read_trial({"resourceType": "ResearchStudy", "id": "s", "title": "Study", "description": BOTH}, "x")
    assert [s.text for s in told.statements] == ["Asthma", "Stroke"]
    group = {
        "resourceType": "Group", "id": "g", "type": "person", "actual": False,
        "characteristic": [
            {"code": {"text": "Age"}, "valueRange": {"low": {"value": 18, "unit": "years"}}, "exclude": False},
            {"code": {"text": "Condition"}, "valueCodeableConcept": {"text": "Stroke"}, "exclude": True},
        ],
    }  # fmt: skip
    listed = read_trial({"resourceType": "ResearchStudy", "id": "s", "contained": [group]}, "x")
    assert [(s.section, s.text) for s in listed.statements] == [
        ("inclusion", "Age >= 18 years"), ("exclusion", "Condition: Stroke"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is not JSON"),
        ("[]", "holds no study"),
        ("{}", "has no protocolSection.eligibilityModule.eligibilityCriteria"),
        ('{"resourceType": "Patient"}', "a protocol in FHIR is a ResearchStudy"),
        ('{"resourceType": "ResearchStudy"}', "has no criteria"),
    ],
)
def test_what_is_no_protocol(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(UserError, match=told):
        read_file(tmp_path / "t.json")


def test_a_folder_without_protocols(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no protocol"):
        read_folder(tmp_path)


@contextmanager
def _registry(status: int, body: bytes) -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/api/v2", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.loopback
async def test_a_study_by_its_number() -> None:
    with _registry(200, json.dumps(study(BOTH, "NCT01234567")).encode()) as (url, asked):
        trial = await fetch_trial("nct01234567", Settings(trials_url=url))
    assert (trial.id, asked) == ("NCT01234567", ["/api/v2/studies/NCT01234567?format=json"])


@pytest.mark.loopback
@pytest.mark.parametrize(
    ("status", "body", "told"), [(404, b"", "has no study"), (403, b"", "answered 403"), (200, b"<", "not JSON")]
)
async def test_a_registry_that_does_not_help(status: int, body: bytes, told: str) -> None:
    with _registry(status, body) as (url, _), pytest.raises(UserError, match=told):
        await fetch_trial("NCT01234567", Settings(trials_url=url))


async def test_what_is_no_number_is_not_asked_for() -> None:
    with pytest.raises(UserError, match="NCT and eight digits"):
        await fetch_trial("NCT1/../x", Settings())
