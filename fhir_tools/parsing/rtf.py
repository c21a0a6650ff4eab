"""RTF as plain text (Rich Text Format Specification 1.9.1)."""

from __future__ import annotations

import re

from fhir_tools.parsing.characters import plain
from fhir_tools.parsing.types import Limits, Parsed, Unreadable

__all__ = ["read_rtf"]

_PICTURE = re.compile(rb"\\(?:pict|objdata)\b")
_BINARY = re.compile(rb"\\bin(\d+) ?")
_CODE_PAGE = re.compile(rb"\\ansicpg(\d{3,5})")
_BRACES = re.compile(rb"\\[\\{}]|[{}]")
_DEEPEST = 2000


def read_rtf(body: bytes, limits: Limits) -> Parsed:
    """Raises Unreadable. A picture or an object in it is told in `notes`, and so is an end that is missing."""
    from striprtf.striprtf import rtf_to_text

    body = _without_binary(body)
    depth = _depth(body)
    page = _CODE_PAGE.search(body[:2000])
    encoding = f"cp{int(page[1])}" if page and _is_known(f"cp{int(page[1])}") else "cp1252"
    text = rtf_to_text(body.decode("latin-1"), encoding=encoding, errors="replace")
    notes = []
    if depth > 0:
        notes.append("the RTF is cut off and was read in part")
    if _PICTURE.search(body):
        notes.append("a picture or object in the RTF is not read")
    text = re.sub(r"\n{3,}", "\n\n", plain(text)).strip()
    if not text and not notes:
        raise Unreadable("the RTF holds no text")
    return Parsed(pieces=(text,), notes=tuple(notes))


def _without_binary(body: bytes) -> bytes:
    r"""Without the raw bytes that follow `\binN`: they are no RTF."""
    parts, at = [], 0
    while found := _BINARY.search(body, at):
        parts.append(body[at : found.start()])
        at = found.end() + int(found[1][:10])
    return b"".join((*parts, body[at:]))


def _is_known(encoding: str) -> bool:
    try:
        "".encode(encoding)
    except LookupError:
        return False
    return True


def _depth(body: bytes) -> int:
    """Groups left open at the end. Raises Unreadable for a depth that no writer makes."""
    depth = 0
    for found in _BRACES.finditer(body):
        depth += {b"{": 1, b"}": -1}.get(found[0], 0)
        if depth > _DEEPEST:
            raise Unreadable("the RTF is nested too deeply")
    return depth
