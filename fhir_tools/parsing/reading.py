"""One file read by the parser of its kind. It runs in a worker, never where the chart is."""

from __future__ import annotations

from functools import partial

from fhir_tools.parsing.cda import read_xml
from fhir_tools.parsing.characters import characters, plain
from fhir_tools.parsing.kinds import declared, kind_of
from fhir_tools.parsing.markup import html_text
from fhir_tools.parsing.pdf import read_pdf
from fhir_tools.parsing.rtf import read_rtf
from fhir_tools.parsing.scans import read_image
from fhir_tools.parsing.types import Limits, Parsed, Scan, Unreadable
from fhir_tools.parsing.word import read_zip

__all__ = ["read"]


def read(body: bytes, content_type: str, limits: Limits, depth: int = 0) -> Parsed:
    """The file's text and pages. Raises Unreadable, and whatever a parser raises for what it did not expect."""
    if len(body) > limits.size:
        raise Unreadable(f"the file is larger than {limits.size // 1_000_000} MB")
    match kind_of(body, content_type):
        case "pdf":
            found = read_pdf(body, limits)
        case "rtf":
            found = read_rtf(body, limits)
        case "zip":
            found = read_zip(body, limits)
        case "image":
            found = read_image(body, limits)
        case "xml":
            if depth:
                raise Unreadable("a C-CDA inside a C-CDA is not read")
            found = read_xml(body, limits, partial(_nested, limits=limits, depth=depth + 1))
        case "html":
            text, lost = characters(body, declared(content_type)[1])
            text, broken = html_text(text)
            found = Parsed(pieces=(text,), notes=tuple(filter(None, (lost, broken))))
        case "text":
            text, lost = characters(body, declared(content_type)[1])
            found = Parsed(pieces=(plain(text),), notes=(lost,) if lost else ())
        case _:
            raise Unreadable(_unread(body, content_type))
    return _bounded(found, limits)


def _nested(body: bytes, content_type: str, *, limits: Limits, depth: int) -> Parsed:
    return read(body, content_type, limits, depth)


def _unread(body: bytes, content_type: str) -> str:
    if body.startswith(b"\xd0\xcf\x11\xe0"):
        encrypted = "EncryptedPackage".encode("utf-16-le") in body
        return "the office file is encrypted" if encrypted else "an office file of the old format is not read"
    if body.startswith(b"\x1f\x8b"):
        return "a gzip file is not read"
    return f"{declared(content_type)[0] or 'this kind of content'} is not read"


def _bounded(found: Parsed, limits: Limits) -> Parsed:
    """No more text than the limit; what is cut is told."""
    room, pieces, notes = limits.text, list[str | Scan](), found.notes
    for piece in found.pieces:
        if isinstance(piece, str):
            if len(piece) > room:
                notes = (*notes, f"the text is longer than {limits.text:,} characters and was cut there")
            piece = piece[:room]
            room -= len(piece)
        if isinstance(piece, Scan) or piece:
            pieces.append(piece)
    return Parsed(pieces=tuple(pieces), notes=tuple(dict.fromkeys(notes)))
