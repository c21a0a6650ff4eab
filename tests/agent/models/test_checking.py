"""Faults of an answer, in few words, without its values."""

from __future__ import annotations

from typing import Any

import pytest

from agent.models.checking import bare, fault

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "status": {"enum": ["answered", "refused"]},
        "claims": {"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": "string", "maxLength": 5}},
        "n": {"type": "integer", "minimum": 0, "maximum": 9},
    },
    "required": ["status", "claims"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"status": "answered", "claims": ["a"]}', None),
        ("", "it is empty"),
        ("  \n", "it is empty"),
        ("hidden", "it is not JSON"),
        ('{"status": "answered", "claims": ["a"]', "it is not JSON"),
        ('{"status": NaN, "claims": ["a"]}', "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ('{"status": "answered"}', "$ lacks a field: status, claims are required"),
        ('{"status": "hidden", "claims": ["a"]}', "$.status is none of the values allowed"),
        ('{"status": "answered", "claims": []}', "$.claims has fewer items than 1"),
        ('{"status": "answered", "claims": ["a", "b", "c"]}', "$.claims has more items than 2"),
        ('{"status": "answered", "claims": ["hidden"]}', "$.claims[0] is longer than 5 characters"),
        ('{"status": "answered", "claims": [1]}', "$.claims[0] is not of type string"),
        ('{"status": "answered", "claims": ["a"], "hidden": 1}', "$ has a field that the schema does not have"),
        ('{"status": "answered", "claims": ["a"], "n": 12}', "$.n is more than 9"),
        ('"hidden"', "$ is not of type object"),
    ],
)
def test_faults(text: str, words: str | None) -> None:
    assert fault(text, SCHEMA) == words


def test_a_schema_that_is_none() -> None:
    with pytest.raises(ValueError, match="not a JSON schema"):
        fault("{}", {"type": "thing"})


@pytest.mark.parametrize(
    ("text", "json"),
    [
        ('```json\n{"a": {"b": 1}}\n```', '{"a": {"b": 1}}'),
        ('Here: {"a": 1} as asked.', '{"a": 1}'),
        (" words ", "words"),
        ("} {", "} {"),
    ],
)
def test_json_among_words(text: str, json: str) -> None:
    assert bare(text) == json
