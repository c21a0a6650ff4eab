"""Images from attachments, and what leaves a file: pixels and words of a vocabulary, nothing that tells who it is."""

from __future__ import annotations

import io
import logging
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pydicom")

from PIL import Image as Pillow

from fhir_tools.errors import ImageError
from fhir_tools.imaging import Choice, Missed, find, frames, open_access, prepare
from tests.fhir_tools.imaging.charts import PATIENT, attachment, endpoint, scoped, study
from tests.fhir_tools.imaging.made import bytes_of, dataset, slope_image

pytestmark = pytest.mark.filterwarnings("ignore")
NAME, BORN, NUMBER, PLACE = "Wrzesniewski^Alina", "19530721", "MRN-7734-XK", "Saint Elsewhere"
WHO = {
    "PatientName": NAME, "PatientBirthDate": BORN, "PatientID": NUMBER, "InstitutionName": PLACE,
    "AccessionNumber": NUMBER,
    "ReferringPhysicianName": NAME, "StudyDescription": f"thorax of {NAME}", "SeriesDescription": NAME,
    "ImageComments": f"{NAME} {BORN}", "OtherPatientIDs": NUMBER, "PatientAddress": PLACE, "StationName": NAME,
    # People type such things where only code strings belong.
    "BodyPartExamined": NAME, "ViewPosition": NUMBER, "Laterality": NAME, "ProtocolName": NAME,
}  # fmt: skip
SECRETS = (*NAME.split("^"), BORN, NUMBER, PLACE, "1.2.826.0.1.999")


def secret(text: object) -> list[str]:
    return [word for word in SECRETS if word.lower() in str(text).lower()]


def media(body: bytes, kind: str = "application/dicom", **more: Any) -> dict[str, Any]:
    return {"resourceType": "Media", "id": "m", "status": "completed", "subject": PATIENT,
            "content": attachment(body, kind), **more}  # fmt: skip


def png(value: int = 9) -> bytes:
    out = io.BytesIO()
    Pillow.fromarray(np.full((8, 8), value, np.uint8)).save(out, "PNG")
    return out.getvalue()


async def test_nothing_that_identifies_the_patient_leaves_a_file(caplog: pytest.LogCaptureFixture, capfd: Any) -> None:
    caplog.set_level(logging.DEBUG)
    uids = dict.fromkeys(("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"), "1.2.826.0.1.999")
    body = bytes_of(dataset(slope_image(), bits=12, **WHO, **uids))
    broken = body.replace(b"MONOCHROME2 ", b"MARTHA^DOE  ")  # a wrong value that a decoder would repeat
    assert secret(body.decode("latin-1")) and broken != body
    source = scoped(media(body), media(body[: -len(body) // 3]) | {"id": "cut"}, media(broken) | {"id": "odd"})
    caplog.clear()  # of what pydicom told while these files were made, here
    told: list[object] = []
    async with open_access(source) as access:
        for image in (await find(source)).images:
            told.append(image)
            try:
                async for frame in frames(image, access):
                    picture = prepare(frame)
                    told += [frame, picture, frame.description, picture.caption, picture.data.decode("latin-1")]
            except ImageError as error:
                told += [error, repr(error), error.__cause__, error.__context__]
    printed = capfd.readouterr()
    assert len([t for t in told if isinstance(t, ImageError)]) == 2
    assert secret(told) == [] and secret(caplog.text) == [] and secret(printed.out + printed.err) == []
    assert "martha" not in str(told).lower()


async def test_words_of_the_vocabulary_do_leave() -> None:
    body = bytes_of(
        dataset(
            slope_image(),
            BodyPartExamined="Thorax",
            ViewPosition="pa",
            ImageLaterality="L",
            Modality="DX",
            PixelSpacing=[0.2, 0.3],
        )
    )
    source = scoped(media(body))
    async with open_access(source) as access:
        (said,) = [f.description async for f in frames((await find(source)).images[0], access)]
    assert (said.modality, said.body_part, said.view, said.laterality) == ("DX", "CHEST", "PA", "L")
    assert said.spacing == (0.2, 0.3)


async def test_a_picture_by_content_whatever_the_chart_says_it_is() -> None:
    source = scoped(media(png(77), "image/tiff"))
    async with open_access(source) as access:
        found = [f async for f in frames((await find(source)).images[0], access)]
    assert [(f.number, f.of, f.description.kind, int(f.pixels[0, 0])) for f in found] == [(1, 1, "PNG", 77)]


async def test_a_picture_in_a_binary() -> None:
    binary = {"resourceType": "Binary", "id": "b", **attachment(png(55), "image/png")}
    source = scoped(binary, media(b"") | {"content": {"contentType": "image/png", "url": "Binary/b"}})
    async with open_access(source) as access:
        found = [f async for f in frames((await find(source)).images[0], access)]
    assert int(found[0].pixels[0, 0]) == 55


async def test_frames_are_chosen_and_files_let_go() -> None:
    body = bytes_of(
        dataset(
            np.arange(10, dtype=np.uint16)[:, None, None] * np.ones((10, 8, 8), np.uint16),
            frames=10,
            Modality="MR",
            WindowCenter=5,
            WindowWidth=10,
        )
    )
    source = scoped(media(body))
    image = (await find(source)).images[0]
    async with open_access(source) as access:
        assert [f.number async for f in frames(image, access, choose=Choice(most=2))] == [3, 8]
        found = [f async for f in frames(image, access, choose=Choice(frames=(4, 9)))]
        assert [(f.number, f.of, int(f.pixels[0, 0])) for f in found] == [(4, 10, 85), (9, 10, 227)]
        with pytest.raises(ImageError, match="no such frame"):
            _ = [f async for f in frames(image, access, choose=Choice(frames=(11,)))]
        async with aclosing(frames(image, access)) as reading:
            async for _ in reading:
                break
        assert kept(access.folder) == []
    assert not kept(access.folder)


def kept(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.exists() else []


async def test_a_file_that_cannot_be_read_is_told_and_passed_over() -> None:
    good = bytes_of(dataset(slope_image(), StudyInstanceUID="1.2", SOPInstanceUID="1.2.1"))
    binaries = [
        {"resourceType": "Binary", "id": f"b{at}", **attachment(body, "application/dicom")}
        for at, body in enumerate((good, good[:-5000], good))
    ]
    instances = [
        {
            "uid": f"1.2.{at}",
            "number": at,
            "sopClass": {"code": "urn:oid:1.2.840.10008.5.1.4.1.1.2"},
            "extension": [{"url": "http://x", "valueReference": {"reference": f"Binary/b{at - 1}"}}],
        }
        for at in (1, 2, 3)
    ]
    series = [{"uid": "1.2.0", "modality": {"code": "CT"}, "instance": instances}]
    source = scoped(*binaries, study("s", "1.2", endpoint=[], series=series))
    image = (await find(source)).images[0]
    async with open_access(source) as access:
        missed: list[Missed] = []
        found = [f.number async for f in frames(image, access, missed=missed.append)]
        assert found == [1] and [m.what for m in missed] == ["file 2 of 3", "file 3 of 3"]
        assert "another" not in missed[0].why and "not the image that the chart names" in missed[1].why
        with pytest.raises(ImageError):
            _ = [f async for f in frames(image, access)]


async def test_an_archive_at_an_origin_that_is_not_allowed_is_not_asked() -> None:
    source = scoped(endpoint("https://pacs.example/dicom-web"), study("s", "1.2"))
    image = (await find(source)).images[0]
    async with open_access(source) as access:
        with pytest.raises(ImageError, match="CHARTLINE_FHIR_ORIGINS"):
            _ = [f async for f in frames(image, access)]


@pytest.mark.parametrize(
    "content", [{"contentType": "image/png", "data": "***"}, {"contentType": "image/png", "data": ""}]
)
async def test_an_attachment_that_is_no_base64_is_told(content: Any) -> None:
    source = scoped(media(b"") | {"content": content})
    images = (await find(source)).images
    async with open_access(source) as access:
        with pytest.raises(ImageError):
            _ = [f async for f in frames(images[0], access)]
