"""A check and a chart → what is known: `met`, `not_met` or `unknown`, with reasons and marks. No model."""

from __future__ import annotations

from typing import Any

from agent.trials.checks import Age, All, Any_, AtLeast, Measurement, NoChart, Not, Pregnancy, Record, Sex, Smoking
from agent.trials.judging import people
from agent.trials.judging.finding import Finder
from agent.trials.judging.measurements import measurement
from agent.trials.judging.records import record
from agent.trials.judging.told import Told, every, negated, one_of, unknown

__all__ = ["Finder", "Told", "judge"]


async def judge(check: Any, finder: Finder) -> Told:
    """What the chart says of a check. Raises SourceError when the source fails before anything was read."""
    match check:
        case Not():
            return negated(await judge(check.of, finder))
        case All():
            return every([await judge(part, finder) for part in check.of])
        case Any_():
            return one_of([await judge(part, finder) for part in check.of])
        case AtLeast():
            return one_of([await judge(part, finder) for part in check.of], check.number)
        case Age() | Sex():
            return people.age(check, finder) if isinstance(check, Age) else people.sex(check, finder)
        case _:
            return _as_read(check, await _leaf(check, finder), finder)


def _as_read(check: Any, told: Told, finder: Finder) -> Told:
    """What was found stands where not all could be read; what was not found, or is the latest of what was, does not."""
    if told.word == "unknown" or finder.whole or (told.word == "met" and isinstance(check, Record)):
        return told
    return unknown(
        f"{told.reason}; but not all of the chart could be read",
        "the rest of the chart",
        marks=told.marks,
        facts=told.facts,
    )


async def _leaf(check: Any, finder: Finder) -> Told:
    match check:
        case Smoking():
            return await people.smoking(check, finder)
        case Pregnancy():
            return await people.pregnancy(check, finder)
        case Measurement():
            return await measurement(check, finder)
        case Record(kind="condition") if check.of[0].name == "Menopause":
            return await people.menopause(check, finder)
        case Record():
            return await record(check, finder)
        case NoChart():
            return unknown("no chart can hold this", f"ask: {check.ask}")
    return unknown("rules do not understand this", f"a reader: {check.why}", asks=(check,))
