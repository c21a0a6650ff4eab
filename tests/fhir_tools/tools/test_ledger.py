"""Marks that go on from others: one for each fact, quote, computation and search, whoever asks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools.cards import Marks
from fhir_tools.compute import compute
from fhir_tools.documents import Document
from fhir_tools.tools import Ledger
from fhir_tools.types import Concept, Fact, Mark, Reference, Search, Span


def fact(number: int) -> Fact:
    where = Reference(type="Observation", id=f"o{number}")
    return Fact(kind="measurement", concept=Concept(label="Sodium"), reference=where, path="Observation.valueQuantity")


def some(marks: Marks, numbers: list[int]) -> list[Mark]:
    """A mark of every sort for each number."""
    made = []
    for n in numbers:
        made.append(marks.fact(fact(n), "latest"))
        made.append(marks.quote(Document(fact=fact(n), text="x" * 9), Span(start=n, end=n + 1, quote="x")))
        made.append(marks.computed(compute("count", (fact(n),)), f"count {n}"))
        made.append(marks.searched(Search(query=f"Observation?n={n}", found=n)))
    return made


@given(st.lists(st.integers(0, 5), max_size=6), st.lists(st.integers(0, 9), max_size=6))
def test_what_was_marked_keeps_its_mark_and_the_rest_goes_on(before: list[int], after: list[int]) -> None:
    given_ = some(Ledger(), before)
    ledger = Ledger(given_)
    later = some(ledger, after)
    known = {m.id: m for m in given_}
    assert {m.id for m in ledger.all()} == {m.id for m in given_} | {m.id for m in later}
    assert len({m.id for m in ledger.all()}) == 4 * len(set(before) | set(after))
    for mark in later:
        old = known.get(mark.id)
        assert old is None or (old.facts, old.span, old.search) == (mark.facts, mark.span, mark.search)


def test_marks_of_cards_made_before_are_taken_as_they_are() -> None:
    marks = Marks()
    given_ = some(marks, [1, 1])  # a plain counter gives the second quote, computation and search marks of their own
    ledger = Ledger((*given_, *given_))
    assert {m.id for m in ledger.all()} == {m.id for m in given_}
    assert ledger.fact(fact(2)).id == "4" and ledger.get("9") is None


def test_a_fact_gains_roles_and_keeps_its_mark() -> None:
    ledger = Ledger([Mark(id="3", shown="x", roles=frozenset(("first",)), fact=fact(1))])
    assert ledger.fact(fact(1), "latest").roles == {"first", "latest"}


@pytest.mark.parametrize("id_", ["c", "1c", "", "1.5", "[1]"])
def test_what_is_no_mark_is_refused(id_: str) -> None:
    with pytest.raises(ValueError, match="not a mark"):
        Ledger([Mark(id=id_, shown="x", fact=fact(1))])
