"""Whole slides (SVS, NDPI, SCN, tiled TIFF, DICOM) by openslide: an overview, then the patches with the most tissue.

Runs in the decoding process only (`worker`). Label and macro pictures of a slide, where its name stands, are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fhir_tools.imaging.decoded import Decoded, Opened, Unreadable
from fhir_tools.imaging.tags import number
from fhir_tools.imaging.types import MODEL_SIZE, Box, Description

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["open_slide"]

_SIDE = 4096
"""From this many pixels a side on, a tiled TIFF is taken for a slide rather than for a picture."""
_MICRONS = 1.0
"""Of a patch's pixel: about 10 x, at which glands and cells' arrangement are seen in 896 pixels (0.9 mm)."""
_MOST = 64
_TISSUE = 0.15
"""Patches with less tissue than this part are background."""


def open_slide(path: Path) -> Opened | None:
    """A slide's overview and patches as frames; None for what is no slide. Raises Unreadable."""
    try:
        import openslide
    except ImportError:
        return None
    try:
        vendor = openslide.OpenSlide.detect_format(path)
        slide = openslide.OpenSlide(path) if vendor else None
    except openslide.OpenSlideError:
        return None
    if slide is None or (vendor == "generic-tiff" and max(slide.dimensions) < _SIDE):
        return None
    if max(slide.dimensions) < _SIDE and slide.level_count == 1:
        return None
    places = _patches(slide)
    return Opened(frames=1 + len(places), read=partial(_frames, slide, places), kind="slide", is_slide=True)


def _frames(slide: Any, places: Sequence[tuple[int, int, int]], indices: Sequence[int]) -> Iterator[Decoded]:
    import openslide

    width, height = slide.dimensions
    try:
        for index in indices:
            if index == 0:
                pixels, region = _overview(slide), Box(left=0, top=0, right=width, bottom=height)
            else:
                left, top, side = places[index - 1]
                right, bottom = min(left + side, width), min(top + side, height)
                pixels, region = _region(slide, left, top, side), Box(left=left, top=top, right=right, bottom=bottom)
                high, wide = (max(1, round(x * MODEL_SIZE / side)) for x in (bottom - top, right - left))
                pixels = pixels[:high, :wide]
            shown = Description(
                kind="slide",
                modality="SM",
                window="overview" if index == 0 else "patch",
                magnification=None if index == 0 else _magnification(slide, places[index - 1][2] / MODEL_SIZE),
                lossy=True,
            )
            yield Decoded(pixels=pixels, description=shown, index=index, region=region, source=(width, height))
    except openslide.OpenSlideError:
        raise Unreadable("broken") from None


def _rgb(picture: Any) -> NDArray[Any]:
    """RGBA of openslide on white: where nothing was scanned, the glass is bright."""
    import numpy as np
    from PIL import Image

    ground = Image.new("RGB", picture.size, "white")
    ground.paste(picture, mask=picture.getchannel("A"))
    return np.array(ground)


def _overview(slide: Any) -> NDArray[Any]:
    return _rgb(slide.get_thumbnail((MODEL_SIZE, MODEL_SIZE)).convert("RGBA"))


def _region(slide: Any, left: int, top: int, side: int) -> NDArray[Any]:
    """A square of the slide, `side` pixels of its finest level, as MODEL_SIZE pixels."""
    level = slide.get_best_level_for_downsample(side / MODEL_SIZE)
    size = max(1, round(side / slide.level_downsamples[level]))
    picture = slide.read_region((left, top), level, (size, size))
    return _rgb(picture.resize((MODEL_SIZE, MODEL_SIZE)))


def _magnification(slide: Any, scale: float) -> float | None:
    power = number(slide.properties.get("openslide.objective-power"))
    return round(power / scale, 1) if power else None


def _patches(slide: Any) -> list[tuple[int, int, int]]:
    """Squares (left, top, side in pixels of the finest level) with the most tissue, at most 64, in reading order."""
    import numpy as np

    microns = number(slide.properties.get("openslide.mpp-x")) or 0.5
    side = round(MODEL_SIZE * max(1.0, _MICRONS / microns))
    overview = _overview(slide)
    scale = max(slide.dimensions) / max(overview.shape[:2])
    # Stained tissue is coloured; glass, at any brightness, is grey.
    tissue = (overview.max(axis=2).astype(int) - overview.min(axis=2)) > 24
    found = []
    for top in range(0, slide.dimensions[1], side):
        for left in range(0, slide.dimensions[0], side):
            y, x, step = int(top / scale), int(left / scale), max(1, int(side / scale))
            part = tissue[y : y + step, x : x + step]
            share = float(np.mean(part)) if part.size else 0.0
            if share >= _TISSUE:
                found.append((share, top, left))
    best = sorted(found, reverse=True)[:_MOST]
    return [(left, top, side) for _, top, left in sorted(best, key=lambda one: (one[1], one[2]))]
