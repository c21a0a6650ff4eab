"""A question that rules did not understand, put by the model into words that they do: one of the chart's own names.

Only the choice is the model's: it cannot name what the chart does not hold, and what is told of it rules work out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import prompts
from agent.models.base import Message
from agent.types import Ask, Evidence
from agent.untrusted import clean, escape
from fhir_tools.types import Kind

__all__ = ["Choice", "choice_messages", "choice_of", "choice_schema", "is_lost"]

NONE = "none of these"
NOTE = "words of a note"
_ALL: Mapping[Kind, str] = {
    "condition": "all conditions",
    "medication": "all medications",
    "allergy": "all allergies",
    "procedure": "all procedures",
    "immunization": "all immunizations",
    "imaging": "all imaging studies",
    "family": "all family history",
}
_ASKS = {
    "latest": "latest {}",
    "first": "first {}",
    "highest": "highest {}",
    "lowest": "lowest {}",
    "on admission": "{} on admission",
    "count": "how many {}",
    "last date": "when was the last {}",
    "first date": "when was the first {}",
    "yes or no": "any {}?",
    "taking": "is the patient taking {}?",
    "which ones": "{}",
}
"""What can be asked of a name, and how rules are asked it."""
_OF: Mapping[str, tuple[Kind, ...]] = {
    "highest": ("measurement", "social"),
    "lowest": ("measurement", "social"),
    "taking": ("medication",),
}
"""What can be asked of records of some kinds alone."""
_UNDATED = {"last date": "latest", "first date": "first"}
"""A date is told for what the question asks when it was; small models say so of other questions too."""
_WHEN = re.compile(r"\b(?:when|dates?|days?|years?|months?|since|long ago)\b", re.IGNORECASE)


def is_lost(ask: Ask, evidence: Evidence) -> bool:
    """Whether the question was not understood and there are names to choose from; it is chosen once."""
    return bool(ask.unknown or not evidence.cards) and bool(evidence.concepts) and not ask.reads_as


def choice_messages(ask: Ask, evidence: Evidence) -> tuple[Message, ...]:
    """The messages of the one call: the names by kind, fenced, and the question."""
    prompt = prompts.load("choose")
    parts = prompt.user_parts(concepts="\n".join(_lines(evidence)), question=escape(ask.question))
    return Message(role="system", parts=(prompt.system,)), Message(role="user", parts=(*parts[:-1], parts[-1].rstrip()))


def choice_schema(evidence: Evidence) -> dict[str, Any]:
    """`means` says it in medical words first, `concept` is one of the names, `ask` what is asked of it."""
    names = dict.fromkeys((*(_name(label) for _, label in evidence.concepts), *_wholes(evidence), NOTE, NONE))
    return {
        "type": "object",
        "properties": {
            "means": {"type": "string", "minLength": 2, "maxLength": 48},
            "concept": {"type": "string", "enum": list(names)},
            "ask": {"type": "string", "enum": list(_ASKS)},
        },
        "required": ["means", "concept", "ask"],
        "additionalProperties": False,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The question in wordings for rules: `latest body weight` as the model says it, `latest Body Weight` by the name
    that it chose; none where nothing was chosen. `note`: only the words of a note can tell."""

    wordings: tuple[str, ...] = ()
    note: bool = False


def choice_of(text: str, ask: Ask, evidence: Evidence) -> Choice:
    """What the model chose; nothing where its reply cannot be read."""
    try:
        chosen = json.loads(text)
        means, name, told = clean(str(chosen["means"])), str(chosen["concept"]), str(chosen["ask"])
        asked = _ASKS[told if _WHEN.search(ask.question) else _UNDATED.get(told, told)]
    except (ValueError, KeyError, TypeError):
        return Choice()
    if name in _wholes(evidence):
        whole = name.removeprefix("all ")
        return Choice(wordings=(asked.format(whole),))
    of = [(kind, label) for kind, label in evidence.concepts if _name(label) == name]
    label = next((label for kind, label in of if kind in _OF.get(told, (kind,))), "")
    if not label and name not in (NONE, NOTE):
        return Choice()
    said = means if means.casefold() not in (NONE, NOTE) else ""
    return Choice(wordings=tuple(asked.format(w) for w in (said, label) if w), note=name == NOTE)


def _wholes(evidence: Evidence) -> tuple[str, ...]:
    return tuple(whole for kind, whole in _ALL.items() if any(k == kind for k, _ in evidence.concepts))


def _lines(evidence: Evidence) -> list[str]:
    kinds: dict[str, dict[str, None]] = {}
    for kind, label in evidence.concepts:
        kinds.setdefault(kind, {}).setdefault(_name(label))
    return [f"{kind}: {'; '.join(names)}" for kind, names in kinds.items()]


def _name(label: str) -> str:
    """A label in few tokens: LOINC's component without its property and system."""
    return escape(label.partition(" [")[0].partition(" in Serum")[0].partition(" by ")[0])[:60].strip()
