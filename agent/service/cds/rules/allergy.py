"""An allergy to what is being ordered.

Said for an active allergy or intolerance whose ingredient or class is that of the order. Nothing is said where there is
none: not from an explicit "no known allergies", and not from a list without a match, which may hold allergies that no
code or name tells (such a one is neither matched nor taken for harmless: `unclear` tells those to drugs).
"""

from __future__ import annotations

from collections.abc import Iterator

from agent.service.cds.configuring import AllergyCard
from agent.service.cds.drafts import Drafts, Drug
from agent.service.cds.facts import Facts
from agent.service.cds.findings import Finding, dated
from agent.service.cds.markdown import escaped
from fhir_tools.substances import is_within, substance
from fhir_tools.types import Fact

__all__ = ["find", "needs", "unclear"]

_OVER = ("inactive", "resolved")


def needs(card: AllergyCard, drafts: Drafts | None) -> frozenset[str]:
    """The allergies, where a drug is ordered."""
    return frozenset({"allergies"}) if drafts is None or drafts.drugs else frozenset()


def find(card: AllergyCard, facts: Facts) -> Iterator[Finding]:
    """One finding for each drug and allergy that meet."""
    for drug in facts.drafts.drugs:
        for allergy in _listed(facts):
            why = _meets(card, drug, allergy)
            if why:
                yield _finding(card, facts, drug, allergy, why)


def unclear(facts: Facts) -> tuple[str, ...]:
    """The allergies to drugs that the lexicon does not know, as the chart writes them: no order is held against them.

    Raises Unread.
    """
    drugs = (f for f in _listed(facts) if "medication" in f.details.get("category", ()))
    return tuple(f.concept.label for f in drugs if not substance(f.concept).understood)


def _listed(facts: Facts) -> tuple[Fact, ...]:
    here = (f for f in facts.of("allergies") if f.kind == "allergy")
    return tuple(f for f in here if not f.details.get("negation") and f.status not in _OVER)


def _meets(card: AllergyCard, drug: Drug, allergy: Fact) -> str:
    """Why they meet, in words: the same ingredient, a class that the allergy names, or one that cross-reacts."""
    other = substance(allergy.concept)
    same = drug.made_of.ingredients & other.ingredients
    if same:
        return f"the same ingredient, {', '.join(sorted(same))}"
    named = [c for c in sorted(other.classes) if drug.within((c,)) or c in drug.made_of.classes]
    if named:
        return f"the allergy is to the class {named[0]}"
    asked = [c for c in sorted(drug.made_of.classes) if any(is_within(i, (c,)) for i in other.ingredients)]
    if asked:
        return f"the order names the class {asked[0]}"
    for name in card.cross_reactive:
        if drug.within((name,)) and any(is_within(i, (name,)) for i in other.ingredients):
            return f"both are of the class {name}, but not the same drug"
    return ""


def _finding(card: AllergyCard, facts: Facts, drug: Drug, allergy: Fact, why: str) -> Finding:
    when = dated(allergy, facts.as_of) or " without a date"
    itself = not why.startswith("both")
    fields = {"drug": drug.label, "allergy": allergy.concept.label}
    shipped = f"{drug.label} is being ordered; allergy listed: {allergy.concept.label}"
    told = [f"Why: {escaped(why)}."]
    said = ((name, allergy.details.get(name)) for name in ("reaction", "criticality", "verification"))
    told += [f"{name.capitalize()}: {escaped(str(value))}." for name, value in said if value]
    return Finding(
        card=card,
        indicator=card.indicator if itself else card.class_indicator,
        summary=card.worded(shipped, **fields),
        lines=(
            f"Ordered: {escaped(drug.label)}.",
            f"Listed as an allergy or intolerance: {escaped(allergy.concept.label)}, recorded{when}.",
            *told,
        ),
        evidence=(allergy.reference,),
        key=("allergy", *sorted(drug.made_of.ingredients), str(allergy.reference)),
        question="any drug allergies?",
    )
