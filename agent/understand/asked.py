"""What the words beside a subject ask of it: the operation, the kinds of record, the state, what of the person."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from agent.types import Op
from agent.understand import cues
from fhir_tools.types import Kind

__all__ = ["attribute_of", "cued_kinds", "op_of", "state_of"]


def op_of(s: str, but: Op | None = None) -> Op:
    """The operation that the words name; `but` leaves one out: "how much" of a result is its value, not a dose."""
    return next((op for op, pattern in cues.OPS if op != but and pattern.search(s)), "list")


def cued_kinds(s: str, relatives: Sequence[str]) -> tuple[Kind, ...]:
    """The kinds of record that the words beside the subject say, likeliest first."""
    said = (k for _, kinds, p in cues.CATEGORIES if p.search(s) for k in kinds)
    return tuple(dict.fromkeys((*(("family",) if relatives else ()), *said)))


def attribute_of(s: str) -> str:
    """What of the person is asked for, as `Ask.attribute` names it; empty for nothing of them."""
    return next((name for name, p in cues.ATTRIBUTES if p.search(s)), "")


_ON = r"\b(?:he|she|they|patient|pt) (?:is|are) on$|\b(?:is|are) (?:he|she|they|patient|pt) on$"
_LIVE = re.compile(
    r"\bnot (yet )?(been )?resolved\b|\bunresolved\b"
    r"|\b(problems?|conditions?|diagnos\w+|issues?|\w*morbidit\w+) (are )?live\b|\blive (problems?|diagnos\w+)"
    r"|\bopen (problems?|issues?|conditions?|diagnos\w+)\b"
)
_NOW = re.compile(rf"\b(active|current|currently|ongoing|still|now|present|presently)\b|{_ON}")
_NOT = re.compile(r"\b(not|isnt|no longer)\b")
_RESOLVED = re.compile(r"\b(resolved|inactive|resolve|cleared|gone away|healed)\b|\bover$")
_STOPPED = re.compile(r"\b(stopped|discontinued|no longer|former\w*)\b")


def state_of(s: str) -> Literal["", "active", "resolved", "stopped"]:
    """The state of problems or orders that the words ask for; empty for any."""
    if _LIVE.search(s):
        return "active"
    if _NOW.search(s):
        return "stopped" if _NOT.search(s) else "active"
    if _RESOLVED.search(s):
        return "resolved"
    return "stopped" if _STOPPED.search(s) else ""
