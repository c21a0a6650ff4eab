"""HTML and XHTML as plain lines: tags, scripts and styles go, blocks stay lines (R4 2.4 narrative)."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from fhir_tools.parsing.characters import plain

__all__ = ["html_text"]

_BLOCKS = frozenset(
    """address article aside blockquote body caption dd div dl dt fieldset figure footer form h1 h2 h3 h4 h5 h6 header
    hr li main nav ol p pre section table tbody tfoot thead tr ul""".split()
)
_SILENT = frozenset(("script", "style", "template", "noscript", "head"))
_EMPTY = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr")
)
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


class _Reader(HTMLParser):
    """Collects the text a reader sees; a block element stands on lines of its own."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent: list[str] = []
        self._kept = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT or (self._is_hidden(attrs) and tag not in _EMPTY) or tag in self._silent:
            self._silent.append(tag)
        elif tag == "body":
            self._silent.clear()
        elif tag == "br":
            self.parts.append("\n")
        elif tag in ("td", "th"):
            self.parts.append(" \t ")
        elif tag in _BLOCKS:
            self._kept += tag == "pre"
            self.parts.append("\n- " if tag == "li" else "\n")

    def _is_hidden(self, attrs: list[tuple[str, str | None]]) -> bool:
        return any(name == "hidden" or (name == "style" and _HIDDEN.search(value or "")) for name, value in attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _SILENT:  # XHTML may close a script at once
            self.handle_starttag(tag, attrs)
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._silent:
            if tag in self._silent:
                del self._silent[len(self._silent) - 1 - self._silent[::-1].index(tag) :]
        elif tag in _BLOCKS:
            self._kept -= tag == "pre" and self._kept > 0
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data if self._kept else re.sub(r"\s+", " ", data))


def html_text(markup: str) -> tuple[str, str]:
    """The text, and what was wrong with it, empty where nothing was. Cells of a row are parted by a bar."""
    reader = _Reader()
    broken = ""
    try:
        reader.feed(markup)
        reader.close()
    except (AssertionError, ValueError):  # html.parser asserts on some broken declarations
        broken = "the HTML is broken and was read in part"
    lines = (_line(line) for line in plain("".join(reader.parts)).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip(), broken


def _line(text: str) -> str:
    return re.sub(r" *\t *", " | ", re.sub(r"[ \xa0]+", " ", text).strip()).strip(" |")
