"""Bytes as characters: by byte order mark, declared charset, UTF-8, and windows-1252 at the last."""

from __future__ import annotations

import codecs
import re

__all__ = ["characters", "is_wide", "plain"]

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\ud800-\udfff]")
_TEXT_CODECS = re.compile(r"(?i)(utf|iso|latin|ascii|us|cp|windows|mac|koi|big5|gb|euc|shift|sjis|hz|tis|ibm|l1|\d)")


def characters(body: bytes, charset: str = "") -> tuple[str, str]:
    """The text, and what was lost of it, empty where nothing was. Raises nothing."""
    marked = next((name for bom, name in _BOMS if body.startswith(bom)), "")
    for name in filter(None, (marked, charset if _TEXT_CODECS.match(charset) else "", "utf-8")):
        try:
            return body.decode(name), ""
        except (LookupError, ValueError, TypeError, AssertionError):
            continue
    text = body.decode("cp1252", errors="replace")
    lost = text.count("\ufffd")
    return text, f"{lost} characters could not be read" if lost else ""


def is_wide(body: bytes, charset: str) -> bool:
    """Whether zero bytes are part of its characters."""
    return charset.lower().startswith(("utf-16", "utf-32", "utf16", "utf32")) or body.startswith(
        (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    )


def plain(text: str) -> str:
    """The text with one kind of line end and page end, and without control characters and lone surrogates."""
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\x0c", "\n\n"))
