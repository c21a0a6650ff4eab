"""Days that the calendar gives: holidays by their names, and days of one month ("2-11 Aug 2025").

Movable feasts are worked out: Easter by the Gregorian computus (`dateutil.easter`), Thanksgiving as the fourth
Thursday of November (5 U.S.C. 6103). "Over Christmas" is the feast with the days next to it. Without a year the latest
is meant that has begun by today, as everywhere (`fhir_tools.moments`).
"""

from __future__ import annotations

import re
from calendar import THURSDAY, monthcalendar
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta

from dateutil.easter import easter

from fhir_tools.moments import Point, Stretch

__all__ = ["calendar_days"]


def _thanksgiving(year: int) -> date:
    thursdays = [week[THURSDAY] for week in monthcalendar(year, 11) if week[THURSDAY]]
    return date(year, 11, thursdays[3])


def _fixed(month: int, day: int) -> Callable[[int], date]:
    return lambda year: date(year, month, day)


def _easter(days: int) -> Callable[[int], date]:
    return lambda year: easter(year) + timedelta(days=days)


_FEASTS: tuple[tuple[str, Callable[[int], date]], ...] = (
    (r"(?:christmas|xmas) eve", _fixed(12, 24)),
    (r"(?:christmas|xmas)(?: day)?", _fixed(12, 25)),
    (r"boxing day|(?:st\.? )?stephen['’]?s day", _fixed(12, 26)),
    (r"new year['’]?s eve|hogmanay", _fixed(12, 31)),
    (r"new year['’]?s day|new year['’]?s?", _fixed(1, 1)),
    (r"(?:st\.? )?valentine['’]?s(?: day)?", _fixed(2, 14)),
    (r"(?:st\.? )?patrick['’]?s day", _fixed(3, 17)),
    (r"good friday", _easter(-2)),
    (r"easter monday", _easter(1)),
    (r"easter(?: sunday| day)?", _easter(0)),
    (r"ascension day", _easter(39)),
    (r"whit sunday|pentecost", _easter(49)),
    (r"whit monday", _easter(50)),
    (r"independence day", _fixed(7, 4)),
    (r"hall?owe['’]?en", _fixed(10, 31)),
    (r"veterans['’]? day", _fixed(11, 11)),
    (r"thanksgiving(?: day)?", _thanksgiving),
)
_Y = r"(?P<y>(?:1[89]|2[01])\d\d)(?![\d%]|[.,]\d|-\d)"
_FEAST = re.compile(
    rf"\b(?P<feast>{'|'.join(name for name, _ in _FEASTS)})(?:,? (?:of |in )?{_Y})?(?!\w)", re.IGNORECASE
)
_SEASON = re.compile(r"\b(?:over|around|during|throughout) (?:the )?$", re.IGNORECASE)
_SEASONS = re.compile(r"(?:christmas|xmas|new year['’]?s?|easter|thanksgiving)$", re.IGNORECASE)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<mon>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_DAY = r"(?:3[01]|[12]\d|0?[1-9])"
_DAYS = re.compile(
    rf"(?P<between>\bbetween (?:the )?)?(?<![\w/.-])(?P<d1>{_DAY})(?:st|nd|rd|th)?"
    r"(?:\s*[-–]\s*|\s+(?:to|until|till|through)\s+(?:the )?|(?P<and>\s+and\s+(?:the )?))"
    rf"(?P<d2>{_DAY})(?:st|nd|rd|th)?(?:\s+of)?\s+{_MONTH}(?:[,\s]*{_Y})?(?! ?\d)",
    re.IGNORECASE,
)


def calendar_days(text: str, as_of: date | datetime) -> Iterator[Point]:
    """What a text names of holidays and days of one month; a day that there is not is left out."""
    today = as_of.date() if isinstance(as_of, datetime) else as_of
    for m in _FEAST.finditer(text):
        yield from _point(m, m.start(), today, _feast)
    for m in _DAYS.finditer(text):
        if bool(m["between"]) == bool(m["and"]):
            yield from _point(m, m.start("d1"), today, _month)


def _point(
    m: re.Match[str], start: int, today: date, build: Callable[[re.Match[str], int], Stretch]
) -> Iterator[Point]:
    for year in [int(m["y"])] if m["y"] else range(today.year, today.year - 9, -1):
        try:
            low, high, name = build(m, year)
        except ValueError:
            continue
        if m["y"] or low <= today:
            yield Point(start=start, end=m.end(), low=low, high=high, name=name)
            return


def _month(m: re.Match[str], year: int) -> Stretch:
    month = _MONTHS.index(m["mon"][:3].lower()) + 1
    low, last = date(year, month, int(m["d1"])), date(year, month, int(m["d2"]))
    if low >= last:
        raise ValueError("no days in order")
    return low, last + timedelta(days=1), f"{low.isoformat()} to {last.isoformat()}"


def _feast(m: re.Match[str], year: int) -> Stretch:
    name = m["feast"]
    day = next(when for pattern, when in _FEASTS if re.fullmatch(pattern, name, re.IGNORECASE))(year)
    after = day + timedelta(days=1)
    if not (_SEASON.search(m.string, 0, m.start()) and _SEASONS.fullmatch(name)):
        return day, after, day.isoformat()
    low = day - timedelta(days=1)
    return low, after + timedelta(days=1), f"{low.isoformat()} to {after.isoformat()}"
