"""Time phrases in a clinician's question: which stretch of text says when, and what it means relative to `as_of`.

Rules of reading, so that they can be told: slashed dates are month/day/year (day/month where that is the only way);
two-digit years and dates without a year are the latest that are not after `as_of`; `last year` is the calendar year
before, `the last year` the twelve months up to now; `N years ago` is that calendar year, `N months ago` that month,
`N days ago` that day; weeks run from Monday; `after 2015` starts with 2016, `until 2016` ends with 2016. What names
a time without saying which (`a few months ago`, 30 February) is a phrase that is `vague`, without window.
A number alone is a date only where it can be nothing else: doses, codes, counts and drug labels are left.
"""

from __future__ import annotations

import re
from calendar import isleap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal

from dateutil.relativedelta import relativedelta

from fhir_tools import dates
from fhir_tools.calendar_days import calendar_days
from fhir_tools.dates import Window
from fhir_tools.moments import Point, apart, named
from fhir_tools.stretches import INCLUSIVE, measured
from fhir_tools.types import Interval

__all__ = ["Anchor", "Phrase", "find"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A time that needs another fact: for `age`, completed years or months, `low` to `high` (exclusive; None open)."""

    kind: Literal["age"]
    low: int | None
    high: int | None
    unit: Literal["years", "months"]
    text: str

    def window(self, birth: Interval) -> Window:
        """The days at which that age is possible; a partial birth date makes it wider. Raises ValueError if open."""
        first, last = birth.day, dates.last_day(birth)
        if first is None or last is None:
            raise ValueError("an age needs a birth date")
        low = None if self.low is None else _birthday(first, self.low, self.unit)
        high = None if self.high is None else _birthday(last, self.high, self.unit)
        return Window(low=low, high=high, text=self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """`text[start:end]` says when. `on` is set for a single day, `anchor` where another fact is needed.

    With `vague`, a time is meant that cannot be worked out; `window` is then None, and the caller should say so.
    """

    start: int
    end: int
    window: Window | None = None
    on: date | None = None
    anchor: Anchor | None = None
    vague: bool = False


def _birthday(birth: date, count: int, unit: str) -> date:
    day = birth + (relativedelta(years=count) if unit == "years" else relativedelta(months=count))
    # As in dates.age: who is born on 29 February completes a year on 1 March.
    leapling = unit == "years" and (birth.month, birth.day) == (2, 29) and not isleap(day.year)
    return day + timedelta(days=1) if leapling else day


# Prepositions.

_IN, _SINCE, _AFTER, _BEFORE, _UNTIL = "in", "since", "after", "before", "until"
_RELATIONS: dict[str, tuple[str, ...]] = {
    _UNTIL: ("no later than", "not later than", "on or before", "up to and including", "up to", "as of", "as at",
             "until", "till", "thru", "through", "by"),
    _BEFORE: ("prior to", "before", "earlier than", "preceding"),
    _SINCE: ("on or after", "ever since", "since", "going back to", "dating back to", "starting in", "starting on",
             "starting from", "counting from", "reckoned from", "as from", "starting", "beginning in",
             "beginning on", "beginning"),
    _AFTER: ("later than", "after"),
    "from": ("from",),
    "between": ("between",),
    _IN: ("back in", "in", "on", "during", "within", "throughout", "over the course of", "over", "for", "of", "dated"),
}  # fmt: skip
_RELATION_OF = {word: relation for relation, words in _RELATIONS.items() for word in words}
_LEFT = re.compile(
    r"\b(?P<rel>"
    + "|".join(w.replace(" ", r"\s+") for w in sorted(_RELATION_OF, key=len, reverse=True))
    + r")\s+(?:the\s+)?(?:(?:month|year|week)s?\s+(?:of\s+)?)?$",
    re.I,
)
_LOOSE = frozenset(("in", "for", "of", "over", "within", "during", "through", "throughout", "up to"))
_ONWARD = re.compile(
    r"\s+(?:on(?:wards?)?(?!\s+\w)|onwards?|forwards?|(?:and|or)\s+(?:later|after|onwards?|beyond))\b"
    r"|\s*(?:to|until|till|through|up\s+to|-|–)\s*(?:now|(?:the\s+)?present|date)\b",
    re.I,
)
_TO_NOW = re.compile(r"\s+and\s+(?:now|(?:the\s+)?present(?:\s+day)?)\b", re.I)
_OPEN = (_IN, "from", "between")
_BACKWARD = re.compile(r"\s+(?:and|or)\s+(?:before|earlier|prior)\b(?!\s+\d)", re.I)
_JOIN = re.compile(
    r"\s*(?:-|–|/|,?\s*\b(?P<until>to|through|thru|until|till|up\s+to|and\s+until|and\s+through)\b"
    r"|\b(?P<and>and)\b|\b(?:and|but)\s+(?P<before>before)\b)\s*(?:the\s+)?",
    re.I,
)


def find(text: str, as_of: date | datetime) -> list[Phrase]:
    """The time phrases of a text in order, without overlap, each with the preposition that belongs to it."""
    anchors = list(_ages(text))
    points = apart((*named(text, as_of), *calendar_days(text, as_of)))
    points = [p for p in points if not any(p.start < a.end and a.start < p.end for a in anchors)]
    return sorted([*anchors, *_phrases(text, measured(text, points))], key=lambda p: p.start)


def _phrases(text: str, points: list[Point]) -> Iterator[Phrase]:
    at, floor = 0, 0
    while at < len(points):
        point, second = points[at], points[at + 1] if at + 1 < len(points) else None
        word, start = _preposition(text, point.start, floor)
        joined = _joined(text, word, point, second) if second else None
        phrase = replace(joined, start=start) if joined else _alone(text, word, start, point)
        at += 2 if joined else 1
        if phrase:
            phrase = _inclusive(text, phrase, word)
            floor = phrase.end
            yield phrase


def _inclusive(text: str, phrase: Phrase, word: str) -> Phrase:
    """The phrase with words after it that only say again that its last day belongs to it."""
    told = INCLUSIVE.match(text, phrase.end) if _RELATION_OF.get(word) not in (_BEFORE, _AFTER) else None
    return replace(phrase, end=told.end()) if told and phrase.window else phrase


def _preposition(text: str, end: int, floor: int) -> tuple[str, int]:
    found = _LEFT.search(text, floor, end)
    return (" ".join(found["rel"].lower().split()), found.start()) if found else ("", end)


def _counts(point: Point, word: str) -> bool:
    return not point.weak or bool(word and (point.weak == 1 or word not in _LOOSE))


def _alone(text: str, word: str, start: int, point: Point) -> Phrase | None:
    if not _counts(point, word):
        return None
    relation, end = _RELATION_OF.get(word, _IN), point.end
    if onward := (_TO_NOW if relation == "between" else _ONWARD).match(text, end) if relation in _OPEN else None:
        relation, end = _SINCE, onward.end()
    elif backward := _BACKWARD.match(text, end) if relation == _IN else None:
        relation, end = _UNTIL, backward.end()
    relation = _IN if relation in ("from", "between") else relation
    if point.vague:
        return Phrase(start=start, end=end, vague=True)
    window = _window(relation, point)
    on = _day(point) if relation == _IN else None
    return Phrase(start=start, end=end, window=window, on=on, vague=window is None)


def _day(point: Point) -> date | None:
    """The one day that the point names, at whatever time of it."""
    if isinstance(point.low, datetime):
        return point.pivot if not point.rolling else None
    single = point.low and point.high and point.high - point.low == timedelta(days=1)
    return point.low if single and not point.rolling else None


def _window(relation: str, point: Point) -> Window | None:
    low, high = (point.pivot, point.pivot) if point.pivot and not _clock(point) else (point.low, point.high)
    if relation == _IN or (point.rolling and relation == _UNTIL):
        return Window(low=point.low, high=point.high, text=_title(point))
    if relation == _SINCE:
        return _open(low, None, f"since {_name(point, low)}")
    if relation == _AFTER:
        return _open(high, None, f"after {_name(point, low)}")
    return _open(None, low if relation == _BEFORE else high, f"{relation} {_name(point, low)}")


def _clock(point: Point) -> bool:
    return isinstance(point.low, datetime) or isinstance(point.high, datetime)


def _open(low: date | None, high: date | None, text: str) -> Window | None:
    """None where the edge that counts is itself open, as in "before more than two years ago"."""
    return Window(low=low, high=high, text=text) if low or high else None


def _name(point: Point, low: date | None) -> str:
    if point.pivot and not _clock(point):
        return point.pivot.isoformat()
    return point.name if re.match(r"\d{4}|(?:\w+ )*\d{4}s?$", point.name) or low is None else low.isoformat()[:16]


def _title(point: Point) -> str:
    if point.rolling:
        return point.name
    if isinstance(point.low, datetime):
        return f"at {point.name}"
    day = _day(point)
    whole = " to " in point.name or point.name.startswith("week")
    return f"on {day.isoformat()}" if day else point.name if whole else f"in {point.name}"


def _joined(text: str, word: str, first: Point, second: Point) -> Phrase | None:
    """`between A and B`, `from A to B`, `A-B`, `since A and before B`: both ends belong to it, but for "before"."""
    relation = _RELATION_OF.get(word, "")
    link = _JOIN.fullmatch(text, first.end, second.start)
    if not link or relation in (_BEFORE, _UNTIL) or (link["and"] and relation != "between"):
        return None
    if not (word or not first.weak) or (not word and second.weak) or (link["before"] and relation == _IN):
        return None
    if first.vague or second.vague:
        return Phrase(start=first.start, end=second.end, vague=True)
    first = _same_year(first, second)
    low = first.high if relation == _AFTER else first.low
    high = second.low if link["before"] else second.high
    start = f"after {first.name}" if relation == _AFTER else first.name
    try:
        window = Window(low=low, high=high, text=f"{start} {'and before' if link['before'] else 'to'} {second.name}")
    except ValueError:
        window = None
    return Phrase(start=first.start, end=second.end, window=window, vague=window is None)


def _same_year(first: Point, second: Point) -> Point:
    """`May to July 2018` starts in May 2018, `from November to February` in the year before that February."""
    if not first.yearless or not isinstance(second.low, date):
        return first
    try:
        low, high, name = first.yearless(second.low.year)
        if low > second.low:
            low, high, name = first.yearless(second.low.year - 1)
    except ValueError:
        return first
    return replace(first, low=low, high=high, name=name)


# Ages.

_AGE = r"(?P<n>\d{1,3})(?!\d|[.,/'’]\d|%)(?:[\s-]*(?P<u>years?|yrs?|y/?o|months?|mos?)\b)?(?:[\s-]*(?:of\s+age|old)\b)?"
_WHO = r"(?:s?he|they|(?:the\s+)?(?:patient|pt))"
_AFTER_AGE = r"(?=\s*(?:[?.,;!)]|$|and\b|or\b|on\b|in\b|what\b|did\b|was\b|were\b|had\b|has\b))"
_AGES = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        r"\b(?P<rel>between)\s+(?:the\s+)?(?:ages?\s+(?:of\s+)?)(?P<n>\d{1,3})\s*(?:and|to|"
        r"-)\s*(?:age\s+)?(?P<n2>\d{1,3})\b",
        r"\b(?:from|at)\s+(?:the\s+)?ages?\s+(?:of\s+)?(?P<n>\d{1,3})\s*(?:to|-)\s*(?:age\s+)?(?P<n2>\d{1,3})\b",
        rf"\b(?P<rel>at|before|prior\s+to|by|until|up\s+to|after|since|from|under|"
        rf"over)\s+(?:the\s+)?age\s+(?:of\s+)?{_AGE}",
        rf"\b(?:when|while)\s+(?:aged|{_WHO}\s+(?:was|were|is|turned)(?:\s+aged?)?)\s+{_AGE}{_AFTER_AGE}",
        rf"\b(?P<rel>before|after|until|since)\s+(?:{_WHO}\s+(?:was|were|turned)|turning)\s+{_AGE}{_AFTER_AGE}",
        r"\b(?P<rel>before|until|prior\s+to|up\s+to|after|since|from)\s+(?:her|his|their|the|(?:the\s+)?(?:patient|pt)['’]s)\s+"
        r"(?P<n>\d{1,3})(?:st|nd|rd|th)\s+birthday\b",
        r"\b(?:at\s+)?aged\s+(?P<n>\d{1,3})\b(?![.,]\d)",
        r"\bat\s+(?P<n>\d{1,3})[\s-]*(?P<u>years?|yrs?|y/?o|months?|mos?)(?:[\s-]*(?:of\s+age|old)\b|(?<=yo)|(?<=y/o))",
        r"\bin\s+(?:her|his|their|(?:the\s+)?(?:patient|pt)['’]s)\s+(?:(?P<third>early|mid|"
        r"late)[\s-]+)?(?P<decade>[1-9]0)s\b",
    )
)


def _ages(text: str) -> Iterator[Phrase]:
    end = 0
    for found in sorted((m for p in _AGES for m in p.finditer(text)), key=lambda m: (m.start(), -m.end())):
        anchor = _anchor(found)
        if found.start() >= end and anchor:
            end = found.end()
            yield Phrase(start=found.start(), end=end, anchor=anchor)


_THIRDS = {"": (0, 10), "early": (0, 4), "mid": (4, 7), "late": (7, 10)}


def _anchor(found: re.Match[str]) -> Anchor | None:
    groups = {k: v for k, v in found.groupdict().items() if v}
    text = " ".join(found[0].lower().split())
    if "decade" in groups:
        decade, (first, end) = int(groups["decade"]), _THIRDS[groups.get("third", "").lower()]
        return Anchor(kind="age", low=decade + first, high=decade + end, unit="years", text=text)
    unit: Literal["years", "months"] = "months" if groups.get("u", "").lower().startswith("mo") else "years"
    low, high = _bounds(groups.get("rel", "at").lower(), int(groups["n"]), groups.get("n2"))
    if max(low or 0, high or 0) > (131 if unit == "years" else 240) or (high is not None and (low or 0) >= high):
        return None
    return Anchor(kind="age", low=low, high=high, unit=unit, text=text)


def _bounds(relation: str, number: int, second: str | None) -> tuple[int | None, int | None]:
    """Completed years: "before 18" and "until 18" end with the 18th birthday, "by 18" with the 19th."""
    if second:
        return number, int(second) + 1
    if relation in ("after", "since", "from", "over"):
        return number, None
    if relation == "by":
        return None, number + 1
    return (number, number + 1) if relation == "at" else (None, number)
