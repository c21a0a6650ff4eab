"""What a session keeps is bounded, and a page token opens its own search alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools.errors import QueryError
from fhir_tools.remote.reuse import Continuation, Continuations, Kept, without_page
from fhir_tools.search.query import parse
from fhir_tools.types import Query

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


def test_what_was_not_used_for_longest_is_forgotten() -> None:
    kept = Kept[int](2)
    kept.put("a", 1)
    kept.put("b", 2)
    assert kept.get("a") == 1
    kept.put("c", 3)
    assert (kept.get("a"), kept.get("b"), kept.get("c"), len(kept)) == (1, None, 3, 2)
    kept.put("a", 5)
    assert kept.get("a") == 5 and len(kept) == 2


@given(st.lists(st.tuples(st.sampled_from(("code", "patient", "_sort", "_elements")), TEXT), max_size=4))
def test_a_place_is_found_again_through_text(params: list[tuple[str, str]]) -> None:
    places = Continuations()
    asked = Query(type="Observation", params=tuple(params))
    place = Continuation(query=asked, link="https://chart.test/opaque")
    text = places.offer(place)
    assert "opaque" not in text and places.find(parse(text)) is place
    assert places.find(asked) is None and without_page(parse(text)) == asked


def test_a_token_is_of_one_search() -> None:
    places = Continuations(most=1)
    first = parse(places.offer(Continuation(query=parse("Observation?patient=one"))))
    token = dict(first.params)["_page"]
    for text in (
        f"Observation?patient=two&_page={token}",
        f"Condition?patient=one&_page={token}",
        "Observation?_page=1",
    ):
        with pytest.raises(QueryError):
            places.find(parse(text))
    places.offer(Continuation(query=parse("Observation?patient=two")))
    with pytest.raises(QueryError, match="no longer kept"):
        places.find(first)
