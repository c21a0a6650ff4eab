"""What a model replied, read with suspicion: a text that should be JSON of the reply's schema."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from agent.reasoners.llm.schema import CLAIMS, NEEDS
from agent.types import Claim, Need
from agent.untrusted import escape

__all__ = ["Reply", "read"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Claims, needs and the status that the model gave; `status` is empty where it gave none that is known."""

    claims: tuple[Claim, ...] = ()
    needs: tuple[Need, ...] = ()
    status: str = ""

    def said(self) -> str:
        """The reply as the model's own turn of a conversation, with nothing in it that could end that turn."""
        claims = [{"text": escape(c.text), "marks": list(c.marks)} for c in self.claims]
        needs = [{"tool": n.tool, "arguments": _plain(n.arguments)} for n in self.needs]
        return json.dumps({"claims": claims, "needs": needs, "status": self.status}, ensure_ascii=False)


def read(text: str, marks: Collection[str], tools: Collection[str] = ()) -> Reply | None:
    """The reply, or None where the text is no JSON object. What the schema would not have allowed is left out.

    A backend without a grammar may send anything: unknown marks and tools, wrong types, the same claim again.
    """
    try:
        data = json.loads(text[text.find("{") : text.rfind("}") + 1])
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    claims = {c.text: c for c in (_claim(row, marks) for row in _rows(data, "claims")[:CLAIMS]) if c}
    needs = [n for n in (_need(row, tools) for row in _rows(data, "needs")[:NEEDS]) if n]
    status = data.get("status")
    return Reply(claims=tuple(claims.values()), needs=tuple(needs), status=status if isinstance(status, str) else "")


def _rows(data: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    rows = data.get(name)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _claim(row: Mapping[str, Any], marks: Collection[str]) -> Claim | None:
    text, named = row.get("text"), row.get("marks")
    # What is drafted may be shown: nothing invisible and no look-alike of a mark comes through in it.
    told = escape(text) if isinstance(text, str) else ""
    known = dict.fromkeys(m for m in named if isinstance(m, str) and m in marks) if isinstance(named, list) else {}
    return Claim(text=told, marks=tuple(known)) if told else None


def _need(row: Mapping[str, Any], tools: Collection[str]) -> Need | None:
    tool, arguments = row.get("tool"), row.get("arguments", {})
    if not isinstance(tool, str) or tool not in tools or not isinstance(arguments, dict):
        return None
    return Need(tool=tool, arguments=arguments)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list) else value
