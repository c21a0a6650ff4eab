"""The tool `compute`: an operation of the fixed list over records of the chart, done by code."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from fhir_tools import compute, wording
from fhir_tools.cards.measurement import numbers_of
from fhir_tools.dates import Window
from fhir_tools.errors import NeedError
from fhir_tools.facts import facts_of
from fhir_tools.records import usable, within
from fhir_tools.tools.arguments import Day, Windowed
from fhir_tools.tools.bench import Bench
from fhir_tools.tools.finding import Words, look_up, not_there
from fhir_tools.tools.ledger import Ledger
from fhir_tools.tools.reading import Reader
from fhir_tools.tools.showing import analytes, bounded, mass_of
from fhir_tools.tools.types import Found, Show, Tool
from fhir_tools.types import Card, Computation, Fact, Interval, Kind, Quantity

__all__ = ["COMPUTE", "Operation"]

Operation = Literal[
    "count", "count_by_year", "mean", "change", "percent_change", "age", "age_at", "duration", "length_of_stay",
    "convert", "list",
]  # fmt: skip
"""The names in `fhir_tools.compute.OPERATIONS`; a test holds the two against each other."""

_NUMERIC = ("mean", "change", "percent_change", "convert")
_ROWS = 12
_UNIT = re.compile(r"[\w%/*.^()\[\]{}-]{1,16}")


class _Compute(Windowed):
    operation: Operation
    marks: Annotated[list[Annotated[str, StringConstraints(min_length=1, max_length=8)]], Field(max_length=12)] = []  # noqa: RUF012
    what: Words | None = None
    kind: Kind | None = None
    unit: Annotated[str, StringConstraints(min_length=1, max_length=30)] | None = None
    on: Day | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inputs:
    """The facts to compute over, of one thing, and how it is called; `whole` are all there are of it, where known."""

    name: str
    facts: tuple[Fact, ...]
    whole: tuple[Fact, ...] = ()
    window: str = ""


async def _compute(bench: Bench, asked: _Compute) -> Show:
    window = asked.window(bench.as_of)
    if asked.on and asked.on > bench.as_of:
        raise NeedError(f"on is after today, {bench.as_of.isoformat()}; give an earlier day")
    if asked.unit and asked.operation != "convert":
        raise NeedError("unit goes with operation convert alone")
    if asked.operation == "age":
        return _age(bench, asked)
    reader = Reader(bench)
    if asked.marks:
        inputs = _of_marks(bench, asked.marks, window)
    elif asked.what:
        looked = await look_up(reader, asked.what, asked.kind, window)
        if len(looked) > 1:
            raise NeedError("what: give one concept at a time")
        whole = usable(looked[0].facts)
        facts = within(whole, window)
        if not facts:
            return lambda marks: not_there(reader, marks, looked, window)
        inputs = _Inputs(name=looked[0].thing.label, facts=facts, whole=whole, window=window.text if window else "")
    else:
        raise NeedError("give marks (e.g. 1, 4) or what (a concept) to compute over")
    computed = _worked_out(bench, asked, inputs)
    return lambda marks: _shown(reader, marks, asked, inputs, computed)


def _of_marks(bench: Bench, names: Sequence[str], window: Window | None) -> _Inputs:
    """The facts behind marks, each once. Raises NeedError for marks without records, and for what is left out."""
    found: dict[tuple[str, str], Fact] = {}
    for mark in map(bench.mark, names):
        if mark.search or mark.span:
            raise NeedError(f"[{mark.id}] is a {'search' if mark.search else 'quote'}; give marks of records")
        found |= {(str(f.reference), f.path): f for f in mark.facts}
    facts = within(found.values(), window)
    if not facts:
        raise NeedError("none of these marks lies in that time; leave since and until out")
    if len(usable(facts)) < len(facts):
        raise NeedError(
            "one of these marks is of something that is no fact (refuted, planned, cancelled); leave it out"
        )
    return _Inputs(
        name=", ".join(dict.fromkeys(wording.label(f.concept) for f in facts)), facts=compute.in_order(facts)
    )


Worked = tuple[tuple[str, Computation], ...]
"""Computations, each with the word that tells it from the others (systolic, diastolic)."""


def _worked_out(bench: Bench, asked: _Compute, inputs: _Inputs) -> Worked:
    """The computations; more than one where numbers come in pairs. Raises NeedError where they cannot be done."""
    facts = inputs.facts
    match asked.operation:
        case "mean" | "change" | "percent_change" | "convert":
            return _numeric(bench, asked, facts)
        case "age_at":
            _only(facts, 1, "age_at")
            done = compute.compute("age_at", (_birth(bench), facts[0]))
        case "length_of_stay":
            if len(facts) != 1 or facts[0].kind != "encounter":
                raise NeedError("length_of_stay is of one encounter; give its mark")
            done = compute.compute("length_of_stay", facts)
        case "duration":
            if len(facts) == 1 and asked.on is None and not _end_of(facts[0]):
                raise NeedError("duration is between two marks, or from one to a day; give a second mark, or on")
            done = compute.compute("duration", facts, to=asked.on or (_end_of(facts[0]) if len(facts) == 1 else None))
        case _:
            done = compute.compute(asked.operation, facts)
    if done.result is None:
        raise NeedError(f"{asked.operation} cannot be worked out of these: their dates or ends are not known")
    return (("", done),)


def _end_of(fact: Fact) -> date | None:
    end = fact.details.get("abatement")
    return end.day if isinstance(end, Interval) else None


def _only(facts: Sequence[Fact], number: int, operation: str) -> None:
    if len(facts) != number:
        raise NeedError(f"{operation} is of {number} record; give its mark")


def _numeric(bench: Bench, asked: _Compute, facts: tuple[Fact, ...]) -> Worked:
    if len(analytes(bench, facts)) > 1:
        raise NeedError(f"{asked.operation} is over results of one thing; give marks of one, or its name as what")
    params: dict[str, Any] = {"molar_mass": mass_of(bench, facts[-1])}
    if asked.operation == "convert":
        _only(facts, 1, "convert")
        if not asked.unit:
            raise NeedError("convert needs unit, e.g. mmol/L")
        params["unit"] = asked.unit
    done: list[tuple[str, Computation]] = []
    for name, numbers in _courses(facts):
        exact = numbers if asked.operation == "convert" else _exact(numbers, params["molar_mass"])
        try:
            done.append((name, compute.compute(asked.operation, exact, **params)))
        except ValueError:
            raise NeedError(f"unit: these results cannot be told in that unit; they are in {_unit(exact)}") from None
    if any(c.result is None for _, c in done):
        least = "one number" if asked.operation in ("mean", "convert") else "two numbers"
        raise NeedError(f"{asked.operation} needs at least {least} of one thing, in units that meet and without < or >")
    return tuple(done)


def _courses(facts: tuple[Fact, ...]) -> tuple[tuple[str, tuple[Fact, ...]], ...]:
    """The course of numbers, or the two of a blood pressure."""
    pairs = [wording.pressures(f) for f in facts]
    if all(pairs):
        return ("systolic", tuple(p[0] for p in pairs)), ("diastolic", tuple(p[1] for p in pairs))
    return (("", tuple(map(numbers_of, facts))),)


def _exact(numbers: tuple[Fact, ...], mass: float | None) -> tuple[Fact, ...]:
    return tuple(f for f, _ in compute.series(numbers, mass).points)


def _unit(facts: Sequence[Fact]) -> str:
    """The unit as the chart has it, where it looks like one: a message to a model holds no other text of the chart."""
    value = facts[-1].value if facts else None
    unit = (value.code or value.unit or "") if isinstance(value, Quantity) else ""
    return unit if _UNIT.fullmatch(unit) else "another one"


def _shown(reader: Reader, marks: Ledger, asked: _Compute, inputs: _Inputs, worked: Worked) -> Found:
    lines = []
    for name, done in worked:
        called = f"{_CALLED.get(asked.operation, asked.operation)}{f' {name}' if name else ''}"
        result = _told(done)
        mark = marks.computed(done, f"{called} {result}")
        left = len(inputs.facts) - len(done.inputs)
        rest = f", of {len(done.inputs)} of {len(inputs.facts)} results" if asked.operation in _NUMERIC and left else ""
        lines.append(f"{called} {result} [{mark.id}]{rest}")
    if len(inputs.facts) <= _ROWS:
        lines.append("of " + " | ".join(f"[{marks.fact(f, 'member').id}] {wording.describe(f)}" for f in inputs.facts))
    else:
        ends = (("first", inputs.facts[0]), ("latest", inputs.facts[-1]))
        lines.append("of " + " | ".join(f"{r} [{marks.fact(f, r).id}] {wording.describe(f)}" for r, f in ends))
    when = f", {inputs.window}" if inputs.window else ""
    number = f"{len(inputs.facts)} record{'s' if len(inputs.facts) != 1 else ''}"
    card = Card(
        title=f"{inputs.name[:150]}{when}, {number} {wording.span_of(inputs.facts)}",
        kind=inputs.facts[-1].kind,
        lines=tuple(lines),
        marks=marks.all(),
        facts=inputs.whole or inputs.facts,
        concepts=tuple({f.concept.key: f.concept for f in inputs.facts}.values()),
        names=(inputs.name,),
        window=inputs.window,
    )
    return Found(cards=(bounded(card),), searched=reader.searched, warnings=tuple(reader.warnings))


_CALLED = {
    "count_by_year": "by year",
    "percent_change": "change in percent",
    "age_at": "age then",
    "length_of_stay": "length of stay",
    "change": "first to latest",
    "list": "names",
}


def _told(done: Computation) -> str:
    teller = _TOLD.get(done.op)
    if teller:
        return teller(done.result)
    result = done.result
    if isinstance(result, Quantity):
        text = wording.quantity_text(result)
        return f"+{text}" if done.op in ("change", "percent_change") and result.value > 0 else text
    return str(result)


def _years(age: Any) -> str:
    return f"at least {age[0]} years" if isinstance(age, tuple) else f"{age} years"


_TOLD: Mapping[str, Callable[[Any], str]] = {
    "count_by_year": lambda rows: "  ".join(f"{year}: {n}" for year, n in rows[-30:]),
    "age": _years,
    "age_at": _years,
    "duration": lambda days: f"{days} days",
    "list": lambda names: f"({len(names)}) {', '.join(names)}"[:600],
}


def _birth(bench: Bench) -> Fact:
    birth = next((f for f in facts_of(bench.person) if f.path == "Patient.birthDate"), None)
    if birth is None:
        raise NeedError("the birth date is not in the chart; an age cannot be worked out")
    return birth


def _age(bench: Bench, asked: _Compute) -> Show:
    """The age today, on a day, or at death."""
    if asked.marks or asked.what:
        raise NeedError("age is the patient's, today or on a day; for the age at an event give age_at with its mark")
    died = tuple(
        replace(f, when=f.value)
        for f in facts_of(bench.person)
        if f.path == "Patient.deceasedDateTime" and isinstance(f.value, Interval)
    )
    inputs = _Inputs(name="Patient", facts=(_birth(bench), *(() if asked.on else died)))
    at = asked.on or (None if died else bench.as_of)
    done = compute.compute("age", inputs.facts, at=at)
    if done.result is None:
        raise NeedError("the age on that day cannot be worked out; give a day after the birth date")
    reader = Reader(bench)
    return lambda marks: _shown(reader, marks, asked, inputs, (("", done),))


COMPUTE = Tool(
    name="compute",
    description="Work out a count, mean, change, age, duration or unit over marks or a concept in a time.",
    arguments=_Compute,
    reader=_compute,
)
