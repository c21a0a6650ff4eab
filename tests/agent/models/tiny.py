"""The tiny random Gemma 3 of `tools.peers.tiny_gemma` as tests of the transformers backend ask it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from agent.models.base import Message, Picture, Request
from agent.models.medgemma import MedGemma
from tools.peers.tiny_gemma import CONTEXT, TEMPLATE, VOCAB, WINDOW, build, build_text, tokenizer

# Without the extra, whoever imports this module is skipped.
pil = pytest.importorskip("PIL.Image")
for package in ("torch", "transformers", "accelerate", "llguidance", "psutil"):
    pytest.importorskip(package)

__all__ = [
    "CONTEXT",
    "SCHEMA",
    "TEMPLATE",
    "VOCAB",
    "WINDOW",
    "build",
    "build_text",
    "edit",
    "opened",
    "picture",
    "request",
    "tokenizer",
]

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "status": {"enum": ["answered", "not_found"]},
        "claims": {
            "type": "array",
            "maxItems": 2,
            "items": {
                "type": "object",
                "properties": {
                    "text": {"type": "string", "maxLength": 30},
                    "marks": {"type": "array", "items": {"enum": ["1", "2", "c1"]}, "minItems": 1, "maxItems": 2},
                },
                "required": ["text", "marks"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["status", "claims"],
    "additionalProperties": False,
}
"""The shape of an answer, as the llm reasoner has it."""


def picture(shade: int, size: tuple[int, int] = (60, 40), mode: str = "RGB") -> bytes:
    """A PNG of one shade with a brighter corner."""
    image = pil.new("L", size, shade)
    image.paste(255 - shade, (0, 0, size[0] // 2, size[1] // 3))
    out = io.BytesIO()
    image.convert(mode).save(out, "PNG")
    return out.getvalue()


def opened(folder: Path, **options: Any) -> MedGemma:
    """The chat model over a tiny folder, exact (fp32) unless told otherwise."""
    return MedGemma(str(folder), **{"precision": "fp32", "device": "cpu", "prefixes": 2**24, **options})


def request(*parts: str, system: str = "", shades: tuple[int, ...] = (), **options: Any) -> Request:
    """A request with one user message of these parts, and pictures of these shades."""
    pictures = tuple(Picture(data=picture(shade), media_type="image/png") for shade in shades)
    first = (Message(role="system", parts=(system,)),) if system else ()
    return Request(messages=(*first, Message(role="user", parts=parts, pictures=pictures)), **{"tokens": 12, **options})


def edit(folder: Path, **values: object) -> None:
    """Write values into the folder's config.json."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
