"""Questions over many patients: words → typed checks → one expression; what is not understood is refused by its words.

"How many patients with diabetes have an HbA1c above 9 in the last year?" is two checks that both hold. The grammar of
trial criteria reads each part, so a cohort's question and a criterion mean the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from agent.errors import UserError
from agent.trials.checks import Age, All, Any_, Concept, Measurement, Not, Period, Reader, Record, Sex, checker, walk
from agent.trials.names import meanings
from agent.trials.reading import check_of

__all__ = ["Question", "understand"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """`want` is a count or a list; `checks` are the parts as understood, each with the words it was read from."""

    text: str
    want: Literal["count", "list"]
    checks: tuple[tuple[str, Any], ...]

    @property
    def check(self) -> Any:
        """All parts as one check."""
        parts = tuple(c for _, c in self.checks)
        return parts[0] if len(parts) == 1 else All(of=parts)

    @property
    def told(self) -> tuple[str, ...]:
        """How each part was understood, in a line each."""
        return tuple(say(check) for _, check in self.checks)
