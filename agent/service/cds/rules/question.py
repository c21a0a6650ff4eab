"""An answer that was computed ahead, as a card: its claims with what they cite, and how old it is.

Claims alone are shown, each of them verified; a model's readings of pixels are no claims and never come here.
"""

from __future__ import annotations

import re
from datetime import datetime

from agent.service.cds.configuring import QuestionCard
from agent.service.cds.findings import Finding
from agent.service.cds.kept import Kept
from agent.service.cds.markdown import escaped
from fhir_tools.types import Reference

__all__ = ["age_of", "finding"]

_MARKS = re.compile(r"\s*\[[a-z]?\d+\]")


def finding(card: QuestionCard, kept: Kept, now: datetime) -> Finding | None:
    """The card of an answer; None where its status is not one to be shown, or it has no claim."""
    answer = kept.answer
    if answer.status not in card.show or not answer.claims:
        return None
    said = [_MARKS.sub("", claim.text) for claim in answer.claims]
    age = age_of(kept.answered, now)
    return Finding(
        card=card,
        indicator=card.indicator,
        summary=_short(card.worded(said[0], answer=said[0]), f" (answered {age})"),
        lines=(
            *(escaped(text) for text in said),
            f"Asked: “{escaped(answer.question)}”, answered {age} as of {kept.as_of} by {escaped(answer.reasoner)}.",
            *(f"Note: {escaped(warning)}" for warning in answer.warnings),
        ),
        evidence=_cited(answer.citations),
        key=("question", answer.question),
        question=answer.question,
    )


def _short(text: str, end: str) -> str:
    """The age stands in the summary, whatever is cut."""
    room = 139 - len(end)
    return (text if len(text) <= room else f"{text[: room - 1].rstrip()}…") + end


def _cited(citations: object) -> tuple[Reference, ...]:
    found: dict[Reference, None] = {}
    for citation in citations if isinstance(citations, list) else ():
        for text in (citation.reference, *citation.inputs):
            try:
                found[Reference.parse(text)] = None
            except ValueError:  # a citation of a search has no resource
                continue
    return tuple(found)


def age_of(then: datetime, now: datetime) -> str:
    """`just now`, `40 minutes ago`, `3 hours ago`, `2 days ago`."""
    minutes = int((now - then).total_seconds() // 60)
    if minutes < 1:
        return "just now"
    if minutes < 120:
        return f"{minutes} minute{'s' if minutes != 1 else ''} ago"
    return f"{minutes // 60} hours ago" if minutes < 2880 else f"{minutes // 1440} days ago"
