"""What a model's completions took, as answers tell it."""

from __future__ import annotations

from agent.models.base import Used
from agent.types import Usage

__all__ = ["usage_of"]


def usage_of(used: Used) -> Usage:
    """Calls, tokens and seconds of one completion; silent thinking counts as completion."""
    return Usage(
        llm_calls=used.calls,
        prompt_tokens=used.prompt,
        cached_prompt_tokens=used.cached,
        completion_tokens=used.completion + used.thinking,
        seconds=used.seconds,
    )
