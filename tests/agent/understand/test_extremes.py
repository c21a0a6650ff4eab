"""Good and bad as higher and lower."""

from __future__ import annotations

import pytest

from agent.understand.extremes import graded
from fhir_tools.codes import Mention
from fhir_tools.lexicon import lexicon


def _named(name: str) -> Mention:
    known = lexicon().by_id("lab", name)
    assert known is not None
    return Mention(first=0, last=1, words=name, classes=(known,))


@pytest.mark.parametrize(
    ("skeleton", "name", "plain"),
    [
        ("worst m0 ever", "pain score", "highest m0 ever"),
        ("worst m0", "oxygen saturation", "lowest m0"),
        ("best ever m0", "fev1", "highest ever m0"),
        ("what was m0 at its worst", "egfr", "what was m0 lowest"),
        ("is m0 worse than the previous one", "creatinine", "is m0 higher than the previous one"),
        ("has m0 improved", "hemoglobin", "has m0 risen"),
        ("worst m0", "sodium", "worst m0"),
    ],
)
def test_the_measurement_says_which_way_is_bad(skeleton: str, name: str, plain: str) -> None:
    assert graded(skeleton, (_named(name),)) == plain


def test_what_may_be_several_things_is_left() -> None:
    both = Mention(first=0, last=1, words="x", classes=(_named("egfr").classes[0], _named("creatinine").classes[0]))
    assert graded("worst m0", (both,)) == "worst m0"
