"""Reading one resource by its reference: together with others, reusing what is kept under its ETag."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from fhir_tools.errors import NotFound, SourceError
from fhir_tools.http import Http
from fhir_tools.remote.answers import Answer
from fhir_tools.remote.batch import Batch
from fhir_tools.remote.reuse import Kept, Tagged
from fhir_tools.types import Reference

__all__ = ["Reads"]

Resource = Mapping[str, Any]


class Reads:
    """Reads and version reads of one session. At most `most` resources are kept, those used last."""

    def __init__(self, http: Http, batch: Batch, *, most: int = 512) -> None:
        self._http, self._batch = http, batch
        self._kept: Kept[Tagged] = Kept(most)

    async def read(self, reference: Reference, version: str | None, *, versions: bool) -> Resource:
        """One resource; `versions` is whether the server has version reads. Raises NotFound, SourceError."""
        plain = f"{reference.type}/{_segment(reference.id)}"
        if version is None or versions:
            url = f"{plain}/_history/{_segment(version)}" if version is not None else plain
            return self._checked(await self._got(url, reference.type), reference, version)
        current = self._checked(await self._got(plain, reference.type), reference, None)
        if _version(current) != version:
            raise NotFound(f"{self._http.origin} keeps no earlier versions of {reference.type}", status=404)
        return current

    async def _got(self, url: str, type_: str) -> Answer:
        kept = self._kept.get(url)
        answer = await self._batch.get(url, type_, kept.etag if kept else None)
        if answer.status == 304:
            if kept is None:
                raise SourceError(f"{self._http.origin} answered {type_} with 304 though nothing was kept", status=304)
            return Answer(status=200, url=answer.url, resource=kept.resource, etag=kept.etag)
        if answer.etag:
            self._kept.put(url, Tagged(etag=answer.etag, resource=answer.resource))
        return answer

    def _checked(self, answer: Answer, reference: Reference, version: str | None) -> Resource:
        """The resource if it is the one asked for, or the patient that a redirect led to."""
        resource = answer.resource
        fits = resource.get("resourceType") == reference.type and resource.get("id") == reference.id
        moved = reference.type == "Patient" and answer.url.rstrip("/").endswith(f"/Patient/{resource.get('id')}")
        if not fits and not (moved and resource.get("resourceType") == "Patient"):
            raise SourceError(f"{self._http.origin} sent another resource than the {reference.type} asked for")
        if version is not None and _version(resource) not in (None, version):
            raise SourceError(f"{self._http.origin} sent another version of {reference.type} than the one asked for")
        return resource


def _segment(text: str) -> str:
    """An id or a version as one segment of a path: real ones go beyond `[A-Za-z0-9-.]`; none may leave its place."""
    if not text.strip("."):
        raise NotFound("there is no resource of such an id", status=404)
    return quote(text, safe="")


def _version(resource: Resource) -> str | None:
    meta = resource.get("meta")
    found = meta.get("versionId") if isinstance(meta, dict) else None
    return found if isinstance(found, str) else None
