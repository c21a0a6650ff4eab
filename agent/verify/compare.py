"""Direction words: whether what is told as higher, lower, risen or unchanged is so."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent.verify.chart import Chart
from agent.verify.facts import Fault
from agent.verify.pools import Ids, Pools, numeric
from agent.verify.reading import Reading
from agent.verify.statements import Cue, Statement
from fhir_tools import compute

__all__ = ["Compared", "against", "compare", "course_of"]

_FAULT = Fault(kind="direction", reason="the direction told is not that of the two values")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The outcome: a fault, or the facts that the direction was read from beside those the claim tells."""

    fault: Fault | None = None
    ids: Ids = frozenset()


def compare(reading: Reading, held: list[tuple[Statement, Ids]], base: Ids, chart: Chart, pools: Pools) -> Compared:
    """Hold each direction word against the values it is told of. `held` are the statements with their facts."""
    values = [(s, ids) for s, ids in held if s.role == "value" and ids and s.number and not s.number.comparator]
    for at, cue in enumerate(reading.directions):
        if len(values) >= 2:
            pair = values[at : at + 2] if len(values) >= at + 2 else values[:2]
            outcome = _pair(cue, reading, pair, chart)
        elif any(s.role == "change" and s.number for s, _ in held):
            moved = any(s.number.value for s, _ in held if s.role == "change" and s.number)
            outcome = Compared(fault=_FAULT) if cue.what == "same" and moved else Compared()
        elif len(values) == 1:
            outcome = _single(cue, reading, values[0], chart, pools)
        else:
            outcome = _course(cue, reading, base, chart, pools)
        if outcome.fault or len(values) < 2:
            return outcome
    return Compared()


def _true(cue: Cue, difference: float, *, denied: bool) -> bool:
    small = abs(difference) <= 1e-9
    match cue.what:
        case "same":
            true = small
        case "up":
            true = difference > 0 and not small
        case _:
            true = difference < 0 and not small
    return not true if denied else true


def _pair(cue: Cue, reading: Reading, pair: list[tuple[Statement, Ids]], chart: Chart) -> Compared:
    (a, a_ids), (b, b_ids) = pair
    differences = {d for x in a_ids for y in b_ids if (d := _gap(x, y, chart)) is not None}
    if not differences:
        return Compared(fault=_FAULT)
    if not _forward(cue, reading, a, b, a_ids, b_ids, chart):
        differences = {-d for d in differences}
    ok = all(_true(cue, d, denied=reading.direction_denied) for d in differences)
    return Compared() if ok else Compared(fault=_FAULT)


def _forward(cue: Cue, reading: Reading, a: Statement, b: Statement, a_ids: Ids, b_ids: Ids, chart: Chart) -> bool:
    """Whether the words go from the first value to the second: "from a to b", not "a is higher than b"."""
    if a.number is None or b.number is None:
        return True
    text = reading.masked
    if re.search(r"\bfrom\s*$", text[: a.number.start]) or re.search(r"\bto\s*$", text[: b.number.start]):
        return True
    between = text[max(cue.end, a.number.end) : b.number.start] if cue.start >= a.number.end else ""
    if re.search(r"\b(?:than|from|versus|vs|compared|over|before)\b", between) or re.search(
        r"\bthan\b", text[cue.start : b.number.start]
    ):
        return False
    return min(compute.when_key(chart.facts[i]) for i in a_ids) <= max(compute.when_key(chart.facts[i]) for i in b_ids)


def _gap(one: int, other: int, chart: Chart) -> float | None:
    """By how much the other is above the one, in one unit; None where their units do not meet."""
    pair = numeric(chart.facts[one]), numeric(chart.facts[other])
    values = {(f.reference, f.path): v for f, v in compute.series(pair).points}
    if any((f.reference, f.path) not in values for f in pair):
        return None
    first, second = (values[f.reference, f.path] for f in pair)
    return second - first


def _number(at: int, chart: Chart) -> float | None:
    fact = numeric(chart.facts[at])
    points = compute.series((fact,)).points
    return points[0][1] if points else None


def _single(cue: Cue, reading: Reading, told: tuple[Statement, Ids], chart: Chart, pools: Pools) -> Compared:
    """One value: it is compared with the first where that is named, else with the one before it."""
    _, ids = told
    at = max(ids, key=lambda i: compute.when_key(chart.facts[i]))
    key = chart.facts[at].concept.key
    ordered = course_of(frozenset(i for i, f in enumerate(chart.facts) if f.concept.key == key), chart, pools)
    if at not in ordered:
        return Compared(fault=_FAULT)
    first = re.search(r"\b(?:first|baseline|initial|earliest)\b", reading.masked[cue.end :])
    place = ordered.index(at)
    other = ordered[0] if first else ordered[place - 1] if place else None
    return against(cue, reading, at, other, chart)


def against(cue: Cue, reading: Reading, at: int, other: int | None, chart: Chart) -> Compared:
    """Whether `at` is to `other` as the cue says."""
    if other is None or other == at:
        return Compared(fault=_FAULT)
    gap = _gap(other, at, chart)
    if gap is None:
        return Compared(fault=_FAULT)
    ok = _true(cue, gap, denied=reading.direction_denied)
    return Compared(ids=frozenset((at, other))) if ok else Compared(fault=_FAULT)


def _course(cue: Cue, reading: Reading, base: Ids, chart: Chart, pools: Pools) -> Compared:
    """No value at all: the course from the first to the latest and its last step must both go that way."""
    ordered = course_of(base, chart, pools)
    if len(ordered) < 2:
        return Compared(fault=_FAULT)
    last_step = against(cue, reading, ordered[-1], ordered[-2], chart)
    if re.search(r"\b(?:previous|prior|before|last|compared)\b", reading.masked):
        return last_step
    whole = against(cue, reading, ordered[-1], ordered[0], chart)
    return last_step if last_step.fault else whole


def course_of(ids: Ids, chart: Chart, pools: Pools) -> list[int]:
    """The facts with a number that happened, oldest first."""
    kept = [i for i in pools.happened(ids) if _number(i, chart) is not None]
    return sorted(kept, key=lambda i: compute.when_key(chart.facts[i]))
