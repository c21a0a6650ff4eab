"""What a model thinks before it answers, split off while pieces of its text come in."""

from __future__ import annotations

__all__ = ["Splitter", "split"]

_FENCES = (("<unused94>", "<unused95>"), ("<think>", "</think>"))
"""How thinking begins and ends as text: MedGemma (its model card), and the fence that other models write."""
_HEADING = "thought"


class Splitter:
    """Takes pieces of text in order; gives back the part of each that is the answer.

    Thinking is only looked for at the beginning. `thought` is what was thought so far; `open` while it goes on.
    """

    def __init__(self) -> None:
        self.thought = ""
        self.open = False
        self._closer = ""
        self._held: str | None = ""
        self._trim = False

    def feed(self, piece: str) -> str:
        """The answer's text that the piece adds. Text that could still turn out to be a fence is held back."""
        if self._held is None:
            return self._answer(piece)
        self._held += piece
        if not self.open and not self._opened():
            return ""
        return self._thinking() if self.open else self._released()

    def end(self) -> str:
        """The rest, after the last piece: thinking that never ended stays thinking."""
        if self.open:
            self.thought = _without_heading(self.thought + (self._held or ""))
            self._held = ""
            return ""
        return self._released() if self._held else ""

    def _opened(self) -> bool:
        """Whether it is known by now if thinking begins the text."""
        start = (self._held or "").lstrip()
        for opener, closer in _FENCES:
            if start.startswith(opener):
                self.open, self._closer, self._held = True, closer, start[len(opener) :]
                return True
        return not any(opener.startswith(start) for opener, _ in _FENCES)

    def _thinking(self) -> str:
        before, closed, after = (self._held or "").partition(self._closer)
        if not closed:
            keep = len(self._closer) - 1
            self.thought += before[:-keep]
            self._held = before[-keep:]
            return ""
        self.thought = _without_heading(self.thought + before)
        self.open, self._held, self._trim = False, None, True
        return self._answer(after)

    def _released(self) -> str:
        held, self._held = self._held or "", None
        return held

    def _answer(self, piece: str) -> str:
        """Blanks between the end of thinking and the answer belong to neither."""
        if self._trim:
            piece = piece.lstrip()
            self._trim = not piece
        return piece


def _without_heading(thought: str) -> str:
    return thought.strip().removeprefix(_HEADING).strip()


def split(text: str) -> tuple[str, str]:
    """A whole text as thought and answer."""
    splitter = Splitter()
    answer = splitter.feed(text) + splitter.end()
    return splitter.thought, answer
