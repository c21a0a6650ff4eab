"""The tools over a FHIR server, and over two as one: what they tell is what they tell over the store."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent.open import open_chart
from agent.supply import bench_of
from fhir_tools import demo
from fhir_tools.errors import NeedError
from fhir_tools.http import Http
from fhir_tools.load import load
from fhir_tools.local import LocalStore
from fhir_tools.remote import Remote
from fhir_tools.serve import create_app
from fhir_tools.servers import Servers
from fhir_tools.source import Source
from fhir_tools.tools import Bench, Found, tool
from fhir_tools.types import Reference
from tests.agent.asking import condition, result, store_of, visit

CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("find", {"what": "a1c"}),
    ("find", {"what": "apixaban, warfarin, losartan"}),
    ("find", {"what": "diabetes"}),
    ("find", {"what": "ferritin"}),
    ("find", {"kind": "medication"}),
    ("list_concepts", {"kind": "procedure"}),
    ("find_notes", {"words": "chest pain"}),
    ("read_document", {"record": "DocumentReference/santos-note-progress-note-2010-04-26"}),
    ("related", {"record": "DiagnosticReport/santos-report-lipid-panel-2024-04-08"}),
    ("related", {"record": "Encounter/santos-visit-2010-04-26"}),
    ("related", {"record": "Condition/santos-condition-type-2-diabetes-mellitus"}),
    ("compute", {"operation": "mean", "what": "blood pressure", "since": "2024-01-01"}),
)


def remote(store: LocalStore, base: str = "http://chart.test", **options: Any) -> Remote:
    return Remote(Http(base, transport=httpx.ASGITransport(create_app(store, **options))))


def told(source: Source, patient: str, *, lazy: bool) -> list[tuple[Any, ...]]:
    async def ask() -> list[tuple[Any, ...]]:
        chart = await open_chart(source, Reference(type="Patient", id=patient), demo.AS_OF, lazy=lazy)
        return [_plain(await tool(name).run(bench_of(chart), given)) for name, given in CALLS]

    return asyncio.run(ask())


def _plain(found: Found) -> tuple[Any, ...]:
    return [c.text for c in found.cards], found.lines, [(a.label, a.kinds) for a in found.absent], found.complete


@pytest.mark.parametrize("operations", [True, False])
@pytest.mark.parametrize("lazy", [True, False])
def test_a_server_tells_what_the_store_tells(operations: bool, lazy: bool) -> None:
    store = LocalStore(":memory:")
    assert not load(demo.paths(), store).errors
    expected = told(store, "demo-maria-santos", lazy=False)
    assert told(remote(store, operations=operations), "demo-maria-santos", lazy=lazy) == expected


def test_absolute_references_to_the_own_server_are_links(tmp_path: Path) -> None:
    base = "http://chart.test"
    store = store_of(
        tmp_path,
        visit("Office visit", "2024-01-02T08:00:00Z", "2024-01-02T09:00:00Z"),
        result("Sodium", "2024-01-02", 140, encounter={"reference": f"{base}/Encounter/e-2024-01-02"}),
    )

    async def ask() -> Found:
        chart = await open_chart(remote(store), Reference(type="Patient", id="p"), demo.AS_OF)
        return await tool("related").run(bench_of(chart), {"record": "Observation/o-sodium-2024-01-02"})

    assert [c.kind for c in asyncio.run(ask()).cards] == ["encounter"]


def test_two_servers_are_one_chart_and_their_urls_are_its_own(tmp_path: Path) -> None:
    identifier = {
        "identifier": [{"system": "urn:example:mrn", "value": "7"}],
        "name": [{"family": "A", "given": ["B"]}],
    }
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    first = store_of(folders[0], result("Sodium", "2024-01-02", 140, code="2951-2"), **identifier)
    second = store_of(
        folders[1], result("Sodium", "2024-02-02", 150, code="2951-2"), condition("Gout", "2020"), **identifier
    )
    both = Servers({"a": remote(first, "http://a.test"), "b": remote(second, "http://b.test")})

    async def ask() -> tuple[str, str, str]:
        chart = await open_chart(both, Reference(type="Patient", id="p"), demo.AS_OF)
        bench = bench_of(chart)
        found = await tool("find").run(bench, {"what": "sodium, gout"})
        gout = next(m for m in bench.marks.all() if m.fact and m.fact.kind == "condition")
        assert gout.fact is not None
        url = chart.locate(gout.fact.reference)
        await tool("related").run(bench, {"record": url})
        return "\n".join(c.text for c in found.cards), url, await _refusal(bench, url.replace("b.test", "c.test"))

    shown, url, refusal = asyncio.run(ask())
    assert "140" in shown and "150" in shown and "Gout" in shown
    assert url.startswith("http://b.test/") and "no record of this chart" in refusal


async def _refusal(bench: Bench, record: str) -> str:
    try:
        await tool("related").run(bench, {"record": record})
    except NeedError as error:
        return str(error)
    return ""
