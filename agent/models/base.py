"""The seam to chat models: one completion under a schema, and what the model behind it really is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Protocol, Self, runtime_checkable

__all__ = ["ChatModel", "Completion", "Message", "ModelCard", "OnText", "Picture", "Request", "Served", "Used"]

OnText = Callable[[str], None]
"""Told each new piece of the answer's text as it is decoded; never of the thinking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image for the model: encoded bytes and their media type; `mark` is the card mark it stands for."""

    data: bytes = field(repr=False)
    media_type: str
    mark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn. `parts` joined are its text; a part's end is a place up to which the KV cache may be kept.

    Pictures come before the text, in order. A template without a system role puts `system` before the first `user`.
    """

    role: Literal["system", "user", "assistant"]
    parts: tuple[str, ...]
    pictures: tuple[Picture, ...] = ()

    @property
    def text(self) -> str:
        return "".join(self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a model is asked. Decoding is greedy (temperature 0).

    `schema` is a JSON schema in which every string has a maxLength and every array a maxItems; None asks for plain
    text. `tokens` bounds the answer, `thinking` its silent thinking (0: none); `seconds` bounds the whole call.
    """

    messages: tuple[Message, ...]
    schema: Mapping[str, Any] | None = None
    tokens: int = 512
    thinking: int = 0
    seconds: float = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """Tokens and seconds of one completion. `cached` are prompt tokens whose KV cache was reused, part of `prompt`.

    `calls` counts requests to the model: more than one where an answer had to be repaired.
    """

    prompt: int = 0
    cached: int = 0
    completion: int = 0
    thinking: int = 0
    calls: int = 1
    first_token: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What came. `finish` is `length` where the token bound cut it; `thought` is kept out of every answer."""

    text: str
    used: Used
    finish: Literal["stop", "length"] = "stop"
    thought: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What really answers: `name` as answers tell it, `revision` of the weights where known, context in tokens.

    `grammar` is how a schema is kept: `decoding` (enforced while decoding), `repair` (checked and asked again).
    """

    name: str
    revision: str = ""
    context: int = 0
    grammar: Literal["decoding", "repair"] = "decoding"
    images: bool = False
    thinking: bool = False


@runtime_checkable
class ChatModel(Protocol):
    """A model that completes. Also an async context manager; leaving it gives back memory and connections."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def describe(self) -> ModelCard:
        """What answers; found out once. Raises ModelError where nothing does."""
        ...

    async def complete(self, request: Request, on_text: OnText | None = None) -> Completion:
        """One completion. Under a schema its text is JSON that the schema accepts, or `finish` is `length`.

        Cancelling the call stops the work. Raises ModelError: server down, out of memory, time-out, a prompt that is
        longer than the context, an answer that could not be brought under the schema.
        """
        ...


@runtime_checkable
class Served(Protocol):
    """A chat model behind a server, which can be away."""

    async def alive(self, seconds: float) -> None:
        """Ask it for a sign of life. Raises ModelError where none comes in that time."""
        ...
