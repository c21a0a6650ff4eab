"""Real model servers with a small real model: what the doctor and the counts say of them."""

from __future__ import annotations

from typing import Any

import pytest

from agent.models.base import Message, Request
from agent.models.openai_compatible import OpenAICompatible
from tests.peers.model_servers import url_of
from tools.peers import running_model

pytestmark = [pytest.mark.slow, pytest.mark.loopback]

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "maxLength": 60},
        "marks": {"type": "array", "minItems": 1, "maxItems": 2, "items": {"enum": ["1", "2"]}},
    },
    "required": ["text", "marks"],
    "additionalProperties": False,
}
CARD = "Hemoglobin A1c, 2 results, %\n [1] 2019-03-02 6.9 %\n [2] 2018-09-01 7.1 %\n" * 3


def _ask(question: str) -> Request:
    return Request(messages=(Message(role="user", parts=(CARD, question)),), schema=SCHEMA, tokens=80, seconds=300.0)


async def test_llama_cpp_tells_its_context_and_reuses_what_prompts_begin_with() -> None:
    async with OpenAICompatible(url_of(running_model.llama_cpp)) as model:
        card = await model.describe()
        pieces: list[str] = []
        first = await model.complete(_ask("latest?"), pieces.append)
        second = await model.complete(_ask("before that?"))
    assert (card.name, card.context, card.grammar) == ("gemma3-270m", running_model.CONTEXT, "decoding")
    assert not card.images and len(pieces) > 5
    assert second.used.prompt - 40 < second.used.cached < second.used.prompt
    assert second.used.first_token < first.used.first_token


async def test_llama_cpp_python_enforces_what_its_reference_does_not_call_json_schema() -> None:
    async with OpenAICompatible(url_of(running_model.llama_cpp_python)) as model:
        card = await model.describe()
        used = (await model.complete(_ask("latest?"))).used
    assert (card.name, card.grammar) == ("gemma3-270m", "decoding")
    assert 60 < used.prompt < 400 and used.completion > 5
