"""The versions that the store keeps: order, deletions, and those of a type or of all."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_tools.errors import NotFound, QueryError
from fhir_tools.local import LocalStore
from fhir_tools.types import Reference

P = Reference(type="Patient", id="p")


def patient(gender: str, **meta: str) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "p", "gender": gender} | ({"meta": meta} if meta else {})


async def test_versions_come_newest_first_with_how_they_were_made() -> None:
    async with LocalStore() as store:
        store.put(patient("male"))
        store.put(patient("female"))
        store.delete(P)
        store.put(patient("other"))
        found = store.history(P)
        assert [(v.version, v.method) for v in found] == [("4", "PUT"), ("3", "DELETE"), ("2", "PUT"), ("1", "PUT")]
        assert [v.resource and v.resource["gender"] for v in found] == ["other", None, "female", "male"]
        assert all(v.resource is None or v.resource["meta"]["versionId"] == v.version for v in found)
        with pytest.raises(NotFound) as gone:
            await store.read(P, version="3")
        assert gone.value.status == 410
        assert (await store.read(P, version="2"))["gender"] == "female"


async def test_an_older_version_that_came_late_stands_where_it_belongs() -> None:
    async with LocalStore() as store:
        store.put(patient("male", versionId="3", lastUpdated="2020-01-01T00:00:00Z"))
        store.put(patient("female", versionId="2", lastUpdated="2019-01-01T00:00:00Z"))
        store.put(patient("other", versionId="5", lastUpdated="2021-01-01T00:00:00+01:00"))
        assert [v.version for v in store.history(P)] == ["5", "3", "2"]


async def test_since_and_count() -> None:
    async with LocalStore() as store:
        for year in (2019, 2020, 2021):
            store.put(patient(f"g{year}", versionId=str(year), lastUpdated=f"{year}-06-01T00:00:00Z"))
        assert [v.version for v in store.history(P, since="2020-06-01T00:00:00Z")] == ["2021", "2020"]
        assert [v.version for v in store.history(P, count=1)] == ["2021"]
        with pytest.raises(QueryError):
            store.history(P, since="soon")


async def test_a_type_and_the_whole_store_have_one_too() -> None:
    async with LocalStore() as store:
        store.put(patient("male", lastUpdated="2019-01-01T00:00:00Z"))
        store.put({"resourceType": "Group", "id": "g", "meta": {"lastUpdated": "2020-01-01T00:00:00Z"}})
        store.put(patient("female", lastUpdated="2021-01-01T00:00:00Z"))
        assert [str(v.reference) for v in store.history()] == ["Patient/p", "Group/g", "Patient/p"]
        assert [v.version for v in store.history("Patient")] == ["2", "1"]
        assert store.history("Device") == () and store.history(Reference(type="Patient", id="none")) == ()
