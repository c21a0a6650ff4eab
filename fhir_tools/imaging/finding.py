"""Which images a chart has, where their bytes are, and which reports are theirs (R4). No bytes are read here."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime

from fhir_tools import dates
from fhir_tools.errors import ChartlineError
from fhir_tools.facts.elements import Resource, elements_of, references_of
from fhir_tools.imaging import linking, studies
from fhir_tools.imaging.sites import same_site
from fhir_tools.imaging.types import Image, Images
from fhir_tools.imaging.vocabulary import same_modality
from fhir_tools.source import Source
from fhir_tools.types import Query, Reference, Search, SearchResult

__all__ = ["find", "priors"]

_FIRST = ("ImagingStudy", "Media", "DocumentReference", "DiagnosticReport")
_DERIVED = 40
"""References in one search for what is derived from them."""
_OBSERVED = ("category", "imaging,procedure,exam")
"""Where Observations that hold a picture are looked for: R4 has no search for them, and a chart has many others."""


async def find(source: Source, *, as_of: date | None = None) -> Images:
    """The images of the chart of a source that is scoped to one patient.

    ImagingStudy; Media; DocumentReference, DiagnosticReport.presentedForm and Observation.valueAttachment (R5, or as an
    extension) where the attachment is an image or DICOM. What is entered in error, cancelled or not there yet has its
    standing; what begins after `as_of` is left out. A search that fails is a row of `searched` that is not complete.
    """
    rows: list[Search] = []
    found = dict(zip(_FIRST, await asyncio.gather(*(_all(source, rows, name) for name in _FIRST)), strict=True))
    observations = await _observations(source, rows, found)
    endpoints, warnings = await _endpoints(source, found["ImagingStudy"])
    images = [
        *(image for r in found["ImagingStudy"] for image in studies.of_study(r, endpoints)),
        *(image for r in found["Media"] for image in studies.of_media(r)),
        *(image for r in found["DocumentReference"] for image in studies.of_document(r)),
        *(image for r in found["DiagnosticReport"] for image in studies.of_report(r)),
        *(image for r in observations for image in studies.of_observation(r)),
    ]
    images = studies.placed(images, found["DocumentReference"])
    linked = linking.linked(images, found, observations)
    shown = [image for image in linked if as_of is None or not _later(image, as_of)]
    return Images(images=tuple(sorted(shown, key=_newest)), searched=tuple(rows), warnings=tuple(warnings))


def priors(image: Image, images: Sequence[Image]) -> tuple[Image, ...]:
    """Earlier images of the same body site and kind of modality, newest first; of those that are facts and dated."""
    at = image.when.low if image.when else None
    if at is None or image.site is None:
        return ()
    earlier = [
        one
        for one in images
        if one.reference != image.reference
        and one.standing == "fact"
        and one.when is not None
        and one.when.low is not None
        and one.when.low < at
        and same_modality(one.modality, image.modality)
        and same_site(one, image)
    ]
    return tuple(sorted(earlier, key=_newest))


def _newest(image: Image) -> tuple[bool, float, str]:
    low = image.when.low if image.when else None
    return low is None, -(low or datetime(1, 1, 2, tzinfo=UTC)).timestamp(), str(image.reference)


def _later(image: Image, as_of: date) -> bool:
    return bool(image.when and image.when.low and image.when.low >= dates.end_of_day(as_of))


# Searches.


async def _all(source: Source, rows: list[Search], name: str, *params: tuple[str, str]) -> tuple[Resource, ...]:
    """The matches of a search, its row kept whether it ends well or not."""
    query = Query(type=name, params=params)
    try:
        result = await source.search(query)
    except ChartlineError as fault:  # a server may not offer Media at all: it is told, and the rest is read
        result = SearchResult(query=query, complete=False, error=str(fault))
    rows.append(
        Search(
            query=str(query),
            found=len(result.matches),
            complete=result.complete,
            error=result.error,
            limits=result.limits,
        )
    )
    return result.matches


async def _observations(source: Source, rows: list[Search], found: Mapping[str, Iterable[Resource]]) -> list[Resource]:
    """Observations that hold a picture or are derived from one, each once."""
    names = ("ImagingStudy", "Media", "DocumentReference")
    pictured = [f"{name}/{r['id']}" for name in names for r in found[name] if studies.may_be_image(r) and r.get("id")]
    parts = [pictured[at : at + _DERIVED] for at in range(0, len(pictured), _DERIVED)]
    searches = [_all(source, rows, "Observation", ("derived-from", ",".join(part))) for part in parts]
    results = await asyncio.gather(_all(source, rows, "Observation", _OBSERVED), *searches)
    return list({str(r.get("id")): r for result in results for r in result}.values())


async def _endpoints(source: Source, resources: Iterable[Resource]) -> tuple[dict[Reference, Resource], list[str]]:
    """The Endpoints that studies and series name, and what could not be read of them."""
    named = {
        one
        for study in resources
        for part in (study, *elements_of(study.get("series")))
        for one in references_of(part.get("endpoint"))
        if one.type == "Endpoint"
    }
    wanted = sorted(named, key=str)
    read = await asyncio.gather(*(source.read(one) for one in wanted), return_exceptions=True)
    known: dict[Reference, Resource] = {}
    warnings: list[str] = []
    for one, result in zip(wanted, read, strict=True):
        if isinstance(result, ChartlineError):
            warnings.append(f"the archive of some images is not known: {result}")
        elif isinstance(result, BaseException):
            raise result
        else:
            known[one] = result
    return known, list(dict.fromkeys(warnings))
