"""FHIR dates of every precision: reading, ordering, comparing, ages, and the windows that questions name.

A value is on the calendar date *as it was written*: `2019-03-02T23:30:00-05:00` is on 2 March, whatever UTC says.
So anything of day precision or coarser is compared by local calendar, and two values with times by their instants.
Rules: R4 datatypes, "date", "dateTime", "instant" and "Period"; R4 search 3.1.1.4.5 and 3.1.1.4.7 (a partial date is
the whole range that it names).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

from dateutil.relativedelta import relativedelta

from fhir_tools import units
from fhir_tools.types import Interval, Quantity

__all__ = [
    "Window",
    "age",
    "age_text",
    "before",
    "days_between",
    "end_of_day",
    "ends_before",
    "last_day",
    "lasting",
    "of_any",
    "order",
    "overlaps",
    "parse",
    "period",
    "shift",
    "show",
    "starts_after",
    "starts_before",
    "within",
]

Precision = Literal["year", "month", "day", "time"]

_PARTIAL = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?", re.ASCII)
_TIMED = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s?(?:([Zz])|([+-]\d\d)(?::?(\d\d))?)?", re.ASCII
)
_TICK = timedelta(microseconds=1)
_SECOND, _DAY = timedelta(seconds=1), timedelta(days=1)
_MILLI = timedelta(milliseconds=1)
# By length: what follows the seconds, where the zone shows (`Z`, or the colon of its offset), and how long it lasts.
_SHAPES = {20: ("Z", -1, _SECOND), 25: ("+-", -3, _SECOND), 24: (".", -1, _MILLI), 29: (".", -3, _MILLI)}
_EARLIEST, _LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_COARSENESS: dict[Precision, int] = {"time": 0, "day": 1, "month": 2, "year": 3}


# Reading.


@lru_cache(maxsize=1 << 16)
def parse(text: str) -> Interval:
    """The range of instants that a FHIR date, dateTime or instant covers. Raises ValueError for anything else.

    Read leniently, as servers send them: a time without zone is UTC, a space for `T`, `+0000` or `+00`, fractions of
    any length (to the microsecond), no seconds, a leap second, and 24:00, which is midnight of the next day and is
    told as that. The last year that Python can hold (9999, used for "no end") has an open end.
    """
    if (usual := _usual(text)) is not None:
        return usual
    text = text.strip()
    if partial := _PARTIAL.fullmatch(text):
        return _parse_partial(text, partial)
    if timed := _TIMED.fullmatch(text):
        return _parse_timed(timed)
    raise ValueError("not a FHIR date, dateTime or instant")


def _usual(text: str) -> Interval | None:
    """The shapes that nearly all values have, at the speed of `fromisoformat`; it knows more shapes than FHIR does."""
    length = len(text)
    if length < 10 or text[4] != "-" or text[7] != "-":
        return None
    if length == 10:
        low = datetime.fromisoformat(text + "T00:00:00+00:00")
        return Interval(low=low, high=_plus(low, _DAY), precision="day", text=text)
    shape = _SHAPES.get(length)
    if shape is None or text[19] not in shape[0] or text[shape[1]] not in "Z:" or text[17] == "6":
        return None
    if text[10] != "T" or text[13] != ":" or text[16] != ":" or text[11:13] == "24":
        return None
    low = datetime.fromisoformat(text)
    return Interval(low=low, high=_plus(low, shape[2]), precision="time", text=text[:10])


def _parse_partial(text: str, found: re.Match[str]) -> Interval:
    year, month, day = found.groups()
    low = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
    precision: Precision = "day" if day else "month" if month else "year"
    return Interval(low=low, high=_after(low, precision), precision=precision, text=text)


def _parse_timed(found: re.Match[str]) -> Interval:
    day, hour, minute, second, fraction, zulu, offset, offset_minutes = found.groups()
    midnight, leap = (hour, minute, second or "00") == ("24", "00", "00"), second == "60"
    clock = "00:00:00" if midnight else f"{hour}:{minute}:{'59' if leap else second or '00'}"
    zone = f"{offset}:{offset_minutes or '00'}" if offset and not zulu else "+00:00"
    low = datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0')[:6].ljust(6, '0')}{zone}")
    if midnight:
        low += _DAY
    step = timedelta(microseconds=10 ** (6 - min(6, len(fraction)))) if fraction else _SECOND
    high = _plus(low, step if second else timedelta(minutes=1))
    return Interval(low=low, high=high, precision="time", text=low.date().isoformat())


def _plus(low: datetime, step: timedelta | relativedelta) -> datetime | None:
    try:
        return low + step
    except (OverflowError, ValueError):
        return None


def _after(low: datetime, precision: Precision) -> datetime | None:
    """The first instant after the day, month or year that starts at `low`."""
    if precision == "year":
        return low.replace(year=low.year + 1) if low.year < 9999 else None
    if precision == "month":
        return _plus(low, relativedelta(months=1))
    return _plus(low, _DAY)


def period(mapping: Mapping[str, Any]) -> Interval | None:
    """A FHIR Period; an end that is not given is open, and the end is inclusive as far as it is precise (R4 Period).

    `text` is the start as written (`until …` where there is none); the precision is the coarser of the two ends. An
    end before its start is no end: only the start is believed, for as long as it says by itself. None where the Period
    has neither; ValueError where one of them cannot be read, since an end that is lost would read as "ongoing".
    """
    start, end = (parse(mapping[k]) if mapping.get(k) is not None else None for k in ("start", "end"))
    if start is None:
        return Interval(low=None, high=end.high, precision=end.precision, text=f"until {end.text}") if end else None
    if end is None:
        return Interval(low=start.low, high=None, precision=start.precision, text=start.text)
    if before(end, start):
        return start
    coarser = max(start.precision, end.precision, key=_COARSENESS.__getitem__)
    return Interval(low=start.low, high=end.high, precision=coarser, text=start.text)


def of_any(value: Any) -> Interval | None:
    """A FHIR date string, Period, Python date or datetime as an Interval; None stays None. Raises ValueError."""
    if value is None or isinstance(value, Interval):
        return value
    if isinstance(value, datetime):
        return parse(value.isoformat())
    if isinstance(value, date):
        return parse(value.isoformat())
    if isinstance(value, str):
        return parse(value)
    if isinstance(value, Mapping):
        return period(value)
    raise ValueError(f"no FHIR date: {type(value).__name__}")


def lasting(start: Interval, length: Quantity) -> Interval | None:
    """From `start` on for a length of time (R4 Duration: UCUM); None where the unit is no time or the start is open."""
    code = units.canonical(length.unit, length.code)
    if start.low is None or code is None or length.value <= 0:
        return None
    months = {"mo": 1, "a": 12}.get(code, 0) * length.value
    if months and months == int(months):
        # A calendar month has no fixed length; UCUM's mean month would end on the wrong day.
        step: timedelta | relativedelta = relativedelta(months=int(months))
    else:
        try:
            step = timedelta(seconds=units.convert(length, "s").value)
        except (units.UnitError, OverflowError):
            return None
    return Interval(low=start.low, high=_plus(start.low, step), precision=start.precision, text=start.text)


# Days and order.


def last_day(interval: Interval) -> date | None:
    """The last calendar date that the interval touches, in its own offset; None where it is open."""
    return (interval.high - _TICK).date() if interval.high else None


def end_of_day(day: date) -> datetime:
    """The first instant after the day, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + _DAY


def order(interval: Interval | None) -> tuple[date, datetime, datetime]:
    """A key that sorts by first calendar date, then first instant, then end. No date sorts first, as the oldest."""
    if interval is None:
        return date.min, _EARLIEST, _EARLIEST
    low = interval.low or _EARLIEST
    return low.date(), low, interval.high or _LATEST


def before(a: Interval, b: Interval) -> bool:
    """Whether all of `a` is certainly before any of `b` (FHIR prefix `eb`)."""
    if _calendar(a, b):
        end, start = last_day(a), b.day
        return end is not None and start is not None and end < start
    return a.high is not None and b.low is not None and a.high <= b.low


def overlaps(a: Interval, b: Interval) -> bool:
    """Whether the two can have been at one time: neither is certainly before the other."""
    return not before(a, b) and not before(b, a)


def within(a: Interval, b: Interval) -> bool:
    """Whether all of `a` lies in `b` (FHIR prefix `eq`: the range of the parameter contains that of the value)."""
    if _calendar(a, b):
        return _covers(b.day, last_day(b), a.day, last_day(a))
    return _covers(b.low, b.high, a.low, a.high)


def _covers(low: Any, high: Any, first: Any, last: Any) -> bool:
    starts = low is None or (first is not None and low <= first)
    return bool(starts and (high is None or (last is not None and last <= high)))


def _calendar(a: Interval, b: Interval) -> bool:
    return a.precision != "time" or b.precision != "time"


def starts_before(interval: Interval, day: date) -> bool:
    """Whether some of it can be before the day: its first calendar date is earlier, or open (FHIR prefix `lt`)."""
    return interval.day is None or interval.day < day


def starts_after(interval: Interval, day: date) -> bool:
    """Whether all of it is after the day (FHIR prefix `sa`); a partial date that includes the day is not."""
    return interval.day is not None and interval.day > day


def ends_before(interval: Interval, day: date) -> bool:
    """Whether all of it is before the day (FHIR prefix `eb`); what goes on is not."""
    end = last_day(interval)
    return end is not None and end < day


# Ages and lengths.


def shift(day: date, *, years: int = 0, months: int = 0, weeks: int = 0, days: int = 0) -> date:
    """The day moved by calendar steps; 31 January and a month is the last of February. Raises ValueError or
    OverflowError beyond the years 1 to 9999."""
    return day + relativedelta(years=years, months=months, weeks=weeks, days=days)


def age(birth: Interval, at: Interval | date) -> int | tuple[int, int]:
    """Completed years at a date: one number, or the (lowest, highest) that partial dates leave possible.

    Someone born on 29 February completes a year on 1 March of a common year. A stretch with a known first day counts
    from that day. Raises ValueError for an open date, or one that is before birth.
    """
    (first, last), (start, end) = _days(birth), _days(at)
    if end < first:
        raise ValueError("the date is before birth")
    return _range(max(0, _years(last, start)), _years(first, end))


def _years(birth: date, at: date) -> int:
    return at.year - birth.year - ((at.month, at.day) < (birth.month, birth.day))


def _days(value: Interval | date) -> tuple[date, date]:
    """The first and last day that the value can mean: one day where it has day precision or better."""
    if isinstance(value, date):
        day = value.date() if isinstance(value, datetime) else value
        return day, day
    if value.day is None:
        raise ValueError("a date with an open start has no day to count from")
    if value.precision in ("day", "time"):
        return value.day, value.day
    own = parse(value.text) if _PARTIAL.fullmatch(value.text) else value
    return value.day, last_day(own) or value.day


def _range(low: int, high: int) -> int | tuple[int, int]:
    return low if low == high else (low, high)


def age_text(birth: Interval, at: Interval | date) -> str:
    """An age as told at the bedside: days to 4 weeks, weeks to 3 months, months to 2 years, then years.

    Raises ValueError as `age` does.
    """
    years = age(birth, at)
    if isinstance(years, tuple):
        return f"{years[0]} {'or' if years[1] - years[0] == 1 else 'to'} {years[1]} years"
    (first, last), (start, _) = _days(birth), _days(at)
    if years >= 2 or first != last:
        return _counted(years, "year")
    days, months = (start - first).days, relativedelta(start, first)
    whole = months.years * 12 + months.months
    if days < 28:
        return _counted(days, "day")
    return _counted(days // 7, "week") if whole < 3 else _counted(whole, "month")


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def days_between(a: Interval | date, b: Interval | date) -> int | tuple[int, int]:
    """Calendar days from `a` to `b`, negative where `b` is earlier; (lowest, highest) where a date is partial.

    Raises ValueError for an open date.
    """
    (a_first, a_last), (b_first, b_last) = _days(a), _days(b)
    return _range((b_first - a_last).days, (b_last - a_first).days)


def show(interval: Interval, *, time: bool = False) -> str:
    """`2012`, `2012-06`, `2012-06-12`; with `time`, `2012-06-12 14:05`; a stretch as `… to …`, open as `since …`."""
    if interval.low is None:
        end = last_day(interval)
        return f"until {end.isoformat()}" if end else "at an unknown time"
    if interval.high is None:
        return f"since {_point(interval.low, interval.precision, time)}"
    if time and interval.precision == "time" and interval.high - interval.low <= timedelta(minutes=1):
        return _point(interval.low, "time", True)
    start = _point(interval.low, interval.precision, time)
    end_text = _point(interval.high - _TICK, interval.precision, time)
    return start if start == end_text else f"{start} to {end_text}"


def _point(moment: datetime, precision: Precision, time: bool) -> str:
    if time and precision == "time":
        return f"{moment:%Y-%m-%d %H:%M}"
    return moment.date().isoformat()[: {"year": 4, "month": 7}.get(precision, 10)]


# Windows.


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of time that a question names: `low` inclusive, `high` exclusive, None is open.

    Dates are compared with the local calendar date of a fact as it was written; naive datetimes with its local clock;
    aware ones with its instant. `text` is the phrase, normalised: `since 2015-01-01`, `in 2018`, `last 24 hours`.
    A stay begins and ends within a day, and what was found on its first or last day is told as of it: with `by_day`
    a fact is in a window of instants where its day is one of the window's. Raises ValueError where low is not before
    high, or the two are of different kinds.
    """

    low: date | datetime | None
    high: date | datetime | None
    text: str
    by_day: bool = False

    def __post_init__(self) -> None:
        if self.low is not None and self.high is not None:
            if _kind(self.low) != _kind(self.high):
                raise ValueError("a window needs two dates, or two datetimes that both have a zone or both have none")
            if self.low >= self.high:
                raise ValueError("a window's low must be before its high")

    def contains(self, interval: Interval) -> bool:
        """Whether all of it certainly lies in the window: `2018` is in 2018, and not in June 2018."""
        low, high = self._in_kind(interval)
        return _covers(self.low, self.high, low, high)

    def possible(self, interval: Interval) -> bool:
        """Whether some of it lies, or may lie, in the window."""
        low, high = self._in_kind(interval)
        early = self.low is None or high is None or high > self.low
        return bool(early and (self.high is None or low is None or low < self.high))

    def starts_in(self, interval: Interval) -> bool:
        """Whether its start, as precisely as that is known, lies in the window: how a stay or a course is counted."""
        if interval.low is None:
            return False
        if self.by_day and interval.precision in ("day", "time") and interval.day:
            return self._touches(interval.day)
        partial = _PARTIAL.fullmatch(interval.text)
        start = parse(interval.text) if partial and interval.precision != "time" else None
        high = start.high if start and start.low == interval.low else _plus(interval.low, _TICK)
        return self.contains(Interval(low=interval.low, high=high, precision=interval.precision, text=interval.text))

    def _touches(self, day: date) -> bool:
        """Whether the day is one of the window's, as its ends were written."""
        low, high = self.low, self.high
        if isinstance(low, datetime):
            low = low.date()
        if isinstance(high, datetime):
            high = (high - _TICK).date() + _DAY
        return (low is None or low <= day) and (high is None or day < high)

    def _in_kind(self, interval: Interval) -> tuple[Any, Any]:
        """The interval's ends in the kind of the window's, the last one exclusive."""
        edge = self.low if self.low is not None else self.high
        if not isinstance(edge, datetime):
            last = last_day(interval)
            return interval.day, None if last is None or last == date.max else last + _DAY
        if edge.tzinfo is None:
            return tuple(x.replace(tzinfo=None) if x else None for x in (interval.low, interval.high))  # type: ignore
        return interval.low, interval.high


def _kind(edge: date | datetime) -> str:
    return "date" if not isinstance(edge, datetime) else "clock" if edge.tzinfo is None else "instant"
