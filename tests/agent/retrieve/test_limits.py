"""A server that lists results in parts alone: what is found stands, and what is not found is not told as absent."""

from __future__ import annotations

from datetime import date
from typing import Any

import httpx
import pytest

from agent.settings import Settings
from agent.types import Answer
from agent.wire import Agent
from fhir_tools.http import Http
from fhir_tools.local import LocalStore
from fhir_tools.profiles import profile
from fhir_tools.remote import Remote
from fhir_tools.serve import create_app
from fhir_tools.types import Reference

BASE = "http://epic.example"
DAY = date(2020, 6, 1)
ME = Reference(type="Patient", id="p")


def lab(id_: str, code: str, display: str, category: str | None, value: float = 6.9) -> dict[str, Any]:
    listed = [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": category}]}]
    return {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        **({"category": listed} if category else {}),
        "code": {"coding": [{"system": "http://loinc.org", "code": code, "display": display}], "text": display},
        "subject": {"reference": "Patient/p"},
        "effectiveDateTime": "2020-01-01",
        "valueQuantity": {"value": value, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"},
    }


A1C = ("4548-4", "Hemoglobin A1c")
SODIUM = ("2951-2", "Sodium")


async def asked(question: str, *results: dict[str, Any], kind: str = "epic") -> Answer:
    store = LocalStore(":memory:")
    with store.transaction():
        for resource in ({"resourceType": "Patient", "id": "p", "birthDate": "1960-01-01"}, *results):
            store.put(resource)
    http = Http(BASE, transport=httpx.ASGITransport(create_app(store, base=BASE, operations=False)))
    remote = Remote(http, profile=profile(kind))
    async with store, remote, Agent(remote, ME, as_of=DAY, settings=Settings(), record=None) as agent:
        return await agent.ask(question)


async def test_what_is_found_by_code_is_an_answer_as_ever() -> None:
    answer = await asked("last A1c?", lab("1", *A1C, "laboratory"))
    assert answer.status == "answered" and "6.9" in answer.text


@pytest.mark.parametrize("category", ["exam", None])
async def test_what_the_lists_leave_out_is_never_told_as_absent(category: str | None) -> None:
    answer = await asked("last A1c?", lab("1", *A1C, category), lab("2", *SODIUM, "laboratory"))
    assert answer.status == "incomplete"
    assert any("do not show" in words for words in answer.warnings)


async def test_an_absence_that_a_code_proves_is_one() -> None:
    answer = await asked("last A1c?", lab("2", *SODIUM, "laboratory"))
    assert answer.status == "not_found"


async def test_a_list_says_what_it_cannot_hold() -> None:
    answer = await asked("all lab results", lab("2", *SODIUM, "laboratory"))
    assert any("by category alone" in words for words in answer.warnings)
    elsewhere = await asked("all lab results", lab("2", *SODIUM, "laboratory"), kind="generic")
    assert not any("by category alone" in words for words in elsewhere.warnings)
