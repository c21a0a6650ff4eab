"""What code works out over facts: every number in an answer that no single resource holds.

Operations are pure and are named, so that verify can run any of them again (`run`).
Values of one concept in several units are brought to the unit of its latest result; what cannot be
converted, has a comparator (`<0.5`) or is absent takes no part in means and changes, only in counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from fhir_tools import dates, units
from fhir_tools.types import Computation, Fact, Interval, Quantity

__all__ = ["OPERATIONS", "Series", "compute", "in_order", "run", "series", "when_key"]

_FAR_PAST = datetime(1, 1, 1, tzinfo=UTC)


def when_key(fact: Fact) -> tuple[datetime, str]:
    """Sort key: the start of the fact's time (undated first), then its reference, so that ties are stable."""
    low = (fact.when.low or fact.when.high) if fact.when else None
    return low or _FAR_PAST, str(fact.reference)


def in_order(facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
    """The facts oldest first."""
    return tuple(sorted(facts, key=when_key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The comparable numbers of one concept, oldest first, in one unit; and the facts that are not among them."""

    points: tuple[tuple[Fact, float], ...]
    unit: str | None
    left_out: tuple[Fact, ...] = ()

    def quantity(self, value: float) -> Quantity:
        """A number of the course with its unit, shown as the chart writes it."""
        last = self.points[-1][0].value if self.points else None
        shown = last.unit if isinstance(last, Quantity) and last.unit else self.unit
        return Quantity(value=value, unit=shown, code=self.unit)


def series(facts: tuple[Fact, ...], molar_mass: float | None = None) -> Series:
    """The facts as one course of numbers. `molar_mass` (g/mol) lets mass and substance concentrations meet."""
    ordered = in_order(facts)
    exact = [f for f in ordered if isinstance(f.value, Quantity) and f.value.comparator is None]
    unit = _unit(exact[-1].value) if exact else None
    points = tuple((f, n) for f in exact if (n := _number(f.value, unit, molar_mass)) is not None)
    kept = {id(f) for f, _ in points}
    return Series(points=points, unit=unit, left_out=tuple(f for f in ordered if id(f) not in kept))


def _unit(quantity: Any) -> str | None:
    return units.canonical(quantity.unit, quantity.code) or quantity.code or quantity.unit


def _number(quantity: Any, unit: str | None, molar_mass: float | None) -> float | None:
    if _unit(quantity) == unit:
        return float(quantity.value)
    try:
        return units.convert(quantity, unit or "1", molar_mass=molar_mass).value
    except ValueError:
        return None


def _count(facts: tuple[Fact, ...], params: Mapping[str, Any]) -> int:
    return len(facts)


def _count_by_year(facts: tuple[Fact, ...], params: Mapping[str, Any]) -> tuple[tuple[int, int], ...]:
    years = Counter(f.when.day.year for f in facts if f.when and f.when.day)
    return tuple(sorted(years.items()))


def _mean(facts: tuple[Fact, ...], params: Mapping[str, Any]) -> Quantity | None:
    course = series(facts, params.get("molar_mass"))
    if not course.points:
        return None
    return course.quantity(sum(n for _, n in course.points) / len(course.points))


def _change(facts: tuple[Fact, ...], params: Mapping[str, Any]) -> Quantity | None:
    course = series(facts, params.get("molar_mass"))
    if len(course.points) < 2:
        return None
    return course.quantity(course.points[-1][1] - course.points[0][1])


def _percent_change(facts: tuple[Fact, ...], params: Mapping[str, Any]) -> Quantity | None:
    course = series(facts, params.get("molar_mass"))
    if len(course.points) < 2 or course.points[0][1] == 0:
        return None
    first, last = course.points[0][1], course.points[-1][1]
    return Quantity(value=(last - first) / abs(first) * 100, unit="%", code="%")


def _age(facts: tuple[Fact, ...], params: Mapping[str, Any]) -> int | tuple[int, int] | None:
    """Whole years from the birth date to `at`, or to the second fact's time; a pair where birth is imprecise."""
    birth = next((f.value for f in facts if isinstance(f.value, Interval) and f.path == "Patient.birthDate"), None)
    at = params.get("at") or next((f.when for f in facts if f.path != "Patient.birthDate" and f.when), None)
    return dates.age(birth, at) if birth and at else None


def _duration(facts: tuple[Fact, ...], params: Mapping[str, Any]) -> int | None:
    """Whole days between the calendar dates of the first fact's start and the last one's (or `to`)."""
    days = [f.when.day for f in in_order(facts) if f.when and f.when.day]
    end: date | None = params.get("to") or (days[-1] if days else None)
    return (end - days[0]).days if days and end else None


def _length_of_stay(facts: tuple[Fact, ...], params: Mapping[str, Any]) -> Quantity | None:
    """Length of one encounter: days for a stay over midnight, else hours or minutes.

    None while it goes on, and where its dates are known only to the month or year.
    """
    when = facts[0].when if facts else None
    if not when or not when.low or not when.high or when.precision in ("year", "month"):
        return None
    nights = ((dates.last_day(when) or when.high.date()) - when.low.date()).days
    if nights or when.precision == "day":
        return Quantity(value=nights, unit="d", code="d")
    minutes = round((when.high - when.low).total_seconds() / 60)
    if minutes >= 120:
        return Quantity(value=round(minutes / 60, 1), unit="h", code="h")
    return Quantity(value=minutes, unit="min", code="min")


def _convert(facts: tuple[Fact, ...], params: Mapping[str, Any]) -> Quantity | None:
    value = facts[0].value if facts else None
    if not isinstance(value, Quantity):
        return None
    return units.convert(value, params["unit"], molar_mass=params.get("molar_mass"))


def _list(facts: tuple[Fact, ...], params: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f.concept.label for f in facts))


OPERATIONS: Mapping[str, Callable[[tuple[Fact, ...], Mapping[str, Any]], Any]] = {
    "count": _count,
    "count_by_year": _count_by_year,
    "mean": _mean,
    "change": _change,
    "percent_change": _percent_change,
    "age": _age,
    "age_at": _age,
    "duration": _duration,
    "length_of_stay": _length_of_stay,
    "convert": _convert,
    "list": _list,
}


def compute(op: str, facts: tuple[Fact, ...], **params: Any) -> Computation:
    """Run `op` over the facts and keep what it read beside what it gave.

    Raises KeyError for an unknown op, and ValueError (UnitError) for a `convert` to a unit that does not fit.
    """
    given = {k: v for k, v in params.items() if v is not None}
    return Computation(op=op, inputs=facts, params=given, result=OPERATIONS[op](facts, given))


def run(computation: Computation) -> Any:
    """The result of a computation worked out anew."""
    return OPERATIONS[computation.op](computation.inputs, computation.params)
