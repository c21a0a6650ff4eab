"""An answer as it streams in: text, thinking, how it ended, and what it took."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Literal

from agent.models.base import OnText, Used
from agent.models.openai_compatible.escaping import Escaper
from agent.models.thinking import Splitter

__all__ = ["Hearing"]


class Hearing:
    """Takes the chunks of one stream in order. `text` is the answer, `thought` what came before it or beside it.

    `model` is who the chunks say they are from. `begun` is whether any of the text, or of the thinking, has come.
    `json` is whether the text was asked for as JSON by the server's own means.
    """

    def __init__(self, on_text: OnText | None, *, json: bool = False) -> None:
        self.text = ""
        self.model = ""
        self.begun = False
        self.finish: Literal["stop", "length", ""] = ""
        self.counted = False
        self._tell = on_text
        self._splitter = Splitter()
        self._escaper = Escaper() if json else None
        self._beside = ""
        self._usage: Mapping[str, Any] = {}
        self._timings: Mapping[str, Any] = {}
        self._start = time.perf_counter()
        self._first = 0.0
        self._pieces = self._thoughts = 0

    @property
    def thought(self) -> str:
        """The thinking: between the model's own fences, or told apart by the server."""
        return (self._beside + self._splitter.thought).strip()

    def take(self, chunk: Any) -> None:
        """One chunk: an object with the fields of OpenAI's ChatCompletionChunk, any of which may be missing."""
        self.model = _text(chunk, "model") or self.model
        self._usage = _fields(chunk, "usage") or self._usage
        self._timings = _fields(chunk, "timings") or self._timings
        for choice in (getattr(chunk, "choices", None) or ())[:1]:
            delta = getattr(choice, "delta", None)
            self._hear(_text(delta, "content"), _text(delta, "reasoning_content") or _text(delta, "reasoning"))
            ended = getattr(choice, "finish_reason", None)
            if ended:
                self.finish = "length" if ended == "length" else "stop"

    def _hear(self, content: str, beside: str) -> None:
        if not content and not beside:
            return
        if not self.begun:
            self.begun, self._first = True, time.perf_counter() - self._start
        self._beside += beside
        self._pieces += bool(content)
        self._said(self._splitter.feed(content) if content else "")
        self._thoughts += bool(beside) or self._splitter.open

    def _said(self, piece: str) -> None:
        if self._escaper is not None:
            piece = self._escaper.feed(piece)
        self.text += piece
        if piece and self._tell is not None:
            self._tell(piece)

    def end(self) -> None:
        """After the last chunk."""
        self._said(self._splitter.end())
        self.counted = bool(self._number(self._usage, "prompt_tokens") or self._timings)

    def used(self, prompt: int = 0) -> Used:
        """What the server counted. `prompt` is for one that does not; a piece then counts as a token."""
        details = _inner(self._usage, "prompt_tokens_details")
        cached = self._number(details, "cached_tokens") or self._number(self._timings, "cache_n")
        timed = self._number(self._timings, "prompt_n") + self._number(self._timings, "cache_n")
        total = self._number(self._usage, "prompt_tokens") or timed or prompt
        said = self._number(self._usage, "completion_tokens") or self._number(self._timings, "predicted_n")
        thinking = self._number(_inner(self._usage, "completion_tokens_details"), "reasoning_tokens")
        return Used(
            prompt=total,
            cached=min(cached, total),
            completion=said or self._pieces,
            thinking=thinking or self._thoughts,
            first_token=self._first,
            seconds=time.perf_counter() - self._start,
        )

    @staticmethod
    def _number(fields: Mapping[str, Any], name: str) -> int:
        value = fields.get(name)
        return int(value) if isinstance(value, int | float) and value > 0 else 0


def _text(of: Any, name: str) -> str:
    found = getattr(of, name, None)
    return found if isinstance(found, str) else ""


def _fields(of: Any, name: str) -> Mapping[str, Any]:
    """A part of a chunk as plain fields; servers add some that the client's classes do not have."""
    found = getattr(of, name, None)
    dump = getattr(found, "model_dump", None)
    if dump is not None:
        found = dump(warnings=False)
    return found if isinstance(found, Mapping) else {}


def _inner(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = fields.get(name)
    return found if isinstance(found, Mapping) else {}
