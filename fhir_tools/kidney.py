"""Kidney function: eGFR by CKD-EPI 2021, and at which kidney function a drug's label asks for care."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Literal

from fhir_tools import dates, units
from fhir_tools.types import Fact, Interval, Quantity

__all__ = ["EGFR_UNIT", "Estimate", "RenalLimit", "ckd_epi", "egfr_number", "estimate", "is_recent", "renal_limits"]

EGFR_UNIT = "mL/min/{1.73_m2}"
_CREATININE_MASS = 113.12  # g/mol
_ADULT = 18


def ckd_epi(creatinine: float, age: int, *, female: bool) -> float:
    """eGFR in mL/min/1.73 m2 from serum creatinine in mg/dL: CKD-EPI 2021, without race (Inker et al., NEJM 2021).

    For adults; raises ValueError for an age below 18 and a creatinine that is not positive.
    """
    if age < _ADULT or creatinine <= 0:
        raise ValueError("CKD-EPI 2021 is for adults and a creatinine above 0")
    kappa, alpha, factor = (0.7, -0.241, 1.012) if female else (0.9, -0.302, 1.0)
    ratio = creatinine / kappa
    return float(142 * min(ratio, 1) ** alpha * max(ratio, 1) ** -1.2 * 0.9938**age * factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An eGFR that code worked out, with the facts it is from."""

    value: float
    creatinine: Fact
    birth: Fact
    gender: Fact
    age: int

    @property
    def inputs(self) -> tuple[Fact, ...]:
        """The facts behind it, the creatinine first."""
        return (self.creatinine, self.birth, self.gender)


def estimate(creatinine: Fact, person: tuple[Fact, ...]) -> Estimate | None:
    """The eGFR on the day of a creatinine, from it and the facts of the Patient.

    None where that cannot be worked out: no exact number, a unit that is no concentration, no date, an age that is not
    certain or below 18, or a gender that is neither male nor female (the equation knows two).
    """
    by_path = {f.path: f for f in person}
    birth, gender = by_path.get("Patient.birthDate"), by_path.get("Patient.gender")
    day = creatinine.when.day if creatinine.when else None
    if birth is None or gender is None or gender.value not in ("male", "female") or day is None:
        return None
    value = _mg_dl(creatinine.value)
    age = dates.age(birth.value, day) if isinstance(birth.value, Interval) else None
    if value is None or value <= 0 or not isinstance(age, int) or age < _ADULT:
        return None
    result = ckd_epi(value, age, female=gender.value == "female")
    return Estimate(value=result, creatinine=creatinine, birth=birth, gender=gender, age=age)


def _mg_dl(value: object) -> float | None:
    if not isinstance(value, Quantity) or value.comparator:
        return None
    try:
        return units.convert(value, "mg/dL", molar_mass=_CREATININE_MASS).value
    except ValueError:
        return None


def egfr_number(value: object) -> Quantity | None:
    """A reported eGFR in mL/min/1.73 m2 with its comparator; None for what is no such number.

    A laboratory that writes `mL/min` for an eGFR means the same.
    """
    if not isinstance(value, Quantity):
        return None
    if units.canonical(value.unit, value.code) in (None, EGFR_UNIT, "mL/min"):
        return Quantity(value=value.value, unit="mL/min/1.73 m2", code=EGFR_UNIT, comparator=value.comparator)
    try:
        number = units.convert(value, EGFR_UNIT).value
    except ValueError:
        return None
    return Quantity(value=number, unit="mL/min/1.73 m2", code=EGFR_UNIT, comparator=value.comparator)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenalLimit:
    """Below `limit` the label of a drug asks for something.

    `measure` is what the label's limit is in: `egfr` (mL/min/1.73 m2) or `crcl` (creatinine clearance, mL/min).
    """

    ingredient: str
    limit: float
    measure: Literal["egfr", "crcl"]
    action: Literal["contraindicated", "avoid", "adjust"]
    source: str


@lru_cache(maxsize=1)
def renal_limits() -> Mapping[str, RenalLimit]:
    """The shipped table by drug id (lexicon/kidney_drugs.tsv; its source and standing in lexicon/README.md)."""
    with (Path(__file__).parent / "lexicon" / "kidney_drugs.tsv").open(encoding="utf-8", newline="") as file:
        rows = [_row(row) for row in csv.DictReader(file, delimiter="\t")]
    return {row.ingredient: row for row in rows}


def _row(row: Mapping[str, str]) -> RenalLimit:
    measure, action = row["measure"], row["action"]
    if measure not in ("egfr", "crcl") or action not in ("contraindicated", "avoid", "adjust"):
        raise ValueError(f"kidney_drugs.tsv: {row['id']!r}: measure or action is not one that is known")
    return RenalLimit(
        ingredient=row["id"],
        limit=float(row["limit"]),
        measure="egfr" if measure == "egfr" else "crcl",
        action="contraindicated" if action == "contraindicated" else "avoid" if action == "avoid" else "adjust",
        source=row["source"],
    )


def is_recent(fact: Fact, as_of: date, months: int) -> bool:
    """Whether a fact is of the last months before a day."""
    day = fact.when.day if fact.when else None
    return day is not None and dates.shift(as_of, months=-months) <= day <= as_of
