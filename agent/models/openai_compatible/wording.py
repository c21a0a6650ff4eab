"""A request as the body of POST /chat/completions."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from itertools import groupby
from typing import Any, Literal

from agent.models.base import Message, Request

__all__ = ["Format", "body", "format_of", "repair", "shown", "text_of"]

Format = Literal["schema", "shaped", "object", "none"]
"""The `response_format` that a server has: json_schema; json_object with a schema beside it (llama-cpp-python);
json_object alone; none. The last two keep no schema."""

_THINK = "SYSTEM INSTRUCTION: think silently if needed. "
"""What switches MedGemma's thinking on (its model card)."""
_SHOWN = 4000
_PLACE = re.compile(r"^(?:[/~.]|[A-Za-z]:[\\/])")
_CONTROL = re.compile(r"[^\x20-\x7e]")


def body(request: Request, model: str, form: Format, *, think: bool = False) -> dict[str, Any]:
    """The parameters of the call. With `think` nothing is enforced: a grammar would forbid the thinking."""
    schema = request.schema
    messages = _merged(request.messages)
    if think:
        messages = [_thinking(messages[0]), *messages[1:]]
    if schema is not None and (think or form in ("object", "none")):
        messages = _told(messages, schema)
    found: dict[str, Any] = {
        "model": model,
        "messages": messages,
        "temperature": 0,
        "max_tokens": request.tokens + (request.thinking if think else 0),
    }
    enforced = format_of(schema, form) if schema is not None and not think else None
    return found if enforced is None else {**found, "response_format": enforced}


def format_of(schema: Mapping[str, Any], form: Format) -> dict[str, Any] | None:
    """The `response_format` for a schema."""
    match form:
        case "schema":
            return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": _taken(schema)}}
        case "shaped":
            return {"type": "json_object", "schema": _taken(schema)}
        case "object":
            return {"type": "json_object"}
    return None


def _taken(schema: Any) -> Any:
    """The schema without lengths beside a pattern: vLLM's xgrammar refuses the two together, and answers are checked
    against the whole schema all the same."""
    if isinstance(schema, list):
        return [_taken(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    told = ("minLength", "maxLength") if isinstance(schema.get("pattern"), str) else ()
    return {name: _taken(value) for name, value in schema.items() if name not in told}


def repair(sent: dict[str, Any], said: str, fault: str) -> dict[str, Any]:
    """The same call with what came and what is wrong with it, in few words."""
    turns = [
        {"role": "assistant", "content": said[:_SHOWN] or "{}"},
        {"role": "user", "content": f"Not accepted: {fault}. Reply again, with corrected JSON only."},
    ]
    return {**sent, "messages": [*sent["messages"], *turns]}


def _merged(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """Turns of one role that follow each other as one: Gemma's template refuses two."""
    return [_turn(role, list(turns)) for role, turns in groupby(messages, key=lambda message: message.role)]


def _turn(role: str, turns: list[Message]) -> dict[str, Any]:
    text = "\n\n".join(turn.text for turn in turns)
    pictures = [picture for turn in turns for picture in turn.pictures]
    if not pictures:
        return {"role": role, "content": text}
    urls = (f"data:{p.media_type};base64,{base64.b64encode(p.data).decode()}" for p in pictures)
    images = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return {"role": role, "content": [*images, {"type": "text", "text": text}]}


def _thinking(first: dict[str, Any]) -> dict[str, Any]:
    content = first["content"]
    if isinstance(content, str):
        return {**first, "content": _THINK + content}
    return {**first, "content": [*content[:-1], {"type": "text", "text": _THINK + content[-1]["text"]}]}


def _told(messages: list[dict[str, Any]], schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The schema in words at the end of the last turn, for a server that does not take it."""
    words = f"\nReply with JSON only, as this JSON schema says: {json.dumps(schema, separators=(',', ':'))}"
    last = messages[-1]
    if isinstance(last["content"], str):
        return [*messages[:-1], {**last, "content": last["content"] + words}]
    return [*messages[:-1], {**last, "content": [*last["content"], {"type": "text", "text": words}]}]


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a turn of a body."""
    content = message["content"]
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)


def shown(id_: str) -> str:
    """A model's id as answers tell it: of a path on the server's disk only the last part, without .gguf."""
    id_ = _CONTROL.sub("", id_)
    name = re.split(r"[\\/]", id_.rstrip("\\/"))[-1] if _PLACE.match(id_) or id_.endswith(".gguf") else id_
    return name.removesuffix(".gguf")[:120]
