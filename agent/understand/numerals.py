"""The numbers that a question tells: how many results back, which one in order of time, beyond what value."""

from __future__ import annotations

import re

from agent.types import ORDINALS

__all__ = ["FEW", "FIRST_FEW", "LATE", "THRESHOLD", "few", "ordinal", "threshold"]

_PLACE = {word: n for n, word in enumerate(ORDINALS, 1) if n > 1}
_PLACE |= {"2nd": 2, "3rd": 3, **{f"{n}th": n for n in range(4, 11)}}
_OF = (
    r"(?:m\d|doses?|vaccin\w*|shots?|jabs?|boosters?|times?|one|ones|results?|readings?|values?|measurements?|tests?|visits?"
    r"|admissions?|stays?|episodes?|sessions?|samples?|scans?|procedures?|operations?|date)"
)
_NTH = re.compile(
    rf"\b({'|'.join(_PLACE)})\b(?! (?:to|most|half|quarter|line|opinion|degree))(?=(?: \w+){{0,3}}? {_OF}\b| ?$)"
)


_NUMBERED = re.compile(
    r"\bm\d (?:no|nr|number|came|was) (\w+)\b"
    r"|\b(?:dose|shot|jab|booster) (?:no |nr |number )?(two|three|four|[2-9])\b"
    r"(?! (?:days?|weeks?|months?|years?|mg|times))"
)
LATE = re.compile(rf"\b(?:{'|'.join(w for w in _PLACE if w != 'second')})\b(?: (?:most|last|to|from))*")
"""A place in an order that rules do not find by `ordinal` is not passed over."""


def ordinal(skeleton: str) -> int:
    """Which one in order of time, from 2 on; 0 where the words do not say."""
    found = _NTH.search(skeleton)
    if found:
        return _PLACE[found[1]]
    numbered = _NUMBERED.search(skeleton)
    place = (numbered[1] or numbered[2]) if numbered else ""
    return _PLACE.get(place) or (int(place) if place.isdigit() else _NUMBERS.get(place, 0))


_NUMBERS = {w: n for n, w in enumerate("zero one two three four five six seven eight nine ten".split())}
FEW = re.compile(
    r"\b(?:last|latest|first|recent|previous|past)\s+(\d{1,2}|two|three|four|five|six|seven|eight|nine|ten)\b"
    r"|\b(\d{1,2}|two|three|four|five) (?:most recent|latest|last)\b"
)


def few(s: str) -> int | None:
    """How many results back, or the last how many, are asked for; None where no number is named."""
    found = FEW.search(s)
    word = (found[1] or found[2]) if found else None
    if word:
        return _NUMBERS.get(word) or int(word)
    return 2 if re.search(r"\b(than|from|to) (the )?(one|value|result) before( it)?\b", s) else None


FIRST_FEW = re.compile(r"\bfirst (?:\d{1,2}|two|three|four|five|six|seven|eight|nine|ten)\b")
_BEYOND = {
    **dict.fromkeys(("above", "over", "greater than", "more than", "higher than"), ">"),
    **dict.fromkeys(("below", "under", "less than", "lower than", "fewer than"), "<"),
    "at least": ">=",
}
THRESHOLD = re.compile(rf"\b({'|'.join(_BEYOND)}|exceed\w*)\s+(\d+(?:\.\d+)?)\b")


def threshold(s: str) -> tuple[str, float, str | None] | None:
    """The comparison with a number that a question makes ("above 7"); it names no unit."""
    found = THRESHOLD.search(s)
    return (_BEYOND.get(found[1], ">"), float(found[2]), None) if found else None
