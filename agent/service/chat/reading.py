"""What a chat completion request asks: the last message of the user, in the light of the user's earlier ones.

Messages by others are not read. A system message cannot change what is true of a chart; what a caller says that the
assistant said may not be, so an earlier answer is never taken from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.service.chat.shapes import MODEL, ChatIn, MessageIn
from agent.service.problems import Problem

__all__ = ["Asked", "read"]

_LONGEST = 4000
_HEADER = "the patient is named by the header X-Chartline-Patient or by the credentials"
_TEXT = "the answer is text of chartline's own form"
_REFUSED: Mapping[str, str] = {
    "patient": _HEADER,
    "tools": "no tools of the caller's are called",
    "functions": "no functions of the caller's are called",
    "tool_choice": "no tools of the caller's are called",
    "function_call": "no functions of the caller's are called",
    "response_format": f"{_TEXT}; as JSON it stands in the field chartline",
    "stop": "an answer that ends elsewhere than it ends could say something else",
    "logprobs": "the text is put together by code and has no log probabilities",
    "top_logprobs": "the text is put together by code and has no log probabilities",
    "logit_bias": "the text is put together by code and has no tokens to favour",
    "modalities": _TEXT,
    "audio": _TEXT,
    "prediction": _TEXT,
    "web_search_options": "nothing but the patient's chart is searched",
}
"""Parameters that ask for something that an answer without it would only seem to have, and what to say of each.

Those about sampling, length, storage and effort change nothing that is told of a chart, and are ignored.
"""
_HARMLESS: Mapping[str, tuple[Any, ...]] = {
    "tool_choice": ("none", "auto"),
    "function_call": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The question, and those that the user asked before it, oldest first."""

    question: str
    earlier: tuple[str, ...] = ()


def read(sent: ChatIn) -> Asked:
    """What is asked. Raises Problem (400, 404) for what cannot be done as it was asked."""
    if sent.model != MODEL:
        raise Problem(
            404, "model_not_found", f"the model here is {MODEL!r}; /v1/models lists it", more={"param": "model"}
        )
    for name, value in (sent.model_extra or {}).items():
        if name in _REFUSED and value and value not in _HARMLESS.get(name, ()):
            raise _fault("unsupported_parameter", f"{name}: {_REFUSED[name]}; leave it out", name)
    said = [message for message in sent.messages if message.role == "user"]
    if not said:
        raise _fault("no-question", "messages: the last message of the user is the question, and there is none")
    question = _text(said[-1], strict=True)
    if not question or len(question) > _LONGEST:
        raise _fault("invalid", f"messages: give the question in 1 to {_LONGEST} characters of text")
    earlier = (_text(message) for message in said[:-1])
    return Asked(question=question, earlier=tuple(q for q in earlier if q and len(q) <= _LONGEST))


def _text(message: MessageIn, *, strict: bool = False) -> str:
    """The text of a message; with `strict` a part of another type is refused."""
    if not isinstance(message.content, list):
        return (message.content or "").strip()
    parts = [part.get("text") for part in message.content if part.get("type") == "text"]
    if strict and len(parts) < len(message.content):
        raise _fault("unsupported_content", "messages: only text can be asked with; images are those of the chart")
    return "\n".join(part for part in parts if isinstance(part, str)).strip()


def _fault(kind: str, why: str, param: str = "messages") -> Problem:
    return Problem(400, kind, why, more={"param": param})
