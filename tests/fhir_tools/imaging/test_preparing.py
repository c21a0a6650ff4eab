"""From frames to what a model takes, and back from its boxes to the source."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("PIL")

from PIL import Image

from fhir_tools.imaging.preparing import caption, prepare
from fhir_tools.imaging.types import Box, Description, Frame
from fhir_tools.types import Reference


def frame(pixels: np.ndarray, region: Box | None = None, **told: object) -> Frame:
    height, width = pixels.shape[:2]
    return Frame(
        pixels=pixels,
        description=Description(kind="DICOM", **told),  # type: ignore[arg-type]
        reference=Reference(type="ImagingStudy", id="s"),
        region=region or Box(left=0, top=0, right=width, bottom=height),
        source=(width, height),
    )


def opened(data: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("shape", [(2000, 1000), (1000, 2000, 3), (896, 896), (3, 1), (1, 5000)])
@pytest.mark.parametrize("media_type", ["image/png", "image/jpeg"])
def test_it_is_square_padded_and_of_its_kind(shape: tuple[int, ...], media_type: str) -> None:
    picture = prepare(frame(np.full(shape, 200, np.uint8)), media_type=media_type)  # type: ignore[arg-type]
    pixels = opened(picture.data)
    assert pixels.shape == (896, 896, *shape[2:]) and picture.media_type == media_type
    high, wide = shape[:2]
    shown = (pixels.reshape(896, 896, -1)[..., 0] > 100).sum() / 896**2
    assert shown == pytest.approx(max(min(high, wide) / max(high, wide), 1 / 896), abs=0.01)


def test_no_metadata_is_written() -> None:
    made = Image.open(io.BytesIO(prepare(frame(np.zeros((10, 10), np.uint8))).data))
    assert made.info == {} and not made.getexif()


@given(st.integers(1, 4000), st.integers(1, 4000), st.floats(0, 1), st.floats(0, 1))
def test_points_come_back(width: int, height: int, across: float, down: float) -> None:
    size, region = 64, Box(left=100, top=50, right=100 + width, bottom=50 + height)
    fit = prepare(frame(np.zeros((max(1, height // 50), max(1, width // 50)), np.uint8), region), size=size).fit
    x, y = region.left + across * width, region.top + down * height
    there = fit.to_picture(x, y)
    assert fit.to_source(*there) == (pytest.approx(x, abs=1e-6), pytest.approx(y, abs=1e-6))


def test_boxes_are_clipped_to_the_image() -> None:
    fit = prepare(frame(np.zeros((2000, 1000), np.uint8))).fit
    whole = fit.box_to_source(Box(left=0, top=0, right=896, bottom=896))
    assert whole == Box(left=0, top=0, right=1000, bottom=2000)
    assert fit.box_to_source(Box(left=0, top=0, right=100, bottom=896)) is None  # in the padding
    half = fit.box_to_source(Box(left=448, top=448, right=896, bottom=896))
    assert half is not None and (half.left, half.top) == (pytest.approx(500), pytest.approx(1000))


def test_a_marker_lands_where_the_fit_says() -> None:
    pixels = np.zeros((500, 1500), np.uint8)
    pixels[300:310, 1200:1210] = 255
    picture = prepare(frame(pixels))
    y, x = np.argwhere(opened(picture.data) > 128).mean(axis=0)
    assert picture.fit.to_source(float(x) + 0.5, float(y) + 0.5) == (
        pytest.approx(1205, abs=2),
        pytest.approx(305, abs=2),
    )


@pytest.mark.parametrize(
    ("told", "number", "of", "words"),
    [
        (
            {"modality": "CT", "body_part": "CHEST", "window": "three windows"},
            12,
            85,
            "CT chest, slice 12 of 85, three windows",
        ),
        (
            {"modality": "DX", "body_part": "CHEST", "view": "PA", "window": "full range"},
            1,
            1,
            "DX chest, PA, full range",
        ),
        (
            {"modality": "MG", "laterality": "L", "view": "MLO", "window": "VOI LUT"},
            2,
            0,
            "MG, left, MLO, image 2, VOI LUT",
        ),
        ({"window": "colour"}, 1, 1, "DICOM"),
    ],
)
def test_captions(told: dict[str, str], number: int, of: int, words: str) -> None:
    assert caption(Description(kind="DICOM", **told), number, of) == words  # type: ignore[arg-type]
