"""Decoding files in a process of its own: bounded in time and memory, and ended where a file makes it hang or crash."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fhir_tools.errors import ImageError, MissingExtra
from fhir_tools.imaging.decoded import REASONS, Decoded
from fhir_tools.imaging.types import MODEL_SIZE, Box, Burned, Description, Limits, Look
from fhir_tools.imaging.worker import LENGTHS

__all__ = ["Decoders", "File"]

_ROOT = str(Path(__file__).resolve().parents[2])
_START = "import sys; sys.path[:0] = [sys.argv[1]]; from fhir_tools.imaging.worker import main; main()"
_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "PYTHONUTF8": "1",
    # glibc: memory of one slice is kept for the next, rather than given back and cleared again each time
    "MALLOC_MMAP_THRESHOLD_": "32000000",
    "MALLOC_TRIM_THRESHOLD_": "64000000",
}
_KEPT = 2
_PIPE = 1 << 20
"""Bytes of an answer that are taken in before the process that sends them is made to wait."""
_GRACE = 2.0
_COLOURS = 3


class Decoders:
    """Decoding processes, started as they are needed; two are kept for the next file. Closing ends all of them."""

    def __init__(self, limits: Limits, burned: Burned) -> None:
        self.limits, self.burned = limits, burned
        self._idle: list[_Process] = []
        self._all: set[_Process] = set()

    @property
    def processes(self) -> tuple[_Process, ...]:
        """Those that run, each with its `pid`."""
        return tuple(self._all)

    async def close(self) -> None:
        """End the processes."""
        await asyncio.gather(*(process.end() for process in tuple(self._all)))
        self._all.clear()
        self._idle.clear()

    @asynccontextmanager
    async def opened(self, path: Path, look: Look, uids: Mapping[str, str]) -> AsyncIterator[File]:
        """A file, opened; `uids` are those it must have, if it is DICOM (by keyword: StudyInstanceUID, SOPInstanceUID).

        Raises ImageError, MissingExtra. A process that failed is not used again.
        """
        if importlib.util.find_spec("pydicom") is None or importlib.util.find_spec("PIL") is None:
            raise MissingExtra("reading images", "images")
        process = self._idle.pop() if self._idle else await self._started()
        asked = {"path": str(path), "look": look, "burned": self.burned, "uids": dict(uids)}
        try:
            told, _ = await process.ask({"do": "open", "limits": asdict(self.limits), **asked})
            yield File(process, frames=told["frames"], kind=told["kind"])
        finally:
            await self._given_back(process)

    async def _started(self) -> _Process:
        process = await _Process.start(self.limits)
        self._all.add(process)
        return process

    async def _given_back(self, process: _Process) -> None:
        if process.sound and len(self._idle) < _KEPT:
            self._idle.append(process)
        else:
            self._all.discard(process)
            await process.end()


class File:
    """A file that a decoding process has open: its `kind`, and how many `frames` it has."""

    def __init__(self, process: _Process, *, frames: int, kind: str) -> None:
        self._process, self.frames, self.kind = process, frames, kind

    async def read(self, indices: Sequence[int]) -> AsyncGenerator[Decoded, None]:
        """The frames of some indices (from 0), one at a time. Raises ImageError."""
        asked: dict[str, Any] = {"do": "read", "frames": list(indices)}
        for _ in indices:
            told, pixels = await self._process.ask(asked)
            if "end" in told:
                return
            try:
                frame = _decoded(told, pixels)
            except (KeyError, TypeError, ValueError):
                self._process.sound = False
                raise _error("crashed") from None
            yield frame
            asked = {"do": "next"}


def _decoded(told: dict[str, Any], pixels: bytes) -> Decoded:
    """Raises KeyError, TypeError or ValueError for what is no frame."""
    import numpy as np

    said = told["description"]
    said["spacing"] = tuple(said["spacing"]) if said["spacing"] else None
    return Decoded(
        pixels=np.frombuffer(pixels, dtype=np.uint8).reshape(told["shape"]),
        description=Description(**said),
        index=told["index"],
        region=Box(**told["region"]) if told["region"] else None,
        source=tuple(told["source"]) if told["source"] else None,
        masked=told["masked"],
    )


class _Process:
    """One decoding process. `sound` is False once it did not answer as it should."""

    def __init__(self, process: asyncio.subprocess.Process, limits: Limits) -> None:
        self._process, self._seconds = process, limits.seconds
        self._most = max(limits.pixels, MODEL_SIZE**2) * _COLOURS
        self.sound = True

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @classmethod
    async def start(cls, limits: Limits) -> _Process:
        """Without the parent's environment (it may hold credentials), and without a place to write to."""
        bare = _ENVIRONMENT if os.name == "posix" else None
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _START, _ROOT, env=bare, limit=_PIPE,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        return cls(process, limits)

    async def ask(self, asked: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """The answer to a request and its pixels. Raises ImageError for what the process tells, or fails to."""
        sound, self.sound = self.sound, False
        if not sound:
            raise _error("crashed")
        try:
            async with asyncio.timeout(self._seconds):
                told, pixels = await self._exchange(asked)
        except TimeoutError:
            raise _error("slow", f"{self._seconds:g} s") from None
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            raise _error("crashed") from None
        self.sound = True
        if "reason" in told:
            raise _error(told["reason"], told["detail"])
        return told, pixels

    async def _exchange(self, asked: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        into, out = self._process.stdin, self._process.stdout
        assert into is not None and out is not None  # noqa: S101  both are pipes
        into.write(json.dumps(asked).encode() + b"\n")
        await into.drain()
        words, size = LENGTHS.unpack(await out.readexactly(LENGTHS.size))
        if words > _PIPE or size > self._most:  # what has gone wrong in there is not to go wrong here
            raise ConnectionError
        told = json.loads(await out.readexactly(words))
        return told, await out.readexactly(size) if size else b""

    async def end(self) -> None:
        """Close its stream, and kill it where that is not enough."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        if not self.sound:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        try:
            async with asyncio.timeout(_GRACE):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


def _error(reason: str, detail: str = "") -> ImageError:
    words = REASONS.get(reason, REASONS["broken"])
    return ImageError(f"the image cannot be read: {words}" + (f" ({detail})" if detail else ""), reason=reason)
