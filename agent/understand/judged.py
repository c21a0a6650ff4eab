"""A judgement of results that is asked for: "is the creatinine stable?". Rules tell the results; the reader judges."""

from __future__ import annotations

import re
from dataclasses import replace

from agent.types import Ask
from agent.understand.patterns import words
from agent.understand.targets import measured

__all__ = ["judged"]

_JUDGED = re.compile(
    words(
        "stable, steady, unchanged, better, worse, improv*, worsen*, deteriorat*, recover*,"
        " (?:well |poorly |under |in |not )?control(?:led)?, optimi[sz]ed, (?:at|to|on|within) (?:goal|target),"
        " (?:still )?good, bad, fine, okay, acceptable, back to normal, normali[sz]ed,"
        " (?:come|came|gone|go) back (?:up|down), therapeutic, (?:in|within) (?:therapeutic )?range, ok"
    )
)
_OTHERS = ("count", "find", "mean", "highest", "lowest")
_FEW = 3
"""Results told where no time is said: what a reader needs to see a course."""


def judged(ask: Ask, s: str) -> Ask:
    """The question as one for the latest few results, or the course in its time; as it is where nothing is judged."""
    found = _JUDGED.search(s)
    if (
        not found
        or not measured(ask.targets)
        or ask.threshold
        or ask.op in ("count", "find", "mean", "highest", "lowest")
    ):
        return ask
    told = found.group().split()
    unknown = tuple(w for w in ask.unknown if not set(w.split()) <= set(told))
    if ask.anchor or ask.window:
        return replace(ask, op="trend", expects="text", judged=found.group(), unknown=unknown)
    return replace(ask, op="latest", n=_FEW, expects="text", judged=found.group(), unknown=unknown)
