"""TIFF and other pictures of pages: each page as a grey PNG that can be read."""

from __future__ import annotations

import io
import warnings
from typing import Any

from fhir_tools.parsing.types import Limits, Parsed, Scan, Unreadable

__all__ = ["read_image"]

_FORMATS = ("TIFF", "PNG", "JPEG", "GIF", "BMP", "WEBP")
_BROKEN = (OSError, ValueError, SyntaxError, EOFError, TypeError, KeyError)
"""What Pillow raises for a page that it cannot read."""
_TIMES = 8
"""A picture of so many times the points of a page is made smaller before it is read."""
_FLAT = 32
"""Grey levels between the darkest and the lightest point under which a page is blank."""


def read_image(body: bytes, limits: Limits) -> Parsed:
    """Raises Unreadable for what is broken or has more points than the limit."""
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = limits.pixels * _TIMES
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is odd about a file that can be read all the same
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(body), formats=_FORMATS) as image:
                return _pages(image, limits)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Unreadable("the picture has too many points") from None
    except (UnidentifiedImageError, *_BROKEN):
        raise Unreadable("the picture is broken") from None


def _pages(image: Any, limits: Limits) -> Parsed:
    pieces: list[Scan] = []
    notes: list[str] = []
    total = 0
    for number in range(1, limits.pages + 1):
        try:
            image.seek(number - 1)
        except EOFError:
            break
        if image.width * image.height > limits.pixels * _TIMES:  # Pillow looks at the first page alone
            notes.append(f"page {number} of the picture has too many points")
            continue
        try:
            png = _png(image, limits)
        except _BROKEN:
            notes.append(f"page {number} of the picture is broken")
            continue
        total += len(png)
        if png:
            pieces.append(Scan(page=number, png=png))
        if total > limits.pictures:
            notes.append(f"the picture is too long: pages after {number} were not read")
            break
    else:
        notes.append(f"pages of the picture after {limits.pages} are past the limit")
    return Parsed(pieces=tuple(pieces), notes=tuple(notes))


def _png(image: Any, limits: Limits) -> bytes:
    """One page as a grey PNG, the right way up, no larger than the limit; empty for a blank one."""
    from PIL import Image, ImageOps

    page = ImageOps.exif_transpose(image) or image
    if page.mode in ("RGBA", "LA", "PA", "P"):
        rgba = page.convert("RGBA")
        page = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    page = page.point(lambda v: v / 256).convert("L") if page.mode.startswith("I") else page.convert("L")
    if page.width * page.height > limits.pixels:
        factor = (limits.pixels / (page.width * page.height)) ** 0.5
        page = page.resize((max(1, int(page.width * factor)), max(1, int(page.height * factor))))
    low, high = page.getextrema()
    if high - low < _FLAT:
        return b""
    out = io.BytesIO()
    page.save(out, "PNG")
    return out.getvalue()
