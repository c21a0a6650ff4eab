"""The embedded store: searches by FHIR's rules, versions, the catalogue, and files that are not its own."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_tools.errors import NotFound, QueryError, SourceError, UserError
from fhir_tools.local import LocalStore
from fhir_tools.local.match import matches
from fhir_tools.query import check, parse
from fhir_tools.types import Reference

UCUM = "http://unitsofmeasure.org"


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


# Tokens, strings, references, numbers: each case through the index and through the matcher.

CASES: list[tuple[list[dict[str, Any]], str, list[str]]] = [
    ([observation(code=coded("1")), observation(code=coded("1", "urn:x"))], "Observation?code=1", ["r0", "r1"]),
    ([observation(code=coded("1")), observation(code=coded("1", "urn:x"))], "Observation?code=urn:x|1", ["r1"]),
    ([observation(code=coded("1")), observation(code=coded("1", None))], "Observation?code=|1", ["r1"]),
    ([observation(code=coded("1")), observation(code=coded("2", "urn:x"))], "Observation?code=urn:x|", ["r1"]),
    ([observation(code=coded("a,b")), observation(code=coded("a"))], r"Observation?code=a\,b", ["r0"]),
    ([observation(code=coded("a|b")), observation(code=coded("b", "a"))], r"Observation?code=a\|b", ["r0"]),
    ([observation(code=coded("1")), observation(code=coded("2"))], "Observation?code=1,2", ["r0", "r1"]),
    ([observation(code=coded("1")), observation(code=coded("2"))], "Observation?code:not=1", ["r1"]),
    ([observation(code=coded("1", display="Hémoglobin A1c"))], "Observation?code:text=hemoglobin", ["r0"]),
    (
        [observation(), observation(status="amended")],
        "Observation?status=http://hl7.org/fhir/observation-status|final",
        ["r0"],
    ),
    ([observation(code=coded("1")), observation()], "Observation?code:missing=true", ["r1"]),
    ([observation(code=coded("1")), observation()], "Observation?code:missing=false", ["r0"]),
    ([observation(component=[{"code": coded("9")}])], "Observation?combo-code=9", ["r0"]),
    ([{"resourceType": "Patient", "name": [{"family": "Núñez"}]}], "Patient?family=NUN", ["r0"]),
    ([{"resourceType": "Patient", "name": [{"family": "Núñez"}]}], "Patient?family:exact=Nunez", []),
    ([{"resourceType": "Patient", "name": [{"family": "Núñez"}]}], "Patient?family:exact=Núñez", ["r0"]),
    ([{"resourceType": "Patient", "name": [{"given": ["Jo", "Ann"]}]}], "Patient?name:contains=nn", ["r0"]),
    ([{"resourceType": "Patient", "name": [{"given": ["Jo", "Ann"]}]}], "Patient?name=nn", []),
    ([{"resourceType": "Patient", "active": True}], "Patient?active=true", ["r0"]),
    ([{"resourceType": "Patient", "telecom": [{"system": "phone", "value": "555"}]}], "Patient?phone=555", ["r0"]),
    ([{"resourceType": "Patient", "telecom": [{"system": "email", "value": "555"}]}], "Patient?phone=555", []),
    ([observation(subject={"reference": "Patient/a"})], "Observation?patient=a", ["r0"]),
    ([observation(subject={"reference": "Patient/a/_history/3"})], "Observation?patient=Patient/a", ["r0"]),
    ([observation(subject={"reference": "Patient/a"})], "Observation?subject:Patient=a", ["r0"]),
    ([observation(subject={"reference": "Group/a"})], "Observation?patient=a", []),
    ([observation(subject={"reference": "Group/a"})], "Observation?subject=a", ["r0"]),
    ([observation(subject={"reference": "Patient/a"})], "Observation?patient=https://x.test/fhir/Patient/a", ["r0"]),
    (
        [observation(subject={"reference": "https://x.test/Patient/a"})],
        "Observation?subject=https://x.test/Patient/a",
        ["r0"],
    ),
    (
        [observation(subject={"identifier": {"system": "urn:mrn", "value": "7"}})],
        "Observation?subject:identifier=urn:mrn|7",
        ["r0"],
    ),
    (
        [{"resourceType": "ClinicalImpression", "subject": {"reference": "Patient/a"}}],
        "ClinicalImpression?patient=a",
        ["r0"],
    ),
    ([{"resourceType": "Device", "url": "http://x.test/a/b"}], "Device?url:below=http://x.test/a", ["r0"]),
    ([{"resourceType": "Device", "url": "http://x.test/ab"}], "Device?url:below=http://x.test/a", []),
]


@pytest.mark.parametrize(("resources", "text", "found"), CASES, ids=lambda x: x if isinstance(x, str) else "")
async def test_search(resources: list[dict[str, Any]], text: str, found: list[str]) -> None:
    async with make(*resources) as store:
        assert await ids(store, text) == found
        filters, _ = check(parse(text))
        stored = [await store.read(Reference(type=r["resourceType"], id=f"r{n}")) for n, r in enumerate(resources)]
        assert [r["id"] for r in stored if all(matches(r, p) for p in filters)] == found


def quantity(value: float, **more: Any) -> dict[str, Any]:
    return observation(valueQuantity={"value": value, "unit": "mg", "system": UCUM, "code": "mg", **more})


@pytest.mark.parametrize(
    ("value", "asked", "hit"),
    [
        (5.44, "5.4", True),
        (5.46, "5.4", False),
        (5.44, "5.40", False),
        (100.4, "100", True),
        (104, "1e2", True),
        (5.4, "ne5.4", False),
        (5.41, "gt5.4", True),
        (5.4, "gt5.4", False),
        (5.4, "ge5.4", True),
        (5.4, "le5.4", True),
        (5.4, "lt5.4", False),
        (5.4, "sa5.4", False),
        (5.3, "eb5.4", True),
        (5.8, "ap5.4", True),
        (6.5, "ap5.4", False),
        (5.4, f"5.4|{UCUM}|mg", True),
        (5.4, f"5.4|{UCUM}|g", False),
        (5.4, "5.4||mg", True),
        (5.4, "5.4|urn:other|mg", False),
    ],
)
async def test_quantities(value: float, asked: str, hit: bool) -> None:
    async with make(quantity(value)) as store:
        assert bool(await ids(store, f"Observation?value-quantity={asked}")) is hit


async def test_a_comparator_is_a_range() -> None:
    async with make(quantity(5, comparator="<"), quantity(5, comparator=">")) as store:
        assert await ids(store, "Observation?value-quantity=gt7") == ["r1"]
        assert await ids(store, "Observation?value-quantity=lt3") == ["r0"]
        assert await ids(store, "Observation?value-quantity=5") == []


@pytest.mark.parametrize(
    "text",
    [
        "Observation?value-quantity=much",
        "Observation?value-quantity=1|2",
        "Observation?code=a|b|c",
        "Observation?date=2012-13",
        "Observation?date=2012-02-30",
        "Observation?_sort=colour",
        "Observation?_count=-1",
        "Observation?_include=Observation",
        "Observation?_include=Observation:code",
        "Observation?_summary=true",
        "Observation?_page=x",
        "Observation?subject:Patient=Group/1",
    ],
)
async def test_unreadable_searches_are_refused(text: str) -> None:
    async with make(quantity(1), observation(effectiveDateTime="2012", code=coded("1"))) as store:
        with pytest.raises(QueryError):
            await store.search(parse(text))


# Dates: the store against a slow reading of R4 3.1.1.4.4 and 3.1.1.4.7, by the instants that a value holds.

moments = st.datetimes(datetime(2011, 1, 1), datetime(2013, 12, 31), timezones=st.just(UTC))
SHAPES = ("%Y", "%Y-%m", "%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S+02:00", "%Y-%m-%dT%H:%M:%S.%f"[:-3] + "Z")
written = st.builds(lambda when, shape: when.strftime(shape), moments, st.sampled_from(SHAPES))
periods = st.fixed_dictionaries({}, optional={"start": written, "end": written}).filter(bool)


def _slow_range(text: str) -> tuple[datetime, datetime]:
    """First and last instant, by trying each precision in turn."""
    for shape, step in (("%Y", 366), ("%Y-%m", 31), ("%Y-%m-%d", 1)):
        try:
            low = datetime.strptime(text, shape).replace(tzinfo=UTC)
        except ValueError:
            continue
        high = low + timedelta(days=step)
        while high.strftime(shape) != text:
            high -= timedelta(days=1)
        return low, high + timedelta(days=1) if step > 1 else low + timedelta(days=1)
    low = datetime.fromisoformat(text)
    return low, low + (timedelta(milliseconds=1) if "." in text else timedelta(seconds=1))


def _slow(prefix: str, target: tuple[datetime, datetime], asked: tuple[datetime, datetime]) -> bool:
    low, last, start, stop = target[0], target[1], asked[0], asked[1]
    equal = start <= low and last <= stop
    above, below = last > stop, low < start
    return {
        "eq": equal, "ne": not equal, "gt": above, "lt": below, "ge": above or equal, "le": below or equal,
        "sa": low >= stop, "eb": last <= start,
    }[prefix]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.lists(written | periods, min_size=1, max_size=6),
    written,
    st.sampled_from(("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb")),
)
async def test_date_search_is_fhirs(values: list[Any], asked: str, prefix: str) -> None:
    start_of_time, end_of_time = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    expected, resources = [], []
    for number, value in enumerate(values):
        if isinstance(value, str):
            resources.append(observation(effectiveDateTime=value))
            target = _slow_range(value)
        else:
            resources.append(observation(effectivePeriod=value))
            low = _slow_range(value["start"])[0] if "start" in value else start_of_time
            high = _slow_range(value["end"])[1] if "end" in value else end_of_time
            if high <= low or ("start" in value and "end" in value and _slow_range(value["end"])[0] < low):
                resources[-1] = observation()
                continue
            target = low, high
        if _slow(prefix, target, _slow_range(asked)):
            expected.append(f"r{number}")
    async with make(*resources) as store:
        assert await ids(store, f"Observation?date={prefix}{asked}".replace("+", "%2B")) == expected
        filters, _ = check(parse(f"Observation?date={prefix}{asked}".replace("+", "%2B")))
        stored = (await store.search(parse("Observation"))).matches
        assert [r["id"] for r in stored if matches(r, filters[0])] == expected


async def test_approximate_dates_widen_with_their_distance_from_now() -> None:
    year = datetime.now(UTC).year
    async with make(
        observation(effectiveDateTime=f"{year - 21}"), observation(effectiveDateTime=f"{year - 40}")
    ) as store:
        assert await ids(store, f"Observation?date=ap{year - 20}") == ["r0"]


async def test_an_offset_whose_plus_was_not_encoded_is_read() -> None:
    async with make(observation(effectiveDateTime="2012-01-01T10:00:00+01:00")) as store:
        assert await ids(store, "Observation?date=2012-01-01T10:00:00+01:00") == ["r0"]


# Order, pages and parts.


async def test_sort_by_several_keys_what_has_none_last() -> None:
    async with make(
        observation(effectiveDateTime="2012", status="b"),
        observation(effectiveDateTime="2013", status="a"),
        observation(status="a"),
        observation(effectiveDateTime="2012", status="a"),
    ) as store:
        assert await ids(store, "Observation?_sort=date") == ["r0", "r3", "r1", "r2"]
        assert await ids(store, "Observation?_sort=-date") == ["r1", "r0", "r3", "r2"]
        assert await ids(store, "Observation?_sort=status,-date") == ["r1", "r3", "r2", "r0"]
        assert await ids(store, "Observation?_sort=-_id&_count=2") == ["r3", "r2"]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 12), st.integers(0, 12))
async def test_pages_do_not_shift_when_more_is_stored(size: int, held: int) -> None:
    async with make(*(observation(effectiveDateTime=f"20{n:02d}") for n in range(held))) as store:
        text, seen = f"Observation?_sort=-date&_count={size}", []
        while text:
            result = await store.search(parse(text))
            seen += [r["id"] for r in result.matches]
            store.put({**observation(effectiveDateTime="2099"), "id": f"late{len(seen)}"})
            text = result.next or ""
        assert seen == [f"r{n}" for n in reversed(range(held))]


async def test_elements_and_summaries_are_marked_subsetted() -> None:
    async with make(observation(code=coded("1"), text={"status": "generated", "div": "<div/>"})) as store:
        for text, keys in [
            ("_elements=status", {"resourceType", "id", "meta", "status"}),
            ("_summary=text", {"resourceType", "id", "meta", "text"}),
            ("_summary=data", {"resourceType", "id", "meta", "status", "code"}),
        ]:
            (found,) = (await store.search(parse(f"Observation?{text}"))).matches
            assert set(found) == keys
            assert found["meta"]["tag"][-1]["code"] == "SUBSETTED"


async def test_include_by_target_type_and_wildcard() -> None:
    async with make(
        {"resourceType": "Patient", "id": "p"},
        {"resourceType": "Encounter", "id": "e", "subject": {"reference": "Patient/p"}},
        observation(id="o", subject={"reference": "Patient/p"}, encounter={"reference": "Encounter/e"}),
    ) as store:
        for include, wanted in [
            ("encounter", ["e"]),
            ("subject:Patient", ["p"]),
            ("subject:Group", []),
            ("*", ["e", "p"]),
        ]:
            result = await store.search(parse(f"Observation?_include=Observation:{include}"))
            assert sorted(r["id"] for r in result.included) == wanted


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
