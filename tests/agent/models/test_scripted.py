"""The scripted model: what it says, checks, counts, and how it fails a test."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agent.errors import ModelError
from agent.models.base import Message, ModelCard, Request
from agent.models.scripted import Scripted

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"text": {"type": "string", "maxLength": 12}},
    "required": ["text"],
    "additionalProperties": False,
}


def _ask(text: str = "last A1c?", **rest: Any) -> Request:
    return Request(messages=(Message(role="user", parts=(text,)),), **rest)


async def test_outputs_come_in_order_and_requests_are_kept() -> None:
    first, second = _ask("one"), _ask("two", schema=SCHEMA)
    async with Scripted(["plain", {"text": "ünï"}]) as model:
        assert [(await model.complete(ask)).text for ask in (first, second)] == ["plain", '{"text": "ünï"}']
    assert model.requests == [first, second] and model.closed


async def test_the_end_of_the_script_fails_the_test() -> None:
    model = Scripted([])
    with pytest.raises(AssertionError, match="0 outputs, and call 1 came"):
        await model.complete(_ask())


async def test_what_a_grammar_would_not_allow_fails_the_test() -> None:
    model = Scripted([{"text": "far too long for it"}, "no JSON", "<unused94>hm<unused95>{}"])
    for number in (1, 2, 3):
        with pytest.raises(AssertionError, match=f"output {number} of the script"):
            await model.complete(_ask(schema=SCHEMA))


async def test_a_check_can_be_left_out() -> None:
    model = Scripted(["no JSON"], check=False)
    assert (await model.complete(_ask(schema=SCHEMA))).text == "no JSON"


async def test_exceptions_are_raised() -> None:
    model = Scripted([ModelError("down; start it"), "back"])
    with pytest.raises(ModelError, match="down"):
        await model.complete(_ask())
    assert (await model.complete(_ask())).text == "back"


async def test_functions_see_the_request() -> None:
    async def slow(request: Request) -> str:
        await asyncio.sleep(0)
        return request.messages[0].text.upper()

    assert (
        await Scripted(lambda request: {"text": request.messages[0].text}).complete(_ask("a"))
    ).text == '{"text": "a"}'
    assert (await Scripted(slow).complete(_ask("a"))).text == "A"


async def test_a_slow_function_is_out_of_time() -> None:
    async def never(_: Request) -> str:
        await asyncio.sleep(60)
        return ""

    with pytest.raises(ModelError, match=r"longer than 0\.05 s"):
        await Scripted(never).complete(_ask(seconds=0.05))


async def test_thinking_is_split_off() -> None:
    pieces: list[str] = []
    done = await Scripted(["<unused94>thought\nhm<unused95>yes"]).complete(_ask(thinking=9), pieces.append)
    assert (done.text, done.thought, pieces, done.used.thinking) == ("yes", "hm", ["yes"], 1)


async def test_an_empty_output() -> None:
    done = await Scripted([""]).complete(_ask())
    assert (done.text, done.finish, done.used.completion) == ("", "stop", 0)


async def test_the_same_beginning_is_counted_as_reused() -> None:
    model = Scripted(["a", "b"])
    await model.complete(_ask("one two three four, five?"))
    used = (await model.complete(_ask("one two three four, six?"))).used
    assert 0 < used.cached < used.prompt


async def test_the_context_of_its_card_binds() -> None:
    model = Scripted(["a"], card=ModelCard(name="small", context=20))
    with pytest.raises(ModelError, match="context of 20 tokens"):
        await model.complete(_ask("word " * 40, tokens=1))


@pytest.mark.parametrize("outputs", ["text", {"text": "a"}])
def test_one_output_is_no_list(outputs: Any) -> None:
    with pytest.raises(TypeError, match="list"):
        Scripted(outputs)
