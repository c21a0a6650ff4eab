"""A question that rules did not understand, put by the model into clinical names, by which rules look in the chart.

Only the words are the model's: it sees nothing of the chart, and what is told of what it named rules work out.
"""

from __future__ import annotations

import json
import re
from typing import Literal

import prompts
from agent.models.base import Message
from agent.types import Ask, Evidence
from agent.untrusted import clean, escape

__all__ = ["SCHEMA", "is_lost", "naming_messages", "wordings"]

_ROLES: tuple[Literal["user"], Literal["assistant"]] = ("user", "assistant")
_ASKS = {
    "latest": "latest {}",
    "first": "first {}",
    "highest": "highest {}",
    "lowest": "lowest {}",
    "count": "how many {}",
    "yes or no": "any {}?",
    "which ones": "{}",
}
"""What can be asked of a name, and how rules are asked it."""
_MOST = re.compile(
    r"\b(?:(?!(?:lat|t|ch|r|w|requ|inter|harv)est\b)\w{2,}est|most|least|worst|best|peak|ever|max\w*|min(?:imum)?"
    r"|how (?:far|high|low|little))\b",
    re.IGNORECASE,
)
"""Words without which no question asks for an extreme."""
_WHEN = re.compile(
    r"(?:and |so |since )*when\b(?!.*, ?(?:what|how)\b)|.*\b(?:which|what) (?:date|day|month|year)\b"
    r"|.*\bhow long ago\b",
    re.IGNORECASE,
)
_YES_NO = re.compile(r"(?:is|are|was|were|has|have|had|does|do|did|any(?:thing)?)\b", re.IGNORECASE)
_PAST = re.compile(r"(?:was|were|has|have|had|did)\b|.*\bever\b", re.IGNORECASE)
_IN_BLOOD = re.compile(r" in (?:the )?(?:blood|serum|plasma)$")
"""Where a result is measured, which rules do not ask for."""
_SHOWN = re.compile(r"what (?:did|does|do)\b.*\b(?:show|find|reveal|say)\b", re.IGNORECASE)

SCHEMA = {
    "type": "object",
    "properties": {
        "names": {
            "type": "array",
            "items": {"type": "string", "minLength": 2, "maxLength": 48},
            "minItems": 2,
            "maxItems": 3,
        },
        "ask": {"type": "string", "enum": list(_ASKS)},
    },
    "required": ["names", "ask"],
    "additionalProperties": False,
}
"""Of a reply: `names`, the likeliest first, and `ask`, what is asked of what they name."""


def is_lost(ask: Ask, evidence: Evidence) -> bool:
    """Whether the question was not understood; it is reworded once. What notes say is left to the tools."""
    lost = bool(ask.unknown or not evidence.cards) and bool(evidence.overview)
    return lost and not ask.reads_as and ask.op != "find"


def naming_messages(ask: Ask) -> tuple[Message, ...]:
    """The messages of the one call: examples as turns, and the question; nothing of the chart."""
    prompt = prompts.load("name")
    turns = prompt.user_parts(question=escape(ask.question))
    said = (Message(role=_ROLES[n % 2], parts=(text.rstrip(),)) for n, text in enumerate(turns))
    return Message(role="system", parts=(prompt.system,)), *said


def wordings(text: str, ask: Ask) -> tuple[str, ...]:
    """The question as rules may know it ("first bronchoscopy"), the likeliest first; none of an unreadable reply."""
    try:
        reply = json.loads(text)
        names, form = reply["names"], _form(str(reply["ask"]), ask)
    except (ValueError, KeyError, TypeError):
        return ()
    said = (_IN_BLOOD.sub("", clean(name).casefold()) for name in names if isinstance(name, str))
    return tuple(form.format(name) for name in dict.fromkeys(said) if form and name)


def _form(told: str, ask: Ask) -> str:
    """How it is asked: as the question itself is, where that is plain, since small models mistake it; or not at all."""
    question = ask.question
    if ask.op == "count":
        return _ASKS["count"]
    if told == "count":
        return ""
    if _WHEN.match(question):
        return f"when was the {'first' if told == 'first' else 'last'} {{}}"
    if _YES_NO.match(question):
        return "has the patient ever had {}?" if _PAST.match(question) else _ASKS["yes or no"]
    if _SHOWN.match(question):
        return "what did the last {} show?"
    return _ASKS["latest" if told in ("highest", "lowest") and not _MOST.search(question) else told]
