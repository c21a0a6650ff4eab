"""The order of matches by `_sort`, for the store and for what a server cannot sort."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools.search.control import SortKey
from fhir_tools.search.order import rank, sort_value, sorted_by, sorted_resources


def observation(id_: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "id": id_, **more}


RESOURCES = [
    observation("a", effectiveDateTime="2012", valueQuantity={"value": 3}, status="final"),
    observation("b", effectivePeriod={"start": "2011-05"}, valueQuantity={"value": 10}, status="amended"),
    observation("c", status="final", subject={"reference": "Patient/2"}),
    observation("d", effectiveDateTime="2012", subject={"reference": "Patient/1"}),
]


@pytest.mark.parametrize(
    ("keys", "order"),
    [
        (("date",), "badc"),
        (("-date",), "adbc"),
        (("-date", "-_id"), "dabc"),
        (("value-quantity",), "abcd"),
        (("-value-quantity",), "bacd"),
        (("status", "-value-quantity"), "bacd"),
        (("subject",), "dcab"),
        ((), "abcd"),
    ],
)
def test_sorted(keys: tuple[str, ...], order: str) -> None:
    found = sorted_resources(RESOURCES, tuple(SortKey.of(key) for key in keys))
    assert "".join(r["id"] for r in found) == order


def test_of_several_values_the_one_that_comes_first_in_the_direction_counts() -> None:
    """R4 3.1.1.5.1: sorted by the item "that comes earliest in the specified sort order"."""
    patient = {"resourceType": "Patient", "name": [{"family": "Bee"}, {"family": "Zoe"}, {"family": "Ann"}]}
    assert sort_value(patient, SortKey(name="family")) == "ann"
    assert sort_value(patient, SortKey(name="family", down=True)) == "zoe"
    assert sort_value(patient, SortKey(name="birthdate")) is None


PAIRS = st.tuples(st.none() | st.integers(0, 3), st.none() | st.sampled_from("xyz"))
KEYS = st.tuples(st.builds(SortKey, name=st.just("0"), down=st.booleans()), st.builds(SortKey, name=st.just("1"), down=st.booleans()))  # fmt: skip  # noqa: E501


@given(st.lists(PAIRS, max_size=12), KEYS)
def test_a_rank_is_the_place_in_the_order(
    pairs: list[tuple[int | None, str | None]], keys: tuple[SortKey, ...]
) -> None:
    numbers = list(range(len(pairs)))
    ordered = sorted_by(numbers, keys, lambda n, key: pairs[n][int(key.name)])
    assert ordered == sorted(numbers, key=lambda n: rank(pairs[n], keys, n))
