"""read, vread, caches, Binary and history over HTTP."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from fhir_tools.local import LocalStore
from fhir_tools.types import Reference

Told = Callable[[httpx.Response, int], str]


async def test_a_read_has_what_caches_need(reader: httpx.AsyncClient) -> None:
    answer = await reader.get("Patient/ann")
    assert answer.status_code == 200
    assert answer.headers["etag"] == 'W/"1"'
    assert answer.headers["last-modified"].endswith("GMT")
    assert answer.headers["content-type"] == "application/fhir+json; charset=utf-8"
    assert answer.json()["meta"]["versionId"] == "1"
    assert answer.json()["name"][0]["family"] == "Ångström"


@pytest.mark.parametrize("tags", ['W/"1"', '"1"', '"7", W/"1"', "*"])
async def test_if_none_match_gives_304(reader: httpx.AsyncClient, tags: str) -> None:
    answer = await reader.get("Patient/ann", headers={"If-None-Match": tags})
    assert answer.status_code == 304 and not answer.content
    assert answer.headers["etag"] == 'W/"1"'


async def test_if_none_match_goes_before_if_modified_since(reader: httpx.AsyncClient) -> None:
    when = (await reader.get("Patient/ann")).headers["last-modified"]
    for headers, status in (
        ({"If-Modified-Since": when}, 304),
        ({"If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"}, 200),
        ({"If-Modified-Since": "yesterday"}, 200),
        ({"If-Modified-Since": when, "If-None-Match": '"other"'}, 200),
    ):
        assert (await reader.get("Patient/ann", headers=headers)).status_code == status


async def test_head_is_get_without_its_body(reader: httpx.AsyncClient) -> None:
    get, head = await reader.get("Patient/ann"), await reader.head("Patient/ann")
    assert head.status_code == 200 and not head.content
    assert head.headers["etag"] == get.headers["etag"]
    assert head.headers["content-length"] == str(len(get.content))
    assert (await reader.head("Patient/none")).status_code == 404


async def test_versions_and_their_end(store: LocalStore, reader: httpx.AsyncClient, told: Told) -> None:
    store.put({"resourceType": "Patient", "id": "ann", "gender": "other"})
    assert (await reader.get("Patient/ann/_history/1")).json()["gender"] == "female"
    assert (await reader.get("Patient/ann/_history/2")).json()["gender"] == "other"
    told(await reader.get("Patient/ann/_history/9"), 404)
    store.delete(Reference(type="Patient", id="ann"))
    assert "deleted" in told(await reader.get("Patient/ann"), 410)
    bundle = (await reader.get("Patient/ann/_history")).json()
    assert [e["request"]["method"] for e in bundle["entry"]] == ["DELETE", "PUT", "PUT"]
    assert "resource" not in bundle["entry"][0]
    assert bundle["total"] == 3


async def test_history_in_pages(store: LocalStore, reader: httpx.AsyncClient, told: Told) -> None:
    from fhir.resources.R4B.bundle import Bundle

    for gender in ("other", "unknown", "male"):
        store.put({"resourceType": "Patient", "id": "ann", "gender": gender})
    url, found = "Patient/ann/_history?_count=3", []
    while url:
        page = (await reader.get(url)).json()
        Bundle.model_validate(page)
        found += [e["resource"]["meta"]["versionId"] for e in page["entry"]]
        url = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
    assert found == ["4", "3", "2", "1"]
    everything = (await reader.get("_history?_count=1000")).json()
    assert everything["total"] == 26
    assert (await reader.get("Patient/_history")).json()["total"] == 5
    assert "entry" not in (await reader.get("Patient/_history", params={"_since": "2999-01-01T00:00:00Z"})).json()
    told(await reader.get("Patient/_history?_since=soon"), 400)
    told(await reader.get("Patient/_history?_at=2020"), 400)
    told(await reader.get("Patient/none/_history"), 404)
    told(await reader.get("Patient/_history?_page=x"), 400)


async def test_reads_can_be_shortened(reader: httpx.AsyncClient, told: Told) -> None:
    found = (await reader.get("Patient/ann?_elements=gender")).json()
    assert found["gender"] == "female" and "name" not in found
    assert found["meta"]["tag"][0]["code"] == "SUBSETTED"
    told(await reader.get("Patient/ann?_summary=count"), 400)


@pytest.mark.parametrize("accept", ["*/*", "text/plain", "image/png, */*;q=0.1", ""])
async def test_a_binary_is_its_bytes(reader: httpx.AsyncClient, accept: str) -> None:
    answer = await reader.get("Binary/note", headers={"Accept": accept})
    assert answer.content == b"hello"
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "sandbox"


@pytest.mark.parametrize("headers", [{"Accept": "application/fhir+json"}, {"Accept": "application/json"}])
async def test_a_binary_is_a_resource_where_fhir_is_asked_for(
    reader: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    assert (await reader.get("Binary/note", headers=headers)).json()["data"] == "aGVsbG8="
    assert (await reader.get("Binary/note?_format=json")).json()["data"] == "aGVsbG8="


async def test_a_binary_that_is_not_in_order(reader: httpx.AsyncClient, told: Told) -> None:
    assert "base64" in told(await reader.get("Binary/broken"), 406)
    answer = await reader.get("Binary/odd")
    assert answer.headers["content-type"] == "application/octet-stream" and "x-evil" not in answer.headers
    told(await reader.get("Binary/note", headers={"Accept": "application/fhir+xml"}), 406)


@pytest.mark.parametrize(
    "path", ["Patient/none", "Nope/1", "patient/ann", "x", "Patient/ann/x", "Patient/a/b/c/d", "Patient//ann"]
)
async def test_what_is_not_there(reader: httpx.AsyncClient, told: Told, path: str) -> None:
    told(await reader.get(f"http://fhir.test/{path}"), 404)
