"""The last kidney function with a drug whose label asks for care at it.

The eGFR as reported, or by CKD-EPI 2021 from the last creatinine where that is newer. A result that is too old counts
as none; none is told as what was searched, or passed over in silence where the site says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from agent.service.cds.configuring import KidneyCard
from agent.service.cds.drafts import Drafts, Drug
from agent.service.cds.facts import CURRENT, Facts
from agent.service.cds.findings import Finding, dated, listed
from agent.service.cds.markdown import escaped
from fhir_tools import wording
from fhir_tools.compute import when_key
from fhir_tools.kidney import Estimate, RenalLimit, egfr_number, estimate, is_recent, renal_limits
from fhir_tools.types import Fact, Quantity, Reference

__all__ = ["find", "needs"]

_LABS = frozenset({"egfr", "creatinine"})
_DOES = {
    "contraindicated": "contraindicated below",
    "avoid": "to be avoided below",
    "adjust": "dose to be looked at below",
}
_MEASURE = {"egfr": "an eGFR of", "crcl": "a creatinine clearance of"}


def needs(card: KidneyCard, drafts: Drafts | None) -> frozenset[str]:
    """The results and the Patient, where a drug with a limit is ordered or current ones are meant."""
    current = card.drugs in ("current", "both")
    known = renal_limits()
    concerned = drafts is None or any(i in known for drug in drafts.drugs for i in drug.made_of.ingredients)
    if not current and not concerned:
        return frozenset()
    return _LABS | {"patient"} | (CURRENT if current else frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Function:
    """A kidney function: the number with what it was read or worked out from."""

    value: Quantity
    fact: Fact
    worked_out: Estimate | None = None

    @property
    def day(self) -> date:
        return _day(self.fact)

    @property
    def evidence(self) -> tuple[Reference, ...]:
        facts = self.worked_out.inputs if self.worked_out else (self.fact,)
        return tuple(dict.fromkeys(f.reference for f in facts))


def find(card: KidneyCard, facts: Facts) -> Iterator[Finding]:
    """One finding for each drug whose limit the last kidney function is below, or for which there is none."""
    known = renal_limits()
    drugs = [(d, known[i]) for d in facts.drugs(card.drugs) for i in sorted(d.made_of.ingredients) if i in known]
    if not drugs:
        return
    last = _last(card, facts)
    for drug, limit in drugs:
        below = card.limits.get(limit.ingredient, limit.limit)
        if last is None:
            if card.missing == "say":
                yield _none(card, facts, drug)
        elif _is_below(last.value, below):
            yield _low(card, facts, drug, limit, last, below)


def _last(card: KidneyCard, facts: Facts) -> _Function | None:
    """The newest function that is recent enough; the reported eGFR, unless a creatinine is newer."""
    found: list[_Function] = []
    for fact in facts.results("egfr"):
        value = egfr_number(fact.value)
        if value and is_recent(fact, facts.as_of, card.recent_months):
            found.append(_Function(value=value, fact=fact))
    reported = max((f.day for f in found), default=facts.as_of.min)
    recent = (f for f in facts.results("creatinine") if is_recent(f, facts.as_of, card.recent_months))
    for fact in recent:
        made = estimate(fact, facts.of("patient")) if _day(fact) > reported else None
        if made:
            value = Quantity(value=made.value, unit="mL/min/1.73 m2")
            found.append(_Function(value=value, fact=fact, worked_out=made))
    return max(found, key=lambda f: when_key(f.fact), default=None)


def _day(fact: Fact) -> date:
    assert fact.when and fact.when.day  # noqa: S101  results are dated (Facts.results)
    return fact.when.day


def _is_below(value: Quantity, limit: float) -> bool:
    """`>60` is not below 45; `<15` is below 30. What a comparator leaves open is not said."""
    if value.comparator in (">", ">="):
        return False
    if value.comparator in ("<", "<="):
        return value.value <= limit
    return value.value < limit


def _shown(value: Quantity, below: float) -> str:
    """A whole number, with a decimal where rounding would lift it to the limit: 29.6 is below 30."""
    digits = 0 if round(value.value) < below else 1
    return f"{value.comparator or ''}{value.value:.{digits}f}"


def _low(card: KidneyCard, facts: Facts, drug: Drug, limit: RenalLimit, last: _Function, below: float) -> Finding:
    number = _shown(last.value, below)
    does = f"{_DOES[limit.action]} {below:g}"
    day = wording.day_text(last.fact.when)
    shipped = f"{drug.label}: eGFR {number} on {day}; by its label {does}"
    site = " (the site's own limit)" if limit.ingredient in card.limits else ""
    return Finding(
        card=card,
        indicator=card.adjust_indicator if limit.action == "adjust" else card.indicator,
        summary=card.worded(shipped, drug=drug.label, egfr=number, date=day, limit=f"{below:g}"),
        lines=(
            _ordered(drug, facts.as_of),
            *_told(last, facts.as_of),
            f"Limit: {limit.ingredient}, {does.removesuffix(f' {below:g}')} {_MEASURE[limit.measure]} {below:g}{site}. "
            f"Source: {limit.source}.",
            *_clearance(limit),
        ),
        evidence=(*last.evidence, *(() if drug.drafted else (drug.fact.reference,))),
        key=("kidney", limit.ingredient),
        question="eGFR and creatinine over the last year?",
    )


def _ordered(drug: Drug, today: date) -> str:
    return f"Ordered: {escaped(drug.label)}." if drug.drafted else f"{listed(drug.fact, today)}."


def _told(last: _Function, today: date) -> Iterator[str]:
    made = last.worked_out
    if made is None:
        assert isinstance(last.fact.value, Quantity)  # noqa: S101  a number (egfr_number)
        yield f"eGFR as reported: {escaped(wording.quantity_text(last.fact.value))}{dated(last.fact, today)}."
        return
    assert isinstance(made.creatinine.value, Quantity)  # noqa: S101  a number (estimate)
    creatinine = escaped(wording.quantity_text(made.creatinine.value))
    yield f"Creatinine: {creatinine}{dated(made.creatinine, today)}."
    yield (
        f"eGFR {made.value:.1f} mL/min/1.73 m2, worked out by CKD-EPI 2021 "
        f"for age {made.age}, {escaped(str(made.gender.value))}. It holds for a steady creatinine: "
        "not in acute kidney injury, and not on dialysis."
    )


def _clearance(limit: RenalLimit) -> Iterator[str]:
    if limit.measure == "crcl":
        yield "The label's limit is of creatinine clearance, and an eGFR is not the same: work the clearance out first."


def _none(card: KidneyCard, facts: Facts, drug: Drug) -> Finding:
    months = card.recent_months
    older = max((*facts.measured("egfr"), *facts.measured("creatinine")), key=when_key, default=None)
    last = f"Last one found: {escaped(older.concept.label)}{dated(older, facts.as_of)}." if older else ""
    if older and is_recent(older, facts.as_of, months):
        summary = f"{drug.label}: no eGFR can be had from the creatinine or eGFR that was found"
        last += " It is no number in a known unit, or the equation is not for this patient's age or gender."
    else:
        summary = f"{drug.label}: no eGFR or creatinine found of the last {months} months"
    return Finding(
        card=card,
        indicator="info",
        summary=summary,
        lines=(
            _ordered(drug, facts.as_of),
            f"Searched: Observations by the LOINC codes of eGFR and creatinine, of the last {months} months before "
            f"{facts.as_of}. A result without such a code, or in a note, is not found so.",
            *((last,) if last else ()),
            "By its label the dose depends on kidney function.",
        ),
        evidence=(*((older.reference,) if older else ()), *(() if drug.drafted else (drug.fact.reference,))),
        key=("kidney", *sorted(drug.made_of.ingredients)),
        question="last creatinine?",
    )
