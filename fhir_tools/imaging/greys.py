"""A decoded DICOM frame → 8-bit pixels: modality LUT, VOI LUT or window, palette, padding, which way is dark (PS3.3).

Runs in the decoding process only (`worker`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from fhir_tools.imaging import vocabulary
from fhir_tools.imaging.decoded import Unreadable
from fhir_tools.imaging.tags import Attributes, integer, number
from fhir_tools.imaging.types import Look
from fhir_tools.imaging.windows import CT_WINDOWS, Function, Grey, Window, looked_up, ranged, stored, windowed

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom import Dataset

__all__ = ["grey_of"]

_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOURS = ("HSV", "ARGB", "CMYK")
_CHUNK = 1 << 16
_VOI, _TRANSFORM = "FrameVOILUTSequence", "PixelValueTransformationSequence"


def grey_of(pixels: NDArray[Any], frame: Attributes, look: Look) -> tuple[NDArray[Any], str]:
    """A frame as uint8, (rows, columns) grey or (rows, columns, 3) RGB, dark as 0; and its window in words."""
    import numpy as np

    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    photometric = str(frame.get("PhotometricInterpretation") or "MONOCHROME2")
    if photometric == "PALETTE COLOR":
        from pydicom.pixels import apply_color_lut

        return _eight_bits(apply_color_lut(pixels, _native_palette(frame.header))), "palette"
    if pixels.ndim == 3:
        return _eight_bits(pixels, integer(frame.get("BitsStored"))), "colour"
    if photometric not in _GREY:
        raise Unreadable("colours", photometric if photometric in _COLOURS else "")
    grey, window = _windowed(pixels, frame, look)
    # C.7.6.3.1.2: in MONOCHROME1 the lowest value is white.
    return (np.subtract(255, grey, out=grey) if photometric == "MONOCHROME1" else grey), window


def _native_palette(header: Dataset) -> Dataset:
    """The header with its palettes in this machine's byte order: pydicom 3.0 misreads those of big endian files."""
    if header.original_encoding[1] is not False:
        return header
    import numpy as np
    from pydicom import Dataset

    swapped = Dataset()
    swapped.update({e.tag: e for e in header if e.tag.group == 0x0028})
    swapped.file_meta = header.file_meta
    swapped.set_original_encoding(*header.original_encoding)
    for colour in ("Red", "Green", "Blue"):
        data = header.get(f"{colour}PaletteColorLookupTableData")
        if isinstance(data, bytes) and len(data) % 2 == 0:
            turned = np.frombuffer(data, dtype=np.uint16).byteswap().tobytes()
            setattr(swapped, f"{colour}PaletteColorLookupTableData", turned)
    return swapped


def _eight_bits(colour: NDArray[Any], bits: int | None = None) -> NDArray[Any]:
    import numpy as np

    whole = 8 * colour.dtype.itemsize
    bits = bits if bits and 8 <= bits <= whole else whole
    return colour if colour.dtype == np.uint8 else (colour >> (bits - 8)).astype(np.uint8)


def _windowed(pixels: NDArray[Any], frame: Attributes, look: Look) -> tuple[NDArray[Any], str]:
    meaning = _meaning(pixels, frame)
    values = partial(_values, frame=frame)
    grey, words = _choose(pixels, frame, look, lambda patterns: values(meaning(patterns)))
    through = partial(_padded, grey=lambda v: grey(values(v)), frame=frame)
    if _is_small(pixels):
        return looked_up(pixels, through, meaning), words
    return _by_rows(pixels, through), words


def _is_small(pixels: NDArray[Any]) -> bool:
    return pixels.dtype.kind in "ui" and pixels.dtype.itemsize <= 2


def _by_rows(pixels: NDArray[Any], through: Grey) -> NDArray[Any]:
    """Values too many for a table, some rows at a time: floats and 32-bit values."""
    import numpy as np

    step = max(1, _CHUNK // max(1, pixels.shape[1]))
    return np.concatenate([through(pixels[at : at + step]) for at in range(0, len(pixels), step)])


def _meaning(pixels: NDArray[Any], frame: Attributes) -> Grey:
    """From the bit patterns of pixels to the numbers that they store (PS3.5 8.1.1)."""
    allocated = integer(frame.get("BitsAllocated")) or 8 * pixels.dtype.itemsize
    if not _is_small(pixels) or allocated == 1:
        return lambda patterns: patterns
    bits = min(integer(frame.get("BitsStored")) or allocated, allocated)
    told = integer(frame.get("HighBit"))
    high = told if told is not None and bits - 1 <= told < allocated else bits - 1
    return partial(stored, bits=bits, high_bit=high, signed=frame.get("PixelRepresentation") == 1)


def _padding(frame: Attributes) -> tuple[int, int] | None:
    """The stored values that mean "no pixel here" (C.7.5.1.1.2)."""
    low = integer(frame.get("PixelPaddingValue"))
    if low is None:
        return None
    limit = integer(frame.get("PixelPaddingRangeLimit"))
    return (min(low, limit), max(low, limit)) if limit is not None else (low, low)


def _padded(numbers: NDArray[Any], *, grey: Grey, frame: Attributes) -> NDArray[Any]:
    """Stored numbers through `grey`; padding is no tissue and comes out black, whichever way round the values are."""
    out, padding = grey(numbers), _padding(frame)
    if padding is not None:
        dark = 255 if frame.get("PhotometricInterpretation") == "MONOCHROME1" else 0
        out[(numbers >= padding[0]) & (numbers <= padding[1])] = dark
    return out


def _values(numbers: NDArray[Any], frame: Attributes) -> NDArray[Any]:
    """Stored numbers → what they mean (Hounsfield units …): the modality LUT or rescale (C.11.1)."""
    import numpy as np

    if frame.item("ModalityLUTSequence") is not None and numbers.dtype.kind in "ui":
        from pydicom.pixels import apply_modality_lut

        return np.asarray(apply_modality_lut(numbers, frame.header))
    slope, intercept = number(frame.get("RescaleSlope", _TRANSFORM)), number(frame.get("RescaleIntercept", _TRANSFORM))
    return numbers if slope is None and intercept is None else numbers * (slope or 1.0) + (intercept or 0.0)


# Windows.


def _choose(pixels: NDArray[Any], frame: Attributes, look: Look, values: Grey) -> tuple[Grey, str]:
    """How values become grey, and in words: three windows of CT, the file's VOI LUT or window, or the full range."""
    if look == "model" and _is_hounsfield(frame):
        return _three_windows, "three windows"
    lut = frame.item("VOILUTSequence", _VOI)
    if lut is not None and pixels.dtype.kind in "ui":
        order = "<" if frame.header.original_encoding[1] is not False else ">"
        return partial(_voi_lut, lut=lut, order=order, signed=_may_be_negative(pixels, values)), "VOI LUT"
    if window := _window(frame):
        return partial(windowed, window=window), f"window {window.center:g}/{window.width:g}"
    low, high = _range(pixels, frame, values)
    return partial(ranged, low=low, high=high), "full range"


def _three_windows(values: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    return np.stack([windowed(values, window) for window in CT_WINDOWS], axis=-1)


def _is_hounsfield(frame: Attributes) -> bool:
    """Whether it is a CT slice in Hounsfield units: a localizer or a derived map is not read through CT's windows."""
    if vocabulary.modality(frame.get("Modality")) != "CT":
        return False
    kind = frame.get("ImageType")
    words = {str(word).upper() for word in kind} if isinstance(kind, Sequence) and not isinstance(kind, str) else set()
    units = str(frame.get("RescaleType", _TRANSFORM) or "HU").upper()
    return not words & {"LOCALIZER", "SCOUT"} and units in ("HU", "US")


def _window(frame: Attributes) -> Window | None:
    """The first window of the file (C.11.2.1.2); None without one, or where its width is none."""
    center, width = number(frame.get("WindowCenter", _VOI)), number(frame.get("WindowWidth", _VOI))
    if center is None or width is None or width <= 0:
        return None
    told = str(frame.get("VOILUTFunction", _VOI) or "").upper()
    function: Function = "SIGMOID" if told == "SIGMOID" else "LINEAR_EXACT" if told == "LINEAR_EXACT" else "LINEAR"
    return Window(center=center, width=width, function=function)


def _may_be_negative(pixels: NDArray[Any], values: Grey) -> bool:
    """Whether any value that such pixels can store means a negative number: then so may a LUT's first one (C.11.2.1.1).

    Where they are too many to be tried, whether one of them does.
    """
    import numpy as np

    tried = np.arange(1 << (8 * pixels.dtype.itemsize)) if _is_small(pixels) else pixels
    return bool(np.min(values(tried)) < 0)


def _voi_lut(values: NDArray[Any], *, lut: Dataset, order: str, signed: bool) -> NDArray[Any]:
    """Values through a VOI LUT (C.11.2.1.1): those before and behind it have its first and last entry."""
    import numpy as np

    entries, first, bits = (int(x) for x in lut.LUTDescriptor)
    data = lut.LUTData
    numbers = np.frombuffer(data, dtype=f"{order}u2") if isinstance(data, bytes) else np.asarray(data)
    table = numbers[: entries or 65_536].astype(np.int64) & ((1 << min(max(bits, 1), 16)) - 1)
    first -= 65_536 if first > 32_767 and signed else 0
    index = np.clip(np.rint(values).astype(np.int64) - first, 0, len(table) - 1)
    return ranged(table[index], 0, (1 << max(bits, 1)) - 1)


def _range(pixels: NDArray[Any], frame: Attributes, values: Grey) -> tuple[float, float]:
    """The least and greatest value of a frame, without its padding and what is no number."""
    import numpy as np

    part = pixels[np.isfinite(pixels)] if pixels.dtype.kind == "f" else pixels
    padding = _padding(frame)
    if padding is not None and pixels.dtype.kind in "ui":
        kept = part[(part < padding[0]) | (part > padding[1])]
        part = kept if kept.size else part
    if not part.size:
        return 0.0, 0.0
    rises = frame.item("ModalityLUTSequence") is None  # else the ends of what is stored may be any values
    ends = values(np.array([part.min(), part.max()]) if rises else np.unique(part))
    return float(np.min(ends)), float(np.max(ends))
