from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools import dates
from fhir_tools.dates import Window
from fhir_tools.phrases import Anchor, Phrase, find

TODAY = date(2019, 3, 20)  # a Wednesday
MONTHS = "January February March April May June July August September October November December".split()

# What is found, and its window: low, high (exclusive), text.
WINDOWS = {
    "on 2019-03-02": ("2019-03-02", "2019-03-03", "on 2019-03-02"),
    "3/2/2019": ("2019-03-02", "2019-03-03", "on 2019-03-02"),
    "03/02/19": ("2019-03-02", "2019-03-03", "on 2019-03-02"),
    "03/02/47": ("1947-03-02", "1947-03-03", "on 1947-03-02"),
    "on 2.3.2019": ("2019-03-02", "2019-03-03", "on 2019-03-02"),
    "25.12.2018": ("2018-12-25", "2018-12-26", "on 2018-12-25"),
    "in the previous calendar year": ("2018-01-01", "2019-01-01", "in 2018"),
    "25/12/2018": ("2018-12-25", "2018-12-26", "on 2018-12-25"),
    "02-Mar-2019": ("2019-03-02", "2019-03-03", "on 2019-03-02"),
    "on the 2nd of March 2019": ("2019-03-02", "2019-03-03", "on 2019-03-02"),
    "March 2nd, 2019": ("2019-03-02", "2019-03-03", "on 2019-03-02"),
    "on March 2": ("2019-03-02", "2019-03-03", "on 2019-03-02"),
    "on 3/25": ("2018-03-25", "2018-03-26", "on 2018-03-25"),
    "in March": ("2019-03-01", "2019-04-01", "in 2019-03"),
    "in may": ("2018-05-01", "2018-06-01", "in 2018-05"),
    "last March": ("2018-03-01", "2018-04-01", "in 2018-03"),
    "March '19": ("2019-03-01", "2019-04-01", "in 2019-03"),
    "in 03/2019": ("2019-03-01", "2019-04-01", "in 2019-03"),
    "in 2018": ("2018-01-01", "2019-01-01", "in 2018"),
    "for 2018": ("2018-01-01", "2019-01-01", "in 2018"),
    "2018": ("2018-01-01", "2019-01-01", "in 2018"),
    "in the year 2018": ("2018-01-01", "2019-01-01", "in 2018"),
    "since 2015": ("2015-01-01", None, "since 2015"),
    "since 1991-11-30": ("1991-11-30", None, "since 1991-11-30"),
    "from 2015 on": ("2015-01-01", None, "since 2015"),
    "2015 onwards": ("2015-01-01", None, "since 2015"),
    "2015-present": ("2015-01-01", None, "since 2015"),
    "after 2015": ("2016-01-01", None, "after 2015"),
    "before 2015": (None, "2015-01-01", "before 2015"),
    "prior to May 2012": (None, "2012-05-01", "before 2012-05"),
    "until 2016": (None, "2017-01-01", "until 2016"),
    "by 2016": (None, "2017-01-01", "until 2016"),
    "no later than 2016-05-04": (None, "2016-05-05", "until 2016-05-04"),
    "as of 2018-01-01": (None, "2018-01-02", "until 2018-01-01"),
    "between 2015 and 2018": ("2015-01-01", "2019-01-01", "2015 to 2018"),
    "2015-2018": ("2015-01-01", "2019-01-01", "2015 to 2018"),
    "2015 to 2018": ("2015-01-01", "2019-01-01", "2015 to 2018"),
    "from May 2015 to June 2016": ("2015-05-01", "2016-07-01", "2015-05 to 2016-06"),
    "between May and July 2018": ("2018-05-01", "2018-08-01", "2018-05 to 2018-07"),
    "from November to February": ("2018-11-01", "2019-03-01", "2018-11 to 2019-02"),
    "after 2015 and before 2018": ("2016-01-01", "2018-01-01", "after 2015 and before 2018"),
    "Q3 2018": ("2018-07-01", "2018-10-01", "in 2018 Q3"),
    "second half of 2018": ("2018-07-01", "2019-01-01", "in second half of 2018"),
    "summer 2018": ("2018-06-01", "2018-09-01", "in summer 2018"),
    "last winter": ("2018-12-01", "2019-03-01", "in winter 2018"),
    "in the fall of 2018": ("2018-09-01", "2018-12-01", "in fall 2018"),
    "in the 90s": ("1990-01-01", "2000-01-01", "in the 1990s"),
    "the 1980s": ("1980-01-01", "1990-01-01", "in the 1980s"),
    "past 3 months": ("2018-12-20", "2019-03-21", "last 3 months"),
    "in the last year": ("2018-03-20", "2019-03-21", "last year"),
    "past year": ("2018-03-20", "2019-03-21", "last year"),
    "past yr": ("2018-03-20", "2019-03-21", "last year"),
    "last 10 y": ("2009-03-20", "2019-03-21", "last 10 years"),
    "last quarter": ("2018-10-01", "2019-01-01", "in 2018 Q4"),
    "last 2 wks": ("2019-03-06", "2019-03-21", "last 2 weeks"),
    "over the past 6 mos": ("2018-09-20", "2019-03-21", "last 6 months"),
    "within the last 5y": ("2014-03-20", "2019-03-21", "last 5 years"),
    "last 1.5 years": ("2017-09-20", "2019-03-21", "last 1.5 years"),
    "the last couple of months": ("2019-01-20", "2019-03-21", "last 2 months"),
    "6mo": ("2018-09-20", "2019-03-21", "last 6 months"),
    "x 3 days": ("2019-03-17", "2019-03-21", "last 3 days"),
    "this year": ("2019-01-01", "2020-01-01", "in 2019"),
    "last year": ("2018-01-01", "2019-01-01", "in 2018"),
    "last month": ("2019-02-01", "2019-03-01", "in 2019-02"),
    "last week": ("2019-03-11", "2019-03-18", "week of 2019-03-11"),
    "yesterday": ("2019-03-19", "2019-03-20", "on 2019-03-19"),
    "tonight": ("2019-03-20", "2019-03-21", "on 2019-03-20"),
    "on Monday": ("2019-03-18", "2019-03-19", "on 2019-03-18"),
    "3 years ago": ("2016-01-01", "2017-01-01", "in 2016"),
    "two years ago": ("2017-01-01", "2018-01-01", "in 2017"),
    "half a year ago": ("2018-09-01", "2018-10-01", "in 2018-09"),
    "4 months ago": ("2018-11-01", "2018-12-01", "in 2018-11"),
    "5 days ago": ("2019-03-15", "2019-03-16", "on 2019-03-15"),
    "since 3 years ago": ("2016-03-20", None, "since 2016-03-20"),
    "more than 2 years ago": (None, "2017-03-20", "more than 2 years ago"),
    "less than 6 months ago": ("2018-09-20", "2019-03-21", "less than 6 months ago"),
    "from last March to yesterday": ("2018-03-01", "2019-03-20", "2018-03 to 2019-03-19"),
}
AGES = {
    "at age 50": (50, 51, "years"),
    "at the age of 50": (50, 51, "years"),
    "when she was 40": (40, 41, "years"),
    "before age 18": (None, 18, "years"),
    "before turning 18": (None, 18, "years"),
    "after age 65": (65, None, "years"),
    "by age 5": (None, 6, "years"),
    "in her 30s": (30, 40, "years"),
    "in his late 50s": (57, 60, "years"),
    "between ages 30 and 40": (30, 41, "years"),
    "at 6 months of age": (6, 7, "months"),
}
NOT_TIMES = (
    "B12|25-hydroxy vitamin D|325 MG aspirin|type 2 diabetes|stage 3 CKD|PCV13|T4|10*3/uL|24 HR metoprolol|28 Day Pack"
    "|1 ML|Ibuprofen 200 MG|first A1c|last A1c|last 3 A1cs|last visit|last admission|latest|LOINC 2085-9"
    "|bilirubin 1975-2|BP 120/80|vitamin D 2000 units|every 6 months|q8h|may I see her labs|last fall|24h urine"
    "|Metoprolol 24 HR|COVID-19|is she over 40 years old?|weight when she was 120 lb|platelets over 2000"
    "|on metoprolol for 3 months|44054006|72 HR Fentanyl 0.025 MG/HR|Camila 28 Day Pack|code 2018"
    "|vancomycin 2000 mg|vitamin D3 2000|two A1cs|last day of admission|follow-up in 2 weeks"
    "|24 hour urine protein|MMSE 24/30|recently|20/20 vision"
    "|within 30 days of discharge|did he march|now|visit after surgery|last 2 days of her stay"
).split("|")
VAGUE = ("last few months", "a few years ago", "on 2019-02-30", "13/32/2018", "in the last several days", "5 hours ago")


def edge(value: str | None) -> date | None:
    return date.fromisoformat(value) if value else None


def one(text: str, as_of: date = TODAY) -> Phrase:
    found = find(text, as_of)
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize("text", WINDOWS)
def test_windows(text: str) -> None:
    low, high, said = WINDOWS[text]
    phrase = one(f"A1c {text}")
    assert phrase.window == Window(low=edge(low), high=edge(high), text=said)
    assert f"A1c {text}"[phrase.start : phrase.end] == text and not phrase.vague


@pytest.mark.parametrize("text", AGES)
def test_ages(text: str) -> None:
    low, high, unit = AGES[text]
    phrase = one(f"fever {text}?")
    assert phrase.anchor is not None and phrase.window is None
    assert (phrase.anchor.low, phrase.anchor.high, phrase.anchor.unit) == (low, high, unit)
    assert f"fever {text}?"[phrase.start : phrase.end] == text


@pytest.mark.parametrize("text", NOT_TIMES)
def test_not_times(text: str) -> None:
    assert find(text, TODAY) == []
    assert find(f"what about {text} please", TODAY) == []


@pytest.mark.parametrize("text", VAGUE)
def test_vague(text: str) -> None:
    phrase = one(text)
    assert phrase.vague and phrase.window is None and (phrase.start, phrase.end) == (0, len(text))


@pytest.mark.parametrize(
    ("as_of", "low", "high"),
    [
        (TODAY, datetime(2019, 3, 20), datetime(2019, 3, 21)),
        (datetime(2019, 3, 20, 9, 30), datetime(2019, 3, 19, 9, 30), datetime(2019, 3, 20, 9, 30)),
    ],
)
@pytest.mark.parametrize("text", ["last 24 hours", "in the past 24h", "over the last 24 hrs", "I/O 24h"])
def test_hours(text: str, as_of: date, low: datetime, high: datetime) -> None:
    assert one(text, as_of).window == Window(low=low, high=high, text="last 24 hours")


def test_a_time_of_day() -> None:
    phrase = one("BP at 2019-03-02 14:05")
    assert phrase.on == date(2019, 3, 2) and phrase.window is not None
    assert phrase.window.low == datetime(2019, 3, 2, 14, 5) and phrase.window.high == datetime(2019, 3, 2, 14, 6)


def test_of_what_is_measured() -> None:
    assert one("last 10 y of LDL").window == one("last 10 years").window


def test_two_phrases() -> None:
    a, b = find("A1c in 2017 compared with last month", TODAY)
    assert a.window and b.window and (a.window.text, b.window.text) == ("in 2017", "in 2019-02") and a.end <= b.start


def test_on_is_a_single_day() -> None:
    assert one("on 2019-03-02").on == date(2019, 3, 2) and one("since 2019-03-02").on is None
    assert one("in 2018").on is None and one("yesterday").on == date(2019, 3, 19)


def test_a_reversed_range_is_vague() -> None:
    assert one("between 2018 and 2015").vague


def test_anchor_window() -> None:
    anchor = Anchor(kind="age", low=50, high=51, unit="years", text="at age 50")
    born = dates.parse("1960-06-15")
    assert anchor.window(born) == Window(low=date(2010, 6, 15), high=date(2011, 6, 15), text="at age 50")
    assert anchor.window(dates.parse("1960")).high == date(2011, 12, 31)
    leap = Anchor(kind="age", low=1, high=None, unit="years", text="after age 1").window(dates.parse("1960-02-29"))
    assert leap.low == date(1961, 3, 1)
    with pytest.raises(ValueError):
        anchor.window(dates.parse("9999"))


days = st.dates(min_value=date(1920, 1, 1), max_value=TODAY)
FORMS = (
    "{0:%Y-%m-%d}",
    "{0:%Y/%m/%d}",
    "{0.month}/{0.day}/{0.year}",
    "{0:%m/%d/%Y}",
    "{0.month}-{0.day}-{0.year}",
    "{0.day} {1} {0.year}",
    "{1} {0.day}, {0.year}",
    "{1} {0.day} {0.year}",
    "the {0.day}th of {1} {0.year}",
    "{2} {0.day}, {0.year}",
    "{0.day}-{2}-{0.year}",
    "{1} {0.day}th, {0.year}",
)


@given(days, st.sampled_from(FORMS), st.sampled_from([str, str.lower, str.upper]))
def test_every_form_of_a_date_reads_back(day: date, form: str, case: object) -> None:
    month = MONTHS[day.month - 1]
    text = form.format(day, month, month[:3])
    phrase = one(f"A1c on {case(text)}?")  # type: ignore[operator]
    assert phrase.on == day and phrase.window == Window(low=day, high=day + timedelta(days=1), text=f"on {day}")


@given(days, st.sampled_from([k for k in WINDOWS if k not in ("6mo", "x 3 days")]))
def test_windows_are_in_order_at_any_time(as_of: date, text: str) -> None:
    for phrase in find(text, as_of):
        window = phrase.window
        assert phrase.vague == (window is None)
        if window and window.low and window.high:
            assert window.low < window.high


# No article: "the last year" is another time than "last year".
words = ["what", "was", "A1c", "creatinine", "any", "statins", "her", "mg", "B12"]
plain = st.lists(st.sampled_from(words), max_size=5)
mixed = st.lists(st.sampled_from((*WINDOWS, *AGES, *NOT_TIMES, "and", "to", "-")), max_size=4).map(" ".join)


@given(plain, st.sampled_from([k for k in (*WINDOWS, *AGES) if k not in ("6mo", "x 3 days", "2018")]), plain)
def test_a_phrase_is_found_wherever_it_stands(before: list[str], text: str, after: list[str]) -> None:
    question = " ".join((*before, text, ",", *after))
    start = len(" ".join((*before, "")))
    phrase = one(question)
    assert question[phrase.start : phrase.end].strip() == text and phrase.start >= start - 1
    alone = one(text)
    assert (phrase.window, phrase.on, phrase.anchor) == (alone.window, alone.on, alone.anchor)


@given(st.text(max_size=60) | mixed)
def test_spans_are_in_order_and_each_says_something(text: str) -> None:
    end = 0
    for phrase in find(text, TODAY):
        assert end <= phrase.start < phrase.end <= len(text)
        assert [phrase.window is not None, phrase.anchor is not None, phrase.vague].count(True) == 1
        end = phrase.end
