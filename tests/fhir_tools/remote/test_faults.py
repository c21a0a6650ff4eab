"""Random faults and random dirt against what the server really holds: the whole, or not complete with an error."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_tools.http import Limits
from fhir_tools.remote import Remote
from fhir_tools.search.query import parse
from fhir_tools.types import Reference, SearchResult
from tests.fhir_tools.remote.fake import FakeServer, bundle, observation, outcome, statement

CHART = [{"resourceType": "Patient", "id": "one"}, *(observation(n) for n in range(20)), observation(30, "two")]
IDS = {f"o{n}" for n in range(20)}
HASTY = Limits(backoff=0.0005, total=2.0, attempts=3)


def cut(server: FakeServer, request: httpx.Request) -> httpx.Response:
    """Half of the answer."""
    hook, server.hook = server.hook, None
    whole = server(request).content
    server.hook = hook
    return httpx.Response(200, content=whole[: len(whole) // 2])


def reset(server: FakeServer, request: httpx.Request) -> httpx.Response:
    raise httpx.ReadError("reset")


def refused(server: FakeServer, request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


def silent(server: FakeServer, request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("silent")


FAULTS = [
    cut, reset, refused, silent,
    *(lambda s, r, c=code: httpx.Response(c, json=outcome("exception")) for code in (400, 401, 403, 404, 410, 429)),
    *(lambda s, r, code=code: httpx.Response(code) for code in (409, 422, 500, 502, 503, 504)),
    lambda s, r: httpx.Response(429, headers={"retry-after": "0"}),
    lambda s, r: httpx.Response(503, headers={"retry-after": "99"}),
    lambda s, r: httpx.Response(200, html="<html><h1>Proxy</h1></html>"),
    lambda s, r: httpx.Response(502, html="<html><h1>Bad gateway</h1></html>"),
    lambda s, r: httpx.Response(200, json=outcome("throttled")),
    lambda s, r: httpx.Response(200, content=b""),
    lambda s, r: httpx.Response(204),
    lambda s, r: httpx.Response(302, headers={"location": "https://evil.test/"}),
    lambda s, r: httpx.Response(302, headers={"location": str(r.url)}),
    lambda s, r: httpx.Response(200, json={"resourceType": "Patient", "id": "x"}),
]  # fmt: skip


@pytest.mark.parametrize("seed", range(60))
async def test_faults_at_random_places(seed: int) -> None:
    dice = random.Random(seed)
    server = FakeServer(CHART, page=dice.choice([3, 7, 50]))
    server.statement = statement(system=["batch"] if seed % 2 else [])
    rate = dice.choice([0.1, 0.3, 0.9])
    server.hook = lambda r: dice.choice(FAULTS)(server, r) if dice.random() < rate else None
    async with Remote(server.http(limits=HASTY), seconds=5) as remote:
        searches = [
            remote.search(parse(text)) for text in ("Observation?patient=one", "Observation?patient=one&_summary=count")
        ]
        found, counted, *read = await asyncio.gather(
            *searches,
            *(remote.read(Reference(type="Observation", id=f"o{n}")) for n in range(3)),
            return_exceptions=True,
        )
    assert isinstance(found, SearchResult) and isinstance(counted, SearchResult)
    assert {r["id"] for r in found.matches} <= IDS
    assert ({r["id"] for r in found.matches} == IDS and found.error is None) if found.complete else found.error
    assert (counted.total, counted.error) == (20, None) if counted.complete else counted.error
    assert all(isinstance(one, Exception) or one["id"] == f"o{n}" for n, one in enumerate(read))


SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5) | st.just("2020-01-01")
NAMES = st.sampled_from(
    ("resourceType", "id", "meta", "lastUpdated", "versionId", "code", "coding", "subject", "reference", "issue",
     "system", "effectiveDateTime", "severity", "status", "valueQuantity", "value", "partOf", "tag", "search", "mode",
     "resource")
)  # fmt: skip
JSON = st.recursive(SCALARS, lambda x: st.lists(x, max_size=3) | st.dictionaries(NAMES, x, max_size=4), max_leaves=12)


@settings(max_examples=150)
@given(st.lists(JSON, max_size=4), JSON, JSON, st.booleans())
def test_any_dirt_in_a_bundle_is_a_result(entries: list[Any], links: Any, total: Any, declared: bool) -> None:
    typed = [{"resource": {**e, "resourceType": "Observation"}} if isinstance(e, dict) else e for e in entries]
    body = orjson.dumps({**bundle([*typed, *entries]), "link": links, "total": total})

    async def run() -> SearchResult:
        server = FakeServer()
        server.hook = lambda r: httpx.Response(200, content=body) if server.asked else None
        server.statement = statement() if declared else None
        text = "Observation?patient=one&code=4548-4&date=ge2019&_sort=-date&_include=Observation:part-of&_elements=code"
        async with Remote(server.http(limits=HASTY)) as remote:
            return await remote.search(parse(text))

    found = asyncio.run(run())
    assert found.complete is (found.error is None)


@settings(max_examples=40)
@given(JSON)
def test_any_dirt_in_a_batch_or_a_statement_is_met(dirt: Any) -> None:
    async def run(batch: Any, told: Any) -> Any:
        server = FakeServer(CHART)
        server.statement = told
        server.hook = lambda r: httpx.Response(200, content=orjson.dumps(batch)) if r.method == "POST" else None
        async with Remote(server.http(limits=HASTY)) as remote:
            asked = (remote.search(parse("Observation?patient=one")), remote.search(parse("Observation?patient=two")))
            return await asyncio.gather(*asked)

    response = {"resourceType": "Bundle", "type": "batch-response", "entry": [dirt, {"response": dirt}]}
    for batch, told in ((response, statement(system=["batch"])), (dirt, statement(system=["batch"])), (dirt, dirt)):
        for found in asyncio.run(run(batch, told)):
            assert found.complete is (found.error is None)
