"""The timeline of a chart: the same from the index of the store and by searching."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from fhir_tools import demo
from fhir_tools.errors import NotFound, QueryError, SourceError
from fhir_tools.facts import facts_of
from fhir_tools.load import load
from fhir_tools.local import LocalStore
from fhir_tools.scope import Scoped
from fhir_tools.source import TIMELINE_OPERATION
from fhir_tools.timeline import Timeline, read_timeline, until
from fhir_tools.types import Fetched, Query, Reference, SearchResult

PATIENT = Reference(type="Patient", id="p")
DAY = date(2026, 6, 15)


def store_of(*resources: dict[str, Any]) -> LocalStore:
    store = LocalStore()
    store.put({"resourceType": "Patient", "id": "p", "birthDate": "1960"})
    for number, resource in enumerate(resources):
        who = "patient" if resource["resourceType"] in ("Immunization", "AllergyIntolerance") else "subject"
        store.put({"id": f"r{number}", who: {"reference": "Patient/p"}, **resource})
    return store


def result(when: str | None, **more: Any) -> dict[str, Any]:
    timed = {"effectiveDateTime": when} if when else {}
    return {"resourceType": "Observation", "status": "final", "code": {"text": "weight"}, **timed, **more}


def visit(start: str, end: str) -> dict[str, Any]:
    return {"resourceType": "Encounter", "period": {"start": start, "end": end}}


def asthma(state: str) -> dict[str, Any]:
    clinical = {"coding": [{"code": state}]}
    return {"resourceType": "Condition", "onsetDateTime": "2001", "clinicalStatus": clinical}


class Plain:
    """A source that does not offer the operation."""

    def __init__(self, store: LocalStore, failing: str = "") -> None:
        self._store, self._failing = store, failing
        self.read, self.fetch = store.read, store.fetch

    async def capabilities(self) -> Mapping[str, Any]:
        return {**await self._store.capabilities(), "operations": []}

    async def search(self, query: Query) -> SearchResult:
        if query.type == self._failing:
            raise SourceError("the server is tired", status=503)
        return await self._store.search(query)


async def timeline(store: LocalStore, as_of: date = DAY) -> Timeline:
    return await read_timeline(Scoped(store, PATIENT), PATIENT, as_of)


async def test_facts_stand_in_the_order_in_which_they_began() -> None:
    store = store_of(
        result("2020-03-01"),
        result("2019"),
        {"resourceType": "Condition", "code": {"text": "Asthma (disorder)"}, "onsetDateTime": "2018-05"},
    )
    told = await timeline(store)
    assert list(told.when) == ["2018-05", "2019", "2020-03-01"]
    assert [told.concepts[c] for c in told.concept] == [
        ("condition", "Asthma"),
        ("measurement", "weight"),
        ("measurement", "weight"),
    ]
    assert list(told.references) == ["Condition/r2", "Observation/r1", "Observation/r0"]
    assert told.complete


async def test_what_is_left_out_is_counted() -> None:
    store = store_of(
        result(None),
        result("2027-01-01"),
        result("2020", status="entered-in-error"),
        result("2020", status="cancelled"),
        result("2020"),
    )
    told = await timeline(store)
    assert len(told.when) == 1
    assert told.left_out == {"undated": 1, "later": 1, "error": 1, "cancelled": 1}


async def test_a_panel_is_one_fact() -> None:
    part = {"code": {"text": "systolic"}, "valueQuantity": {"value": 120}}
    assert len((await timeline(store_of(result("2020-01-01", component=[part, part])))).when) == 1


@pytest.mark.parametrize(
    ("resource", "end"),
    [
        (visit("2020-01-01", "2020-01-04"), "2020-01-04"),
        (visit("2020-01-01T09:00:00Z", "2020-01-01T10:00:00Z"), None),
        ({"resourceType": "Encounter", "period": {"start": "2020-01-01"}}, ""),
        ({"resourceType": "Condition", "onsetDateTime": "2001", "abatementDateTime": "2004-02"}, "2004-02"),
        (asthma("active"), ""),
        (asthma("resolved"), None),
        ({"resourceType": "Procedure", "performedDateTime": "2001-02-03"}, None),
        ({"resourceType": "Procedure", "performedPeriod": {"start": "2001-02-03", "end": "2001-02-05"}}, "2001-02-05"),
        ({"resourceType": "MedicationStatement", "effectivePeriod": {"start": "2001", "end": "2003"}}, "2003"),
        (result("2001-02-03"), None),
    ],
)  # fmt: skip
async def test_what_lasts_has_its_end(resource: dict[str, Any], end: str | None) -> None:
    fact = facts_of({"id": "r0", **resource})[0]
    assert until(fact) == end
    told = await timeline(store_of(resource))
    assert told.until == ({} if end is None else {0: end})


async def test_the_store_and_a_search_tell_the_same() -> None:
    store = LocalStore()
    load(list(demo.paths()), store)
    for name in demo.patients():
        patient = Reference(type="Patient", id=name)
        own = await read_timeline(Scoped(store, patient), patient, demo.AS_OF)
        searched = await read_timeline(Scoped(Plain(store), patient), patient, demo.AS_OF)
        assert _rows(own) == _rows(searched)
        assert own.left_out == searched.left_out
        assert len(own.when) > 300
        assert searched.complete


def _rows(told: Timeline) -> list[tuple[Any, ...]]:
    columns = zip(told.when, told.references, (told.concepts[c] for c in told.concept), strict=True)
    return [(*row, told.until.get(at)) for at, row in enumerate(columns)]


async def test_a_search_that_fails_is_told() -> None:
    store = store_of(result("2020"), {"resourceType": "Condition", "code": {"text": "Asthma"}, "onsetDateTime": "2001"})
    told = await read_timeline(Scoped(Plain(store, "Condition"), PATIENT), PATIENT, DAY)
    assert not told.complete
    assert [row.error for row in told.searched if not row.complete] == ["the server is tired"]
    assert len(told.when) == 1


async def test_the_operation_is_on_a_patient_of_the_store() -> None:
    store = store_of()
    with pytest.raises(NotFound):
        await store.fetch(f"Patient/other/{TIMELINE_OPERATION}")
    with pytest.raises(QueryError):
        await store.fetch(f"Group/p/{TIMELINE_OPERATION}")


async def test_an_answer_that_is_no_timeline_is_a_fault() -> None:
    class Odd(LocalStore):
        async def fetch(self, url: str) -> Fetched:
            return replace(await super().fetch(url), body=b'{"rows": 3}')

    store = Odd()
    store.put({"resourceType": "Patient", "id": "p"})
    with pytest.raises(SourceError, match="no timeline"):
        await timeline(store)
