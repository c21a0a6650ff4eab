"""create, update and delete, with their conditions; and what a read-only server says instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

Told = Callable[[httpx.Response, int], str]
ANN = {"resourceType": "Patient", "id": "ann", "gender": "other"}
NEW = {"resourceType": "Patient", "identifier": [{"system": "urn:x", "value": "7"}], "meta": {"versionId": "9"}}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "Patient/ann"), ("POST", "Patient"), ("DELETE", "Patient/ann"), ("PATCH", "Patient/ann"),
        ("PUT", "Patient?gender=male"), ("DELETE", "Patient?gender=male"),
    ],
)  # fmt: skip
async def test_a_read_only_server_says_how_to_start_it_otherwise(
    reader: httpx.AsyncClient, told: Told, method: str, path: str
) -> None:
    answer = await reader.request(method, path, json=ANN)
    assert "--writable" in told(answer, 405)
    assert "GET" in answer.headers["allow"]
    assert (await reader.get("Patient/ann")).json()["gender"] == "female"


async def test_a_create_gives_id_version_and_location(writer: httpx.AsyncClient) -> None:
    answer = await writer.post("Patient", json={**NEW, "id": "mine"})
    assert answer.status_code == 201
    made = answer.json()
    assert made["id"] != "mine" and made["meta"]["versionId"] == "1"
    assert answer.headers["location"] == f"http://fhir.test/Patient/{made['id']}/_history/1"
    assert (await writer.get(answer.headers["location"])).json() == made


async def test_conditional_creates(writer: httpx.AsyncClient, told: Told) -> None:
    only = {"If-None-Exist": "identifier=urn:x|7"}
    first, second = [await writer.post("Patient", json=NEW, headers=only) for _ in range(2)]
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    told(await writer.post("Patient", json=NEW, headers={"If-None-Exist": "Patient?gender=female,male"}), 412)
    told(await writer.post("Patient", json=NEW, headers={"If-None-Exist": "colour=red"}), 400)
    told(await writer.post("Patient", json=NEW, headers={"If-None-Exist": ""}), 400)


async def test_an_update_keeps_the_id_and_raises_the_version(writer: httpx.AsyncClient, told: Told) -> None:
    answer = await writer.put("Patient/ann", json=ANN)
    assert answer.status_code == 200 and answer.headers["etag"] == 'W/"2"'
    assert (await writer.get("Patient?gender=other")).json()["total"] == 1
    answer = await writer.put("Patient/carl", json={**ANN, "id": "carl"})
    assert answer.status_code == 201 and (await writer.get("Patient/carl")).status_code == 200
    told(await writer.put("Patient/ann", json={**ANN, "id": "bob"}), 400)
    told(await writer.put("Patient/ann", json={"resourceType": "Patient"}), 400)
    told(await writer.put("Patient/ann", json={"resourceType": "Group", "id": "ann"}), 400)


async def test_if_match(writer: httpx.AsyncClient, told: Told) -> None:
    told(await writer.put("Patient/ann", json=ANN, headers={"If-Match": 'W/"7"'}), 412)
    assert (await writer.get("Patient/ann")).json()["gender"] == "female"
    assert (await writer.put("Patient/ann", json=ANN, headers={"If-Match": 'W/"1"'})).status_code == 200
    told(await writer.put("Patient/new", json={**ANN, "id": "new"}, headers={"If-Match": 'W/"1"'}), 412)
    told(await writer.delete("Patient/ann", headers={"If-Match": 'W/"1"'}), 412)
    assert (await writer.delete("Patient/ann", headers={"If-Match": 'W/"2"'})).status_code == 204


async def test_conditional_updates(writer: httpx.AsyncClient, told: Told) -> None:
    male = {"resourceType": "Patient", "gender": "male", "active": True}
    answer = await writer.put("Patient?gender=male", json=male)
    assert answer.status_code == 200 and answer.json()["id"] == "bob"
    assert (await writer.put("Patient?identifier=none", json=male)).status_code == 201
    told(await writer.put("Patient?gender=male,female", json=male), 412)
    told(await writer.put("Patient?gender=female", json={**male, "id": "bob"}), 400)
    told(await writer.put("Patient?identifier=no", json={**male, "id": "ann"}), 409)
    told(await writer.put("Patient", json=male), 400)


async def test_deletes(writer: httpx.AsyncClient, told: Told) -> None:
    for _ in range(2):
        assert (await writer.delete("Observation/o1")).status_code == 204
    told(await writer.get("Observation/o1"), 410)
    assert (await writer.delete("Observation/never")).status_code == 204
    assert (await writer.delete("Observation?_id=o2")).status_code == 204
    assert (await writer.delete("Observation?_id=never")).status_code == 204
    told(await writer.delete("Observation?patient=ann"), 412)
    told(await writer.delete("Observation"), 400)
    assert (await writer.get("Observation?patient=ann&_summary=count")).json()["total"] == 6
    assert (await writer.put("Observation/o1", json={**_observation(), "id": "o1"})).status_code == 201
    assert (await writer.get("Observation/o1")).status_code == 200


def _observation() -> dict[str, Any]:
    return {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}


@pytest.mark.parametrize(("wanted", "kind"), [("minimal", None), ("OperationOutcome", "OperationOutcome")])
async def test_what_a_write_answers(writer: httpx.AsyncClient, wanted: str, kind: str | None) -> None:
    answer = await writer.put("Patient/ann", json=ANN, headers={"Prefer": f"return={wanted}"})
    assert answer.headers["etag"] == 'W/"2"'
    assert (answer.json()["resourceType"] if answer.content else None) == kind


async def test_bodies_that_are_no_resource(writer: httpx.AsyncClient, told: Told) -> None:
    json = {"Content-Type": "application/fhir+json"}
    for content in (b"", b"{", b"[]", b"1", b"\xff", b"[" * 600 + b"]" * 600, b'{"resourceType": "Patient", "a": NaN}'):
        told(await writer.post("Patient", content=content, headers=json), 400)
    deep = b'{"resourceType":"Patient","x":' + b"[" * 400 + b"]" * 400 + b"}"
    told(await writer.post("Patient", content=deep, headers=json), 400)
    told(await writer.post("Patient", content=b"{}", headers={"Content-Type": "text/plain"}), 415)
    told(await writer.post("Patient", content=b"<Patient/>", headers={"Content-Type": "application/fhir+xml"}), 415)
    told(await writer.post("Nope", json=ANN), 404)
    told(await writer.patch("Patient/ann", json=[]), 501)


async def test_a_binary_is_written_as_bytes(writer: httpx.AsyncClient) -> None:
    answer = await writer.post("Binary", content=b"\x89PNG", headers={"Content-Type": "image/png"})
    assert answer.status_code == 201
    got = await writer.get(f"Binary/{answer.json()['id']}")
    assert got.content == b"\x89PNG" and got.headers["content-type"] == "image/png"
    secured = {"Content-Type": "text/plain", "X-Security-Context": "Patient/ann"}
    made = (await writer.put("Binary/note", content=b"new", headers=secured)).json()
    assert made["securityContext"] == {"reference": "Patient/ann"}
    assert (await writer.get("Binary/note")).content == b"new"
