"""What a chat completion request asks, whatever is in it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.service.chat.reading import Asked, read
from agent.service.chat.shapes import ChatIn
from agent.service.problems import Problem

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
TEXTS = st.text(max_size=30)
KINDS = st.sampled_from(["text", "image_url", "", 3])
PARTS = st.lists(st.fixed_dictionaries({"type": KINDS}, optional={"text": TEXTS | st.none()}), max_size=3)
MESSAGE = st.fixed_dictionaries({"role": st.sampled_from(ROLES), "content": TEXTS | PARTS | st.none()})


def chat(*messages: dict[str, Any], **more: Any) -> ChatIn:
    return ChatIn.model_validate({"model": "chartline", "messages": list(messages), **more})


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def test_the_users_messages_in_their_order_and_no_others() -> None:
    said = (
        {"role": "system", "content": "be brief"},
        user("last A1c?"),
        {"role": "assistant", "content": "It was 99 %."},
        user([{"type": "text", "text": "and the one"}, {"type": "text", "text": "before?"}]),
        user([{"type": "image_url", "image_url": {}}]),
        user("x" * 4001),
        user(" in 2018? "),
        {"role": "assistant", "content": "In 2018 "},
    )
    assert read(chat(*said)) == Asked(question="in 2018?", earlier=("last A1c?", "and the one\nbefore?"))


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"functions": [{}]}, "functions"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"stop": "."}, "stop"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"logit_bias": {"1": 100}}, "logit_bias"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"prediction": {"type": "content"}}, "prediction"),
        ({"patient": "other"}, "patient"),
        ({"model": "gpt-4o"}, "model"),
    ],
)
def test_what_would_deceive_is_refused(more: dict[str, Any], param: str) -> None:
    with pytest.raises(Problem) as refused:
        read(chat(user("last A1c?"), **more))
    assert refused.value.more["param"] == param


@pytest.mark.parametrize(
    "more",
    [
        {"tools": [], "tool_choice": "none", "response_format": {"type": "text"}, "stop": None, "logprobs": False},
        {"tool_choice": "auto", "modalities": ["text"], "logit_bias": {}, "top_logprobs": 0},
        {"temperature": 1.5, "max_tokens": 1, "reasoning_effort": "high", "metadata": {"a": "b"}, "made_up": 1},
    ],
)
def test_what_changes_nothing_is_ignored(more: dict[str, Any]) -> None:
    assert read(chat(user("last A1c?"), **more)) == Asked(question="last A1c?")


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "assistant", "content": "hello"}],
        [user(" ")],
        [user(None)],
        [user("x" * 4001)],
        [user([{"type": "text", "text": "what is this?"}, {"type": "image_url", "image_url": {}}])],
        [user("last A1c?"), user("")],
    ],
)
def test_there_has_to_be_a_question_in_text(messages: list[dict[str, Any]]) -> None:
    with pytest.raises(Problem) as refused:
        read(chat(*messages))
    assert (refused.value.status, refused.value.more["param"]) == (400, "messages")


@given(st.lists(MESSAGE, min_size=1, max_size=6))
def test_whatever_is_sent_is_a_question_or_a_problem(messages: list[dict[str, Any]]) -> None:
    with suppress(Problem):
        asked = read(chat(*messages))
        told = [message for message in messages if message["role"] == "user"]
        assert asked.question and len(asked.earlier) < len(told)
