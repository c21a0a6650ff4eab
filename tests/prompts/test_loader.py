"""The prompt files are exactly what the loader demands, and anything else raises with the fault named."""

from __future__ import annotations

import hashlib
from importlib.resources import files

import pytest

import prompts

GOOD = b'name = "x"\npurpose = "p"\nfields = ["question"]\nsystem = "s"\nuser = "ask: $question"\n'


@pytest.mark.parametrize("name", prompts.names())
def test_every_prompt_that_ships_loads_and_is_named_by_its_bytes(name: str) -> None:
    prompt = prompts.load(name)
    body = files("prompts").joinpath(f"{name}.toml").read_bytes()
    assert prompt.sha256 == hashlib.sha256(body).hexdigest()
    assert prompt.user_text(**dict.fromkeys(prompt.fields, "VALUE")).count("VALUE") >= len(prompt.fields)


def test_there_is_an_answer_prompt() -> None:
    assert "answer" in prompts.names()


def test_an_unknown_name_tells_the_known_ones() -> None:
    with pytest.raises(prompts.PromptError, match=r"'nope'.*answer"):
        prompts.load("nope")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (GOOD.replace(b'purpose = "p"\n', b""), "missing purpose"),
        (GOOD + b'extra = "e"\n', "unknown extra"),
        (GOOD.replace(b'["question"]', b'["question", "cards"]'), "missing cards"),
        (GOOD.replace(b"$question", b"$question $other"), "unknown other"),
        (GOOD.replace(b"$question", b"$question costs 5$ "), r"lone \$"),
        (GOOD.replace(b'"s"', b"3"), "'system' must be a str"),
        (GOOD.replace(b'["question"]', b"[1]"), "must hold names"),
        (GOOD.replace(b'name = "x"', b'name = "y"'), "its file says name = 'y'"),
        (b"name = ", "not TOML"),
        (b"\xff\xfe", "not TOML"),
    ],
)
def test_a_faulty_file_raises_with_its_fault(body: bytes, told: str) -> None:
    with pytest.raises(prompts.PromptError, match=told):
        prompts.parse("x", body)


@pytest.mark.parametrize(("values", "told"), [({}, "missing question"), ({"question": "q", "a": "b"}, "unknown a")])
def test_filling_is_strict(values: dict[str, str], told: str) -> None:
    with pytest.raises(prompts.PromptError, match=told):
        prompts.parse("x", GOOD).user_text(**values)


def test_values_are_not_read_as_templates() -> None:
    assert prompts.parse("x", GOOD).user_text(question="$question $$ ${x}") == "ask: $question $$ ${x}"
