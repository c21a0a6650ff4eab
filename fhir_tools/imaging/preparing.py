"""A frame → what a model takes: a square of its size, the aspect ratio kept, encoded, with the way back."""

from __future__ import annotations

import io
from typing import Literal

from fhir_tools.imaging.types import MODEL_SIZE, Description, Fit, Frame, Picture

__all__ = ["caption", "png", "prepare"]

_QUALITY = 95
_FAST = 1
"""PNG's compression: bytes go to a model on this machine or the next, and time is dearer than they are."""


def prepare(
    frame: Frame, *, size: int = MODEL_SIZE, media_type: Literal["image/png", "image/jpeg"] = "image/png"
) -> Picture:
    """A frame scaled to fit a square of `size` pixels, centred on black, as PNG (grey stays grey) or JPEG.

    896 pixels for MedGemma, 448 for MedSigLIP. Nothing of the file goes along: no metadata is written.
    """
    from PIL import Image

    height, width = frame.pixels.shape[:2]
    factor = size / max(width, height)
    shown = (max(1, round(width * factor)), max(1, round(height * factor)))
    left, top = (size - shown[0]) // 2, (size - shown[1]) // 2
    picture = Image.fromarray(frame.pixels)
    if shown != (width, height):
        picture = picture.resize(
            shown, Image.Resampling.BILINEAR
        )  # smooths where it makes smaller, as the processor does
    square = Image.new(picture.mode, (size, size))
    square.paste(picture, (left, top))
    region = frame.region
    fit = Fit(
        width=size, height=size, scale=max(shown) / max(region.right - region.left, region.bottom - region.top),
        left=left, top=top, region=region,
    )  # fmt: skip
    return Picture(
        data=_encoded(square, media_type),
        media_type=media_type,
        width=size,
        height=size,
        fit=fit,
        description=frame.description,
        reference=frame.reference,
        caption=caption(frame.description, frame.number, frame.of),
        number=frame.number,
        of=frame.of,
        series=frame.series,
        instance=frame.instance,
        frame=frame.frame,
        warnings=frame.warnings,
    )


def png(frame: Frame) -> bytes:
    """The frame's own pixels as PNG, for a reader's screen: neither scaled nor padded, and without any metadata."""
    from PIL import Image

    return _encoded(Image.fromarray(frame.pixels), "image/png")


def _encoded(picture: object, media_type: str) -> bytes:
    out = io.BytesIO()
    if media_type == "image/png":
        picture.save(out, "PNG", compress_level=_FAST)  # type: ignore[attr-defined]
    else:
        picture.save(out, "JPEG", quality=_QUALITY, subsampling=0)  # type: ignore[attr-defined]
    return out.getvalue()


_SLICED = ("CT", "MR", "PT", "NM")
_SIDES = {"L": "left", "R": "right", "B": "both sides"}


def caption(description: Description, number: int, of: int) -> str:
    """A frame in words: `CT chest, slice 12 of 85, three windows`; only figures and words of DICOM's code lists."""
    what = " ".join(filter(None, (description.modality or description.kind, description.body_part.lower())))
    unit = "patch" if description.kind == "slide" else "slice" if description.modality in _SLICED else "image"
    where = "" if of == 1 else f"{unit} {number}" + (f" of {of}" if of else "")
    if description.window == "overview":
        where = "overview"
    scale = f"{description.magnification:g} x" if description.magnification else ""
    said = (what, _SIDES.get(description.laterality, ""), description.view, where, scale)
    shown = description.window if description.window not in ("overview", "patch", "colour", "grey", "palette") else ""
    return ", ".join(filter(None, (*said, shown)))
