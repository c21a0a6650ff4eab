"""The numbers that a question tells."""

from __future__ import annotations

import pytest

from agent.understand.numerals import few, ordinal, threshold


@pytest.mark.parametrize(
    ("skeleton", "place"),
    [
        ("when was the second m0", 2),
        ("third dose of m0", 3),
        ("m0 number three date", 3),
        ("which m0 came second", 2),
        ("second to last m0", 0),
        ("second half", 0),
        ("last m0", 0),
    ],
)
def test_the_place_in_order_of_time(skeleton: str, place: int) -> None:
    assert ordinal(skeleton) == place


def test_how_many_and_beyond_what() -> None:
    assert few("last three m0") == 3
    assert few("last m0") is None
    assert threshold("m0 above 7") == (">", 7.0, None)
    assert threshold("m0") is None
