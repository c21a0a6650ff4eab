"""The decoding process: opens one file at a time and sends its frames. Started and ended by `decoding`.

Decoders are large and the files they read come from anywhere. Here one may crash, hang or want all memory, and the
rest goes on; and tags stay here: what is sent are pixels, figures and words of a fixed vocabulary. Nothing is written
but to the parent.

Requests are JSON, one a line: {"do": "open", …}, {"do": "read", "frames": [index, …]} for the first frame of some,
{"do": "next"} for each one after it. Each answer is two lengths (4 bytes each, big endian), then JSON, then pixels.
"""

from __future__ import annotations

import contextlib
import json
import logging
import struct
import sys
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from fhir_tools.imaging.decoded import Decoded, Opened, Unreadable
from fhir_tools.imaging.dicom import is_dicom, open_dicom
from fhir_tools.imaging.pictures import open_picture
from fhir_tools.imaging.slides import open_slide
from fhir_tools.imaging.types import Limits

__all__ = ["LENGTHS", "main"]

LENGTHS = struct.Struct(">II")
_HEAD = 4096
_PIPE = 1 << 20
_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_SEALED = (b"-----BEGIN", b"Salted__", b"\x30\x80\x06\x09\x2a\x86\x48", b"\x30\x82", b"\x30\x83", b"\x30\x84")
"""PGP, openssl enc, and CMS envelopes (RFC 5652; the secure media of PS3.15 annex D)."""


def main() -> None:
    """Serve requests until the parent closes the stream."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    _bound()
    opened: Opened | None = None
    frames: Iterator[Decoded] = iter(())
    left = 0
    source, out = sys.stdin.buffer, sys.stdout.buffer
    _widen(out)
    while line := source.readline():
        asked = json.loads(line)
        try:
            if asked["do"] == "open":
                opened = _open(asked)
                _send(out, {"frames": opened.frames, "kind": opened.kind})
            else:
                if asked["do"] == "read" and opened is not None:
                    frames, left = opened.read(asked["frames"]), len(asked["frames"])
                _send_frame(out, next(frames, None))
                left -= 1
                frames = frames if left else iter(())  # it is not asked for more, and lets go of the file
        except Unreadable as fault:
            _send(out, {"reason": fault.reason, "detail": fault.detail})
        except BaseException as fault:  # noqa: BLE001  whatever a decoder raises: its words may hold what the file does
            _send(out, {"reason": _reason(fault), "detail": ""})


def _bound() -> None:
    """No files are written and memory is bounded, where the system can do that."""
    try:
        import resource
    except ImportError:  # not POSIX
        return
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would be a copy of the pixels


def _widen(out: BinaryIO) -> None:
    """Let a whole slice lie in the pipe, so that it is written at one go while the parent does other things."""
    with contextlib.suppress(ImportError, AttributeError, OSError):  # Linux alone can, and not beyond a user's share
        import fcntl

        fcntl.fcntl(out, fcntl.F_SETPIPE_SZ, _PIPE)


def _allow(memory: int) -> None:
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _open(asked: dict[str, Any]) -> Opened:
    """What a file is, by its first bytes."""
    path, limits = Path(asked["path"]), Limits(**asked["limits"])
    _allow(limits.memory)
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if is_dicom(head):
        opened = open_dicom(path, limits, asked["look"], asked["burned"], asked["uids"])
        slide = open_slide(path) if opened.is_slide else None
        return slide or opened
    if head.startswith(_TIFF) and (slide := open_slide(path)):
        return slide
    if head.startswith(_SEALED):
        raise Unreadable("encrypted")
    return open_picture(path, limits)


def _reason(fault: BaseException) -> str:
    if isinstance(fault, MemoryError):
        return "memory"
    if isinstance(fault, ImportError):
        return "package"
    words = str(fault).lower()
    if isinstance(fault, NotImplementedError) or "missing dependencies" in words or "no available" in words:
        return "codec"
    short = ("truncated", "end of", "cannot reshape", "less data", "is less than", "shorter", "unexpected end")
    return "short" if isinstance(fault, EOFError) or any(word in words for word in short) else "broken"


def _send_frame(out: BinaryIO, frame: Decoded | None) -> None:
    if frame is None:
        _send(out, {"end": True})
        return
    told = {
        "index": frame.index,
        "shape": frame.pixels.shape,
        "description": asdict(frame.description),
        "region": asdict(frame.region) if frame.region else None,
        "source": frame.source,
        "masked": frame.masked,
    }
    _send(out, told, memoryview(frame.pixels if frame.pixels.flags.c_contiguous else frame.pixels.copy()).cast("B"))


def _send(out: BinaryIO, told: dict[str, Any], pixels: memoryview | bytes = b"") -> None:
    words = json.dumps(told).encode()
    out.write(LENGTHS.pack(len(words), len(pixels)))
    out.write(words)
    out.write(pixels)
    out.flush()
