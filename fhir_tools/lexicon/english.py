"""Whether a word is English as it stands, so that it is not taken for a misspelt clinical one."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spellchecker import SpellChecker

__all__ = ["is_english"]


def is_english(phrase: str) -> bool:
    """Whether each word of a normalised phrase is in a dictionary of general English ("induction", "apply")."""
    known = _dictionary()
    return all(word in known for word in phrase.split())


@lru_cache(maxsize=1)
def _dictionary() -> SpellChecker:
    from spellchecker import SpellChecker  # half a second, and only for words that nothing else knows

    return SpellChecker(language="en")
