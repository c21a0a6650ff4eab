"""Dates and numbers as a claim tells them: found in its words, with their precision, digits, unit and sign."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Literal

from agent.verify.words import MONTHS, NUMBER_WORDS
from fhir_tools import units

__all__ = ["Day", "Number", "Unit", "days_in", "normal", "numbers_in"]

Unit = Callable[[str], bool]
"""Whether a run of characters is a unit that the evidence writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A date in a claim: years, months and days that it leaves open are None; `clock` is a time of day."""

    start: int
    end: int
    year: int | None = None
    month: int | None = None
    day: int | None = None
    clock: time | None = None

    @property
    def first(self) -> date | None:
        """The first calendar date that is meant; None without a year."""
        return date(self.year, self.month or 1, self.day or 1) if self.year else None

    @property
    def last(self) -> date | None:
        """The last calendar date that is meant; None without a year."""
        if not self.year:
            return None
        if self.day:
            return self.first
        month = self.month or 12
        following = date(self.year + month // 12, month % 12 + 1, 1) if self.year < 9999 else date.max
        return following - timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number in a claim. `places` are the decimals shown, `figures` the significant digits.

    `unit` is as written, `comparator` as in FHIR, `signed` when a plus or minus was written, `second` the
    other number of `152/92` (join `/`), `3.5-5.0` (join `-`) or `1:80` (join `:`), `word` when it was spelled out.
    """

    start: int
    end: int
    text: str
    value: float
    places: int = 0
    figures: int = 1
    unit: str | None = None
    comparator: str | None = None
    signed: bool = False
    join: Literal["/", "-", ":", ""] = ""
    second: Number | None = None
    word: bool = False


_PLAIN = str.maketrans({"“": '"', "”": '"', "„": '"', "’": "'", "‘": "'", "–": "-", "—": "-", "−": "-",
"\u00a0": " ", "\u202f": " ",
                        "μ": "µ", "⁄": "/"})  # fmt: skip


def normal(text: str) -> str:
    """The text in lower case with one kind of quote, hyphen and blank; every character stays in its place."""
    plain = text.translate(_PLAIN)
    return plain.lower() if plain.isascii() else "".join(c.lower() if len(c.lower()) == 1 else c for c in plain)


_NAMES = "|".join(sorted(MONTHS, key=len, reverse=True))
_CLOCK = (
    r"(?:(?:t|,? (?:at )?)(?P<h>\d{1,2}):(?P<min>\d{2})(?::\d{2}(?:\.\d+)?)?(?: ?(?P<half>am|pm)\b)?"
    r"(?:z\b|[+-]\d{2}:?\d{2})?)?"
)
_DATES = tuple(
    re.compile(p)
    for p in (
        rf"(?<![\w.-])(?P<y>\d{{4}})-(?P<m>\d{{2}})-(?P<d>\d{{2}}){_CLOCK}(?![\w-])",
        rf"(?<![\w./])(?P<y>\d{{4}})/(?P<m>\d{{1,2}})/(?P<d>\d{{1,2}}){_CLOCK}(?![\w/])",
        rf"(?<![\w.-])(?P<d>\d{{1,2}})(?:st|nd|rd"
        rf"|th)?[ -](?:of )?(?P<name>{_NAMES})\.?,?[ -](?P<y>\d{{4}}){_CLOCK}(?!\w)",
        rf"(?<![\w-])(?P<name>{_NAMES})\.? (?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?:,? (?P<y>(?:19"
        rf"|20)\d{{2}}){_CLOCK})?(?!\w|\.\d|,? (?:19|20)\d\d)",
        rf"(?<![\w-])(?P<name>{_NAMES})\.?(?:,| of|-)? ?(?P<y>(?:19|20)\d{{2}})(?!\w)",
        rf"(?<![\w.-])(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<name>{_NAMES})(?!\w)",
        rf"(?<![\w./-])(?P<a>\d{{1,2}})(?P<sep>[/.-])(?P<b>\d{{1,2}})(?P=sep)(?P<y>\d{{4}}|\d{{2}}){_CLOCK}(?![\w/-])",
        r"(?<![\w.-])(?P<y>(?:19|20)\d{2})-(?P<m>0[1-9]|1[0-2])(?![\w-])",
        rf"(?<=\bin )(?P<name>{_NAMES})\b",
        r"(?<![\w.,/<>=+-])(?P<y>(?:19|20)\d{2})(?![\w/%]|[.,]\d)",
    )
)
_YEAR_FREE = re.compile(r"[ \t]*([^\s,;.)]+)")


def days_in(text: str) -> list[Day]:
    """The dates in a normalised text, in order; a bare year counts as one unless a unit follows it."""
    found: list[Day] = []
    taken: list[tuple[int, int]] = []
    for pattern in _DATES:
        for match in pattern.finditer(text):
            start, end = match.span()
            if any(start < b and a < end for a, b in taken):
                continue
            day = _day(match)
            if day and not (match.re is _DATES[-1] and _measures(text, end)):
                found.append(day)
                taken.append((start, end))
    return sorted(found, key=lambda d: d.start)


def _measures(text: str, end: int) -> bool:
    following = _YEAR_FREE.match(text, end)
    word = following[1] if following else ""
    return "/" in word or word in ("%", "mg", "ml", "kg", "g", "mcg", "units", "µg", "kcal", "steps")


def _day(match: re.Match[str]) -> Day | None:
    parts = match.groupdict()
    year = int(parts["y"]) if parts.get("y") else None
    if year is not None and year < 100:
        year += 2000 if year < 50 else 1900
    month = MONTHS[parts["name"]] if parts.get("name") else int(parts["m"]) if parts.get("m") else None
    day = int(parts["d"]) if parts.get("d") else None
    if parts.get("a"):
        a, b = int(parts["a"]), int(parts["b"])
        # 3/2/2019 is read as in the US unless it cannot be; 2.3.2019 as where dots are written
        month, day = (b, a) if parts["sep"] == "." or a > 12 else (a, b)
    try:
        date(year or 2000, month or 1, day or 1)
        clock = _clock(parts)
    except ValueError:
        return None
    return Day(start=match.start(), end=match.end(), year=year, month=month, day=day, clock=clock)


def _clock(parts: dict[str, str | None]) -> time | None:
    if not parts.get("h"):
        return None
    hour = int(parts["h"] or 0)
    if parts.get("half"):
        hour = hour % 12 + (12 if parts["half"] == "pm" else 0)
    return time(hour, int(parts["min"] or 0))


_FIGURE = r"(?:\d{1,3}(?:,\d{3}){1,5}(?!\d)|\d{1,18}(?!\d))(?:\.\d{1,18}(?!\d))?"
_NUMBER = re.compile(
    r"(?P<cmp>[<>]=?|≤|≥|\b(?:less than(?: or equal to)?|more than|greater than(?: or equal to)?|under|below|above|over"
    r"|at least|at most|exceed(?:s|ed|ing)?)\b)?"
    rf"(?P<gap>\s*)(?<![\w.])(?P<sign>(?:(?<=\s)|(?<=\()|^|(?<==)|(?<=\x02))[+-](?=\d))?(?<![a-z0-9_.])(?<![a-z]-)(?P<num>{_FIGURE})(?P<tail>\+?)"
)
_SECOND = re.compile(rf"(?P<join>\s?/\s?|\s?-\s?|:)(?P<num>{_FIGURE})(?![\w]*/\d)")
_WORD = re.compile(r"(?<![\w-])(" + "|".join(NUMBER_WORDS) + r")(?![\w-])")
_COMPARATORS = {
    "≤": "<=", "≥": ">=", "less than": "<", "less than or equal to": "<=", "more than": ">", "greater than": ">",
    "greater than or equal to": ">=", "under": "<", "below": "<", "above": ">", "over": ">", "at least": ">=",
    "at most": "<=",
    "exceed": ">", "exceeds": ">", "exceeded": ">", "exceeding": ">",
}  # fmt: skip


def numbers_in(text: str, shown: str, is_unit: Unit) -> Iterator[Number]:
    """The numbers in a normalised text whose names and dates are masked; `shown` is the text with its capitals."""
    at = 0
    while match := _NUMBER.search(text, at):
        number = _number(match, shown, is_unit)
        second = _SECOND.match(text, match.end("num")) if not number.unit else None
        if second:
            number = _joined(number, second, shown, is_unit)
        yield number
        at = max(number.end, match.end("num"))
    for match in _WORD.finditer(text):
        yield Number(
            start=match.start(), end=match.end(), text=match[0], value=float(NUMBER_WORDS[match[1]]), word=True
        )


def _number(match: re.Match[str], shown: str, is_unit: Unit) -> Number:
    digits, sign = match["num"].replace(",", ""), match["sign"] or ""
    start = match.start("cmp") if match["cmp"] else match.start("sign") if sign else match.start("num")
    unit, end = _unit(shown, match.end("num"), is_unit)
    return Number(
        start=start,
        end=end,
        text=digits,
        value=float(sign + digits),
        places=len(digits.partition(".")[2]),
        figures=len(digits.replace(".", "").lstrip("0")),
        unit=unit,
        comparator=_COMPARATORS.get(match["cmp"] or "", match["cmp"]),
        signed=bool(sign),
    )


def _joined(first: Number, match: re.Match[str], shown: str, is_unit: Unit) -> Number:
    digits = match["num"].replace(",", "")
    unit, end = _unit(shown, match.end("num"), is_unit)
    common = {
        "places": len(digits.partition(".")[2]),
        "figures": len(digits.replace(".", "").lstrip("0")),
        "unit": unit,
    }
    second = Number(start=match.start("num"), end=end, text=digits, value=float(digits), **common)  # type: ignore[arg-type]
    join: Literal["/", "-", ":"] = "/" if "/" in match["join"] else "-" if "-" in match["join"] else ":"
    return Number(
        start=first.start,
        end=end,
        text=first.text,
        value=first.value,
        places=first.places,
        figures=first.figures,
        unit=unit,
        comparator=first.comparator,
        signed=first.signed,
        join=join,
        second=second,
    )


_RUN = re.compile(r"[ \t-]?(\S+)((?: \S+){0,2})")
_SPELLED = frozenset(
    """mg g kg ug mcg µg ng pg mmol umol µmol nmol pmol mol meq meq/l ml l dl cl ul µl cm mm m km ft inch inches
    lb lbs pound pounds oz years year yrs yr months month weeks week wks days day hours hour hrs hr h min mins
    minutes minute sec seconds
    bpm mmhg cmh2o mosm iu u units unit % percent °c °f c f celsius fahrenheit pack-years kcal kpa pa kg/m2 kg/m²
    beats breaths points k inr""".split()
)


def _unit(shown: str, at: int, is_unit: Unit) -> tuple[str | None, int]:
    """The unit that follows a number, the longest run of up to three words that is one, and where it ends."""
    run = _RUN.match(shown, at)
    if not run:
        return None, at
    words = [run[1], *run[2].split()]
    for count in range(len(words), 0, -1):
        text = " ".join(words[:count])
        for candidate in dict.fromkeys((text, text.rstrip(".,;:!?"), text.rstrip(".,;:!?)"))):
            if candidate and _reads_as_unit(candidate, is_unit):
                return candidate, run.start(1) + len(candidate)
    return None, at


def _reads_as_unit(text: str, is_unit: Unit) -> bool:
    if any(c in text for c in '\x01\x02\x03"'):
        return False
    low = text.lower()
    if low in ("in", "a", "at", "as", "to", "on", "is", "by") or re.match(r"[/.-]\d|(?!10[*^])\d", low):
        return False
    if low in _SPELLED or is_unit(text):
        return True
    joined = "/" in text or "[" in text or "^" in text or "*" in text or " per " in low
    return joined and units.canonical(text, None) is not None
