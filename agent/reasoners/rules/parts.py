"""What rules say of a question that is several in one: the drafts of its parts as one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from agent.types import Ask, Claim, Draft

__all__ = ["together"]

_MARKS = re.compile(r"\[s\d+\]|; [^.]*")


def together(drafts: Sequence[Draft], asks: Sequence[Ask]) -> Draft:
    """One draft: answered where any part is; a part that is not is told beside, with its own words.

    Where the first is refused, so is the question. An absence counts as a search only where every part has one.
    """
    answered = [d for d in drafts if d.status == "answered"]
    leading = drafts[0] if drafts[0].status == "refused" or not answered else answered[0]
    if leading.status == "refused":
        return leading
    notes = [_note(d, a) for d, a in zip(drafts, asks, strict=True) if d.note]
    claims: dict[str, Claim] = {}  # what two parts come to, as a value and its date do, is told once
    for claim in (c for n, d in enumerate(drafts, 1) for c in _claims(d, n, bool(answered))):
        claims.setdefault(claim.text, claim)
    warnings = tuple(dict.fromkeys(w for d in drafts for w in d.warnings))
    told = {_MARKS.sub("", note): note for note in reversed(notes)}  # what is said twice differs by its searches alone
    return replace(leading, claims=tuple(claims.values()), note=" ".join(reversed(told.values())), warnings=warnings)


def _claims(draft: Draft, part: int, answered: bool) -> list[Claim]:
    """The part's claims; the value of the answer is what the first part comes to."""
    return [replace(c, part=part, value=c.value if part == 1 else None) for c in draft.claims]


def _note(draft: Draft, ask: Ask) -> str:
    return f'Not answered: "{ask.question.strip(" ?")}". {draft.note}' if draft.status == "refused" else draft.note
