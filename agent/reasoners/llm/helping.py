"""Rules help: what the rules reasoner is sure of, and verify holds, told to the model before the cards."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.reasoners import rules
from agent.supply import Supplied
from agent.types import Ask, Claim, Draft, Evidence
from agent.untrusted import escape
from agent.verify import verify

__all__ = ["Worked", "worked_out"]

_MOST = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """What rules worked out: their draft, with the claims alone that verify holds. `sure` is whether there is any."""

    draft: Draft = field(default_factory=lambda: Draft(status="refused"))

    @property
    def sure(self) -> bool:
        return bool(self.draft.claims) if self.draft.status == "answered" else self.draft.status == "not_found"

    def lines(self) -> tuple[str, ...]:
        """The card: a title, and each claim, escaped, with its marks behind it. Nothing where rules are not sure."""
        if not self.sure:
            return ()
        if self.draft.status == "not_found":
            return ('Worked out by rules: status "not_found".',)
        claims = self.draft.claims[:_MOST]
        more = (f" and {len(self.draft.claims) - _MOST} more like these, see below",)
        return ("Worked out by rules:", *map(_line, claims), *(more if len(self.draft.claims) > _MOST else ()))

    def known(self, claim: Claim) -> Claim:
        """The claim with the rules' value and marks, where it is theirs word for word."""
        same = (c for c in self.draft.claims if _words(c.text) == _words(claim.text))
        return next(same, claim)


def worked_out(ask: Ask, evidence: Evidence) -> Worked:
    """The rules' draft on the same evidence. One that lost a claim to verify is not sure, and none of it is told.

    Cards that the model has asked for answer what it asked, not what rules understood: then rules have no say.
    """
    if isinstance(evidence, Supplied):
        return Worked()
    draft = rules.draft(ask, evidence)
    verified = verify(ask, draft, evidence)
    if verified.removed or draft.status not in ("answered", "not_found"):
        return Worked()
    if draft.status == "not_found" and not evidence.complete:
        return Worked()
    return Worked(draft=draft)


def _line(claim: Claim) -> str:
    return " ".join((f" {escape(claim.text)}", "".join(f"[{m}]" for m in claim.marks))).rstrip()


def _words(text: str) -> str:
    return escape(text).casefold().rstrip(". ")
