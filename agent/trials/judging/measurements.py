"""Checks of results: which result counts, its number in the limit's unit, and what it says in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from agent.trials.checks import Limit, Measurement
from agent.trials.judging.finding import Finder, label_of
from agent.trials.judging.told import Told, doubted, unknown
from agent.trials.names import meanings
from fhir_tools import units, wording
from fhir_tools.cards.measurement import numbers_of
from fhir_tools.dates import Window
from fhir_tools.lexicon import Entry
from fhir_tools.types import Concept, Fact, Mark, Missing, Quantity

__all__ = ["RANGE", "in_unit", "is_told", "measurement"]

_VALENCE = {
    "potassium": 1,
    "sodium": 1,
    "chloride": 1,
    "bicarbonate": 1,
    "co2": 1,
    "lithium": 1,
    "calcium": 2,
    "magnesium": 2,
}
"""Charges of ions, by the lexicon's analyte: what makes milliequivalents of millimoles."""
RANGE = re.compile(r"(?P<low>\d+(?:\.\d+)?)?\s*(?:-|–|to|<=?|≤)\s*(?P<high>\d+(?:\.\d+)?)")


async def measurement(check: Measurement, finder: Finder) -> Told:
    """By the latest result in the period, or by any of them. None there, or one that cannot be compared: unknown; only
    of "recorded" it is then not met."""
    found = await finder.find("measurement", check.of)
    name = label_of(check.of)
    facts = [f for f in found.facts if not isinstance(f.value, Missing) and f.value is not None]
    if not facts:
        return _missing(check, name, finder, found.known, found.marks)
    window = check.period.window(finder.as_of) if check.period else None
    inside = [f for f in facts if window is None or (f.when is not None and window.contains(f.when))]
    if not inside:
        return _outside(check, name, facts, finder, window)
    if check.which == "any":
        told = _any(check, inside, finder)
    else:
        told = _agreed([_one(check, f, finder) for f in _latest(inside, check)])
    return doubted(check, told)


def _missing(check: Measurement, name: str, finder: Finder, known: bool, marks: tuple[Mark, ...]) -> Told:
    if not known:
        return unknown(
            f"no rule knows {name!r}, and no result is called so",
            f"a reader who looks for {name}",
            marks=marks,
            asks=(check,),
        )
    told = "no " + name + " is recorded" if finder.whole else f"not all of the chart could be read for {name}"
    if finder.whole and check.finding == "recorded":
        return Told(word="not_met", reason=told, marks=marks, documented=False)
    return unknown(told, f"a result of {name}: order or find one", marks=marks)


def _outside(check: Measurement, name: str, facts: Sequence[Fact], finder: Finder, window: Window | None) -> Told:
    last = facts[-1]
    day = wording.day_text(last.when)
    perhaps = [f for f in facts if window and f.when is not None and window.possible(f.when)]
    if perhaps:
        return unknown(
            f"{name} is dated {wording.day_text(perhaps[-1].when)}, which may or may not be {check.period}",
            "its exact date",
            marks=(finder.mark(perhaps[-1]),),
            facts=tuple(facts),
        )
    if check.finding == "recorded":
        said = f"the last {name} is of {day}, not {check.period}"
        return Told(word="not_met", reason=said, marks=(finder.mark(last),), documented=False, facts=tuple(facts))
    return unknown(
        f"the last {name} is {wording.value_text(last)} of {day}, not {check.period}",
        f"no {name} since {day}: order or find one", marks=(finder.mark(last),), facts=tuple(facts),
    )  # fmt: skip


def _latest(facts: Sequence[Fact], check: Measurement) -> tuple[Fact, ...]:
    """The newest result that has what is asked for (a number for a limit), with all of the same moment."""
    usable = [f for f in facts if not check.limits or isinstance(numbers_of(f).value, Quantity)] or list(facts)
    newest = usable[-1].when.low if usable[-1].when else None
    return tuple(f for f in usable if newest is not None and f.when and f.when.low == newest) or tuple(usable[-1:])


def _agreed(told: Sequence[Told]) -> Told:
    """What results of one moment say together; where they differ it is unknown which counts."""
    if len({t.word for t in told}) == 1:
        return replace(
            told[-1],
            marks=tuple(m for t in reversed(told) for m in t.marks),
            facts=tuple(f for t in told for f in t.facts),
        )
    return unknown(
        "; ".join(t.reason for t in told), "which of the results of one moment counts",
        marks=tuple(m for t in told for m in t.marks), facts=tuple(f for t in told for f in t.facts),
        until=told[-1].until,
    )  # fmt: skip


def _any(check: Measurement, facts: Sequence[Fact], finder: Finder) -> Told:
    told = [_one(check, f, finder) for f in facts]
    met = [t for t in told if t.word == "met"]
    open_ = [t for t in told if t.word == "unknown"]
    if met:
        return met[-1]
    return open_[-1] if open_ else told[-1]


def _one(check: Measurement, fact: Fact, finder: Finder) -> Told:
    """What one result says."""
    number = numbers_of(fact)
    said = f"{wording.label(fact.concept)} {wording.value_text(fact)} of {wording.day_text(fact.when)}"
    marks, until = (finder.mark(number),), _leaves(check, fact)
    if check.finding:
        held = is_told(check.finding, fact)
    elif isinstance(number.value, Quantity):
        held = _all([_keeps(number, limit, check) for limit in check.limits])
    else:
        held = None
    if held is None:
        return unknown(
            f"{said} cannot be compared with {_wanted(check)}",
            f"a {label_of(check.of)} that can be compared",
            marks=marks,
            facts=(fact,),
            until=until,
            asks=(check,),
        )
    return Told(word="met" if held else "not_met", reason=said, marks=marks, facts=(fact,), until=until)


def _wanted(check: Measurement) -> str:
    return check.finding or " and ".join(map(str, check.limits))


def _leaves(check: Measurement, fact: Fact) -> date | None:
    within = check.period.within if check.period else None
    return within.after(fact.when.day) if within and fact.when and fact.when.day else None


def _all(held: Sequence[bool | None]) -> bool | None:
    return False if False in held else None if None in held else True


def _keeps(fact: Fact, limit: Limit, check: Measurement) -> bool | None:
    """Whether a number keeps a limit; None where the units do not meet or the result is itself a bound."""
    quantity = fact.value
    if not isinstance(quantity, Quantity):
        return None
    bound = _bound(limit, fact) if limit.unit in ("ULN", "LLN") else limit
    if bound is None:
        return None
    value = in_unit(quantity, bound.unit, check)
    if value is None:
        return None
    return bound.holds(value) if quantity.comparator is None else _bounded(quantity.comparator, value, bound)


def _bound(limit: Limit, fact: Fact) -> Limit | None:
    """A multiple of the reference range's end, as a number in the result's own unit."""
    found = RANGE.search(str(fact.details.get("range", "")))
    edge = found and found["high" if limit.unit == "ULN" else "low"]
    unit = fact.value.unit or fact.value.code or "" if isinstance(fact.value, Quantity) else ""
    return Limit(sign=limit.sign, value=limit.value * float(edge), unit=unit) if edge else None


def in_unit(quantity: Quantity, unit: str, check: Measurement) -> float | None:
    """The number in a unit. Without one, in the analyte's usual unit, else as it stands."""
    known = [e for c in check.of for e in meanings(c.name, "measurement")]
    usual = next((e.attributes["unit"] for e in known if e.attributes.get("unit")), "")
    own = units.canonical(quantity.unit, quantity.code)
    wanted = units.canonical(unit, unit) if unit else usual
    if not wanted or (wanted.startswith("{") and (own is None or own == "1" or own.startswith("{"))):
        return quantity.value if not unit or wanted else None
    if not unit and own is None:
        return quantity.value
    scale, wanted = _equivalents(wanted, own or "", known)
    try:
        return scale * units.convert(quantity, wanted, molar_mass=_mass(known)).value
    except ValueError:
        return quantity.value if not unit and not units.comparable(own or "", wanted) and own == usual else None


def _equivalents(wanted: str, own: str, known: Sequence[Entry]) -> tuple[float, str]:
    """mEq/L of an ion as mmol/L (and back), IU/L of an enzyme that is told in U/L."""
    valence = next((_VALENCE[e.id] for e in known if e.id in _VALENCE), 0)
    if valence and "eq" in wanted and "mol" in own:
        return valence, wanted.replace("eq", "mol")
    if valence and "mol" in wanted and "eq" in own:
        return 1 / valence, wanted.replace("mol", "eq")
    if "[IU]" in wanted and any(e.attributes.get("unit") == "U/L" for e in known):
        return 1, wanted.replace("[IU]", "U")
    return 1, wanted


def _mass(known: Sequence[Entry]) -> float | None:
    return next((float(e.attributes["molar_mass"]) for e in known if e.attributes.get("molar_mass")), None)


def _bounded(comparator: str, value: float, limit: Limit) -> bool | None:
    """Whether a result such as `<0.5` keeps a limit: told only where every number that it may be does, or none does."""
    low = value if ">" in comparator else float("-inf")
    high = value if "<" in comparator else float("inf")
    above = ">" in limit.sign
    if limit.sign == "=":
        return None if low <= limit.value <= high else False
    edge_in = "=" in limit.sign
    if above:
        if low > limit.value or (low == limit.value and (edge_in or comparator == ">")):
            return True
        return False if high < limit.value or (high == limit.value and (comparator == "<" or not edge_in)) else None
    if high < limit.value or (high == limit.value and (edge_in or comparator == "<")):
        return True
    return False if low > limit.value or (low == limit.value and (comparator == ">" or not edge_in)) else None


_NEGATIVE = re.compile(r"\b(?:negative|not detected|non-?reactive|absent|undetectable|none|no growth)\b", re.IGNORECASE)
_POSITIVE = re.compile(r"\b(?:positive|detected|reactive|present|detectable)\b|\+", re.IGNORECASE)
_ABNORMAL = frozenset(("h", "hh", "l", "ll", "a", "aa", "high", "low", "abnormal", "critical high", "critical low"))


def is_told(finding: str, fact: Fact) -> bool | None:
    """Whether a result is as its words or its flag say."""
    said = (
        wording.label(fact.value)
        if isinstance(fact.value, Concept)
        else fact.value
        if isinstance(fact.value, str)
        else ""
    )
    if finding == "recorded":
        return True
    flags = {x.strip().lower() for x in re.split(r"[,;]", str(fact.details.get("interpretation", ""))) if x.strip()}
    if finding in ("positive", "negative"):
        told = (
            False
            if _NEGATIVE.search(said) or "negative" in flags
            else True
            if _POSITIVE.search(said) or "positive" in flags
            else None
        )
        return told if told is None or finding == "positive" else not told
    if not flags:
        return None
    return bool(flags & _ABNORMAL) == (finding == "abnormal")
