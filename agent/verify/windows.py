"""The words of a card's own window inside a claim: "Latest until 2011-05-30: …" is told of that card's records.

Such words are neither dates of facts nor qualifiers; what is told under them is looked for in the window only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agent.verify.told import days_in

__all__ = ["Windowed", "windows_in"]

Ids = frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Windowed:
    """Where the words of a window stand in a claim, and the facts (by index) that lie in it."""

    start: int
    end: int
    ids: Ids


_LEAD = re.compile(r"\b(?:latest|last|first|highest|lowest|previous|closest|mean|average|results?)\s*$")
_COUNTED = re.compile(
    r"(?<![\w.])(?:\d+|once|twice|one|two|three)\b[^.;:]*\b(?:recorded|on record|times?|results?)\s*$"
)
_PLAIN = re.compile(
    r"\b(?:to|through|until|till|since|before|after|between|and|from|in|on|up|the|during|of|prior)\b|[\W_]+"
)


def windows_in(text: str, windows: Mapping[str, Ids]) -> Iterator[Windowed]:
    """The windows told in a normalised text, each where it can be nothing else.

    `windows` are the words of each window with its facts. A date that could just as well be the end or the
    start of what is told ("resolved until 2012-01-24") is left to be read as one.
    """
    for words, ids in windows.items():
        for match in re.finditer(rf"(?<![\w.-]){re.escape(words)}(?![\w-]|\.\d)", text):
            if _is_window(text, match.start(), match.end(), words):
                yield Windowed(start=match.start(), end=match.end(), ids=ids)
                break


def _is_window(text: str, start: int, end: int, words: str) -> bool:
    before = text[:start]
    if _LEAD.search(before) and re.match(r"\s*:", text[end:]):
        return True
    return bool(_COUNTED.search(before)) or _wordy(words)


def _wordy(words: str) -> bool:
    """Whether more than dates stands in it ("early 2016 to late 2017", "> 172"); an event's name is read as one."""
    if "(" in words or words.startswith("closest"):
        return False
    rest = words
    for day in reversed(days_in(words)):
        rest = rest[: day.start] + " " + rest[day.end :]
    return bool(re.search(r"[<>]", rest)) or bool(_PLAIN.sub(" ", rest).strip())
