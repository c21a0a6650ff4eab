"""What rules say of notes: the sentence itself, quoted, with what the words around it make of it."""

from __future__ import annotations

from agent.reasoners.rules import say
from agent.types import AGAINST, Ask, Claim
from fhir_tools import wording
from fhir_tools.types import Card

__all__ = ["claims"]


def claims(ask: Ask, card: Card) -> tuple[Claim, ...]:
    """One quote a claim, newest first; quotes that say otherwise than the structured chart are told as that."""
    other = ", says otherwise" if card.title == AGAINST else ""
    out = []
    for line, mark in reversed(list(zip(card.lines, card.marks, strict=True))):
        if mark.fact is None or mark.span is None:
            continue
        told = line.rsplit('"', 1)[-1].strip()
        lead = f"{say.name(mark.fact)}, {wording.day_text(mark.fact.when)}{other}"
        out.append(say.claim(f'{lead}: "{mark.span.quote}"{f" {told}" if told else ""}.', mark))
    return tuple(out)
