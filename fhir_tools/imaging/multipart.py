"""multipart/related as it comes from an archive (RFC 2046 5.1, RFC 2387; PS3.18 8.6.1.2), without holding a part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from email.message import Message

__all__ = ["Broken", "Multipart", "boundary_of"]

_HEAD = 16_384
"""The longest head of a part, in bytes."""


class Broken(Exception):
    """The body is not multipart as its boundary says, or ends too early."""


def boundary_of(content_type: str) -> bytes | None:
    """The boundary of a multipart Content-Type; None where it is of another type. Raises Broken for a bad boundary."""
    message = Message()
    message["content-type"] = " ".join(content_type.split())
    if message.get_content_maintype() != "multipart":
        return None
    told = message.get_param("boundary")
    if not isinstance(told, str) or not 0 < len(told) <= 200 or not told.isascii():  # 70 by RFC 2046; some send more
        raise Broken
    return told.encode("ascii")


class Multipart:
    """A parser that is fed pieces of a body, cut anywhere.

    `feed` gives in order: the headers of a part (a mapping, names in lower case), pieces of its content (bytes), and
    None at its end.
    """

    def __init__(self, boundary: bytes) -> None:
        self._mark = b"\r\n--" + boundary
        self._buffer = bytearray(b"\r\n")  # the first boundary may stand at the very beginning
        self._step = self._preamble
        self._done = False

    def feed(self, data: bytes) -> Iterator[Mapping[str, str] | bytes | None]:
        """What the next piece gives. Raises Broken."""
        self._buffer += data
        while True:
            before = (self._step, len(self._buffer))
            yield from self._step()
            if (self._step, len(self._buffer)) == before:
                return

    def close(self) -> None:
        """Raises Broken where the body has not come to its last boundary."""
        if not self._done:
            raise Broken

    def _preamble(self) -> Iterator[Mapping[str, str] | bytes | None]:
        yield from ()
        if (at := self._found()) is not None:
            del self._buffer[:at]
            self._step = self._boundary
        else:
            del self._buffer[: max(0, len(self._buffer) - len(self._mark))]

    def _found(self, start: int = 0) -> int | None:
        at = self._buffer.find(self._mark, start)
        return at if at >= 0 else None

    def _boundary(self) -> Iterator[Mapping[str, str] | bytes | None]:
        """Behind a boundary: the end of the body (`--`), or, behind padding, the head of a part."""
        yield from ()
        rest = self._buffer[len(self._mark) : len(self._mark) + _HEAD]
        if len(rest) < 2:
            return
        if rest.startswith(b"--"):
            self._done, self._step = True, self._epilogue
            return
        line = rest.find(b"\r\n")
        if line >= 0 and not rest[:line].strip(b" \t"):
            del self._buffer[: len(self._mark) + line]
            self._step = self._head
        elif line >= 0 or rest.strip(b" \t\r"):
            raise Broken

    def _head(self) -> Iterator[Mapping[str, str] | bytes | None]:
        """The buffer begins with the line end before the headers; a part may have none."""
        end = self._buffer.find(b"\r\n\r\n")
        if end > _HEAD or (end < 0 and len(self._buffer) > _HEAD + 4):
            raise Broken
        if end < 0:
            return
        lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines if line)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        del self._buffer[: end + 2]  # the line end before a boundary may be the empty line's own
        self._step = self._begin
        yield headers

    def _begin(self) -> Iterator[Mapping[str, str] | bytes | None]:
        yield from ()
        if len(self._buffer) < len(self._mark):
            return
        if not self._buffer.startswith(self._mark):
            del self._buffer[:2]
        self._step = self._content

    def _content(self) -> Iterator[Mapping[str, str] | bytes | None]:
        at = self._found()
        ready = at if at is not None else max(0, len(self._buffer) - len(self._mark) + 1)
        if ready:
            yield bytes(self._buffer[:ready])
            del self._buffer[:ready]
        if at is not None:
            self._step = self._boundary
            yield None

    def _epilogue(self) -> Iterator[Mapping[str, str] | bytes | None]:
        yield from ()
        self._buffer.clear()
