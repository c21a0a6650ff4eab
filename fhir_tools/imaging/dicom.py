"""DICOM files: their frames as 8-bit pixels with a description, one at a time from the file (PS3.5, PS3.10).

Runs in the decoding process only (`worker`): the tags never leave it, but those words that `vocabulary` knows.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fhir_tools.imaging import vocabulary
from fhir_tools.imaging.decoded import Decoded, Opened, Unreadable
from fhir_tools.imaging.greys import grey_of
from fhir_tools.imaging.tags import Attributes, describe, integer, may_hold_text
from fhir_tools.imaging.types import Burned, Limits, Look

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom import Dataset

__all__ = ["SLIDE_CLASS", "is_dicom", "open_dicom"]

SLIDE_CLASS = "1.2.840.10008.5.1.4.1.1.77.1.6"
"""VL Whole Slide Microscopy Image Storage."""
_DEFLATED = "1.2.840.10008.1.2.1.99"
_ELSEWHERE = ("1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.4.95")
_VIDEO = ("MPEG", "HEVC", "SMPTE")
_SMALL = 8_000_000
"""Bytes of a file up to which it is read once, pixels and all; of a larger one no more than a frame is held."""
_PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
"""Float, Double Float and Pixel Data."""
_PREAMBLE = 128
_BARE = (b"\x08\x00\x05\x00", b"\x08\x00\x00\x00", b"\x08\x00\x08\x00", b"\x02\x00\x00\x00")


def is_dicom(head: bytes) -> bool:
    """Whether a file begins as one of DICOM Part 10 (PS3.10 7.1), or as a bare data set of older machines."""
    return head[_PREAMBLE : _PREAMBLE + 4] == b"DICM" or head[:4] in _BARE


def open_dicom(path: Path, limits: Limits, look: Look, burned: Burned, uids: Mapping[str, str]) -> Opened:
    """The frames of a file. Raises Unreadable before memory is taken for more than the limits allow.

    `uids` are what the chart says that it is, by keyword: a file with other ones is another image, perhaps of another
    patient.
    """
    import pydicom

    # What does not fit its VR is common in real files, and a warning about it would repeat the value.
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    header, source = _header(path, limits)
    if any(value and str(header.get(name) or "") != value for name, value in uids.items()):
        raise Unreadable("another")
    count = _checked(header, limits)
    regions = _regions(header) if burned != "allow" else ()
    if may_hold_text(header) and (burned == "withhold" or (burned == "mask" and not regions)):
        raise Unreadable("burned")
    read = partial(_frames, source, header, look, regions)
    return Opened(frames=count, read=read, kind="DICOM", is_slide=header.get("SOPClassUID") == SLIDE_CLASS)


def _header(path: Path, limits: Limits) -> tuple[Dataset, Any]:
    """The tags, and what pydicom is to read the pixels of: them, or of a large file the file, frame by frame."""
    import pydicom

    with path.open("rb") as file:
        bare = file.read(_PREAMBLE + 4)[_PREAMBLE:] != b"DICM"
    syntax = "" if bare else str(pydicom.filereader.read_file_meta_info(path).get("TransferSyntaxUID", ""))
    if syntax == _DEFLATED:
        _refuse_bomb(path, limits.bytes_)
    whole = bare or syntax == _DEFLATED or path.stat().st_size <= _SMALL
    with path.open("rb") as file:  # behind the pixels there may be padding that is no tag
        header = pydicom.filereader.read_partial(
            file, lambda tag, _vr, _length: tag > _PIXELS[-1] or (tag in _PIXELS and not whole), force=bare
        )
    if "TransferSyntaxUID" not in getattr(header, "file_meta", {}):
        _find_out_syntax(header)
    return header, header if whole else path


def _find_out_syntax(header: Dataset) -> None:
    import pydicom

    implicit, little = header.original_encoding
    name = "ImplicitVRLittleEndian" if implicit else "ExplicitVRLittleEndian" if little else "ExplicitVRBigEndian"
    if not hasattr(header, "file_meta"):
        header.file_meta = pydicom.dataset.FileMetaDataset()
    header.file_meta.TransferSyntaxUID = getattr(pydicom.uid, name)


def _refuse_bomb(path: Path, limit: int) -> None:
    """Inflate without keeping anything: a small deflated file can hide a very large one."""
    inflate, size = zlib.decompressobj(wbits=-15), 0
    with path.open("rb") as file:
        # The data set begins behind the group 0002, whose length stands in its first element (PS3.10 7.1).
        file.seek(_PREAMBLE + 12)
        file.seek(_PREAMBLE + 16 + int.from_bytes(file.read(4), "little"))
        while chunk := file.read(65_536):
            while chunk:
                size += len(inflate.decompress(chunk, 1 << 20))
                chunk = inflate.unconsumed_tail
                if size > limit:
                    raise Unreadable("large", f"it inflates to more than {limit / 1e6:g} MB")


def _checked(header: Dataset, limits: Limits) -> int:
    """The number of frames, if there are pixels that can be read within the limits. Raises Unreadable."""
    syntax = header.file_meta.TransferSyntaxUID
    rows, columns = integer(header.get("Rows")), integer(header.get("Columns"))
    if not rows or not columns:
        kind = vocabulary.modality(header.get("Modality"))
        raise Unreadable("no-pixels", f"modality {kind}" if kind else "")
    if syntax.name.startswith(_VIDEO):
        raise Unreadable("video")
    if syntax.startswith(_ELSEWHERE):
        raise Unreadable("elsewhere")
    if rows * columns > limits.pixels:
        raise Unreadable("large", f"{columns} x {rows} pixels, and {limits.pixels:,} are the most")
    count = integer(header.get("NumberOfFrames") or 1) or 0
    if not 0 < count <= limits.frames:
        raise Unreadable("large" if count > 0 else "broken", f"{count} frames, and {limits.frames:,} are the most")
    return count


def _frames(
    source: Any, header: Dataset, look: Look, regions: Sequence[Any], indices: Sequence[int]
) -> Iterator[Decoded]:
    from pydicom.pixels import iter_pixels

    for index, pixels in zip(indices, iter_pixels(source, indices=list(indices)), strict=False):
        frame = Attributes(header, index)
        grey, window = grey_of(pixels, frame, look)
        if regions:
            _black_outside(grey, regions)
        yield Decoded(pixels=grey, description=describe(frame, window), index=index, masked=bool(regions))


# Ultrasound: where the picture is, and with it where the text is not.


def _regions(header: Dataset) -> tuple[tuple[int, int, int, int], ...]:
    """The parts of an ultrasound picture that are the scan (left, top, right, bottom); empty where it names none.

    C.8.5.5: what lies outside of the regions is the screen of the machine, with the names that stand on it.
    """
    found = []
    for region in header.get("SequenceOfUltrasoundRegions") or []:
        names = ("RegionLocationMinX0", "RegionLocationMinY0", "RegionLocationMaxX1", "RegionLocationMaxY1")
        edges = [integer(region.get(name)) for name in names]
        if None not in edges and region.get("RegionSpatialFormat"):
            left, top, right, bottom = (edge or 0 for edge in edges)
            found.append((left, top, right + 1, bottom + 1))
    return tuple(found)


def _black_outside(pixels: NDArray[Any], regions: Sequence[tuple[int, int, int, int]]) -> None:
    import numpy as np

    outside = np.ones(pixels.shape[:2], dtype=bool)
    for left, top, right, bottom in regions:
        outside[top:bottom, left:right] = False
    pixels[outside] = 0
