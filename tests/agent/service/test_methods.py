"""HTTP as RFC 9110 has it: methods, conditions, content types and forms."""

from __future__ import annotations

import gzip

import httpx
import pytest

from agent.service.problems import Problem
from tests.agent.service.conftest import MARIA, Opened

ASKED = {"question": "last A1c?", "patient": MARIA}


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/v1/me", "/v1/patients", "/assets/page.css", "/cds-services", "/no"]
)
async def test_head_is_get_without_content(client: httpx.AsyncClient, path: str) -> None:
    head, get = await client.head(path), await client.get(path)
    assert head.status_code == get.status_code and head.content == b""
    same = ("content-type", "content-length", "etag", "cache-control", "content-security-policy")
    assert [head.headers.get(name) for name in same] == [get.headers.get(name) for name in same]


async def test_head_does_nothing_where_there_is_no_get(client: httpx.AsyncClient) -> None:
    answer = await client.head("/v1/ask")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PATCH", "/v1/threads", "GET, HEAD, POST"),
        ("PUT", "/v1/threads/abc", "DELETE, GET, HEAD"),
        ("PUT", "/v1/ask", "POST"),
        ("TRACE", "/", "GET, HEAD"),
        ("GET", "/cds-services/chartline-order-sign", "POST"),
        ("PUT", "/mcp", "DELETE, GET, POST"),
    ],
)
async def test_a_405_names_every_method(client: httpx.AsyncClient, method: str, path: str, allow: str) -> None:
    answer = await client.request(method, path)
    assert answer.status_code == 405 and sorted(answer.headers["allow"].split(", ")) == allow.split(", ")
    assert path == "/mcp" or answer.headers["content-type"] == "application/problem+json"


async def test_a_weak_tag_and_any_tag_are_known(client: httpx.AsyncClient) -> None:
    tag = (await client.get("/assets/page.css")).headers["etag"]
    for told in (tag, f"W/{tag}", f'"other", W/{tag}', "*"):
        answer = await client.get("/assets/page.css", headers={"If-None-Match": told})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    assert (await client.get("/assets/page.css", headers={"If-None-Match": '"other"'})).status_code == 200


@pytest.mark.parametrize("sent", ["text/plain", "application/xml", "application/x-www-form-urlencoded"])
async def test_what_is_not_sent_as_json_is_415(client: httpx.AsyncClient, sent: str) -> None:
    answer = await client.post("/v1/ask", content=b'{"question": "x"}', headers={"Content-Type": sent})
    assert (answer.status_code, answer.headers["accept"]) == (415, "application/json")
    assert answer.json()["type"] == "urn:chartline:problem:media-type"


@pytest.mark.parametrize("content", [b"{", b'{"question": }', b"[" * 200_000, b'{"question": 1' + b"1" * 6000 + b"}"])
async def test_what_is_no_json_is_400(client: httpx.AsyncClient, content: bytes) -> None:
    answer = await client.post("/v1/ask", content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


async def test_other_json_is_json(client: httpx.AsyncClient) -> None:
    for sent in ("application/json; charset=utf-8", "application/vnd.site+json"):
        answer = await client.post("/v1/ask", content=b"{}", headers={"Content-Type": sent})
        assert answer.status_code == 422


async def test_a_form_that_is_ruled_out_is_not_sent(client: httpx.AsyncClient) -> None:
    for form in ("text/event-stream", "application/fhir+json"):
        told = {"Accept": f"{form};q=0, application/json"}
        assert (await client.post("/v1/ask", json=ASKED, headers=told)).headers["content-type"] == "application/json"
        named = (await client.post("/v1/ask", json=ASKED, headers={"Accept": form})).headers["content-type"]
        assert named.startswith(form)


async def test_locations_are_below_the_path_that_clients_know(opened: Opened) -> None:
    async with opened(service_url="http://localhost/chart") as client:
        asked = {"kind": "questions", "input": {"patients": [MARIA], "questions": ["last A1c?"]}}
        for path, sent in (("/v1/threads", {"patient": MARIA}), ("/v1/jobs", asked)):
            made = await client.post(path, json=sent)
            assert made.headers["location"] == f"/chart{path}/{made.json()['id']}"
        answer = await client.post("/v1/ask", json=ASKED, headers={"Idempotency-Key": "one"})
        assert answer.headers["content-location"].startswith("/chart/v1/questions/")


async def test_what_the_status_says_alone_has_no_type_of_its_own(client: httpx.AsyncClient) -> None:
    """RFC 9457 4.2.1."""
    for method, path, title in (("GET", "/nothing", "Not Found"), ("PUT", "/v1/ask", "Method Not Allowed")):
        told = (await client.request(method, path)).json()
        assert (told["type"], told["title"]) == ("about:blank", title)


async def test_who_is_told_to_come_again_is_told_when() -> None:
    assert [Problem(status, "x", "y").headers for status in (503, 429, 404)] == [{"Retry-After": "30"}] * 2 + [{}]
    assert Problem(503, "x", "y", headers={"Retry-After": "5"}).headers == {"Retry-After": "5"}


async def test_packed_and_plain_have_tags_of_their_own(client: httpx.AsyncClient) -> None:
    plain = await client.get("/assets/page.css", headers={"Accept-Encoding": "identity"})
    async with client.stream("GET", "/assets/page.css", headers={"Accept-Encoding": "gzip"}) as packed:
        raw = b"".join([part async for part in packed.aiter_raw()])
    assert gzip.decompress(raw) == plain.content and packed.headers["etag"] != plain.headers["etag"]
    assert "Accept-Encoding" in packed.headers["vary"]
