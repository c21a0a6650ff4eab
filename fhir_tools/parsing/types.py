"""What a parser is given and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits", "Parsed", "Scan", "Unreadable"]


class Unreadable(Exception):
    """A file that cannot be read; the message says why, for a reader, without anything of what it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most that one file may take. `seconds` is by the clock, `memory` the address space of its process in bytes.

    `size` are the file's bytes, `unpacked` those of what is packed in it, `text` characters, `pixels` those of one
    page's picture, `pictures` the bytes of all of them.
    """

    size: int = 50_000_000
    unpacked: int = 100_000_000
    text: int = 2_000_000
    pages: int = 200
    pixels: int = 12_000_000
    pictures: int = 64_000_000
    seconds: float = 20.0
    memory: int = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A page that is a picture: its number, from 1, and the picture as PNG."""

    page: int
    png: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """The text and the pages without text of a file, in order. `notes` say what of it was not read, and why."""

    pieces: tuple[str | Scan, ...] = ()
    notes: tuple[str, ...] = ()
