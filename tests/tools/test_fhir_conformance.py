"""The conformance script: our own server passes, and what a server does wrong is seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest

from fhir_tools import demo
from fhir_tools.load import load
from fhir_tools.local import LocalStore
from fhir_tools.serve import create_app
from tools.fhir_conformance import __main__ as script
from tools.fhir_conformance.session import Row

BASE = "http://fhir.test"


PATIENT = demo.patients()[0]
EACH = 9
"""Resources of each type that the short runs have: enough for two pages of seven."""


@pytest.fixture(scope="module")
def whole() -> LocalStore:
    store = LocalStore()
    load(list(demo.paths()), store)
    return store


@pytest.fixture(scope="module")
def store(whole: LocalStore) -> LocalStore:
    """The first chart, cut down to a few resources of each type."""
    store, seen = LocalStore(), Counter[str]()
    rows = whole.connection.execute("SELECT body FROM resource ORDER BY key").fetchall()
    with store.transaction():
        for (body,) in rows:
            resource = orjson.loads(body)
            seen[resource["resourceType"]] += 1
            if seen[resource["resourceType"]] <= EACH:
                store.put(resource)
    return store


def failures(rows: list[Row]) -> list[str]:
    return [f"{row.name}: {row.note}" for row in rows if row.state == "fail"]


def passed(rows: list[Row]) -> int:
    """How many checks passed, where none failed and all that the script knows is offered."""
    assert failures(rows) == []
    absent = [row for row in rows if row.state == "not offered"]
    assert [row.name for row in absent if row.note != "no value in this chart"] == []
    return len(rows) - len(absent)


async def test_our_own_server_passes(store: LocalStore) -> None:
    rows = await script.run(BASE, PATIENT, httpx.ASGITransport(create_app(store, operations=False)))
    assert passed(rows) > 200


@pytest.mark.slow
@pytest.mark.parametrize("patient", demo.patients())
async def test_our_own_server_passes_with_whole_charts(whole: LocalStore, patient: str) -> None:
    rows = await script.run(BASE, patient, httpx.ASGITransport(create_app(whole, writable=True)))
    assert passed(rows) > 220


class Spoilt(httpx.AsyncBaseTransport):
    """Our own server, with one thing changed in what it is asked or answers."""

    def __init__(self, store: LocalStore, ask: Callable[[str], str], tell: Callable[[Any], Any]) -> None:
        self._inner = httpx.ASGITransport(create_app(store))
        self._ask, self._tell = ask, tell

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        asked = httpx.Request(
            request.method, self._ask(str(request.url)), headers=request.headers, stream=request.stream
        )
        asked.headers.pop("accept-encoding", None)
        answer = await self._inner.handle_async_request(asked)
        content = await answer.aread()
        headers = {k: v for k, v in answer.headers.items() if k not in ("content-length", "content-encoding")}
        if content[:1] == b"{":
            content = orjson.dumps(self._tell(orjson.loads(content)))
        return httpx.Response(answer.status_code, headers=headers, content=content)


def same(value: Any) -> Any:
    return value


def no_next(bundle: Any) -> Any:
    links = [link for link in bundle.get("link", ()) if link["relation"] != "next"]
    return {**bundle, "link": links} if "link" in bundle else bundle


def twice(bundle: Any) -> Any:
    return {**bundle, "entry": [*bundle["entry"], *bundle["entry"]]} if "entry" in bundle else bundle


def bare(resource: Any) -> Any:
    return {"error": "no"} if resource.get("resourceType") == "OperationOutcome" else resource


def untagged(bundle: Any) -> Any:
    for entry in bundle.get("entry", ()):
        entry.get("resource", {}).get("meta", {}).pop("tag", None)
    return bundle


@pytest.mark.parametrize(
    ("ask", "tell", "seen"),
    [
        (lambda url: url.replace("date=ge", "date=gt"), same, "Observation?date=ge…"),
        (lambda url: url.replace("code%3Anot", "code"), same, "Observation?code:not"),
        (lambda url: url.replace("_sort=-date", "_sort=date"), same, "Observation?_sort=-date"),
        (same, untagged, "_elements: only what is asked for, marked SUBSETTED"),
        (same, no_next, "pages to the end: each resource once, none lost"),
        (same, twice, "the whole chart, in pages if asked, each resource once"),
        (same, bare, "what is not there is 404 with an OperationOutcome"),
    ],
)
async def test_what_is_wrong_is_seen(store: LocalStore, ask: Any, tell: Any, seen: str) -> None:
    rows = await script.run(BASE, PATIENT, Spoilt(store, ask, tell))
    assert {row.name: row.state for row in rows}[seen] == "fail"


async def test_no_server_and_no_patient() -> None:
    def nothing(_: httpx.Request) -> httpx.Response:
        return httpx.Response(502, text="<html>")

    with pytest.raises(SystemExit, match="no CapabilityStatement"):
        await script.run(BASE, "", httpx.MockTransport(nothing))
    with pytest.raises(SystemExit, match="no patient"):
        await script.run(BASE, "", httpx.ASGITransport(create_app(LocalStore())))


def test_the_report_and_the_exit_code(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [Row(clause="3.1.0.2", name="read", state="pass"), Row(clause="3.1.1", name="x", state="fail", note="why")]

    async def ran(*_: str) -> list[Row]:
        return rows

    monkeypatch.setattr(script, "run", ran)
    assert script.main([BASE]) == 1
    assert "1 pass, 1 fail, 0 not offered" in capsys.readouterr().out
    rows.pop()
    assert script.main([BASE, "--json"]) == 0
    assert orjson.loads(capsys.readouterr().out)[0]["name"] == "read"
