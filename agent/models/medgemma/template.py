"""Messages → tokens: Gemma 3's turns, images in their order, and where the KV cache may be kept."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from PIL import Image, ImageOps

from agent.errors import ModelError
from agent.models.base import Message, Picture

__all__ = ["THINK", "Prompt", "Template"]

THINK = "SYSTEM INSTRUCTION: think silently if needed. "
"""What switches thinking on, at the start of the system turn (the makers' own examples for the 27B)."""

_ROLES = {"user": "user", "assistant": "model"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A prompt as the model reads it. `kinds` is 1 for an image's token; `pixels` is (images, 3, height, width).

    `ends` are the token counts, rising, at which a part ends; `pictures` name the images' bytes by their hash.
    """

    ids: tuple[int, ...]
    kinds: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()
    pixels: Any = field(default=None, repr=False)
    pictures: tuple[bytes, ...] = ()
    image_tokens: int = 0

    def images(self, start: int, end: int) -> tuple[int, int]:
        """Which images lie in these tokens: the first, and the one after the last."""
        if not self.image_tokens:
            return 0, 0
        return sum(self.kinds[:start]) // self.image_tokens, sum(self.kinds[:end]) // self.image_tokens

    def key(self, end: int) -> tuple[tuple[int, ...], tuple[bytes, ...]]:
        """What two prompts must share for the KV cache of the first `end` tokens to serve both."""
        return self.ids[:end], self.pictures[: self.images(0, end)[1]]

    def inside(self, end: int) -> bool:
        """Would a cut here go through an image? Its tokens see each other in both directions."""
        return bool(self.kinds) and 0 < end < len(self.kinds) and bool(self.kinds[end - 1] and self.kinds[end])


@dataclass(slots=True)
class _Turn:
    role: str
    parts: list[str]
    pictures: list[Picture]

    @property
    def text(self) -> str:
        return "".join(self.parts)


class Template:
    """Turns into tokens, by the processor's own chat template, or in Gemma's format where it has none."""

    def __init__(self, tokenizer: Any, processor: Any = None, name: str = "this model") -> None:
        self.tokenizer, self._processor, self._name = tokenizer, processor, name
        self._chat = next((x for x in (processor, tokenizer) if x is not None and x.chat_template), None)
        words = {str(t) for t in tokenizer.all_special_tokens} | {"<start_of_turn>", "<end_of_turn>"}
        exact = "|".join(re.escape(word[1:]) for word in sorted(words) if word.startswith("<"))
        self._special = re.compile(rf"<(?=(?:{exact}|unused\d+>))")

    def prompt(self, messages: Sequence[Message], thinking: bool = False) -> Prompt:
        """The tokens of a conversation that ends with the user, and begins with it or a system message.

        Special tokens within a message's text are defused: nothing that is quoted can end a turn or begin one.
        Raises ModelError for pictures that the model or Pillow cannot read, and for turns in another order.
        """
        turns = self._turns(messages, thinking)
        pictures = [picture for turn in turns for picture in turn.pictures]
        if pictures and self._processor is None:
            raise ModelError(f"{self._name} reads no images: choose a multimodal model, such as medgemma-27b-it")
        text = self._rendered(turns)
        if self._processor is not None:
            text = text.replace(self._processor.boi_token, self._processor.full_image_sequence)
        coded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        ids, spans = tuple(coded["input_ids"]), coded["offset_mapping"]
        image = self.tokenizer.image_token_id if pictures else None
        return Prompt(
            ids=ids,
            kinds=tuple(int(token == image) for token in ids) if pictures else (),
            ends=_token_ends([end for _, end in spans], self._part_ends(turns, text)),
            pixels=self._pixels(pictures) if pictures else None,
            pictures=tuple(hashlib.sha256(picture.data).digest() for picture in pictures),
            image_tokens=self._processor.image_seq_length if pictures else 0,
        )

    def reply(self, text: str) -> tuple[int, ...]:
        """The tokens of the model's own turn, with the one that ends it: what a model is taught to say."""
        said = self.tokenizer(self._special.sub("‹", text), add_special_tokens=False)["input_ids"]
        ends = self.tokenizer.get_added_vocab().get("<end_of_turn>", self.tokenizer.eos_token_id)
        return (*said, ends)

    def _turns(self, messages: Sequence[Message], thinking: bool) -> list[_Turn]:
        """Turns that alternate: those of one role are made one, and late system messages are the user's."""
        turns: list[_Turn] = [_Turn("system", [THINK], [])] if thinking else []
        for message in messages:
            role = "user" if message.role == "system" and any(t.role != "system" for t in turns) else message.role
            parts = [self._special.sub("‹", part) for part in message.parts]
            if turns and turns[-1].role == role:
                glue = [] if turns[-1].parts == [THINK] else ["\n\n"]
                turns[-1] = _Turn(role, [*turns[-1].parts, *glue, *parts], [*turns[-1].pictures, *message.pictures])
            else:
                turns.append(_Turn(role, parts, list(message.pictures)))
        said = [turn.role for turn in turns if turn.role != "system"]
        if not said or said[0] != "user" or said[-1] != "user":
            raise ModelError("a conversation with the model has to begin and end with the user")
        if any(turn.pictures for turn in turns if turn.role != "user"):
            raise ModelError("only the user's messages can hold pictures")
        return turns

    def _rendered(self, turns: list[_Turn]) -> str:
        if self._chat is None:
            return self._written(turns)
        said = [{"role": turn.role, "content": _content(turn)} for turn in turns]
        return str(self._chat.apply_chat_template(said, add_generation_prompt=True, tokenize=False))

    def _written(self, turns: list[_Turn]) -> str:
        """Gemma 3's own turns (https://ai.google.dev/gemma/docs/core/prompt-structure): no system role."""
        system = "".join(f"{turn.text}\n\n" for turn in turns if turn.role == "system")
        out = []
        for turn in (turn for turn in turns if turn.role != "system"):
            images = self._processor.boi_token * len(turn.pictures) if self._processor is not None else ""
            out.append(f"<start_of_turn>{_ROLES[turn.role]}\n{system}{images}{turn.text.strip()}<end_of_turn>\n")
            system = ""
        return f"{self.tokenizer.bos_token}{''.join(out)}<start_of_turn>model\n"

    def _part_ends(self, turns: list[_Turn], text: str) -> list[int]:
        """Where parts end in the rendered text, but for the last: a text that the template trimmed is sought trimmed.

        Found in the wrong place, an end is only a less useful one: what is reused is compared token by token.
        """
        ends, at = [], 0
        for turn in turns:
            whole = turn.text.strip()
            start = text.find(whole, at)
            if start < 0:
                continue
            length = len(whole)
            done = len(turn.text.lstrip()) - len(turn.text)
            for part in turn.parts:
                done += len(part)
                ends.append(start + max(0, min(done, length)))
            at = start + length
        return ends[:-1]

    def _pixels(self, pictures: list[Picture]) -> torch.Tensor:
        images = [_opened(picture) for picture in pictures]
        made = self._processor.image_processor(images, do_pan_and_scan=False, return_tensors="pt")
        pixels: torch.Tensor = made["pixel_values"]
        return pixels


def _content(turn: _Turn) -> list[dict[str, str]]:
    return [*({"type": "image"} for _ in turn.pictures), {"type": "text", "text": turn.text}]


def _token_ends(spans: list[int], ends: list[int]) -> tuple[int, ...]:
    """How many tokens lie wholly before each place in the text; a token across a place belongs to what follows."""
    found, n = set(), 0
    for end in sorted(ends):
        while n < len(spans) and spans[n] <= end:
            n += 1
        found.add(n)
    return tuple(sorted(found - {0}))


def _opened(picture: Picture) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(picture.data))
        return ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ModelError(
            f"an image of the prompt ({picture.media_type}) cannot be read: {type(error).__name__}"
        ) from error
