"""The bytes of one file of an image, from where the chart says they are, into a file of the private folder."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import orjson

from fhir_tools.documents.reading import decode_base64
from fhir_tools.errors import ChartlineError, ImageError, NotFound
from fhir_tools.imaging.access import Access
from fhir_tools.imaging.choosing import Item
from fhir_tools.imaging.types import Image, Place

__all__ = ["bring"]

_STEP = re.compile(r"([A-Za-z]+)(?:\[(\d+)\])?")


async def bring(item: Item, image: Image, access: Access) -> Path:
    """The file, from the first of its places that gives it. The caller removes it. Raises the first place's error."""
    first: ChartlineError | None = None
    for place in item.places:
        try:
            if place.way == "attachment":
                return await _attachment(place, access)
            return await _archived(place, item, image, access)
        except ChartlineError as fault:
            first = first or fault
    raise first or ImageError("the chart does not say where the image's pixels are", reason="nowhere")


async def _archived(place: Place, item: Item, image: Image, access: Access) -> Path:
    archive = access.archives.at(place.address, access.limits)
    if place.way == "wado-uri":
        return await archive.by_uri(image.uid, item.series, item.instance, access.folder)
    async with aclosing(archive.files(image.uid, item.series, item.instance, access.folder)) as files:
        async for path in files:
            return path
    raise NotFound("the archive does not hold the image", status=404)


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
    handle, name = tempfile.mkstemp(dir=access.folder, prefix="image-")
    with os.fdopen(handle, "wb") as file:
        file.write(body)
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
