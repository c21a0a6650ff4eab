"""One answer while it is written: which token it takes next, what of it is told, and why it ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from agent.errors import ModelError
from agent.models.base import Completion, OnText, Request, Used

if TYPE_CHECKING:  # imported, it would bring transformers with it
    from agent.models.medgemma.grammar import Grammar

__all__ = ["Job", "Row", "Scores", "Words"]

_LONGEST = 4  # bytes of a UTF-8 sign, and so the most byte tokens that one sign takes


class Scores(Protocol):
    """The scores of the next token of one row."""

    best: int

    def best_of(self, allowed: Any, without: frozenset[int]) -> int:
        """The best token among those allowed (None: all) that is not one of `without`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What tokens mean. `stops` end an answer; `closed` never stand in one; `think` opens and closes thinking."""

    decode: Callable[[list[int]], str]
    stops: frozenset[int]
    closed: frozenset[int]
    think: tuple[int, int] | None


@dataclass(slots=True, kw_only=True)
class Job:
    """A question on its way: who waits for it, and until when (`time.monotonic`).

    `fault` is what `on_text` raised.
    """

    request: Request
    deadline: float
    on_text: OnText | None = None
    future: Future[Completion] = field(default_factory=Future)
    asked: float = field(default_factory=time.monotonic)
    fault: Exception | None = None

    @property
    def over(self) -> bool:
        """Does nobody wait any more, or not for longer?"""
        return self.future.done() or time.monotonic() > self.deadline

    def answer(self, completion: Completion) -> None:
        """Whoever waits may have gone at this very moment."""
        with suppress(InvalidStateError):
            self.future.set_result(completion)

    def fail(self, error: Exception) -> None:
        with suppress(InvalidStateError):
            self.future.set_exception(error)

    def late(self) -> ModelError:
        return ModelError(
            f"no answer within {self.request.seconds:g} seconds: allow more, ask fewer at once, or use a smaller or "
            "quantized model, a GPU or a model server"
        )


class Row:
    """The answer to one job. `room` is how many tokens the context still holds."""

    def __init__(self, job: Job, words: Words, grammar: Grammar | None, prompt: int, cached: int, room: int) -> None:
        self.job, self.prompt, self.cached = job, prompt, cached
        self._words, self._grammar = words, grammar
        self._thinking: Literal["may", "does", "not"] = "may" if job.request.thinking and words.think else "not"
        self._thought: list[int] = []
        self._pending: list[int] = []
        self._pieces: list[str] = []
        self._answer, self._room, self._first = 0, room, 0.0
        self.finish: Literal["stop", "length"] | None = None

    @property
    def length(self) -> int:
        """Tokens of the prompt and of what was written after it."""
        return self.prompt + len(self._thought) + self._answer

    def take(self, scores: Scores) -> int:
        """The next token, which the model is then given; sets `finish` where the answer ends with it or before it."""
        if not self._first:
            self._first = time.monotonic()
        token = self._think(scores) if self._thinking != "not" else None
        if token is None:
            token = self._answered(scores)
        if self.finish is None and self.length >= self._room:
            self.finish = "length"
        return token

    def _think(self, scores: Scores) -> int | None:
        """A token of the thinking; None where the model goes on to its answer without."""
        assert self._words.think is not None  # noqa: S101  the state says so
        opens, closes = self._words.think
        token = scores.best
        if self._thinking == "may":
            self._thinking = "does" if token == opens else "not"
            if token != opens:
                return None
        elif token in self._words.stops or len(self._thought) >= self.job.request.thinking:
            token = closes
        elif token in self._words.closed - {closes}:
            token = scores.best_of(None, self._words.closed | self._words.stops)
        self._thought.append(token)
        if token == closes:
            self._thinking = "not"
        return token

    def _answered(self, scores: Scores) -> int:
        token = scores.best
        if not self._allows(token):
            token = scores.best_of(self._grammar.allowed() if self._grammar else None, self._words.closed)
        if token in self._words.stops:
            self.finish = "stop"
            return token
        if self._grammar:
            self._grammar.take(token)
        self._answer += 1
        self._tell(token)
        if self._grammar and self._grammar.done:
            self.finish = "stop"
        elif self._answer >= self.job.request.tokens:
            self.finish = "length"
        return token

    def _allows(self, token: int) -> bool:
        if token in self._words.closed:
            return False
        if self._grammar is None:
            return True
        return self._grammar.whole if token in self._words.stops else self._grammar.allows(token)

    def _tell(self, token: int) -> None:
        """Tell what is certain of the text: a sign's bytes wait for each other."""
        self._pending.append(token)
        text = self._words.decode(self._pending)
        if text.endswith("\ufffd") and len(self._pending) < _LONGEST:
            return
        self._pending.clear()
        if self._thought and not any(self._pieces):
            text = text.lstrip()  # blanks between the end of thinking and the answer belong to neither
        self._pieces.append(text)
        if self.job.on_text and text:
            self.job.on_text(text)

    def completion(self) -> Completion:
        """The whole answer; bytes of a sign that was cut off by the bound are left out."""
        inside = [token for token in self._thought if not self._words.think or token not in self._words.think]
        return Completion(
            text="".join(self._pieces),
            finish=self.finish or "length",
            thought=self._words.decode(inside).strip().removeprefix("thought").strip() if inside else "",
            used=Used(
                prompt=self.prompt,
                cached=self.cached,
                completion=self._answer,
                thinking=len(self._thought),
                first_token=self._first - self.job.asked,
                seconds=time.monotonic() - self.job.asked,
            ),
        )
