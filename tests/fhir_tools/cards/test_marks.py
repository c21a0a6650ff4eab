"""Marks: short ids, one for each fact, roles that add up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fhir_tools import compute
from fhir_tools.cards import Marks
from fhir_tools.documents import Document
from fhir_tools.types import ROLES, Concept, Fact, Reference, Search, Span


def fact(number: int, path: str = "Observation.value") -> Fact:
    reference = Reference(type="Observation", id=f"o{number}")
    return Fact(kind="measurement", concept=Concept(label=f"Test {number}"), reference=reference, path=path)


def test_a_fact_keeps_its_mark_and_gains_roles() -> None:
    marks = Marks()
    first = marks.fact(fact(1), "first")
    assert marks.fact(fact(2)).id == "2"
    again = marks.fact(fact(1), "latest", "highest")
    assert (first.id, again.id) == ("1", "1")
    assert again.roles == {"first", "latest", "highest"}
    assert marks.of(["1"])[0].roles == again.roles


def test_two_elements_of_one_resource_have_two_marks() -> None:
    marks = Marks()
    assert marks.fact(fact(1)).id != marks.fact(fact(1, "Observation.component[0].value")).id


def test_computations_searches_and_quotes_have_ids_of_their_own() -> None:
    marks = Marks()
    count = marks.computed(compute.compute("count", (fact(1), fact(2))), "count 2")
    search = marks.searched(Search(query="Observation?patient=x", found=3))
    note = fact(1)
    quotes = [
        marks.quote(Document(fact=note, text="text     text"), Span(start=i, end=i + 4, quote="text")) for i in (0, 9)
    ]
    assert (count.id, search.id, *(q.id for q in quotes), marks.fact(note).id) == ("c1", "s1", "1", "2", "3")
    assert search.shown == "Observation?patient=x: 3 found"
    assert quotes[0].shown == 'Test 1: "text"'
    assert quotes[0].roles == {"quote"}
    assert count.references == ("Observation/o1", "Observation/o2")
    assert search.references == ()


def test_of_gives_each_mark_once_in_the_order_asked_for_and_passes_over_unknown_ones() -> None:
    marks = Marks()
    for number in (1, 2):
        marks.fact(fact(number))
    marks.computed(compute.compute("count", ()), "count 0")
    assert [m.id for m in marks.of(["c1", "2", "1", "2", "99", ""])] == ["c1", "2", "1"]


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(ROLES)), max_size=30))
def test_facts_and_marks_are_one_to_one(asked: list[tuple[int, str]]) -> None:
    marks = Marks()
    ids = {number: marks.fact(fact(number), role).id for number, role in asked}
    assert len(set(ids.values())) == len(ids)
    for mark in marks.of(ids.values()):
        assert mark.fact is not None
        number = int(mark.fact.reference.id[1:])
        assert mark.roles == {role for n, role in asked if n == number}
