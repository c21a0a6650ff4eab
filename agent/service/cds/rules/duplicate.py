"""An order of what is listed active already, or of another drug of a class where one is enough.

Compared are orders of one setting: what a patient takes at home is no duplicate of an inpatient order, nor the other
way round; where one does not say its setting, it is compared. An order that says which one it replaces is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agent.service.cds.configuring import DuplicateCard
from agent.service.cds.drafts import Drafts, Drug
from agent.service.cds.facts import CURRENT, Facts
from agent.service.cds.findings import Finding, listed
from agent.service.cds.markdown import escaped

__all__ = ["find", "needs"]

_INSIDE, _OUTSIDE = frozenset({"inpatient"}), frozenset({"outpatient", "community", "discharge"})


def needs(card: DuplicateCard, drafts: Drafts | None) -> frozenset[str]:
    """The active drugs and the encounters that say whether an inpatient order is over, where a drug is ordered."""
    return CURRENT if drafts is None or drafts.drugs else frozenset()


def find(card: DuplicateCard, facts: Facts) -> Iterator[Finding]:
    """One finding for each ordered drug and what it doubles: an active drug, or another draft."""
    ordered = facts.drafts.drugs
    current = facts.current if ordered else ()
    for at, drug in enumerate(ordered):
        drafts = (*ordered[:at], *facts.drafts.other_drugs)
        for other in (*current, *drafts):
            if _compared(drug, other):
                why = _doubles(card, drug, other)
                if why:
                    yield _finding(card, facts, drug, other, why)


def _compared(drug: Drug, other: Drug) -> bool:
    """Whether the two are of one setting, and are two."""
    here, there = _setting(drug), _setting(other)
    same = other.fact.reference in (drug.fact.reference, drug.replaces)
    return not same and (not here or not there or bool(here & there))


def _setting(drug: Drug) -> frozenset[Any]:
    said = frozenset(drug.fact.details.get("category", ()))
    return frozenset(name for name, words in (("in", _INSIDE), ("out", _OUTSIDE)) if said & words)


def _doubles(card: DuplicateCard, drug: Drug, other: Drug) -> str:
    same = drug.made_of.ingredients & other.made_of.ingredients
    if same:
        return f"the same ingredient, {', '.join(sorted(same))}"
    name = next((c for c in card.classes if drug.within((c,)) and other.within((c,))), "")
    return f"both are of the class {name}" if name else ""


def _finding(card: DuplicateCard, facts: Facts, drug: Drug, other: Drug, why: str) -> Finding:
    itself = not why.startswith("both")
    where = "another draft" if other.drafted else "listed active"
    shipped = f"{drug.label} is being ordered; {where}: {other.label}"
    told = f"Another draft: {escaped(other.label)}." if other.drafted else f"{listed(other.fact, facts.as_of)}."
    return Finding(
        card=card,
        indicator=card.indicator if itself else card.class_indicator,
        summary=card.worded(shipped, drug=drug.label, active=other.label),
        lines=(f"Ordered: {escaped(drug.label)}.", told, f"Why: {escaped(why)}."),
        evidence=() if other.drafted else (other.fact.reference,),
        key=("duplicate", str(drug.fact.reference), *sorted(other.made_of.ingredients)),
        remove=drug.fact.reference if itself and card.suggest_removal else None,
        question="active medications?",
    )
