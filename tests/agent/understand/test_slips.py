"""Words of asking in which two letters have changed places."""

from __future__ import annotations

import pytest

from agent.understand.slips import unslipped


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("waht is teh lsat sodium", "what is the last sodium"),
        ("Wehn was the most recnet ECG?", "when was the most recent ECG?"),
        ("the form from teh clinic", "the form from the clinic"),
        ("salt, slat and last", "salt, slat and last"),
    ],
)
def test_only_what_is_no_word_is_mended(typed: str, meant: str) -> None:
    assert unslipped(typed) == meant
