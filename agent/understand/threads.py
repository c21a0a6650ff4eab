"""Follow-up questions keep their subject: "and the one before?", "in 2018?", "what about LDL?"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agent.types import Ask, Op, Target, Turn
from agent.understand import cues
from agent.understand.reading import Reading
from agent.understand.settle import settle
from fhir_tools.dates import Window

__all__ = ["follow_up", "subject_of"]

_ELLIPTIC = re.compile(
    r"^(and|what about|how about|ok|also|then|or|so|but|what|which|how|when|why|the"
    r"|in|since|before|after|on|at|during)\b"
)
_NEXT_OF = re.compile(r"^(and|what about|how about|ok|or|also)\b")
_SHORT = 6


def subject_of(ask: Ask) -> Mapping[str, Any]:
    """What the next question of a thread may lean on, as plain data."""
    targets = [
        {
            "words": t.words,
            "label": t.label,
            "kinds": list(t.kinds),
            "keys": list(t.keys),
            "lexicon": [list(x) for x in t.lexicon],
            "labels": list(t.labels),
        }
        for t in ask.targets
    ]
    told = {"op": ask.op, "kinds": list(ask.kinds), "n": ask.n, "attribute": ask.attribute, "targets": targets}
    return {**told, "look": True} if ask.look else told


def follow_up(ask: Ask, reading: Reading, skeleton: str, history: tuple[Turn, ...]) -> Ask:
    """The question read in the light of the thread's last one; unchanged where it stands by itself."""
    subject = history[-1].subject if history else {}
    elliptic = bool(_ELLIPTIC.match(reading.skeleton)) or len(reading.words) <= _SHORT
    if not subject or not elliptic:
        return ask
    has_op = any(p.search(reading.skeleton) for _, p in cues.OPS[:-1])
    if not ask.targets and subject["targets"] and not _names_part(reading, subject) and not ask.attribute:
        asked: Op = ask.op if has_op else subject["op"]
        recalled = replace(ask, targets=_recall(subject), kinds=tuple(subject["kinds"]), op=asked)
        settled = (
            settle(recalled, skeleton) if has_op else replace(recalled, op=_windowed(asked, ask.window), expects=None)
        )
        return _step_back(settled, subject)
    if ask.targets and not has_op and _NEXT_OF.match(reading.skeleton) and set(ask.kinds) & set(subject["kinds"]):
        return replace(ask, op=subject["op"])
    return ask


def _names_part(reading: Reading, subject: Mapping[str, Any]) -> bool:
    """Whether the question names a part of the chart itself ("allergies", "problem list")."""
    noun = reading.skeleton.split()
    return any(
        p.search(reading.skeleton) and (len(noun) <= 3 or not set(kinds) & set(subject["kinds"]))
        for _, kinds, p in cues.CATEGORIES
    )


def _windowed(op: Op, window: Window | None) -> Op:
    if window and window.low is not None and window.high is not None and (window.high - window.low).days == 1:
        return "on"
    return "latest" if window and op == "previous" else op


def _recall(subject: Mapping[str, Any]) -> tuple[Target, ...]:
    return tuple(
        Target(
            words=t["words"],
            label=t["label"],
            kinds=tuple(t["kinds"]),
            keys=tuple(t["keys"]),
            lexicon=tuple((kind, name) for kind, name in t["lexicon"]),
            labels=tuple(t["labels"]),
        )
        for t in subject["targets"]
    )


def _step_back(ask: Ask, subject: Mapping[str, Any]) -> Ask:
    """ "The one before" a previous one is the one before that."""
    if ask.op == "previous" and subject["op"] == "previous":
        return replace(ask, n=(subject["n"] or 1) + 1)
    return ask
