"""batch and transaction Bundles."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import httpx
import pytest

X = {"text": "x"}
Told = Callable[[httpx.Response, int], str]


def entry(method: str, url: str, resource: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"request": {"method": method, "url": url, **more.pop("request", {})}, **more}
    return {**found, "resource": resource} if resource else found


async def post(client: httpx.AsyncClient, kind: str, *entries: Any) -> httpx.Response:
    return await client.post("http://fhir.test/", json={"resourceType": "Bundle", "type": kind, "entry": list(entries)})


def statuses(answer: httpx.Response) -> list[str]:
    from fhir.resources.R4B.bundle import Bundle

    assert answer.status_code == 200, answer.text
    Bundle.model_validate(answer.json())
    return [e["response"]["status"][:3] for e in answer.json()["entry"]]


def patient(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", **more}


async def test_a_batch_reads_each_entry_for_itself(reader: httpx.AsyncClient) -> None:
    answer = await post(
        reader,
        "batch",
        entry("GET", "Patient/ann"),
        entry("GET", "Patient/none"),
        entry("GET", "Observation?patient=ann&code=4548-4&_count=1"),
        entry("GET", "http://fhir.test/Patient/bob"),
        entry("GET", "Patient/ann", request={"ifNoneMatch": 'W/"1"'}),
        entry("GET", "Observation?colour=red"),
        entry("GET", "Binary/note"),
        entry("PUT", "Patient/ann", patient(id="ann")),
        entry("GET", "https://elsewhere.test/Patient/ann"),
        entry("POST", ""),
        entry("GET", "$export"),
        entry("GET", "Patient/ann/$chartline-catalogue"),
        {"request": {"method": "DANCE", "url": "x"}},
        {},
        "entry",
    )
    assert statuses(answer) == "200 404 200 200 304 400 200 405 400 400 400 200 400 400 400".split()
    entries = answer.json()["entry"]
    assert entries[0]["response"]["etag"] == 'W/"1"' and entries[0]["response"]["status"] == "200 OK"
    assert entries[1]["response"]["outcome"]["issue"][0]["code"] == "not-found" and "resource" not in entries[1]
    assert entries[2]["resource"]["total"] == 4
    assert entries[6]["resource"]["data"] == "aGVsbG8="
    catalogue = entries[11]["resource"]
    assert (catalogue["resourceType"], catalogue["contentType"]) == ("Binary", "application/json")
    alone = await reader.get("Patient/ann/$chartline-catalogue")
    assert base64.b64decode(catalogue["data"]) == alone.content


async def test_a_batch_writes_where_the_server_is_writable(writer: httpx.AsyncClient) -> None:
    answer = await post(
        writer,
        "batch",
        entry("POST", "Patient", patient(gender="other")),
        entry("PUT", "Patient/ann", patient(id="bob")),
        entry("DELETE", "Observation/o1"),
    )
    assert statuses(answer) == ["201", "400", "204"]
    assert answer.json()["entry"][0]["response"]["location"].startswith("http://fhir.test/Patient/")
    assert (await writer.get("Observation/o1")).status_code == 410


async def test_a_transaction_makes_its_references_literal(writer: httpx.AsyncClient) -> None:
    urn, seen = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", {"system": "urn:x", "value": "1"}
    observation = {
        "resourceType": "Observation", "status": "final", "code": {"text": "x"},
        "subject": {"reference": urn}, "performer": [{"reference": "Practitioner?family=Weber"}],
    }  # fmt: skip
    answer = await post(
        writer,
        "transaction",
        entry("GET", "Patient?identifier=urn:x|1"),
        entry("POST", "Observation", observation),
        entry("POST", "Patient", patient(identifier=[seen]), fullUrl=urn),
    )
    assert statuses(answer) == ["200", "201", "201"]
    found, made, new = (e["resource"] for e in answer.json()["entry"])
    assert found["total"] == 1  # GET comes last, whatever the order of the entries
    assert made["subject"]["reference"] == f"Patient/{new['id']}"
    assert made["performer"] == [{"reference": "Practitioner/dr"}]
    assert (await writer.get(f"Observation?patient={new['id']}")).json()["total"] == 1


async def test_conditional_entries(writer: httpx.AsyncClient) -> None:
    ref = {"reference": "urn:uuid:1"}
    answer = await post(
        writer,
        "transaction",
        entry("POST", "Patient", patient(), fullUrl="urn:uuid:1", request={"ifNoneExist": "gender=male"}),
        entry(
            "PUT",
            "Observation?_id=other",
            {"resourceType": "Observation", "status": "amended", "code": X, "subject": ref},
        ),
        entry("DELETE", "Observation?_id=o3"),
        entry("DELETE", "Observation?_id=never"),
        entry("PUT", "Patient?identifier=new", patient(active=True)),
    )
    assert statuses(answer) == ["200", "200", "204", "204", "201"]
    changed = (await writer.get("Observation/other")).json()
    assert changed["status"] == "amended" and changed["subject"]["reference"] == "Patient/bob"


@pytest.mark.parametrize(
    ("bad", "status"),
    [
        (entry("PUT", "Patient/x", patient(id="y")), 400),
        (entry("PUT", "Patient/bob", patient(id="bob"), request={"ifMatch": 'W/"9"'}), 412),
        (entry("GET", "Patient/none"), 404),
        (entry("POST", "Patient", patient(), request={"ifNoneExist": "gender=male,female"}), 412),
        (entry("PUT", "Patient/carl", patient(id="carl")), 400),
        (
            entry("POST", "Observation", {"resourceType": "Observation", "subject": {"reference": "Patient?_id=no"}}),
            412,
        ),
        (entry("POST", "Patient"), 400),
        (entry("PUT", "Patient?gender=female", patient(id="bob")), 400),
        ({}, 400),
    ],
)
async def test_nothing_is_kept_of_a_transaction_that_fails(
    writer: httpx.AsyncClient, told: Told, bad: dict[str, Any], status: int
) -> None:
    good = entry("PUT", "Patient/carl", patient(id="carl", gender="male"))
    told(await post(writer, "transaction", entry("DELETE", "Patient/ann"), good, bad), status)
    assert (await writer.get("Patient/carl")).status_code == 404
    assert (await writer.get("Patient/ann")).status_code == 200
    assert (await writer.get("Patient?gender=male")).json()["total"] == 1


async def test_a_read_only_server_takes_transactions_that_read(reader: httpx.AsyncClient, told: Told) -> None:
    assert statuses(await post(reader, "transaction", entry("GET", "Patient/ann"))) == ["200"]
    assert "--writable" in told(await post(reader, "transaction", entry("DELETE", "Patient/ann")), 405)


async def test_what_is_no_bundle_to_work_on(reader: httpx.AsyncClient, told: Told) -> None:
    told(await post(reader, "collection"), 400)
    told(await reader.post("http://fhir.test/", json={"resourceType": "Patient"}), 400)
    told(await reader.post("http://fhir.test/", json={"resourceType": "Bundle", "type": "batch", "entry": {}}), 400)
    told(await reader.post("http://fhir.test/", content=b"x", headers={"Content-Type": "text/plain"}), 415)
    assert "entry" not in (await post(reader, "batch")).json()
