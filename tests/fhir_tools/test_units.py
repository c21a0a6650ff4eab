from __future__ import annotations

import math
import subprocess
import sys
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fhir_tools import units
from fhir_tools.types import Quantity
from fhir_tools.units import UnitError, canonical, comparable, convert, show, show_number

FAMILIES = (
    ("kg", "g", "mg", "ug", "[lb_av]", "[oz_av]"),
    ("m", "cm", "mm", "[in_i]", "[ft_i]"),
    ("mg/dL", "g/L", "ug/mL", "ng/mL", "mg/L", "g/dL"),
    ("mmol/L", "umol/L", "nmol/mL", "mol/L"),
    ("10*3/uL", "/uL", "10*9/L", "10*6/mL", "{cells}/uL", "/mm3"),
    ("mm[Hg]", "kPa", "cm[H2O]", "Pa"),
    ("Cel", "[degF]", "K"),
    ("%", "1", "{ratio}", "L/L", "10*-2"),
    ("s", "min", "h", "d", "wk", "mo", "a"),
    ("/min", "Hz", "/h", "{beats}/min"),
    ("U/L", "kU/L", "nkat/L", "ukat/L"),
    ("[IU]/L", "m[IU]/mL", "u[IU]/mL", "k[iU]/L"),
    ("meq/L", "eq/L"),
    ("mL/min/{1.73_m2}", "mL/min", "L/h"),
    ("kg/m2", "g/cm2"),
    ("mmol/mol", "umol/mol{creat}"),
    ("mg/g", "ug/mg{creat}"),
)
pairs = st.sampled_from(FAMILIES).flatmap(lambda f: st.tuples(*[st.sampled_from(f)] * 3))
values = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False).filter(lambda v: v == 0 or abs(v) > 1e-6)


@pytest.mark.parametrize(
    ("value", "code", "to", "expected"),
    [
        (98.6, "[degF]", "Cel", 37.0),
        (37, "Cel", "[degF]", 98.6),
        (310.15, "K", "Cel", 37.0),
        (-40, "Cel", "[degF]", -40),
        (7.2, "10*3/uL", "10*9/L", 7.2),
        (7.2, "10*3/uL", "/uL", 7200),
        (150, "[lb_av]", "kg", 68.0388555),
        (70, "[in_i]", "cm", 177.8),
        (120, "mm[Hg]", "kPa", 15.99864),
        (42, "%", "1", 0.42),
        (60, "U/L", "nkat/L", 1000),
        (1, "10*-2", "%", 1),
        (2, "g/(24.h)", "mg/d", 2000),
        (80, "dyn.s/cm5", "dyn.s.cm-5", 80),
        (5, "/100{WBC}", "%", 5),
    ],
)
def test_convert_known_figures(value: float, code: str, to: str, expected: float) -> None:
    got = convert(Quantity(value=value, code=code, comparator="<"), to)
    assert got.value == pytest.approx(expected, rel=1e-12)
    assert (got.code, got.unit, got.comparator) == (to, to, "<")


@pytest.mark.parametrize(
    ("value", "code", "to", "mass", "expected"),
    [
        (90, "mg/dL", "mmol/L", 180.156, 4.9957),  # glucose
        (1.0, "mg/dL", "umol/L", 113.12, 88.40),  # creatinine
        (5.2, "mmol/L", "mg/dL", 386.65, 201.06),  # cholesterol
        (20, "ng/mL", "nmol/L", 400.64, 49.92),  # calcidiol
    ],
)
def test_convert_by_molar_mass(value: float, code: str, to: str, mass: float, expected: float) -> None:
    assert convert(Quantity(value=value, code=code), to, molar_mass=mass).value == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("%", "mmol/mol"),
        ("U/L", "[IU]/L"),
        ("meq/L", "mmol/L"),
        ("mg/dL", "mmol/L"),
        ("mosm/kg", "mmol/kg"),
        ("ug{FEU}/mL", "ug{DDU}/mL"),
        ("ug{FEU}/mL", "ug/mL"),
        ("[pH]", "1"),
        ("/[HPF]", "/[LPF]"),
        ("kg", "cm"),
        ("K/uL", "10*3/uL"),
        ("foo", "bar"),
        ("mg/dL", "foo"),
        ("Cel/min", "K/min"),
    ],
)
def test_incommensurable_never_converts(a: str, b: str) -> None:
    assert not comparable(a, b)
    with pytest.raises(UnitError):
        units._factor(a, b, None)
    with pytest.raises(ValueError):
        convert(Quantity(value=1, code=a if canonical(None, a) == a else "foo"), b)


@pytest.mark.parametrize("mass", [0.0, -1.0, math.nan, math.inf])
def test_impossible_molar_mass(mass: float) -> None:
    with pytest.raises(UnitError):
        convert(Quantity(value=1, code="mg/dL"), "mmol/L", molar_mass=mass)


def test_molar_mass_is_not_for_the_denominator() -> None:
    with pytest.raises(UnitError):
        convert(Quantity(value=30, code="mg/g"), "mg/mmol", molar_mass=113.12)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(UnitError):
        convert(Quantity(value=value, code="kg"), "g")


def test_same_unit_is_the_same_object() -> None:
    quantity = Quantity(value=3, unit="whatever", code="{made up}")
    assert convert(quantity, "{made up}") is quantity
    assert comparable("{made up}", "{made up}")


def test_display_units_are_enough() -> None:
    assert convert(Quantity(value=154, unit="lbs"), "kg").value == pytest.approx(69.853, rel=1e-4)


@given(pairs, values)
def test_there_and_back_and_transitive(codes: tuple[str, str, str], value: float) -> None:
    a, b, c = (canonical(None, code) or "" for code in codes)
    assert comparable(a, b) and comparable(b, c) and comparable(a, c)
    start = Quantity(value=value, code=a)
    there = convert(start, b)
    # Offsets cancel digits, so the error is measured against the size of the numbers on the way.
    slack = 1e-9 * max(abs(value), abs(there.value), 1e-9) + (1e-6 if a in ("Cel", "[degF]", "K") else 0)
    assert convert(there, a).value == pytest.approx(value, rel=1e-9, abs=slack)
    direct, round_about = convert(start, c).value, convert(there, c).value
    assert round_about == pytest.approx(direct, rel=1e-9, abs=1e-6 if a in ("Cel", "[degF]", "K") else 0)


@given(st.sampled_from(FAMILIES), st.sampled_from(FAMILIES))
def test_families_stay_apart(a: tuple[str, ...], b: tuple[str, ...]) -> None:
    assume(a is not b)
    assert not any(comparable(x, y) for x in a for y in b)


@given(st.text(max_size=12), st.sampled_from([f[0] for f in FAMILIES]), values)
def test_unknown_units_never_convert_silently(text: str, to: str, value: float) -> None:
    known = canonical(text, None)
    try:
        convert(Quantity(value=value, unit=text), to)
    except UnitError:
        return
    assert known is not None and (known == to or comparable(known, to))


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("mg/dl", "mg/dL"),
        ("MG/DL", "mg/dL"),
        ("Mg/dL", "mg/dL"),
        ("K/uL", "10*3/uL"),
        ("K/mm3", "10*3/mm3"),
        ("x10^3/uL", "10*3/uL"),
        ("X10E3/UL", "10*3/uL"),
        ("x10(3)/mcL", "10*3/uL"),
        ("10³/µL", "10*3/uL"),
        ("THOUS/MCL", "10*3/uL"),
        ("M/uL", "10*6/uL"),
        ("10^9/L", "10*9/L"),
        ("cells/uL", "/uL"),
        ("lbs", "[lb_av]"),
        ("in", "[in_i]"),
        ("°F", "[degF]"),
        ("C", "Cel"),
        ("bpm", "/min"),
        ("breaths per minute", "/min"),
        ("mmHg", "mm[Hg]"),
        ("mm Hg", "mm[Hg]"),
        ("IU/L", "[IU]/L"),
        ("uIU/mL", "u[IU]/mL"),
        ("U/L", "U/L"),
        ("mcg", "ug"),
        ("μg", "ug"),
        ("ug/L", "ug/L"),
        ("ng/mL", "ng/mL"),
        ("mmol/l", "mmol/L"),
        ("mEq/L", "meq/L"),
        ("sec", "s"),
        ("g/dl", "g/dL"),
        ("percent", "%"),
        ("mL/min/1.73m2", "mL/min/{1.73_m2}"),
        ("mg/24hr", "mg/(24.h)"),
        ("units/hr", "U/h"),
        ("m/s", "m/s"),
        ("/100 WBC", "/100{WBC}"),
        ("mg/g creat", "mg/g{creat}"),
        ("pH", "[pH]"),
        ("K", "K"),
        ("years", "a"),
    ],
)
def test_canonical(written: str, code: str) -> None:
    assert canonical(written, None) == code
    assert canonical(None, written) == code


@pytest.mark.parametrize(
    "text", ["", "foo", "G/L", "MU", "258797006", "tablet", "mg//dL", "(mg", "mg)", "m99", "{", "0"]
)
def test_canonical_does_not_guess(text: str) -> None:
    assert canonical(text, None) is None


def test_code_wins_where_it_is_readable() -> None:
    assert canonical("mg/dL", "mmol/L") == "mmol/L"
    assert canonical("mg/dL", "258797006") == "mg/dL"
    assert canonical(None, None) is None


@given(st.sampled_from([canonical(None, c) or "" for f in FAMILIES for c in f]))
def test_shown_units_read_back(code: str) -> None:
    assert canonical(None, code) == code
    shown = show(code)
    assert not shown or comparable(canonical(shown, None) or "", code)


@pytest.mark.parametrize(
    ("code", "shown"),
    [("mm[Hg]", "mmHg"), ("Cel", "°C"), ("10*3/uL", "10*3/uL"), ("{score}", ""), ("1", ""), ("m[IU]/L", "mIU/L")],
)
def test_show(code: str, shown: str) -> None:
    assert show(code) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (183.17308308399453, "183.2"),
        (6.9, "6.9"),
        (5120.0, "5120"),
        (0.04, "0.04"),
        (1.0384, "1.038"),
        (12345.67, "12346"),
        (99999.6, "100000"),
        (1.234e-05, "0.00001234"),
        (1e22, "10000000000000000000000"),
        (-0.0, "0"),
        (-2.34567, "-2.346"),
        (0.99996, "1"),
        (7, "7"),
        (Decimal("7.10"), "7.1"),
    ],
)
def test_show_number(value: float, shown: str) -> None:
    assert show_number(value) == shown


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12))
def test_shown_numbers_are_close_and_plain(value: float) -> None:
    shown = show_number(value)
    assert "e" not in shown.lower() and not shown.endswith(".")
    assert (float(shown) == 0) == (value == 0)
    assert float(shown) == pytest.approx(value, rel=5.01e-4)
    assert show_number(float(shown)) == shown


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_show_number_needs_a_number(value: float) -> None:
    with pytest.raises(ValueError):
        show_number(value)


def test_import_brings_no_unit_library() -> None:
    code = "import sys, fhir_tools.units; print([m for m in ('pint', 'lark', 'numpy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
