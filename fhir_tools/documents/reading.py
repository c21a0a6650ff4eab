"""The text of a DocumentReference, DiagnosticReport or Composition (R4), from wherever it stands.

That is content.attachment and presentedForm (inline, or behind an URL: a Binary, or a file), the conclusion, and the
narratives of a Composition's sections. Offsets count Unicode characters of `Document.text`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from fhir_tools.documents.types import Document, Scanned
from fhir_tools.errors import ChartlineError
from fhir_tools.parsing import Parsers, Scan, tesseract
from fhir_tools.parsing import parsers as shared_parsers
from fhir_tools.parsing.types import Unreadable
from fhir_tools.source import Source
from fhir_tools.types import Fact

__all__ = ["decode_base64", "read_document"]

_DEPTH = 30
_NO_OCR = "a scan, which needs Tesseract to be read (apt-get install tesseract-ocr)"
_OCR_SECONDS = 300.0
"""For the scans of one file: a page may take a minute, and a file have 200 of them."""
_NO_TIME = f"its later pages are scans, and OCR had read for {_OCR_SECONDS:g} s: open the document itself for them"
_GENERAL = ("", "application/octet-stream", "binary/octet-stream")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A text with the stretches of it that were read from pictures; why it is not whole, and why it was not fetched."""

    text: str = ""
    scanned: tuple[Scanned, ...] = ()
    unread: tuple[str, ...] = ()
    missed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """What reads the files of documents: where they come from, and what parses them."""

    source: Source
    parsers: Parsers


async def read_document(
    resource: Mapping[str, Any], fact: Fact, source: Source, *, parsers: Parsers | None = None
) -> Document:
    """All the text of a document or report. What could not be read is told in `unread`; nothing is raised for it.

    Pages that are pictures are read by Tesseract where it is installed.
    """
    reader = _Reader(source=source, parsers=parsers or shared_parsers())
    told = _narratives(resource) if resource.get("resourceType") == "Composition" else []
    attachments = list(_attachments(resource))
    read = await asyncio.gather(
        *(_parsed(reader, part.encode(), "text/html", head) for head, part in told),
        *(_attached(reader, a) for a in attachments),
    )
    conclusion = resource.get("conclusion")
    parts = [*read[: len(told)], *([_Part(text=conclusion)] if isinstance(conclusion, str) else []), *read[len(told) :]]
    kept = _distinct([_trimmed(part) for part in parts])
    text, scanned = _together(kept)
    unread = [reason for part in parts for reason in part.unread]
    if not text and not unread:
        unread.append("it holds no text")
    return Document(
        fact=fact,
        text=text,
        unread="; ".join(dict.fromkeys(unread)),
        missed=next((part.missed for part in parts if part.missed), ""),
        scanned=scanned,
    )


def _items(value: Any) -> list[Mapping[str, Any]]:
    several = value if isinstance(value, list) else [value]
    return [item for item in several if isinstance(item, dict)]


def _attachments(resource: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for content in _items(resource.get("content")):
        yield from _items(content.get("attachment"))
    yield from _items(resource.get("presentedForm"))


def _trimmed(part: _Part) -> _Part:
    """Without the line ends round it; the stretches keep their place in the text that is left."""
    text = part.text.replace("\r\n", "\n")
    kept = text.strip("\n")
    cut = len(text) - len(text.lstrip("\n"))
    scanned = tuple(
        Scanned(start=max(0, s.start - cut), end=min(len(kept), s.end - cut), by=s.by) for s in part.scanned
    )
    return _Part(text=kept, scanned=scanned)


def _distinct(parts: Iterable[_Part]) -> list[_Part]:
    """The texts, each once: `content` repeats a document in several formats (R4 DocumentReference.content)."""
    known: dict[str, _Part] = {}
    for part in parts:
        if part.text.strip():
            known.setdefault(" ".join(part.text.split()), part)
    return list(known.values())


def _together(parts: Sequence[_Part], between: str = "\n\n") -> tuple[str, tuple[Scanned, ...]]:
    """The texts as one, with the stretches of each moved to where it begins."""
    scanned: list[Scanned] = []
    at = 0
    for part in parts:
        scanned += [Scanned(start=s.start + at, end=s.end + at, by=s.by) for s in part.scanned]
        at += len(part.text) + len(between)
    return between.join(part.text for part in parts), tuple(scanned)


# Attachments.


async def _attached(reader: _Reader, attachment: Mapping[str, Any]) -> _Part:
    declared = _string(attachment.get("contentType"))
    title = _string(attachment.get("title")).strip()[:60]
    if attachment.get("data") is not None:
        body = decode_base64(attachment["data"])
        if body is None:
            return _Part(unread=("an attachment's data is not base64",))
        return await _parsed(reader, body, declared, title=title)
    url = _string(attachment.get("url"))
    if not url:
        return _Part(unread=("an attachment has neither data nor url",))
    try:
        fetched = await reader.source.fetch(url)
    except (ChartlineError, ValueError) as fault:
        reason = f"an attachment could not be fetched ({type(fault).__name__})"
        return _Part(unread=(reason,), missed=str(fault) or reason)
    return await _fetched(reader, fetched.body, fetched.content_type or "", declared, title)


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""


async def _fetched(reader: _Reader, body: bytes, served: str, declared: str, title: str) -> _Part:
    """The body of a fetched attachment; a Binary that came as a resource is unpacked (R4 Binary, 2.37.3)."""
    if body.lstrip()[:1] == b"{" and ("json" in served or b'"Binary"' in body[:2000]):
        try:
            binary = orjson.loads(body)
        except orjson.JSONDecodeError:
            binary = None
        if isinstance(binary, dict) and binary.get("resourceType") == "Binary":
            inner = decode_base64(binary.get("data"))
            if inner is None:
                return _Part(unread=("a Binary's data is not base64",))
            return await _parsed(reader, inner, _string(binary.get("contentType")) or declared, title=title)
    general = served.split(";")[0].strip().lower() in _GENERAL
    return await _parsed(reader, body, declared if general else served, title=title)


def decode_base64(data: Any) -> bytes | None:
    """base64Binary as bytes, white space and missing padding allowed; None where it is not base64."""
    if not isinstance(data, str):
        return None
    packed = "".join(data.split())
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


async def _parsed(reader: _Reader, body: bytes, content_type: str, heading: str = "", title: str = "") -> _Part:
    """The text of a file, its pictures read as well. `title` names it where some of it is not read."""
    try:
        found = await reader.parsers.parse(body, content_type)
    except Unreadable as fault:
        return _Part(unread=(_named(title, str(fault)),))
    until = time.monotonic() + _OCR_SECONDS
    pieces = [_Part(text=p) if isinstance(p, str) else await _scan(p, until) for p in found.pieces]
    text, scanned = _together([p for p in pieces if p.text], between="\n\n")
    lead = f"{heading}\n" if heading and text else ""
    moved = tuple(Scanned(start=s.start + len(lead), end=s.end + len(lead), by=s.by) for s in scanned)
    notes = (*found.notes, *(reason for p in pieces for reason in p.unread))
    return _Part(text=lead + text, scanned=moved, unread=tuple(_named(title, n) for n in notes))


def _named(title: str, reason: str) -> str:
    return f"{title!r}: {reason}" if title else reason


async def _scan(scan: Scan, until: float) -> _Part:
    ocr = tesseract()
    if ocr is None:
        return _Part(unread=(f"page {scan.page} is {_NO_OCR}",))
    if time.monotonic() > until:
        return _Part(unread=(_NO_TIME,))
    try:
        text = (await ocr.read(scan.png)).strip()
    except Unreadable as fault:
        return _Part(unread=(f"page {scan.page} is a scan: {fault}",))
    return _Part(text=text, scanned=(Scanned(start=0, end=len(text), by=ocr.name),) if text else ())


# Narratives.


def _narratives(resource: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(heading, XHTML) of the sections, in order and at any depth; of the Composition itself where they have none."""
    told = list(_section_texts(_items(resource.get("section")), 0))
    return told or [("", div) for div in [_div(resource)] if div]


def _section_texts(parts: list[Mapping[str, Any]], depth: int) -> Iterator[tuple[str, str]]:
    for part in parts if depth < _DEPTH else ():
        title = _string(part.get("title")).strip().rstrip(":")
        if div := _div(part):
            yield (f"{title}:" if title else "", div)
        yield from _section_texts(_items(part.get("section")), depth + 1)


def _div(part: Mapping[str, Any]) -> str:
    text = part.get("text")
    return _string(text.get("div")) if isinstance(text, dict) else ""
