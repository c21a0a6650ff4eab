"""The claim as data: `Claim.value` held against the same evidence as the words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from agent.types import Claim
from agent.verify.chart import Chart, texts_of, tokens
from agent.verify.checks import day_fits
from agent.verify.facts import Fault
from agent.verify.pools import Ids
from agent.verify.reading import Reading
from agent.verify.statements import Statement
from agent.verify.told import Number, days_in, normal
from agent.verify.values import fits, number_fits, quantities_of
from fhir_tools import dates, wording
from fhir_tools.types import Interval, Mark, Quantity

__all__ = ["fault"]


def fault(
    claim: Claim, reading: Reading, marks: list[Mark], pairs: list[tuple[Statement, Ids]], chart: Chart
) -> Fault | None:
    """The fault of a value that the claim's evidence does not hold; None where there is no value."""
    value = claim.value
    if value is None:
        return None
    check = {"number": _number, "date": _date, "bool": _bool, "text": _text, "set": _set}.get(str(value.get("kind")))
    if check is None:
        return Fault(kind="unsupported", reason="the value given as data has no known kind")
    return check(value, reading, marks, pairs, chart)


def _results(marks: list[Mark]) -> list[Any]:
    out: list[Any] = []
    for m in marks:
        if m.computation:
            result = m.computation.result
            out += [
                y
                for x in (result if isinstance(result, tuple) else (result,))
                for y in (x if isinstance(x, tuple) else (x,))
            ]
            if m.computation.op in ("count", "list", "mean", "count_by_year"):
                out += [len(m.computation.inputs), len({f.concept.label.lower() for f in m.computation.inputs})]
    return out


def _number(
    value: Mapping[str, Any], reading: Reading, marks: list[Mark], pairs: list[tuple[Statement, Ids]], chart: Chart
) -> Fault | None:
    raw = value.get("value")
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not math.isfinite(raw):
        return Fault(kind="number", reason="the value given as data is no number")
    text = f"{abs(raw):.12g}"
    places, digits = len(text.partition(".")[2]), len(text.replace(".", "").lstrip("0"))
    unit = value.get("unit") or None
    told = Number(start=0, end=0, text=text, value=float(raw), places=places, figures=digits, unit=unit)
    facts = [f for m in marks if m.fact for f in m.facts] + [chart.facts[i] for _, ids in pairs for i in ids]
    quantities = [q for f in facts for q in quantities_of(f)] + [r for r in _results(marks) if isinstance(r, Quantity)]
    quantities += [q for f in facts for q in f.details.values() if isinstance(q, Quantity)]
    plain = [r for r in _results(marks) if isinstance(r, int | float) and not isinstance(r, bool)]
    bare = [Quantity(value=q.value, unit=q.unit, code=q.code) for q in quantities]
    bare += [Quantity(value=abs(q.value), unit=q.unit, code=q.code) for q in quantities if not reading.directions]
    found = {fits(told, q) for q in bare}
    counted = [s.number.value for s in reading.statements if s.role == "count" and s.number]
    if float(raw) in counted:
        return None
    if "yes" in found or any(number_fits(told, p) for p in plain):
        return _when(value, pairs, chart)
    kind = "unit" if "unit" in found else "number"
    return Fault(kind=kind, reason="the value given as data is not the evidence's")


def _when(value: Mapping[str, Any], pairs: list[tuple[Statement, Ids]], chart: Chart) -> Fault | None:
    text = value.get("date")
    if not text or not any(ids for _, ids in pairs):
        return None
    days = days_in(normal(str(text)))
    whens = [w for _, ids in pairs for i in ids if (w := chart.facts[i].when)]
    if days and any(day_fits(days[0], w) for w in whens):
        return None
    return Fault(kind="date", reason="the date given as data is not the evidence's")


def _intervals(marks: list[Mark]) -> list[Interval]:
    facts = [f for m in marks for f in m.facts]
    own = [i for f in facts for i in (f.when, f.value, *f.details.values()) if isinstance(i, Interval)]
    ends = [dates.parse(last.isoformat()) for i in own if (last := dates.last_day(i))]
    return own + ends


def _date(
    value: Mapping[str, Any], reading: Reading, marks: list[Mark], pairs: list[tuple[Statement, Ids]], chart: Chart
) -> Fault | None:
    days = days_in(normal(str(value.get("value", ""))))
    said = [d for s in reading.statements if s.dating for d in s.dating.days]
    agreed = (
        not said or any((d.year, d.month, d.day) == (days[0].year, days[0].month, days[0].day) for d in said)
        if days
        else False
    )
    if days and agreed and any(day_fits(days[0], i) for i in _intervals(marks)):
        return None
    return Fault(kind="date", reason="the date given as data is not the evidence's")


def _bool(
    value: Mapping[str, Any], reading: Reading, marks: list[Mark], pairs: list[tuple[Statement, Ids]], chart: Chart
) -> Fault | None:
    said = value.get("value")
    if reading.answer:
        agrees = said is (reading.answer == "yes")
    else:
        denied = reading.denied or reading.direction_denied or any(s.denied_statuses for s, _ in pairs)
        denied = denied or any("ended" in s.statuses for s, _ in pairs) or bool(reading.relative)
        other = any(chart.facts[i].standing != "fact" for _, ids in pairs for i in ids)
        agrees = isinstance(said, bool) and (said is not denied or (other and said is False))
    return None if agrees else Fault(kind="negation", reason="yes or no as data contradicts the words")


def _held_words(reading: Reading, marks: list[Mark], pairs: list[tuple[Statement, Ids]], chart: Chart) -> set[str]:
    facts = [f for m in marks for f in m.facts] + [chart.facts[i] for _, ids in pairs for i in ids]
    texts = [reading.text, *(m.shown for m in marks)]
    for f in facts:
        texts += [f.concept.label, f.status, wording.value_text(f), *(c.display or "" for c in f.concept.codings)]
        texts += [t for v in f.details.values() for x in (v if isinstance(v, tuple) else (v,)) for t in texts_of(x)]
    return {t for text in texts for t in tokens(text)}


def _text(
    value: Mapping[str, Any], reading: Reading, marks: list[Mark], pairs: list[tuple[Statement, Ids]], chart: Chart
) -> Fault | None:
    if set(tokens(str(value.get("value", "")))) <= _held_words(reading, marks, pairs, chart):
        return None
    return Fault(kind="unsupported", reason="the words given as data are not the evidence's")


def _set(
    value: Mapping[str, Any], reading: Reading, marks: list[Mark], pairs: list[tuple[Statement, Ids]], chart: Chart
) -> Fault | None:
    items = value.get("value")
    if not isinstance(items, list | tuple | set | frozenset):
        return Fault(kind="unsupported", reason="the value given as data is no list")
    facts = [f for m in marks for f in m.facts] + [chart.facts[i] for _, ids in pairs for i in ids]
    names = {
        t
        for f in facts
        for t in (f.concept.label.lower(), wording.label(f.concept).lower(), wording.value_text(f).lower())
    }
    names |= {f.when.text for f in facts if f.when}
    said = normal(reading.text)
    if all(str(item).lower() in names or (tokens(str(item)) and str(item).lower() in said) for item in items):
        return None
    return Fault(kind="concept", reason="a member given as data is not the evidence's")
