"""What every source must do, whichever it is: the contract of `fhir_tools.source.Source`.

A new implementation joins by an entry in SOURCES: a function that makes a source holding RESOURCES.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio

from fhir_tools.errors import NotFound, QueryError, SourceError
from fhir_tools.http import Http
from fhir_tools.local import LocalStore
from fhir_tools.remote import Remote
from fhir_tools.search.query import parse
from fhir_tools.serve import create_app
from fhir_tools.servers import Servers
from fhir_tools.source import CATALOGUE_OPERATION, Source
from fhir_tools.types import Reference

LOINC = "http://loinc.org"


def _observation(number: int, code: str, when: str, value: float, patient: str = "one") -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": f"{patient}-{number}",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": code, "display": f"Lab {code}"}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": when,
        "valueQuantity": {"value": value, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"},
    }


RESOURCES: list[dict[str, Any]] = [
    {"resourceType": "Patient", "id": "one", "name": [{"family": "Öberg", "given": ["Ada"]}], "birthDate": "1950-02"},
    {"resourceType": "Patient", "id": "two", "name": [{"family": "Stone"}], "birthDate": "1980"},
    *(_observation(n, "4548-4", f"201{n}-03-04", 5.0 + n) for n in range(8)),
    _observation(90, "2345-7", "2015-01-01T10:00:00Z", 90.0),
    _observation(91, "4548-4", "2016", 9.9, patient="two"),
    {"resourceType": "Binary", "id": "note", "contentType": "text/plain", "data": base64.b64encode(b"Hello").decode()},
]


def _local() -> LocalStore:
    store = LocalStore()
    with store.transaction():
        for resource in RESOURCES:
            store.put(resource)
    return store


class _Without:
    """An ASGI app in front of another, to which a path (the end of it) is not there."""

    def __init__(self, app: Any, method: str, path: str) -> None:
        self.app, self.method, self.path = app, method, path

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] != self.method or scope["path"].rstrip("/") != self.path:
            await self.app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def _remote(method: str = "", path: str = "") -> Remote:
    app = _Without(create_app(_local()), method, path)
    return Remote(Http("http://chart.test", transport=httpx.ASGITransport(app)))


def _servers() -> Servers:
    other = LocalStore()
    with other.transaction():
        other.put({"resourceType": "Patient", "id": "one", "name": [{"family": "Elsewhere"}]})
        other.put(_observation(0, "4548-4", "2014-03-04", 1.0) | {"subject": {"reference": "Patient/other"}})
    return Servers({"a": _local(), "b": other})


SOURCES: dict[str, Callable[[], AbstractAsyncContextManager[Source]]] = {
    "local": _local,
    "remote": _remote,
    "remote without a statement": lambda: _remote("GET", "/metadata"),
    "remote without batch": lambda: _remote("POST", ""),
    "servers": _servers,
}


@pytest_asyncio.fixture(params=SOURCES)
async def source(request: pytest.FixtureRequest) -> AsyncIterator[Source]:
    async with SOURCES[request.param]() as made:
        yield made


async def _ids(source: Source, text: str) -> list[str]:
    return [r["id"] for r in (await source.search(parse(text))).matches]


pytestmark = pytest.mark.asyncio


async def test_it_is_a_source(source: Source) -> None:
    assert isinstance(source, Source)


async def test_read_gives_the_resource_with_its_version(source: Source) -> None:
    found = await source.read(Reference(type="Patient", id="one"))
    assert found["name"][0]["family"] == "Öberg"
    again = await source.read(Reference(type="Patient", id="one"), version=found["meta"]["versionId"])
    assert again == found


@pytest.mark.parametrize(("id_", "version"), [("nobody", None), ("one", "99")])
async def test_what_is_not_there_is_not_found(source: Source, id_: str, version: str | None) -> None:
    with pytest.raises(NotFound):
        await source.read(Reference(type="Patient", id=id_), version=version)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Observation?patient=one&code=http://loinc.org|2345-7", ["one-90"]),
        ("Observation?patient=Patient/two", ["two-91"]),
        ("Observation?subject=Patient/two&code=4548-4", ["two-91"]),
        ("Observation?patient=one&code=4548-4&date=ge2015", ["one-5", "one-6", "one-7"]),
        ("Observation?patient=one&code=4548-4&date=lt2011", ["one-0"]),
        ("Observation?patient=nobody", []),
        ("Observation?patient=one&code=none", []),
        ("Patient?family=oberg", ["one"]),
        ("Patient?_id=two", ["two"]),
        ("Observation?patient=one&value-quantity=90", ["one-90"]),
    ],
)
async def test_search(source: Source, text: str, ids: list[str]) -> None:
    assert sorted(await _ids(source, text)) == ids


async def test_sort_and_count(source: Source) -> None:
    assert await _ids(source, "Observation?patient=one&code=4548-4&_sort=-date&_count=2") == ["one-7", "one-6"]


async def test_pages_hold_each_match_once(source: Source) -> None:
    asked, seen = parse("Observation?patient=one&_sort=date&_count=4"), []
    for _ in range(10):
        result = await source.search(asked)
        assert result.complete and result.total in (9, None)
        seen += [r["id"] for r in result.matches]
        if result.next is None:
            break
        asked = parse(result.next)
    assert sorted(seen) == sorted(r["id"] for r in RESOURCES if r["id"].startswith("one-"))


async def test_include_brings_what_is_pointed_to(source: Source) -> None:
    result = await source.search(parse("Observation?patient=two&_include=Observation:patient"))
    assert [r["id"] for r in result.included] == ["two"]


async def test_summary_count_has_no_matches(source: Source) -> None:
    result = await source.search(parse("Observation?patient=one&_summary=count"))
    assert result.total == 9 and not result.matches


@pytest.mark.parametrize("text", ["Observation?colour=red", "Observation?date=soon", "Observation?code:sounds-like=x"])
async def test_a_search_that_cannot_be_run_is_refused(source: Source, text: str) -> None:
    with pytest.raises(QueryError):
        await source.search(parse(text))


async def test_binary_is_decoded(source: Source) -> None:
    fetched = await source.fetch("Binary/note")
    assert (fetched.content_type, fetched.body) == ("text/plain", b"Hello")


@pytest.mark.parametrize("url", ["Binary/none", "Patient/one/$no-such-operation", "nonsense"])
async def test_what_cannot_be_fetched_raises(source: Source, url: str) -> None:
    with pytest.raises(SourceError):
        await source.fetch(url)


async def test_capabilities_say_what_can_be_searched(source: Source) -> None:
    capabilities = await source.capabilities()
    if capabilities.get("declared") is False:  # a server that says nothing is asked all the same
        assert not capabilities["search"] and not capabilities["operations"]
        return
    assert capabilities["fhirVersion"].startswith("4.0")
    assert {"patient", "code", "date"} <= set(capabilities["search"]["Observation"])


async def test_the_catalogue_counts_up_to_the_day(source: Source) -> None:
    if CATALOGUE_OPERATION not in (await source.capabilities()).get("operations", ()):
        pytest.skip("the source does not offer the catalogue")
    rows = orjson.loads((await source.fetch(f"Patient/one/{CATALOGUE_OPERATION}?as_of=2015-03-03")).body)
    row = next(r for r in rows if r[1] == f"{LOINC}|4548-4")
    assert row[0] == "measurement" and row[2] == ["Lab 4548-4"]
    assert row[4]["fact"] == [5, "2010-03-04", "2014-03-04"]
    assert row[5] == ["Observation"]
