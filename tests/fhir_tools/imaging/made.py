"""DICOM files and pictures made for tests, and the real ones of pydicom and pydicom-data (MIT)."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import data_store
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEGBaseline8Bit, generate_uid

__all__ = ["bytes_of", "dataset", "jpeg_baseline", "real", "slope_image"]

_FOLDERS = (Path(data_store.__file__).parent / "data", Path(pydicom.__file__).parent / "data" / "test_files")


def real(name: str) -> Path:
    """A real file by its name."""
    return next(path for folder in _FOLDERS for path in (folder / name, *folder.rglob(name)) if path.is_file())


def slope_image(rows: int = 64, columns: int = 96, *, top: int = 4095, dtype: Any = np.uint16) -> np.ndarray[Any, Any]:
    """Values that rise from left to right, from 0 to `top`."""
    line = np.linspace(0, top, columns).round().astype(dtype)
    return np.tile(line, (rows, 1))


def dataset(pixels: np.ndarray[Any, Any], *, bits: int | None = None, frames: int = 1, **tags: Any) -> Dataset:
    """A data set with these pixels: (rows, columns), (rows, columns, 3), or frames of either first."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = tags.pop("SOPClassUID", "1.2.840.10008.5.1.4.1.1.2")
    ds.SOPInstanceUID = tags.pop("SOPInstanceUID", generate_uid())
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.StudyInstanceUID = tags.pop("StudyInstanceUID", generate_uid())
    ds.SeriesInstanceUID = tags.pop("SeriesInstanceUID", generate_uid())
    one = pixels[0] if frames > 1 else pixels
    ds.Rows, ds.Columns = one.shape[:2]
    ds.SamplesPerPixel = one.shape[2] if one.ndim == 3 else 1
    ds.BitsAllocated = 8 * pixels.dtype.itemsize
    ds.BitsStored = bits or ds.BitsAllocated
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    ds.PhotometricInterpretation = "RGB" if one.ndim == 3 else "MONOCHROME2"
    if one.ndim == 3:
        ds.PlanarConfiguration = 0
    if frames > 1:
        ds.NumberOfFrames = frames
    ds.Modality = "CT"
    data = pixels.tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    ds["PixelData"].VR = "OW" if ds.BitsAllocated > 8 else "OB"
    for name, value in tags.items():
        setattr(ds, name, value)
    return ds


def jpeg_baseline(pixels: np.ndarray[Any, Any], **tags: Any) -> Dataset:
    """A data set whose frame is a JPEG of 8 bits: grey, or YBR_FULL_422."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=95)
    ds = dataset(pixels, **tags)
    if pixels.ndim == 3:
        ds.PhotometricInterpretation = "YBR_FULL_422"
    ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    ds.PixelData = encapsulate([out.getvalue()])
    ds["PixelData"].is_undefined_length = True
    return ds


def bytes_of(ds: Dataset, syntax: UID | None = None) -> bytes:
    """The data set as a file, brought to a transfer syntax that pydicom can write."""
    if syntax is not None and syntax != ds.file_meta.TransferSyntaxUID:
        if syntax.is_compressed and not syntax.is_deflated:
            ds.compress(syntax)
        else:
            _turn(ds, syntax)
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _turn(ds: Dataset, syntax: UID) -> None:
    """Byte order of the pixels by hand: pydicom writes them as they are."""
    if not syntax.is_little_endian and ds.BitsAllocated > 8:
        ds.PixelData = np.frombuffer(ds.PixelData, dtype=f"u{ds.BitsAllocated // 8}").byteswap().tobytes()
    ds.file_meta.TransferSyntaxUID = syntax
