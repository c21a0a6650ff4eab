"""A drug that is listed active without a result in time of a value that it wants.

Any of the values will do (`labs`). That none was found is told with what was searched; nothing is said of a drug whose
results could not be read.
"""

from __future__ import annotations

from collections.abc import Iterator

from agent.service.cds.configuring import MonitoringCard, Watch
from agent.service.cds.drafts import Drafts, Drug
from agent.service.cds.facts import CURRENT, Facts
from agent.service.cds.findings import Finding, dated, listed
from agent.service.cds.markdown import escaped
from fhir_tools import dates
from fhir_tools.kidney import is_recent
from fhir_tools.lexicon import lexicon
from fhir_tools.types import Fact

__all__ = ["find", "needs"]


def needs(card: MonitoringCard, drafts: Drafts | None) -> frozenset[str]:
    """The active drugs and every value that is watched."""
    return CURRENT | {lab for watch in card.watch for lab in watch.labs}


def find(card: MonitoringCard, facts: Facts) -> Iterator[Finding]:
    """One finding for each watched drug whose values are all missing or too old."""
    orders = [d for d in facts.current if d.fact.details.get("role") == "order"]
    for watch in card.watch:
        drug = next((d for d in orders if d.within(watch.drugs)), None)
        if drug:
            results = [f for lab in watch.labs for f in facts.measured(lab)]
            if not any(is_recent(f, facts.as_of, watch.months) for f in results):
                yield _finding(card, watch, facts, drug, results)


def _finding(card: MonitoringCard, watch: Watch, facts: Facts, drug: Drug, results: list[Fact]) -> Finding:
    labels = " or ".join(_label(lab) for lab in watch.labs)
    last = max(results, key=lambda f: f.when.day if f.when and f.when.day else facts.as_of.min, default=None)
    since = dates.shift(facts.as_of, months=-watch.months)
    shipped = f"{drug.label}: no {labels} found of the last {watch.months} months"
    found = f"Last one found: {escaped(last.concept.label)}{dated(last, facts.as_of)}." if last else ""
    searched = (
        f"Searched: Observations by the LOINC codes of {escaped(labels)}, since {since}. A result without such a code, "
        "or in a note, is not found so."
    )
    return Finding(
        card=card,
        indicator=card.indicator,
        summary=card.worded(shipped, drug=drug.label, lab=labels, months=str(watch.months)),
        lines=tuple(filter(None, (f"{listed(drug.fact, facts.as_of)}.", searched, found))),
        evidence=(drug.fact.reference, *((last.reference,) if last else ())),
        key=("monitoring", *watch.drugs, *watch.labs),
        question=f"last {_label(watch.labs[0])}?",
    )


def _label(lab: str) -> str:
    entry = lexicon().by_id("lab", lab)
    return entry.label if entry else lab
