"""What the speed of a model is measured with: the program's own prompts over real cards, each new to the model.

A prompt begins with a line that no prompt had before, so that nothing of it can be in a KV cache, here or at a
server; its second form differs in the last words alone, so that all before them can be reused.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from statistics import median
from typing import Any

from agent.evals.bench.figures import Pace, Way
from agent.models.base import Completion, Message, Request

__all__ = ["TOKENS", "again", "pace", "unseen"]

TOKENS = 48
"""Tokens that each answer is cut at, so that all answers are of one length."""
_LONG: dict[str, Any] = {
    "type": "object",
    "properties": {"text": {"type": "string", "minLength": 1200, "maxLength": 1500}},
    "required": ["text"],
    "additionalProperties": False,
}
"""More than fits into TOKENS: a model that would rather say little is not told as a fast one, or a slow one."""


def unseen(messages: tuple[Message, ...], seconds: float) -> Request:
    """The prompt behind a line of its own."""
    first = messages[0]
    own = replace(first, parts=(f"{secrets.token_hex(8)}\n", *first.parts))
    return Request(messages=(own, *messages[1:]), schema=_LONG, tokens=TOKENS, seconds=seconds)


def again(request: Request) -> Request:
    """The same but for its last words."""
    last = request.messages[-1]
    other = replace(last, parts=(*last.parts[:-1], f"{last.parts[-1]} Say it another way, {secrets.token_hex(2)}."))
    return replace(request, messages=(*request.messages[:-1], other))


def pace(way: Way, done: list[Completion], seconds: float, at_once: int = 1) -> Pace:
    """The row of completions that took so many seconds in all."""
    written = [c.used.completion + c.used.thinking for c in done]
    rates = [
        (tokens - 1) / (c.used.seconds - c.used.first_token)
        for tokens, c in zip(written, done, strict=True)
        if tokens > 1 and c.used.seconds > c.used.first_token
    ]
    return Pace(
        way=way,
        at_once=at_once,
        requests=len(done),
        prompt_tokens=median(c.used.prompt for c in done),
        cached_tokens=median(c.used.cached for c in done),
        first_token=median(c.used.first_token for c in done),
        per_second=sum(written) / seconds,
        writing=median(rates) if rates else None,
    )
