"""The JSON schema of a reply, made for one evidence: the text first, then marks of those that were shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

__all__ = ["CLAIMS", "NEEDS", "Offered", "needs_schema", "reply_schema", "tools_line"]

CLAIMS, MARKS, NEEDS = 16, 6, 3
_TEXT, _STRING, _ITEMS = 300, 80, 8


_UNTOLD = frozenset(("part", "section", "on", "unit"))
"""Arguments that the schema takes and that are seldom needed: not worth their tokens in every prompt."""
_EMPTY = {"type": "array", "items": {"type": "boolean"}, "maxItems": 0}


class Offered(Protocol):
    """A tool that may be asked for (`fhir_tools.tools`): what a model is told of it."""

    @property
    def name(self) -> str: ...

    @property
    def schema(self) -> Mapping[str, Any]:
        """JSON schema of the arguments."""
        ...


def reply_schema(marks: Sequence[str], needs: Mapping[str, Any]) -> dict[str, Any]:
    """`claims` of marks shown, `needs` (`needs_schema`), `status`. Every string and array in it is bounded.

    Without marks nothing can be claimed: that array is empty then.
    """
    return _object(
        claims=_array(_claim(marks), CLAIMS) if marks else _EMPTY,
        needs=needs,
        status={"type": "string", "enum": ["answered", "not_found", "refused"]},
    )


def needs_schema(tools: Sequence[Offered]) -> dict[str, Any]:
    """The array of calls of the tools offered, the same for every question; an empty one where there are none."""
    calls = [_object(tool={"type": "string", "const": t.name}, arguments=_bounded(t.schema)) for t in tools]
    return _array(calls[0] if len(calls) == 1 else {"anyOf": calls}, NEEDS) if calls else _EMPTY


def tools_line(tools: Sequence[Offered]) -> str:
    """The tools with the names of their arguments, for the fixed instructions; what each may hold the schema keeps."""
    told = {t.name: [a for a in _ordered(t.schema.get("properties", {})) if a not in _UNTOLD] for t in tools}
    return "Tools: " + " ".join(f"{name}({', '.join(given)})" for name, given in told.items()) if tools else ""


def _ordered(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments in the order in which they are decoded: what is looked for, before the window."""
    return dict(sorted(properties.items(), key=lambda p: p[0] in ("since", "until")))


def _claim(marks: Sequence[str]) -> dict[str, Any]:
    return _object(
        text={"type": "string", "minLength": 1, "maxLength": _TEXT},
        marks={**_array({"type": "string", "enum": list(marks)}, MARKS), "minItems": 1},
    )


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _array(items: Mapping[str, Any], most: int) -> dict[str, Any]:
    return {"type": "array", "items": items, "maxItems": most}


def _bounded(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with a bound on every string and array that has none, and without words for people."""
    told = {k: v for k, v in schema.items() if k not in ("description", "title", "default", "examples")}
    if told.get("type") == "string" and "enum" not in told and "const" not in told:
        told.setdefault("maxLength", _STRING)
    if told.get("type") == "array":
        told.setdefault("maxItems", _ITEMS)
    if told.get("type") == "object":
        told["additionalProperties"] = False
        told["properties"] = {k: _bounded(v) for k, v in _ordered(told.get("properties", {})).items()}
    if isinstance(told.get("items"), Mapping):
        told["items"] = _bounded(told["items"])
    for key in ("anyOf", "oneOf"):
        if key in told:
            told[key] = [_bounded(part) for part in told[key]]
    return told
