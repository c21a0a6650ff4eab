"""The course of a cited measurement: all its results in one unit, each with the reference range of its own day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from agent.chart import Chart
from agent.cited.resource import Cited
from fhir_tools import compute, dates, paths, units, wording
from fhir_tools.facts import facts_of
from fhir_tools.facts.elements import elements_of, mapping_of, quantity_of, text_of
from fhir_tools.records import CODE_PARAMETER
from fhir_tools.search.query import escape
from fhir_tools.types import Fact, Quantity, Query

__all__ = ["Course", "Limits", "Point", "courses"]

_MOST = 6
"""Parts of a panel that are told as courses."""
_RESULTS = "Observation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """A reference range (R4 Observation.referenceRange) in the unit of its course; `text` as the chart writes it."""

    low: float | None
    high: float | None
    text: str

    def outside(self, value: float) -> Literal["low", "high", ""]:
        """On which side of the range a value lies; empty within it."""
        if self.low is not None and value < self.low:
            return "low"
        return "high" if self.high is not None and value > self.high else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A result. `value` is in the unit of the course, `text` as the chart has it; `flag` its interpretation."""

    fact: Fact
    value: float
    text: str
    flag: str
    limits: Limits | None

    @property
    def comparator(self) -> str:
        """`<` and the like, where the result is a bound and no number."""
        return (self.fact.value.comparator or "") if isinstance(self.fact.value, Quantity) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Results of one concept that one unit can tell, oldest first. `unit` is as a reader sees it."""

    label: str
    unit: str
    points: tuple[Point, ...]
    complete: bool = True


async def courses(chart: Chart, cited: Cited) -> tuple[Course, ...]:
    """The courses of what a result measures, its parts each; one more where units cannot be brought together.

    Those of the cited number come first. Empty for what holds no number. Raises SourceError.
    """
    own = [f for f in cited.facts if isinstance(f.value, Quantity)] if cited.reference.type == _RESULTS else []
    cited_first = sorted(own, key=lambda f: not cited.is_cited(f.path))[:_MOST]
    return tuple([course for fact in cited_first for course in await _of_concept(chart, fact)])


async def _of_concept(chart: Chart, fact: Fact) -> list[Course]:
    coding = next(iter(fact.concept.codings), None)
    token = (f"{escape(coding.system)}|" if coding.system else "") + escape(coding.code) if coding else ""
    narrow = ((CODE_PARAMETER[_RESULTS], token),) if token else ()
    result = await chart.search(Query(type=_RESULTS, params=(("patient", str(chart.patient)), *narrow)))
    end = dates.end_of_day(chart.as_of)
    found = [(f, r) for r in result.matches for f in facts_of(r) if _is_same(f, fact) and not _later(f, end)]
    return list(_split(fact, found, result.complete))


def _is_same(one: Fact, other: Fact) -> bool:
    alike = one.kind == other.kind and one.concept.key == other.concept.key
    return alike and one.standing == "fact" and isinstance(one.value, Quantity) and bool(one.when and one.when.low)


def _later(fact: Fact, end: Any) -> bool:
    return bool(fact.when and fact.when.low and fact.when.low >= end)


def _split(fact: Fact, found: Sequence[tuple[Fact, Mapping[str, Any]]], complete: bool) -> Iterator[Course]:
    """One course in the unit of the fact, then one in that of the latest of those that it cannot tell."""
    rest = sorted(found, key=lambda pair: compute.when_key(pair[0]))
    unit = fact.value
    while rest:
        assert isinstance(unit, Quantity)  # noqa: S101  only numbers are here
        points = [_point(f, r, unit) for f, r in rest]
        told = tuple(p for p in points if p)
        if told:
            yield Course(label=wording.label(fact.concept), unit=_shown(unit), points=told, complete=complete)
        left = [pair for pair, point in zip(rest, points, strict=True) if not point]
        rest, unit = left, left[-1][0].value if left else unit


def _shown(unit: Quantity) -> str:
    code = units.canonical(unit.unit, unit.code)
    return units.show(code) if code else (unit.unit or unit.code or "")


def _point(fact: Fact, resource: Mapping[str, Any], unit: Quantity) -> Point | None:
    """A result in a unit; None where it cannot be told in it."""
    assert isinstance(fact.value, Quantity)  # noqa: S101  only numbers are here
    value = _in(fact.value, unit)
    if value is None:
        return None
    return Point(
        fact=fact,
        value=value,
        text=wording.quantity_text(fact.value),
        flag=str(fact.details.get("interpretation") or ""),
        limits=_limits(_holder(resource, fact.path), fact.value, unit),
    )


def _in(quantity: Quantity, unit: Quantity) -> float | None:
    """The number in another's unit; a unit that nobody knows is that of the same words alone."""
    if (quantity.unit, quantity.code) == (unit.unit, unit.code):
        return quantity.value
    code = units.canonical(unit.unit, unit.code)
    if code is None:
        return None
    try:
        return units.convert(quantity, code).value
    except units.UnitError:
        return None


def _holder(resource: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """The Observation or component that holds a value, and so its ranges."""
    found = paths.at(resource, path.rpartition(".")[0])
    return mapping_of(found[0][1]) if found else resource


def _limits(holder: Mapping[str, Any], value: Quantity, unit: Quantity) -> Limits | None:
    """The first range that is not for a special state (therapeutic, a stage of pregnancy; R4 referenceRange.type)."""
    for item in elements_of(holder.get("referenceRange")):
        codes = {text_of(c.get("code")) for c in elements_of(mapping_of(item.get("type")).get("coding"))}
        if codes and "normal" not in codes:
            continue
        low, high = (_edge(item.get(name), value, unit) for name in ("low", "high"))
        text = text_of(item.get("text")) or _written(item)
        return Limits(low=low, high=high, text=text) if text or low is not None or high is not None else None
    return None


def _edge(raw: Any, value: Quantity, unit: Quantity) -> float | None:
    """One end of a range in the unit of the course; without a unit of its own it has that of the value."""
    edge = quantity_of(raw)
    if edge is None:
        return None
    if edge.unit is None and edge.code is None:
        edge = Quantity(value=edge.value, unit=value.unit, code=value.code)
    return _in(edge, unit)


def _written(item: Mapping[str, Any]) -> str:
    low, high = (quantity_of(item.get(name)) for name in ("low", "high"))
    told = [wording.quantity_text(q) for q in (low, high) if q]
    if low and high:
        return f"{units.show_number(low.value)} to {told[1]}"
    return f"at least {told[0]}" if low else f"at most {told[0]}" if high else ""
