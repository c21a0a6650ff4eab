"""The seam to reasoning: what the graph talks to. Rules and models stand behind it alike."""

from __future__ import annotations

from typing import Protocol

from agent.types import Ask, Draft, Evidence, Turn

__all__ = ["Reasoner"]


class Reasoner(Protocol):
    """Reads cards, returns claims or needs. It sees no source and cannot reach one."""

    @property
    def name(self) -> str:
        """What the answer's `reasoner` says: `rules`, or the model that answers."""
        ...

    async def reason(self, ask: Ask, evidence: Evidence, history: tuple[Turn, ...] = (), feedback: str = "") -> Draft:
        """Claims with marks of `evidence`, or needs, or a status with its reason.

        `feedback` is what verify found wrong with the draft before; it is given once.
        Raises OperatorError when the model server fails.
        """
        ...
