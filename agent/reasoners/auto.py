"""Auto: rules where they are sure, the model elsewhere; the draft says which of the two answered."""

from __future__ import annotations

from dataclasses import replace

from agent.reasoners.base import Reasoner
from agent.types import Ask, Draft, Evidence, Turn

__all__ = ["Auto"]


class Auto:
    """A `Reasoner` before two: `rules` is asked first, `llm` only what rules refuse, or what verify took from them.

    `name` is what the last draft was by; `Draft.by` says it for each draft.
    """

    def __init__(self, rules: Reasoner, llm: Reasoner) -> None:
        self._rules, self._llm = rules, llm

    @property
    def name(self) -> str:
        """What stands behind it: both names, since either may answer."""
        return f"{self._rules.name} or {self._llm.name}"

    async def reason(self, ask: Ask, evidence: Evidence, history: tuple[Turn, ...] = (), feedback: str = "") -> Draft:
        """The rules' draft where they have one; the model's where they refuse. Raises what the model raises."""
        draft = await self._rules.reason(ask, evidence, history)
        if draft.status == "refused" or (feedback and draft.claims):
            told = "" if draft.claims else feedback  # faults of the rules' claims mean nothing to the model
            other = await self._llm.reason(ask, evidence, history, told)
            return replace(other, by=other.by or self._llm.name)
        return replace(draft, by=self._rules.name)
