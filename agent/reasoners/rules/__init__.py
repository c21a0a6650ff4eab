"""The rules reasoner: answers what rules can answer from the cards, and says so where they cannot.

It reads cards only, like a model; each claim names its marks and carries its value as data.
"""

from __future__ import annotations

from agent.reasoners.rules import absence, documents, events, measurements, medications, parts, person
from agent.types import AGAINST, IN_NOTES, IN_REPORTS, Ask, Claim, Draft, Evidence, Turn
from fhir_tools.types import Card

__all__ = ["Rules"]

_POINTER = "Rules cannot answer this; a model could, where the operator has set one up."


class Rules:
    """A `Reasoner` without a model. It has no state."""

    name = "rules"

    async def reason(self, ask: Ask, evidence: Evidence, history: tuple[Turn, ...] = (), feedback: str = "") -> Draft:
        return draft(ask, evidence)


def draft(ask: Ask, evidence: Evidence) -> Draft:
    """Claims from the cards, or the status that says why there are none."""
    if ask.parts and not ask.unknown:
        return parts.together([draft(*one) for one in zip(ask.parts, evidence.parts, strict=True)], ask.parts)
    refusal = _refusal(ask)
    if refusal:
        return Draft(status="refused", note=refusal)
    claims = [c for card in evidence.cards if card.role == "subject" for c in _claims(ask, card, evidence)]
    if claims:
        note = " ".join(filter(None, (absence.notes(evidence), _judgement(ask))))
        return Draft(claims=tuple(claims), note=note, warnings=_warnings(ask, evidence))
    told = absence.draft(ask, evidence)
    return told or Draft(
        status="refused",
        note=f"The question was understood as {_understood(ask)}, which these records do not answer. {_POINTER}",
    )


def _claims(ask: Ask, card: Card, evidence: Evidence) -> tuple[Claim, ...]:
    if card.title.endswith("no valid record, only these"):
        return absence.standings(ask, card)
    match card.kind:
        case "measurement" | "social":
            return measurements.claims(ask, card)
        case "medication":
            return medications.claims(ask, card)
        case "patient":
            return person.claims(ask, card)
        case "document" if card.title in (IN_NOTES, AGAINST, IN_REPORTS):
            return documents.claims(ask, card)
    return events.claims(ask, card, evidence)


def _refusal(ask: Ask) -> str:
    if ask.summary:
        return f"This asks for a summary, not for one answer: run `chartline summary --kind {ask.summary}`."
    ambiguous = next((t for t in ask.targets if t.choices), None)
    if ambiguous:
        listed = "; ".join(ambiguous.choices)
        return f"{len(ambiguous.choices)} concepts match {ambiguous.words!r}: {listed}. Ask for one of them."
    if ask.unknown:
        words = ", ".join(repr(w) for w in dict.fromkeys(ask.unknown))
        return f"I did not understand {words} in this question, so I will not guess. {_POINTER}"
    if ask.op == "find" and not ask.targets:
        return f"Name what to look for: rules quote the sentences of notes that hold it. {_POINTER}"
    if not ask.kinds and not ask.targets and not ask.attribute:
        return f"I can't tell what part of the chart this asks about. {_POINTER}"
    return ""


def _judgement(ask: Ask) -> str:
    return f'Whether that is "{ask.judged}" is for the reader to judge.' if ask.judged else ""


def _understood(ask: Ask) -> str:
    subject = ", ".join(t.label for t in ask.targets) or ", ".join(ask.kinds)
    return f"{ask.op.replace('_', ' ')} of {subject}"


def _warnings(ask: Ask, evidence: Evidence) -> tuple[str, ...]:
    mended = [f"read {t.words!r} as {t.label!r}" for t in ask.targets if t.corrected]
    return tuple(mended)
