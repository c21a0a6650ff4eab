"""Pages stay whole: random puts, changes and deletions between them, in any order asked for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_tools.errors import QueryError
from fhir_tools.local import LocalStore
from fhir_tools.search.query import escape, parse, to_url
from fhir_tools.types import Query, Reference

DATES = st.sampled_from((None, "2011", "2012-03", "2012-03-04", "2013"))
CODES = st.sampled_from((None, "a", "b"))
VALUES = st.sampled_from((None, 1, 2.5))
SORTS = st.sampled_from(
    ("", "date", "-date", "code", "-code", "code,-date", "-value-quantity,date", "_id", "-_id", "_lastUpdated,-code")
)


def observation(id_: int, date: str | None, code: str | None, value: float | None) -> dict[str, Any]:
    made: dict[str, Any] = {"resourceType": "Observation", "id": f"o{id_}", "status": "final"}
    made |= {"subject": {"reference": f"Patient/{'ab'[id_ % 2]}"}}
    made |= {"effectiveDateTime": date} if date else {}
    made |= {"code": {"coding": [{"code": code}]}} if code else {}
    return made | ({"valueQuantity": {"value": value}} if value is not None else {})


RESOURCES = st.builds(observation, st.integers(0, 30), DATES, CODES, VALUES)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), RESOURCES),
        st.tuples(st.just("delete"), st.integers(0, 30)),
        st.tuples(st.just("again"), st.integers(0, 30)),
    ),
    max_size=4,
)


@settings(max_examples=200)
@given(
    st.lists(RESOURCES, max_size=25, unique_by=lambda r: r["id"]),
    SORTS,
    st.integers(1, 7),
    st.lists(STEPS, max_size=8),
    st.sampled_from(("", "&patient=a", "&status=final", "&value-quantity=gt0")),
)
async def test_what_did_not_change_appears_exactly_once(
    resources: list[dict[str, Any]], sort: str, size: int, changes: list[Any], filters: str
) -> None:
    async with LocalStore() as store:
        with store.transaction():
            for resource in resources:
                store.put(resource)
        text = f"Observation?_count={size}{filters}" + (f"&_sort={sort}" if sort else "")
        whole = [r["id"] for r in (await store.search(parse(text.replace(f"_count={size}", "_count=99")))).matches]
        touched: set[str] = set()
        seen: list[str] = []
        for step in range(40):
            result = await store.search(parse(text))
            assert len(result.matches) <= size
            seen += [r["id"] for r in result.matches]
            text = result.next or ""
            if not text:
                break
            for what, given_ in changes[step] if step < len(changes) else ():
                touched.add(_changed(store, what, given_))
        else:
            pytest.fail("the pages do not end")
        kept = [id_ for id_ in whole if id_ not in touched]
        assert [id_ for id_ in seen if id_ not in touched] == kept


def _changed(store: LocalStore, what: str, given_: Any) -> str:
    if what == "put":
        store.put(given_)
        return str(given_["id"])
    if what == "delete":
        store.delete(Reference(type="Observation", id=f"o{given_}"))
    elif store.has(f"Observation/o{given_}"):  # deleted and stored again: a new resource under the old key
        store.delete(Reference(type="Observation", id=f"o{given_}"))
        store.put(observation(given_, "2012", "a", 2))
    return f"o{given_}"


async def test_a_page_goes_on_after_its_last_match_was_deleted() -> None:
    async with LocalStore() as store:
        for n in range(6):
            store.put(observation(n, f"201{n}", "a", n))
        first = await store.search(parse("Observation?_sort=-date&_count=2"))
        assert [r["id"] for r in first.matches] == ["o5", "o4"] and first.next
        store.delete(Reference(type="Observation", id="o4"))
        store.put({**observation(3, "2099", "a", 1)})
        second = await store.search(parse(first.next))
        assert [r["id"] for r in second.matches] == ["o2", "o1"]


async def test_a_page_token_holds_no_value() -> None:
    async with LocalStore() as store:
        for n in range(3):
            store.put({"resourceType": "Patient", "id": f"p{n}", "name": [{"family": f"Secret{n}"}]})
        first = await store.search(parse("Patient?_sort=family&_count=1"))
        assert first.next and "ecret" not in first.next


@given(st.text(min_size=1).filter(str.strip), st.text(min_size=1, max_size=20))
async def test_a_next_page_survives_its_url(title: str, version: str) -> None:
    """Values and versions of any characters: versions come from files as they are."""
    async with LocalStore() as store:
        for n in range(2):
            store.put({"resourceType": "List", "id": f"l{n}", "title": title, "meta": {"versionId": version}})
        first = await store.search(parse(to_url(Query(type="List", params=(*_exact(title), ("_count", "1"))))))
        assert [r["id"] for r in first.matches] == ["l0"] and first.next
        second = await store.search(parse(first.next))
        assert [r["id"] for r in second.matches] == ["l1"] and second.next is None


def _exact(title: str) -> tuple[tuple[str, str], ...]:
    return (("title:exact", escape(title)), ("_sort", "title"))


@pytest.mark.parametrize("token", ["x", "1", "1.2", "1.99999.MQ", "9.1.77", "9.1.A", "9.1._w", "1.-1.1", "٣.1.1"])
async def test_a_page_that_is_none_is_refused(token: str) -> None:
    async with LocalStore() as store:
        store.put(observation(1, "2012", "a", 1))
        with pytest.raises(QueryError, match="page"):
            await store.search(parse(f"Observation?_sort=date&_count=1&_page={token}"))
