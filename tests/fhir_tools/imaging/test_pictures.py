"""PNG, JPEG, TIFF, WebP and others as pixels, by their content."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("pydicom")

from PIL import Image

from fhir_tools.imaging.decoded import Decoded, Unreadable
from fhir_tools.imaging.pictures import open_picture
from fhir_tools.imaging.types import Limits
from tests.fhir_tools.imaging.made import slope_image

RGB = np.stack([slope_image(top=255, dtype=np.uint8), *[np.full((64, 96), v, np.uint8) for v in (40, 200)]], axis=-1)


def saved(folder: Path, picture: Image.Image, kind: str, **options: Any) -> Path:
    path = folder / "attachment"  # without an ending: it is known by its content
    picture.save(path, kind, **options)
    return path


def decode(path: Path, **limits: Any) -> list[Decoded]:
    opened = open_picture(path, Limits(**limits))
    return list(opened.read(range(opened.frames)))


@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("WEBP", {"lossless": True}), ("BMP", {})],
)
def test_colours_come_back(tmp_path: Path, kind: str, options: Any) -> None:
    frame = decode(saved(tmp_path, Image.fromarray(RGB), kind, **options))[0]
    assert (frame.pixels == RGB).all() and frame.description.kind.upper() == kind and not frame.description.lossy


def test_jpeg_is_near(tmp_path: Path) -> None:
    frame = decode(saved(tmp_path, Image.fromarray(RGB), "JPEG", quality=95, subsampling=0))[0]
    assert np.abs(frame.pixels.astype(int) - RGB).max() < 12 and frame.description.lossy


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_stretched_over_their_range(tmp_path: Path, kind: str) -> None:
    frame = decode(saved(tmp_path, Image.fromarray(slope_image(top=4095)), kind))[0]
    assert frame.pixels.dtype == np.uint8 and frame.pixels[0, 0] == 0 and frame.pixels[0, -1] == 255
    assert frame.description.window == "full range"


def test_floats_are_too(tmp_path: Path) -> None:
    values = np.array([[np.nan, 0.0, 0.5, 1.0]], np.float32)
    assert decode(saved(tmp_path, Image.fromarray(values), "TIFF"))[0].pixels.tolist() == [[0, 0, 128, 255]]


@pytest.mark.parametrize(
    ("mode", "seen"),
    [
        ("1", [0, 255]),
        ("L", [0, 255]),
        ("P", [[0, 0, 0], [255, 255, 255]]),
        ("CMYK", [[0, 0, 0], [255, 255, 255]]),
    ],
)
def test_other_modes_become_grey_or_rgb(tmp_path: Path, mode: str, seen: Any) -> None:
    picture = Image.fromarray(np.array([[0, 255]], np.uint8)).convert("RGB").convert(mode)
    assert decode(saved(tmp_path, picture, "TIFF"))[0].pixels[0].tolist() == seen


def test_what_is_transparent_is_white_and_hides_nothing(tmp_path: Path) -> None:
    rgba = np.zeros((1, 2, 4), np.uint8)
    rgba[0, 1] = (10, 20, 30, 255)
    assert decode(saved(tmp_path, Image.fromarray(rgba), "PNG"))[0].pixels[0].tolist() == [[255] * 3, [10, 20, 30]]


def test_a_picture_is_turned_as_its_exif_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    frame = decode(saved(tmp_path, Image.fromarray(RGB), "PNG", exif=exif))[0]
    assert frame.pixels.shape == (96, 64, 3) and (frame.pixels == np.rot90(RGB, -1)).all()


def test_every_page_of_a_tiff(tmp_path: Path) -> None:
    pages = [Image.fromarray(np.full((4, 4), grey, np.uint8)) for grey in (10, 20, 30)]
    path = saved(tmp_path, pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert [int(f.pixels[0, 0]) for f in decode(path)] == [10, 20, 30]
    assert [f.index for f in open_picture(path, Limits()).read([2, 0])] == [2, 0]
    with pytest.raises(Unreadable) as told:
        open_picture(path, Limits(frames=2))
    assert told.value.reason == "large"


def bomb(side: int) -> bytes:
    """A PNG that says it is very large, in a few bytes."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bomb(60_000))
    with pytest.raises(Unreadable) as told:
        open_picture(path, Limits())
    assert told.value.reason == "large"


@pytest.mark.parametrize(
    "body", [b"", b"hello", b"%PDF-1.7 x", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"PK\x03\x04" * 20]
)
def test_what_is_no_image_is_told_as_that(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(body)
    with pytest.raises(Unreadable) as told:
        open_picture(path, Limits())
    assert told.value.reason == "no-image"


def test_formats_beyond_the_list_are_not_opened(tmp_path: Path) -> None:
    out = io.BytesIO()
    Image.fromarray(RGB).save(out, "PPM")
    path = tmp_path / "file"
    path.write_bytes(out.getvalue())
    with pytest.raises(Unreadable):
        open_picture(path, Limits())
