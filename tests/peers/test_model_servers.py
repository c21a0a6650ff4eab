"""Real model servers with a small real model, or a tiny random one: what the doctor and the counts say of them."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent.errors import ModelError
from agent.models.base import Message, Picture, Request
from agent.models.openai_compatible import OpenAICompatible
from tests.peers.model_servers import SMALL, TINY, tiny, url_of
from tools.peers import running_model
from tools.peers.pinned import PeerMissing

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
BLOCK = 128
"""Tokens of a block of vLLM's KV cache on a CPU; only whole blocks are reused."""
CARD = "Hemoglobin A1c, 2 results, %\n [1] 2019-03-02 6.9 %\n [2] 2018-09-01 7.1 %\n" * 3


def _ask(question: str) -> Request:
    return Request(messages=(Message(role="user", parts=(CARD, question)),), schema=SCHEMA, tokens=80, seconds=300.0)


async def test_llama_cpp_tells_its_context_and_reuses_what_prompts_begin_with() -> None:
    async with OpenAICompatible(url_of(running_model.llama_cpp)) as model:
        card = await model.describe()
        pieces: list[str] = []
        first = await model.complete(_ask("latest?"), pieces.append)
        second = await model.complete(_ask("before that?"))
    assert (card.name, card.context, card.grammar) == (SMALL, running_model.CONTEXT, "decoding")
    assert not card.images and len(pieces) > 5
    assert second.used.prompt - 40 < second.used.cached < second.used.prompt
    assert second.used.first_token < first.used.first_token


async def test_llama_cpp_python_enforces_what_its_reference_does_not_call_json_schema() -> None:
    async with OpenAICompatible(url_of(running_model.llama_cpp_python)) as model:
        card = await model.describe()
        used = (await model.complete(_ask("latest?"))).used
    assert (card.name, card.grammar) == (SMALL, "decoding")
    assert 60 < used.prompt < 400 and used.completion > 5


async def test_vllm_with_the_configuration_that_is_shipped() -> None:
    """Schemas, images, what a prompt begins with, and counts, as docs/serving/vllm.yaml sets them."""
    async with OpenAICompatible(url_of(running_model.vllm, TINY)) as model:
        trial = await model.probe()
        first, second = [await model.complete(_ask(q)) for q in ("latest?", "before that?")]
    assert (trial.card.name, trial.software, trial.card.context) == (TINY, "vllm", 16384)
    assert (trial.form, trial.card.grammar, trial.images, trial.counts) == ("schema", "decoding", "taken", True)
    assert trial.pace.cached > 0.9 * trial.pace.prompt
    assert second.used.prompt == first.used.prompt + len("before that?") - len("latest?")
    assert BLOCK <= second.used.cached < second.used.prompt and second.used.cached % BLOCK == 0


async def test_vllm_batches_what_is_in_flight_and_tells_its_hits() -> None:
    url = url_of(running_model.vllm, TINY)
    before = _counter(url, "prefix_cache_hits_total")
    async with OpenAICompatible(url, at_once=4) as model:
        done = await asyncio.gather(*(model.complete(_ask(f"question {n}?")) for n in range(8)))
    assert sum(d.used.cached for d in done[1:]) > 0
    assert _counter(url, "prefix_cache_hits_total") - before >= sum(d.used.cached for d in done)
    assert _counter(url, "num_requests_running") == 0


def _counter(url: str, name: str) -> float:
    told = httpx.get(url.removesuffix("/v1") + "/metrics", trust_env=False).text
    return sum(float(value) for value in re.findall(rf"^vllm:{name}\{{.*\}} (\S+)$", told, re.MULTILINE))


async def test_vllm_reads_several_images_and_reuses_none_of_another() -> None:
    """A picture of another shade is another prompt, however alike the words are."""

    def shown(*shades: int) -> Request:
        pictures = tuple(Picture(data=picture(shade), media_type="image/png") for shade in shades)
        return Request(messages=(Message(role="user", parts=("Which?",), pictures=pictures),), tokens=24)

    picture = pytest.importorskip("tests.agent.models.tiny").picture
    async with OpenAICompatible(url_of(running_model.vllm, TINY)) as model:
        dark, light, both = [await model.complete(shown(*shades)) for shades in ((20,), (230,), (20, 230))]
    assert dark.text != light.text and both.used.prompt > dark.used.prompt == light.used.prompt


async def test_transformers_serve_keeps_no_schema_and_is_not_believed(tmp_path: Path) -> None:
    """It answers 200 to a response_format that it ignores: answers are checked, and what does not fit is an error."""
    pieces: list[str] = []
    try:
        with running_model.transformers_serve(_stopping(tmp_path)) as url:
            async with OpenAICompatible(url, model=str(tmp_path / TINY)) as model:
                card = await model.describe()
                with pytest.raises(ModelError, match="did not fit the schema"):
                    await model.complete(_ask("latest?"), pieces.append)
    except PeerMissing as error:
        pytest.skip(str(error))
    assert card.grammar == "repair" and TINY in card.name and pieces == []


def _stopping(folder: Path) -> Path:
    """The tiny model with an end after its first word: what came is whole then, and not only cut."""
    place = Path(shutil.copytree(tiny(), folder / TINY))
    config = place / "generation_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "eos_token_id": list(range(3, 360))}))
    return place
