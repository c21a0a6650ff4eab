"""Times in criteria: "within 6 months before screening", "at least 4 weeks ago", "for at least 3 months", "since 2020".

A criterion counts from the day of screening, whatever it calls that day; what is counted from another event ("within 24
hours of surgery") is no period here and stays as words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from agent.trials.checks import Length, Period
from fhir_tools import phrases

__all__ = ["COUNTS", "Time", "times"]

COUNTS = "one two three four five six seven eight nine ten eleven twelve".split()
_N = rf"(?P<n>\d+(?:\.\d+)?|{'|'.join(COUNTS)}|an?)(?:\s*\(\s*\d+\s*\))?"
_U = r"(?P<u>hours?|hrs?|days?|weeks?|wks?|months?|mos?|years?|yrs?|half-lives)\b(?:'s?)?"
_LENGTH = rf"{_N}[\s-]*(?:calendar\s+|full\s+|consecutive\s+)?{_U}"
_DAYS = (
    r"(?:pre-?|re-?)?screening|enrol+?ment|enrol+?ing|randomi[sz]ation|randomi[sz]ed|baseline|study\s+entry|entry|inclusion|recruitment|registration|(?:signing\s+(?:of\s+)?)?"
    r"(?:the\s+)?(?:informed\s+)?consent(?:\s+form)?|ICF|signing|day\s+-?[01]|visit\s+\d|(?:the\s+)?first\s+(?:dose|administration|infusion|injection)(?:\s+of\s+(?:the\s+)?"
    r"(?:study|investigational|trial)\s+(?:drug|treatment|product|medication|intervention))?|(?:study|trial|protocol)\s+(?:drug|treatment|medication|participation|start|therapy|intervention|day\s+\d|"
    r"enrol+?ment|screening|inclusion|randomi[sz]ation|baseline)(?:\s+(?:administration|initiation|start))?|(?:the\s+)?start\s+of\s+(?:the\s+)?(?:study|trial|treatment|study\s+treatment|study\s+drug)|index\s+date"
    r"|today|now|(?:the\s+)?(?:study|trial)|dosing|treatment\s+start|(?:start\s+of\s+(?:the\s+)?)?run-?in|(?:(?:the\s+)?first\s+|study\s+)*vaccinations?|participation(?:\s+in\s+(?:the|this)\s+(?:study|trial))?"
)
_DAY = (
    r"(?:the\s+)?(?:date\s+of\s+|time\s+of\s+|day\s+of\s+|planned\s+)?(?:the\s+)?"
    rf"(?:(?:study|trial)\s*)?(?:{_DAYS})(?:\s+(?:visit|period|date|phase|day|assessment|into\s+the\s+(?:study|trial)))*"
)
_AGO = (
    r"(?:\s*(?:,\s*)?(?:immediately\s+)?(?:prior\s+to|before|preceding|of|from|to|leading\s+up\s+to|ahead\s+of)\s+"
    rf"{_DAY}|\s+(?:prior|before|ago|earlier|previously|preceding))"
)
_ANCHOR = rf"(?:{_AGO}|\s+at\s+{_DAY})"
"""The end of a length that has lasted: it may be so long "at screening", where an age is so many years "at screening"."""
_PAST = r"(?:past|last|previous|prior|preceding|most\s+recent)"
_NOT_OTHER = r"(?!\s*(?:prior\s+to|before|after|following|preceding|of|from)\s+(?:the\s+)?[a-z])"
_FORMS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        ("lasting", rf"\b(?:for|since|duration\s+(?:of|for)|lasting|(?<!\bage )of)\s+(?:a\s+(?:period|duration|minimum)\s+of\s+)?(?:at\s+least|more\s+than|greater\s+than|longer\s+than|a\s+minimum\s+of|no\s+less\s+than|over|≥|>=?)\s*{_LENGTH}(?:\s+duration)?(?:{_ANCHOR})?"),
        ("lasting", rf"\b(?:for)\s+{_LENGTH}\s+or\s+(?:more|longer)(?:{_ANCHOR})?"),
        ("lasting", rf"(?:≥|>=?|\bat\s+least|\bmore\s+than)\s*{_LENGTH}\s*(?:of\s+)?(?:duration|history)\b"),
        ("before", rf"(?:\b(?:(?:more|greater|longer)\s+than\s+or\s+equal\s+to|at\s+least|more\s+than|greater\s+than|longer\s+than|over|no\s+less\s+than|not\s+less\s+than)|≥|>=?)\s*{_LENGTH}(?:\s+or\s+more)?{_AGO}"),
        ("before", rf"\b{_LENGTH}\s+or\s+(?:more|longer)(?:\s+ago|{_AGO})"),
        ("within", rf"\b(?:with)?in\s+(?:the\s+)?(?:{_PAST}\s+)?(?:less\s+than\s+|<\s*|approximately\s+|≤\s*)?{_LENGTH}{_AGO}"),
        ("within", rf"\b(?:(?:with)?in|during|over|for|throughout)\s+(?:the\s+)?{_PAST}\s+{_LENGTH}(?:{_AGO})?"),
        ("within", rf"\b(?:during|over|for)\s+(?:the\s+)?{_LENGTH}{_AGO}"),
        ("within", rf"(?:\bless\s+than|\bfewer\s+than|<=?|≤|\bno\s+more\s+than|\bup\s+to)\s*{_LENGTH}{_AGO}"),
        ("within", rf"\bwithin\s+(?:the\s+)?{_LENGTH}{_NOT_OTHER}"),
        ("within", rf"\b{_PAST}\s+{_LENGTH}"),
        ("one", rf"\b(?:(?:with)?in|during|over|for)\s+(?:the\s+)?{_PAST}\s+(?P<u>day|week|month|year)\b(?:{_ANCHOR})?"),
        ("one", rf"\b{_PAST}\s+(?P<u>week|month|year)\b"),
    )
)  # fmt: skip
_UNIT = {"d": "day", "w": "week", "m": "month", "y": "year"}
_DATED = re.compile(r"\b(?:19|20)\d\d\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """`text[start:end]` says when. One of `period` and `lasting` is set."""

    start: int
    end: int
    period: Period | None = None
    lasting: Length | None = None


def times(text: str) -> list[Time]:
    """The times of a text in order, without overlap; `text` is `levelled`."""
    found: list[Time] = []
    for kind, pattern in _FORMS:
        for m in pattern.finditer(text):
            length = _length(m)
            if length and not any(t.start < m.end() and m.start() < t.end for t in found):
                found.append(_time(kind, m, length))
    found += [t for t in _dated(text) if not any(o.start < t.end and t.start < o.end for o in found)]
    return sorted(found, key=lambda t: t.start)


_OR_HALF_LIVES = re.compile(
    r"\s*(?:,\s*)?or\s+(?:within\s+)?(?:at\s+least\s+)?\w+(?:\s*\(\d+\))?\s+half[- ]li(?:ves|fe)", re.I
)
_LONGER = re.compile(
    r"\s*(?:,\s*)?(?:\(\s*)?whichever\s+(?:is|was|comes)\s+(?:the\s+)?(?:longer|longest|first|earlier)\s*\)?", re.I
)


def _time(kind: str, m: re.Match[str], length: Length) -> Time:
    """The time that a match tells. Half-lives of a drug are not counted: the days beside them are."""
    end = m.end()
    for tail in (_OR_HALF_LIVES, _LONGER):
        if more := tail.match(m.string, end):
            end = more.end()
    if kind == "lasting":
        return Time(start=m.start(), end=end, lasting=length)
    period = Period(before=length) if kind == "before" else Period(within=length)
    return Time(start=m.start(), end=end, period=period)


def _length(m: re.Match[str]) -> Length | None:
    word = m.groupdict().get("n", "1").lower()
    count = 1.0 if word in ("a", "an") else float(COUNTS.index(word) + 1) if word in COUNTS else float(word)
    unit = m["u"].lower()
    if unit.startswith("h"):
        return Length(count=max(1.0, -(-count // 24)), unit="day") if unit.startswith(("ho", "hr")) else None
    return Length(count=count, unit=_UNIT[unit[0]])  # type: ignore[arg-type]


def _dated(text: str) -> Iterator[Time]:
    """Calendar times that name their year: "since January 2020", "before 2015"."""
    if not _DATED.search(text):
        return
    for phrase in phrases.find(text, date(2100, 1, 1)):
        window = phrase.window
        if window is None or phrase.vague or not _DATED.search(text[phrase.start : phrase.end]):
            continue
        since = window.low if isinstance(window.low, date) else None
        until = window.high - timedelta(days=1) if isinstance(window.high, date) else None
        if since or until:
            yield Time(start=phrase.start, end=phrase.end, period=Period(since=since, until=until))
