"""The bytes of an attachment → plain text: what it is by its first bytes, then by what it says it is.

Nothing here raises: what cannot be read comes back as a reason. Line ends become `\\n`; HTML loses its tags, scripts
and styles and keeps its blocks as lines (R4 2.4 narrative, 2.1.28.0.9 Attachment).
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from email.message import Message
from html.parser import HTMLParser
from typing import Any

__all__ = ["decode_base64", "html_text", "text_of"]

_MAGIC = (
    (b"%PDF-", "application/pdf"),
    (b"{\\rtf", "text/rtf"),
    (b"PK\x03\x04", "a zipped office file"),
    (b"\xd0\xcf\x11\xe0", "application/msword"),
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"\x1f\x8b", "application/gzip"),
)
_HTML = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!doctype html|<html|<(?:div|body|p|h[1-6]|table|span)[\s>])", re.IGNORECASE
)
_MARKUP = re.compile(rb"\s*<(?:\?xml|[A-Za-z][\w:.-]*[\s>])")
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")


def text_of(body: bytes, content_type: str = "") -> tuple[str, str]:
    """The text of an attachment, and why (some of) it could not be read, empty when it is whole."""
    declared, charset = _declared(content_type)
    found = next((name for magic, name in _MAGIC if body.startswith(magic)), "")
    if found:
        return "", f"{found} is not read yet"
    if _HTML.match(body[:512]) or declared in ("text/html", "application/xhtml+xml"):
        text, lost = _characters(body, charset)
        plain, broken = html_text(text)
        return plain, "; ".join(filter(None, (lost, broken)))
    if _MARKUP.match(body[:512]) and declared not in ("text/plain", ""):
        return "", f"{declared} is not read yet"
    if not _textual(declared) or (b"\x00" in body and not _wide(body, charset)):
        return "", f"{declared or 'this kind of content'} is not read yet"
    text, lost = _characters(body, charset)
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\x0c", "\n\n")), lost


def decode_base64(data: Any) -> bytes | None:
    """base64Binary as bytes, white space and missing padding allowed; None where it is not base64."""
    if not isinstance(data, str):
        return None
    packed = "".join(data.split())
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _declared(content_type: str) -> tuple[str, str]:
    message = Message()
    try:
        message["content-type"] = " ".join(content_type.split())
        charset = message.get_param("charset")
        kind = message.get_content_type() if content_type.strip() else ""
    except (ValueError, LookupError, IndexError):
        return "", ""
    return kind, charset if isinstance(charset, str) else ""


def _textual(declared: str) -> bool:
    return declared in ("", "text/plain", "application/octet-stream", "text/markdown", "text/x-markdown", "text/csv")


def _wide(body: bytes, charset: str) -> bool:
    return charset.lower().startswith(("utf-16", "utf-32", "utf16", "utf32")) or body.startswith(
        (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    )


def _characters(body: bytes, charset: str) -> tuple[str, str]:
    """The bytes as characters: by byte order mark, declared charset, UTF-8, and windows-1252 at the last."""
    marked = next((name for bom, name in _BOMS if body.startswith(bom)), "")
    for name in filter(None, (marked, charset, "utf-8")):
        try:
            return codecs.decode(body, name), ""
        except (LookupError, ValueError, TypeError, AssertionError):
            continue
    text = body.decode("cp1252", errors="replace")
    lost = text.count("\ufffd")
    return text, f"{lost} characters could not be read" if lost else ""


_BLOCKS = frozenset(
    """address article aside blockquote body caption dd div dl dt fieldset figure footer form h1 h2 h3 h4 h5 h6 header
    hr li main nav ol p pre section table tbody tfoot thead tr ul""".split()
)
_SILENT = frozenset(("script", "style", "template", "noscript", "head"))


class _Reader(HTMLParser):
    """Collects the text a reader sees; a block element stands on lines of its own."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent: list[str] = []
        self._kept = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
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

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _SILENT:  # XHTML may close a script at once
            self.handle_starttag(tag, attrs)
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._silent:
            del self._silent[self._silent.index(tag) :]
        elif tag in _BLOCKS:
            self._kept -= tag == "pre" and self._kept > 0
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data if self._kept else re.sub(r"\s+", " ", data))


def html_text(markup: str) -> tuple[str, str]:
    """HTML or XHTML as plain lines, and what was wrong with it. Cells of a row are parted by a bar."""
    reader = _Reader()
    broken = ""
    try:
        reader.feed(markup)
        reader.close()
    except (AssertionError, ValueError):  # html.parser asserts on some broken declarations
        broken = "the HTML is broken and was read in part"
    text = _CONTROLS.sub("", "".join(reader.parts).replace("\r", "\n"))
    lines = (re.sub(r" *\t *", " | ", re.sub(r"[ \xa0]+", " ", line).strip()).strip(" |") for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip(), broken
