"""Pages with all their dirt, and the walk from page to page: whole, or not complete with the reason."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools.errors import NotFound, SourceError
from fhir_tools.remote.answers import Answer
from fhir_tools.remote.pages import Pages, Walk, read_page
from tests.fhir_tools.remote.fake import bundle, observation, outcome

Step = Mapping[str, Any] | Exception


def link(url: str) -> str | None:
    """Links of the tests' own server."""
    return url if url.startswith("p") else None


async def walk(pages: Mapping[str, Step | list[Step]], **more: Any) -> Pages:
    """Walk from page `p0`; a page with a list of answers gives them in turn, the last one for ever."""
    asked: dict[str, int] = {}

    async def send(url: str) -> Answer:
        step = pages[url]
        if isinstance(step, list):
            asked[url] = asked.get(url, 0) + 1
            step = step[min(asked[url], len(step)) - 1]
        if isinstance(step, Exception):
            raise step
        return Answer(status=200, url=url, resource=step)

    made = Walk("Observation", send, link, **{"budget": 50, "seconds": 5, **more})
    return await made.run(lambda: send("p0"))


def ids(pages: Pages) -> list[str]:
    return [r["id"] for r in pages.matches]


def page(*numbers: int, to: str | None = None, **more: Any) -> dict[str, Any]:
    return bundle([observation(n) for n in numbers], link=to, **more)


# One page.


def test_entries_with_and_without_a_mode() -> None:
    patient = {"resourceType": "Patient", "id": "one"}
    member = {"resource": observation(3), "search": {"mode": "include"}}
    wrong = {"resource": {**patient, "id": "two"}, "search": {"mode": "match"}}
    odd = {"resource": observation(4), "search": "match"}
    read = read_page(bundle([observation(1), None, {}, patient, member, wrong, odd]), "Observation")
    assert [r["id"] for r in read.matches] == ["o1", "o4"]
    assert [r["id"] for r in read.included] == ["one", "o3", "two"]
    assert read.problems == ("the server sent matches of another type than Observation",) and read.entries == 5


@pytest.mark.parametrize(
    "entry",
    [{"fullUrl": "Observation/1"}, {"resource": None}, {"resource": {"id": "x"}}, {"resource": "x"}, {"search": {}}],
)
def test_an_entry_without_its_resource_may_be_a_match(entry: Any) -> None:
    read = read_page(bundle([observation(1), entry]), "Observation")
    assert len(read.matches) == 1 and "came without their resource" in read.problems[0]


@pytest.mark.parametrize("entry", [None, {}, []])
def test_a_bundle_without_entries_is_empty(entry: Any) -> None:
    assert read_page({"resourceType": "Bundle", "type": "searchset", "entry": entry}, "Observation").entries == 0


@pytest.mark.parametrize("entry", ["x", 7, {"resource": observation(1)}])
def test_entries_that_are_no_list_are_not_nothing(entry: Any) -> None:
    with pytest.raises(SourceError):
        read_page({"resourceType": "Bundle", "type": "searchset", "entry": entry}, "Observation")


def test_everything_is_of_any_type() -> None:
    both = [{"resource": r, "search": {"mode": "match"}} for r in (observation(1), {"resourceType": "Patient"})]
    assert not read_page(bundle(both), "$everything").problems


@pytest.mark.parametrize("total", [-1, "9", None, 1.5, True])
def test_a_total_that_is_no_number_is_none(total: Any) -> None:
    assert read_page(bundle([], total=total), "Observation").total is None


@pytest.mark.parametrize(
    "resource", [{}, {"resourceType": "Patient"}, {"resourceType": "Bundle", "type": "batch-response"}]
)
def test_another_bundle_is_refused(resource: Any) -> None:
    with pytest.raises(SourceError):
        read_page(resource, "Observation")


@pytest.mark.parametrize("links", [None, {}, ["x"], [{"relation": "self", "url": "p1"}]])
def test_links_that_are_none(links: Any) -> None:
    read = read_page({**page(1), "link": links}, "Observation")
    assert read.next is None and not read.problems


def test_a_link_alone_is_a_list_of_one() -> None:
    assert read_page({**page(1), "link": {"relation": "next", "url": "p1"}}, "Observation").next == "p1"


@pytest.mark.parametrize("url", [5, None, ""])
def test_a_next_page_without_its_address_is_not_the_end(url: Any) -> None:
    read = read_page({**page(1), "link": [{"relation": "next", "url": url}]}, "Observation")
    assert read.next is None and "without its address" in read.problems[0]


@pytest.mark.parametrize(
    ("severity", "code", "withheld"),
    [
        ("error", "processing", True), ("fatal", "exception", True), ("information", "informational", False),
        ("warning", "processing", False), ("warning", "not-supported", True), ("information", "suppressed", True),
        ("warning", "incomplete", True), ("warning", "too-costly", True), ("warning", "Jane Doe", False),
        (None, "processing", True), ("warning", "not-found", False),
    ],
)  # fmt: skip
def test_an_outcome_inside_of_a_page(severity: Any, code: str, withheld: bool) -> None:
    read = read_page(bundle([observation(1), outcome(code, severity)]), "Observation")
    assert len(read.matches) == 1 and not read.included
    assert (bool(read.problems), bool(read.notes)) == (withheld, not withheld)
    assert "Jane" not in f"{read.problems}{read.notes}"


# The walk.


async def test_pages_are_read_to_the_end() -> None:
    found = await walk({"p0": page(1, 2, to="p1"), "p1": page(to="p2"), "p2": page(3, to="p3"), "p3": page(4, 5)})
    assert ids(found) == ["o1", "o2", "o3", "o4", "o5"] and (found.problems, found.read) == ([], 4)


async def test_each_match_is_there_once_in_its_newest_version() -> None:
    old = observation(1, meta={"lastUpdated": "2020-01-01T00:00:00Z"}, status="preliminary")
    new = observation(1, meta={"lastUpdated": "2020-01-01T01:00:00+01:00"}, status="final")
    newer = observation(1, meta={"lastUpdated": "2020-01-01T00:00:01Z"}, status="amended")
    found = await walk({"p0": bundle([old, observation(2)], link="p1"), "p1": bundle([newer, new])})
    assert ids(found) == ["o1", "o2"] and next(iter(found.matches))["status"] == "amended"


@pytest.mark.parametrize("to", ["https://evil.test/", "//evil.test", "javascript:x"])
async def test_a_link_to_another_origin_is_not_followed(to: str) -> None:
    found = await walk({"p0": page(1, to=to)})
    assert ids(found) == ["o1"] and "another origin" in found.problems[0] and "evil" not in found.problems[0]


@pytest.mark.parametrize("back", ["p0", "p1", "p2"])
async def test_links_in_a_circle_end(back: str) -> None:
    found = await walk({"p0": page(1, to="p1"), "p1": page(2, to="p2"), "p2": page(3, to=back)})
    assert ids(found) == ["o1", "o2", "o3"] and "circle" in found.problems[0] and found.read == 3


async def test_a_page_may_come_twice_but_not_for_ever() -> None:
    found = await walk({"p0": page(1, to="p1"), "p1": page(1, to="p2"), "p2": page(2)})
    assert ids(found) == ["o1", "o2"] and not found.problems
    endless = {f"p{n}": page(1, to=f"p{n + 1}") for n in range(60)}
    found = await walk(endless)
    assert "circle" in found.problems[0] and found.read < 6


async def test_the_page_budget_is_told() -> None:
    endless = {f"p{n}": page(n, to=f"p{n + 1}") for n in range(60)}
    found = await walk(endless, budget=7)
    assert found.read == 7 and "budget of 7 pages" in found.problems[0]
    empty = {f"p{n}": page(to=f"p{n + 1}") for n in range(60)}
    assert "budget of 50 pages" in (await walk(empty)).problems[0]


@pytest.mark.parametrize("error", [SourceError("503", status=503), SourceError("reset")])
async def test_what_was_read_before_a_fault_is_kept(error: Exception) -> None:
    found = await walk({"p0": page(1, to="p1"), "p1": error})
    assert ids(found) == ["o1"] and found.problems == [str(error)]


async def test_a_page_that_is_no_searchset_ends_the_walk() -> None:
    found = await walk({"p0": page(1, to="p1"), "p1": {"resourceType": "Patient", "id": "x"}})
    assert ids(found) == ["o1"] and "no searchset" in found.problems[0]


@pytest.mark.parametrize(
    "error", [NotFound("gone", status=410), NotFound("none", status=404), SourceError("no", status=400)]
)
async def test_an_expired_link_starts_the_search_again_once(error: Exception) -> None:
    found = await walk({"p0": page(1, to="p1"), "p1": [error, page(2)]})
    assert ids(found) == ["o1", "o2"] and not found.problems and found.read == 3
    found = await walk({"p0": [page(1, to="p1"), page(3, 1, to="p1")], "p1": error})
    assert ids(found) == ["o1", "o3"] and "expired, also after a new start" in found.problems[0]


async def test_a_first_page_that_is_refused_is_not_asked_for_again() -> None:
    found = await walk({"p0": [SourceError("no", status=400), page(1)]})
    assert not ids(found) and found.problems == ["no"]


@pytest.mark.parametrize(
    ("totals", "exact", "complete"),
    [((2, 2), True, True), ((2, 1), True, True), ((5, 2), True, True), ((3, 3), True, False), ((2, 9), True, True),
     ((9, None), True, False), ((None, None), True, True), ((9, 9), False, True)],
)  # fmt: skip
async def test_totals_that_change_or_are_not_reached(totals: Any, exact: bool, complete: bool) -> None:
    pages = {"p0": page(1, to="p1", total=totals[0]), "p1": page(2, total=totals[1])}
    found = await walk(pages, exact=exact)
    assert ids(found) == ["o1", "o2"] and (not found.problems) is complete


async def test_a_total_without_a_match_is_no_empty_chart() -> None:
    assert (await walk({"p0": page(total=3)})).problems == ["the server counts more of Observation than it sent"]


async def test_duplicates_do_not_miss_the_total() -> None:
    assert not (await walk({"p0": page(1, 2, to="p1", total=4), "p1": page(2, 3, total=4)})).problems


async def test_it_stops_when_enough_is_there() -> None:
    found = await walk({"p0": page(1, to="p1"), "p1": page(2, 3, to="p2")}, until=2)
    assert ids(found) == ["o1", "o2", "o3"] and (found.rest, found.problems) == ("p2", [])


async def test_pages_that_take_too_long_are_told() -> None:
    async def send(url: str) -> Answer:
        await asyncio.sleep(0.05)
        number = int(url[1:])
        return Answer(status=200, url=url, resource=page(number, to=f"p{number + 1}"))

    made = Walk("Observation", send, link, budget=1000, seconds=0.2)
    found = await made.run(lambda: send("p0"))
    assert ids(found) and "not all read within 0.2 s" in found.problems[0]


# Random walks with random faults, against what the server really holds.

Mend = Callable[[dict[str, Any]], Step]

_FAULTS: dict[str, Mend] = {
    "reset": lambda p: SourceError("reset"),
    "unauthorised": lambda p: SourceError("credentials", status=401),
    "expired": lambda p: NotFound("gone", status=410),
    "elsewhere": lambda p: {**p, "link": [{"relation": "next", "url": "https://evil.test/"}]},
    "circle": lambda p: {**p, "link": [{"relation": "next", "url": "p0"}]},
    "outcome": lambda p: {**p, "entry": [{"resource": outcome("exception")}]},
    "hollow": lambda p: {**p, "entry": [{"fullUrl": "x"} for _ in p["entry"]]},
    "short": lambda p: {**p, "entry": p["entry"][:-1]},
    "cut": lambda p: {**p, "link": []},
    "other": lambda p: {"resourceType": "OperationOutcome", "issue": []},
}


@given(st.data())
def test_a_walk_is_whole_or_says_that_it_is_not(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=8))
    numbers = iter(range(100))
    held = [[next(numbers) for _ in range(size)] for size in sizes]
    total = sum(sizes)
    last = len(sizes) - 1
    pages: dict[str, Any] = {
        f"p{n}": page(*part, to=None if n == last else f"p{n + 1}", total=total) for n, part in enumerate(held)
    }
    for n in range(len(sizes)):
        if data.draw(st.booleans()):
            continue
        name = data.draw(st.sampled_from(sorted(_FAULTS)))
        broken = _FAULTS[name](pages[f"p{n}"])
        if data.draw(st.booleans()):  # it passes when it is asked for again
            pages[f"p{n}"] = [broken, pages[f"p{n}"]]
        else:
            pages[f"p{n}"] = broken
    found = asyncio.run(walk(pages))
    whole = {f"o{n}" for part in held for n in part}
    assert set(ids(found)) <= whole and len(ids(found)) == len(set(ids(found)))
    assert set(ids(found)) == whole or found.problems


@pytest.mark.parametrize(("total", "whole"), [(2, True), (3, False), (4, True), (5, False)])
async def test_what_is_included_fills_no_gap_in_the_total(total: int, whole: bool) -> None:
    """Of 2 matches and 2 includes; a server that counts both is known by its exact sum."""
    others = [{"resource": {"resourceType": "Encounter", "id": i}, "search": {"mode": "include"}} for i in "ab"]
    read = await walk({"p0": bundle([observation(1), observation(2), *others], total=total)})
    assert (not read.problems) is whole and len(read.matches) == 2
