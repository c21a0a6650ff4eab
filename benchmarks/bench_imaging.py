"""From DICOM to what a model takes: one radiograph, a study of 300 slices in Orthanc, a file of 500 MB.

    python -m benchmarks.bench_imaging

Memory is the peak of this process and of the decoding process, above what both take for one frame. The study's times,
to its files and to its frames, are set beside the same work done plainly, and beside a download of the same bytes to
nowhere (WADO-RS of the whole study), all in turn; a ratio is the median over the turns.
Without Orthanc on the machine its part is left out, and said.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import AsyncIterable, Awaitable, Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from fhir_tools.http import Http
from fhir_tools.imaging import Archives, Image, frames, open_access, prepare
from fhir_tools.imaging.decoding import Decoders
from fhir_tools.imaging.types import Box, Choice, Frame, Limits, Place
from fhir_tools.imaging.web import DicomWeb
from fhir_tools.imaging.windows import CT_WINDOWS
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
    plain, seconds = _Plain(peer, count), defaultdict[str, list[float]](list)
    async with Http(peer.base) as http, open_access(store, archives=Archives([http])) as access:
        archive = access.archives.at(peer.dicomweb, access.limits)
        async for _ in frames(image, access, choose=Choice(most=1)):
            before = _peak(access.decoders)
        await _count(frames(image, access))
        above = _peak(access.decoders) - before  # before the plain work, which holds the study
        work: dict[str, Callable[[], Awaitable[int]]] = {
            "download": lambda: _later(plain.download),
            "plain files": lambda: _later(plain.files),
            "files": lambda: _files(archive, access.folder),
            "plain frames": lambda: _later(plain.frames),
            "frames": lambda: _count(frames(image, access)),
        }
        for _ in range(runs):
            for name, do in work.items():
                start = time.perf_counter()
                assert await do() == count
                seconds[name].append(time.perf_counter() - start)
    print(f"study of {count} slices: {above:.0f} MB above one frame (target 200)")
    for name in ("files", "frames"):
        took, same, least = (seconds[key] for key in (name, f"plain {name}", "download"))
        print(f"  to {name}: {median(took):.2f} s; {_ratio(took, same):.2f} x the same work done plainly "
              f"({median(same):.2f} s); {_ratio(took, least):.2f} x a download to nowhere ({median(least):.2f} s)",
              flush=True)  # fmt: skip


def _ratio(ours: list[float], theirs: list[float]) -> float:
    """The median of what was measured in turn: a machine that is busy with other things is so for both."""
    return median(a / b for a, b in zip(ours, theirs, strict=True))


async def _later(do: Callable[[], int]) -> int:
    return do()


async def _count(several: AsyncIterable[object]) -> int:
    return len([None async for _ in several])


async def _files(archive: DicomWeb, folder: Path) -> int:
    paths = [path async for path in archive.files(STUDY, "", folder)]
    for path in paths:
        path.unlink()
    return len(paths)


class _Plain:
    """The same as one would write it down at first: httpx, the whole answer in memory, pydicom, numpy."""

    def __init__(self, peer: Orthanc, count: int) -> None:
        self._count = count
        self._url = f"{peer.dicomweb}/studies/{STUDY}"
        headers = {"accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
        self._client = httpx.Client(headers=headers, timeout=120, trust_env=False)

    def download(self) -> int:
        """A download to nowhere, which is no work of the same kind: the least that can be had."""
        with self._client.stream("GET", self._url) as answer:
            size = sum(map(len, answer.iter_raw()))
        assert size > 400_000 * self._count
        return self._count

    def files(self) -> int:
        """The instances as files."""
        with tempfile.TemporaryDirectory() as folder:
            return len(self._written(Path(folder)))

    def _written(self, folder: Path) -> list[Path]:
        answer = self._client.get(self._url)
        boundary = answer.headers["content-type"].split("boundary=")[1].split(";")[0].strip('"').encode()
        paths = []
        for at, part in enumerate(answer.content.split(b"--" + boundary)[1:-1]):
            paths.append(folder / str(at))
            paths[-1].write_bytes(part.partition(b"\r\n\r\n")[2][:-2])
        return paths

    def frames(self) -> int:
        """The slices in order as three windows each, as Google's notebook for MedGemma 1.5 works them out."""
        import numpy as np
        import pydicom

        with tempfile.TemporaryDirectory() as folder:
            slices = [pydicom.dcmread(path) for path in self._written(Path(folder))]
            for one in sorted(slices, key=lambda ds: ds.ImagePositionPatient[2]):
                values = one.pixel_array * one.RescaleSlope + one.RescaleIntercept
                bounds = ((w.center - w.width / 2, w.width) for w in CT_WINDOWS)
                shown = [
                    np.clip((values - low) / width * 255, 0, 255).round().astype(np.uint8) for low, width in bounds
                ]
                np.stack(shown, axis=-1)
        return len(slices)


if __name__ == "__main__":
    main()
