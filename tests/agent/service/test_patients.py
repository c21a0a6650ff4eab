"""Who may be asked about: search, the outcomes of allergies, the catalogue, and suggestions that are answered."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent.open import open_chart
from agent.service.app import create_app
from agent.service.banner import AllergiesOut, banner
from agent.service.callers import Caller, caller_of
from agent.service.suggesting import suggestions
from agent.wire import Agent
from fhir_tools import demo
from fhir_tools.errors import SourceError
from fhir_tools.load import load
from fhir_tools.local import LocalStore
from fhir_tools.types import Query, Reference, SearchResult
from tests.agent.service.conftest import FOLDER, MARIA, client_of, settings_in

ALL = (MARIA, "demo-robert-keller", "demo-leila-haddad")


async def test_patients_are_found_by_name_number_and_id(client: httpx.AsyncClient) -> None:
    whole = (await client.get("/v1/patients")).json()
    assert sorted(p["id"] for p in whole["patients"]) == sorted(ALL)
    assert whole["complete"] is True
    for search in ("sant", "D-10031", MARIA):
        found = (await client.get("/v1/patients", params={"search": search})).json()["patients"]
        assert [p["id"] for p in found] == [MARIA]
    assert found[0] == {
        "id": MARIA,
        "name": "Maria Elena Santos",
        "birth_date": "1958-04-17",
        "sex": "female",
        "resources": found[0]["resources"],
    }
    assert found[0]["resources"] > 500


async def test_a_list_that_was_cut_says_so(client: httpx.AsyncClient) -> None:
    found = (await client.get("/v1/patients", params={"limit": 2})).json()
    assert (len(found["patients"]), found["complete"]) == (2, False)


async def test_who_is_bound_to_a_patient_sees_no_other(tmp_path: Path) -> None:
    app = create_app(settings_in(tmp_path), fhir=(str(FOLDER),))
    bound = Caller(id="bound", name="bound", via="token", patient=MARIA)
    app.dependency_overrides[caller_of] = lambda: bound
    async with client_of(app) as client:
        found = (await client.get("/v1/patients")).json()
        assert ([p["id"] for p in found["patients"]], found["complete"]) == ([MARIA], True)
        assert (await client.get("/v1/patients", params={"search": "keller"})).json()["patients"] == []
        for path in ("", "/catalogue", "/suggestions"):
            assert (await client.get(f"/v1/patients/demo-robert-keller{path}")).status_code == 403
            assert (await client.get(f"/v1/patients/{MARIA}{path}")).status_code == 200


async def test_the_banner(client: httpx.AsyncClient) -> None:
    told = (await client.get(f"/v1/patients/{MARIA}")).json()
    assert (told["name"], told["age"], told["sex"], told["deceased"]) == (
        "Maria Elena Santos",
        "68 years",
        "female",
        False,
    )
    assert told["identifiers"] == [{"label": "", "value": "D-10031"}]
    assert [a["text"] for a in told["allergies"]["items"]] == ["Penicillin V", "Lisinopril"]
    assert (told["allergies"]["state"], told["allergies"]["complete"]) == ("listed", True)
    assert told["allergies"]["items"][0]["reference"] == "AllergyIntolerance/santos-allergy-penicillin-v"


async def test_the_banner_of_a_day(client: httpx.AsyncClient) -> None:
    told = (await client.get(f"/v1/patients/{MARIA}", params={"as_of": "2010-01-01"})).json()
    assert told["age"] == "51 years"
    assert [a["text"] for a in told["allergies"]["items"]] == ["Penicillin V"]


async def test_none_known_is_said_by_a_record_alone(client: httpx.AsyncClient) -> None:
    told = (await client.get("/v1/patients/demo-robert-keller")).json()["allergies"]
    assert (told["state"], [a["text"] for a in told["items"]]) == ("none_known", ["No known allergies"])


def allergy(id_: str, text: str, **more: Any) -> dict[str, Any]:
    """An allergy of the patient `p`."""
    return {
        "resourceType": "AllergyIntolerance",
        "id": id_,
        "patient": {"reference": "Patient/p"},
        "code": {"text": text},
        "clinicalStatus": {"coding": [{"code": "active"}]},
        **more,
    }


UNCONFIRMED = {"verificationStatus": {"coding": [{"code": "unconfirmed"}]}}
REFUTED = {"verificationStatus": {"coding": [{"code": "refuted"}]}}
RESOLVED = {"clinicalStatus": {"coding": [{"code": "resolved"}]}}
NONE = allergy("none", "No known drug allergy")


async def told(*resources: Mapping[str, Any], fault: str = "", raises: bool = False) -> AllergiesOut:
    """What the banner tells of these allergies; `fault` cuts the search for them short, or fails it."""

    class Source(LocalStore):
        async def search(self, query: Query) -> SearchResult:
            found = await super().search(query)
            if query.type != "AllergyIntolerance" or not fault:
                return found
            if raises:
                raise SourceError(fault)
            return SearchResult(query=query, matches=found.matches, complete=False, error=fault)

    async with Source() as store:
        store.put({"resourceType": "Patient", "id": "p", "deceasedBoolean": True})
        for resource in resources:
            store.put(resource)
        chart = await open_chart(store, Reference(type="Patient", id="p"), demo.AS_OF)
        return (await banner(chart)).allergies


@pytest.mark.parametrize(
    ("resources", "state", "texts"),
    [
        ((), "not_recorded", []),
        ((NONE,), "none_known", ["No known drug allergy"]),
        ((NONE, allergy("a", "Latex")), "listed", ["Latex"]),
        ((allergy("a", "Latex", **REFUTED),), "not_recorded", []),
        ((allergy("a", "Latex", **RESOLVED),), "not_recorded", []),
        ((NONE, allergy("a", "Latex", **UNCONFIRMED)), "listed", ["Latex"]),
        ((allergy("a", "Dust"), allergy("b", "Nuts", criticality="high")), "listed", ["Nuts", "Dust"]),
    ],
)
async def test_the_outcomes_of_allergies(resources: tuple[Any, ...], state: str, texts: list[str]) -> None:
    found = await told(*resources)
    assert (found.state, [item.text for item in found.items], found.complete) == (state, texts, True)


@pytest.mark.parametrize("raises", [True, False])
@pytest.mark.parametrize("resources", [(), (NONE,)])
async def test_a_failed_read_is_never_none(resources: tuple[Any, ...], raises: bool) -> None:
    found = await told(*resources, fault="the server is down", raises=raises)
    assert (found.state, found.items, found.complete) == ("not_read", [], False)


async def test_what_was_read_before_a_fault_is_listed_as_perhaps_not_all() -> None:
    found = await told(allergy("a", "Latex"), fault="cut")
    assert (found.state, found.complete) == ("listed", False)


async def test_an_unconfirmed_allergy_says_so() -> None:
    (item,) = (await told(allergy("a", "Latex", **UNCONFIRMED))).items
    assert item.detail == "unconfirmed"


async def test_the_catalogue_is_by_kind(client: httpx.AsyncClient) -> None:
    told = (await client.get(f"/v1/patients/{MARIA}/catalogue")).json()
    assert (told["patient"], told["as_of"], told["complete"]) == (f"Patient/{MARIA}", "2026-06-15", True)
    kinds = {kind["kind"]: kind for kind in told["kinds"]}
    assert kinds["measurement"]["label"] == "results and vital signs"
    (a1c,) = [c for c in kinds["measurement"]["concepts"] if c["label"] == "Hemoglobin A1c"]
    assert a1c == {
        "key": "http://loinc.org|4548-4",
        "label": "Hemoglobin A1c",
        "codes": ["http://loinc.org|4548-4"],
        "count": 60,
        "first": "2009-03-04",
        "last": "2026-04-06",
    }
    assert "Pulmonary embolism" not in [c["label"] for c in kinds["condition"]["concepts"]]  # refuted


async def test_an_unknown_patient_is_a_problem(client: httpx.AsyncClient) -> None:
    for path in ("", "/catalogue", "/suggestions"):
        response = await client.get(f"/v1/patients/nobody{path}")
        assert (response.status_code, response.json()["type"]) == (404, "urn:chartline:problem:unknown-patient")


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("last hemo", "Last Hemoglobin A1c?"),
        ("a1c", "Last Hemoglobin A1c?"),
        ("hgb", "Last Hemoglobin?"),
        ("trend of crea", "Trend of Creatinine?"),
        ("is metf", "Is Metformin still taken?"),
        ("when did ess", "When did Essential hypertension begin?"),
        ("medic", "What medications are being taken?"),
    ],
)
async def test_suggestions_complete_what_is_typed(client: httpx.AsyncClient, text: str, first: str) -> None:
    found = (await client.get(f"/v1/patients/{MARIA}/suggestions", params={"text": text})).json()["suggestions"]
    assert found[0] == first


async def test_nothing_is_suggested_that_the_chart_lacks(client: httpx.AsyncClient) -> None:
    for text in ("gout", "xyzzy", "tacrolimus level"):
        told = (await client.get(f"/v1/patients/{MARIA}/suggestions", params={"text": text})).json()
        assert told == {"suggestions": []}


@pytest.mark.parametrize("patient", ALL)
async def test_rules_answer_every_suggestion(patient: str) -> None:
    """Everything that can be suggested over a chart, also what the first eight do not show."""
    settings = settings_in(Path("unused"), threads=Path(":memory:"))
    async with LocalStore() as store:
        load(demo.paths(), store)
        async with Agent(store, patient, as_of=demo.AS_OF, settings=settings) as agent:
            chart = await agent.chart()
            asked: set[str] = set()
            for start in ("", "last", "trend", "highest", "when", "is", "what", "family", "vacc"):
                asked.update(await suggestions(chart, start, limit=1000))
            statuses = {question: (await agent.ask(question)).status for question in sorted(asked)}
    assert len(statuses) > 60
    assert {q: s for q, s in statuses.items() if s != "answered"} == {}
