"""The frames of an image, one at a time: files are brought ahead in order, decoded elsewhere, and let go."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from itertools import accumulate
from pathlib import Path

from fhir_tools.errors import ChartlineError, ImageError
from fhir_tools.imaging.access import Access
from fhir_tools.imaging.bringing import Bringer
from fhir_tools.imaging.choosing import Item, from_archive, from_chart, picker
from fhir_tools.imaging.decoded import Decoded
from fhir_tools.imaging.types import Box, Choice, Frame, Image, Look, Missed

__all__ = ["frames"]

_AHEAD = 4
"""Files that are brought while one is decoded."""
_ALL = Choice()
_BURNED = "the image may hold text in its pixels, about the patient too"
_MASKED = "what lies outside of the scan was blacked out: it may hold text about the patient"


async def frames(
    image: Image,
    access: Access,
    *,
    choose: Choice = _ALL,
    look: Look = "model",
    missed: Callable[[Missed], None] | None = None,
) -> AsyncGenerator[Frame, None]:
    """The frames of an image in order: series by number, slices by where they lie, pages and patches as they come.

    With `missed`, a file that cannot be read is told to it and passed over; without it that raises ImageError (what,
    and the remedy), SourceError (the server or archive) or MissingExtra. That nothing at all can be read always raises.
    """
    listed = await _items(image, access)
    items = [item for item in listed if choose.series in ("", item.series) and choose.instance in ("", item.instance)]
    if not items:
        raise ImageError("the image has no such series or instance", reason="frame")
    reader, given, last = _Reader(image, access, choose, look, items), 0, ""
    async with aclosing(reader.read()) as read:
        async for found in read:
            if isinstance(found, Frame):
                given += 1
                yield found
            elif missed is None:
                raise found
            else:
                last = str(found)
                missed(Missed(what=reader.where, why=last))
    if not given:
        raise ImageError(last or "the image has no such frame", reason="frame")


async def _items(image: Image, access: Access) -> Sequence[Item]:
    """The files of an image: those that the chart lists, else those that its archive does."""
    if image.unreadable:
        raise ImageError(f"{image.unreadable}: ask the imaging department for it", reason="nowhere")
    listed = from_chart(image)
    if image.uid:  # read before its pixels are, so that who keeps a record of requests has it there
        await access.source.read(image.reference)
    if listed is None:
        places = (*image.places, *(place for series in image.series for place in series.places))
        place = next((place for place in places if place.way == "wado-rs"), None)
        if place is None:
            raise ImageError("neither the chart nor an archive lists the study's files", reason="nowhere")
        archive = access.archives.at(place.address, access.limits)
        series, instances = await asyncio.gather(archive.series(image.uid), archive.instances(image.uid))
        listed = from_archive(image, series, instances)
    if len(listed) > access.limits.instances:
        most = access.limits.instances
        raise ImageError(f"the study has {len(listed):,} files, and {most:,} are the most", reason="large")
    return listed


class _Reader:
    """Reads the files of one image in order. `where` names the one under way, for what is said of it."""

    def __init__(self, image: Image, access: Access, choose: Choice, look: Look, items: Sequence[Item]) -> None:
        self._image, self._access, self._look, self._items = image, access, look, items
        self._picker = picker(choose, items)
        self._known = all(item.frames for item in items)
        self._counts = [item.frames or 1 for item in items]
        self._at, self._first = 0, 1
        self.where = ""

    async def read(self) -> AsyncGenerator[Frame | ChartlineError, None]:
        """The frames that are wanted; in place of a file that cannot be read, the error."""
        async with aclosing(self._brought()) as brought:
            async for at, path in brought:
                self._advance(at)
                self.where = f"file {at + 1} of {len(self._items)}"
                try:
                    if isinstance(path, ChartlineError):
                        raise path
                    async with aclosing(self._frames(at, path)) as frames_:
                        async for frame in frames_:
                            yield frame
                except ChartlineError as fault:
                    yield fault
                finally:
                    if isinstance(path, Path):
                        path.unlink(missing_ok=True)

    def _advance(self, at: int) -> None:
        """Know the number of the first frame of the file at `at`: files are met in order."""
        while self._at < at:
            self._first += self._counts[self._at]
            self._at += 1

    async def _brought(self) -> AsyncGenerator[tuple[int, Path | ChartlineError], None]:
        """The files that may be needed, in order, some of them under way ahead."""
        needed = self._needed()
        bringer = Bringer(self._image, self._access, self._items, (self._items[at] for at in needed))
        rest, waiting = iter(needed), deque[tuple[int, asyncio.Task[Path]]]()
        try:
            while True:
                while len(waiting) < _AHEAD and (at := next(rest, None)) is not None:
                    waiting.append((at, asyncio.create_task(bringer.bring(self._items[at]))))
                if not waiting:
                    return
                at, task = waiting.popleft()
                try:
                    found: Path | ChartlineError = await task
                except ChartlineError as fault:
                    found = fault
                yield at, found
        finally:
            for _, task in waiting:
                task.cancel()
            for left in await asyncio.gather(*(task for _, task in waiting), return_exceptions=True):
                if isinstance(left, Path):
                    left.unlink(missing_ok=True)
            await bringer.close()

    def _needed(self) -> list[int]:
        firsts = accumulate(self._counts, initial=1)
        told = [item.frames if self._known else None for item in self._items]
        return [
            at
            for at, (first, count) in enumerate(zip(firsts, told, strict=False))
            if self._picker.may_need(at, first, count)
        ]

    async def _frames(self, at: int, path: Path) -> AsyncGenerator[Frame, None]:
        item = self._items[at]
        uids = {"StudyInstanceUID": self._image.uid, "SOPInstanceUID": item.instance} if item.instance else {}
        async with self._access.decoders.opened(path, self._look, uids) as file:
            self._counts[at] = file.frames
            picks = self._picker.picks(at, self._first, file.frames)
            async with aclosing(file.read(picks)) as decoded:
                async for one in decoded:
                    yield self._frame(item, one)

    def _frame(self, item: Item, one: Decoded) -> Frame:
        height, width = one.pixels.shape[:2]
        told = _MASKED if one.masked else _BURNED if one.description.burned else ""
        return Frame(
            pixels=one.pixels,
            description=one.description,
            reference=self._image.reference,
            region=one.region or Box(left=0, top=0, right=width, bottom=height),
            source=one.source or (width, height),
            number=self._first + one.index,
            of=sum(self._counts) if self._known or len(self._items) == 1 else 0,
            series=item.series,
            instance=item.instance,
            frame=one.index + 1,
            warnings=(told,) if told else (),
        )
