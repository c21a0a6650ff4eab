"""$everything, $lastn and the catalogue over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from fhir_tools.local import LocalStore

Told = Callable[[httpx.Response, int], str]


def keys(bundle: dict[str, Any]) -> list[str]:
    return [f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in bundle.get("entry", ())]


ANN = {
    "Patient/ann", "Encounter/visit", "MedicationRequest/rx", "AllergyIntolerance/nuts", "Practitioner/dr",
    "Location/ward", "Organization/org", "Medication/med", *(f"Observation/o{n}" for n in range(8)),
}  # fmt: skip


async def test_everything_is_the_chart_and_what_it_refers_to(reader: httpx.AsyncClient) -> None:
    from fhir.resources.R4B.bundle import Bundle

    bundle = (await reader.get("Patient/ann/$everything")).json()
    Bundle.model_validate(bundle)
    assert set(keys(bundle)) == ANN and len(keys(bundle)) == bundle["total"] == len(ANN)
    assert set(keys((await reader.get("Patient/bob/$everything")).json())) == {
        "Patient/bob", "Observation/other", "Device/pump",
    }  # fmt: skip


async def test_everything_never_brings_another_patients_device(store: LocalStore, reader: httpx.AsyncClient) -> None:
    use = {"resourceType": "DeviceUseStatement", "id": "use", "subject": {"reference": "Patient/ann"}}
    store.put({**use, "status": "active", "device": {"reference": "Device/pump"}})
    found = keys((await reader.get("Patient/ann/$everything")).json())
    assert "DeviceUseStatement/use" in found and "Device/pump" not in found


async def test_everything_has_what_names_the_patient_second(store: LocalStore, reader: httpx.AsyncClient) -> None:
    both = [{"actor": {"reference": f"Patient/{id_}"}, "status": "accepted"} for id_ in ("bob", "ann")]
    store.put({"resourceType": "Appointment", "id": "together", "status": "booked", "participant": both})
    for patient in ("ann", "bob"):
        assert "Appointment/together" in keys((await reader.get(f"Patient/{patient}/$everything")).json())


async def test_everything_in_pages_while_data_is_added(store: LocalStore, reader: httpx.AsyncClient) -> None:
    url, found = "Patient/ann/$everything?_count=5", []
    while url:
        page = (await reader.get(url)).json()
        assert len(page["entry"]) <= 5
        found += keys(page)
        store.put({"resourceType": "Flag", "id": f"f{len(found)}", "subject": {"reference": "Patient/ann"}})
        url = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
    assert len(found) == len(ANN) and set(found) == ANN


async def test_everything_of_a_time_or_types(reader: httpx.AsyncClient) -> None:
    timed = keys((await reader.get("Patient/ann/$everything?start=2016&end=2020-03")).json())
    assert {k for k in timed if k.startswith(("Obs", "Enc", "Med"))} == {
        "Observation/o6", "Observation/o7", "Encounter/visit",
    }  # fmt: skip
    assert {"Patient/ann", "AllergyIntolerance/nuts", "Location/ward"} <= set(timed)
    typed = keys((await reader.get("Patient/ann/$everything?_type=MedicationRequest,Medication")).json())
    assert set(typed) == {"MedicationRequest/rx", "Medication/med"}
    assert not keys((await reader.get("Patient/ann/$everything?_since=2999-01-01")).json())


@pytest.mark.parametrize(
    "query", ["colour=red", "start=soon", "_since=x", "_type=Nope", "_count=x", "_page=1", "_page=x.y"]
)
async def test_everything_refuses_what_it_does_not_know(reader: httpx.AsyncClient, told: Told, query: str) -> None:
    told(await reader.get(f"Patient/ann/$everything?{query}"), 400)


async def test_operations_that_are_not_there(reader: httpx.AsyncClient, told: Told) -> None:
    told(await reader.get("Patient/none/$everything"), 404)
    told(await reader.get("Patient/ann/$match"), 404)
    told(await reader.get("Observation/$stats"), 404)
    told(await reader.get("Encounter/visit/$everything"), 404)
    told(await reader.delete("Patient/ann/$everything"), 405)


async def test_lastn_gives_the_newest_of_each_code(reader: httpx.AsyncClient, told: Told) -> None:
    assert keys((await reader.get("Observation/$lastn?patient=ann&category=laboratory")).json()) == [
        "Observation/o7", "Observation/o6",
    ]  # fmt: skip
    two = (await reader.get("Observation/$lastn?subject=Patient/ann&code=4548-4&max=2")).json()
    assert keys(two) == ["Observation/o7", "Observation/o5"] and two["total"] == 2
    posted = await reader.post("Observation/$lastn", data={"patient": "ann", "code": "4548-4"})
    assert keys(posted.json()) == ["Observation/o7"]
    for query in (
        "code=x",
        "patient=ann",
        "patient=ann&code=x&max=0",
        "patient=ann&code=x&max=x",
        "patient=ann&code:x=1",
    ):
        told(await reader.get(f"Observation/$lastn?{query}"), 400)


async def test_lastn_joins_codes_by_their_translations(store: LocalStore, reader: httpx.AsyncClient) -> None:
    both = {"coding": [{"system": "http://loinc.org", "code": "4548-4"}, {"system": "urn:x", "code": "a1c"}]}
    local = {"coding": [{"system": "urn:x", "code": "a1c"}]}
    for id_, code, year in (("t1", both, 2018), ("t2", local, 2019)):
        store.put({
            "resourceType": "Observation", "id": id_, "status": "final", "code": code,
            "subject": {"reference": "Patient/ann"}, "effectiveDateTime": f"{year}-01-01",
        })  # fmt: skip
    found = keys((await reader.get("Observation/$lastn?patient=ann&code=4548-4,a1c&max=1")).json())
    assert found == ["Observation/t2"]


async def test_the_catalogue_can_be_left_out(make: Callable[..., httpx.AsyncClient], told: Told) -> None:
    path = "Patient/ann/$chartline-catalogue"
    answer = await make().get(path, params={"as_of": "2015-01-01"})
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/json" and answer.json()
    told(await make().get(path, params={"as_of": "soon"}), 400)
    told(await make().get("Patient/none/$chartline-catalogue"), 404)
    plain = make(operations=False)
    told(await plain.get(path), 404)
    assert "chartline-catalogue" not in (await plain.get("metadata")).text
    assert "chartline-catalogue" in (await make().get("metadata")).text
