"""Bodies: Binary in either form, attachments elsewhere, operations and the pages of `$everything`."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import httpx
import orjson
import pytest

from fhir_tools.errors import NotFound, SourceError
from fhir_tools.remote import Remote
from fhir_tools.types import Fetched, Reference
from tests.fhir_tools.remote.fake import BASE, FakeServer, bundle, observation, outcome, statement

PDF = b"%PDF-1.7 \x00\xff"
WRAPPED = {"resourceType": "Binary", "contentType": "application/pdf", "data": base64.b64encode(PDF).decode()}


async def fetch(url: str, *answers: httpx.Response, **more: Any) -> tuple[Fetched, FakeServer]:
    server = FakeServer()
    left = list(answers)
    server.hook = lambda r: None if r.url.path.endswith("metadata") else left.pop(0)
    async with Remote(server.http(**more)) as remote:
        return await remote.fetch(url), server


async def test_a_binary_comes_in_either_form() -> None:
    for answer in (
        httpx.Response(200, content=PDF, headers={"content-type": "application/pdf"}),
        httpx.Response(200, json=WRAPPED, headers={"content-type": "application/fhir+json; charset=utf-8"}),
        httpx.Response(200, json=WRAPPED),
        httpx.Response(200, json={**WRAPPED, "data": f"\n  {WRAPPED['data']} \n"}),
    ):
        found, server = await fetch("Binary/1", answer)
        assert (found.content_type, found.body) == ("application/pdf", PDF)
        assert server.requests[-1].headers["accept"] == "*/*"


async def test_a_binary_without_data_or_type_is_empty_octets() -> None:
    found, _ = await fetch("Binary/1", httpx.Response(200, json={"resourceType": "Binary"}))
    assert (found.content_type, found.body) == ("application/octet-stream", b"")
    found, _ = await fetch("Binary/1", httpx.Response(200, content=b"x"))
    assert (found.content_type, found.body) == ("application/octet-stream", b"x")


async def test_json_that_is_no_binary_is_a_body() -> None:
    for content in (b'{"a": 1}', b"[1]", b"{"):
        headers = {"content-type": "application/json"}
        found, _ = await fetch("Binary/1", httpx.Response(200, content=content, headers=headers))
        assert found.body == content


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(404), NotFound), (httpx.Response(410), NotFound), (httpx.Response(403), SourceError),
        (httpx.Response(200, json={**WRAPPED, "data": "###"}), SourceError),
        (httpx.Response(200, json=outcome("exception")), SourceError), (httpx.Response(304), SourceError),
    ],
)  # fmt: skip
async def test_what_is_no_body_raises(answer: httpx.Response, kind: type[SourceError]) -> None:
    with pytest.raises(kind) as caught:
        await fetch("Binary/1", answer)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://evil.test/a.pdf", "//evil.test/a.pdf", "file:///etc/passwd", "https://u:p@chart.test/"]
)
async def test_a_body_elsewhere_is_not_asked_for(url: str) -> None:
    server = FakeServer()
    async with Remote(server.http()) as remote:
        with pytest.raises(SourceError, match="was not fetched"):
            await remote.fetch(url)
    assert not server.asked


@pytest.mark.parametrize("url", ["nonsense", "Patient/1", "Binary/1"])
async def test_a_resource_of_the_server_is_no_body(url: str) -> None:
    with pytest.raises(SourceError, match="a resource where a body"):
        await fetch(url, httpx.Response(200, json=bundle([])))


async def test_an_attachment_may_be_fhir_itself() -> None:
    document = httpx.Response(200, json=bundle([], type="document"))
    found, _ = await fetch(f"{BASE}/files/document.json", document)
    assert orjson.loads(found.body)["type"] == "document"


async def test_an_allowed_origin_is_asked() -> None:
    found, server = await fetch(
        "https://files.test/a.pdf", httpx.Response(200, content=PDF), origins=["https://files.test"]
    )
    assert found.body == PDF and server.requests[-1].url.host == "files.test"


async def test_an_operation_is_asked_for_json() -> None:
    answer = httpx.Response(200, content=b"[]", headers={"content-type": "application/json"})
    found, server = await fetch("Patient/1/$chartline-catalogue?as_of=2020-01-01", answer)
    assert (found.content_type, found.body) == ("application/json", b"[]")
    assert server.requests[-1].headers["accept"] == "application/fhir+json"


@pytest.mark.parametrize(("wrapped", "status"), [(True, "200"), (False, "200"), (False, "400")])
async def test_the_catalogue_comes_in_a_batch_where_the_server_can(wrapped: bool, status: str) -> None:
    server = FakeServer([{"resourceType": "Patient", "id": "one"}])
    server.statement = statement(system=["batch"])
    rows = {"resourceType": "Binary", "contentType": "application/json", "data": base64.b64encode(b"[1]").decode()}
    entries = [{"response": {"status": status}, **({"resource": rows} if wrapped else {})}]
    entries.append({"response": {"status": "200"}, "resource": server.resources[0]})
    answer = {"resourceType": "Bundle", "type": "batch-response", "entry": entries}
    url = "Patient/one/$chartline-catalogue?as_of=2020-01-01"

    def hook(request: httpx.Request) -> httpx.Response | None:
        if request.method == "POST":
            return httpx.Response(200, json=answer)
        return httpx.Response(200, content=b"[1]") if "$" in request.url.path else None

    server.hook = hook
    async with Remote(server.http()) as remote:
        await remote.capabilities()
        patient = remote.read(Reference(type="Patient", id="one"))
        found, _ = await asyncio.gather(remote.fetch(url), patient)
        assert found.body == b"[1]" and len(server.asked) == (1 if wrapped else 2)
        assert (await remote.fetch(url)).body == b"[1]" and server.asked[-1].startswith("GET")


async def test_everything_is_one_bundle() -> None:
    pages = [
        bundle([{"resourceType": "Patient", "id": "one"}, observation(1)], link="?page=2", total=3),
        bundle([observation(1), observation(2)], total=3),
    ]
    found, server = await fetch("Patient/one/$everything", *(httpx.Response(200, json=page) for page in pages))
    body = orjson.loads(found.body)
    assert found.content_type == "application/fhir+json" and (body["type"], body["total"]) == ("searchset", 3)
    assert [e["resource"]["id"] for e in body["entry"]] == ["one", "o1", "o2"]
    assert body["entry"][1]["fullUrl"] == f"{BASE}/Observation/o1" and server.asked == [
        "GET Patient/one/$everything",
        "GET Patient/one/$everything?page=2",
    ]


@pytest.mark.parametrize(
    "second",
    [httpx.Response(403), httpx.Response(200, json=bundle([], link="https://evil.test/")), httpx.Response(404)],
)
async def test_a_part_of_everything_is_not_everything(second: httpx.Response) -> None:
    first = httpx.Response(200, json=bundle([observation(1)], link=f"{BASE}/?page=2"))
    with pytest.raises(SourceError, match="did not give all") as caught:
        await fetch("Patient/one/$everything", first, second, first, second)
    assert "evil" not in str(caught.value)


async def test_everything_of_nobody_is_not_found() -> None:
    with pytest.raises(NotFound):
        await fetch("Patient/none/$everything", httpx.Response(404))
