"""What HTTP says around a body: how it is compressed, and when the server wants to be asked again. Pure."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["Gzip", "UnknownEncoding", "decoder_of", "rest_of"]


class UnknownEncoding(Exception):
    """A Content-Encoding that was not offered."""


class Gzip:
    """Gzip of one or more members, or zlib, decoded a bounded piece at a time: a small body can hide a huge one."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=47)

    @property
    def done(self) -> bool:
        """Whether the last member has come to its end."""
        return self._inner.eof

    def decode(self, chunk: bytes, room: int) -> bytes:
        """What the chunk gives, cut at `room` bytes. Raises ValueError for what is not compressed so."""
        out = b""
        try:
            while chunk and len(out) < room:
                if self._inner.eof:
                    self._inner = zlib.decompressobj(wbits=47)
                out += self._inner.decompress(chunk, room - len(out))
                chunk = self._inner.unconsumed_tail or self._inner.unused_data
        except zlib.error:
            raise ValueError("not gzip") from None
        return out


def decoder_of(encoding: str) -> Gzip | None:
    """The decoder for a Content-Encoding (RFC 9110 8.4); None where there is none. Raises UnknownEncoding."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return None
    if name not in ("gzip", "x-gzip", "deflate"):
        raise UnknownEncoding(name)
    return Gzip()


def rest_of(headers: Mapping[str, str]) -> float | None:
    """The seconds of a Retry-After, a number or a date (RFC 9110 10.2.3); a date by the server's own clock if told."""
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        return float(text)
    until, now = _date(text), _date(headers.get("date", "")) or datetime.now(UTC)
    return max(0.0, (until - now).total_seconds()) if until else None


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
