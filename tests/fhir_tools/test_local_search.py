"""Searches of the embedded store by FHIR's rules: parameters, dates, order, pages and parts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_tools.errors import QueryError
from fhir_tools.local import LocalStore
from fhir_tools.local.search import run
from fhir_tools.search.match import matches
from fhir_tools.search.query import check, parse
from fhir_tools.types import Query, Reference

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


def identifier(kind: str, value: str) -> dict[str, Any]:
    return {"system": "urn:mrn", "value": value, "type": coded(kind, "urn:types")}


def panel(*parts: tuple[str, float]) -> dict[str, Any]:
    return observation(
        code=coded("panel"), component=[{"code": coded(c), "valueQuantity": {"value": v}} for c, v in parts]
    )


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
    ([observation(code=coded("9")), observation(code=coded("8"))], "Observation?combo-code=9", ["r0"]),
    (
        [observation(code=coded("8"), component=[{"code": coded("9")}]), observation(code=coded("7", "urn:x"))],
        "Observation?combo-code=http://loinc.org|9,urn:x|7",
        ["r0", "r1"],
    ),
    (
        [observation(component=[{"code": coded("9")}]), observation(code=coded("1"))],
        "Observation?combo-code:not=9",
        ["r1"],
    ),
    (
        [observation(component=[{"valueCodeableConcept": coded("9")}]), observation(valueCodeableConcept=coded("9"))],
        "Observation?combo-value-concept=9",
        ["r0", "r1"],
    ),
    (
        [observation(component=[{"valueQuantity": {"value": 9}}]), observation(valueQuantity={"value": 9})],
        "Observation?combo-value-quantity=9",
        ["r0", "r1"],
    ),
    (
        [observation(subject={"reference": "Patient/a"}), observation(subject={"reference": "Patient/b"})],
        "Observation?_id=r0,r1&patient=a",
        ["r0"],
    ),
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
    ([{"resourceType": "Device", "url": "http://x.test/a"}], "Device?url:above=http://x.test/a/b", ["r0"]),
    ([{"resourceType": "Device", "url": "http://x.test/a/b"}], "Device?url:above=http://x.test/a", []),
    ([{"resourceType": "Device", "url": "http://x.test/a/b"}], "Device?url=http://x.test/a", []),
    (
        [
            {"resourceType": "Patient", "identifier": [identifier("MR", "7")]},
            {"resourceType": "Patient", "identifier": [identifier("SS", "7"), identifier("MR", "8")]},
            {"resourceType": "Patient", "identifier": [{"value": "7"}]},
        ],
        "Patient?identifier:of-type=urn:types|MR|7",
        ["r0"],
    ),
    ([{"resourceType": "Patient", "identifier": [identifier("MR", "7")]}], "Patient?identifier:of-type=|MR|7", ["r0"]),
    ([{"resourceType": "Patient", "identifier": [identifier("MR", "7")]}], "Patient?identifier=|7", []),
    ([{"resourceType": "Patient", "deceasedDateTime": "2012"}], "Patient?deceased=true", ["r0"]),
    ([{"resourceType": "Patient", "deceasedBoolean": True}], "Patient?deceased=true", ["r0"]),
    ([{"resourceType": "Patient", "deceasedBoolean": False}], "Patient?deceased=false", ["r0"]),
    ([{"resourceType": "Patient"}], "Patient?deceased=false", ["r0"]),
    ([{"resourceType": "Patient"}], "Patient?deceased:missing=true", []),
    ([observation(subject={"reference": "Group/a"})], "Observation?patient=Group/a", []),
    ([observation(subject={"reference": "Group/a"})], "Observation?patient:missing=true", ["r0"]),
    ([observation(subject={"reference": "Group/a"})], "Observation?subject:missing=true", []),
    ([observation(subject={"reference": "Patient/a"})], "Observation?patient=a&subject=b,c", []),
    ([observation(subject={"reference": "Patient/a"})], "Observation?subject=b,c&patient=a", []),
    ([observation(subject={"reference": "Patient/a"})], "Observation?subject=b,a&patient=a", ["r0"]),
    ([observation(code=coded("1")), observation()], "Observation?code:not=1", ["r1"]),
    (
        [observation(code=coded("1"), subject={"reference": f"Patient/{x}"}) for x in "ab"]
        + [observation(code=coded("2"), subject={"reference": f"Patient/{x}"}) for x in "ab"],
        "Observation?patient=b&code:not=1",
        ["r3"],
    ),
    (
        [{"resourceType": "QuestionnaireResponse", "questionnaire": "http://x.test/Questionnaire/q|1.0"}],
        "QuestionnaireResponse?questionnaire=http://x.test/Questionnaire/q",
        ["r0"],
    ),
    (
        [{"resourceType": "QuestionnaireResponse", "questionnaire": "http://x.test/Questionnaire/q|1.0"}],
        r"QuestionnaireResponse?questionnaire=http://x.test/Questionnaire/q\|1.0",
        ["r0"],
    ),
    (
        [{"resourceType": "QuestionnaireResponse", "questionnaire": "http://x.test/Questionnaire/q|1.0"}],
        r"QuestionnaireResponse?questionnaire=http://x.test/Questionnaire/q\|2.0",
        [],
    ),
    (
        [{"resourceType": "Task", "for": {"reference": "Patient/a"}, "code": coded("1")}],
        "Task?patient=a&code=1",
        ["r0"],
    ),
    (
        [
            {"resourceType": "Provenance", "target": [{"reference": "Patient/a"}, {"reference": "Patient/b"}]},
            {"resourceType": "Provenance", "target": [{"reference": "Patient/b"}, {"reference": "Condition/b"}]},
        ],
        "Provenance?patient=b",
        ["r0", "r1"],
    ),
    # Composites: the parts of a value must meet within one element.
    ([panel(("8480-6", 120), ("8462-4", 60))], "Observation?component-code-value-quantity=8480-6$gt100", ["r0"]),
    ([panel(("8480-6", 120), ("8462-4", 60))], "Observation?component-code-value-quantity=8462-4$gt100", []),
    ([panel(("8480-6", 120), ("8462-4", 60))], "Observation?combo-code-value-quantity=8462-4$lt100", ["r0"]),
    ([panel(("8480-6", 120), ("8462-4", 60))], "Observation?code-value-quantity=8480-6$120", []),
    (
        [
            panel(("8480-6", 120)),
            observation(code=coded("8480-6"), valueQuantity={"value": 130}),
            panel(("8480-6", 90)),
        ],
        "Observation?combo-code-value-quantity=http://loinc.org|8480-6$gt100",
        ["r0", "r1"],
    ),
    (
        [panel(("8480-6", 120)), panel(("8462-4", 60)), panel(("8462-4", 120))],
        "Observation?combo-code-value-quantity=8480-6$gt100,8462-4$lt70",
        ["r0", "r1"],
    ),
    (
        [observation(code=coded("1"), valueQuantity={"value": 5, "unit": "mg", "system": "urn:u", "code": "mg"})],
        "Observation?code-value-quantity=1$le5|urn:u|mg",
        ["r0"],
    ),
    (
        [observation(code=coded("1"), valueCodeableConcept=coded("y", "urn:v"))],
        "Observation?code-value-concept=1$urn:v|y",
        ["r0"],
    ),
    ([observation(code=coded("1"), valueString="Trace seen")], "Observation?code-value-string=1$trace", ["r0"]),
    ([observation(code=coded("a$b"), valueString="c")], r"Observation?code-value-string=a\$b$c", ["r0"]),
    ([observation(code=coded("1"), valueDateTime="2012-03")], "Observation?code-value-date=1$gt2012-02", ["r0"]),
    (
        [{"resourceType": "Group", "characteristic": [{"code": coded("g"), "valueBoolean": True}]}],
        "Group?characteristic-value=g$true",
        ["r0"],
    ),
    (
        [
            {
                "resourceType": "DocumentReference",
                "relatesTo": [{"code": "replaces", "target": {"reference": "DocumentReference/1"}}],
            }
        ],
        "DocumentReference?relationship=replaces$DocumentReference/1",
        ["r0"],
    ),
    (
        [
            {
                "resourceType": "MolecularSequence",
                "referenceSeq": {"chromosome": coded("1")},
                "variant": [{"start": 5, "end": 9}],
            }
        ],
        "MolecularSequence?chromosome-variant-coordinate=1$ge4$lt10",
        ["r0"],
    ),
]


@pytest.mark.parametrize(("resources", "text", "found"), CASES, ids=lambda x: x if isinstance(x, str) else "")
async def test_search(resources: list[dict[str, Any]], text: str, found: list[str]) -> None:
    async with make(*resources) as store:
        assert await ids(store, text) == found
        filters, _ = check(parse(text))
        stored = [await store.read(Reference(type=r["resourceType"], id=f"r{n}")) for n, r in enumerate(resources)]
        assert [r["id"] for r in stored if all(matches(r, p) for p in filters)] == found


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("patient=a&combo-code=1", 2),
        ("patient=a&combo-code=1&date=2012", 1),
        ("patient=a&code=1", 1),
        ("combo-code=1", 3),
        ("patient=a&_id=r0", 1),
        ("patient=a&combo-code=1&_summary=count", 0),
    ],
)
def test_what_the_index_knows_is_not_parsed(text: str, read: int) -> None:
    """Questions ask by patient and `combo-code`: on a large chart all others stay unread."""
    a, b = {"reference": "Patient/a"}, {"reference": "Patient/b"}
    others = [observation(code=coded(f"x{n}"), subject=a) for n in range(20)]
    store = make(
        observation(code=coded("1"), subject=a, effectiveDateTime="2012-03-04"),
        observation(code=coded("2"), subject=a, component=[{"code": coded("1")}], effectiveDateTime="2013"),
        observation(code=coded("1"), subject=b),
        *others,
    )
    asked: list[int] = []
    run(store.connection, parse(f"Observation?{text}"), lambda keys: asked.extend(keys) or [])
    store.close()
    assert len(asked) == read


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
        assert await ids(store, "Observation?value-quantity=ge5") == ["r1"]
        assert await ids(store, "Observation?value-quantity=le5") == ["r0"]
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
        "Observation?_summary=some",
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
    text = {"status": "generated", "div": "<div/>"}
    async with make(observation(code=coded("1"), note=[{"text": "x"}], text=text)) as store:
        for asked, keys in [
            # What R4 makes mandatory stays (R4 3.1.1.5.8, 3.1.1.5.9): here status and code.
            ("_elements=method", {"resourceType", "id", "meta", "status", "code"}),
            ("_summary=text", {"resourceType", "id", "meta", "text", "status", "code"}),
            ("_summary=data", {"resourceType", "id", "meta", "status", "code", "note"}),
            ("_summary=true", {"resourceType", "id", "meta", "status", "code"}),
        ]:
            (found,) = (await store.search(parse(f"Observation?{asked}"))).matches
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


# Totals, counts, updates, and searches of the whole system.


async def test_totals_and_counts() -> None:
    async with make(observation(), observation(), observation()) as store:
        for text, total, size in [
            ("_count=0", 3, 0),
            ("_summary=count", 3, 0),
            ("_count=2", 3, 2),
            ("_count=2&_total=none", None, 2),
            ("_count=2&_total=estimate", 3, 2),
            ("_count=0&_total=none", 3, 0),
        ]:
            result = await store.search(parse(f"Observation?{text}"))
            assert (result.total, len(result.matches), result.next is not None) == (total, size, size == 2), text


async def test_last_updated_is_searched_and_sorted_by() -> None:
    times = ("2020-05-01T10:00:00Z", "2020-05-01T11:30:00+02:00", "2021-01-01T00:00:00.5Z")
    async with make(*(observation(meta={"lastUpdated": t}) for t in times)) as store:
        assert await ids(store, "Observation?_sort=_lastUpdated") == ["r1", "r0", "r2"]
        assert await ids(store, "Observation?_sort=-_lastUpdated&_count=1") == ["r2"]
        assert await ids(store, "Observation?_lastUpdated=2020-05-01") == ["r0", "r1"]
        assert await ids(store, "Observation?_lastUpdated=lt2020-05-01T10:00:00Z") == ["r1"]
        assert await ids(store, "Observation?_lastUpdated=gt2020-12,lt2020-05-01T10:00:00Z") == ["r1", "r2"]
        assert await ids(store, "Observation?_lastUpdated:missing=true") == []


async def test_the_whole_system_is_searched_by_type() -> None:
    async with make(
        {"resourceType": "Patient", "id": "p", "identifier": [{"value": "1"}], "meta": {"lastUpdated": "2020-01-01"}},
        {"resourceType": "Observation", "id": "o", "identifier": [{"value": "1"}],
         "subject": {"reference": "Patient/p"}, "meta": {"lastUpdated": "2019-01-01"}},
        {"resourceType": "Group", "id": "g", "identifier": [{"value": "2"}], "meta": {"lastUpdated": "2021-01-01"}},
    ) as store:  # fmt: skip
        for text, found in [
            ("?_type=Patient,Observation,Group", ["p", "o", "g"]),
            ("?_type=Patient,Group&_id=o,g", ["g"]),
            ("?_type=Patient,Observation,Group&_sort=-_lastUpdated", ["g", "p", "o"]),
            ("?_type=Patient,Observation&identifier=1&_sort=_id", ["o", "p"]),
            ("?_type=Observation,Observation&_include=Observation:patient", ["o"]),
            ("?_type=Device", []),
        ]:
            assert await ids(store, text) == found, text
        assert [r["id"] for r in (await store.search(Query(type="", params=(("_id", "p,g"),)))).matches] == ["p", "g"]
        first = await store.search(parse("?_type=Patient,Observation,Group&_sort=-_lastUpdated&_count=2"))
        assert [r["id"] for r in (await store.search(parse(first.next or ""))).matches] == ["o"]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("12"), st.sampled_from((1, 2, 3))), max_size=6))
async def test_composites_by_index_are_those_of_the_matcher(parts: list[tuple[str, str, int]]) -> None:
    resources = [
        observation(
            code=coded(a), valueQuantity={"value": v}, component=[{"code": coded(b), "valueQuantity": {"value": 3}}]
        )
        for a, b, v in parts
    ]
    async with make(*resources) as store:
        stored = (await store.search(parse("Observation"))).matches
        for text in (
            "combo-code-value-quantity=1$3,a$gt1",
            "code-value-quantity=a$2",
            "component-code-value-quantity=2$3",
        ):
            ((param,), _) = check(parse(f"Observation?{text}"))
            assert await ids(store, f"Observation?{text}") == [r["id"] for r in stored if matches(r, param)]


def test_an_index_of_an_older_version_is_made_anew(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "s")
    store.put({"resourceType": "Task", "id": "t", "for": {"reference": "Patient/a"}})
    store.connection.execute("UPDATE meta SET value = '1' WHERE name = 'index'")
    store.connection.execute("DELETE FROM posting")
    store.close()
    again = LocalStore(tmp_path / "s")
    assert again.matching(parse("Task?patient=a")) == ["Task/t"]
    again.close()
