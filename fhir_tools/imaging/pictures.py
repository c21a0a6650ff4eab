"""PNG, JPEG, TIFF, WebP, GIF and BMP: their pages as 8-bit pixels. Metadata (EXIF, XMP, comments) is never read out.

Runs in the decoding process only (`worker`).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fhir_tools.imaging.decoded import Decoded, Opened, Unreadable
from fhir_tools.imaging.types import Description, Limits
from fhir_tools.imaging.windows import ranged

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

__all__ = ["open_picture"]

_FORMATS = {"PNG": "PNG", "JPEG": "JPEG", "MPO": "JPEG", "TIFF": "TIFF", "WEBP": "WebP", "GIF": "GIF", "BMP": "BMP"}
_OPENED = tuple(name for name in _FORMATS if name != "MPO")  # it is opened as a JPEG
_WIDE = ("I", "I;16", "I;16B", "I;16L", "F")
_BAND = 1 << 20


def open_picture(path: Path, limits: Limits) -> Opened:
    """The pages of a file, by its content. Raises Unreadable."""
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = limits.pixels
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        picture = Image.open(path, formats=_OPENED)
    except UnidentifiedImageError:
        raise Unreadable("no-image") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Unreadable("large", f"{limits.pixels:,} pixels are the most") from None
    try:
        _bounded(picture, limits)
        count = int(getattr(picture, "n_frames", 1))
        if count > limits.frames:
            raise Unreadable("large", f"{count} pages, and {limits.frames:,} are the most")
    except BaseException:
        picture.close()
        raise
    return Opened(frames=count, read=partial(_pages, picture, limits), kind=_FORMATS[str(picture.format)])


def _bounded(picture: Image, limits: Limits) -> None:
    width, height = picture.size
    if width * height > limits.pixels:
        raise Unreadable("large", f"{width} x {height} pixels, and {limits.pixels:,} are the most")


def _pages(picture: Image, limits: Limits, indices: Sequence[int]) -> Iterator[Decoded]:
    kind = _FORMATS[str(picture.format)]
    with picture:
        for index in indices:
            if index != picture.tell():
                picture.seek(index)
                _bounded(picture, limits)
            pixels = _eight_bits(picture)
            words = "full range" if picture.mode in _WIDE else "grey" if pixels.ndim == 2 else "colour"
            said = Description(kind=kind, window=words, lossy=kind == "JPEG")
            yield Decoded(pixels=pixels, description=said, index=index)


def _eight_bits(picture: Image) -> NDArray[Any]:
    """A page as grey or RGB as a viewer shows it: turned as its EXIF says, what is transparent on white."""
    import numpy as np
    from PIL import Image, ImageOps

    if picture.mode in _WIDE:
        values = np.asarray(picture)
        values = np.nan_to_num(values) if values.dtype.kind == "f" else values
        low, high = float(values.min()), float(values.max())
        step = max(1, _BAND // max(1, values.shape[1]))
        return np.concatenate([ranged(values[at : at + step], low, high) for at in range(0, len(values), step)])
    turned = ImageOps.exif_transpose(picture)
    if "A" in turned.getbands() or "transparency" in turned.info:
        clear = turned.convert("RGBA")
        turned = Image.new("RGB", clear.size, "white")
        turned.paste(clear, mask=clear.getchannel("A"))
    return np.array(turned.convert("L" if turned.mode in ("1", "L") else "RGB"))
