"""A series from an archive as one answer (WADO-RS), its files taken in whatever order they are wanted."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from pathlib import Path

from fhir_tools.errors import ChartlineError

__all__ = ["Delivery", "instance_of"]

_READY = 32
"""Files that lie ready before the answer is let rest: an archive's order is mostly, not always, that of the slices."""
_PREAMBLE, _LONG = 128, (b"OB", b"UN")
_GROUP = 4096
"""Bytes in which the file meta information (PS3.10 7.1) names the instance."""


class Delivery:
    """The files of one answer, by SOP Instance UID. It is read on while a file is waited for, or few lie ready.

    It never raises for an answer that is refused or ends early: what has not come is then to be asked for alone.
    """

    def __init__(self, files: AsyncGenerator[Path, None], wanted: Collection[str]) -> None:
        self._files, self._wanted = files, set(wanted)
        self._ready: dict[str, Path] = {}
        self._changed = asyncio.Condition()
        self._waiting, self._over = 0, False
        self._task = asyncio.create_task(self._take_in())

    async def take(self, instance: str) -> Path | None:
        """The file of an instance, which is the caller's then; None where the answer did not bring it."""
        async with self._changed:
            self._waiting += 1
            self._changed.notify_all()
            try:
                await self._changed.wait_for(lambda: instance in self._ready or self._over)
            finally:
                self._waiting -= 1
            self._wanted.discard(instance)
            return self._ready.pop(instance, None)

    async def close(self) -> None:
        """End the answer and remove the files that nobody took."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        for path in self._ready.values():
            path.unlink(missing_ok=True)

    async def _take_in(self) -> None:
        try:
            with contextlib.suppress(ChartlineError):
                async with aclosing(self._files) as files:
                    async for path in files:
                        await self._received(path)
                        if self._wanted <= self._ready.keys():
                            return
        finally:
            async with self._changed:
                self._over = True
                self._changed.notify_all()

    async def _received(self, path: Path) -> None:
        instance = instance_of(path)
        if instance not in self._wanted or instance in self._ready:
            os.unlink(path)
            return
        self._ready[instance] = path
        async with self._changed:
            self._changed.notify_all()
            await self._changed.wait_for(lambda: self._waiting or len(self._ready) < _READY)


def instance_of(path: Path) -> str:
    """The SOP Instance UID by which a file's meta information names it; empty where it has none.

    It only says which file is which. Whether it is the image, the decoding process looks up in the data set.
    """
    with path.open("rb") as file:
        head = file.read(_GROUP)
    at = _PREAMBLE + 4
    while head[_PREAMBLE:at].startswith(b"DICM") and head[at : at + 2] == b"\x02\x00":
        wide = head[at + 4 : at + 6] in _LONG
        begin = at + (12 if wide else 8)
        length = int.from_bytes(head[at + 8 : begin] if wide else head[at + 6 : begin], "little")
        if head[at + 2 : at + 4] == b"\x03\x00":
            return head[begin : begin + length].decode("ascii", "replace").rstrip("\0 ")
        at = begin + length
    return ""
