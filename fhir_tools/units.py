"""UCUM units: what charts write → a code, whether two codes measure alike, conversion, and display.

Arithmetic is exact (rationals; one rounding to float at the end). Sizes of units are those of UCUM 2.1's tables
(https://ucum.org/ucum), with four departures, each where UCUM's algebra would let a clinically wrong number through:
equivalents (`eq`), osmoles and international units are no moles; moles per mole and grams per gram do not cancel, so
that HbA1c in mmol/mol (IFCC) is never rescaled to % (NGSP); counts per microscope field stay apart; and `{FEU}` and
`{DDU}` (D-dimer calibrators) are kinds of their own. Every other `{annotation}` is ignored.
Why own code: docs/decisions/0003-units.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import lru_cache
from math import isfinite

from fhir_tools.types import Quantity

__all__ = ["UnitError", "canonical", "comparable", "convert", "show", "show_number"]


class UnitError(ValueError):
    """A unit that is not known, or two that do not measure the same kind of thing."""


_PREFIXES = {
    **{"T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1, "d": -1, "c": -2},
    **{"m": -3, "u": -6, "n": -9, "p": -12, "f": -15, "a": -18},
}

# symbol: (takes prefixes, size, unit that the size is in); a dimension's own name stands for a base unit.
_ATOMS: dict[str, tuple[bool, str, str]] = {
    **{base: (True, "1", f"={base}") for base in ("m", "s", "g", "mol", "eq", "osm", "V", "Gy", "Sv", "Bq")},
    **{own: (False, "1", f"={own}") for own in ("[pH]", "[HPF]", "[LPF]", "[arb'U]", "[CFU]", "[PFU]", "[GPL'U]")},
    **{own: (False, "1", f"={own}") for own in ("[MPL'U]", "[APL'U]", "[USP'U]", "[BAU]", "[Amb'a'1'U]", "deg")},
    **{"[IU]": (True, "1", "=IU"), "[iU]": (True, "1", "=IU"), "K": (False, "1", "=K")},
    **{"Cel": (False, "1", "K"), "[degF]": (False, "5/9", "K")},
    **{"%": (False, "1/100", "1"), "[ppth]": (False, "1/1000", "1"), "[ppm]": (False, "1/1000000", "1")},
    **{"[ppb]": (False, "1/1000000000", "1"), "Hz": (True, "1", "s-1")},
    **{"L": (True, "1/1000", "m3"), "l": (True, "1/1000", "m3"), "[drp]": (False, "1/20", "mL")},
    **{"[foz_us]": (False, "29.5735295625", "mL"), "[tsp_us]": (False, "4.92892159375", "mL")},
    **{"[tbs_us]": (False, "14.78676478125", "mL"), "[in_i]": (False, "0.0254", "m"), "[ft_i]": (False, "0.3048", "m")},
    **{"[lb_av]": (False, "453.59237", "g"), "[oz_av]": (False, "28.349523125", "g"), "[Ch]": (False, "1/3", "mm")},
    **{"min": (False, "60", "s"), "h": (False, "60", "min"), "d": (False, "24", "h"), "wk": (False, "7", "d")},
    **{"mo": (False, "30.4375", "d"), "a": (False, "365.25", "d")},
    **{"N": (True, "1", "kg.m/s2"), "dyn": (True, "1", "g.cm/s2"), "J": (True, "1", "N.m"), "W": (True, "1", "J/s")},
    **{"cal": (True, "4.184", "J"), "[Cal]": (False, "1", "kcal"), "Pa": (True, "1", "N/m2")},
    **{"bar": (True, "100", "kPa"), "atm": (False, "101325", "Pa"), "m[Hg]": (True, "133.322", "kPa")},
    **{"m[H2O]": (True, "9.80665", "kPa")},
    **{"U": (True, "1", "umol/min"), "kat": (True, "1", "mol/s"), "[MET]": (False, "3.5", "mL/min/kg")},
    **{"[wood'U]": (False, "1", "mm[Hg].min/L"), "[diop]": (False, "1", "m-1")},
}
_OFFSETS = {"Cel": Fraction("273.15"), "[degF]": Fraction("459.67") * Fraction(5, 9)}
_LARGE, _LARGE_OF = ("T", "G", "M"), ("Bq", "Hz", "J", "Pa", "W")
_UNCANCELLED = ("g", "mol")
_CALIBRATORS = ("{FEU}", "{DDU}")
_TOKEN = re.compile(r"\{[^{}]*\}|[./()]|(?P<power>10[*^])|(?P<atom>(?:\[[^\[\]\s]+\]|[A-Za-z%])+)|\d+")
_EXPONENT = re.compile(r"[+-]?\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unit:
    """`size` in base units; `dims` are sorted (dimension, exponent) pairs, a leading `/` for an uncancelled one."""

    size: Fraction
    dims: tuple[tuple[str, int], ...] = ()

    def times(self, other: _Unit) -> _Unit:
        sums = dict(self.dims)
        for name, power in other.dims:
            sums[name] = sums.get(name, 0) + power
        return _Unit(size=self.size * other.size, dims=tuple(sorted((n, p) for n, p in sums.items() if p)))

    def inverse(self) -> _Unit:
        return _Unit(size=1 / self.size, dims=tuple(sorted(_flipped(n, p) for n, p in self.dims)))

    def power(self, exponent: int) -> _Unit:
        base, out = (self if exponent > 0 else self.inverse()), _ONE
        for _ in range(abs(exponent)):
            out = out.times(base)
        return out


def _flipped(name: str, power: int) -> tuple[str, int]:
    if name.startswith("/"):
        return name[1:], power
    return (f"/{name}", power) if name in _UNCANCELLED else (name, -power)


_ONE = _Unit(size=Fraction(1))


@lru_cache(maxsize=4096)
def _parse(code: str) -> _Unit:
    """A UCUM expression (case-sensitive), evaluated from left to right (UCUM §§ 5-12). Raises UnitError."""
    tokens = list(_tokens(code))
    unit, rest = _term(tokens, 0, code)
    if rest != len(tokens) or not tokens:
        raise UnitError(f"not a UCUM unit: {code!r}")
    return unit


def _tokens(code: str) -> list[tuple[str, str]]:
    """Pairs of symbol and exponent; `10*3` is the symbol `10*` with its exponent."""
    out, at = [], 0
    while at < len(code):
        found = _TOKEN.match(code, at)
        if not found:
            raise UnitError(f"not a UCUM unit: {code!r}")
        at = found.end()
        exponent = _EXPONENT.match(code, at) if found["atom"] or found["power"] else None
        out.append((found[0], exponent[0] if exponent else ""))
        at = exponent.end() if exponent else at
    return out


def _term(tokens: list[tuple[str, str]], at: int, code: str) -> tuple[_Unit, int]:
    total, divide, first = _ONE, False, True
    while at < len(tokens) and tokens[at][0] != ")":
        symbol = tokens[at][0]
        if symbol in "./" and (symbol == "/" or not first):
            divide, at = symbol == "/", at + 1
        elif not first and not symbol.startswith("{"):
            break
        unit, at = _component(tokens, at, code)
        total = total.times(unit.inverse() if divide else unit)
        # An annotation written right after a symbol belongs to it: `ug{FEU}/mL`.
        first = False
    if first:
        raise UnitError(f"not a UCUM unit: {code!r}")
    return total, at


def _component(tokens: list[tuple[str, str]], at: int, code: str) -> tuple[_Unit, int]:
    if at >= len(tokens):
        raise UnitError(f"not a UCUM unit: {code!r}")
    symbol, exponent = tokens[at]
    if symbol == "(":
        unit, end = _term(tokens, at + 1, code)
        if end >= len(tokens):
            raise UnitError(f"not a UCUM unit: {code!r}")
        return unit, end + 1
    if symbol.startswith("{"):
        return (_Unit(size=Fraction(1), dims=((symbol, 1),)) if symbol in _CALIBRATORS else _ONE), at + 1
    if symbol.isdigit():
        # Longer numbers are codes of other systems, not counts such as `/100{WBC}`.
        if not 0 < int(symbol) <= 10_000:
            raise UnitError(f"not a UCUM unit: {code!r}")
        return _Unit(size=Fraction(int(symbol))), at + 1
    if symbol in ("10*", "10^"):
        return _Unit(size=Fraction(10) ** _checked(exponent or "1", code, 30)), at + 1
    if symbol in _OFFSETS and len(tokens) > 1:
        raise UnitError(f"a temperature with an offset cannot be part of {code!r}")
    return _atom(symbol, code).power(_checked(exponent or "1", code, 9)), at + 1


def _checked(exponent: str, code: str, limit: int) -> int:
    if not 0 < abs(int(exponent)) <= limit:
        raise UnitError(f"not a UCUM unit: {code!r}")
    return int(exponent)


def _atom(symbol: str, code: str) -> _Unit:
    prefix = next((p for p in ("", *_PREFIXES) if symbol.startswith(p) and _takes(symbol[len(p) :], p)), None)
    if prefix is None:
        raise UnitError(f"unit {symbol!r} of {code!r} is not known")
    _, size, of = _ATOMS[symbol[len(prefix) :]]
    unit = _Unit(size=Fraction(1), dims=((of[1:], 1),)) if of.startswith("=") else _parse(of)
    scale = Fraction(size) * (Fraction(10) ** _PREFIXES[prefix] if prefix else 1)
    return _Unit(size=unit.size * scale, dims=unit.dims)


def _takes(name: str, prefix: str) -> bool:
    if name not in _ATOMS or not prefix:
        return name in _ATOMS
    # Nobody charts a megagram: `Mg/dL` and `ML` are slips for milli, and are left to the forgiving reader.
    return _ATOMS[name][0] and (prefix not in _LARGE or name in _LARGE_OF)


def comparable(a_code: str, b_code: str) -> bool:
    """Whether a value in one unit can be told in the other without knowing what is measured.

    Equal codes are comparable even where the unit is not known; unknown ones that differ never are.
    """
    if a_code == b_code:
        return True
    try:
        return _parse(a_code).dims == _parse(b_code).dims
    except UnitError:
        return False


def convert(quantity: Quantity, to: str, *, molar_mass: float | None = None) -> Quantity:
    """The quantity in the UCUM unit `to`, its comparator kept; the same object where the unit is already that.

    `molar_mass` (g/mol, of what is measured) allows mass ↔ amount of substance, such as mg/dL ↔ mmol/L; it is not
    applied to a denominator. Raises UnitError where the units are unknown or incommensurable, or the value not finite.
    """
    if quantity.code == to:
        return quantity
    code = canonical(quantity.unit, quantity.code)
    if code is None:
        raise UnitError(f"unit {quantity.code or quantity.unit!r} is not known")
    if code != to:
        if not isfinite(quantity.value):
            raise UnitError("a value that is not finite has no unit to convert")
        factor, shift = _factor(code, to, molar_mass)
        value = float(Fraction(str(quantity.value)) * factor + shift)
    else:
        value = quantity.value
    return Quantity(value=value, unit=to, code=to, comparator=quantity.comparator)


@lru_cache(maxsize=1024)
def _factor(a: str, b: str, molar_mass: float | None) -> tuple[Fraction, Fraction]:
    """(factor, shift): value in b = value in a · factor + shift."""
    source, target = _parse(a), _parse(b)
    factor = source.size / target.size
    if source.dims == target.dims:
        return factor, (_OFFSETS.get(a, Fraction(0)) - _OFFSETS.get(b, Fraction(0))) / target.size
    if molar_mass is not None and isfinite(molar_mass) and molar_mass > 0:
        gram, mole = _parse("g"), _parse("mol")
        per_gram = Fraction(str(molar_mass))
        left, right = dict(source.dims), dict(target.dims)
        if left.get("g") == right.get("mol") == 1 and _swapped(source, gram, mole) == target.dims:
            return factor / per_gram, Fraction(0)
        if left.get("mol") == right.get("g") == 1 and _swapped(source, mole, gram) == target.dims:
            return factor * per_gram, Fraction(0)
    raise UnitError(f"{a!r} cannot be converted to {b!r}")


def _swapped(unit: _Unit, old: _Unit, new: _Unit) -> tuple[tuple[str, int], ...]:
    name = old.dims[0][0]
    return _Unit(size=Fraction(1), dims=tuple(d for d in unit.dims if d[0] != name)).times(new).dims


# What charts display, whole, in lower case without spaces; K, M, C and F mean other things in UCUM.
_WHOLE = {
    **dict.fromkeys(("mmhg", "mm/hg", "mm[hg]", "mm(hg)", "torr"), "mm[Hg]"),
    **dict.fromkeys(("cmh2o", "cmofh2o", "cmh20"), "cm[H2O]"),
    **dict.fromkeys(("bpm", "beats/min", "beats/minute", "beatsperminute", "breaths/min", "breaths/minute"), "/min"),
    **dict.fromkeys(("breathsperminute", "resp/min", "respirations/min", "{beats}/min", "br/min", "rpm"), "/min"),
    **dict.fromkeys(("c", "°c", "degc", "degreesc", "celsius", "degreescelsius", "degreecelsius", "cel"), "Cel"),
    **dict.fromkeys(("f", "°f", "degf", "degreesf", "fahrenheit", "degreesfahrenheit", "[degf]"), "[degF]"),
    **dict.fromkeys(("percent", "pct", "%(calc)", "percentage"), "%"),
    **dict.fromkeys(("ml/min/1.73m2", "ml/min/1.73m^2", "ml/min/1.73m²", "ml/min/1.73sqm"), "mL/min/{1.73_m2}"),
    **dict.fromkeys(("ml/min/1.73", "ml/min/1.73.m2", "ml/min/{1.73m2}", "ml/min/(1.73m2)"), "mL/min/{1.73_m2}"),
    **dict.fromkeys(("score", "(score)", "points", "pts", "{score}"), "{score}"),
    **{"ratio": "{ratio}", "inr": "{INR}", "(inr)": "{INR}", "ph": "[pH]", "phunits": "[pH]", "mg%": "mg/dL"},
    **dict.fromkeys(("mg/gcreat", "mg/gcreatinine", "mg/gcr"), "mg/g{creat}"),
    **dict.fromkeys(("ug/mgcreat", "mcg/mgcreat", "ug/mgcr", "mcg/mgcr"), "ug/mg{creat}"),
    **{"g%": "g/dL", "kg/m^2": "kg/m2", "kg/m²": "kg/m2", "bmi": "kg/m2"},
    **{"ugfeu/ml": "ug{FEU}/mL", "ng/mlfeu": "ng{FEU}/mL"},
    **{"mcg/mlfeu": "ug{FEU}/mL", "ug/mlfeu": "ug{FEU}/mL", "ngfeu/ml": "ng{FEU}/mL", "mg/lfeu": "mg{FEU}/L"},
    **{"ngddu/ml": "ng{DDU}/mL", "ng/mlddu": "ng{DDU}/mL", "ugddu/ml": "ug{DDU}/mL", "mgfeu/l": "mg{FEU}/L"},
}
# Parts between slashes, in lower case; what is not here is read as UCUM.
_PARTS = {
    **dict.fromkeys(("k", "thou", "thous", "thousand", "th", "x1000", "1000"), "10*3"),
    **dict.fromkeys(("mil", "mill", "million", "millions"), "10*6"),
    **dict.fromkeys(("mcg", "mcgs", "microgram", "micrograms"), "ug"),
    **dict.fromkeys(("gm", "gms", "gram", "grams"), "g"),
    **dict.fromkeys(("lb", "lbs", "pound", "pounds", "lb_av"), "[lb_av]"),
    **dict.fromkeys(("oz", "ounce", "ounces"), "[oz_av]"),
    **dict.fromkeys(("in", "inch", "inches"), "[in_i]"),
    **dict.fromkeys(("ft", "feet", "foot"), "[ft_i]"),
    **dict.fromkeys(("cc", "ccs", "milliliter", "milliliters", "mls"), "mL"),
    **dict.fromkeys(("mcl", "cmm", "cumm", "microliter", "microl"), "uL"),
    **dict.fromkeys(("mm^3", "mm³"), "mm3"),
    **dict.fromkeys(("liter", "liters", "litre", "litres"), "L"),
    **dict.fromkeys(("unit", "units", "unt"), "U"),
    **dict.fromkeys(("iu", "[iu]", "int'lunits", "internationalunits"), "[IU]"),
    **{"miu": "m[IU]", "uiu": "u[IU]", "mciu": "u[IU]", "kiu": "k[IU]", "m[iu]": "m[IU]", "u[iu]": "u[IU]"},
    **{"mu": "mU", "milliunits": "mU", "ku": "kU", "mcmol": "umol", "meq": "meq", "mosm": "mosm", "mosmol": "mosm"},
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("minute", "minutes", "mins"), "min"),
    **dict.fromkeys(("hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("day", "days"), "d"),
    **dict.fromkeys(("week", "weeks", "wks"), "wk"),
    **dict.fromkeys(("month", "months", "mos", "mth", "mths"), "mo"),
    **dict.fromkeys(("year", "years", "yr", "yrs", "y"), "a"),
    **{"24h": "(24.h)", "24hr": "(24.h)", "24hrs": "(24.h)", "24hours": "(24.h)", "m^2": "m2", "m²": "m2", "m2": "m2"},
    **dict.fromkeys(("cell", "cells", "wbc", "rbc", "copies", "beats", "breaths", "counts", "#"), ""),
    **{"hpf": "[HPF]", "lpf": "[LPF]", "kcals": "kcal", "kilogram": "kg", "kilograms": "kg", "kgs": "kg"},
    **{"cfu": "[CFU]", "u": "U", "100wbc": "100{WBC}", "100wbcs": "100{WBC}"},
}
_POWER = re.compile(r"^(?:x|\u00d7)?10(?:\*{1,2}|\^|e)?\+?\(?(\d{1,2})\)?$")
_SUPERSCRIPTS = str.maketrans("³⁶⁹¹²", "36912")
_AMBIGUOUS = frozenset(("G/L", "MU", "MIU", "A", "M"))
"""In capitals these may be gram or giga, milli or mega: a thousandfold error or more is not guessed at."""


def canonical(unit: str | None, code: str | None) -> str | None:
    """The UCUM code for what a chart gives as `Quantity.code` and `Quantity.unit`; None where neither is understood.

    The code wins where it is readable. Case and spelling are forgiven as far as they cannot mean something else:
    `K/uL` is thousands, `MG/DL` is mg/dL, `G/L` (gram or giga) is None.
    """
    return (_canonical(code) if code else None) or (_canonical(unit) if unit else None)


@lru_cache(maxsize=4096)
def _canonical(text: str) -> str | None:
    squeezed = re.sub(r"\s+", "", text).replace("µ", "u").replace("μ", "u")
    lower = re.sub(r"(?<=[a-z])per(?=[a-z])", "/", squeezed.lower())
    if squeezed in _AMBIGUOUS:
        return None
    return (
        _WHOLE.get(lower)
        or _known(squeezed)
        or _known("/".join(map(_part, squeezed.split("/"))))
        or (_known("/".join(map(_part, lower.split("/")))))
    )


def _known(text: str) -> str | None:
    """The text as UCUM, litres and international units spelled one way; None for what UCUM would read as odd."""
    if (text.isdigit() and text != "1") or text.startswith("K/"):
        return None
    try:
        _parse(text)
    except UnitError:
        return None
    litre = re.sub(r"(?<![A-Za-z\[_'{])([hdcmunpf]|da)?l(?![A-Za-z\]_'}])", r"\1L", text)
    return litre.replace("[iU]", "[IU]").replace("10^", "10*")


def _part(text: str) -> str:
    """One side of a slash in UCUM's spelling, as far as that is known."""
    if text == "M":
        return "10*6"
    if power := _POWER.match(text.lower().translate(_SUPERSCRIPTS)):
        return f"10*{power[1]}"
    return _PARTS.get(text.lower(), text)


_SHOWN = {
    **{"1": "", "[pH]": "", "Cel": "°C", "[degF]": "°F", "a": "years", "mo": "months", "wk": "weeks", "d": "days"},
    **{"mL/min/{1.73_m2}": "mL/min/1.73 m2", "ug{FEU}/mL": "ug FEU/mL", "ng{FEU}/mL": "ng FEU/mL"},
    **{"ng{DDU}/mL": "ng DDU/mL", "ug{DDU}/mL": "ug DDU/mL", "mg{FEU}/L": "mg FEU/L"},
}
_BRACKETS = (("[lb_av]", "lb"), ("[in_i]", "in"), ("[oz_av]", "oz"), ("[ft_i]", "ft"), ("[Hg]", "Hg"), ("[H2O]", "H2O"))


def show(code: str | None) -> str:
    """A unit as a clinician reads it: `mm[Hg]` → `mmHg`, `Cel` → `°C`, `m[IU]/L` → `mIU/L`; empty for plain numbers.

    `10*3/uL` stays as it is: it is told from `10*9/L` at a glance, survives plain-text terminals and can be searched.
    Annotations are not shown (the concept's label says them); what is shown reads back by `canonical` as the same unit.
    """
    if not code:
        return ""
    if code in _SHOWN:
        return _SHOWN[code]
    text = re.sub(r"\[[iI]U\]", "IU", re.sub(r"(?<=\d)\{([A-Za-z]+)\}", r" \1", code))
    text = re.sub(r"\{[^{}]*\}", "", text).replace("(24.h)", "24h")
    for ucum, plain in _BRACKETS:
        text = text.replace(ucum, plain)
    return text


def show_number(value: float | int | Decimal) -> str:
    """A number with the digits that mean something: four significant ones, the integer part whole, no exponent.

    183.17308 → `183.2`, 12345.67 → `12346`, 5120.0 → `5120`, 0.0004 → `0.0004`. Raises ValueError where not finite.
    """
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not number.is_finite():
        raise ValueError("a number that is not finite cannot be shown")
    if number == number.to_integral_value():
        return f"{number.to_integral_value() + 0:f}"
    places = min(0, number.adjusted() - 3)
    rounded = number.quantize(Decimal(1).scaleb(places), rounding=ROUND_HALF_UP)
    return f"{rounded:f}".rstrip("0").rstrip(".") if places else f"{rounded:f}"
