"""The process that files are parsed in: `python -m fhir_tools.parsing.worker`.

A request on standard input is a JSON line (`content_type`, `size`, `limits`) and the file; the answer on what was
standard output is a JSON line (`pieces`: text, or a page with the size of its picture; `notes`; or `unreadable`) and
the pictures. The process has no environment to speak of, may not grow past its memory, may not write, start a process
or open a socket, and is killed by the kernel when one file takes more seconds of processor than it may.
"""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import sys
from typing import Any

from fhir_tools.parsing.reading import read
from fhir_tools.parsing.types import Limits, Parsed, Scan, Unreadable

__all__ = ["main"]

_FORBIDDEN = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.remove", "os.rename",
              "os.mkdir", "os.rmdir", "os.symlink", "os.link", "os.truncate", "os.chmod", "os.chown", "shutil.",
              "ctypes.dlsym/handle", "ftplib.", "http.", "urllib.", "smtplib.")  # fmt: skip
"""Audit events (sys.addaudithook) of what a parser has no business doing."""

_PACKAGES = ("pypdfium2.raw", "striprtf.striprtf", "lxml.etree", "zipfile", "PIL.Image", "PIL.ImageOps")


def main() -> None:
    """Answer one request after the other until standard input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)  # a library that prints must not write into the answers, nor patient data into a log
    os.dup2(quiet, 2)
    _warm()
    confined = False
    while header := sys.stdin.buffer.readline():
        request = json.loads(header)
        body = sys.stdin.buffer.read(request["size"])
        limits = Limits(**request["limits"])
        if not confined:
            _confine(limits)
            confined = True
        _allow(limits.seconds)
        reply, pictures = _answer(body, request["content_type"], limits)
        del body
        answers.write(json.dumps(reply).encode() + b"\n")
        for picture in pictures:
            answers.write(picture)
        answers.flush()


def _warm() -> None:
    """Import what parsers need while files may still be opened; a missing package shows when it is needed."""
    for name in _PACKAGES:
        try:
            __import__(name)
        except ImportError:
            continue
    if "PIL.Image" in sys.modules:
        sys.modules["PIL.Image"].init()
    for codec in ("cp1252", "utf-16", "utf-32", "latin-1", "cp437", "idna"):
        "".encode(codec)


def _confine(limits: Limits) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write fails instead of ending the process
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event.startswith(_FORBIDDEN) or (event == "open" and _writes(arguments)):
        raise PermissionError(f"a parser may not do this: {event}")


def _writes(arguments: tuple[Any, ...]) -> bool:
    mode, flags = arguments[1], arguments[2]
    return bool(isinstance(mode, str) and set(mode) & set("wax+")) or bool(
        isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    )


def _allow(seconds: float) -> None:
    """Seconds of processor for the next file, on top of those used so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime + seconds) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))


def _answer(body: bytes, content_type: str, limits: Limits) -> tuple[dict[str, Any], tuple[bytes, ...]]:
    try:
        found = read(body, content_type, limits)
    except Unreadable as fault:
        return {"unreadable": str(fault)}, ()
    except ModuleNotFoundError as fault:
        return {"missing": str(fault.name)}, ()
    except MemoryError:
        return {"unreadable": "the file needs more memory than it may have"}, ()
    except RecursionError:
        return {"unreadable": "the file is nested too deeply"}, ()
    except Exception as fault:  # noqa: BLE001  a parser can raise anything for a broken file
        return {"unreadable": f"the file is broken ({type(fault).__name__})"}, ()
    return _packed(found)


def _packed(found: Parsed) -> tuple[dict[str, Any], tuple[bytes, ...]]:
    pieces = [p if isinstance(p, str) else {"page": p.page, "size": len(p.png)} for p in found.pieces]
    return {"pieces": pieces, "notes": found.notes}, tuple(p.png for p in found.pieces if isinstance(p, Scan))


if __name__ == "__main__":
    sys.stdin = io.TextIOWrapper(os.fdopen(0, "rb"))
    main()
