"""The HTTP side: formats, compression, limits, hosts, base URLs, and faults of our own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from fhir_tools.errors import UserError
from fhir_tools.local import LocalStore
from fhir_tools.serve import create_app
from fhir_tools.serve.formats import chosen

Told = Callable[[httpx.Response, int], str]
Make = Callable[..., httpx.AsyncClient]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/fhir+json", "application/fhir+json"),
        ("application/fhir+json; fhirVersion=4.0", "application/fhir+json"),
        ("application/json", "application/json"),
        ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", "application/fhir+json"),
        ("application/fhir+xml, application/json;q=0.5", "application/json"),
        ("APPLICATION/FHIR+JSON", "application/fhir+json"),
        (";;,,q=", None),
        ("application/fhir+xml", None),
        ("application/fhir+json;q=0", None),
        ("application/fhir+json; fhirVersion=5.0", None),
        ("text/turtle", None),
    ],
)
async def test_accept(reader: httpx.AsyncClient, told: Told, accept: str, kind: str | None) -> None:
    answer = await reader.get("Patient/ann", headers={"Accept": accept})
    if kind is None:
        told(answer, 406)
    else:
        assert answer.status_code == 200 and answer.headers["content-type"].startswith(kind)


@pytest.mark.parametrize(("value", "status"), [
    ("json", 200), ("application/fhir+json", 200), ("application/fhir json", 200), ("text/json", 200),
    ("xml", 406), ("html", 406), ("application/fhir+json; fhirVersion=3.0", 406),
])  # fmt: skip
async def test_format_goes_before_accept(reader: httpx.AsyncClient, value: str, status: int) -> None:
    answer = await reader.get("Patient/ann", params={"_format": value}, headers={"Accept": "text/turtle"})
    assert answer.status_code == status


async def test_pretty_and_gzip(reader: httpx.AsyncClient) -> None:
    assert b"\n  " in (await reader.get("Patient/ann?_pretty=true")).content
    plain = await reader.get("metadata", headers={"Accept-Encoding": "identity"})
    packed = await reader.get("metadata", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip" and "content-encoding" not in plain.headers
    assert packed.json() == plain.json()
    assert int(packed.headers["content-length"]) * 5 < int(plain.headers["content-length"])


async def test_the_body_has_a_limit(make: Make, told: Told) -> None:
    client, json = make(writable=True, max_body=100), {"Content-Type": "application/json"}
    told(await client.post("Patient", content=b"x" * 101, headers=json), 413)

    async def parts() -> Any:
        for _ in range(20):
            yield b"x" * 10

    told(await client.post("Patient", content=parts(), headers=json), 413)
    told(await client.post("Patient", content=b"x" * 100, headers=json), 400)
    told(await client.post("Patient", content=b"x", headers={**json, "Content-Encoding": "gzip"}), 415)


async def test_hosts_that_are_not_this_machine_are_refused(make: Make, told: Told) -> None:
    client = make(hosts={"localhost", "127.0.0.1", "::1"})
    for host, status in (
        ("localhost:8080", 200), ("127.0.0.1", 200), ("[::1]:99", 200), ("LOCALHOST", 200),
        ("evil.test", 421), ("localhost.evil.test", 421), ("", 421), ("[bad", 421),
    ):  # fmt: skip
        answer = await client.get("Patient/ann", headers={"Host": host})
        assert answer.status_code == status, host
    told(await client.get("Patient/ann", headers={"Host": "evil.test"}), 421)


async def test_links_are_of_the_base(store: LocalStore, make: Make) -> None:
    forwarded = {"X-Forwarded-Host": "evil.test", "X-Forwarded-Proto": "https", "Forwarded": "host=evil.test"}
    assert "evil" not in (await make().get("Patient", headers=forwarded)).text
    page = (await make(base="https://fhir.example/r4/").get("Patient?_count=1")).json()
    assert {link["url"].partition("?")[0] for link in page["link"]} == {"https://fhir.example/r4/Patient"}
    app = Starlette(routes=[Mount("/fhir", create_app(store))])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x/fhir/") as client:
        page = (await client.get("Patient?_count=1")).json()
        assert page["entry"][0]["fullUrl"] == "http://x/fhir/Patient/ann"
        assert (await client.get(page["link"][1]["url"])).json()["entry"][0]["resource"]["id"] == "bob"


async def test_a_fault_of_ours_is_told_without_its_words(
    store: LocalStore, reader: httpx.AsyncClient, told: Told, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    async def broken(*_: Any) -> None:
        raise RuntimeError("Patient/ann has a secret")

    monkeypatch.setattr(store, "search", broken)
    with caplog.at_level(logging.DEBUG):
        assert "secret" not in told(await reader.get("Patient?name=ann"), 500)
    (line,) = [r.getMessage() for r in caplog.records if r.name == "chartline.serve"]
    assert line.startswith("RuntimeError") and "test_app.py" in line
    assert "secret" not in line and "ann" not in line and not any(r.exc_info for r in caplog.records)


async def test_a_store_that_cannot_be_written(
    store: LocalStore, writer: httpx.AsyncClient, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: Any) -> None:
        raise UserError("'/secret/place' is in use")

    monkeypatch.setattr(store, "put", locked)
    assert "secret" not in told(await writer.put("Patient/x", json={"resourceType": "Patient", "id": "x"}), 503)


async def test_ordinary_requests_log_nothing(reader: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="chartline"):
        await reader.get("Patient/ann")
        await reader.get("Patient?name=ann&colour=red")
    assert not [r for r in caplog.records if r.name.startswith("chartline")]


def test_the_last_format_counts() -> None:
    assert chosen("", (("_format", "xml"), ("_format", "json"))).content_type == "application/fhir+json"


async def test_verbs_that_are_not_offered(reader: httpx.AsyncClient, told: Told) -> None:
    for method, path in (
        ("OPTIONS", "Patient"),
        ("TRACE", "metadata"),
        ("POST", "Patient/ann/_history"),
        ("BREW", "Patient"),
    ):
        answer = await reader.request(method, path)
        told(answer, 405)
        assert "GET" in answer.headers["allow"]
