"""A drug with a last result below or above a limit. Without a recent result it is silent: nothing is known then."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from agent.service.cds.configuring import ResultCard
from agent.service.cds.drafts import Drafts, Drug
from agent.service.cds.facts import CURRENT, Facts, Unread
from agent.service.cds.findings import Finding, dated, listed
from agent.service.cds.markdown import escaped
from fhir_tools import units, wording
from fhir_tools.lexicon import lexicon
from fhir_tools.types import Fact, Quantity

__all__ = ["find", "needs"]


def needs(card: ResultCard, drafts: Drafts | None) -> frozenset[str]:
    """The results, where one of the drugs is ordered or current ones are meant."""
    current = card.drugs in ("current", "both")
    if not current and not (drafts is None or any(d.within(card.of) for d in drafts.drugs)):
        return frozenset()
    return frozenset({card.lab}) | (CURRENT if current else frozenset())


def find(card: ResultCard, facts: Facts) -> Iterator[Finding]:
    """One finding for each drug, where the last result is recent and beyond the limit.

    Raises Unread, also for a last result whose unit cannot be compared.
    """
    drugs = [d for d in facts.drugs(card.drugs) if d.within(card.of)]
    results = facts.results(card.lab) if drugs else ()
    last = results[-1] if results else None
    if last is None or not _is_recent(card, facts, last) or not _is_beyond(card, last):
        return
    for drug in drugs:
        yield _finding(card, facts, drug, last)


def _is_recent(card: ResultCard, facts: Facts, fact: Fact) -> bool:
    day = fact.when.day if fact.when else None
    return day is not None and day >= facts.as_of - timedelta(days=card.recent_days)


def _is_beyond(card: ResultCard, fact: Fact) -> bool:
    """Whether the value is surely beyond the limit: `<10` is below 50, `<100` may not be."""
    assert isinstance(fact.value, Quantity)  # noqa: S101  a number (Facts.results)
    try:
        value = units.convert(fact.value, card.unit)
    except ValueError:
        raise Unread(card.lab, "the last result is in a unit that cannot be compared") from None
    if card.below is not None:
        sure = value.value <= card.below if value.comparator in ("<", "<=") else value.value < card.below
        return sure and value.comparator not in (">", ">=")
    sure = value.value >= (card.above or 0) if value.comparator in (">", ">=") else value.value > (card.above or 0)
    return sure and value.comparator not in ("<", "<=")


def _finding(card: ResultCard, facts: Facts, drug: Drug, last: Fact) -> Finding:
    assert isinstance(last.value, Quantity)  # noqa: S101  a number (Facts.results)
    entry = lexicon().by_id("lab", card.lab)
    label = entry.label if entry else card.lab
    number, day = wording.quantity_text(last.value), wording.day_text(last.when)
    side, limit = ("below", card.below) if card.below is not None else ("above", card.above)
    doing = "being ordered" if drug.drafted else "listed active"
    shipped = f"{drug.label} is {doing}; {label.lower()} {number} on {day}"
    told = f"Ordered: {escaped(drug.label)}." if drug.drafted else f"{listed(drug.fact, facts.as_of)}."
    return Finding(
        card=card,
        indicator=card.indicator,
        summary=card.worded(shipped, drug=drug.label, result=number, date=day, limit=f"{limit:g}"),
        lines=(
            told,
            f"{escaped(label)}: {escaped(number)}{dated(last, facts.as_of)}, {side} {limit:g} {escaped(card.unit)}.",
        ),
        evidence=(last.reference, *(() if drug.drafted else (drug.fact.reference,))),
        key=(card.name, *sorted(drug.within(card.of))),
        question=f"{label} over the last 3 months?",
    )
