"""Whole slides: an overview, then patches where there is tissue, each with its place on the slide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openslide")
pytest.importorskip("tifffile")
pytest.importorskip("pydicom")

import tifffile

from fhir_tools.imaging.slides import open_slide
from fhir_tools.imaging.types import MODEL_SIZE

pytestmark = pytest.mark.filterwarnings("ignore")
SIDE = 6144


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiled TIFF as a scanner writes it, 0.5 microns a pixel: glass, and tissue in the right lower part."""
    glass = np.full((SIDE, SIDE, 3), 240, np.uint8)
    glass[3584:, 3584:] = (190, 90, 160)
    path = tmp_path_factory.mktemp("slides") / "slide.tiff"
    with tifffile.TiffWriter(path, bigtiff=True) as out:
        options = {"tile": (256, 256), "photometric": "rgb", "compression": "zlib", "metadata": None}
        out.write(glass, subfiletype=0, **options)
        out.write(glass[::4, ::4], subfiletype=1, **options)
    return path


def test_patches_are_where_the_tissue_is(slide: Path) -> None:
    opened = open_slide(slide)
    assert opened is not None and opened.kind == "slide"
    overview, *patches = opened.read(range(opened.frames))
    assert overview.pixels.shape == (MODEL_SIZE, MODEL_SIZE, 3)
    assert overview.region is not None and overview.region.right == SIDE and overview.source == (SIDE, SIDE)
    assert 4 <= len(patches) <= 9
    for patch in patches:
        assert patch.region is not None and patch.region.right > 3584 and patch.region.bottom > 3584
        assert patch.pixels.std() > 1 or patch.pixels[0, 0].tolist() == [190, 90, 160]
        assert patch.description.modality == "SM"


def test_a_patch_at_the_edge_shows_no_more_than_the_slide(slide: Path) -> None:
    opened = open_slide(slide)
    assert opened is not None
    last = next(iter(opened.read([opened.frames - 1])))
    assert last.region is not None and last.region.right == SIDE == last.region.bottom
    wide, high = last.region.right - last.region.left, last.region.bottom - last.region.top
    assert abs(last.pixels.shape[1] / last.pixels.shape[0] - wide / high) < 0.02


def test_an_ordinary_tiff_is_no_slide(tmp_path: Path) -> None:
    path = tmp_path / "picture.tiff"
    tifffile.imwrite(path, np.zeros((64, 64, 3), np.uint8), photometric="rgb")
    assert open_slide(path) is None
