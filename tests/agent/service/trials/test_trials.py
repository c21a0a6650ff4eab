"""`/v1/trials/…`: what the command line does, over HTTP; and who may not."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fhir.resources.R4B.bundle import Bundle

from agent.service.app import create_app
from agent.service.callers import Caller, Gates
from agent.service.problems import Problem
from agent.service.trials.forms import ScreenIn
from agent.service.trials.work import TrialScreening
from agent.trials.types import Screened
from agent.trials.worklist import Worklist
from tests.agent.service.conftest import FOLDER, MARIA, Opened, client_of, settings_in
from tests.agent.service.test_recording import LOCAL, One
from tests.agent.trials.protocols import study as study_of

TEXT = """Inclusion Criteria:
* Age 18 years or older
* Type 2 diabetes
* HbA1c above 6.5 % within 12 months
* Willing to sign informed consent

Exclusion Criteria:
* History of stroke
"""
OTHER = "Inclusion Criteria:\n* Female\n* Age under 18 years\n"
PATIENTS = [MARIA, "demo-robert-keller", "demo-leila-haddad"]


def trial(text: str = TEXT, name: str = "T1") -> dict[str, Any]:
    return {"text": text, "name": name}


async def test_compile_tells_what_was_understood(client: httpx.AsyncClient) -> None:
    told = (await client.post("/v1/trials/compile", json={"trial": trial()})).json()
    assert [c["number"] for c in told["criteria"]] == [1, 2, 3, 4, 5]
    age = told["criteria"][0]
    assert (age["told"], age["check"]["type"], age["understood"]) == ("age >= 18 years", "age", True)
    assert TEXT[slice(*age["span"])] == age["text"]
    assert told["not_understood"] == [4]


async def test_a_sheet_comes_back(client: httpx.AsyncClient) -> None:
    first = (await client.post("/v1/trials/compile", json={"trial": trial()})).json()
    again = (await client.post("/v1/trials/compile", json={"trial": {"sheet": first["sheet"]}})).json()
    assert again["criteria"] == first["criteria"]


async def test_a_study_of_the_registry_and_of_fhir(client: httpx.AsyncClient) -> None:
    study = {
        "protocolSection": {
            "identificationModule": {"nctId": "NCT00000001", "briefTitle": "A trial"},
            "eligibilityModule": {"eligibilityCriteria": TEXT, "minimumAge": "18 Years"},
        }
    }
    research = {"resourceType": "ResearchStudy", "id": "r1", "status": "active", "description": TEXT}
    ids = [
        (await client.post("/v1/trials/compile", json={"trial": {"study": s}})).json()["trial"]
        for s in (study, research)
    ]
    assert ids == ["NCT00000001", "r1"]


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({}, "invalid"),
        ({"text": TEXT, "number": "NCT00000001"}, "invalid"),
        ({"number": "12"}, "invalid"),
        ({"text": "Inclusion Criteria:\n"}, "cannot-be-done"),
        ({"study": {"resourceType": "Patient"}}, "cannot-be-done"),
        ({"sheet": "a: &x 1"}, "cannot-be-done"),
        ({"sheet": "trial: [\n"}, "cannot-be-done"),
        ({"number": "NCT00000001"}, "no-registry"),
        ({"text": "x" * 30_001}, "invalid"),
        ({"study": study_of("Inclusion Criteria:\n" + "* Asthma\n" * 4000)}, "too-long"),
    ],
)
async def test_what_is_no_protocol(client: httpx.AsyncClient, said: dict[str, Any], kind: str) -> None:
    response = await client.post("/v1/trials/compile", json={"trial": said})
    assert (response.status_code, response.json()["type"].rpartition(":")[2]) == (422, kind)


async def test_match_has_a_verdict_for_every_criterion(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/trials/match", json={"trial": trial(), "patient": MARIA})
    found = Screened.model_validate(response.json())
    verdicts = {v.number: v for v in found.verdicts}
    assert {n: v.verdict for n, v in verdicts.items()} == {1: "met", 2: "met", 3: "met", 4: "unknown", 5: "not_met"}
    assert verdicts[3].citations[0].reference.startswith("Observation/")
    assert found.outcome == "possibly eligible"


@pytest.mark.parametrize("day", ["1900-01-01", "2200-01-01", "0001-01-01", "9999-12-31"])
async def test_days_at_the_ends_of_time(client: httpx.AsyncClient, day: str) -> None:
    asked = {"trial": trial(), "as_of": day}
    one = await client.post("/v1/trials/match", json=asked | {"patient": MARIA})
    few = await client.post("/v1/trials/screen", json=asked | {"patients": [MARIA]})
    assert {one.status_code, few.status_code} == {200 if day in ("1900-01-01", "2200-01-01") else 422}


async def test_find_ranks_the_trials(client: httpx.AsyncClient) -> None:
    asked = {"trials": [trial(OTHER, "T2"), trial()], "patient": MARIA}
    told = (await client.post("/v1/trials/find", json=asked)).json()
    assert [(t["trial"], t["outcome"]) for t in told["trials"]] == [("T1", "possibly eligible"), ("T2", "excluded")]


async def test_trials_of_one_name_are_refused(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/trials/find", json={"trials": [trial(), trial(OTHER)], "patient": MARIA})
    assert response.status_code == 422
    assert "T1" in response.json()["detail"]


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("application/json", "application/json"),
        ("text/csv", "text/csv"),
        ("text/html", "text/html"),
        ("application/fhir+json", "application/fhir+json"),
    ],
)
async def test_a_few_patients_as_a_worklist(client: httpx.AsyncClient, accept: str, media: str) -> None:
    asked = {"trial": trial(), "patients": PATIENTS, "names": False}
    response = await client.post("/v1/trials/screen", json=asked, headers={"Accept": accept})
    assert response.headers["content-type"].startswith(media)
    assert "Santos" not in response.text
    match media:
        case "application/json":
            work = Worklist.model_validate(response.json())
            assert {r.patient for r in work.rows} == {f"Patient/{p}" for p in PATIENTS}
        case "text/csv":
            assert len(list(csv.reader(io.StringIO(response.text)))) == 1 + len(PATIENTS)
        case "text/html":
            assert "sha256-" in response.headers["content-security-policy"]
        case _:
            Bundle.model_validate(response.json())


async def test_somebody_unknown_is_told_as_failed(client: httpx.AsyncClient) -> None:
    work = (await client.post("/v1/trials/screen", json={"trial": trial(), "patients": [MARIA, "nobody"]})).json()
    assert [f["patient"] for f in work["failed"]] == ["Patient/nobody"]
    assert len(work["rows"]) == 1


@pytest.mark.parametrize("patients", [[], [f"p{n}" for n in range(51)]])
async def test_many_are_the_work_of_a_job(client: httpx.AsyncClient, patients: list[str]) -> None:
    response = await client.post("/v1/trials/screen", json={"trial": trial(), "patients": patients})
    assert response.json()["type"].endswith("too-many")


@asynccontextmanager
async def bound(folder: Path, caller: Caller) -> AsyncIterator[Any]:
    app = create_app(settings_in(folder), fhir=(str(FOLDER),))
    async with client_of(app) as client:
        app.state.parts = replace(app.state.parts, gates=Gates([One(caller)]))
        yield client, app.state.parts


async def test_who_is_bound_to_a_patient(tmp_path: Path) -> None:
    caller = replace(LOCAL, patient=MARIA)
    async with bound(tmp_path, caller) as (client, parts):
        own = await client.post("/v1/trials/match", json={"trial": trial()})
        other = await client.post("/v1/trials/match", json={"trial": trial(), "patient": "demo-robert-keller"})
        many = await client.post("/v1/trials/screen", json={"trial": trial(), "patients": [MARIA]})
        asked = await client.post("/v1/cohort/ask", json={"question": "how many patients with diabetes?"})
        assert [r.status_code for r in (own, other, many, asked)] == [200, 403, 403, 403]
        with pytest.raises(Problem):
            await TrialScreening().units(ScreenIn.model_validate({"trial": trial()}), parts, caller)


async def test_a_job_gives_the_worklist_of_its_units(tmp_path: Path) -> None:
    work = TrialScreening()
    asked = work.input.model_validate({"trial": trial()})
    async with bound(tmp_path, LOCAL) as (client, parts):
        units = await work.units(asked, parts, LOCAL)
        assert sorted(units) == sorted(PATIENTS)
        done = {u: await work.do(u, asked, parts, LOCAL) for u in (*units, "nobody")}
        assert done[MARIA] == await work.do(MARIA, asked, parts, LOCAL)
        told = work.result(asked, done)
        direct = (await client.post("/v1/trials/screen", json={"trial": trial(), "patients": PATIENTS})).json()
    assert told["rows"] == [*_without_seconds(direct["rows"])]
    assert [f["patient"] for f in told["failed"]] == ["Patient/nobody"]
    assert told["counts"] == direct["counts"]


def _without_seconds(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`match` keeps a digest of the chart for the next run, which a job has no use for."""
    return [{**row, "digest": "", "later": True} for row in rows]


async def test_a_job_of_nobody_is_an_empty_worklist() -> None:
    work = TrialScreening()
    assert work.result(ScreenIn.model_validate({"trial": trial()}), {})["rows"] == []


class Finished:
    """The jobs of the app, each of which is its own result; `rows` finds one for its owner."""

    def __init__(self, results: dict[str, Any]) -> None:
        self.rows, self._results = self, results

    async def one(self, caller: Caller, job: str) -> Any:
        if job not in self._results:
            raise Problem(404, "no-job", "there is no such job of yours")
        return self._results[job]

    async def result(self, job: Any) -> Any:
        return job


async def test_a_jobs_worklist_in_other_forms(tmp_path: Path) -> None:
    app = create_app(settings_in(tmp_path), fhir=(str(FOLDER),))
    async with client_of(app) as client:
        asked = {"trial": trial(), "patients": PATIENTS}
        app.state.jobs = Finished(
            {"j1": (await client.post("/v1/trials/screen", json=asked)).json(), "j2": {"other": 1}}
        )
        rows = await client.get("/v1/trials/worklists/j1", headers={"Accept": "text/csv"})
        other, missing = [await client.get(f"/v1/trials/worklists/{job}") for job in ("j2", "j3")]
    assert [r.status_code for r in (rows, other, missing)] == [200, 422, 404]
    assert rows.text.count("\n") == 4


async def test_counts_are_masked_as_the_operator_wants(opened: Opened) -> None:
    async with opened(service_min_cell=5) as client:
        work = (await client.post("/v1/trials/screen", json={"trial": trial(), "patients": PATIENTS})).json()
    assert "<5" in work["counts"].values()
