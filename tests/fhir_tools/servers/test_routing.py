"""A search over several servers, in the words of one of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools.search.control import SortKey
from fhir_tools.search.query import parse
from fhir_tools.servers.relabel import Labels
from fhir_tools.servers.routing import query_for, with_sorted_elements

A, B = "https://a.example/fhir", "https://b.example/r4"
LABELS = Labels(labels=("a", "b"), bases={"a": A, "b": B})


@pytest.mark.parametrize(
    ("text", "for_a", "for_b"),
    [
        ("Observation?patient=Patient/7,Patient/b.9", "patient=Patient/7", "patient=Patient/9"),
        ("Observation?patient=7,b.9,8", "patient=7,8", "patient=9"),
        ("Observation?patient=b.9", None, "patient=9"),
        ("Observation?patient=a.b.9", "patient=b.9", None),
        (f"Observation?subject={B}/Patient/9", None, "subject=Patient/9"),
        ("Observation?patient=7,b.9&encounter=Encounter/b.1", None, "patient=9&encounter=Encounter/1"),
        ("Observation?patient=7&encounter=b.1", None, None),
        ("Observation?_id=1,b.2", "_id=1", "_id=2"),
        ("Observation?_id:not=b.2", "", "_id:not=2"),
        ("Observation?code=b.2", "code=b.2", "code=b.2"),
        ("Observation?patient:missing=true", "patient:missing=true", "patient:missing=true"),
        ("Observation?patient:identifier=x|b.2", "patient:identifier=x|b.2", "patient:identifier=x|b.2"),
        ("Observation?encounter.status=finished", "encounter.status=finished", "encounter.status=finished"),
        ("Observation?encounter.patient=Patient/b.9", None, "encounter.patient=Patient/9"),
        ("Patient?_has:Observation:patient:encounter=b.9", None, "_has:Observation:patient:encounter=9"),
        (
            "CarePlan?instantiates-canonical=https://x.example/p",
            "instantiates-canonical=https://x.example/p",
            "instantiates-canonical=https://x.example/p",
        ),
        (
            "Observation?_sort=date&_include=Observation:patient",
            "_sort=date&_include=Observation:patient",
            "_sort=date&_include=Observation:patient",
        ),
    ],
)
def test_each_server_gets_its_own(text: str, for_a: str | None, for_b: str | None) -> None:
    for label, told in (("a", for_a), ("b", for_b)):
        query = query_for(LABELS, label, parse(text))
        assert (None if query is None else str(query).partition("?")[2]) == told


@given(st.lists(st.from_regex("(a[.]|b[.])?[0-9]{1,3}", fullmatch=True), min_size=1, max_size=6))
def test_every_id_goes_to_exactly_one_server(ids: list[str]) -> None:
    query = parse(f"Observation?patient={','.join(ids)}")
    told = [
        (label, one) for label in "ab" if (q := query_for(LABELS, label, query)) for one in q.params[0][1].split(",")
    ]
    assert sorted(told) == sorted(LABELS.outside(one) for one in ids)


def test_what_is_sorted_by_is_among_the_elements() -> None:
    query = parse("Observation?_elements=code&_sort=-date")
    told = dict(with_sorted_elements(query, (SortKey(name="date", down=True),)).params)["_elements"].split(",")
    assert {"code", "effectiveDateTime", "effectivePeriod"} <= set(told)
    assert with_sorted_elements(query, ()) is query
    plain = parse("Observation?_sort=date")
    assert with_sorted_elements(plain, (SortKey(name="date"),)) is plain
