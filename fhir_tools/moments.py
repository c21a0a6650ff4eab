"""Stretches of time that a text names, before the words round them are read: days, months, years, "last 3 months".

Each recogniser is a pattern and what it means relative to today; `phrases` adds prepositions, ranges and ages, and
its head says the rules of reading. Matching is by shape, so that doses, codes, counts and drug labels are left.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from dateutil.relativedelta import relativedelta

from fhir_tools import dates

__all__ = ["LENGTH", "Point", "Stretch", "apart", "length", "named"]

Stretch = tuple[date, date, str]
"""The first day, the first day after, and a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """`text[start:end]` names `low` to `high` (exclusive; dates, or naive datetimes on the local clock).

    `weak` ones count only with a preposition, at 2 only with one that fits nothing but a time. `rolling` ones end
    with today. `pivot` is the day that "since" and "before" mean where the stretch is wider. `yearless` gives the same
    stretch in another year. `vague` ones mean a time that cannot be worked out.
    """

    start: int
    end: int
    low: date | datetime | None
    high: date | datetime | None
    name: str
    weak: int = 0
    rolling: bool = False
    pivot: date | None = None
    yearless: Callable[[int], Stretch] | None = None
    vague: bool = False


# Vocabulary.

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<mon>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_YEAR = r"(?:1[89]|2[01])\d\d"
_Y = rf"(?:(?P<y>{_YEAR})|['’](?P<yy>\d\d))(?![\d%]|[.,]\d|-\d)"
_DAY = r"(?P<d>3[01]|[12]\d|0?[1-9])(?P<th>st|nd|rd|th)?(?![\d%]|\.\d)"
_DIGITS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_WORDS = {
    **{word: n for n, word in enumerate(_DIGITS, 1)},
    **{"a": 1, "an": 1, "couple": 2, "couple of": 2, "a couple": 2, "a couple of": 2, "half a": 0.5, "half": 0.5},
    **{"fifteen": 15, "eighteen": 18, "twenty": 20, "twenty-four": 24, "thirty": 30, "forty-eight": 48, "ninety": 90},
}
_VAGUE = r"(?:a )?few|several|some|many|number of|a number of"
_N = rf"(?P<n>\d{{1,4}}(?:\.\d)?|(?P<vague>{_VAGUE})|" + "|".join(sorted(_WORDS, key=len, reverse=True)) + ")"
_UNITS = {"mi": "minutes", "h": "hours", "d": "days", "w": "weeks", "mo": "months", "mt": "months", "y": "years"}
_UNIT = (
    r"(?P<u>years?|yrs?|y|months?|mos?|mths?|weeks?|wks?|w|days?|d|hours?|hrs?|h|minutes?|mins?)(?![\w/])(?:['’]s?)?"
)
LENGTH = rf"(?<![\w.]){_N}(?:[\s-]+|(?<=\d)){_UNIT}"
"""A pattern of a length of time, which `length` reads."""
_STAY = r"(?:the |her |his |their |this |that )?(?:admission|hospital|stay|pregnancy|life|course|therapy|treatment)"
_CALENDAR = r"(?P<u>year|yr|month|week|wk|quarter)\b(?:['’]s)?"
_SEASONS = {"spring": 3, "summer": 6, "fall": 9, "autumn": 9, "winter": 12}
_ORDINALS = {"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4, "last": 4}
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DOSE = (
    r"(?:mg|mcg|ug|g|gm|grams?|kg|ml|l|dl|iu|units?|unt|u|k?cal(?:ories)?|steps|cells|meq|mmol|ng|pg|lbs?|pounds|feet"
    r"|ft|meters|copies|hours?|hrs?|tablets?|tabs?|caps(?:ules)?|puffs|drops|doses?|patients|times|results?|percent)\b"
)
# A year after one of these is an amount, a clock time or a code.
_NOT_YEAR = re.compile(
    r"(?:\b(?:at|than|over|above|below|under|exceed(?:s|ing)?|loinc|snomed|rxnorm|cvx|icd|code|dose|room|bed|mrn|id|no\."
    r"|number|ferritin of|count of|level of|equals?|reach(?:es|ed)?)|[<>=#$~|:])\s*$",
    re.I,
)

# Prescribed in thousands of units, which nobody writes out.
_VITAMIN = re.compile(r"\b(?:vit(?:amin)?\.?\s*d[23]?|cholecalciferol|ergocalciferol)\s*$", re.I)


def _whole(day: date, unit: str) -> Stretch:
    """The calendar day, week, month, quarter or year that holds the day: first, first after, name."""
    if unit == "years":
        return date(day.year, 1, 1), date(day.year + 1, 1, 1), f"{day.year:04d}"
    if unit in ("months", "quarters"):
        step = 1 if unit == "months" else 3
        low = day.replace(day=1, month=(day.month - 1) // step * step + 1)
        high = low + relativedelta(months=step)
        return low, high, low.isoformat()[:7] if step == 1 else f"{low.year} Q{low.month // 3 + 1}"
    low = day - timedelta(days=day.weekday() if unit == "weeks" else 0)
    high = low + timedelta(days=7 if unit == "weeks" else 1)
    return low, high, low.isoformat() if unit == "days" else f"week of {low.isoformat()}"


@dataclass(frozen=True, slots=True)
class _Reader:
    """The recognisers: each takes a match and gives what it names, None to leave it, ValueError where it is vague."""

    today: date
    now: datetime

    def year(self, m: re.Match[str]) -> int | None:
        """The year written in four digits, or the latest one with these two that is not after today."""
        if full := _group(m, "y"):
            return int(full)
        short = _group(m, "yy")
        return self.short(int(short)) if short else None

    def short(self, two: int) -> int:
        return self.today.year - (self.today.year - two) % 100

    def made(self, m: re.Match[str], stretch: Stretch, **more: object) -> Point:
        low, high, name = stretch
        return Point(start=m.start(), end=m.end(), low=low, high=high, name=name, **more)  # type: ignore[arg-type]

    def latest(self, m: re.Match[str], build: Callable[[int], Stretch], weak: int) -> Point:
        """A date without its year: the latest that has begun by today."""
        for year in range(self.today.year, self.today.year - 9, -1):
            try:
                stretch = build(year)
            except ValueError:
                continue
            if stretch[0] <= self.today:
                return self.made(m, stretch, weak=weak, yearless=build)
        raise ValueError("no such day")

    def iso(self, m: re.Match[str]) -> Point | None:
        year, month = int(m["y"]), int(m["m"])
        if month > 12 and not _group(m, "d") and month > year % 100:
            return self.made(m, (date(year, 1, 1), date(year - year % 100 + month + 1, 1, 1), f"{year} to {m['m']}"))
        if not _group(m, "d"):
            return self.made(m, _whole(date(year, month, 1), "months"))
        day = date(year, month, int(m["d"]))
        if not _group(m, "time"):
            return self.made(m, _whole(day, "days"))
        read = dates.parse(f"{day.isoformat()}T{m['time']}")
        low, high = (x.replace(tzinfo=None) if x else None for x in (read.low, read.high))
        name = f"{day.isoformat()} {m['time']}"
        return Point(start=m.start(), end=m.end(), low=low, high=high, name=name, pivot=day)

    def slashed(self, m: re.Match[str]) -> Point:
        first, second = int(m["m"]), int(m["d"])
        month, day = (second, first) if first > 12 >= second else (first, second)
        if len(m["y"]) == 4:
            return self.made(m, _whole(date(int(m["y"]), month, day), "days"))
        found = date(self.short(int(m["y"])), month, day)
        return self.made(m, _whole(found, "days"))

    def dotted(self, m: re.Match[str]) -> Point:
        return self.made(m, _whole(date(int(m["y"]), int(m["m"]), int(m["d"])), "days"))

    def month_slash(self, m: re.Match[str]) -> Point:
        return self.made(m, _whole(date(int(m["y"]), int(m["m"]), 1), "months"))

    def day_slash(self, m: re.Match[str]) -> Point | None:
        month, day = int(m["m"]), int(m["d"])
        if not (1 <= month <= 12 and 1 <= day <= 31):
            return None
        return self.latest(m, lambda year: _whole(date(year, month, day), "days"), 2)

    def named_day(self, m: re.Match[str]) -> Point:
        month, day, year = _MONTHS.index(m["mon"][:3].lower()) + 1, int(m["d"]), self.year(m)
        if year is not None:
            return self.made(m, _whole(date(year, month, day), "days"))
        sure = bool(_group(m, "th")) or (m["mon"][0].isupper() and len(m["mon"]) > 3)
        return self.latest(m, lambda y: _whole(date(y, month, day), "days"), 0 if sure else 1)

    def month(self, m: re.Match[str]) -> Point | None:
        number, year, word = _MONTHS.index(m["mon"][:3].lower()) + 1, self.year(m), _group(m, "which").lower()
        if year is not None:
            return self.made(m, _whole(date(year, number, 1), "months"))
        if word == "next":
            return None
        if word in ("last", "previous", "past"):
            year = self.today.year if number < self.today.month else self.today.year - 1
            return self.made(m, _whole(date(year, number, 1), "months"))
        # "May" and "mar" are words of their own; a month's full name inside a sentence is a month.
        sure = bool(word) or (m["mon"][0].isupper() and len(m["mon"]) > 3 and m.start() > 0)
        return self.latest(m, lambda y: _whole(date(y, number, 1), "months"), 0 if sure else 1)

    def years(self, m: re.Match[str]) -> Point | None:
        if _NOT_YEAR.search(m.string[: m.start()]):
            return None
        year = int(m["y"])
        if year == 2000 and _VITAMIN.search(m.string[: m.start()]):
            return None
        alone = 1900 <= year <= self.today.year + 1
        return self.made(m, _whole(date(year, 1, 1), "years"), weak=0 if alone else 1)

    def year_range(self, m: re.Match[str]) -> Point:
        first, second = int(m["y"]), m["y2"]
        last = int(second) if len(second) == 4 else first - first % 100 + int(second)
        return self.made(m, (date(first, 1, 1), date(last + 1, 1, 1), f"{first} to {last}"))

    def part(self, m: re.Match[str]) -> Point | None:
        """A half, a third (early, mid, late) or a quarter of a year."""
        year, word = self.year(m), m["part"].lower()
        if year is None:
            return None
        size = 6 if "half" in m[0].lower() else 3 if re.search(r"(?i)q\d|quarter", m[0]) else 4
        index = {"early": 1, "beginning of": 1, "start of": 1, "mid": 2, "middle of": 2, "late": 3, "end of": 3}.get(
            word, _ORDINALS.get(word, int(word[-1]) if word[-1].isdigit() else 1)
        )
        low = date(year, (index - 1) * size + 1, 1)
        word = {4: ("early", "mid", "late"), 6: ("first half of", "second half of")}.get(size, ("",) * 4)[index - 1]
        name = f"{year} Q{index}" if size == 3 else f"{word} {year}"
        return self.made(m, (low, low + relativedelta(months=size), name))

    def season(self, m: re.Match[str]) -> Point | None:
        name, year, word = m["season"].lower(), self.year(m), _group(m, "which").lower()

        def build(of: int) -> Stretch:
            low = date(of, _SEASONS[name], 1)
            return low, low + relativedelta(months=3), f"{name} {of}"

        if year is not None:
            return self.made(m, build(year))
        # "last fall" is an accident more often than a season.
        if name == "fall":
            return None
        point = self.latest(m, build, 0 if word else 1)
        if word == "last" and isinstance(point.high, date) and point.high > self.today:
            return self.made(m, build(int(point.name[-4:]) - 1))
        return point

    def decade(self, m: re.Match[str]) -> Point:
        low = self.year(m) or self.today.year
        weak = 0 if _group(m, "y") or _group(m, "tick") else 1
        return self.made(m, (date(low, 1, 1), date(low + 10, 1, 1), f"the {low}s"), weak=weak)

    def rolling(self, m: re.Match[str]) -> Point:
        """The last N units, up to and with today; hours end with `now`."""
        unit = _unit(m["u"])
        step, _ = _step(_group(m, "n"), unit, _group(m, "vague"))
        name = f"last {_amount(m['n'])} {unit}" if _amount(_group(m, "n")) != "1" else f"last {unit[:-1]}"
        if unit in ("hours", "minutes"):
            low = self.now - step
            return Point(start=m.start(), end=m.end(), low=low, high=self.now, name=name, rolling=True)
        return self.made(m, (self.today - step, self.today + timedelta(days=1), name), rolling=True)

    def recent(self, m: re.Match[str]) -> Point:
        """`last year` (calendar), `the last year` and `past year` (rolling), `this year`."""
        word, unit = m["which"].lower(), "quarters" if m["u"][0] in "qQ" else _unit(m["u"])
        span = relativedelta(months=3) if unit == "quarters" else relativedelta(**{unit: 1})  # type: ignore[arg-type]
        if word == "this":
            return self.made(m, _whole(self.today, unit))
        before = m.string[: m.start()].lower()
        rolls = word == "past" or _group(m, "the") or re.search(r"\b(?:over|within)\s+$", before)
        if rolls and "calendar" not in m[0].lower():
            return self.made(m, (self.today - span, self.today + timedelta(days=1), f"last {unit[:-1]}"), rolling=True)
        return self.made(m, _whole(_whole(self.today, unit)[0] - timedelta(days=1), unit))

    def single(self, m: re.Match[str]) -> Point:
        word = m[0].lower()
        back = 2 if "before yesterday" in word else 1 if "yesterday" in word else 0
        if "night" in word and word != "tonight":
            # The night has two dates; a fact of either belongs to it.
            low = self.today - timedelta(days=1)
            return self.made(m, (low, self.today + timedelta(days=1), "last night"), rolling=True)
        return self.made(m, _whole(self.today - timedelta(days=back), "days"))

    def to_date(self, m: re.Match[str]) -> Point:
        return self.made(m, (date(self.today.year, 1, 1), self.today + timedelta(days=1), "this year"), rolling=True)

    def ago(self, m: re.Match[str]) -> Point:
        unit, more = _unit(m["u"]), _group(m, "more").lower()
        step, named_unit = _step(_group(m, "n"), unit, _group(m, "vague"))
        if named_unit in ("hours", "minutes"):
            raise ValueError("no clock to count from")
        then = self.today - step
        name = f"{_amount(m['n'])} {unit} ago"
        if more in ("more than", "over", "greater than", "at least", ">"):
            return Point(start=m.start(), end=m.end(), low=None, high=then, name=f"more than {name}", rolling=True)
        if more:
            after = self.today + timedelta(days=1)
            return self.made(m, (then, after, f"less than {name}"), rolling=True)
        return self.made(m, _whole(then, named_unit), pivot=then)

    def weekday(self, m: re.Match[str]) -> Point:
        back = (self.today.weekday() - _WEEKDAYS.index(m["wd"].lower())) % 7
        if _group(m, "which").lower() in ("last", "previous") and back == 0:
            back = 7
        return self.made(m, _whole(self.today - timedelta(days=back), "days"), weak=0 if _group(m, "which") else 2)


def _group(m: re.Match[str], name: str) -> str:
    """A named group that took part, else the empty string; not every pattern of a reading has every group."""
    return m.groupdict().get(name) or ""


def _unit(word: str) -> str:
    lower = word.lower()
    return _UNITS.get(lower[:2]) or _UNITS[lower[0]]


def _amount(text: str) -> str:
    value = _WORDS.get(" ".join(text.lower().split()), text or "1")
    return f"{float(value):g}"


def _step(number: str, unit: str, vague: str) -> tuple[relativedelta, str]:
    """N units as calendar steps, and the unit they are counted in: half a year is six months, and no year.

    Raises ValueError where the number is not exact, or does not come out in whole months, days or minutes.
    """
    if vague:
        raise ValueError("not an exact number")
    value = float(_amount(number))
    if value != int(value) and unit in _SMALLER:
        size, unit = _SMALLER[unit]
        value *= size
    if value != int(value) or value <= 0:
        raise ValueError("not an exact number")
    return relativedelta(**{unit: int(value)}), unit  # type: ignore[arg-type]


_SMALLER = {"years": (12, "months"), "weeks": (7, "days"), "hours": (60, "minutes")}


def length(m: re.Match[str]) -> relativedelta | None:
    """What a match of `LENGTH` comes to in calendar steps; None where it is not exact, or of hours."""
    try:
        step, unit = _step(_group(m, "n"), _unit(m["u"]), _group(m, "vague"))
    except ValueError:
        return None
    return step if unit in ("days", "weeks", "months", "years") else None


def _rx(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace(" ", r"\s+"), re.I)


_NO_LENGTH = "".join(
    rf"(?<!\b{word}\s)"
    for word in (
        *("every", "each", "per", "q", "for", "in", "at", "of", "than", "least"),
        *("is", "was", "age", "aged", "over", "and", "or", "until", "after"),
    )
)
_POINTS: tuple[tuple[re.Pattern[str], Callable[[_Reader, re.Match[str]], Point | None]], ...] = (
    (
        _rx(
            rf"(?<![\w.-])(?P<y>{_YEAR})([-/])(?P<m>\d\d)(?:\2(?P<d>\d\d)(?:[T ](?P<time>\d\d:\d\d(?::\d\d(?:\.\d+)?)?"
            r"(?:Z|[+-]\d\d:?\d\d)?))?)?(?![\w/]|[-.]\d)"
        ),
        _Reader.iso,
    ),
    (_rx(rf"(?<![\w./-])(?P<y>{_YEAR})\s*[-–/]\s*(?P<y2>{_YEAR})(?![\w/]|[-.]\d)"), _Reader.year_range),
    (_rx(r"(?<![\w/.-])(?P<m>\d{1,2})/(?P<d>\d{1,2})/(?P<y>\d{4}|\d\d)(?![\w/]|[-.]\d)"), _Reader.slashed),
    # With dots the day comes first, as it is written wherever dots are.
    (_rx(rf"(?<![\w/.-])(?P<d>\d{{1,2}})\.\s?(?P<m>\d{{1,2}})\.\s?(?P<y>{_YEAR})(?![\w/]|[-.]\d)"), _Reader.dotted),
    (_rx(rf"(?<![\w/.-])(?P<m>\d{{1,2}})-(?P<d>\d{{1,2}})-(?P<y>{_YEAR})(?![\w/]|[-.]\d)"), _Reader.slashed),
    (_rx(rf"(?<![\w/.-])(?P<m>0?[1-9]|1[0-2])/(?P<y>{_YEAR})(?![\w/]|[-.]\d)"), _Reader.month_slash),
    (_rx(r"(?<![\w/.-])(?P<m>\d{1,2})/(?P<d>\d{1,2})(?![\w/%]|[-.]\d)"), _Reader.day_slash),
    (_rx(rf"(?<![\w/.-]){_DAY}(?:\s+of\s+|\s*[-/]?\s*){_MONTH}(?:[,\s/-]*{_Y})?(?! ?\d)"), _Reader.named_day),
    (_rx(rf"\b{_MONTH}[\s-]*(?:the )?{_DAY}(?! ?{_DOSE})(?:[,\s]+{_Y})?"), _Reader.named_day),
    (_rx(rf"\b(?:(?P<which>last|previous|past|this|next) )?{_MONTH}(?:[,\s-]*(?:of )?{_Y})?"), _Reader.month),
    (
        _rx(rf"(?<![\w./$#<>=,+*^-])(?P<y>{_YEAR})(?![\w%/]|[.,]\d|-(?!(?:present|now|date)\b)\w|\s*{_DOSE})"),
        _Reader.years,
    ),
    (_rx(rf"\b(?P<part>q[1-4])(?: of)?[\s,/-]*{_Y}"), _Reader.part),
    (
        _rx(rf"\b(?:the )?(?P<part>first|1st|second|2nd|third|3rd|fourth|4th|last) quarter(?: of| in)?[\s,]+{_Y}"),
        _Reader.part,
    ),
    (_rx(rf"\b(?:the )?(?P<part>first|1st|second|2nd) half(?: of| in)? {_Y}"), _Reader.part),
    (_rx(rf"\b(?:the )?(?P<part>early|mid|late|(?:beginning|start|middle|end) of)[\s-]+{_Y}"), _Reader.part),
    (_rx(rf"\b(?:the )?(?P<season>spring|summer|autumn|winter)(?: of)?[\s,]+{_Y}"), _Reader.season),
    (_rx(rf"\b(?:the )?(?P<season>fall) of {_Y}"), _Reader.season),
    (
        _rx(r"\b(?:the )?(?:(?P<which>last|this) )?(?P<season>spring|summer|autumn|winter)\b"),
        _Reader.season,
    ),
    (_rx(r"\b(?:the )?(?P<y>(?:18|19|20|21)\d0)['’]?s\b"), _Reader.decade),
    (_rx(r"\bthe (?P<tick>['’])?(?P<yy>[0-9]0)['’]?s\b"), _Reader.decade),
    (
        _rx(
            rf"\b(?:the )?(?:last|past|previous|preceding|prior)[\s-]+{_N}[\s-]*{_UNIT}(?! of {_STAY})(?:[\s-]period)?"
        ),
        _Reader.rolling,
    ),
    (
        _rx(rf"\b(?P<the>the )?(?P<which>last|past|previous|preceding|prior|this) (?:calendar )?{_CALENDAR}(?! of\b)"),
        _Reader.recent,
    ),
    (_rx(r"\b(?:the )?(?:last|past) (?P<u>day|hour)\b(?! of\b)"), _Reader.rolling),
    (_rx(r"\b(?:the day before yesterday|yesterday|today|tonight|last night|overnight)\b(?:['’]s)?"), _Reader.single),
    (_rx(r"\bthis (?:morning|afternoon|evening)\b"), _Reader.single),
    (_rx(r"\b(?:ytd|year[\s-]to[\s-]date)\b"), _Reader.to_date),
    (
        _rx(
            r"(?:\b(?P<more>more than|over|greater than|at least|less than|under|fewer than|within)\s+)?"
            rf"(?<![\w.]){_N}[\s-]*{_UNIT} (?:ago|back)\b"
        ),
        _Reader.ago,
    ),
    (_rx(rf"\bwithin (?:the )?{_N}[\s-]*{_UNIT}(?! (?:of|after|before|prior|following|from)\b)"), _Reader.rolling),
    (_rx(rf"\bx ?{_N}[\s-]*{_UNIT}(?=\s*(?:[?.,;!)]|$))"), _Reader.rolling),
    (_rx(rf"\b(?P<n>\d{{1,4}})[\s-]?{_UNIT}(?= (?:trend|look-?back|window)\b)"), _Reader.rolling),
    # A length alone at the end of a clause, "A1c trend 6mo"; capitals are a drug label's ("24 HR").
    (
        _rx(rf"(?<=\s){_NO_LENGTH}(?P<n>\d{{1,3}})\s?(?-i:(?P<u>mos?|yrs?|y|wks?|hrs?|h))(?=\s*(?:[?.,;!]|$))"),
        _Reader.rolling,
    ),
    (
        _rx(r"\b(?:(?P<which>last|previous|this|past) )?(?P<wd>" + "|".join(_WEEKDAYS) + r")\b(?:['’]s)?"),
        _Reader.weekday,
    ),
)


def named(text: str, as_of: date | datetime) -> list[Point]:
    """What the text names, in order and without overlap.

    Hours count back from `as_of`, or from the end of its day where it is a date; its zone is left out, since facts
    are read on their own local clock.
    """
    today = as_of.date() if isinstance(as_of, datetime) else as_of
    now = as_of.replace(tzinfo=None) if isinstance(as_of, datetime) else datetime.combine(today, datetime.min.time())
    reader = _Reader(today, now if isinstance(as_of, datetime) else now + timedelta(days=1))
    found = [p for pattern, read in _POINTS for m in pattern.finditer(text) if (p := _read(reader, read, m))]
    return apart(found)


def apart(found: Iterable[Point]) -> list[Point]:
    """The points in order and without overlap: the earliest, then the longest."""
    out: list[Point] = []
    for point in sorted(found, key=lambda p: (p.start, -p.end, p.weak)):
        if not out or point.start >= out[-1].end:
            out.append(point)
    return out


def _read(reader: _Reader, read: Callable[[_Reader, re.Match[str]], Point | None], m: re.Match[str]) -> Point | None:
    try:
        return read(reader, m)
    except (ValueError, OverflowError):
        return Point(start=m.start(), end=m.end(), low=None, high=None, name="", vague=True)
