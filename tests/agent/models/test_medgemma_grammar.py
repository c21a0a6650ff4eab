"""Whatever a model wants to write, what it writes is JSON that the schema accepts."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from agent.errors import ModelError
from agent.models.base import Request
from tests.agent.models import tiny

OPEN = {"type": "object", "additionalProperties": False}
TEXT = {"type": "string", "maxLength": 12}


def closed(**properties: Any) -> dict[str, Any]:
    return {**OPEN, "properties": properties, "required": list(properties)}


def listed(items: dict[str, Any], most: int = 3, least: int = 0) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


NEED = [closed(tool={"const": "find"}, words=TEXT), closed(tool={"const": "look"}, mark={"enum": ["7", "8"]})]
SCHEMAS = {
    "answer": tiny.SCHEMA,
    "text": closed(text=TEXT),
    "number": closed(
        n={"type": "integer", "minimum": 0, "maximum": 99}, x={"type": "number", "minimum": -1, "maximum": 1}
    ),
    "choice": closed(what={"enum": ["a", "β", 'quo"te', "new\nline", 3, None, True]}),
    "bool": closed(yes={"type": "boolean"}, nothing={"type": "null"}),
    "needs": closed(needs=listed({"anyOf": NEED}, least=1)),
    "deep": closed(a=closed(b=listed(closed(c=listed(TEXT, 2, 1)), 2, 1))),
    "marks": closed(marks=listed({"enum": [*map(str, range(1, 60)), "c1", "s2"]}, 5, 1)),
    "date": closed(day={"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}),
    "optional": {**OPEN, "properties": {"a": TEXT, "b": TEXT, "c": TEXT}, "required": ["b"]},
    "reference": {"$defs": {"t": TEXT}, **closed(all=listed({"$ref": "#/$defs/t"}, 2, 2))},
    "array": listed(TEXT, 2, 1),
    "long": closed(text={"type": "string", "maxLength": 400}),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.build(tmp_path_factory.mktemp("tiny"))


@pytest.mark.parametrize("name", SCHEMAS)
async def test_every_schema_is_kept_whatever_is_asked(folder: Path, name: str) -> None:
    """Other prompts make the random model want other tokens."""
    asked = [f"{n} {'x' * n} question" for n in range(4)]
    async with tiny.opened(folder) as model:
        for c in await asyncio.gather(
            *(model.complete(tiny.request(text, schema=SCHEMAS[name], tokens=900)) for text in asked)
        ):
            assert c.finish == "stop"
            jsonschema.validate(json.loads(c.text), SCHEMAS[name])


@pytest.mark.slow
async def test_five_hundred_prompts(folder: Path) -> None:
    rng = random.Random(5)
    names, signs = [*SCHEMAS] * 39, 'abc def? 123\n{}[]"'
    requests = [
        tiny.request("".join(rng.choices(signs, k=rng.randint(1, 90))), schema=SCHEMAS[name], tokens=900)
        for name in names
    ]
    async with tiny.opened(folder, batch=8) as model:
        done = await asyncio.gather(*(model.complete(request) for request in requests))
    assert len(done) >= 500
    for name, completion in zip(names, done, strict=True):
        assert completion.finish == "stop"
        jsonschema.validate(json.loads(completion.text), SCHEMAS[name])


async def test_random_wishes_are_held_within_the_schema(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model's scores replaced by noise: every branch of the grammar is walked sooner or later."""
    import torch

    from agent.models.medgemma.engine import Engine

    noise = torch.Generator().manual_seed(3)
    original = Engine._run

    def run(self: Any, *given: Any, **more: Any) -> Any:
        return torch.randn(original(self, *given, **more).shape, generator=noise)

    monkeypatch.setattr(Engine, "_run", run)
    async with tiny.opened(folder, batch=6) as model:
        names = [*SCHEMAS] * 2
        done = await asyncio.gather(
            *(model.complete(tiny.request("?", schema=SCHEMAS[name], tokens=900)) for name in names)
        )
    for name, completion in zip(names, done, strict=True):
        jsonschema.validate(json.loads(completion.text), SCHEMAS[name])
    assert len({c.text for c in done}) > 15


async def test_the_bound_cuts_and_says_so(folder: Path) -> None:
    async with tiny.opened(folder) as model:
        completion = await model.complete(tiny.request("?", schema=tiny.SCHEMA, tokens=10))
    assert completion.finish == "length"
    with pytest.raises(json.JSONDecodeError):
        json.loads(completion.text)


async def test_rows_side_by_side_keep_their_own_schema(folder: Path) -> None:
    names = ["text", "number", "marks", "answer"]
    async with tiny.opened(folder) as model:
        done = await asyncio.gather(
            *(model.complete(tiny.request("same", schema=SCHEMAS[name], tokens=900)) for name in names)
        )
    for name, completion in zip(names, done, strict=True):
        jsonschema.validate(json.loads(completion.text), SCHEMAS[name])


@pytest.mark.parametrize(
    "schema",
    [{"type": "string", "pattern": "(?<=a)b"}, {"type": "nonsense"}, {"not": {"type": "string"}}],
)
async def test_a_schema_that_cannot_be_enforced_is_an_error(folder: Path, schema: dict[str, Any]) -> None:
    request = Request(messages=tiny.request("?").messages, schema=schema)
    async with tiny.opened(folder) as model:
        with pytest.raises(ModelError, match="the schema of the answer cannot be enforced"):
            await model.complete(request)
        assert (await model.complete(tiny.request("?"))).text


def test_a_mask_agrees_with_what_is_allowed(folder: Path) -> None:
    from agent.models.medgemma.grammar import Grammars

    words = tiny.tokenizer()
    stop = words.convert_tokens_to_ids("<end_of_turn>")
    grammars = Grammars(words, tiny.VOCAB, frozenset({1, stop}))
    grammar = grammars.of(SCHEMAS["choice"])
    for token in words('{"what": "', add_special_tokens=False)["input_ids"]:
        flags = grammar.allowed()
        assert flags.shape == (tiny.VOCAB,) and flags[token]
        # Of several tokens for the same bytes the mask names one, and `allows` takes any.
        taken = [n for n in range(tiny.VOCAB) if grammar.allows(n)]
        assert {words.decode([n]) for n in taken} == {words.decode([n]) for n in range(tiny.VOCAB) if flags[n]}
        grammar.take(token)
    assert not grammar.done and not grammar.whole and not grammar.allowed()[stop]
    for token in words('a"}', add_special_tokens=False)["input_ids"]:
        grammar.take(token)
    assert grammar.done and grammar.whole
    fresh = grammars.of(SCHEMAS["choice"])
    assert not fresh.done and fresh.allows(words.convert_tokens_to_ids("{"))


def test_a_token_that_is_not_allowed_is_an_error(folder: Path) -> None:
    from agent.models.medgemma.grammar import Grammars

    words = tiny.tokenizer()
    grammar = Grammars(words, tiny.VOCAB, frozenset({1})).of(SCHEMAS["text"])
    with pytest.raises(ModelError, match="grammar has failed"):
        grammar.take(words.convert_tokens_to_ids("x"))


async def test_a_grammar_that_fails_costs_its_own_row_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from agent.models.medgemma.grammar import Grammar

    original, taken = Grammar.take, []

    def take(self: Any, token: int) -> None:
        taken.append(self)
        if self is taken[0] and taken.count(self) > 3:
            raise ModelError("the answer's grammar has failed: give every string of the schema a smaller maxLength")
        original(self, token)

    monkeypatch.setattr(Grammar, "take", take)
    async with tiny.opened(folder) as model:
        asked = (model.complete(tiny.request(text, schema=SCHEMAS["answer"], tokens=900)) for text in ("one", "two"))
        failed, good = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(failed, ModelError) and "grammar has failed" in str(failed)
    jsonschema.validate(json.loads(good.text), SCHEMAS["answer"])
