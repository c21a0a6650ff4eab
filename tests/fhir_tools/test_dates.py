from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fhir_tools import dates
from fhir_tools.dates import Window
from fhir_tools.types import Interval, Quantity

days = st.dates(min_value=date(1900, 1, 1), max_value=date(2199, 12, 31))
zones = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
moments = st.datetimes(min_value=datetime(1900, 1, 2), max_value=datetime(2199, 12, 30), timezones=zones)
texts = st.one_of(
    days.map(lambda d: f"{d.year:04d}"),
    days.map(lambda d: d.isoformat()[:7]),
    days.map(date.isoformat),
    moments.map(lambda m: m.isoformat(timespec="seconds")),
    moments.map(lambda m: m.isoformat(timespec="milliseconds")),
    moments.map(lambda m: m.isoformat(timespec="microseconds")),
    moments.map(lambda m: m.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"),
)


def utc(*args: int) -> datetime:
    return datetime(*args, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("text", "low", "high", "precision", "shown"),
    [
        ("2012", utc(2012, 1, 1), utc(2013, 1, 1), "year", "2012"),
        ("2012-12", utc(2012, 12, 1), utc(2013, 1, 1), "month", "2012-12"),
        ("2012-02-29", utc(2012, 2, 29), utc(2012, 3, 1), "day", "2012-02-29"),
        (" 2012-02-29 ", utc(2012, 2, 29), utc(2012, 3, 1), "day", "2012-02-29"),
        ("2019-03-02T23:30:00-05:00", utc(2019, 3, 3, 4, 30), utc(2019, 3, 3, 4, 30, 1), "time", "2019-03-02"),
        ("2019-03-02T10:00:00", utc(2019, 3, 2, 10), utc(2019, 3, 2, 10, 0, 1), "time", "2019-03-02"),
        ("2019-03-02 10:00:00+0000", utc(2019, 3, 2, 10), utc(2019, 3, 2, 10, 0, 1), "time", "2019-03-02"),
        ("2019-03-02 10:00:00+00", utc(2019, 3, 2, 10), utc(2019, 3, 2, 10, 0, 1), "time", "2019-03-02"),
        ("2019-03-02T10:00Z", utc(2019, 3, 2, 10), utc(2019, 3, 2, 10, 1), "time", "2019-03-02"),
        ("2019-03-02T24:00:00Z", utc(2019, 3, 3), utc(2019, 3, 3, 0, 0, 1), "time", "2019-03-03"),
        ("2016-12-31T23:59:60Z", utc(2016, 12, 31, 23, 59, 59), utc(2017, 1, 1), "time", "2016-12-31"),
        ("9999-12-31", utc(9999, 12, 31), None, "day", "9999-12-31"),
        ("9999", utc(9999, 1, 1), None, "year", "9999"),
    ],
)
def test_parse(text: str, low: datetime, high: datetime | None, precision: str, shown: str) -> None:
    got = dates.parse(text)
    assert (got.low, got.high, got.precision, got.text) == (low, high, precision, shown)


def test_parse_long_fractions() -> None:
    got = dates.parse("2019-03-02T10:00:00.1234567890123+05:30")
    assert got.low == datetime(2019, 3, 2, 10, 0, 0, 123456, tzinfo=timezone(timedelta(hours=5.5)))
    assert got.low is not None and got.low.utcoffset() == timedelta(hours=5.5)


@pytest.mark.parametrize(
    "text",
    ["", "x", "0000", "20190302", "2019-W01-1", "2019-060", "2019-13", "2019-02-30", "2019-2-3", "2019-03-02T10",
     "2019-03-02T25:00:00Z", "2019-03-02T24:01:00Z", "2019-03-02T10:60:00Z", "2019-03-02T10:00:00+25:00", "10:00:00",
     "2019-03-02Z", "02/03/2019", "2019-03-02T10:00:00Q", "٢٠١٩", "2019-03-02T10:00:00.Z", "12019"],
)  # fmt: skip
def test_parse_refuses(text: str) -> None:
    with pytest.raises(ValueError):
        dates.parse(text)


@given(st.text(max_size=30))
def test_parse_raises_nothing_else(text: str) -> None:
    try:
        got = dates.parse(text)
    except ValueError:
        return
    assert got.low is not None and (got.high is None or got.low < got.high)


@given(texts)
def test_parse_keeps_what_is_written(text: str) -> None:
    got = dates.parse(text)
    assert got.text == text[:10] and got.low is not None and got.high is not None and got.low < got.high
    assert got.text == got.low.date().isoformat()[: len(got.text)]
    assert dates.show(got) == got.text
    assert dates.within(got, dates.parse(text[:10]))


@given(moments, st.sampled_from(["seconds", "milliseconds", "microseconds"]))
def test_fast_and_lenient_paths_agree(moment: datetime, spec: str) -> None:
    text = moment.isoformat(timespec=spec)
    assert dates.parse(text) == dates.parse(f"{text[:10]} {text[11:]}")


@given(texts, texts, texts)
def test_order_is_total_and_before_agrees(a: str, b: str, c: str) -> None:
    x, y, z = (dates.parse(t) for t in (a, b, c))
    assert [dates.order(i) for i in sorted((x, y, z), key=dates.order)] == sorted(map(dates.order, (x, y, z)))
    if dates.before(x, y):
        assert not dates.before(y, x) and not dates.overlaps(x, y)
        assert dates.within(x, y) is False
    if "time" not in (x.precision, y.precision, z.precision) and dates.before(x, y) and dates.before(y, z):
        assert dates.before(x, z)
    assert dates.overlaps(x, y) == dates.overlaps(y, x) and dates.overlaps(x, x) and dates.within(x, x)


def test_order_puts_the_unknown_first() -> None:
    keys = [dates.order(None), dates.order(dates.parse("1900")), dates.order(dates.parse("2000"))]
    assert all(a < b for a, b in pairwise(keys))


def test_calendar_is_the_local_one() -> None:
    late = dates.parse("2019-03-02T23:30:00-05:00")
    assert dates.within(late, dates.parse("2019-03-02")) and dates.before(late, dates.parse("2019-03-03"))
    assert not dates.starts_after(late, date(2019, 3, 2)) and dates.ends_before(late, date(2019, 3, 3))


def test_partial_dates_are_whole_ranges() -> None:
    year, june = dates.parse("2018"), dates.parse("2018-06")
    assert dates.within(june, year) and not dates.within(year, june) and dates.overlaps(year, june)
    assert not dates.starts_after(year, date(2018, 6, 1)) and dates.starts_before(year, date(2018, 6, 1))
    assert not dates.ends_before(year, date(2018, 6, 1)) and dates.last_day(june) == date(2018, 6, 30)
    assert dates.end_of_day(date(2018, 6, 30)) == june.high


def test_period() -> None:
    stay = dates.period({"start": "2019-03-02T10:00:00Z", "end": "2019-03-05"})
    assert stay is not None and stay.high == utc(2019, 3, 6) and stay.precision == "day"
    assert dates.show(stay) == "2019-03-02 to 2019-03-05" and stay.text == "2019-03-02"
    ongoing = dates.period({"start": "2019"})
    assert ongoing is not None and ongoing.high is None and dates.show(ongoing) == "since 2019"
    ended = dates.period({"end": "2019-03"})
    assert ended is not None and ended.low is None and ended.high == utc(2019, 4, 1) and ended.text == "until 2019-03"
    assert dates.period({}) is None
    assert dates.period({"start": "2019-03-02", "end": "2018"}) == dates.parse("2019-03-02")
    with pytest.raises(ValueError):
        dates.period({"start": "2019-03-02", "end": "soon"})


def test_of_any() -> None:
    day = dates.parse("2019-03-02")
    assert dates.of_any(date(2019, 3, 2)) == dates.of_any("2019-03-02") == dates.of_any(day) == day
    assert dates.of_any(utc(2019, 3, 2, 10)) == dates.parse("2019-03-02T10:00:00+00:00")
    assert dates.of_any({"start": "2019"}) == dates.period({"start": "2019"}) and dates.of_any(None) is None
    with pytest.raises(ValueError):
        dates.of_any(2019)


@pytest.mark.parametrize(
    ("value", "unit", "last"),
    [(10, "d", "2019-02-09"), (1, "mo", "2019-02-27"), (2, "weeks", "2019-02-13"), (1, "a", "2020-01-30"),
     (0.5, "mo", "2019-02-15")],
)  # fmt: skip
def test_lasting(value: float, unit: str, last: str) -> None:
    got = dates.lasting(dates.parse("2019-01-31"), Quantity(value=value, unit=unit))
    assert got is not None and dates.last_day(got) == date.fromisoformat(last)


@pytest.mark.parametrize("length", [Quantity(value=1, unit="mg"), Quantity(value=0, unit="d"), Quantity(value=1),
                                    Quantity(value=1e300, unit="d")])  # fmt: skip
def test_lasting_without_a_length(length: Quantity) -> None:
    assert dates.lasting(dates.parse("2019"), length) is None


@pytest.mark.parametrize(
    ("birth", "at", "expected"),
    [
        ("1960-06-15", "2019-06-14", 58),
        ("1960-06-15", "2019-06-15", 59),
        ("1960-02-29", "2019-02-28", 58),
        ("1960-02-29", "2019-03-01", 59),
        ("1960-02-29", "2020-02-29", 60),
        ("1960", "2019-12-31", 59),
        ("1960", "2019-06-15", (58, 59)),
        ("1960-06", "2019-07-01", 59),
        ("1960-06", "2019-06-15", (58, 59)),
        ("1960-06-15", "2019", (58, 59)),
        ("2019-01-01", "2019-03-02", 0),
        ("2019", "2019", 0),
    ],
)
def test_age(birth: str, at: str, expected: int | tuple[int, int]) -> None:
    assert dates.age(dates.parse(birth), dates.parse(at)) == expected


def test_age_counts_from_the_start_of_a_stay() -> None:
    stay = dates.period({"start": "2019-06-14", "end": "2019-06-20"})
    assert stay is not None and dates.age(dates.parse("1960-06-15"), stay) == 58


def test_age_before_birth_or_open() -> None:
    with pytest.raises(ValueError):
        dates.age(dates.parse("2019-03-02"), date(2019, 3, 1))
    with pytest.raises(ValueError):
        dates.age(Interval(low=None, high=None), date(2019, 3, 1))


@given(days, days, days)
def test_age_grows(birth: date, a: date, b: date) -> None:
    birth, a, b = sorted((birth, a, b))
    born = dates.parse(birth.isoformat())
    first, second = dates.age(born, a), dates.age(born, b)
    assert isinstance(first, int) and isinstance(second, int) and 0 <= first <= second
    years = dates.age(dates.parse(birth.isoformat()[:4]), b)
    assert second in (years if isinstance(years, tuple) else (years,))


@pytest.mark.parametrize(
    ("birth", "at", "text"),
    [
        ("2019-03-02", "2019-03-03", "1 day"),
        ("2019-03-02", "2019-03-30", "4 weeks"),
        ("2019-03-02", "2019-06-02", "3 months"),
        ("2019-03-02", "2021-03-01", "23 months"),
        ("2019-03-02", "2021-03-02", "2 years"),
        ("1960", "2019-06-15", "58 or 59 years"),
    ],
)
def test_age_text(birth: str, at: str, text: str) -> None:
    assert dates.age_text(dates.parse(birth), date.fromisoformat(at)) == text


@given(days, days)
def test_days_between(a: date, b: date) -> None:
    assert dates.days_between(a, dates.parse(b.isoformat())) == (b - a).days
    span = dates.days_between(dates.parse(a.isoformat()[:7]), b)
    assert isinstance(span, tuple) and span[0] <= (b - a).days <= span[1]


def test_shift_keeps_to_the_month() -> None:
    assert dates.shift(date(2019, 1, 31), months=1) == date(2019, 2, 28)
    assert dates.shift(date(2020, 2, 29), years=-1, days=1) == date(2019, 3, 1)


def test_show_time() -> None:
    assert dates.show(dates.parse("2019-03-02T14:05:09-05:00"), time=True) == "2019-03-02 14:05"
    assert dates.show(Interval(low=None, high=None)) == "at an unknown time"


def test_window_of_days() -> None:
    window = Window(low=date(2018, 6, 1), high=date(2018, 7, 1), text="in 2018-06")
    assert window.contains(dates.parse("2018-06-30T23:30:00-05:00"))
    assert not window.contains(dates.parse("2018")) and window.possible(dates.parse("2018"))
    assert not window.possible(dates.parse("2018-07-01")) and not window.possible(dates.parse("2018-05"))
    stay = dates.period({"start": "2018-06-29", "end": "2018-07-03"})
    assert stay is not None and not window.contains(stay) and window.starts_in(stay) and window.possible(stay)
    assert not window.starts_in(dates.parse("2018")) and window.starts_in(dates.parse("2018-06"))
    ongoing = dates.period({"start": "2018-06-02"})
    assert ongoing is not None and not window.contains(ongoing) and window.starts_in(ongoing)


def test_open_windows() -> None:
    since = Window(low=date(2018, 1, 1), high=None, text="since 2018")
    ongoing = dates.period({"start": "2018"})
    assert ongoing is not None and since.contains(ongoing) and not since.contains(dates.parse("2017-12-31"))
    assert Window(low=None, high=None, text="ever").contains(ongoing)


def test_window_of_hours() -> None:
    night = dates.parse("2019-03-02T23:30:00-05:00")
    local = Window(low=datetime(2019, 3, 2, 12), high=datetime(2019, 3, 3), text="last 12 hours")
    instants = Window(low=utc(2019, 3, 2, 12), high=utc(2019, 3, 3), text="last 12 hours")
    assert local.contains(night) and not instants.contains(night) and not instants.possible(night)
    assert not local.contains(dates.parse("2019-03-02")) and local.possible(dates.parse("2019-03-02"))


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (date(2019, 1, 1), date(2019, 1, 1)),
        (date(2019, 1, 1), datetime(2019, 2, 1)),
        (datetime(2019, 1, 1), utc(2020, 1, 1)),
    ],
)
def test_window_refuses(low: date, high: date) -> None:
    with pytest.raises(ValueError):
        Window(low=low, high=high, text="x")


@given(texts, days, days)
def test_contained_is_possible(text: str, a: date, b: date) -> None:
    assume(a != b)
    low, high = sorted((a, b))
    window, fact = Window(low=low, high=high, text="w"), dates.parse(text)
    if window.contains(fact):
        assert window.possible(fact) and window.starts_in(fact)
    assert window.possible(fact) or not window.starts_in(fact)


@given(days, days, days)
def test_a_day_alone_is_within_a_stretch_that_touches_it(a: date, b: date, day: date) -> None:
    low, high = (datetime.combine(d, time(12), UTC) for d in sorted((a, b)))
    assume(low < high)
    fact, stay = dates.parse(day.isoformat()), Window(low=low, high=high, text="w", by_day=True)
    assert stay.starts_in(fact) == (low.date() <= day <= high.date())
    year = dates.parse(str(day.year))
    assert stay.starts_in(year) == Window(low=low, high=high, text="w").starts_in(year)
