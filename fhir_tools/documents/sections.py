"""A text cut into sections by its headings, and into sentences: (start, end) in Unicode characters of the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

__all__ = ["sections", "sentences", "trimmed"]

_KEPT = 64
"""Texts whose cuts are remembered: a document is cut for each of a question's subjects."""

_HEADINGS = (
    "a/p|allergies|assessment|assessment/plan|assessment (?:and|&) plan|cc|chief complaint|clinical information|"
    "comparison|conclusions?|diagnos[ie]s|discharge (?:diagnos[ie]s|medications|summary)|exam|findings|fh|fhx|"
    "family (?:medical )?history|follow[- ]?up|history|history of present(?:ing)? (?:illness|complaint)|"
    "history of past illness|home medications|hospital course|hpi|impression|indication|instructions|interpretation|"
    "labs|laboratory|medications|meds|objective|past (?:medical |surgical )?history|pe|physical exam(?:ination)?|plan|"
    "pmhx?|problem list|procedures?|pshx?|reason for (?:visit|admission|consult(?:ation)?)|recommendations?|results|"
    "review of systems|ros|sh|shx|social history|subjective|summary|surgical history|technique|vitals|vital signs"
)
_KNOWN = _HEADINGS.replace(" ", r"[ \t]+")
_HEADING = re.compile(
    r"^[ \t]*(?:[#*•-]+[ \t]*)?(?:\*\*)?(?P<title>"
    rf"(?i:{_KNOWN})(?=[ \t]*(?:\*\*)?:)|[SOAP](?=:)|(?=[A-Z])(?i:{_KNOWN})(?=[ \t]*$)"
    r"|[A-Z][A-Z0-9 /&()'-]{2,48}(?=[ \t]*:|[ \t]*$)|[A-Z][\w /&()'-]{2,58}(?=:[ \t]*$))(?:\*\*)?[ \t]*:?",
    re.MULTILINE,
)
"""Known headings with a colon or alone on their line, SOAP letters, titles in capitals, and lines that are
nothing but a title and a colon."""


@lru_cache(maxsize=_KEPT)
def sections(text: str) -> tuple[tuple[str, int, int], ...]:
    """(title, start, end) of each part under a heading: from the heading's first character up to the next heading."""
    heads = [(m["title"].strip(), m.start()) for m in _HEADING.finditer(text)]
    ends = [*(start for _, start in heads), len(text)][1:]
    return tuple((title, start, end) for (title, start), end in zip(heads, ends, strict=True))


_STOP = re.compile(r"(?<![.!?])[.!?]++[\"')\]]*+(?=\s)|\n")
_TITLE = re.compile(r"(?:\b(?:dr|mr|mrs|ms|prof|st|vs|e\.g|i\.e|approx)|(?:^|\n)[ \t]*\d{1,2})\Z", re.IGNORECASE)
_ABBREVIATION = re.compile(
    r"\b(?:[a-z](?:\.[a-z])*|appt|dept|pts?|temp|wt|ht|min|max|hrs?|resp|sec|vol|inc)\Z", re.IGNORECASE
)
_ITEM = re.compile(r"[ \t]*(?:[-*•#]|\d{1,2}[.)]\s|\n|$)")
_WRAP = (60, 120)
_SHORT = 64
"""Characters before a full stop in which an abbreviation or a list number stands."""
_LONGEST = 4000


@lru_cache(maxsize=_KEPT)
def sentences(text: str) -> tuple[tuple[int, int], ...]:
    """(start, end) of each sentence or line, without the white space round it. A line wrapped by width goes on.

    None is longer than 4,000 characters: what is said of a term is worked out over its whole sentence, each time.
    """
    width = max((len(line) for line in text.split("\n")), default=0)
    heads = {start for _, start, _ in sections(text)}
    out: list[tuple[int, int]] = []
    start = 0
    for stop in _STOP.finditer(text):
        soft = stop[0] == "\n" and _wrapped(text, stop.start(), width) and stop.end() not in heads
        before = text[max(start, stop.start() - _SHORT) : stop.start()]
        if soft or (stop[0] == "." and _shortened(before, text[stop.end() : stop.end() + 2])):
            continue
        out.append((start, stop.end()))
        start = stop.end()
    out.append((start, len(text)))
    return tuple(kept for whole in out for a, b in _cut(text, *whole) if (kept := trimmed(text, a, b)))


def _cut(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A sentence, or the parts of text that has no full stops, cut between words."""
    while end - start > _LONGEST:
        space = text.rfind(" ", start + 1, start + _LONGEST)
        at = space if space > 0 else start + _LONGEST
        yield start, at
        start = at
    yield start, end


def _shortened(before: str, after: str) -> bool:
    """Whether a full stop belongs to an abbreviation or a list number rather than to the sentence."""
    if after.startswith("\n"):
        return False
    goes_on = after[1:].islower() or after[1:].isdigit()
    return bool(_TITLE.search(before) or (goes_on and _ABBREVIATION.search(before[-12:])))


def _wrapped(text: str, newline: int, width: int) -> bool:
    """Whether a line break is there only because the next word had no room in lines of this width."""
    if not _WRAP[0] <= width <= _WRAP[1] or _ITEM.match(text, newline + 1):
        return False
    line = newline - (text.rfind("\n", 0, newline) + 1)
    word = re.match(r"\S+", text[newline + 1 : newline + 1 + width])
    return bool(word) and line + 1 + len(word[0] if word else "") > width


def trimmed(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The stretch without white space at its ends; None where there is nothing else in it."""
    piece = text[start:end]
    left = len(piece) - len(piece.lstrip())
    right = len(piece.rstrip())
    return (start + left, start + right) if right > left else None
