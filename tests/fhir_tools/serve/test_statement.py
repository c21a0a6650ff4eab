"""The CapabilityStatement."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from fhir_tools.search.query import parameters


@pytest.mark.parametrize("writable", [False, True])
async def test_it_is_valid_and_says_what_the_server_has(make: Callable[..., httpx.AsyncClient], writable: bool) -> None:
    from fhir.resources.R4B.capabilitystatement import CapabilityStatement

    found = (await make(writable=writable).get("metadata")).json()
    CapabilityStatement.model_validate(found)
    assert found["fhirVersion"] == "4.0.1" and found["implementation"]["url"] == "http://fhir.test"
    rest = found["rest"][0]
    types = {r["type"]: r for r in rest["resource"]}
    observation = types["Observation"]
    assert {p["name"] for p in observation["searchParam"]} == set(parameters("Observation"))
    assert "Observation:patient" in observation["searchInclude"]
    assert "Observation:patient" in types["Patient"]["searchRevInclude"]
    assert "lastn" in {o["name"] for o in observation["operation"]}
    assert "Binary" in types and "Group" in types
    interactions = {i["code"] for i in observation["interaction"]}
    assert {"read", "vread", "search-type", "history-instance"} <= interactions
    assert ("update" in interactions) is writable
    assert ("transaction" in {i["code"] for i in rest["interaction"]}) is writable
    assert "security" not in rest


async def test_modes(reader: httpx.AsyncClient, told: Callable[[httpx.Response, int], str]) -> None:
    assert (await reader.get("metadata?mode=normative")).status_code == 200
    told(await reader.get("metadata?mode=terminology"), 400)
    told(await reader.post("metadata"), 405)


async def test_every_declared_include_is_one_that_the_store_takes(reader: httpx.AsyncClient) -> None:
    found = (await reader.get("metadata")).json()
    for item in found["rest"][0]["resource"]:
        if item["type"] in ("Patient", "Observation", "Encounter", "MedicationRequest", "Practitioner"):
            for name, key in (("_include", "searchInclude"), ("_revinclude", "searchRevInclude")):
                for value in item.get(key, ()):
                    answer = await reader.get(item["type"], params={name: value, "_count": "1"})
                    assert answer.status_code == 200, (name, value, answer.text)
