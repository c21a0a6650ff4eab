"""A small store of two patients, and clients of the server over it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from fhir_tools.local import LocalStore
from fhir_tools.serve import create_app

Client = httpx.AsyncClient
Make = Callable[..., Client]
LOINC = "http://loinc.org"


def coded(code: str, text: str = "Thing") -> dict[str, Any]:
    return {"coding": [{"system": LOINC, "code": code, "display": text}], "text": text}


def small() -> list[dict[str, Any]]:
    """Two charts, what the first refers to, and a Group of both."""
    pat = {"reference": "Patient/ann"}
    return [
        {"resourceType": "Organization", "id": "org", "name": "Clinic"},
        {"resourceType": "Practitioner", "id": "dr", "name": [{"family": "Weber"}]},
        {"resourceType": "Location", "id": "ward", "managingOrganization": {"reference": "Organization/org"}},
        {"resourceType": "Medication", "id": "med", "code": coded("m", "Metformin")},
        {
            "resourceType": "Patient", "id": "ann", "gender": "female", "birthDate": "1960-05-01",
            "name": [{"family": "Ångström", "given": ["Ann"]}],
            "generalPractitioner": [{"reference": "Practitioner/dr"}],
        },
        {"resourceType": "Patient", "id": "bob", "gender": "male"},
        {
            "resourceType": "Encounter", "id": "visit", "status": "finished", "class": {"code": "AMB"}, "subject": pat,
            "period": {"start": "2020-03-01", "end": "2020-03-02"},
            "location": [{"location": {"reference": "Location/ward"}}],
        },
        *(
            {
                "resourceType": "Observation", "id": f"o{n}", "status": "final", "subject": pat,
                "code": coded("4548-4" if n % 2 else "2345-7"), "effectiveDateTime": f"20{10 + n}-06-01",
                "category": [{"coding": [{"code": "laboratory"}]}], "valueQuantity": {"value": n, "unit": "%"},
            }
            for n in range(8)
        ),
        {
            "resourceType": "Observation", "id": "other", "status": "final", "code": coded("x"),
            "subject": {"reference": "Patient/bob"},
        },
        {
            "resourceType": "MedicationRequest", "id": "rx", "status": "active", "intent": "order", "subject": pat,
            "medicationReference": {"reference": "Medication/med"}, "authoredOn": "2021-01-01",
        },
        {"resourceType": "AllergyIntolerance", "id": "nuts", "patient": pat, "code": coded("n")},
        {"resourceType": "Device", "id": "pump", "patient": {"reference": "Patient/bob"}},
        {"resourceType": "Binary", "id": "note", "contentType": "text/plain", "data": "aGVsbG8="},
        {"resourceType": "Binary", "id": "broken", "contentType": "text/plain", "data": "%%%"},
        {"resourceType": "Binary", "id": "odd", "contentType": "text/plain\r\nX-Evil: 1", "data": "aGk="},
        {
            "resourceType": "Group", "id": "both", "type": "person", "actual": True,
            "member": [
                {"entity": {"reference": "Patient/ann"}},
                {"entity": {"reference": "Patient/bob"}, "inactive": True},
                {"entity": {"reference": "Group/both"}},
            ],
        },
    ]  # fmt: skip


@pytest.fixture
def store() -> LocalStore:
    store = LocalStore()
    with store.transaction():
        for resource in small():
            store.put(resource)
    return store


@pytest.fixture
async def make(store: LocalStore) -> AsyncIterator[Make]:
    """A client of a new server over the store; faults of the server are raised, not hidden behind a 500."""
    async with AsyncExitStack() as stack:
        opened: list[Client] = []

        def client(**options: Any) -> Client:
            transport = httpx.ASGITransport(create_app(options.pop("store", store), **options))
            opened.append(Client(transport=transport, base_url="http://fhir.test/"))
            stack.push_async_callback(opened[-1].aclose)
            return opened[-1]

        yield client


@pytest.fixture
def reader(make: Make) -> Client:
    return make()


@pytest.fixture
def writer(make: Make) -> Client:
    return make(writable=True)


@pytest.fixture
def told() -> Callable[..., str]:
    """The words of a refusal: its status must be the one given, its body a valid OperationOutcome."""
    from fhir.resources.R4B.operationoutcome import OperationOutcome

    def check(answer: httpx.Response, status: int) -> str:
        assert answer.status_code == status, answer.text
        OperationOutcome.model_validate(answer.json())
        assert "Traceback" not in answer.text
        return str(answer.json()["issue"][0]["diagnostics"])

    return check
