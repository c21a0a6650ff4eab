"""Processes that parse files, kept for the next file, ended when one takes too long or breaks."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import lru_cache
from typing import IO, Any

import orjson

from fhir_tools.errors import MissingExtra
from fhir_tools.parsing.characters import characters, plain
from fhir_tools.parsing.kinds import declared, kind_of
from fhir_tools.parsing.reading import read
from fhir_tools.parsing.types import Limits, Parsed, Scan, Unreadable

__all__ = ["Parsers", "parsers"]

_HERE = 32_000
"""Bytes of HTML that are read in this process: no markup of that size takes it a tenth of a second."""
_FILES = 200
"""Files after which a process is replaced, so that what a parser leaks does not add up."""
_START = 10.0
"""Seconds more for the first file of a process: it has to start."""
_CHUNK = 1 << 16
_OVERHEAD = 1_000_000


class Parsers:
    """Parses files in at most `workers` processes at once. `close` ends them; so does the end of the program."""

    def __init__(self, *, limits: Limits | None = None, workers: int = 0) -> None:
        self.limits = limits or Limits()
        self._threads = ThreadPoolExecutor(max_workers=workers or min(4, os.cpu_count() or 1))
        self._idle: list[_Worker] = []
        self._lock = threading.Lock()
        self._closed = False

    async def parse(self, body: bytes, content_type: str = "") -> Parsed:
        """The text and pages of a file. Raises Unreadable with the reason where there is none to be had."""
        if len(body) > self.limits.size:
            raise Unreadable(f"the file is larger than {self.limits.size // 1_000_000} MB")
        kind = kind_of(body, content_type)
        if kind == "text" and len(body) <= self.limits.text:
            text, lost = characters(body, declared(content_type)[1])
            return Parsed(pieces=(plain(text),), notes=(lost,) if lost else ())
        if kind == "unread" or (kind == "html" and len(body) <= _HERE):
            return read(body, content_type, self.limits)
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._parse, body, content_type)

    def _parse(self, body: bytes, content_type: str) -> Parsed:
        worker = self._taken()
        try:
            reply, pictures = worker.ask(body, content_type, self.limits)
            found = _unpacked(reply, pictures)
        except (TimeoutError, OSError, ValueError, KeyError, TypeError) as fault:
            worker.end()
            slow = isinstance(fault, TimeoutError)
            raise Unreadable(
                "the file takes too long to read" if slow else "the file needs more time or memory than it may have"
            ) from None
        except BaseException:
            self._back(worker)
            raise
        self._back(worker)
        return found

    def _taken(self) -> _Worker:
        with self._lock:
            return self._idle.pop() if self._idle else _Worker()

    def _back(self, worker: _Worker) -> None:
        with self._lock:
            if worker.files < _FILES and not self._closed:
                self._idle.append(worker)
                return
        worker.end()

    def close(self) -> None:
        """End the processes. What is still being parsed is ended with its file."""
        with self._lock:
            self._closed, idle, self._idle = True, self._idle, []
        for worker in idle:
            worker.end()
        self._threads.shutdown(wait=False, cancel_futures=True)


class _Worker:
    """One process, which is asked for one file at a time."""

    def __init__(self) -> None:
        # No environment but the way to the packages: it may hold secrets, and the process reads hostile files.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "fhir_tools.parsing.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"},
            cwd="/",
            start_new_session=True,
        )
        self.files = 0
        for pipe in (self._in, self._out):
            os.set_blocking(pipe.fileno(), False)

    @property
    def _in(self) -> IO[bytes]:
        return self._process.stdin  # type: ignore[return-value]

    @property
    def _out(self) -> IO[bytes]:
        return self._process.stdout  # type: ignore[return-value]

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, body: bytes, content_type: str, limits: Limits) -> tuple[Mapping[str, Any], bytes]:
        """The answer and its pictures. Raises TimeoutError, or OSError or ValueError where the process broke."""
        until = time.monotonic() + limits.seconds + (0 if self.files else _START)
        self.files += 1
        header = {"content_type": content_type, "size": len(body), "limits": asdict(limits)}
        self._send(orjson.dumps(header) + b"\n", until)
        self._send(body, until)
        buffer = bytearray()
        most = limits.text * 6 + _OVERHEAD  # a character is six bytes at most as JSON writes it
        while (end := buffer.find(b"\n")) < 0:
            self._receive(buffer, until, most)
        reply = orjson.loads(bytes(buffer[:end]))
        del buffer[: end + 1]
        size = sum(p["size"] for p in reply.get("pieces", ()) if isinstance(p, dict))
        while len(buffer) < size:
            self._receive(buffer, until, limits.pictures * 2 + _OVERHEAD)
        return reply, bytes(buffer)

    def _send(self, data: bytes, until: float) -> None:
        view = memoryview(data)
        while view:
            self._wait(self._in, selectors.EVENT_WRITE, until)
            with contextlib.suppress(BlockingIOError):
                view = view[os.write(self._in.fileno(), view[:_CHUNK]) :]

    def _receive(self, buffer: bytearray, until: float, most: int) -> None:
        self._wait(self._out, selectors.EVENT_READ, until)
        data = os.read(self._out.fileno(), _CHUNK)
        if not data or len(buffer) > most:
            raise ValueError("the process ended, or answers without end")
        buffer += data

    def _wait(self, pipe: IO[bytes], event: int, until: float) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, event)
            if not selector.select(max(0.0, until - time.monotonic())):
                raise TimeoutError

    def end(self) -> None:
        """Kill the process and let it go."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._in, self._out):
            with contextlib.suppress(OSError):
                pipe.close()


def _unpacked(reply: Mapping[str, Any], pictures: bytes) -> Parsed:
    """Raises Unreadable where the answer says so; what is no answer raises ValueError, KeyError or TypeError."""
    if "missing" in reply:
        raise Unreadable(str(MissingExtra("reading this kind of document", "documents")))
    if "unreadable" in reply:
        raise Unreadable(str(reply["unreadable"]))
    return Parsed(pieces=_pieces(reply["pieces"], pictures), notes=tuple(map(str, reply["notes"])))


def _pieces(pieces: Sequence[Any], pictures: bytes) -> tuple[str | Scan, ...]:
    out, at = list[str | Scan](), 0
    for piece in pieces:
        if isinstance(piece, str):
            out.append(piece)
        else:
            out.append(Scan(page=int(piece["page"]), png=pictures[at : at + int(piece["size"])]))
            at += int(piece["size"])
    return tuple(out)


def parsers() -> Parsers:
    """The parsers that this process shares, begun when they are first needed. A fork has its own."""
    return _shared(os.getpid())


@lru_cache(maxsize=1)
def _shared(pid: int) -> Parsers:
    made = Parsers()
    atexit.register(made.close)
    return made
