"""What the words beside a subject ask of it."""

from __future__ import annotations

import pytest

from agent.understand.asked import attribute_of, cued_kinds, op_of, state_of


@pytest.mark.parametrize(
    ("skeleton", "state"),
    [
        ("active problems", "active"),
        ("is m0 still going on", "active"),
        ("problems not yet resolved", "active"),
        ("what problems are live", "active"),
        ("what is she on", "active"),
        ("drugs not currently taken", "stopped"),
        ("is m0 over", "resolved"),
        ("resolved conditions", "resolved"),
        ("drugs that were discontinued", "stopped"),
        ("conditions", ""),
        ("was m0 given over the weekend", ""),
    ],
)
def test_the_state_that_is_asked_for(skeleton: str, state: str) -> None:
    assert state_of(skeleton) == state


def test_an_operation_may_be_left_out() -> None:
    assert op_of("how much m0 does he take") == "dose"
    assert op_of("how much m0 does he take", but="dose") != "dose"
    assert op_of("m0") == "list"


def test_the_family_comes_first_where_a_relative_is_named() -> None:
    assert cued_kinds("what drugs does he take", [])[0] == "medication"
    assert cued_kinds("what drugs does he take", ["mother"])[:2] == ("family", "medication")


def test_what_of_the_person_is_asked_for() -> None:
    assert (attribute_of("what is his date of birth"), attribute_of("m0")) == ("date of birth", "")
