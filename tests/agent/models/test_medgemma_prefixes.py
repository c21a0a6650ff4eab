"""What prompts begin with, kept in the KV cache: the same scores as without, and bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.models.base import Request
from agent.models.memory import kv_bytes
from tests.agent.models import tiny

SYSTEM = "You answer from the cards. " * 4  # past the sliding window by itself
CARDS = "card [1] one | card [2] two\n" * 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.build(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def scores(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[Request, list[Any]]]:
    """The scores that every token was chosen from, by request."""
    from agent.models.medgemma.rows import Row

    seen: dict[Request, list[Any]] = {}
    original = Row.take

    def take(self: Any, given: Any) -> int:
        seen.setdefault(self.job.request, []).append(given._scores.clone())
        return original(self, given)

    monkeypatch.setattr(Row, "take", take)
    return seen


def ask(question: str, cards: str = CARDS, **options: Any) -> Request:
    return tiny.request("Patient: x\n" * 3, cards, question, system=SYSTEM, **options)


def same(one: list[Any], two: list[Any]) -> bool:
    import torch

    return len(one) == len(two) and all(torch.allclose(a, b, atol=2e-5, rtol=0) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("shades", [(), (20,), (20, 200)], ids=["text", "an image", "two images"])
async def test_scores_are_those_without_reuse(
    folder: Path, scores: dict[Request, list[Any]], shades: tuple[int, ...]
) -> None:
    requests = [ask(question, shades=shades) for question in ("What is one?", "What is two, then?", "?")]
    async with tiny.opened(folder, prefixes=0) as model:
        plain = [await model.complete(request) for request in requests]
    expected = dict(scores)
    scores.clear()
    async with tiny.opened(folder) as model:
        reused = [await model.complete(request) for request in requests]
    assert [c.used.cached for c in plain] == [0, 0, 0]
    assert reused[0].used.cached == 0 and all(c.used.cached > 200 for c in reused[1:])
    assert [c.text for c in reused] == [c.text for c in plain]
    assert all(same(scores[request], expected[request]) for request in requests)


async def test_scores_in_a_batch_are_those_alone(folder: Path, scores: dict[Request, list[Any]]) -> None:
    """Rows of several lengths, within and past the sliding window, with and without a kept beginning."""
    requests = [
        ask("?"),
        ask("Tell " * 20),
        tiny.request("hi"),
        tiny.request("an image", shades=(9,)),
        ask("x", tokens=40),
    ]
    async with tiny.opened(folder, prefixes=0, batch=1) as model:
        for request in requests:
            await model.complete(request)
    expected = dict(scores)
    scores.clear()
    async with tiny.opened(folder, batch=5) as model:
        await model.complete(ask("first"))
        together = await asyncio.gather(*(model.complete(request) for request in requests))
    assert [c.used.cached > 0 for c in together] == [True, True, False, False, True]
    assert all(same(scores[request], expected[request]) for request in requests)


async def test_scores_are_those_of_the_bare_model(
    folder: Path, scores: dict[Request, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reference is one run of the model over the whole sequence, without any cache."""
    import torch
    from transformers import AutoModelForImageTextToText

    from agent.models.medgemma.rows import Row
    from agent.models.medgemma.template import Template

    written: list[int] = []
    take = Row.take
    monkeypatch.setattr(Row, "take", lambda *given: written.append(take(*given)) or written[-1])
    request = ask("What?", tokens=80)
    async with tiny.opened(folder) as model:
        await model.complete(ask("before"))
        written.clear()
        completion = await model.complete(request)
    assert len(written) == completion.used.completion == 80 and completion.used.cached > 200
    ids = torch.tensor([[*Template(tiny.tokenizer()).prompt(request.messages).ids, *written]])
    with torch.inference_mode():
        bare = AutoModelForImageTextToText.from_pretrained(folder)(input_ids=ids).logits[0]
    start = completion.used.prompt - 1
    assert same(scores[request], list(bare[start : start + 80]))


async def test_other_cards_reuse_the_instructions_and_other_images_nothing_after_them(folder: Path) -> None:
    async with tiny.opened(folder) as model:
        first = await model.complete(ask("?", shades=(20,)))
        cards = await model.complete(ask("?", cards="other\n" * 9, shades=(20,)))
        image = await model.complete(ask("?", shades=(21,)))
        again = await model.complete(ask("another?", shades=(20,)))
    assert first.used.cached == 0
    system, patient = image.used.cached, cards.used.cached
    assert 0 < system < patient < again.used.cached < again.used.prompt
    assert system == pytest.approx(len(SYSTEM), abs=8) and patient - system > 30


async def test_thinking_has_a_beginning_of_its_own(folder: Path) -> None:
    async with tiny.opened(folder, thinks=True) as model:
        await model.complete(ask("?"))
        thinking = [await model.complete(ask(q, thinking=5)) for q in ("?", "one?")]
    assert thinking[0].used.cached == 0 and thinking[1].used.cached > 200


async def test_what_is_kept_is_not_changed_by_use(folder: Path) -> None:
    async with tiny.opened(folder) as model:
        answers = [await model.complete(ask("?", tokens=60)) for _ in range(3)]
        await asyncio.gather(*(model.complete(ask(q, tokens=30)) for q in ("a", "b" * 30, "c")))
        answers.append(await model.complete(ask("?", tokens=60)))
    assert len({c.text for c in answers}) == 1
    assert [c.used.cached > 0 for c in answers] == [False, True, True, True]


def test_the_least_lately_used_goes_first_and_the_bound_holds(folder: Path) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText, DynamicCache

    from agent.models.medgemma.prefixes import Prefixes
    from agent.models.medgemma.template import Prompt
    from agent.models.memory import shape

    model = AutoModelForImageTextToText.from_pretrained(folder)
    of = shape(AutoConfig.from_pretrained(folder).to_dict())

    def filled(prompt: Prompt, end: int) -> DynamicCache:
        cache = DynamicCache(config=model.config.get_text_config())
        with torch.inference_mode():
            model(input_ids=torch.tensor([prompt.ids[:end]]), cache=cache)
        return cache

    a, b, c = (Prompt(ids=(first, *range(270, 370), 7)) for first in (261, 262, 263))
    kept = Prefixes(2 * kv_bytes(of, 101, 4) + 100)
    for prompt in (a, b):
        kept.keep(prompt, 101, filled(prompt, 101))
    # What a sliding layer keeps is one token less than its window: the newest brings itself.
    sliding = (of.layers - of.full) * 2 * of.kv_heads * of.head_dim * 4
    assert kept.held == 2 * (kv_bytes(of, 101, 4) - sliding)
    assert kept.longest(a)[0] == 101
    kept.keep(c, 101, filled(c, 101))
    assert [kept.longest(prompt)[0] for prompt in (a, b, c)] == [101, 0, 101]
    kept.keep(Prompt(ids=(5,) * 3000), 2999, filled(Prompt(ids=(5,) * 3000), 2999))
    assert len(kept) == 2  # one that is too large does not push the others out
    assert kept.longest(Prompt(ids=a.ids[:101]))[0] == 0  # the last token has to be run
    kept.clear()
    assert (kept.held, len(kept), kept.longest(a)) == (0, 0, (0, None))


def test_long_prompts_are_run_in_chunks_that_leave_images_whole() -> None:
    from agent.models.medgemma.engine import _cuts
    from agent.models.medgemma.template import Prompt
    from agent.models.memory import CHUNK

    kinds = [0] * 6000
    kinds[CHUNK - 100 : CHUNK + 156] = [1] * 256
    prompt = Prompt(ids=(1,) * 6000, kinds=tuple(kinds), ends=(10, 30, 35, 5500, 6000), image_tokens=256)
    assert list(_cuts(prompt, 0)) == [
        (30, True),
        (CHUNK + 156, False),
        (2 * CHUNK + 156, False),
        (5500, True),
        (6000, False),
    ]
    assert list(_cuts(prompt, 5500)) == [(6000, False)]


async def test_a_prompt_longer_than_a_chunk(folder: Path) -> None:
    from agent.models.medgemma.template import Template

    request = tiny.request("word " * 600, system=SYSTEM, tokens=4)
    assert len(Template(tiny.tokenizer()).prompt(request.messages).ids) > 3000
    async with tiny.opened(folder) as model:
        completion = await model.complete(request)
    assert completion.text == await _without_chunks(folder, request)


async def _without_chunks(folder: Path, request: Request) -> str:
    from unittest.mock import patch

    with patch("agent.models.medgemma.engine.CHUNK", 10**6):
        async with tiny.opened(folder) as model:
            return (await model.complete(request)).text
