"""The records of chat completions: what OpenAI's clients send and read, with the whole answer in a field beside."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.types import Answer, Usage

__all__ = [
    "MODEL",
    "ChatErrorBody",
    "ChatErrorOut",
    "ChatIn",
    "ChoiceOut",
    "Chunk",
    "ChunkChoice",
    "Completion",
    "Delta",
    "MessageIn",
    "MessageOut",
    "ModelOut",
    "Models",
    "StreamOptions",
    "Tokens",
]  # fmt: skip

MODEL: Final = "chartline"
"""The one model: what reasons behind it is the settings' choice, and each answer names it."""


class MessageIn(BaseModel):
    """One message. Of those by the user the text is read; others change nothing."""

    model_config = ConfigDict(extra="allow")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[dict[str, Any]] | None = None


class StreamOptions(BaseModel):
    """What goes with a stream."""

    model_config = ConfigDict(extra="allow")

    include_usage: bool = False


class ChatIn(BaseModel):
    """A chat completion request. Other fields are ignored, or refused where an answer without them would deceive."""

    model_config = ConfigDict(extra="allow")

    model: Annotated[str, Field(max_length=200, examples=[MODEL])]
    messages: Annotated[
        list[MessageIn],
        Field(min_length=1, max_length=1000, examples=[[{"role": "user", "content": "last A1c?"}]]),
    ]
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: Annotated[int | None, Field(default=None, ge=1, le=1, description="One answer is all there is.")]


class Tokens(BaseModel):
    """What the model that reasoned took; zeros where rules did."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: dict[str, int]

    @classmethod
    def of(cls, usage: Usage) -> Tokens:
        """The tokens of an answer."""
        return cls(
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            total_tokens=usage.prompt_tokens + usage.completion_tokens,
            prompt_tokens_details={"cached_tokens": usage.cached_prompt_tokens},
        )


class MessageOut(BaseModel):
    """The answer's text with its marks, its sources and its warnings."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class ChoiceOut(BaseModel):
    """The one choice."""

    index: Literal[0] = 0
    message: MessageOut
    logprobs: None = None
    finish_reason: Literal["stop"] = "stop"


class Completion(BaseModel):
    """A chat completion. `chartline` is the answer as `/v1/ask` gives it."""

    id: Annotated[str, Field(examples=["chatcmpl-5f0c2f7a9d1e4b6f"])]
    object: Literal["chat.completion"] = "chat.completion"
    created: Annotated[int, Field(description="Seconds since 1970, UTC.")]
    model: Literal["chartline"] = MODEL
    choices: list[ChoiceOut]
    usage: Tokens
    chartline: Answer


class Delta(BaseModel):
    """What is added to the message."""

    role: Literal["assistant"] | None = None
    content: str | None = None


class ChunkChoice(BaseModel):
    """The one choice, as far as it has come."""

    index: Literal[0] = 0
    delta: Delta
    finish_reason: Literal["stop"] | None = None


class Chunk(BaseModel):
    """A part of a stream. The last one that has a choice carries the whole answer in `chartline`."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: Literal["chartline"] = MODEL
    choices: list[ChunkChoice]
    usage: Tokens | None = None
    chartline: Answer | None = None
    chartline_progress: dict[str, str] | None = None

    def told(self) -> dict[str, Any]:
        """The chunk as JSON data: without what it does not carry, as OpenAI writes it."""
        data = self.model_dump(mode="json", exclude_none=True, exclude={"chartline"})
        for choice in data["choices"]:
            choice.setdefault("finish_reason", None)
        if "usage" in self.model_fields_set:
            data.setdefault("usage", None)
        return data | ({"chartline": self.chartline.model_dump(mode="json")} if self.chartline else {})


class ModelOut(BaseModel):
    """A model as the list shows it."""

    id: str = MODEL
    object: Literal["model"] = "model"
    created: Annotated[int, Field(description="Seconds since 1970, UTC: when this service started.")]
    owned_by: str = MODEL


class Models(BaseModel):
    """The models: one."""

    object: Literal["list"] = "list"
    data: list[ModelOut]


class ChatErrorBody(BaseModel):
    """What failed and what to do."""

    message: str
    type: Annotated[str, Field(examples=["invalid_request_error"])]
    param: str | None = None
    code: str | None = None


class ChatErrorOut(BaseModel):
    """An error as OpenAI's clients read it."""

    error: ChatErrorBody
