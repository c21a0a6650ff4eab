"""The embedded store: versions, the catalogue, and files that are not its own."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import orjson
import pytest

from fhir_tools.errors import NotFound, QueryError, SourceError, UserError
from fhir_tools.local import LocalStore
from fhir_tools.search.query import parse
from fhir_tools.types import Reference


def make(*resources: dict[str, Any]) -> LocalStore:
    store = LocalStore()
    with store.transaction():
        for number, resource in enumerate(resources):
            store.put({"id": f"r{number}", **resource})
    return store


async def ids(store: LocalStore, text: str) -> list[str]:
    return [r["id"] for r in (await store.search(parse(text))).matches]


def observation(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "status": "final", **more}


def coded(code: str, system: str | None = "http://loinc.org", display: str = "Thing") -> dict[str, Any]:
    coding = {"code": code, "display": display} | ({"system": system} if system else {})
    return {"coding": [coding], "text": display}


# Versions.


async def test_versions_are_kept() -> None:
    store = LocalStore()
    async with store:
        one, two = ({"resourceType": "Patient", "id": "p", "gender": g} for g in ("male", "female"))
        assert [store.put(r) for r in (one, one, two)] == ["new", "unchanged", "updated"]
        reference = Reference(type="Patient", id="p")
        assert (await store.read(reference))["gender"] == "female"
        assert (await store.read(reference, version="1"))["gender"] == "male"
        assert (await store.read(reference, version="2"))["gender"] == "female"
        assert await ids(store, "Patient?gender=male") == []
        assert store.delete(reference) and not store.delete(reference)
        with pytest.raises(NotFound) as deleted:
            await store.read(reference)
        assert deleted.value.status == 410
        assert (await store.read(reference, version="2"))["gender"] == "female"
        assert await ids(store, "Patient?gender=female") == []
        assert store.put(one) == "updated"
        assert await ids(store, "Patient") == ["p"]


async def test_an_older_version_goes_to_the_history() -> None:
    def version(number: str, when: str, gender: str) -> dict[str, Any]:
        return {
            "resourceType": "Patient",
            "id": "p",
            "gender": gender,
            "meta": {"versionId": number, "lastUpdated": when},
        }

    async with LocalStore() as store:
        assert store.put(version("3", "2020-01-01T00:00:00Z", "male")) == "new"
        assert store.put(version("2", "2019-01-01T00:00:00Z", "female")) == "older"
        assert (await store.read(Reference(type="Patient", id="p")))["gender"] == "male"
        assert (await store.read(Reference(type="Patient", id="p"), version="2"))["gender"] == "female"


async def test_a_transaction_that_fails_leaves_nothing() -> None:
    async with make({"resourceType": "Patient", "id": "p"}) as store:

        def fail() -> None:
            with store.transaction():
                store.put({"resourceType": "Patient", "id": "q", "gender": "male"})
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        assert await ids(store, "Patient") == ["p"]
        store.put({"resourceType": "Patient", "id": "q", "gender": "male"})
        assert await ids(store, "Patient?gender=male") == ["q"]


# The catalogue.


async def rows(store: LocalStore, as_of: str = "") -> dict[str, Any]:
    body = (await store.fetch(f"Patient/p/$chartline-catalogue{as_of and '?as_of=' + as_of}")).body
    return {row[1]: row for row in orjson.loads(body)}


async def test_catalogue_counts_by_standing_and_takes_the_frequent_label() -> None:
    subject = {"reference": "Patient/p"}

    def result(display: str, when: str, status: str = "final") -> dict[str, Any]:
        code = coded("1", display=display)
        return observation(code=code, subject=subject, effectiveDateTime=when, status=status, valueString="x")

    async with make(
        {"resourceType": "Patient", "id": "p"},
        result("Rare", "2012"),
        result("Usual", "2013-04-01"),
        result("Usual", "2014-05-02", "entered-in-error"),
        result("Usual", "2015-01-01"),
    ) as store:
        row = (await rows(store, "2014-12-31"))["http://loinc.org|1"]
        assert row[2][0] == "Usual" and row[3][0][:2] == ["http://loinc.org", "1"]
        assert row[4] == {"error": [1, "2014-05-02", "2014-05-02"], "fact": [2, "2012", "2013-04-01"]}
        assert (await rows(store))["http://loinc.org|1"][4]["fact"] == [3, "2012", "2015-01-01"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_an_order_is_catalogued_under_its_medications_code(order: tuple[int, int]) -> None:
    drug = {"resourceType": "Medication", "id": "m", "code": coded("11", "urn:rx", "Aspirin")}
    request = {"resourceType": "MedicationRequest", "id": "q", "status": "active", "intent": "order"}
    request |= {"subject": {"reference": "Patient/p"}, "medicationReference": {"reference": "Medication/m"}}
    async with LocalStore() as store:
        for number in order:
            store.put((drug, request)[number])
        assert list(await rows(store)) == ["urn:rx|11"]
        store.put({**drug, "code": coded("12", "urn:rx", "Ibuprofen")})
        assert list(await rows(store)) == ["urn:rx|12"]


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("Patient/none/$chartline-catalogue", NotFound),
        ("Patient/p/$chartline-catalogue?as_of=soon", QueryError),
        ("Group/p/$chartline-catalogue", QueryError),
        ("Binary/bad", SourceError),
    ],
)
async def test_fetch_refuses(url: str, error: type[Exception]) -> None:
    async with make(
        {"resourceType": "Patient", "id": "p"}, {"resourceType": "Binary", "id": "bad", "data": "§"}
    ) as store:
        with pytest.raises(error):
            await store.fetch(url)


async def test_reindexing_changes_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    async with LocalStore(path) as store:
        store.put({"resourceType": "Patient", "id": "p", "gender": "male"})
        store.put(
            {**observation(code=coded("1"), effectiveDateTime="2012"), "id": "o", "subject": {"reference": "Patient/p"}}
        )
        before = [await ids(store, "Observation?patient=p&code=1&date=2012"), await rows(store)]
        store.connection.execute("UPDATE meta SET value = 'old' WHERE name = 'index'")
    async with LocalStore(path) as store:
        assert [await ids(store, "Observation?patient=p&code=1&date=2012"), await rows(store)] == before


def test_patients_are_listed_by_name() -> None:
    store = make(
        {"resourceType": "Patient", "id": "b", "name": [{"given": ["Bo"], "family": "Zed"}], "birthDate": "1950"},
        {"resourceType": "Patient", "id": "a", "name": [{"text": "Al Ant"}]},
        observation(subject={"reference": "Patient/b"}),
    )
    assert [(p.id, p.name, p.birth_date, p.resources) for p in store.patients()] == [
        ("a", "Al Ant", None, 1),
        ("b", "Bo Zed", "1950", 2),
    ]
    store.close()


# Files that cannot be a store.


def test_a_file_that_is_no_store_says_so(tmp_path: Path) -> None:
    text = tmp_path / "text.db"
    text.write_bytes(b"not a database, by any means" * 100)
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE t (x)")
    db.close()
    for path in (text, other):
        with pytest.raises(UserError, match="not a chartline store"):
            LocalStore(path)


def test_a_newer_store_asks_for_an_upgrade(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    store = LocalStore(path)
    store.connection.execute("PRAGMA user_version=99")
    store.close()
    with pytest.raises(UserError, match="upgrade chartline"):
        LocalStore(path)


def test_a_locked_store_says_who_to_wait_for(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    first, second = LocalStore(path), LocalStore(path)
    second.connection.execute("PRAGMA busy_timeout=10")
    with first.transaction(), pytest.raises(UserError, match="in use by another program"):
        second.put({"resourceType": "Patient", "id": "p"})
    second.put({"resourceType": "Patient", "id": "p"})
    first.close()
    second.close()


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "s.db")
    store.connection.execute("PRAGMA query_only=1")
    with pytest.raises(UserError, match="cannot be written"):
        store.put({"resourceType": "Patient", "id": "p"})
    store.close()
    with pytest.raises(UserError, match="cannot be opened"):
        LocalStore(tmp_path)
