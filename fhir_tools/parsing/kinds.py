"""What a file is: by its first bytes, then by what it says it is."""

from __future__ import annotations

import re
from email.message import Message
from typing import Literal

from fhir_tools.parsing.characters import characters, is_wide

__all__ = ["Kind", "declared", "kind_of"]

Kind = Literal["text", "html", "pdf", "rtf", "zip", "xml", "image", "unread"]
"""`zip` and `xml` are told apart further where they are read (DOCX, C-CDA); `unread` is for the rest."""

_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"%PDF-", "pdf"),
    (b"{\\rtf", "rtf"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x89PNG", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"II*\x00", "image"),
    (b"MM\x00*", "image"),
    (b"II+\x00", "image"),
    (b"MM\x00+", "image"),
    (b"GIF8", "image"),
    (b"BM", "image"),
    (b"RIFF", "image"),
    (b"\xd0\xcf\x11\xe0", "unread"),
    (b"\x1f\x8b", "unread"),
)
_CONFIRMED = {b"BM": re.compile(rb"BM.{4}\0{4}", re.DOTALL), b"RIFF": re.compile(rb"RIFF.{4}WEBP", re.DOTALL)}
"""Marks that plain text could begin with need more than themselves."""
_HTML = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?(?:<!doctype html|<html|<(?:div|body|p|h[1-6]|table|span)[\s>])",
    re.IGNORECASE | re.DOTALL,
)
_CDA = re.compile(r"<(?:\w+:)?ClinicalDocument[\s>]")
_MARKUP = re.compile(r"\s*<(?:\?xml|!DOCTYPE|[A-Za-z][\w:.-]*[\s>])")
_TEXTUAL = ("", "text/plain", "application/octet-stream", "text/markdown", "text/x-markdown", "text/csv")
_HEAD = 4096
_PDF_HEAD = 1024
"""Readers take a PDF whose mark stands within its first 1,024 bytes (ISO 32000-1, annex H.3.4.1)."""


def kind_of(body: bytes, content_type: str = "") -> Kind:
    """What the bytes are. Markup that was declared as plain text, and is neither HTML nor a C-CDA, stays text."""
    magic = next((k for m, k in _MAGIC if body.startswith(m) and _is_confirmed(m, body)), None)
    if magic:
        return magic
    if b"%PDF-" in body[:_PDF_HEAD]:
        return "pdf"
    type_, charset = declared(content_type)
    head = characters(body[:_HEAD], charset)[0]
    if _CDA.search(head):
        return "xml"
    if _HTML.match(head) or type_ in ("text/html", "application/xhtml+xml"):
        return "html"
    if _MARKUP.match(head) and type_ not in ("text/plain", ""):
        return "xml"
    if type_ not in _TEXTUAL or (b"\x00" in body and not is_wide(body, charset)):
        return "unread"
    return "text"


def _is_confirmed(magic: bytes, body: bytes) -> bool:
    return magic not in _CONFIRMED or bool(_CONFIRMED[magic].match(body))


def declared(content_type: str) -> tuple[str, str]:
    """The type and charset of a content type; empty where it says none or cannot be read."""
    message = Message()
    try:
        message["content-type"] = " ".join(content_type.split())
        charset = message.get_param("charset")
        kind = message.get_content_type() if content_type.strip() else ""
    except (ValueError, LookupError, IndexError):
        return "", ""
    return kind, charset if isinstance(charset, str) else ""
