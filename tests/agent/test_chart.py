"""The open chart keeps what it worked out, and not without end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from agent import chart as module
from agent.open import open_chart
from fhir_tools import demo
from fhir_tools.facts import facts_of
from fhir_tools.load import load
from fhir_tools.local import LocalStore
from fhir_tools.types import Query, Reference


async def test_facts_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def counted(resource: Mapping[str, Any]) -> Any:
        made.append(resource["id"])
        return facts_of(resource)

    monkeypatch.setattr(module, "facts_of", counted)
    async with LocalStore(":memory:") as store:
        load(demo.paths()[:1], store)
        patient = Reference(type="Patient", id=demo.patients()[0])
        chart = await open_chart(store, patient, demo.AS_OF)
        query = Query(type="Observation", params=(("patient", str(patient)),))
        found = await chart.search(query)
        made.clear()
        first, again = chart.stated(found), chart.stated(await chart.search(query))
        assert again is first and len(made) == len(found.matches)
        assert first == tuple(map(facts_of, found.matches))


async def test_a_search_that_was_cut_short_is_not_kept() -> None:
    async with LocalStore(":memory:") as store:
        store.put({"resourceType": "Patient", "id": "ann"})
        chart = await open_chart(store, Reference(type="Patient", id="ann"), date(2020, 1, 1))
        query = Query(type="Observation", params=(("patient", "Patient/ann"),))
        whole = await chart.search(query)
        assert chart.stated(module.SearchResult(query=query, complete=False)) == ()
        assert chart.stated(whole) == () and list(chart._stated) == [query]


async def test_only_so_many_searches_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT", 20)
    async with LocalStore(":memory:") as store:
        store.put({"resourceType": "Patient", "id": "ann"})
        chart = await open_chart(store, Reference(type="Patient", id="ann"), date(2020, 1, 1))
        for number in range(60):
            params = (("patient", "Patient/ann"), ("code", f"c{number}"))
            chart.stated(await chart.search(Query(type="Observation", params=params)))
        assert len(chart.found) == len(chart._stated) == 20
        assert "code=c59" in list(chart.found)[-1]
