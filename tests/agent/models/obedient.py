"""What a model under a grammar could say: a value that a schema allows, as text. Not clever, and never wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agent.models.base import Request

__all__ = ["answer", "value"]


def value(schema: Mapping[str, Any], seed: int = 0) -> Any:
    """A value that the schema allows; another seed may give another one."""
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][seed % len(schema["enum"])]
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return value(schema[choice][seed % len(schema[choice])], seed)
    return _typed(schema, seed)


def _typed(schema: Mapping[str, Any], seed: int) -> Any:
    match schema.get("type"):
        case "object":
            return {name: value(inner, seed + n) for n, (name, inner) in enumerate(schema["properties"].items())}
        case "array":
            few = schema.get("minItems", 0)
            return [value(schema["items"], seed + n) for n in range(min(few + seed % 3, schema["maxItems"]))]
        case "string" if "pattern" in schema:
            return "2024-05-01"  # days are the only pattern that replies have
        case "string":
            words = ("Hémoglobine 6,9 % «" + chr(0x1F600 + seed % 32) + "» said. ") * 40
            return words[: max(schema.get("minLength", 0), min(schema["maxLength"], 5 + seed % 60))]
        case "integer" | "number":
            return max(seed % 100, schema.get("minimum", 0))
        case "boolean":
            return bool(seed % 2)
    return None


def answer(request: Request) -> str:
    """A model that says something of every prompt, and keeps every schema."""
    text = "".join(message.text for message in request.messages)
    seed = sum(text.encode())
    if request.schema is not None:
        return json.dumps(value(request.schema, seed), ensure_ascii=False)
    return f"{seed} " + "words and ünïcödé 😀 of an answer, " * 200
