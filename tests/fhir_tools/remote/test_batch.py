"""Requests of one moment together, and each ending as if it had been sent by itself."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import orjson
import pytest

from fhir_tools.errors import NotFound, SourceError
from fhir_tools.remote import Remote
from fhir_tools.remote.batch import Batch
from fhir_tools.search.query import parse
from fhir_tools.types import Reference
from tests.fhir_tools.remote.fake import BASE, FakeServer, bundle, observation, outcome, statement

CHART = [{"resourceType": "Patient", "id": "one"}, *(observation(n) for n in range(9))]


def batching(**more: Any) -> FakeServer:
    server = FakeServer(CHART, **more)
    server.statement = statement(system=["batch"])
    return server


def posts(server: FakeServer) -> list[list[str]]:
    """The URLs of each batch."""
    asked = [r for r in server.requests if r.method == "POST" and r.url.path.rstrip("/") == "/fhir"]
    return [[e["request"]["url"] for e in orjson.loads(r.content)["entry"]] for r in asked]


def answering(entries: Any = None, *, status: int = 200, body: Any = None) -> Any:
    """A hook that answers batches, and nothing else."""

    def hook(request: httpx.Request) -> httpx.Response | None:
        if request.method != "POST":
            return None
        found = {"resourceType": "Bundle", "type": "batch-response", "entry": entries} if body is None else body
        return httpx.Response(status, json=found)

    return hook


async def both(remote: Remote) -> tuple[Any, Any]:
    found = await asyncio.gather(
        remote.read(Reference(type="Patient", id="one")),
        remote.search(parse("Observation?patient=one")),
        return_exceptions=True,
    )
    return found[0], found[1]


async def test_what_is_asked_for_together_is_sent_together() -> None:
    server = batching()
    async with Remote(server.http()) as remote:
        patient, found = await both(remote)
        assert patient["id"] == "one" and len(found.matches) == 9 and found.complete
    assert len(server.asked) == 1 and len(posts(server)[0]) == 2


async def test_a_single_request_is_no_batch() -> None:
    server = batching()
    async with Remote(server.http()) as remote:
        await remote.read(Reference(type="Patient", id="one"))
        await remote.read(Reference(type="Patient", id="one"))
    assert not posts(server) and len(server.asked) == 2


async def test_without_batch_requests_go_side_by_side() -> None:
    server = FakeServer(CHART)
    async with Remote(server.http()) as remote:
        patient, found = await both(remote)
    assert patient["id"] == "one" and len(found.matches) == 9 and len(server.asked) == 2 and not posts(server)


async def test_a_batch_holds_fifty_at_most_and_each_url_once() -> None:
    server = batching()
    server.resources = [{"resourceType": "Patient", "id": f"p{n}"} for n in range(120)]
    async with Remote(server.http()) as remote:
        await remote.capabilities()
        asked = [Reference(type="Patient", id=f"p{n}") for n in range(120)]
        found = await asyncio.gather(*(remote.read(r) for r in (*asked, *asked)))
    assert [r["id"] for r in found] == [r.id for r in asked] * 2
    assert [len(urls) for urls in posts(server)] == [50, 50, 20]


async def test_later_pages_are_read_singly() -> None:
    server = batching(page=4)
    async with Remote(server.http()) as remote:
        _, found = await both(remote)
    assert len(found.matches) == 9 and found.pages == 3
    assert [text.partition(" ")[0] for text in server.asked] == ["POST", "GET", "GET"]


async def test_an_entry_that_failed_ends_as_if_sent_singly() -> None:
    server = batching()
    refused = {"response": {"status": "404 Not Found", "outcome": outcome("not-found")}}
    server.hook = answering([refused, {"response": {"status": "400"}, "resource": outcome("invalid")}])
    async with Remote(server.http()) as remote:
        patient, found = await both(remote)
    assert isinstance(patient, NotFound) and patient.status == 404 and len(server.asked) == 1
    assert not found.complete and "(invalid)" in found.error and "SECRET" not in f"{patient}{found.error}"


@pytest.mark.parametrize(
    "entry",
    [
        {"response": {"status": "503"}}, {"response": {"status": "429 Too Many"}}, {"response": {"status": "302"}},
        {"response": {"status": "200"}}, {"response": {"status": "200"}, "resource": outcome("exception")}, {}, None,
        {"response": None}, {"response": {"status": None}}, {"response": {"status": "304"}}, {"resource": CHART[0]},
        {"response": {"status": "401"}},
    ],
)  # fmt: skip
async def test_what_an_entry_cannot_tell_is_asked_for_singly(entry: Any) -> None:
    server = batching(hook=answering([entry, entry]))
    async with Remote(server.http()) as remote:
        patient, found = await both(remote)
    assert patient["id"] == "one" and len(found.matches) == 9 and found.complete and len(server.asked) == 3


@pytest.mark.parametrize("status", [400, 403, 404, 405, 413, 500, 501, 503])
async def test_a_server_that_refuses_batches_is_asked_singly_from_then_on(status: int) -> None:
    server = batching(hook=answering(status=status, body=outcome("not-supported")))
    async with Remote(server.http()) as remote:
        for _ in range(2):
            patient, found = await both(remote)
            assert patient["id"] == "one" and len(found.matches) == 9 and found.complete
        assert (await remote.capabilities())["batch"] is False
    assert len(posts(server)) == (5 if status in (500, 503) else 1)


@pytest.mark.parametrize(
    "body", [bundle([]), {"resourceType": "Bundle", "type": "batch-response", "entry": [{}]}, {"a": 1}]
)
async def test_an_answer_that_is_no_batch_response_turns_batches_off(body: Any) -> None:
    server = batching(hook=answering(body=body))
    async with Remote(server.http()) as remote:
        for _ in range(2):
            patient, found = await both(remote)
            assert patient["id"] == "one" and found.complete
    assert len(posts(server)) == 1


@pytest.mark.parametrize("status", [401, 429])
async def test_a_refusal_of_credentials_or_for_haste_is_that_of_each(status: int) -> None:
    server = batching(hook=answering(status=status, body=outcome("throttled")))
    async with Remote(server.http()) as remote:
        patient, found = await both(remote)
        assert isinstance(patient, SourceError) and patient.status == status and not found.complete
        server.hook = None
        assert (await both(remote))[1].complete
    assert len(posts(server)) == (2 if status == 401 else 6)


async def test_etags_go_with_the_entries() -> None:
    server = batching()
    async with Remote(server.http()) as remote:
        first = (await both(remote))[0]
        kept = {"response": {"status": "304 Not Modified"}}
        server.hook = answering([kept, {"response": {"status": "200"}, "resource": bundle([])}])
        assert (await both(remote))[0] == first
    entry = orjson.loads(server.requests[-1].content)["entry"][0]
    assert entry == {"request": {"method": "GET", "url": "Patient/one", "ifNoneMatch": 'W/"1"'}}


async def test_one_who_gives_up_does_not_take_it_from_the_others() -> None:
    server = batching()
    async with Remote(server.http()) as remote:
        await remote.capabilities()
        tasks = [asyncio.create_task(remote.read(Reference(type="Patient", id="one"))) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError) and found[1] == found[2] == CHART[0]


@pytest.mark.parametrize("turns", [1, 2, 50])
async def test_closing_ends_what_waits(turns: int) -> None:
    async def never(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        raise AssertionError

    http = FakeServer().http()
    http._client._transport = httpx.MockTransport(never)
    batch = Batch(http, {}, on=True)
    waiting = [asyncio.create_task(batch.get(f"Patient/{n}", "Patient")) for n in range(2)]
    for _ in range(turns):
        await asyncio.sleep(0)
    await batch.close()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(x, SourceError) and "closed" in str(x) for x in found)
    await http.__aexit__(None, None, None)
    assert BASE
