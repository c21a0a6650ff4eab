"""DICOM of every kind that can be written here or that pydicom ships: the same picture whatever it is packed in."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pydicom")

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from fhir_tools.imaging.decoded import Decoded, Opened, Unreadable
from fhir_tools.imaging.dicom import is_dicom, open_dicom
from fhir_tools.imaging.types import Limits
from tests.fhir_tools.imaging.made import bytes_of, dataset, jpeg_baseline, real, slope_image

pytestmark = pytest.mark.filterwarnings("ignore")  # of pydicom; the decoding process is silent
SYNTAXES = [
    ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian, RLELossless,
    JPEG2000Lossless, JPEGLSLossless,
]  # fmt: skip


def opened(path: Path, look: Any = "display", burned: Any = "allow", **limits: Any) -> Opened:
    return open_dicom(path, Limits(**limits), look, burned, {})


def decode(path: Path, look: Any = "display", burned: Any = "allow") -> list[Decoded]:
    file = opened(path, look, burned)
    return list(file.read(range(file.frames)))


def shown(folder: Path, ds: Dataset, syntax: UID | None = None, look: Any = "display") -> np.ndarray[Any, Any]:
    path = folder / "file.dcm"
    path.write_bytes(bytes_of(ds, syntax))
    return decode(path, look)[0].pixels


# Transfer syntaxes.


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda s: s.name)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
def test_the_same_values_in_every_transfer_syntax(tmp_path: Path, syntax: UID, dtype: Any) -> None:
    top = 255 if dtype == np.uint8 else 4095
    values = slope_image(top=top, dtype=dtype) - (dtype(2048) if dtype == np.int16 else dtype(0))
    ds = dataset(values, bits=None if dtype != np.uint16 else 12, Modality="MR")
    pixels = shown(tmp_path, ds, syntax)
    assert pixels.dtype == np.uint8 and pixels.shape == values.shape
    assert pixels[0, 0] == 0 and pixels[0, -1] == 255 and (np.diff(pixels[0].astype(int)) > 0).all()


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda s: s.name)
def test_colours_in_every_transfer_syntax(tmp_path: Path, syntax: UID) -> None:
    rgb = np.stack(
        [slope_image(top=255, dtype=np.uint8), *[np.full((64, 96), v, np.uint8) for v in (40, 200)]], axis=-1
    )
    assert (shown(tmp_path, dataset(rgb, Modality="XC"), syntax) == rgb).all()


def test_jpeg_with_loss_is_near_and_said(tmp_path: Path) -> None:
    grey = slope_image(top=255, dtype=np.uint8)
    path = tmp_path / "file.dcm"
    path.write_bytes(bytes_of(jpeg_baseline(grey, Modality="US", LossyImageCompression="01")))
    frame = decode(path)[0]
    assert np.abs(frame.pixels.astype(int) - grey).max() <= 6 and frame.description.lossy


def test_jpeg_colours_come_as_rgb(tmp_path: Path) -> None:
    rgb = np.zeros((16, 16, 3), np.uint8) + np.array([200, 30, 60], np.uint8)
    assert np.abs(shown(tmp_path, jpeg_baseline(rgb, Modality="XC")).astype(int) - rgb).max() <= 6


TWINS = [
    ("RG1_UNCR.dcm", "RG1_J2KI.dcm", 6),
    ("MR_small.dcm", "MR_small_RLE.dcm", 0),
    ("MR_small.dcm", "MR_small_jpeg_ls_lossless.dcm", 0),
    ("MR_small.dcm", "MR_small_jp2klossless.dcm", 0),
    ("MR_small.dcm", "MR_small_bigendian.dcm", 0),
    ("MR_small.dcm", "MR_small_implicit.dcm", 0),
    ("emri_small.dcm", "emri_small_big_endian.dcm", 0),
    ("emri_small.dcm", "emri_small_RLE.dcm", 0),
    ("liver.dcm", "liver_expb.dcm", 0),
    ("OBXXXX1A.dcm", "OBXXXX1A_rle.dcm", 0),
    ("OBXXXX1A.dcm", "OBXXXX1A_expb.dcm", 0),
    ("gdcm-US-ALOKA-16.dcm", "gdcm-US-ALOKA-16_big.dcm", 0),
    ("SC_rgb.dcm", "SC_rgb_rle_16bit.dcm", 0),
    ("SC_rgb.dcm", "SC_rgb_expb_32bit.dcm", 0),
    ("color-px.dcm", "color-pl.dcm", 0),
    ("US1_UNCR.dcm", "US1_J2KR.dcm", 0),
    ("rtdose.dcm", "rtdose_rle.dcm", 0),
]


@pytest.mark.parametrize(("one", "other", "least"), TWINS)
def test_real_twins_look_alike(one: str, other: str, least: int) -> None:
    first, second = decode(real(one)), decode(real(other))
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        assert np.abs(a.pixels.astype(int) - b.pixels).max() <= least


@pytest.mark.parametrize(
    "name",
    [
        "JPEG-LL.dcm", "JPGExtended.dcm", "JPEGLSNearLossless_16.dcm", "SC_rgb_jpeg_gdcm.dcm", "examples_ybr_color.dcm",
        "SC_ybr_full_422_uncompressed.dcm", "SC_ybr_full_uncompressed.dcm", "eCT_Supplemental.dcm", "image_dfl.dcm",
        "J2K_pixelrep_mismatch.dcm", "explicit_VR-UN.dcm", "GDCMJ2K_TextGBR.dcm", "JPGLosslessP14SV1_1s_1f_8b.dcm",
    ],
)  # fmt: skip
def test_real_files_of_other_kinds_are_read(name: str) -> None:
    frames = decode(real(name))
    assert frames and all(f.pixels.dtype == np.uint8 and f.pixels.std() > 1 for f in frames[:1])


# Values and greys.


def test_in_monochrome1_the_lowest_value_is_white(tmp_path: Path) -> None:
    values = slope_image()
    dark = shown(tmp_path, dataset(values, bits=12, Modality="CR"))
    light = shown(tmp_path, dataset(values, bits=12, Modality="CR", PhotometricInterpretation="MONOCHROME1"))
    assert (dark == 255 - light).all()


def test_a_real_chest_film_has_dark_lungs_and_a_bright_spine() -> None:
    frame = decode(real("RG1_UNCR.dcm"))[0]
    lung, spine = frame.pixels[300:600, 1100:1300].mean(), frame.pixels[1300:1500, 880:960].mean()
    assert lung + 40 < spine
    assert (frame.description.modality, frame.description.body_part, frame.description.view) == ("CR", "CHEST", "PA")


def test_ct_is_three_windows_of_hounsfield_units(tmp_path: Path) -> None:
    values = np.array([[24, 1024, 1064, 2024]] * 4, np.uint16)  # -1000, 0, 40, 1000 HU
    ds = dataset(values, bits=12, RescaleSlope=1, RescaleIntercept=-1024, RescaleType="HU")
    assert shown(tmp_path, ds, look="model")[0].tolist() == [[3, 0, 0], [128, 98, 0], [132, 128, 128], [252, 255, 255]]
    ds.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    assert shown(tmp_path, ds, look="model").ndim == 2


@pytest.mark.parametrize(
    ("tags", "words", "middle"),
    [
        ({"WindowCenter": 2048, "WindowWidth": 4096}, "window 2048/4096", 128),
        ({"WindowCenter": [1000, 2000], "WindowWidth": [100, 200]}, "window 1000/100", 255),
        ({"WindowCenter": 2048, "WindowWidth": 0}, "full range", 128),
        ({}, "full range", 128),
    ],
)
def test_the_first_window_of_the_file_is_used(tmp_path: Path, tags: Any, words: str, middle: int) -> None:
    path = tmp_path / "file.dcm"
    path.write_bytes(bytes_of(dataset(np.array([[0, 2048, 4095]] * 2, np.uint16), bits=12, Modality="DX", **tags)))
    frame = decode(path)[0]
    assert frame.description.window == words and abs(int(frame.pixels[0, 1]) - middle) <= 1


def test_a_voi_lut_and_a_modality_lut_are_used(tmp_path: Path) -> None:
    lut = Dataset()
    lut.LUTDescriptor, lut.LUTData = [4, 10, 8], [0, 255, 128, 64]
    lut["LUTDescriptor"].VR = lut["LUTData"].VR = "US"
    ds = dataset(np.array([[9, 10, 11, 12, 13, 99]] * 2, np.uint16), Modality="DX")
    ds.VOILUTSequence = Sequence([lut])
    assert shown(tmp_path, ds)[0].tolist() == [0, 0, 255, 128, 64, 64]
    del ds.VOILUTSequence
    lut.ModalityLUTType = "US"
    ds.ModalityLUTSequence = Sequence([lut])
    assert shown(tmp_path, ds)[0].tolist() == [0, 0, 255, 128, 64, 64]


@pytest.mark.parametrize("first", [-100, 65_436])
def test_a_voi_lut_may_begin_below_zero_where_no_pixel_lies(tmp_path: Path, first: int) -> None:
    """Its first value is written as if it were unsigned by some (C.11.2.1.1); it is negative if pixels may be."""
    item = Dataset()
    item.add_new(0x00283002, "SS" if first < 0 else "US", [201, first, 16])
    item.add_new(0x00283006, "US", [at * 256 for at in range(201)])
    ds = dataset(np.array([[0, 50, 100]], np.int16), Modality="MR", VOILUTSequence=[item])
    assert shown(tmp_path, ds)[0].tolist() == [100, 149, 199]


def test_what_stands_behind_the_pixels_is_not_read(tmp_path: Path) -> None:
    body = bytes_of(dataset(slope_image(), Modality="MR"))
    for padding in (b"\xff" * 100, bytes(100), b"\r\n", b"\x00\x01" * 33):
        (tmp_path / "file").write_bytes(body + padding)
        assert decode(tmp_path / "file")[0].pixels[0, -1] == 255


def test_padding_is_black_and_does_not_stretch_the_range(tmp_path: Path) -> None:
    values = np.array([[-2000, -2000, 0, 50, 100]] * 2, np.int16)
    for photometric, seen in (("MONOCHROME2", [0, 0, 0, 128, 255]), ("MONOCHROME1", [0, 0, 255, 127, 0])):
        ds = dataset(values, Modality="MR", PhotometricInterpretation=photometric)
        ds.add_new("PixelPaddingValue", "SS", -2000)
        assert shown(tmp_path, ds)[0].tolist() == seen


def test_bits_beside_the_stored_ones_are_not_shown(tmp_path: Path) -> None:
    values = slope_image(top=1023) | (np.uint16(0xF) << 12)
    pixels = shown(tmp_path, dataset(values, bits=10, Modality="MR", WindowCenter=512, WindowWidth=1024))
    assert pixels[0, 0] == 0 and pixels[0, -1] == 255 and (np.diff(pixels[0].astype(int)) >= 0).all()


def test_one_bit_masks_are_black_and_white() -> None:
    assert set(np.unique(decode(real("liver_1frame.dcm"))[0].pixels)) == {0, 255}


def test_frames_have_the_values_of_their_functional_groups(tmp_path: Path) -> None:
    def group(intercept: int, z: float) -> Dataset:
        item, transform, place = Dataset(), Dataset(), Dataset()
        transform.RescaleSlope, transform.RescaleIntercept, transform.RescaleType = 1, intercept, "HU"
        place.ImagePositionPatient = [0, 0, z]
        item.PixelValueTransformationSequence, item.PlanePositionSequence = Sequence([transform]), Sequence([place])
        return item

    shared, plane = Dataset(), Dataset()
    plane.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PlaneOrientationSequence = Sequence([plane])
    ds = dataset(np.full((2, 4, 4), 1024, np.uint16), frames=2)
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    ds.PerFrameFunctionalGroupsSequence = Sequence([group(-1024, 10), group(-984, 12.5)])
    path = tmp_path / "file.dcm"
    path.write_bytes(bytes_of(ds))
    first, second = decode(path, "model")
    assert first.pixels[0, 0].tolist() == [128, 98, 0] and second.pixels[0, 0].tolist() == [132, 128, 128]
    assert (first.description.position, second.description.position) == (10, 12.5)


def test_frames_are_read_alone_and_in_the_order_asked_for() -> None:
    every = decode(real("emri_small.dcm"))
    some = list(opened(real("emri_small.dcm")).read([7, 2]))
    assert [f.index for f in some] == [7, 2]
    assert (some[0].pixels == every[7].pixels).all() and (some[1].pixels == every[2].pixels).all()


# What is not read, and why.


@pytest.mark.parametrize(
    ("name", "reason", "detail"),
    [
        ("test-SR.dcm", "no-pixels", "modality SR"),
        ("waveform_ecg.dcm", "no-pixels", "modality ECG"),
        ("DICOMDIR-empty.dcm", "no-pixels", ""),
    ],
)
def test_files_without_pixels_are_told_as_that(name: str, reason: str, detail: str) -> None:
    with pytest.raises(Unreadable) as told:
        opened(real(name))
    assert (told.value.reason, told.value.detail) == (reason, detail)


@pytest.mark.parametrize(
    ("tags", "limits", "reason"),
    [
        ({"Rows": 60_000, "Columns": 60_000}, {}, "large"),
        ({"NumberOfFrames": 1_000_000}, {}, "large"),
        ({"NumberOfFrames": -1}, {}, "broken"),
        ({"Rows": 0}, {}, "no-pixels"),
        ({}, {"pixels": 10}, "large"),
    ],
)
def test_sizes_are_looked_at_before_memory_is_taken(tmp_path: Path, tags: Any, limits: Any, reason: str) -> None:
    path = tmp_path / "file.dcm"
    path.write_bytes(bytes_of(dataset(slope_image(), **tags)))
    with pytest.raises(Unreadable) as told:
        opened(path, **limits)
    assert told.value.reason == reason


def test_a_deflated_bomb_is_not_inflated(tmp_path: Path) -> None:
    whole = bytes_of(dataset(slope_image()), DeflatedExplicitVRLittleEndian)
    meta = 128 + 4 + 12 + struct.unpack("<I", whole[140:144])[0]
    pack = zlib.compressobj(9, wbits=-15)
    bomb = b"".join(pack.compress(bytes(1 << 20)) for _ in range(40)) + pack.flush()
    path = tmp_path / "file.dcm"
    path.write_bytes(whole[:meta] + bomb)
    with pytest.raises(Unreadable) as told:
        opened(path, bytes_=20_000_000)
    assert told.value.reason == "large" and path.stat().st_size < 100_000


def test_video_is_told_as_video(tmp_path: Path) -> None:
    ds = dataset(slope_image(top=255, dtype=np.uint8))
    body = bytes_of(ds).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.4.102", 1)
    length = body.index(b"\x02\x00\x10\x00UI") + 6
    body = body[:length] + struct.pack("<H", 24) + body[length + 2 :].replace(b"4.102", b"4.102\0", 1)
    path = tmp_path / "file.dcm"
    path.write_bytes(body)
    with pytest.raises(Unreadable) as told:
        opened(path)
    assert told.value.reason == "video"


def test_a_file_of_another_study_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.dcm"
    path.write_bytes(bytes_of(dataset(slope_image(), StudyInstanceUID="1.2.3")))
    with pytest.raises(Unreadable) as told:
        open_dicom(path, Limits(), "display", "allow", {"StudyInstanceUID": "1.2.4"})
    assert told.value.reason == "another"


# Burnt-in text.


def test_text_beside_an_ultrasound_scan_is_blacked_out(tmp_path: Path) -> None:
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType = 1, 1
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 4, 6
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 19, 13
    ds = dataset(np.full((16, 24), 200, np.uint8), Modality="US", WindowCenter=128, WindowWidth=256)
    ds.SequenceOfUltrasoundRegions = Sequence([region])
    path = tmp_path / "file.dcm"
    path.write_bytes(bytes_of(ds))
    frame = decode(path, burned="mask")[0]
    assert frame.masked and frame.description.burned
    assert (frame.pixels[6:14, 4:20] > 0).all() and frame.pixels.astype(bool).sum() == 8 * 16
    assert not decode(path, burned="allow")[0].masked
    with pytest.raises(Unreadable):
        opened(path, burned="withhold")


@pytest.mark.parametrize(
    ("tags", "held"),
    [
        ({"BurnedInAnnotation": "YES"}, True),
        ({"BurnedInAnnotation": "NO"}, False),
        ({}, False),
        ({"Modality": "US"}, True),
        ({"Modality": "US", "BurnedInAnnotation": "NO"}, False),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, True),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "BurnedInAnnotation": "NO"}, False),
        ({"ConversionType": "WSD"}, True),
    ],
)
def test_what_may_hold_text_is_held_back(tmp_path: Path, tags: Any, held: bool) -> None:
    path = tmp_path / "file.dcm"
    path.write_bytes(bytes_of(dataset(slope_image(), **tags)))
    if held:
        with pytest.raises(Unreadable) as told:
            opened(path, burned="mask")
        assert told.value.reason == "burned" and decode(path, burned="allow")[0].description.burned
    else:
        assert not decode(path, burned="mask")[0].description.burned


def test_dicom_is_known_by_its_beginning() -> None:
    assert is_dicom(real("CT_small.dcm").read_bytes()[:4096]) and is_dicom(
        real("ExplVR_LitEndNoMeta.dcm").read_bytes()[:4096]
    )
    assert not is_dicom(b"\x89PNG\r\n\x1a\n" + bytes(200))
