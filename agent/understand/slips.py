"""Two letters of a word of asking that have changed places, the commonest slip: "waht", "teh", "recnet"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from fhir_tools.lexicon.english import is_english

__all__ = ["unslipped"]

_ASKING = """
what when which where who whose how many much often does did has have had was were the this that and for with from
since last latest first recent previous current highest lowest average mean about after before there their they
""".split()
_WORD = re.compile(r"[A-Za-z]{3,}")


def unslipped(text: str) -> str:
    """The text with such words as they were meant; what is a word by itself ("form" for "from") stays."""
    return _WORD.sub(lambda m: _meant().get(m[0].lower(), m[0]), text)


@lru_cache(maxsize=1)
def _meant() -> dict[str, str]:
    return {slip: word for word in _ASKING for slip in _slips(word) if slip not in _ASKING and not is_english(slip)}


def _slips(word: str) -> Iterator[str]:
    return (word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1) if word[i] != word[i + 1])
