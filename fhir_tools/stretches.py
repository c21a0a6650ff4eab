"""Stretches that are told by their length and one end: "the two years up to 8 October 1984", "3 months after May".

A length "before" or "after" a time is a stretch where words say that something is sought in it ("in the year before
2016"); alone ("weight three months before 5 May") it means a day that is left to the reader, and is vague.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta

from dateutil.relativedelta import relativedelta

from fhir_tools.moments import LENGTH, Point, length

__all__ = ["INCLUSIVE", "measured"]

INCLUSIVE = re.compile(
    r"\s*,?\s*\(?(?:(?:with\s+)?both\s+(?:ends?|days|dates)\s+)?(?:(?:are\s+)?(?:counted|included|inclusive)|inclusively"
    r"|incl\.)\)?(?!\w)",
    re.IGNORECASE,
)
"""After a time: that its last day belongs to it, as it does anyway."""
_TO = r"up\s+to(?:\s+and\s+including)?|until|till|to|(?:ending|finishing)(?:\s+(?:on|in|with|at))?|leading\s+up\s+to"
_LENGTH = re.compile(
    rf"(?P<in>\b(?:in|over|during|within|for|of|throughout)\s+)?(?P<the>(?:the|his|her|their)\s+)?"
    rf"(?P<whole>(?:last|first|whole|full|entire|past|previous)\s+)?{LENGTH}\s+"
    rf"(?:just\s+|immediately\s+|directly\s+)?(?:(?P<to>{_TO})|(?P<before>before|preceding|prior\s+to)"
    r"|(?P<after>after|following)|(?P<since>from|since|(?:starting|beginning)(?:\s+(?:on|in|with|at))?))"
    r"\s+(?:the\s+)?$".replace(" ", r"\s+"),
    re.IGNORECASE,
)
_YEAR = re.compile(
    r"(?P<in>\b(?:in|over|during|within)\s+)(?P<the>the\s+)(?P<u>year|month|week)\s+"
    r"(?:(?P<to>up\s+to|until)|(?P<before>before|preceding|prior\s+to)|(?P<after>after|following))\s+$",
    re.I,
)


def measured(text: str, points: Iterable[Point]) -> list[Point]:
    """The points, with those that only end or begin a length as the stretch that is meant."""
    out: list[Point] = []
    for point in points:
        found = _LENGTH.search(text, 0, point.start) or _YEAR.search(text, 0, point.start)
        if not found or point.vague:
            out.append(point)
            continue
        start = found.end("in") if found["in"] else found.start()
        out = [p for p in out if p.end <= start]
        out.append(replace(_stretch(found, point), start=start, end=point.end))
    return out


def _stretch(found: re.Match[str], point: Point) -> Point:
    step = length(found)
    sought = bool(found["in"] or found["the"] or found.groupdict().get("whole"))
    ends = [_day(x) for x in (point.low, point.high)]
    if step is None or None in ends or not (sought or found["to"] or found.groupdict().get("since")):
        return replace(point, low=None, high=None, vague=True, pivot=None)
    low, high = _ends(found, step, *(x for x in ends if x))
    name = f"{low.isoformat()} to {(high - timedelta(days=1)).isoformat()}"
    return Point(start=0, end=0, low=low, high=high, name=name)


def _ends(found: re.Match[str], step: relativedelta, low: date, high: date) -> tuple[date, date]:
    """Both ends belong to "the two years up to 8 October": they begin on an 8 October."""
    if found["to"]:
        last = high - timedelta(days=1)
        return (last - step if high - low == timedelta(days=1) else high - step), high
    if found["before"]:
        return low - step, low
    return (high, high + step) if found["after"] else (low, low + step)


def _day(moment: date | datetime | None) -> date | None:
    return None if isinstance(moment, datetime) else moment
