"""Thinking split off a text, however its pieces are cut."""

from __future__ import annotations

import pytest

from agent.models.thinking import Splitter, split

CASES = [
    ("<unused94>thought\nhm, 7?<unused95>Seven.", "hm, 7?", "Seven."),
    ("\n<unused94>thought hm<unused95>\n\n Seven. ", "hm", "Seven. "),
    ("<think>hm</think>Seven.", "hm", "Seven."),
    ("Seven.", "", "Seven."),
    ("", "", ""),
    ("<", "", "<"),
    ("<unused9", "", "<unused9"),
    ("<unused93>x", "", "<unused93>x"),
    (" 7", "", " 7"),
    ("Seven <unused94>not at the beginning<unused95>.", "", "Seven <unused94>not at the beginning<unused95>."),
    ("<unused94>thought\nnever ended", "never ended", ""),
    ("<unused94>a < b and <unused9 x<unused95>y", "a < b and <unused9 x", "y"),
    ("<unused94><unused95>", "", ""),
]


@pytest.mark.parametrize(("text", "thought", "answer"), CASES)
def test_whole(text: str, thought: str, answer: str) -> None:
    assert split(text) == (thought, answer)


@pytest.mark.parametrize(("text", "thought", "answer"), CASES)
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_in_pieces(text: str, thought: str, answer: str, size: int) -> None:
    splitter = Splitter()
    said = "".join(splitter.feed(text[n : n + size]) for n in range(0, len(text), size)) + splitter.end()
    assert (splitter.thought, said) == (thought, answer)


def test_an_answer_is_not_held_back_once_it_is_known_to_be_one() -> None:
    splitter = Splitter()
    assert [splitter.feed(piece) for piece in ("{", '"a', "<unused94>")] == ["{", '"a', "<unused94>"]
