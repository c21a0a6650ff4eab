"""A real archive: Orthanc with its DICOMweb plugin, read through ImagingStudy → Endpoint → QIDO-RS and WADO-RS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pydicom")

import pydicom

from fhir_tools.auth import Basic
from fhir_tools.errors import ImageError, NotFound, SourceError
from fhir_tools.http import Http
from fhir_tools.imaging import Archives, Choice, find, frames, open_access, prepare
from fhir_tools.imaging.delivery import instance_of
from fhir_tools.imaging.types import Limits
from fhir_tools.imaging.web import DicomWeb
from tests.fhir_tools.imaging.charts import endpoint, scoped, study
from tests.fhir_tools.imaging.made import bytes_of, dataset, real
from tools.peers.orthanc import INSTALL, Orthanc, is_installed, orthanc, stow, upload

pytestmark = [
    pytest.mark.loopback,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(not is_installed(), reason=f"Orthanc is not installed: {INSTALL}"),
]
SLICES = 5
CT = {"StudyInstanceUID": "1.2.77", "SeriesInstanceUID": "1.2.77.1", "PatientID": "p", "PatientName": "A^B"}


def slices() -> list[bytes]:
    """A CT of five slices of 10, 20 … HU, numbered against the order in which they lie."""
    made = []
    for at in range(SLICES):
        pixels = np.full((32, 32), 1024 + 10 * (at + 1), np.uint16)
        made.append(bytes_of(dataset(
            pixels, **CT, SOPInstanceUID=f"1.2.77.1.{at}", InstanceNumber=SLICES - at, SeriesNumber=1, RescaleSlope=1,
            RescaleIntercept=-1024, ImagePositionPatient=[0, 0, 5 * at], ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        )))  # fmt: skip
    return made


@pytest.fixture(scope="module")
def peer() -> Iterator[Orthanc]:
    with orthanc() as running:
        stow(running, slices())
        names = ("RG1_UNCR.dcm", "MR_small_jp2klossless.dcm", "emri_small_jpeg_ls_lossless.dcm", "test-SR.dcm")
        upload(running, [real(name).read_bytes() for name in names])
        yield running


async def read(peer: Orthanc, uid: str, choose: Choice | None = None, **more: Any) -> list[Any]:
    source = scoped(endpoint(peer.dicomweb), study("s", uid, **more))
    image = (await find(source)).images[0]
    async with Http(peer.base) as http, open_access(source, archives=Archives([http])) as access:
        return [frame async for frame in frames(image, access, choose=choose or Choice())]


def uid_of(name: str) -> str:
    return str(pydicom.dcmread(real(name), stop_before_pixels=True).StudyInstanceUID)


async def test_a_study_in_the_order_in_which_its_slices_lie(peer: Orthanc) -> None:
    found = await read(peer, "1.2.77")
    assert [(f.number, f.of, f.description.position) for f in found] == [(n, 5, 5.0 * (n - 1)) for n in range(1, 6)]
    assert [int(f.pixels[0, 0, 2]) for f in found] == [round(x / 80 * 255) for x in (10, 20, 30, 40, 50)]
    assert [f.number for f in await read(peer, "1.2.77", Choice(most=2))] == [2, 4]
    assert [f.number for f in await read(peer, "1.2.77", Choice(frames=(5,)))] == [5]
    assert [f.number for f in await read(peer, "1.2.77", Choice(instance="1.2.77.1.3"))] == [1]


async def test_what_the_chart_lists_is_asked_for_as_listed(peer: Orthanc) -> None:
    instances = [
        {"uid": f"1.2.77.1.{at}", "number": at, "sopClass": {"code": "1.2.840.10008.5.1.4.1.1.2"}} for at in (3, 1)
    ]
    series = [{"uid": "1.2.77.1", "modality": {"code": "CT"}, "instance": instances}]
    found = await read(peer, "1.2.77", series=series)
    assert [(f.instance, f.number, f.of) for f in found] == [("1.2.77.1.1", 1, 2), ("1.2.77.1.3", 2, 2)]


async def test_a_real_chest_film_for_the_model(peer: Orthanc) -> None:
    picture = prepare((await read(peer, uid_of("RG1_UNCR.dcm")))[0])
    assert picture.caption == "CR chest, PA, window 15000/30000"
    assert picture.fit.region.right == 1841 and picture.data.startswith(b"\x89PNG")


@pytest.mark.parametrize(("name", "count"), [("MR_small_jp2klossless.dcm", 1), ("emri_small_jpeg_ls_lossless.dcm", 10)])
async def test_compressed_files_come_as_they_are_stored(peer: Orthanc, name: str, count: int) -> None:
    assert len(await read(peer, uid_of(name))) == count


async def test_a_study_of_reports_alone_has_no_images(peer: Orthanc) -> None:
    with pytest.raises(ImageError):
        await read(peer, uid_of("test-SR.dcm"))


async def test_what_the_archive_does_not_hold_is_told(peer: Orthanc) -> None:
    series = [{"uid": "1.2.9.1", "modality": {"code": "CT"}, "instance": [{"uid": "1.2.9.1.1"}]}]
    with pytest.raises(NotFound, match="does not hold the image"):
        await read(peer, "1.2.9", series=series)


async def test_by_wado_uri(peer: Orthanc) -> None:
    instance = {"uid": "1.2.77.1.2", "sopClass": {"code": "1.2.840.10008.5.1.4.1.1.2"}}
    series = [{"uid": "1.2.77.1", "modality": {"code": "CT"}, "instance": [instance]}]
    source = scoped(endpoint(f"{peer.base}/wado", "dicom-wado-uri"), study("s", "1.2.77", series=series))
    image = (await find(source)).images[0]
    async with Http(peer.base) as http, open_access(source, archives=Archives([http])) as access:
        assert [f.instance async for f in frames(image, access)] == ["1.2.77.1.2"]


async def test_the_services_of_dicomweb(peer: Orthanc, tmp_path: Path) -> None:
    async with Http(peer.base) as http:
        web = DicomWeb(http, peer.dicomweb, Limits())
        assert [row["0020000E"]["Value"] for row in await web.series("1.2.77")] == [["1.2.77.1"]]
        assert len(await web.instances("1.2.77")) == SLICES
        assert await web.instances("1.2.404") == ()
        files = [path async for path in web.files("1.2.77", "", tmp_path)]
        assert sorted(str(pydicom.dcmread(f).SOPInstanceUID) for f in files) == [
            f"1.2.77.1.{at}" for at in range(SLICES)
        ]
        one = await web.file("1.2.77", "1.2.77.1", "1.2.77.1.3", tmp_path)
        assert instance_of(one) == pydicom.dcmread(one).SOPInstanceUID == "1.2.77.1.3"


async def test_uids_that_are_none_are_not_put_into_an_address(peer: Orthanc) -> None:
    async with Http(peer.base) as http:
        web = DicomWeb(http, peer.dicomweb, Limits())
        for uid in ("1.2/../../instances", "1.2?x=1", "a", "1." * 40, "1..2"):
            with pytest.raises(ImageError, match="no DICOM UID"):
                await web.instances(uid)


async def test_a_body_beyond_the_limit_is_not_taken(peer: Orthanc, tmp_path: Path) -> None:
    async with Http(peer.base) as http:
        web = DicomWeb(http, peer.dicomweb, Limits(bytes_=3000))
        with pytest.raises(SourceError, match="more than"):
            _ = [path async for path in web.files("1.2.77", "", tmp_path)]


async def test_credentials_go_to_the_archive_that_they_are_for() -> None:
    with orthanc(user=("reader", "secret")) as peer:
        upload(peer, slices()[:1])
        source = scoped(endpoint(peer.dicomweb), study("s", "1.2.77"))
        image = (await find(source)).images[0]
        async with Http(peer.base) as bare, open_access(source, archives=Archives([bare])) as access:
            with pytest.raises(SourceError, match="401: it wants other credentials"):
                _ = [f async for f in frames(image, access)]
        from pydantic import SecretStr

        auth = Basic(peer.base, "reader", SecretStr("secret"))
        async with Http(peer.base, auth=auth) as http, open_access(source, archives=Archives([http])) as access:
            assert len([f async for f in frames(image, access)]) == 1
