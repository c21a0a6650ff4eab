"""The bytes of one file of an image, from where the chart says they are, into a file of the private folder."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from fhir_tools.documents.reading import decode_base64
from fhir_tools.errors import ChartlineError, ImageError
from fhir_tools.imaging.access import Access
from fhir_tools.imaging.choosing import Item
from fhir_tools.imaging.delivery import Delivery
from fhir_tools.imaging.types import Image, Place
from fhir_tools.imaging.web import not_kept

__all__ = ["Bringer"]

_SOME = 4
"""Files from which on a series is asked for as a whole."""
_STEP = re.compile(r"([A-Za-z]+)(?:\[(\d+)\])?")


class Bringer:
    """Brings the files of one image, each when it is asked for; closing it removes those that came and nobody took.

    A series of several files that are all wanted is asked for as one answer: each request costs as much as some slices
    do. What that does not bring is asked for alone. `wanted` are those of the image's `listed` files that will be read.
    """

    def __init__(self, image: Image, access: Access, listed: Iterable[Item], wanted: Iterable[Item]) -> None:
        self._image, self._access = image, access
        self._together = _together(listed, wanted)
        self._deliveries: dict[tuple[str, str], Delivery] = {}

    async def bring(self, item: Item) -> Path:
        """The file, which is the caller's then, from the first place that gives it. Raises the first place's error."""
        first: ChartlineError | None = None
        for place in item.places:
            try:
                if place.way == "attachment":
                    return await _attachment(place, self._access)
                return await self._archived(place, item)
            except ChartlineError as fault:
                first = first or fault
        raise first or ImageError("the chart does not say where the image's pixels are", reason="nowhere")

    async def close(self) -> None:
        """End the answers that are under way."""
        await asyncio.gather(*(delivery.close() for delivery in self._deliveries.values()))

    async def _archived(self, place: Place, item: Item) -> Path:
        archive, study = self._access.archives.at(place.address, self._access.limits), self._image.uid
        if place.way == "wado-uri":
            return await archive.by_uri(study, item.series, item.instance, self._access.folder)
        if item.series in self._together:
            key = place.address, item.series
            if key not in self._deliveries:
                files = archive.files(study, item.series, self._access.folder)
                self._deliveries[key] = Delivery(files, self._together[item.series])
            if path := await self._deliveries[key].take(item.instance):
                return path
        return await archive.file(study, item.series, item.instance, self._access.folder)


def _together(listed: Iterable[Item], wanted: Iterable[Item]) -> dict[str, list[str]]:
    """The series whose every file is wanted, with their instances."""
    counts, found = Counter(item.series for item in listed), defaultdict[str, list[str]](list)
    for item in wanted:
        if item.series and item.instance:
            found[item.series].append(item.instance)
    return {series: uids for series, uids in found.items() if len(uids) == counts[series] >= _SOME}


async def _attachment(place: Place, access: Access) -> Path:
    """An attachment, fetched or from the resource that holds it; its bytes are let go once they are in the file."""
    if place.address:
        body = _unwrapped(await _fetched(place, access))
    else:
        resource = await access.source.read(place.holder)
        body = decode_base64(_element(resource, place.path).get("data"))
    if not body:
        raise ImageError("the image cannot be read: its attachment is empty, or not base64", reason="broken")
    if len(body) > access.limits.bytes_:
        raise ImageError(
            f"the image cannot be read: it has more than {access.limits.bytes_ / 1e6:g} MB", reason="large"
        )
    try:
        handle, name = tempfile.mkstemp(dir=access.folder, prefix="image-")
        with os.fdopen(handle, "wb") as file:
            file.write(body)
    except OSError as error:
        raise not_kept(error) from None
    return Path(name)


async def _fetched(place: Place, access: Access) -> bytes:
    return (await access.source.fetch(place.address)).body


def _unwrapped(body: bytes) -> bytes | None:
    """A body, also one that came as a Binary resource (R4 Binary, 2.37.3)."""
    if body[:1] != b"{":
        return body
    try:
        binary = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body
    return decode_base64(binary.get("data")) if isinstance(binary, dict) else None


def _element(resource: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """The Attachment at a path as `Place` has it; empty where the resource has changed since."""
    found: Any = resource
    for step in path.split(".")[1:]:
        match = _STEP.fullmatch(step)
        if match is None or not isinstance(found, dict):
            return {}
        found = found.get(match[1])
        if isinstance(found, list):
            at = int(match[2] or 0)
            found = found[at] if at < len(found) else None
    if isinstance(found, dict) and isinstance(found.get("valueAttachment"), dict):
        found = found["valueAttachment"]
    return found if isinstance(found, dict) else {}
