"""Stored values → 8-bit grey: windows (DICOM PS3.3 C.11.2.1.2), MedGemma's three CT windows, and full ranges. Pure.

Values are worked out once for each value that can be stored and looked up for the pixels: a frame of 16-bit values is
never held as floats.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CT_WINDOWS", "Function", "Grey", "Window", "looked_up", "ranged", "stored", "windowed"]

Function = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]

Grey = Callable[["NDArray[Any]"], "NDArray[Any]"]
"""From an array to one of the same shape, or with a last axis of three more: to numbers, to uint8 grey, to RGB."""

_ROWS = 1 << 16
"""Pixels looked up at once, so that the index that numpy makes of them stays small."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A window of values: its centre and width (more than 0), and the VOI LUT Function (0028,1056)."""

    center: float
    width: float
    function: Function = "LINEAR"

    @classmethod
    def between(cls, low: float, high: float) -> Window:
        """The window whose darkest value is `low` and whose brightest is `high`."""
        return cls(center=(low + high) / 2, width=high - low, function="LINEAR_EXACT")


CT_WINDOWS = (Window.between(-1024, 1024), Window.between(-135, 215), Window.between(0, 80))
"""Red, green and blue of a CT slice in Hounsfield units: air to bone, soft tissue, brain.

As MedGemma 1.5 was trained: github.com/google-health/medgemma, notebooks/high_dimensional_ct_hugging_face.ipynb.
"""


def windowed(values: NDArray[Any], window: Window) -> NDArray[Any]:
    """The values through a window as uint8: 0 at and below its lower end, 255 at and above its upper end."""
    import numpy as np

    center, width = float(window.center), float(window.width)
    x = np.asarray(values, dtype=np.float64)
    if window.function == "SIGMOID":  # C.11.2.1.3.1
        grey = 1 / (1 + np.exp(np.clip(-4 * (x - center) / max(width, 1e-9), -700, 700)))
    elif window.function == "LINEAR" and width > 1:  # C.11.2.1.2.1: the half and the one are the standard's
        grey = (x - (center - 0.5)) / (width - 1) + 0.5
    elif window.function == "LINEAR" or width <= 0:  # width 1: a threshold
        grey = (x > center - 0.5).astype(np.float64)
    else:  # C.11.2.1.3.2
        grey = (x - center) / width + 0.5
    return np.rint(np.clip(np.nan_to_num(grey, nan=0.0), 0, 1) * 255).astype(np.uint8)


def ranged(values: NDArray[Any], low: float, high: float) -> NDArray[Any]:
    """The values as uint8 with `low` as 0 and `high` as 255; all 0 where there is but one value."""
    import numpy as np

    if not high > low:
        return np.zeros(np.shape(values), dtype=np.uint8)
    return windowed(values, Window.between(low, high))


def stored(pattern: NDArray[Any], bits: int, high_bit: int, signed: bool) -> NDArray[Any]:
    """What bit patterns stand for: the `bits` up to `high_bit`, as signed numbers or not; other bits are ignored.

    Bits outside of them may hold anything, such as old overlays (PS3.5 8.1.1).
    """
    import numpy as np

    value = (pattern.astype(np.int64) >> (high_bit - bits + 1)) & ((1 << bits) - 1)
    return value - ((value >> (bits - 1)) << bits) if signed else value


def looked_up(pixels: NDArray[Any], grey: Grey, meaning: Grey) -> NDArray[Any]:
    """Pixels of one or two bytes through `meaning` (pattern → value) and `grey` (value → uint8), by a table.

    The table ends at the greatest pattern there is: one of 12 bits is a sixteenth of one of 16, for each slice.
    """
    import numpy as np

    flat = pixels.view(np.dtype(f"u{pixels.dtype.itemsize}")).reshape(-1)
    table = grey(meaning(np.arange(int(flat.max(initial=0)) + 1, dtype=np.int64)))
    out = np.empty((flat.size, *table.shape[1:]), dtype=np.uint8)
    for start in range(0, flat.size, _ROWS):
        np.take(table, flat[start : start + _ROWS], axis=0, out=out[start : start + _ROWS])
    return out.reshape(*pixels.shape, *table.shape[1:])
