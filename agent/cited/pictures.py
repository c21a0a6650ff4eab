"""The images of a cited resource, opened so that one frame after the other can be shown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from agent.chart import Chart
from agent.errors import NotFound, SourceError
from fhir_tools.imaging import Access, Choice, Frame, Image, find, frames
from fhir_tools.imaging import studies as of
from fhir_tools.imaging.preparing import caption, png
from fhir_tools.source import Source
from fhir_tools.types import Reference

__all__ = ["Pictured", "Study", "images_in", "open_study"]

_READERS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[Image]]] = {
    "ImagingStudy": lambda r: of.of_study(r, {}),
    "Media": of.of_media,
    "DocumentReference": of.of_document,
    "DiagnosticReport": of.of_report,
    "Observation": of.of_observation,
}


def images_in(resource: Mapping[str, Any]) -> tuple[Image, ...]:
    """The images that a resource is or holds; whether their pixels can be read is not known by this."""
    reader = _READERS.get(str(resource.get("resourceType")))
    return tuple(reader(resource)) if reader else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictured:
    """A frame as PNG. `frame` has its size, its place among the frames of the image, and what is said of it."""

    data: bytes = field(repr=False)
    frame: Frame = field(repr=False)
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """An image of the chart and the way to its pixels."""

    image: Image
    access: Access = field(repr=False)

    async def frame(self, number: int) -> Pictured:
        """A frame by its number from 1. Raises ImageError (`frame` where there is none of it), SourceError."""
        choice = Choice(frames=(number,))
        async with aclosing(frames(self.image, self.access, choose=choice, look="display")) as reading:
            frame = await anext(reading)
        data = await asyncio.to_thread(png, frame)
        return Pictured(data=data, frame=frame, caption=caption(frame.description, frame.number, frame.of))


@asynccontextmanager
async def open_study(
    chart: Chart, reference: Reference, path: str, access: Callable[[Source], AbstractAsyncContextManager[Access]]
) -> AsyncIterator[Study]:
    """An image of the chart by the resource, and the element of it that holds it where it holds several.

    Raises NotFound for what is no image of this chart, SourceError where that cannot be known.
    """
    found = await find(chart.source, as_of=chart.as_of)
    own = [i for i in found.images if i.reference == reference and i.standing == "fact"]
    image = next((i for i in own if i.path == path), own[0] if own else None)
    if image is None and not found.complete:
        raise SourceError("whether the chart has that image is not known: not all of it could be read")
    if image is None:
        raise NotFound("this patient's chart has no such image", status=404)
    async with access(chart.source) as opened:
        yield Study(image=image, access=opened)
