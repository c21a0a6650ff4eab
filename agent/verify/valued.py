"""A verified claim's one number, day, or yes and no as data, where its reasoner gave none: that of the evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agent.verify.chart import Chart
from agent.verify.checks import day_fits
from agent.verify.pools import Ids
from agent.verify.reading import Reading
from agent.verify.statements import Statement
from agent.verify.values import fits, number_fits, quantities_of
from fhir_tools import units
from fhir_tools.types import Interval, Mark, Quantity

__all__ = ["value_of"]

Pairs = Sequence[tuple[Statement, Ids]]


def value_of(
    expects: str | None, reading: Reading, pairs: Pairs, marks: Sequence[Mark], chart: Chart
) -> Mapping[str, Any] | None:
    """The value that a verified claim tells, as `Claim.value`; None where it tells none, or several.

    `expects` is what the question asks for; None is found out from the claim: yes or no, else a number, else a day.
    """
    if expects == "bool" or (expects is None and reading.answer):
        return _value("bool", reading.answer == "yes") if reading.answer else None
    if expects in ("number", None):
        told = [(s, ids) for s, ids in pairs if s.number and not s.number.join]
        if len(told) == 1:
            return next(_numbers(*told[0], marks, chart), None)
    if expects in ("date", None):
        days = {i.text for s, ids in pairs if s.dating for i in _whens(s, ids, marks, chart)}
        if len(days) == 1:
            day = next(iter(days))
            return _value("date", day, date=day)
    return None


def _value(kind: str, value: Any, *, unit: str | None = None, date: str | None = None) -> dict[str, Any]:
    return {"kind": kind, "value": value, "unit": unit, "date": date}


def _numbers(s: Statement, ids: Ids, marks: Sequence[Mark], chart: Chart) -> Iterator[dict[str, Any]]:
    """The recorded or computed numbers that the told one is, as they are in the evidence."""
    number = s.number
    if number is None:
        return
    for i in sorted(ids):
        fact = chart.facts[i]
        for q in quantities_of(fact):
            if fits(number, q) == "yes" and not q.comparator:
                yield _value("number", q.value, unit=_unit(q), date=fact.when.text if fact.when else None)
    for mark in (m for m in marks if m.computation):
        result = mark.computation.result if mark.computation else None
        for one in result if isinstance(result, tuple) else (result,):
            if isinstance(one, Quantity) and fits(number, one) == "yes":
                yield _value("number", one.value, unit=_unit(one))
            elif isinstance(one, int | float) and not isinstance(one, bool) and number_fits(number, one):
                yield _value("number", one)
    if s.role == "count":
        yield _value("number", int(number.value))


def _unit(q: Quantity) -> str | None:
    return units.canonical(q.unit, q.code) or q.code or q.unit


def _whens(s: Statement, ids: Ids, marks: Sequence[Mark], chart: Chart) -> Iterator[Interval]:
    """The recorded times that the told day is, of the facts of the statement and of what is cited.

    The day of what was refuted or entered in error is not when it was.
    """
    cited = [chart.facts[i] for i in ids] + [f for m in marks if m.fact for f in m.facts]
    facts = [f for f in cited if f.standing not in ("refuted", "error")]
    told = s.dating.days if s.dating else ()
    if len(told) == 1:
        own = (i for f in facts for i in (f.when, f.value, *f.details.values()) if isinstance(i, Interval))
        yield from (i for i in own if i.text and day_fits(told[0], i))
