"""Writing: once, whole or not at all, to the store and over HTTP, with what the server said of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from fhir_tools.errors import SourceError
from fhir_tools.http import Http, Limits
from fhir_tools.local import LocalStore
from fhir_tools.serve import create_app
from fhir_tools.types import Query
from fhir_tools.writing.writer import Writer, into_store, over_http

URL = "urn:uuid:8298a76a-11eb-5b0a-a88b-7add6888525a"


def transaction(**changes: Any) -> dict[str, Any]:
    document = {
        "resourceType": "DocumentReference",
        "status": "current",
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": URL}],
        "subject": {"reference": "Patient/p"},
        "content": [{"attachment": {"contentType": "text/plain", "data": "aGk="}}],
        **changes,
    }
    origin = {
        "resourceType": "Provenance",
        "target": [{"reference": URL}],
        "recorded": "2026-01-01T00:00:00Z",
        "agent": [{"who": {"display": "x"}}],
    }
    once = f"identifier=urn:ietf:rfc:3986|{URL}"
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": URL,
                "resource": document,
                "request": {"method": "POST", "url": "DocumentReference", "ifNoneExist": once},
            },
            {"fullUrl": "urn:uuid:1", "resource": origin, "request": {"method": "POST", "url": "Provenance"}},
        ],
    }


@pytest.fixture
async def store() -> AsyncIterator[LocalStore]:
    async with LocalStore() as store:
        store.put({"resourceType": "Patient", "id": "p"})
        yield store


@pytest.fixture(params=["store", "http"])
async def writer(request: pytest.FixtureRequest, store: LocalStore) -> AsyncIterator[Writer]:
    if request.param == "store":
        yield Writer(into_store(store))
        return
    transport = httpx.ASGITransport(app=create_app(store, writable=True))
    async with Http("http://localhost/", transport=transport) as http:
        yield Writer(over_http(http))


async def count(store: LocalStore, type_: str) -> int:
    return len((await store.search(Query(type=type_, params=()))).matches)


async def test_written_once_with_its_provenance(writer: Writer, store: LocalStore) -> None:
    first, second = await writer.write(transaction()), await writer.write(transaction())
    assert (first.created, second.created) == (True, False)
    assert first.reference == second.reference
    assert first.version == "1"
    assert first.outcome is not None
    assert (await count(store, "DocumentReference"), await count(store, "Provenance")) == (1, 1)
    [origin] = (await store.search(Query(type="Provenance", params=()))).matches
    assert origin["target"] == [{"reference": first.reference}]


async def test_all_or_nothing(writer: Writer, store: LocalStore) -> None:
    broken = transaction()
    broken["entry"][1]["resource"] = {"resourceType": "Observation"}
    with pytest.raises(SourceError, match="nothing was written") as refused:
        await writer.write(broken)
    assert refused.value.outcome is not None
    assert await count(store, "DocumentReference") == 0


def answering(status: int, body: Any) -> Http:
    """A server that takes anything, says nothing to searches, and this to what is written."""

    def handle(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(403)
        return httpx.Response(status, content=body if isinstance(body, bytes) else json.dumps(body).encode())

    return Http("http://localhost/", transport=httpx.MockTransport(handle), limits=Limits(attempts=1))


async def test_a_server_that_cannot_be_searched_is_written_to() -> None:
    told = {"entry": [{"response": {"status": "200 OK", "location": "DocumentReference/7/_history/2"}}]}
    async with answering(200, told) as http:
        written = await Writer(over_http(http)).write(transaction())
    assert (written.reference, written.version, written.created) == ("DocumentReference/7", "2", False)


@pytest.mark.parametrize("body", [b"", b"<html>", {}, {"entry": []}, {"entry": [None]}, {"entry": [{"response": {}}]}])
async def test_an_answer_that_says_nothing_is_an_error(body: Any) -> None:
    async with answering(200, body) as http:
        with pytest.raises(SourceError, match="did not say where"):
            await Writer(over_http(http)).write(transaction())


@pytest.mark.parametrize("status", [400, 401, 403, 412, 422])
async def test_a_refusal_has_the_servers_outcome(status: int) -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "forbidden"}]}
    async with answering(status, outcome) as http:
        with pytest.raises(SourceError) as refused:
            await Writer(over_http(http)).write(transaction())
    assert (refused.value.status, refused.value.outcome) == (status, outcome)
