"""From DICOM to what a model takes: one radiograph, a study of 300 slices in Orthanc, a file of 500 MB.

    python -m benchmarks.bench_imaging

Memory is the peak of this process and of the decoding process, above what both take for one frame. The study's times,
to its files and to its frames, are set beside a plain download of the same bytes (WADO-RS of the whole study with httpx
to nowhere), best of so many runs in turn.
Without Orthanc on the machine its part is left out, and said.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from fhir_tools.http import Http
from fhir_tools.imaging import Archives, Image, frames, open_access, prepare
from fhir_tools.imaging.decoding import Decoders
from fhir_tools.imaging.types import Box, Choice, Frame, Limits, Place
from fhir_tools.local import LocalStore
from fhir_tools.types import Reference
from tools.peers.orthanc import INSTALL, Orthanc, is_installed, orthanc, upload

STUDY, SERIES = "1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.1.1"
REFERENCE = Reference(type="ImagingStudy", id="s")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--frames", type=int, default=1000, help="of the one large file, 512 x 512, 16 bits")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_radiograph(Path(folder), arguments.runs))
        asyncio.run(_large(Path(folder), arguments.frames))
        if is_installed():
            with orthanc() as peer:
                upload(peer, _slices(arguments.slices))
                asyncio.run(_study(peer, arguments.slices, arguments.runs))
        else:
            print(f"study: left out, Orthanc is not installed ({INSTALL})")


def _file(pixels: Any, *, count: int = 1, **tags: Any) -> bytes:
    """A DICOM file of 16-bit values, explicit little endian."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = CTImageStorage
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = tags.pop("SOPInstanceUID", f"{SERIES}.1")
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.PatientID = STUDY, SERIES, "bench"
    ds.Rows, ds.Columns = pixels.shape[-2:]
    ds.SamplesPerPixel, ds.BitsAllocated, ds.BitsStored, ds.HighBit = 1, 16, 12, 11
    ds.PixelRepresentation, ds.PhotometricInterpretation = 0, "MONOCHROME2"
    ds.RescaleSlope, ds.RescaleIntercept = 1, -1024
    for name, value in tags.items():
        setattr(ds, name, value)
    if count > 1:
        ds.NumberOfFrames = count
    ds.PixelData = pixels.tobytes() * count
    ds["PixelData"].VR = "OW"
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _noise(side: int, seed: int) -> Any:
    import numpy as np

    rows = np.random.default_rng(seed).integers(0, 400, (side, side))
    return (rows + np.linspace(0, 3600, side)).astype(np.uint16)


async def _radiograph(folder: Path, runs: int) -> None:
    path = folder / "film.dcm"
    path.write_bytes(_file(_noise(2000, 1), Modality="DX", WindowCenter=2048, WindowWidth=4096))
    decoders, seconds = Decoders(Limits(), "mask"), []
    for _ in range(runs + 1):
        start = time.perf_counter()
        async with decoders.opened(path, "model", {}) as file:
            async for one in file.read([0]):
                box = Box(left=0, top=0, right=2000, bottom=2000)
                frame = Frame(
                    pixels=one.pixels, description=one.description, reference=REFERENCE, region=box, source=(2000, 2000)
                )
                prepare(frame)
        seconds.append(time.perf_counter() - start)
    await decoders.close()
    first, rest = seconds[0], seconds[1:]
    print(f"radiograph 2,000 x 2,000: {median(rest) * 1000:.0f} ms ({min(rest) * 1000:.0f} best; target 150); "
          f"{first * 1000:.0f} ms with the start of the decoding process", flush=True)  # fmt: skip


async def _large(folder: Path, count: int) -> None:
    path = folder / "large.dcm"
    path.write_bytes(_file(_noise(512, 2), count=count, Modality="CT"))
    size = path.stat().st_size / 1e6
    decoders = Decoders(Limits(), "mask")
    async with decoders.opened(path, "model", {}) as file:
        async for _ in file.read([0]):
            pass
        before, start, read = _peak(decoders), time.perf_counter(), 0
        async for _ in file.read(range(count)):
            read += 1
        seconds, above = time.perf_counter() - start, _peak(decoders) - before
    await decoders.close()
    path.unlink()
    print(
        f"file of {size:.0f} MB: {read} frames in {seconds:.1f} s, {above:.0f} MB above one frame (target 200)",
        flush=True,
    )


def _peak(decoders: Decoders) -> float:
    """The peak memory in MB of this process and of those that decode."""
    places = ["self", *(str(process.pid) for process in decoders.processes)]
    lines = [line for place in places for line in Path(f"/proc/{place}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1e3


def _slices(count: int) -> Iterator[bytes]:
    for at in range(count):
        yield _file(
            _noise(512, at), Modality="CT", SOPInstanceUID=f"{SERIES}.{at + 1}", InstanceNumber=at + 1,
            ImagePositionPatient=[0, 0, at], ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        )  # fmt: skip


async def _study(peer: Orthanc, count: int, runs: int) -> None:
    place = Place(way="wado-rs", holder=REFERENCE, path="ImagingStudy.endpoint", address=peer.dicomweb)
    image = Image(reference=REFERENCE, path="ImagingStudy", uid=STUDY, places=(place,))
    store = LocalStore(":memory:")
    store.put({"resourceType": "ImagingStudy", "id": "s", "status": "available", "subject": {"reference": "Patient/p"}})
    plain, files, ours, above = [], [], [], 0.0
    async with Http(peer.base) as http, open_access(store, archives=Archives([http])) as access:
        async for _ in frames(image, access, choose=Choice(most=1)):
            before = _peak(access.decoders)
        for _ in range(runs):
            plain.append(_download(peer))
            start = time.perf_counter()
            async for path in access.archives.at(peer.dicomweb, access.limits).files(STUDY, "", "", access.folder):
                path.unlink()
            files.append(time.perf_counter() - start)
            start, read = time.perf_counter(), 0
            async for _ in frames(image, access):
                read += 1
            ours.append(time.perf_counter() - start)
            assert read == count
        above = _peak(access.decoders) - before
    best = min(plain)
    print(f"study of {count} slices: {best:.2f} s plain download; {min(files):.2f} s to files ({min(files) / best:.2f} "
          f"x, target 1.5); {min(ours):.2f} s to frames ({min(ours) / best:.2f} x); {above:.0f} MB above one frame "
          "(target 200)", flush=True)  # fmt: skip


def _download(peer: Orthanc) -> float:
    """Seconds of a plain download of the whole study, to nowhere."""
    start = time.perf_counter()
    headers = {"accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
    with httpx.stream(
        "GET", f"{peer.dicomweb}/studies/{STUDY}", headers=headers, timeout=120, trust_env=False
    ) as answer:
        answer.raise_for_status()
        for _ in answer.iter_raw():
            pass
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
