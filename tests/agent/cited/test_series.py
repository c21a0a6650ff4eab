"""The sides of a reference range, and what a bound says of them."""

from __future__ import annotations

import pytest

from agent.cited.series import Limits

RANGE = Limits(low=70, high=100, text="70 to 100")


@pytest.mark.parametrize(
    ("value", "comparator", "side"),
    [
        (70, "", ""), (100, "", ""), (69.9, "", "low"), (100.1, "", "high"),
        (60, "<", "low"), (70, "<", "low"), (71, "<", ""), (200, "<", ""), (200, "<=", ""), (70, "<=", ""),
        (100, ">", "high"), (120, ">=", "high"), (60, ">", ""), (99, ">", ""), (100, ">=", ""),
    ],
)  # fmt: skip
def test_a_side_is_told_only_where_it_is_sure(value: float, comparator: str, side: str) -> None:
    assert RANGE.outside(value, comparator) == side


def test_a_range_may_have_one_end() -> None:
    assert Limits(low=None, high=5, text="at most 5").outside(-100) == ""
    assert Limits(low=60, high=None, text="at least 60").outside(59) == "low"
    assert Limits(low=None, high=None, text="negative").outside(1) == ""
