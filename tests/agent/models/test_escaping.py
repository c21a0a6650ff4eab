from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.models.openai_compatible.escaping import Escaper

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def _through(text: str, size: int) -> str:
    escaper = Escaper()
    return "".join(escaper.feed(text[n : n + size]) for n in range(0, len(text), size))


@given(VALUES, st.integers(1, 7), st.booleans())
def test_json_stays_as_it_is(value: Any, size: int, ascii_: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_, indent=1)
    assert _through(text, size) == text


@given(VALUES, st.integers(1, 7))
def test_raw_control_characters_in_strings_become_json(value: Any, size: int) -> None:
    text = json.dumps(value, ensure_ascii=False)
    for letter, raw in (("n", "\n"), ("t", "\t"), ("r", "\r")):
        # Only where the backslash is no escaped one itself.
        text = text.replace("\\\\", "\0").replace(f"\\{letter}", raw).replace("\0", "\\\\")
    assert json.loads(_through(text, size)) == value


@pytest.mark.parametrize(
    ("raw", "escaped"),
    [
        ('{"a": "b\nc"}', '{"a": "b\\nc"}'),
        ('{\n"a":\t1}', '{\n"a":\t1}'),
        ('["\\"\n"]', '["\\"\\n"]'),
        ('["\\\\"\n]', '["\\\\"\n]'),
        ('["\x00\x1f"]', '["\\u0000\\u001f"]'),
    ],
)
def test_by_example(raw: str, escaped: str) -> None:
    assert _through(raw, 1) == escaped
