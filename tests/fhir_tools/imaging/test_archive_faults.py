"""Archives that refuse a series as one answer, lack a slice, send another one, or break off: what is read, and told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import numpy as np
import pytest

pytest.importorskip("pydicom")

from fhir_tools.http import Http
from fhir_tools.http import Limits as HttpLimits
from fhir_tools.imaging import Archives, Choice, Missed, find, frames, open_access
from fhir_tools.imaging.types import Limits
from tests.fhir_tools.imaging.charts import endpoint, scoped, study
from tests.fhir_tools.imaging.made import bytes_of, dataset

pytestmark = pytest.mark.filterwarnings("ignore")
BASE = "https://pacs.example/dicom-web"
STUDY, SERIES = "1.2.9", "1.2.9.1"
COUNT = 6
Answer = Callable[[], httpx.Response]


def slice_(at: int, study: str = STUDY) -> bytes:
    return bytes_of(dataset(
        np.full((8, 8), 1000 + at, np.uint16), StudyInstanceUID=study, SeriesInstanceUID=SERIES, Modality="MR",
        SOPInstanceUID=f"{SERIES}.{at}", WindowCenter=1000, WindowWidth=100,
    ))  # fmt: skip


def parts(*files: bytes, end: bytes = b"--b--\r\n", kind: str = "multipart/related; boundary=b") -> httpx.Response:
    body = b"".join(b"--b\r\nContent-Type: application/dicom\r\n\r\n" + file + b"\r\n" for file in files)
    return httpx.Response(200, headers={"content-type": kind}, content=pieces(body + end))


async def pieces(body: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(body), 100):
        yield body[at : at + 100]


class Archive:
    """Slices 0 to 5 by WADO-RS; `whole` answers for the series, `lacking` are not held. `asked` has the paths."""

    def __init__(self, whole: Answer, lacking: tuple[int, ...] = ()) -> None:
        self._whole, self._lacking, self.asked = whole, lacking, list[str]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/dicom-web")
        self.asked.append(path)
        if path == f"/studies/{STUDY}/series/{SERIES}":
            return self._whole()
        at = int(path.rpartition(".")[2])
        return httpx.Response(404) if at in self._lacking else parts(slice_(at))

    @property
    def alone(self) -> list[int]:
        """The slices that were asked for alone."""
        return sorted(int(path.rpartition(".")[2]) for path in self.asked if "/instances/" in path)


async def read(archive: Archive, choose: Choice | None = None, **limits: Any) -> tuple[list[int], list[Missed]]:
    """The numbers of the slices that were read, by their grey, and what is said of the others."""
    listed = [{"uid": f"{SERIES}.{at}", "number": at, "sopClass": {"code": "1.2.840.10008.5.1.4.1.1.4"}}
              for at in range(COUNT)]  # fmt: skip
    source = scoped(endpoint(BASE), study("s", STUDY, series=[{"uid": SERIES, "instance": listed}]))
    image, missed = (await find(source)).images[0], list[Missed]()
    http = Http(BASE, transport=httpx.MockTransport(archive), limits=HttpLimits(attempts=1))
    async with http, open_access(source, archives=Archives([http]), limits=Limits(**limits)) as access:
        found = [f async for f in frames(image, access, choose=choose or Choice(), missed=missed.append)]
        assert list(access.folder.iterdir()) == []
    return [int(f.instance.rpartition(".")[2]) for f in found], missed


async def test_a_series_comes_as_one_answer_in_whatever_order() -> None:
    archive = Archive(lambda: parts(*map(slice_, (3, 1, 5, 0, 2, 4))))
    assert await read(archive) == ([0, 1, 2, 3, 4, 5], [])
    assert archive.alone == [] and len(archive.asked) == 1


async def test_some_slices_of_a_series_are_asked_for_alone() -> None:
    archive = Archive(lambda: httpx.Response(500))
    assert await read(archive, Choice(most=2)) == ([1, 4], [])
    assert archive.alone == [1, 4] and len(archive.asked) == 2


@pytest.mark.parametrize("whole", [
    lambda: httpx.Response(406),
    lambda: httpx.Response(404),
    lambda: httpx.Response(500),
    lambda: httpx.Response(200, content=b""),
    lambda: httpx.Response(200, headers={"content-type": "text/html"}, content=b"<html>sign in</html>"),
    lambda: parts(kind="multipart/related"),
    lambda: parts(slice_(0), slice_(1), end=b""),
    lambda: parts(slice_(0), slice_(1)[:-40], end=b""),
    lambda: parts(b"", b"noise", bytes(128) + b"DICM"),
    lambda: parts(*[slice_(at, study="1.2.8") for at in (7, 8)]),
], ids=["form", "not-held", "fails", "empty", "html", "no-boundary", "no-end", "cut", "noise", "others"])  # fmt: skip
async def test_an_archive_that_cannot_give_a_series_is_asked_slice_by_slice(whole: Answer) -> None:
    assert await read(Archive(whole)) == ([0, 1, 2, 3, 4, 5], [])


async def test_a_slice_that_comes_cut_is_named() -> None:
    found, missed = await read(Archive(lambda: parts(slice_(4)[:-100], b"", b"noise")))
    assert found == [0, 1, 2, 3, 5] and [m.what for m in missed] == ["file 5 of 6"]


async def test_a_slice_that_is_not_held_is_named_and_the_rest_is_read() -> None:
    archive = Archive(lambda: parts(*map(slice_, (0, 1, 3, 4, 5))), lacking=(2,))
    found, missed = await read(archive)
    assert found == [0, 1, 3, 4, 5] and archive.alone == [2]
    assert [m.what for m in missed] == ["file 3 of 6"] and "does not hold the image" in missed[0].why


async def test_a_slice_of_another_study_is_refused() -> None:
    archive = Archive(lambda: parts(slice_(0, study="1.2.8"), *map(slice_, range(1, COUNT))))
    found, missed = await read(archive)
    assert found == [1, 2, 3, 4, 5] and "not the image that the chart names" in missed[0].why


async def test_a_series_beyond_the_limit_of_an_answer_is_asked_for_slice_by_slice() -> None:
    archive = Archive(lambda: parts(*map(slice_, range(COUNT))))
    assert await read(archive, bytes_=3 * len(slice_(0))) == ([0, 1, 2, 3, 4, 5], [])
    assert archive.alone == [0, 1, 2, 3, 4, 5]
