"""A frame's attributes, and what of them may be said: numbers, and words that `vocabulary` knows (PS3.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fhir_tools.imaging import vocabulary
from fhir_tools.imaging.types import Description

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["Attributes", "along_normal", "describe", "integer", "may_hold_text", "number"]

_CAPTURES = "1.2.840.10008.5.1.4.1.1.7"
"""Secondary captures, of one frame and (…7.1 to …7.4) of several: often the screen of a machine, with its text."""
_SCREENS = ("WSD", "SD", "DRW", "SYN", "DV")
"""Conversion Type (0008,0064): from a workstation, a scanned document, a drawing, synthetic, from video."""

_WRITTEN = ("US", "IVUS", "BDUS")


class Attributes:
    """The attributes of one frame: those of its functional groups (PS3.3 C.7.6.16) before those of the whole."""

    def __init__(self, header: Dataset, index: int) -> None:
        self.header = header
        self._groups: list[Dataset] = []
        for name, at in (("PerFrameFunctionalGroupsSequence", index), ("SharedFunctionalGroupsSequence", 0)):
            sequence = header.get(name) or []
            self._groups += [sequence[at]] if at < len(sequence) else []

    def get(self, name: str, group: str = "") -> Any:
        """The value of an attribute, where `group` is the functional group that may hold it; None without one."""
        for one in self._groups if group else ():
            for item in one.get(group) or []:
                if name in item:
                    return item.get(name)
        return self.header.get(name)

    def item(self, name: str, group: str = "") -> Dataset | None:
        """The first item of a sequence."""
        found = self.get(name, group)
        return found[0] if found else None


def integer(value: Any) -> int | None:
    """A tag's value as an int; None for what is none."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def number(value: Any) -> float | None:
    """A finite number of a tag, the first one of several; None for what is none."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = value[0] if len(value) else None
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def may_hold_text(header: Dataset) -> bool:
    """Whether pixels may hold burnt-in text: BurnedInAnnotation says so, or it is of a kind that mostly does.

    Captures of screens and ultrasound are that kind: names and numbers stand beside the scan, and few such files say
    YES. Where they say NO, that holds.
    """
    told = str(header.get("BurnedInAnnotation") or "").upper()
    captured = str(header.get("SOPClassUID") or "").startswith(_CAPTURES) or header.get("ConversionType") in _SCREENS
    return told == "YES" or ((captured or header.get("Modality") in _WRITTEN) and told != "NO")


def describe(frame: Attributes, window: str) -> Description:
    """What is said of a frame that is shown through a window."""
    header = frame.header
    spacing = frame.get("PixelSpacing", "PixelMeasuresSequence") or frame.get("ImagerPixelSpacing")
    pair = [number(x) for x in spacing] if isinstance(spacing, Sequence) and not isinstance(spacing, str) else []
    return Description(
        kind="DICOM",
        modality=vocabulary.modality(header.get("Modality")),
        body_part=vocabulary.body_part(frame.get("BodyPartExamined")),
        laterality=vocabulary.laterality(frame.get("ImageLaterality") or frame.get("Laterality")),
        view=vocabulary.view(frame.get("ViewPosition")),
        window=window,
        spacing=(pair[0], pair[1]) if len(pair) == 2 and pair[0] and pair[1] else None,
        thickness=number(frame.get("SliceThickness", "PixelMeasuresSequence")),
        position=_position(frame),
        burned=may_hold_text(header),
        lossy=str(header.get("LossyImageCompression") or "") == "01",
    )


def _position(frame: Attributes) -> float | None:
    """Where the slice lies along its normal, in mm (C.7.6.2.1.1)."""
    origin = frame.get("ImagePositionPatient", "PlanePositionSequence")
    axes = frame.get("ImageOrientationPatient", "PlaneOrientationSequence")
    return along_normal(origin, axes)


def along_normal(origin: Any, axes: Any) -> float | None:
    """The distance of a slice's first pixel along its normal in mm; None where position or orientation is not told."""
    try:
        (x, y, z), (a, b, c, d, e, f) = map(float, origin), map(float, axes)
    except (TypeError, ValueError):
        return None
    found = (b * f - c * e) * x + (c * d - a * f) * y + (a * e - b * d) * z
    return round(found, 3) if math.isfinite(found) else None
