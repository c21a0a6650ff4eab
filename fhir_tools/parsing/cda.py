"""C-CDA (HL7 CDA R2) as plain text: the header's title and date, and each section's title and narrative block."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from typing import Any

from fhir_tools.parsing.characters import plain
from fhir_tools.parsing.types import Limits, Parsed, Scan, Unreadable
from fhir_tools.parsing.xml import parse_xml

__all__ = ["read_xml"]

_V3 = "{urn:hl7-org:v3}"
_DEEPEST = 30
_NULLS = {
    "NI": "no information", "NASK": "not asked", "UNK": "unknown", "ASKU": "asked but unknown", "NAV": "not available",
}  # fmt: skip
"""What a section's nullFlavor says (HL7 v3 NullFlavor)."""

Nested = Callable[[bytes, str], Parsed]


def read_xml(body: bytes, limits: Limits, nested: Nested) -> Parsed:
    """Raises Unreadable. `nested` reads a body that is no XML (CDA R2 4.3.1.1, nonXMLBody)."""
    root = parse_xml(body)
    if root.tag != f"{_V3}ClinicalDocument":
        raise Unreadable(f"XML of the kind {_local(root)[:40]!r} is not read")
    title = _text_of(root.find(f"{_V3}title"))
    component = root.find(f"{_V3}component")
    parts: list[str | Scan] = [title] if title else []
    notes: tuple[str, ...] = ()
    other = component.find(f"{_V3}nonXMLBody/{_V3}text") if component is not None else None
    if other is not None:
        inner = _other(other, nested)
        parts, notes = [*parts, *inner.pieces], inner.notes
    elif component is not None:
        sections = component.findall(f"{_V3}structuredBody/{_V3}component/{_V3}section")
        parts += list(_sections(sections, 0))
    if len(parts) <= bool(title) and not notes:
        notes = ("the C-CDA holds no section with text",)
    if sum(len(p) for p in parts if isinstance(p, str)) > limits.text:
        raise Unreadable("the C-CDA is too long")
    return Parsed(pieces=tuple(parts), notes=notes)


def _other(text: Any, nested: Nested) -> Parsed:
    reference = text.find(f"{_V3}reference")
    if reference is not None:
        return Parsed(notes=("the C-CDA's body stands elsewhere, and was not fetched",))
    content = "".join(text.itertext())
    if text.get("representation") != "B64":
        return Parsed(pieces=(plain(content).strip(),))
    try:
        body = base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Unreadable("the C-CDA's body is not base64") from None
    return nested(body, text.get("mediaType") or "")


def _sections(sections: list[Any], depth: int) -> Iterator[str]:
    for section in sections if depth < _DEEPEST else ():
        title = _text_of(section.find(f"{_V3}title")).rstrip(":")
        block = section.find(f"{_V3}text")
        lines = "".join(_narrative(block)) if block is not None else ""
        body = re.sub(r"\n{3,}", "\n\n", "\n".join(_line(x) for x in plain(lines).split("\n"))).strip()
        if not body and section.get("nullFlavor") in _NULLS:
            body = _NULLS[section.get("nullFlavor")]
        told = f"{title}:\n{body}".strip() if title else body
        if body:
            yield told
        yield from _sections(section.findall(f"{_V3}component/{_V3}section"), depth + 1)


def _line(text: str) -> str:
    return re.sub(r" *\t *", " | ", re.sub(r"[ \xa0]+", " ", text).strip()).strip(" |")


_BLOCKS = frozenset(("paragraph", "list", "table", "thead", "tbody", "tfoot", "tr", "caption", "footnote"))


def _narrative(block: Any) -> Iterator[str]:
    """The narrative block (CDA R2 4.3.5): content, lists, tables, line breaks; media have no text."""
    name = _local(block)
    before = {"item": "\n- ", "td": " \t ", "th": " \t ", "br": "\n"}.get(name, "\n" if name in _BLOCKS else "")
    if name == "renderMultiMedia" or block.get("revised") == "delete":
        return
    yield before
    yield re.sub(r"\s+", " ", block.text or "")
    for child in block:
        yield from _narrative(child)
        yield re.sub(r"\s+", " ", child.tail or "")
    yield "\n" if name in _BLOCKS and name != "tr" else ""


def _local(element: Any) -> str:
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _text_of(element: Any) -> str:
    return " ".join(plain("".join(element.itertext())).split()) if element is not None else ""
