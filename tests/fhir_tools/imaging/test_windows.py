"""Windows: the standard's formulas, pydicom as a second opinion, and what must hold for any values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("pydicom")

from pydicom.dataset import Dataset
from pydicom.pixels import apply_windowing

from fhir_tools.imaging.windows import CT_WINDOWS, Window, looked_up, ranged, stored, windowed

finite = st.floats(-40_000, 40_000, allow_nan=False)
windows = st.builds(
    Window, center=finite, width=st.floats(1, 20_000), function=st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"])
)


@given(st.lists(finite, min_size=1, max_size=60), windows)
def test_brighter_values_are_never_darker(values: list[float], window: Window) -> None:
    grey = windowed(np.array(sorted(values)), window)
    assert grey.dtype == np.uint8 and (np.diff(grey.astype(int)) >= 0).all()


@given(windows)
def test_far_below_is_black_and_far_above_is_white(window: Window) -> None:
    far = 20 * window.width
    assert windowed(np.array([window.center - far, window.center + far]), window).tolist() == [0, 255]


@given(finite, st.floats(2, 4000), st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"]))
def test_pydicom_windows_alike(center: float, width: float, function: str) -> None:
    ds = Dataset()
    ds.PhotometricInterpretation, ds.BitsStored, ds.PixelRepresentation = "MONOCHROME2", 8, 0
    ds.WindowCenter, ds.WindowWidth, ds.VOILUTFunction = round(center, 3), round(width, 3), function
    values = np.arange(256, dtype=np.uint8)
    with np.errstate(over="ignore"):
        theirs = apply_windowing(values, ds)
    ours = windowed(values, Window(center=float(ds.WindowCenter), width=float(ds.WindowWidth), function=function))
    assert np.abs(np.asarray(theirs, dtype=float) - ours).max() <= 1


def test_a_linear_window_is_that_of_the_standard() -> None:
    # PS3.3 C.11.2.1.2.1 note 2: c=2048, w=4096 leaves 12-bit values as they are, scaled to the output
    window = Window(center=2048, width=4096)
    assert windowed(np.array([0, 4095]), window).tolist() == [0, 255]
    assert windowed(np.array([2047, 2048]), window).tolist() == [127, 128]
    # note 3: w=1 is a threshold
    assert windowed(np.array([99, 100]), Window(center=100, width=1)).tolist() == [0, 255]


def test_the_windows_of_ct_are_those_medgemma_was_trained_with() -> None:
    ends = [(w.center - w.width / 2, w.center + w.width / 2) for w in CT_WINDOWS]
    assert ends == [(-1024, 1024), (-135, 215), (0, 80)]
    lung_water_bone = np.array([-1000.0, 0.0, 40.0, 1000.0])
    told = [windowed(lung_water_bone, w).tolist() for w in CT_WINDOWS]
    assert told == [[3, 128, 132, 252], [0, 98, 128, 255], [0, 0, 128, 255]]


def test_one_value_alone_has_no_range() -> None:
    assert ranged(np.array([7, 7]), 7, 7).tolist() == [0, 0]


def test_what_is_no_number_is_black() -> None:
    assert windowed(np.array([np.nan, np.inf, -np.inf]), Window(center=0, width=10)).tolist() == [0, 255, 0]


@given(st.integers(1, 16), st.integers(0, 15), st.booleans(), st.data())
def test_stored_numbers_come_back_whatever_lies_in_the_other_bits(
    bits: int, shift: int, signed: bool, data: st.DataObject
) -> None:
    shift = min(shift, 16 - bits)
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    number = data.draw(st.integers(low, high))
    noise = data.draw(st.integers(0, 0xFFFF))
    mask = ((1 << bits) - 1) << shift
    pattern = ((number << shift) & mask) | (noise & ~mask & 0xFFFF)
    assert stored(np.array([pattern]), bits, bits - 1 + shift, signed).tolist() == [number]


@given(st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=40))
def test_looking_up_is_the_same_as_working_out(values: list[int]) -> None:
    pixels = np.array([values], dtype=np.uint16)
    grey = looked_up(pixels, lambda v: windowed(v, Window(center=900, width=3000)), lambda p: stored(p, 12, 11, True))
    worked_out = windowed(stored(pixels, 12, 11, True), Window(center=900, width=3000))
    assert (grey == worked_out).all() and grey.shape == pixels.shape
