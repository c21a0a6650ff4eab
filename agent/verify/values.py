"""Whether a number that is told is a number that is recorded: digits, unit, sign."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

from agent.verify.told import Number
from fhir_tools import units
from fhir_tools.types import Components, Fact, Quantity

__all__ = ["Match", "figures", "fits", "in_unit", "number_fits", "pair_fits", "quantities_of", "unit_spelling"]

Match = Literal["yes", "unit", "sign", "no"]
"""`unit`: the digits agree and the unit does not; `sign`: the comparator does not."""

_SYSTOLIC, _DIASTOLIC = ("8480-6", "8459-0", "8460-8", "8461-6"), ("8462-4", "8453-3", "8454-1", "8455-8")


def unit_spelling(text: str) -> str:
    """A unit without blanks and case, to compare what UCUM does not know."""
    return "".join(text.split()).lower()


def number_fits(told: Number, value: float, shown: frozenset[str] = frozenset()) -> bool:
    """Whether the digits told are the value, rounded to them.

    Rounding may only drop digits that mean little: those of a number recorded with more than four, of which three
    are kept, or one part in a hundred. Or it is just what the evidence itself shows. `7` is not 6.9.
    """
    scale = max(abs(value), abs(told.value), 1e-12)
    if abs(told.value - value) <= 1e-9 * scale:
        return True
    if abs(told.value - value) > 0.5 * 10**-told.places * (1 + 1e-9):
        return False
    if told.text in shown:
        return True
    return figures(value) > 4 and (told.figures >= 3 or abs(told.value - value) <= 0.01 * abs(value))


def figures(value: float) -> int:
    """How many significant digits a recorded number is written with."""
    return len(f"{abs(value):.15g}".partition("e")[0].replace(".", "").strip("0"))


def fits(told: Number, quantity: Quantity, shown: frozenset[str] = frozenset()) -> Match:
    """How a told number agrees with a quantity; without a unit in the claim only the digits are compared."""
    digits = number_fits(told, quantity.value, shown)
    same = _same_unit(told.unit, quantity.unit, quantity.code)
    if same is None and told.unit:
        converted = _converted(quantity, told.unit)
        if converted is None:
            return "unit" if digits else "no"
        digits = number_fits(told, converted.value, shown)
    if same is False:
        return "unit" if digits else "no"
    if not digits:
        return "no"
    return "yes" if (told.comparator or None) == (quantity.comparator or None) else "sign"


@lru_cache(maxsize=1 << 12)
def _same_unit(told: str | None, unit: str | None, code: str | None) -> bool | None:
    """True or False where that is certain; None where a conversion has to decide."""
    if told is None:
        return True
    written = [u for u in (unit, code) if u]
    if unit_spelling(told) in {unit_spelling(u) for u in (*written, units.show(code))}:
        return True
    if not written:
        return False
    ours, theirs = units.canonical(told, None), units.canonical(unit, code)
    if ours is None or theirs is None:
        return False
    return True if ours == theirs else None if units.comparable(ours, theirs) else False


def _converted(quantity: Quantity, unit: str) -> Quantity | None:
    try:
        return units.convert(quantity, units.canonical(unit, None) or unit)
    except ValueError:
        return None


def in_unit(value: float, unit: str | None, wanted: str | None) -> float | None:
    """A limit in the unit of a course; without a unit it is meant in that one. None where the units do not fit."""
    if unit is None or wanted is None:
        return value if unit is None else None
    quantity = Quantity(value=value, unit=unit, code=units.canonical(unit, None) or unit)
    if _same_unit(wanted, unit, quantity.code):
        return value
    converted = _converted(quantity, wanted)
    return converted.value if converted else None


def quantities_of(fact: Fact) -> Iterable[Quantity]:
    """The quantities that are the fact's value, or that of its parts."""
    if isinstance(fact.value, Quantity):
        yield fact.value
    elif isinstance(fact.value, Components):
        for part in fact.value.parts:
            if isinstance(part.value, Quantity):
                yield part.value


def pair_fits(told: Number, fact: Fact, shown: frozenset[str] = frozenset()) -> Match:
    """Whether `152/92` is the fact's systolic over diastolic pressure, or its two parts in their order."""
    if not isinstance(fact.value, Components) or told.second is None:
        return "no"
    quantities = [p.value for p in _ordered(fact.value.parts) if isinstance(p.value, Quantity)]
    if len(quantities) < 2:
        return "no"
    found = {fits(told, quantities[0], shown), fits(told.second, quantities[1], shown)}
    return "yes" if found == {"yes"} else "no" if "no" in found else "unit" if "unit" in found else "sign"


def _ordered(parts: tuple[Fact, ...]) -> list[Fact]:
    def rank(part: Fact) -> int:
        codes = {c.code for c in part.concept.codings}
        label = part.concept.label.lower()
        if codes.intersection(_SYSTOLIC) or "systolic" in label:
            return 0
        return 1 if codes.intersection(_DIASTOLIC) or "diastolic" in label else 2

    return sorted(parts, key=rank)
