"""A chat model that says what a test tells it to: a list of outputs, or a function of the request."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self, TypeAlias

from agent.errors import ModelError
from agent.models.base import Completion, ModelCard, OnText, Request, Used
from agent.models.checking import fault
from agent.models.thinking import split

__all__ = ["Output", "Scripted"]

Output: TypeAlias = str | Mapping[str, Any] | BaseException
"""A text (thinking between its fences is split off), data that is said as JSON, or what is raised."""

_PIECE = re.compile(r"\s*(?:\w{1,4}|[^\w\s]|\s+)")
"""About what tokenizers make of English and JSON; only so that bounds and counts mean something."""
_CARD = ModelCard(name="scripted", context=32_768, images=True, thinking=True)


class Scripted:
    """Says one output per call, in order, or what the function makes of the request (it may be a coroutine function).

    `requests` are those that came, `closed` is whether its `async with` was left. `pace` is the seconds of each
    piece that is decoded. Raises AssertionError in `complete`, so that no program takes it for a model's fault:
    when the list is at its end, and, unless `check` is False, for an output that the request's schema does not
    allow: a model under a grammar could not have said it.
    """

    def __init__(
        self,
        outputs: Iterable[Output] | Callable[[Request], Output | Awaitable[Output]],
        *,
        card: ModelCard = _CARD,
        pace: float = 0.0,
        check: bool = True,
    ) -> None:
        if isinstance(outputs, str | Mapping):
            raise TypeError("outputs are a list of them, or a function")
        self.requests: list[Request] = []
        self.closed = False
        self._function = outputs if callable(outputs) else None
        self._outputs = [] if callable(outputs) else list(outputs)
        self._card, self._pace, self._check = card, pace, check
        self._seen: list[tuple[str, ...]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed = True

    async def describe(self) -> ModelCard:
        """The card that it was given."""
        return self._card

    async def complete(self, request: Request, on_text: OnText | None = None) -> Completion:
        """The next output as a completion; see `agent.models.base.ChatModel`."""
        self.requests.append(request)
        number, begun = len(self.requests), time.perf_counter()
        cached, prompt = self._read(request)
        try:
            async with asyncio.timeout(request.seconds):
                thought, said = split(self._said(await self._output(request, number), request, number))
                pieces = _PIECE.findall(said)
                text = await self._decoded(pieces[: request.tokens], on_text)
        except TimeoutError:
            raise ModelError(f"the scripted model took longer than {request.seconds:g} s") from None
        used = Used(
            prompt=prompt,
            cached=cached,
            completion=min(len(pieces), request.tokens),
            thinking=len(_PIECE.findall(thought)),
            seconds=time.perf_counter() - begun,
        )
        return Completion(
            text=text, thought=thought, finish="length" if len(pieces) > request.tokens else "stop", used=used
        )

    def _read(self, request: Request) -> tuple[int, int]:
        """How many tokens of the prompt an earlier one begins with too, and how many it has. Raises ModelError."""
        prompt = tuple(_PIECE.findall("\n".join(message.text for message in request.messages)))
        if 0 < self._card.context < len(prompt) + request.tokens:
            raise ModelError(f"the prompt and its answer are longer than the context of {self._card.context} tokens")
        cached = max((_alike(prompt, earlier) for earlier in self._seen), default=0)
        self._seen.append(prompt)
        return cached, len(prompt)

    async def _output(self, request: Request, number: int) -> Output:
        if self._function is None:
            if number > len(self._outputs):
                raise AssertionError(f"the script has {len(self._outputs)} outputs, and call {number} came")
            return self._outputs[number - 1]
        made = self._function(request)
        return await made if inspect.isawaitable(made) else made

    def _said(self, output: Output, request: Request, number: int) -> str:
        if isinstance(output, BaseException):
            raise output
        text = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
        wrong = fault(split(text)[1], request.schema) if self._check and request.schema is not None else None
        if wrong:
            raise AssertionError(f"output {number} of the script is not what the schema allows: {wrong}")
        return text

    async def _decoded(self, pieces: list[str], on_text: OnText | None) -> str:
        for piece in pieces:
            await asyncio.sleep(self._pace)  # also with 0: a place where a cancelled call stops
            if on_text is not None:
                on_text(piece)
        return "".join(pieces)


def _alike(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
