"""DICOMweb (PS3.18) over the project's HTTP client: what a study holds, and its instances as files.

Addresses are made from an Endpoint's address and UIDs, never taken from what the service answers: some leave out their
own port there, and none may lead elsewhere. What comes is checked to be of the study that was asked for by the reader.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import orjson

from fhir_tools.errors import ImageError, NotFound, ScopeError, SourceError
from fhir_tools.http import Http, Streamed, stream
from fhir_tools.imaging.multipart import Broken, Multipart, boundary_of
from fhir_tools.imaging.types import Limits

__all__ = ["Archives", "DicomWeb", "not_kept"]

_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*", re.ASCII)
_DICOM = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_JSON = "application/dicom+json"
_PORTS = {"http": 80, "https": 443}

Tags = Mapping[str, Any]
"""A data set as DICOM JSON (PS3.18 annex F): tags as eight hexadecimal digits."""


class Archives:
    """The DICOMweb services that may be asked: those at the origins of some HTTP clients, with their credentials."""

    def __init__(self, clients: Sequence[Http]) -> None:
        self._clients = tuple(clients)

    def at(self, address: str, limits: Limits) -> DicomWeb:
        """The service at an address of an Endpoint. Raises ImageError where its origin is not allowed."""
        own = [http for http in self._clients if _origin(http.base) == _origin(address)]
        allowing = [http for http in self._clients if http.allows(address)]
        if not allowing:
            raise ImageError(
                "the image's archive is at an origin that is not allowed: add it to CHARTLINE_FHIR_ORIGINS",
                reason="origin",
            )
        return DicomWeb((own or allowing)[0], address, limits)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return "", None, None


class DicomWeb:
    """One service. Everything raises SourceError where it fails, NotFound where it does not hold what is asked for."""

    def __init__(self, http: Http, base: str, limits: Limits) -> None:
        self._http, self._base, self._limits = http, base.rstrip("/"), limits

    async def series(self, study: str) -> tuple[Tags, ...]:
        """QIDO-RS: the series of a study."""
        return await self._json(self._path(study) + "/series")

    async def instances(self, study: str, series: str = "") -> tuple[Tags, ...]:
        """QIDO-RS: the instances of a study or series, with what puts them in order where the service knows it."""
        fields = "&".join(f"includefield={tag}" for tag in ("00200013", "00200032", "00200037", "00280008"))
        return await self._json(f"{self._path(study, series)}/instances?{fields}")

    async def files(self, study: str, series: str, folder: Path) -> AsyncGenerator[Path, None]:
        """WADO-RS: the instances of a series as files in `folder`, each as it has come whole; the caller removes them.

        Without `series` those of the study. They come in the service's order, whatever that is.
        """
        async with (
            self._streamed(self._path(study, series), _DICOM) as answer,
            aclosing(_parts(answer, folder)) as parts,
        ):
            async for path in parts:
                yield path

    async def file(self, study: str, series: str, instance: str, folder: Path) -> Path:
        """WADO-RS: one instance as a file in `folder`; the caller removes it."""
        async with self._streamed(self._path(study, series, instance), _DICOM) as answer:
            return await self._one(answer, folder)

    async def by_uri(self, study: str, series: str, instance: str, folder: Path) -> Path:
        """WADO-URI (PS3.18 9): an instance as a file."""
        names = ("studyUID", study), ("seriesUID", series), ("objectUID", instance)
        query = "&".join(f"{name}={_uid(uid)}" for name, uid in names)
        url = f"{self._base}?requestType=WADO&{query}&contentType=application/dicom"
        async with self._streamed(url, "application/dicom") as answer:
            return await self._one(answer, folder)

    def _path(self, study: str, series: str = "", instance: str = "") -> str:
        parts = ("studies", study), ("series", series), ("instances", instance)
        return self._base + "".join(f"/{name}/{_uid(uid)}" for name, uid in parts if uid)

    async def _json(self, url: str) -> tuple[Tags, ...]:
        body = bytearray()
        async with self._streamed(url, _JSON, limit=self._http.limits.body) as answer:
            if answer.status == 204:  # PS3.18 8.3.4.4.1: nothing matched
                return ()
            async for chunk in answer.chunks:
                body += chunk
        try:
            rows = orjson.loads(body)
        except orjson.JSONDecodeError:
            rows = None
        if not isinstance(rows, list):
            raise SourceError(f"{self._http.origin} sent no DICOM JSON where it was asked for")
        return tuple(row for row in rows if isinstance(row, dict))

    @asynccontextmanager
    async def _streamed(self, url: str, accept: str, limit: int | None = None) -> AsyncIterator[Streamed]:
        most, seconds = limit or self._limits.bytes_, self._limits.transfer_seconds
        try:
            opening = stream(self._http, url, headers={"accept": accept}, limit=most, seconds=seconds)
            async with opening as answer:
                if not 200 <= answer.status < 300:
                    raise self._refusal(answer.status)
                yield answer
        except Broken:
            raise SourceError(f"{self._http.origin} broke off the answer, or sent what is no multipart body") from None
        except ScopeError:
            raise SourceError(f"{self._http.origin} leads to an origin that is not allowed") from None
        except OSError as error:
            raise not_kept(error) from None

    def _refusal(self, status: int) -> SourceError:
        if status in (404, 410):
            return NotFound(f"the archive at {self._http.origin} does not hold the image", status=status)
        remedy = {
            401: ": it wants other credentials",
            403: ": the credentials do not allow it",
            406: ": it does not send images in this form",
        }.get(status, "")
        return SourceError(f"the archive at {self._http.origin} answered {status}{remedy}", status=status)

    async def _one(self, answer: Streamed, folder: Path) -> Path:
        """The first file of an answer, which is read to its end: else its connection could not be used again."""
        first: Path | None = None
        try:
            async for path in _parts(answer, folder):
                if first is None:
                    first = path
                else:
                    path.unlink()
        except (Broken, SourceError):
            if first is None:
                raise
        if first is None:
            raise NotFound(f"the archive at {self._http.origin} does not hold the image", status=404)
        return first


def not_kept(error: OSError) -> ImageError:
    """What is told where a file cannot be written: mostly, a disk that is full."""
    return ImageError(
        f"the image cannot be kept while it is read ({error.strerror or type(error).__name__}): make room in the "
        "folder for temporary files, or name another one by TMPDIR",
        reason="disk",
    )


def _uid(text: str) -> str:
    """A UID (PS3.5 9.1), which alone may be put into an address. Raises ImageError."""
    if not _UID.fullmatch(text) or len(text) > 64:
        raise ImageError("the chart names the image by what is no DICOM UID: it cannot be asked for", reason="uid")
    return text


async def _parts(answer: Streamed, folder: Path) -> AsyncGenerator[Path, None]:
    """The parts of a body as files; one that does not come whole is removed."""
    part: IO[bytes] | None = None
    try:
        async for event in _events(answer):
            if isinstance(event, bytes):
                assert part is not None  # noqa: S101  a part's headers come first
                part.write(event)
            elif event is not None:
                part = _file(folder)
            elif part is not None:
                part.close()
                yield Path(part.name)
    finally:
        if part is not None and not part.closed:
            part.close()
            os.unlink(part.name)


def _file(folder: Path) -> IO[bytes]:
    return tempfile.NamedTemporaryFile(dir=folder, prefix="image-", delete=False)


async def _events(answer: Streamed) -> AsyncGenerator[Mapping[str, str] | bytes | None, None]:
    """What `Multipart.feed` tells of a body; one that is not multipart is a single part."""
    boundary = boundary_of(answer.headers.get("content-type", ""))
    if boundary is None:
        yield {}
        async for chunk in answer.chunks:
            yield chunk
        yield None
        return
    parser = Multipart(boundary)
    async for chunk in answer.chunks:
        for event in parser.feed(chunk):
            yield event
    parser.close()
