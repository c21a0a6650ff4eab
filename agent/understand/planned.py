"""A question about what is ahead: "when is her next appointment?", "any procedures planned?"."""

from __future__ import annotations

import re

from agent.types import Ask
from fhir_tools.types import Kind

__all__ = ["planned"]

_NOUNS: tuple[tuple[str, tuple[Kind, ...]], ...] = (
    (r"(?:appointments?|appts?|visits?|follow-? ?ups?|admissions?|consultations?|reviews?|clinics?)", ("encounter",)),
    (r"(?:procedures?|surger(?:y|ies)|operations?)", ("procedure",)),
)
_AHEAD = r"(?:next|upcoming|future|planned|scheduled|booked|forthcoming)"
_ASKS = (
    r"(?:when(?:'s| is| are|s)?|what(?:'s| is| are|s)?|which|any|are there(?: any)?|is there(?: an?| any)?|"
    r"show(?: me)?|list|"
    r"do(?:es)? (?:he|she|they|the (?:patient|pt)) have(?: an?| any)?|has (?:he|she|they) got(?: an?| any)?)"
)
_THE = r"(?:(?:his|her|their|the|an?|any)\s+)?"
_SET = r"(?:planned|scheduled|booked|coming up)"
_TAIL = r"(?:\s+(?:planned|scheduled|booked|coming up|ahead|on file|due|date|for (?:him|her)|in the diary))*"


def planned(question: str) -> Ask | None:
    """The question as one about planned records; None for any other, and where something narrows it."""
    for noun, kinds in _NOUNS:
        before = rf"^\W*(?:and )?(?:{_ASKS}\s+)?{_THE}{_AHEAD}\s+{noun}{_TAIL}\W*$"
        after = rf"^\W*(?:and )?(?:{_ASKS}\s+)?{_THE}{noun}\s+(?:that (?:are|is) )?{_SET}\W*$"
        if re.match(before, question, re.IGNORECASE) or re.match(after, question, re.IGNORECASE):
            first = bool(re.search(r"\bnext\b", question, re.IGNORECASE))
            return Ask(question=question, op="planned", kinds=kinds, relies=kinds, n=1 if first else None)
    return None
