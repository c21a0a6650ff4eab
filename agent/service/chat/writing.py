"""An answer as a chat completion, whole or in the chunks of a stream: only verified text, with its sources."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from fastapi.sse import format_sse_event

from agent.graph import Progress
from agent.service.chat.faults import error_of
from agent.service.chat.shapes import (
    ChatErrorOut,
    ChoiceOut,
    Chunk,
    ChunkChoice,
    Completion,
    Delta,
    MessageOut,
    Tokens,
)
from agent.service.events import Event
from agent.service.examples import ANSWER
from agent.service.problems import problem_of
from agent.service.prose import prose
from agent.types import Answer

__all__ = ["SHOWN", "Head", "chunks", "line", "whole"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What the parts of one completion share. `created` is in seconds since 1970, UTC; `usage`: tokens are told."""

    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(8)}")
    created: int = field(default_factory=lambda: int(time.time()))
    usage: bool = False

    def chunk(self, delta: Delta, *, stop: bool = False, **more: Any) -> Chunk:
        """A part of the stream that adds to the message."""
        choice = ChunkChoice(delta=delta, finish_reason="stop" if stop else None)
        # Where usage is asked for, it stands in every chunk, and is null in all but the last.
        unsaid = {"usage": None} if self.usage else {}
        return Chunk(id=self.id, created=self.created, choices=[choice], **unsaid, **more)


def whole(head: Head, answer: Answer) -> Completion:
    """The answer in one piece."""
    choice = ChoiceOut(message=MessageOut(content=prose(answer)))
    return Completion(
        id=head.id, created=head.created, choices=[choice], usage=Tokens.of(answer.usage), chartline=answer
    )


async def chunks(head: Head, events: AsyncIterator[Progress | Answer]) -> AsyncIterator[Event]:
    """The answer in pieces, as events for `line`. An error is one of them; each stream has an end that says so."""
    yield "", head.chunk(Delta(role="assistant", content=""))
    try:
        async for event in events:
            for chunk in _parts(head, event):
                yield "", chunk
    except Exception as error:  # noqa: BLE001  told to the reader, who waits for an end
        yield "", error_of(problem_of(error))
    yield "", None


def _parts(head: Head, event: Progress | Answer) -> Iterator[Chunk]:
    """The chunks of one event: words about progress are no part of the message."""
    if not isinstance(event, Answer):
        yield head.chunk(Delta(), chartline_progress=dict(event))
        return
    for text in prose(event).splitlines(keepends=True):
        yield head.chunk(Delta(content=text))
    yield head.chunk(Delta(), stop=True, chartline=event)
    if head.usage:
        yield Chunk(id=head.id, created=head.created, choices=[], usage=Tokens.of(event.usage))


def line(event: Event) -> bytes:
    """`data: …` for a chunk or an error, `data: [DONE]` for the end."""
    _, data = event
    told = data.told() if isinstance(data, Chunk) else data.model_dump() if isinstance(data, ChatErrorOut) else None
    return format_sse_event(data_str=orjson.dumps(told).decode() if told else "[DONE]")


_ANSWER = Answer.model_validate(ANSWER)
_HEAD = Head(id="chatcmpl-5f0c2f7a9d1e4b6f", created=1781481600)
SHOWN: dict[str, Any] = {
    "application/json": {"example": whole(_HEAD, _ANSWER).model_dump(mode="json")},
    "text/event-stream": {
        "schema": {"type": "string", "description": "Chunks as `data: {…}`, then `data: [DONE]`."},
        "example": b"".join(map(line, (("", _HEAD.chunk(Delta(content=_ANSWER.text))), ("", None)))).decode(),
    },
}
"""What the OpenAPI document shows of completions."""
