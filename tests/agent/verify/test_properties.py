"""Whatever the chart: a false number, date or unit is never verified, and true claims find their own marks."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from agent.verify.checks import day_fits
from agent.verify.told import Number, days_in, normal, numbers_in
from agent.verify.values import figures, number_fits
from fhir_tools import dates
from fhir_tools.cards import Marks, measurement_card
from fhir_tools.types import Fact
from tests.agent.verify.charts import Chart, mark, observation

DAYS = st.dates(min_value=date(1990, 1, 1), max_value=date(2020, 12, 31))
TENTHS = st.integers(min_value=10, max_value=9999).map(lambda n: n / 10)
SERIES = st.lists(st.tuples(DAYS, TENTHS), min_size=1, max_size=8, unique_by=(lambda p: p[0], lambda p: p[1])).map(
    sorted
)
UNITS = ("mg/dL", "mmol/L", "g/L", "kg", "/min", "mm[Hg]", "U/L")


def chart_of(series: list[tuple[date, float]], unit: str) -> tuple[Chart, tuple[Fact, ...]]:
    facts = tuple(
        observation(f"o{i}", "Serum marker", day.isoformat(), value, unit) for i, (day, value) in enumerate(series)
    )
    return Chart(measurement_card(Marks(), facts, each=12)), facts


def told(day: date, form: int) -> str:
    return (
        day.isoformat(),
        f"{day:%B} {day.day}, {day.year}",
        f"{day.day} {day:%b} {day.year}",
        f"{day.month}/{day.day}/{day.year}",
    )[form]


@settings(max_examples=60, deadline=None)
@given(series=SERIES, unit=st.sampled_from(UNITS), form=st.integers(0, 3), data=st.data())
def test_true_claims_find_the_marks_that_they_lost(
    series: list[tuple[date, float]], unit: str, form: int, data: st.DataObject
) -> None:
    chart, _ = chart_of(series, unit)
    shown = [
        i
        for i in range(len(series))
        if any(m.fact and m.fact.reference.id == f"o{i}" for c in chart.cards for m in c.marks)
    ]
    at = data.draw(st.sampled_from(shown))
    day, value = series[at]
    text = f"Serum marker was {value:g} {unit} on {told(day, form)}."
    named = mark(chart, f"Observation/o{at}").id
    assert chart.marks(text, named) == chart.marks(text) == (named,)


@settings(max_examples=120, deadline=None)
@given(series=SERIES, unit=st.sampled_from(UNITS), data=st.data())
def test_a_changed_number_date_or_unit_is_never_held(
    series: list[tuple[date, float]], unit: str, data: st.DataObject
) -> None:
    chart, _ = chart_of(series, unit)
    everything = tuple(m.id for c in chart.cards for m in c.marks)
    day, value = data.draw(st.sampled_from(series))
    other = data.draw(TENTHS.filter(lambda v: abs(v - value) > 0.06))
    assert chart.kind(f"Serum marker was {other:g} {unit} on {day.isoformat()}.", *everything)
    moved = data.draw(DAYS.filter(lambda d: d != day))
    assert chart.kind(f"Serum marker was {value:g} {unit} on {moved.isoformat()}.", *everything)
    swapped = data.draw(st.sampled_from([u for u in UNITS if u != unit]))
    assert chart.kind(f"Serum marker was {value:g} {swapped} on {day.isoformat()}.", *everything)


@settings(max_examples=100, deadline=None)
@given(series=SERIES, what=st.sampled_from(["latest", "first", "highest", "lowest", "previous"]), data=st.data())
def test_qualifiers_are_true_or_removed(series: list[tuple[date, float]], what: str, data: st.DataObject) -> None:
    chart, _ = chart_of(series, "mg/dL")
    everything = tuple(m.id for c in chart.cards for m in c.marks)
    at = data.draw(st.integers(0, len(series) - 1))
    values = [v for _, v in series]
    right = {"latest": len(series) - 1, "first": 0, "highest": values.index(max(values)),
             "lowest": values.index(min(values)),
             "previous": len(series) - 2}[what]  # fmt: skip
    kind = chart.kind(f"The {what} serum marker was {values[at]:g} mg/dL.", *everything)
    assert (kind == "") == (at == right)


@settings(max_examples=60, deadline=None)
@given(series=SERIES, n=st.integers(0, 12))
def test_counts_are_true_or_removed(series: list[tuple[date, float]], n: int) -> None:
    chart, _ = chart_of(series, "mg/dL")
    assert (chart.kind(f"{n} serum marker results are recorded.") == "") == (n == len(series))


@settings(max_examples=80, deadline=None)
@given(series=SERIES.filter(lambda s: len(s) > 1), up=st.booleans(), data=st.data())
def test_directions_are_true_or_removed(series: list[tuple[date, float]], up: bool, data: st.DataObject) -> None:
    chart, _ = chart_of(series[-3:] if len(series) > 3 else series, "mg/dL")
    (d1, a), (d2, b) = series[-2:]
    word = "rose" if up else "fell"
    text = f"Serum marker {word} from {a:g} mg/dL on {d1.isoformat()} to {b:g} mg/dL on {d2.isoformat()}."
    assert (chart.kind(text) == "") == ((b > a) == up)


@given(day=DAYS, form=st.integers(0, 3))
def test_dates_are_read_in_every_form(day: date, form: int) -> None:
    found = days_in(normal(f"it was 6.9 % on {told(day, form)}."))
    assert [(d.year, d.month, d.day) for d in found] == [(day.year, day.month, day.day)]
    assert found[0].first == found[0].last == day


@given(day=DAYS, shift=st.integers(-40, 40))
def test_partial_dates_fit_what_they_cover_and_are_never_told_more_precisely(day: date, shift: int) -> None:
    moved = day + timedelta(days=shift)
    month, year = days_in(f"in {moved:%B %Y}".lower())[0], days_in(f"in {moved.year}")[0]
    recorded = dates.parse(day.isoformat())
    assert day_fits(month, recorded) == (moved.strftime("%Y-%m") == day.strftime("%Y-%m"))
    assert day_fits(year, recorded) == (moved.year == day.year)
    assert not day_fits(days_in(day.isoformat())[0], dates.parse(day.isoformat()[:7]))
    assert not day_fits(days_in(f"{day:%B %Y}".lower())[0], dates.parse(str(day.year)))


@given(value=st.floats(0.01, 9999), places=st.integers(0, 4))
def test_rounding_keeps_the_value(value: float, places: int) -> None:
    text = f"{value:.{places}f}"
    number = next(iter(numbers_in(text, text, lambda u: False)))
    assume(float(text) > 0)
    if number.figures >= 3 and figures(value) > 4:
        assert number_fits(number, value)
    off = Number(
        start=0, end=1, text=text, value=number.value + 1.5 * 10**-places, places=places, figures=number.figures
    )
    assert not number_fits(off, float(text))


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=80))
def test_no_text_raises(text: str) -> None:
    chart, _ = chart_of([(date(2001, 2, 3), 4.5)], "mg/dL")
    chart.kind(text)
