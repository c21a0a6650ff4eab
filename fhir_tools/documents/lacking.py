"""What documents state and the structured chart lacks, or has otherwise: statements held against the chart's facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from fhir_tools import units
from fhir_tools.codes import Matcher
from fhir_tools.documents.statements import Sort, Statement
from fhir_tools.errors import ChartlineError
from fhir_tools.lexicon import Entry
from fhir_tools.types import Components, Fact, Quantity
from fhir_tools.units import UnitError

__all__ = ["Lack", "agrees", "day_of", "is_near", "lacking"]

_KINDS: Mapping[Sort, tuple[str, ...]] = {
    "problem": ("condition",),
    "symptom": ("condition", "measurement"),
    "medication": ("medication", "immunization"),
    "adverse event": ("allergy", "condition"),
    "measurement": ("measurement", "social"),
}
_NEAR = timedelta(days=1)
"""How far the time of a result may lie from the day that a note tells it for: notes are written after it."""
_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """A statement that the chart does not have: `lacks`, or has with other values: `differs` (then from `facts`)."""

    statement: Statement
    how: Literal["lacks", "differs"]
    facts: tuple[Fact, ...] = ()


def lacking(told: Iterable[Statement], matcher: Matcher, results: Mapping[str, Sequence[Fact]]) -> tuple[Lack, ...]:
    """The statements that the chart lacks, the first of each concept (and of each value and day of a measurement).

    `results` are the chart's measurements by concept key. Mentions that are negated, uncertain or of the family are
    kept and told as that; a concept that is affirmed anywhere is not also told so.
    """
    found = [lack for s in told if (lack := _held(s, matcher, results))]
    rank = {"affirmed": 0, "historical": 0}
    best: dict[tuple[str, ...], Lack] = {}
    for lack in found:
        key = _key(lack.statement)
        known = best.get(key)
        if known is None or rank.get(lack.statement.assertion, 1) < rank.get(known.statement.assertion, 1):
            best[key] = lack
    return tuple(best.values())


def _key(s: Statement) -> tuple[str, ...]:
    ids = tuple(f"{e.kind} {e.id}" for e in s.entries)
    day = str(day_of(s)) if s.values else ""
    return (s.sort, s.cause, day, *ids, *(f"{q.value:g}" for q in s.values))


def day_of(s: Statement) -> date | None:
    """The day that a statement is for: the one it tells, else that of its document."""
    if s.when and s.when.on:
        return s.when.on
    return s.document.fact.when.day if s.document.fact.when else None


def _held(s: Statement, matcher: Matcher, results: Mapping[str, Sequence[Fact]]) -> Lack | None:
    entries = [e for e in matcher.entries_of([(e.kind, e.id) for e in _alike(s, matcher)], _KINDS[s.sort]) if e.count]
    if s.sort != "measurement":
        return None if entries or _mixed(s, matcher) else Lack(statement=s, how="lacks")
    facts = [f for e in entries for f in results.get(e.key, ())]
    same_day = [f for f in facts if is_near(f, day_of(s))]
    if not same_day:
        return Lack(statement=s, how="lacks")
    if any(agrees(s.values, f) for f in same_day):
        return None
    return Lack(statement=s, how="differs", facts=tuple(same_day))


def _mixed(s: Statement, matcher: Matcher) -> bool:
    """Whether the chart has a combination product under the names of its ingredients."""
    mixtures = (e.attributes.get("ingredients", "").split("|") for e in s.entries if e.kind == "drug")
    return any(all(_given(drug, matcher) for drug in drugs) for drugs in mixtures if drugs != [""])


def _given(drug: str, matcher: Matcher) -> bool:
    return any(e.count for e in matcher.entries_of([("drug", drug)], _KINDS["medication"]))


def _alike(s: Statement, matcher: Matcher) -> tuple[Entry, ...]:
    """The statement's meanings; a substance is an allergen, a drug and a class of drugs by the same name."""
    if s.sort != "adverse event":
        return s.entries
    names = {term for e in s.entries for term in e.terms}
    more = (e for term in names for e in matcher.lexicon.lookup(term, ("allergen", "drug", "drug_class", "condition")))
    return tuple({(e.kind, e.id): e for e in (*s.entries, *more)}.values())


def is_near(fact: Fact, day: date | None) -> bool:
    """Whether a result is of the day, or of the one beside it; without a day it is."""
    own = fact.when.day if fact.when else None
    return day is None or (own is not None and abs(own - day) <= _NEAR)


def agrees(told: Sequence[Quantity], fact: Fact) -> bool:
    """Whether a result has the told values, in whatever unit, by the digits that are told. One without is no other."""
    if isinstance(fact.value, Components):
        parts = [p.value for p in fact.value.parts if isinstance(p.value, Quantity)]
        return len(told) <= len(parts) and all(any(_same(q, p) for p in parts) for q in told)
    return isinstance(fact.value, Quantity) and _same(told[0], fact.value)


def _same(told: Quantity, recorded: Quantity) -> bool:
    value = recorded.value
    code = units.canonical(recorded.unit, recorded.code)
    if told.code and code and told.code != code:
        try:
            value = units.convert(Quantity(value=value, unit=recorded.unit, code=code), told.code).value
        except (UnitError, ChartlineError, ValueError):
            return False
    room = max(abs(value) * _TOLERANCE, 0.5 * 10 ** -_digits(told.value))
    return bool(abs(told.value - value) <= room + 1e-9)


def _digits(value: float) -> int:
    text = f"{value:g}"
    return len(text.partition(".")[2])
