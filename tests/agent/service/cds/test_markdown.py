"""Chart text on cards is literal text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.service.cds.markdown import escaped, linked, summary_of


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Metformin 2.5 MG (ER), -5 to 3.5", "Metformin 2.5 MG (ER), -5 to 3.5"),
        ("1. item", "1\\. item"),
        ("- item", "\\- item"),
        ("# title", "\\# title"),
        ("a\n\n# b", "a \\# b"),
        ("[a](http://x.example)", "\\[a\\](http\\://x.example)"),
        ("![a](b)", "\\!\\[a\\](b)"),
        ("<script>&amp;</script>", "\\<script\\>\\&amp;\\</script\\>"),
        ("www.x.example a@b.example mailto:a", "www\\.x.example a\\@b.example mailto\\:a"),
        ("a\u202eb\u200bc\x00", "abc"),
        ("| a | ~~b~~ `c` *d* _e_ $f$", "\\| a \\| \\~\\~b\\~\\~ \\`c\\` \\*d\\* \\_e\\_ \\$f\\$"),
    ],
)
def test_markup_is_escaped(text: str, told: str) -> None:
    assert escaped(text) == told


@given(st.text(max_size=600))
def test_no_text_keeps_a_sign_that_means_something(text: str) -> None:
    told = escaped(text)
    assert "\n" not in told and "\r" not in told
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_{}\[\]<>#|~&@$!]", told)
    assert not re.search(r"(?i)://|www\.|mailto:|xmpp:", told)
    assert len(told) <= 2 * 401


@given(st.text(max_size=300))
def test_summaries_are_one_short_line(text: str) -> None:
    told = summary_of(text)
    assert len(told) < 140 and told.isprintable()


def test_a_link_cannot_be_closed_by_its_parts() -> None:
    assert linked("a](b", "https://x.example/?q=a)b <c>") == "[a\\](b](https://x.example/?q=a%29b%20%3Cc%3E)"
