"""What the decoding process works with: an opened file, a decoded frame, and why a file cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fhir_tools.imaging.types import Box, Description

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["REASONS", "Decoded", "Opened", "Unreadable"]

REASONS: Mapping[str, str] = {
    "broken": "it is broken: ask for it to be sent again from the archive",
    "short": "it ends too early: ask for it to be sent again from the archive",
    "large": "it is larger than the limits allow: look at it in a viewer, or raise CHARTLINE_IMAGE_PIXELS",
    "memory": "decoding it needs more memory than it may take: look at it in a viewer",
    "slow": "decoding it took too long: look at it in a viewer, or raise CHARTLINE_IMAGE_SECONDS",
    "crashed": "its decoder broke off: it is probably damaged, so ask for it to be sent again from the archive",
    "no-pixels": "it holds no pixels (a report, a plan, a waveform): read the chart's report",
    "video": "it is a video: look at it in a viewer",
    "elsewhere": "its pixels are at another server (JPIP): ask the archive for the image itself",
    "codec": "its compression is not read here: ask the archive for it uncompressed",
    "colours": "its colours are of a kind that is not read here: look at it in a viewer",
    "burned": "its pixels may hold text about the patient: see it in a viewer, or set CHARTLINE_IMAGE_BURNED=allow",
    "another": "it is not the image that the chart names: tell who runs the archive",
    "encrypted": "it is encrypted: ask for it without encryption",
    "no-image": "it is no image of a kind that is read (DICOM, PNG, JPEG, TIFF, WebP, GIF, BMP, slides)",
    "package": "a package that reads it is missing: pip install 'chartline[images]'",
}
"""Why a file cannot be read, and the remedy. Nothing of the file is in them."""


class Unreadable(Exception):
    """A file or frame cannot be read, by a key of REASONS; `detail` are figures and words of DICOM, nothing else."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason, self.detail = reason, detail
        super().__init__(reason)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decoded:
    """A frame: uint8 pixels, what is said of it, its index in the file, and which part of the source it shows.

    `region` and `source` (width, height) are those of the pixels themselves where they are not given. `masked`: what
    may hold burnt-in text was blacked out.
    """

    pixels: NDArray[Any]
    description: Description
    index: int = 0
    region: Box | None = None
    source: tuple[int, int] | None = None
    masked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A file that can be read: how many frames it has, and the frames of some indices (from 0), in that order."""

    frames: int
    read: Callable[[Sequence[int]], Iterator[Decoded]]
    kind: str
    is_slide: bool = False
