"""DOCX (ECMA-376) as plain text: paragraphs, lists, tables, text boxes, foot and end notes, headers and footers."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any

from fhir_tools.parsing.characters import plain
from fhir_tools.parsing.types import Limits, Parsed, Unreadable
from fhir_tools.parsing.xml import parse_xml

__all__ = ["read_zip"]

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_STRICT = b"http://purl.oclc.org/ooxml/wordprocessingml/main"
_TRANSITIONAL = b"http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_SKIPPED = frozenset((f"{_W}del", f"{_W}moveFrom", f"{_W}instrText", f"{_W}delText", f"{_W}pPr", _FALLBACK))
"""What was deleted or moved away, field codes, properties, and the second version of a drawing are not read."""
_PARTS = re.compile(r"word/(?:header|document|footer|footnotes|endnotes)\d*\.xml")
_ORDER = ("header", "document", "footnotes", "endnotes", "footer")
_ENTRIES = 5000


def read_zip(body: bytes, limits: Limits) -> Parsed:
    """Raises Unreadable for what is broken, unpacks to too much, or is no DOCX."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(body))
        names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, UnicodeDecodeError):
        raise Unreadable("the zipped office file is broken") from None
    if len(names) > _ENTRIES:
        raise Unreadable("the zipped office file has too many parts")
    if "word/document.xml" not in names:
        raise Unreadable("a zipped file that is no Word document is not read")
    wanted = sorted((n for n in set(names) if _PARTS.fullmatch(n)), key=_rank)
    texts = [_part(archive, name, limits) for name in wanted]
    notes = ["a picture in the Word document is not read"] if any(n.startswith("word/media/") for n in names) else []
    return Parsed(pieces=tuple(filter(None, dict.fromkeys(texts))), notes=tuple(notes))


def _rank(name: str) -> tuple[int, str]:
    return next(i for i, part in enumerate(_ORDER) if part in name), name


def _part(archive: zipfile.ZipFile, name: str, limits: Limits) -> str:
    try:
        with archive.open(name) as file:
            xml = file.read(limits.unpacked // 4 + 1)
    except (zipfile.BadZipFile, RuntimeError, OSError, EOFError, NotImplementedError, ValueError):
        raise Unreadable("the Word document is broken or encrypted") from None
    except Exception as fault:
        raise Unreadable("the Word document is broken") from fault
    if len(xml) > limits.unpacked // 4:
        raise Unreadable("the Word document unpacks to too much")
    root = parse_xml(xml.replace(_STRICT, _TRANSITIONAL))
    return plain("\n".join(_blocks(root))).strip()


def _blocks(parent: Any) -> Iterator[str]:
    """A line for each paragraph, and for each row of a table."""
    for child in parent:
        if child.tag == f"{_W}p":
            yield from _paragraph(child)
        elif child.tag == f"{_W}tbl":
            for row in child.iter(f"{_W}tr"):
                cells = (" ".join(filter(None, map(str.strip, _blocks(c)))) for c in row if c.tag == f"{_W}tc")
                yield " | ".join(cells).strip(" |")
            yield ""
        elif child.tag not in _SKIPPED:
            yield from _blocks(child)


def _paragraph(paragraph: Any) -> Iterator[str]:
    text = "".join(_runs(paragraph)).strip()
    properties = paragraph.find(f"{_W}pPr")
    if properties is not None and text:
        style = properties.find(f"{_W}pStyle")
        if style is not None and re.match(r"(?i)(heading|title|überschrift|titre)", style.get(f"{_W}val") or ""):
            yield ""
            text = text if text.endswith(":") else f"{text}:"
        elif properties.find(f"{_W}numPr") is not None:
            text = f"- {text}"
    yield text
    for box in paragraph.iter(f"{_W}txbxContent"):
        if not any(a.tag == _FALLBACK for a in box.iterancestors()):
            yield from _blocks(box)


_SIGNS = {f"{_W}tab": "\t", f"{_W}br": "\n", f"{_W}cr": "\n", f"{_W}noBreakHyphen": "-", f"{_W}ptab": "\t"}


def _runs(parent: Any) -> Iterator[str]:
    for child in parent:
        if child.tag in _SKIPPED or child.tag == f"{_W}txbxContent" or _is_hidden(child):
            continue
        if child.tag == f"{_W}t":
            yield child.text or ""
        elif child.tag in _SIGNS:
            yield _SIGNS[child.tag]
        else:
            yield from _runs(child)


def _is_hidden(run: Any) -> bool:
    """Whether the run is formatted as hidden (ECMA-376 17.3.2.41): a reader does not see it."""
    properties = run.find(f"{_W}rPr") if run.tag == f"{_W}r" else None
    vanish = properties.find(f"{_W}vanish") if properties is not None else None
    return vanish is not None and vanish.get(f"{_W}val") not in ("0", "false")
