"""Building the patterns of the cues from words, so that the tables read as words."""

from __future__ import annotations

import re

__all__ = ["any_of", "words"]


def words(listed: str) -> str:
    """A pattern of whole words from a list with commas; `*` stands for the rest of a word.

    `words("trend*, over time")` finds "trending" and "over time", never "overtime". What else a regular
    expression can say (`visits?`, `hospitali[sz]*`, `m\\d`) keeps its meaning.
    """
    parts = (" ".join(part.split()) for part in listed.split(","))
    return rf"\b(?:{'|'.join(p.replace('*', chr(92) + 'w*') for p in parts if p)})\b"


def any_of(*patterns: str) -> re.Pattern[str]:
    """One pattern that finds what any of these finds; at one place the first of them."""
    return re.compile("|".join(patterns))
