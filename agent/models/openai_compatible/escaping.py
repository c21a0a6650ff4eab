"""Raw line breaks in strings of a JSON answer, as JSON wants them."""

from __future__ import annotations

import json

__all__ = ["Escaper"]


class Escaper:
    """Takes the pieces of one JSON text in order and escapes control characters inside its strings.

    RFC 8259 7 forbids them there; llama-cpp-python's grammar lets them through, and small models write them.
    """

    def __init__(self) -> None:
        self._inside = self._escaped = False

    def feed(self, piece: str) -> str:
        """The piece, with `\\n` for a line break inside a string."""
        return "".join(map(self._one, piece))

    def _one(self, character: str) -> str:
        if not self._inside:
            self._inside = character == '"'
        elif self._escaped:
            self._escaped = False
        elif character == "\\":
            self._escaped = True
        elif character == '"':
            self._inside = False
        elif character < " ":
            return json.dumps(character)[1:-1]
        return character
