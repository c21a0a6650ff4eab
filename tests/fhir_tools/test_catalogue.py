"""The catalogue: counts by standing, dates, what lies after as_of, and how it was read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import orjson
import pytest

from fhir_tools.catalogue import Catalogue, from_rows, group_rows, read_catalogue
from fhir_tools.facts import facts_of
from fhir_tools.local import LocalStore
from fhir_tools.scope import Scoped
from fhir_tools.source import CATALOGUE_OPERATION
from fhir_tools.types import Coding, Fetched, Query, Reference, SearchResult

AS_OF = date(2020, 6, 30)
ME = Reference(type="Patient", id="me")
LOINC = "http://loinc.org"


def hemoglobin(
    number: int, when: str | None, status: str = "final", text: str = "Hemoglobin", *more: str
) -> dict[str, Any]:
    codings = [{"system": LOINC, "code": "718-7"}, *({"system": "urn:site", "code": c} for c in more)]
    return {
        "resourceType": "Observation",
        "id": f"o{number}",
        "status": status,
        "subject": {"reference": "Patient/me"},
        "code": {"text": text, "coding": codings},
        **({"effectiveDateTime": when} if when else {}),
    }


def condition(number: int, verification: str, when: Any = "2015") -> dict[str, Any]:
    return {
        "resourceType": "Condition",
        "id": f"c{number}",
        "subject": {"reference": "Patient/me"},
        "code": {"text": "Asthma"},
        "verificationStatus": {"coding": [{"code": verification}]},
        "onsetPeriod": when if isinstance(when, dict) else {"start": when},
    }


CHART = (
    {"resourceType": "Patient", "id": "me", "birthDate": "1950"},
    hemoglobin(1, "2018-03"),
    hemoglobin(2, "2019-05-06T08:00:00Z", "preliminary", "Hb", "HGB"),
    hemoglobin(3, "2010-01-01", "entered-in-error"),
    hemoglobin(4, "2020-06-30T23:00:00Z"),
    hemoglobin(5, "2020-07-01"),
    hemoglobin(6, None),
    condition(1, "refuted"),
    condition(2, "unconfirmed", "2016-02"),
)


def grouped(*resources: Mapping[str, Any], as_of: date = AS_OF) -> Catalogue:
    return from_rows(group_rows((f for r in resources for f in facts_of(r)), as_of))


def test_counts_are_by_standing_and_dates_are_of_facts() -> None:
    entry = grouped(*CHART).get("measurement", f"{LOINC}|718-7")
    assert entry is not None
    assert entry.counts == {"fact": 4, "error": 1}
    assert entry.count == 4
    assert (entry.first, entry.last) == ("2018-03", "2020-06-30")
    assert entry.types == ("Observation",)


def test_the_commonest_label_and_every_code_are_kept() -> None:
    entry = grouped(*CHART).get("measurement", f"{LOINC}|718-7")
    assert entry is not None
    assert (entry.concept.label, entry.labels) == ("Hemoglobin", ("Hemoglobin", "Hb"))
    assert [c.code for c in entry.concept.codings] == ["718-7", "HGB"]
    assert entry.concept.codings[0] == Coding(system=LOINC, code="718-7")


@pytest.mark.parametrize(
    ("as_of", "count", "last"),
    [
        (date(2017, 12, 31), 1, None),
        (date(2018, 3, 1), 2, "2018-03"),
        (date(2019, 5, 5), 2, "2018-03"),
        (date(2019, 5, 6), 3, "2019-05-06"),
        (date(2020, 7, 1), 5, "2020-07-01"),
    ],
)
def test_what_is_dated_after_as_of_is_not_in_it(as_of: date, count: int, last: str | None) -> None:
    entry = grouped(*CHART, as_of=as_of).get("measurement", f"{LOINC}|718-7")
    assert entry is not None
    assert (entry.count, entry.last) == (count, last), "an undated result stays"


def test_concepts_without_a_fact_can_be_told_as_what_they_are() -> None:
    entry = grouped(*CHART).get("condition", "text|asthma")
    assert entry is not None
    assert (entry.count, entry.first, entry.last) == (0, None, None)
    assert entry.counts == {"refuted": 1, "unconfirmed": 1}


def test_a_start_that_is_open_gives_no_first_date() -> None:
    entry = grouped(condition(1, "confirmed", {"end": "2018"}), condition(2, "confirmed", "2019")).of("condition")[0]
    assert (entry.count, entry.first, entry.last) == (2, "2019", "2019")


def test_kinds_are_kept_apart() -> None:
    catalogue = grouped(*CHART)
    assert {e.kind for e in catalogue.entries} == {"patient", "measurement", "condition"}
    assert [e.concept.label for e in catalogue.of("condition", "family")] == ["Asthma"]
    assert catalogue.get("condition", f"{LOINC}|718-7") is None


class Plain:
    """A source without the catalogue operation, which tells what it was asked."""

    def __init__(self, *resources: Mapping[str, Any], offered: Any = None, fault: str = "") -> None:
        self.resources, self.offered, self.fault = resources, offered, fault
        self.asked: list[str] = []

    async def capabilities(self) -> Mapping[str, Any]:
        return {"operations": None, "search": self.offered}

    async def search(self, query: Query) -> SearchResult:
        self.asked.append(str(query))
        found = tuple(r for r in self.resources if r["resourceType"] == query.type)
        cut = query.type == self.fault
        return SearchResult(query=query, matches=found, complete=not cut, error="time-out" if cut else None)

    async def read(self, reference: Reference, version: str | None = None) -> Mapping[str, Any]:
        raise AssertionError("the catalogue reads by searching")

    async def fetch(self, url: str) -> Fetched:
        raise AssertionError("the source does not offer the operation")


async def test_a_source_without_the_operation_is_searched_kind_by_kind() -> None:
    source = Plain(*CHART)
    catalogue = await read_catalogue(source, ME, AS_OF)  # type: ignore[arg-type]
    assert catalogue.entries == grouped(*CHART).entries
    assert source.asked.count("Observation?patient=Patient/me") == 1, "two kinds share a type"
    assert "Patient?_id=me" in source.asked
    assert len(source.asked) == len(catalogue.searched) == 20
    assert all(s.complete for s in catalogue.searched)


async def test_types_that_are_not_offered_are_not_searched_and_faults_are_told() -> None:
    source = Plain(*CHART, offered={"Patient": [], "Observation": []}, fault="Observation")
    catalogue = await read_catalogue(source, ME, AS_OF)  # type: ignore[arg-type]
    assert [(s.query.split("?")[0], s.complete, s.error) for s in catalogue.searched] == [
        ("Patient", True, None),
        ("Observation", False, "time-out"),
    ]


async def test_the_store_and_the_searches_give_the_same_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    async with LocalStore(":memory:") as store:
        with store.transaction():
            for resource in CHART:
                store.put(resource)
        scope = Scoped(store, ME)
        told = await read_catalogue(scope, ME, AS_OF)
        offered = await store.capabilities()
        assert CATALOGUE_OPERATION in offered["operations"]

        async def without() -> Mapping[str, Any]:
            return {**offered, "operations": []}

        monkeypatch.setattr(store, "capabilities", without)
        searched = await read_catalogue(scope, ME, AS_OF)
    assert searched.entries == told.entries
    assert searched.searched and not told.searched


def test_rows_survive_json() -> None:
    rows = group_rows((f for r in CHART for f in facts_of(r)), AS_OF)
    assert from_rows(orjson.loads(orjson.dumps(rows))) == from_rows(rows)
