"""`chartline images list` and `chartline images show`."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

from rich.text import Text

from agent import auditing, settings
from agent.cli.output import clean, console, safe_json, tell_note
from agent.cli.scoped import chart_of
from agent.errors import EXIT_OK, EXIT_OPERATOR, UserError
from agent.images import open_access
from agent.patients import choose
from agent.settings import Settings
from agent.sources import open_source
from fhir_tools.imaging import Access, Choice, Frame, Image, Images, find, frames, prepare
from fhir_tools.source import Source

__all__ = ["list_images", "show_image"]


def list_images(patient: str | None, as_of: date | None, fhir: Sequence[str], *, as_json: bool) -> int:
    """Print the images of the patient's chart; the exit code is 3 where not all could be read."""
    return asyncio.run(_list(patient, as_of, fhir, as_json))


def show_image(
    reference: str,
    patient: str | None,
    out: Path,
    frame: int | None,
    series: int | None,
    fhir: Sequence[str],
    *,
    as_model: bool,
) -> None:
    """Write one frame of an image of the patient's chart to a PNG file."""
    asyncio.run(_show(reference, patient, out, frame, series, fhir, as_model))


async def _list(patient: str | None, as_of: date | None, fhir: Sequence[str], as_json: bool) -> int:
    known = settings.read()
    async with _opened(patient, fhir, known) as source:
        found = await find(source, as_of=as_of or known.as_of)
    if as_json:
        print(safe_json(_told(found)))
    elif found.images:
        out = console()
        for image, name in zip(found.images, _names(found), strict=True):
            out.print(_lines(image, name), soft_wrap=True)
    if not as_json:
        _notes(found)
    return EXIT_OK if found.complete else EXIT_OPERATOR


def _notes(found: Images) -> None:
    number = len(found.images)
    looked = ", ".join(dict.fromkeys(row.query.partition("?")[0] for row in found.searched))
    noun = "image" if number == 1 else "images"
    tell_note(
        f"{number} {noun}"
        if number
        else f"no images are documented in {looked}"
        if found.complete
        else "no images were found"
    )
    for row in found.searched:
        if not row.complete or row.limits:
            tell_note(f"not all of {row.query.partition('?')[0]} was read: {row.error or '; '.join(row.limits)}")
    for warning in found.warnings:
        tell_note(warning)


def _names(found: Images) -> list[str]:
    """What each image is called by: its reference, and behind the first picture of a record its place among them."""
    counts: Counter[str] = Counter()
    names = []
    for image in found.images:
        counts[str(image.reference)] += 1
        at = counts[str(image.reference)]
        names.append(f"{image.reference}#{at}" if at > 1 else str(image.reference))
    return names


def _lines(image: Image, name: str) -> Text:
    """An image on lines of its own: references are long, and are to be copied whole."""
    site = " ".join(filter(None, (image.site.label if image.site else "", image.laterality)))
    title = image.title if image.standing == "fact" else f"{image.title} ({image.standing})".strip()
    day = image.when.text if image.when else "undated"
    head = f"{day:<11} {'/'.join(image.modalities):<3} " + " · ".join(filter(None, (site, title, _where(image))))
    below = "".join(f"\n{'':<16}{line}" for line in (name, *(f"report {r.reference}" for r in image.reports)))
    return Text.assemble(clean(head), (clean(below), "dim"))


def _where(image: Image) -> str:
    if image.unreadable:
        return "not said where its pixels are"
    if any(place.way != "attachment" for place in _places(image)):
        return "in an archive" + (f", {image.count} files" if (image.count or 0) > 1 else "")
    return "attached"


def _places(image: Image) -> list[Any]:
    inner = [place for s in image.series for place in (*s.places, *(p for i in s.instances for p in i.places))]
    return [*image.places, *inner]


def _told(found: Images) -> dict[str, Any]:
    return {
        "images": [
            {
                "reference": str(image.reference),
                "path": image.path,
                "when": image.when.text if image.when else None,
                "modalities": list(image.modalities),
                "body_site": image.site.label if image.site else None,
                "laterality": image.laterality or None,
                "title": image.title,
                "standing": image.standing,
                "series": [{"modality": s.modality, "title": s.title, "instances": s.count} for s in image.series],
                "instances": image.count,
                "reports": [{"reference": str(r.reference), "by": r.by} for r in image.reports],
                "findings": [str(reference) for reference in image.findings],
                "unreadable": image.unreadable or None,
            }
            for image in found.images
        ],
        "searched": [
            {"query": row.query, "found": row.found, "complete": row.complete, "error": row.error}
            for row in found.searched
        ],
        "warnings": list(found.warnings),
    }


async def _show(
    reference: str,
    patient: str | None,
    out: Path,
    number: int | None,
    series: int | None,
    fhir: Sequence[str],
    as_model: bool,
) -> None:
    known = settings.read()
    async with _opened(patient, fhir, known) as source:
        image = _named(reference, await find(source))
        async with open_access(source, known, fhir) as access:
            frame = await _frame(image, access, number, series, as_model)
    picture = prepare(frame, size=prepared_size(frame, as_model))
    _write(out, picture.data)
    tell_note(f"{picture.caption}: {out}")
    for warning in picture.warnings:
        tell_note(f"! {warning}")


def prepared_size(frame: Frame, as_model: bool) -> int:
    """A model's size, or that of the pixels themselves."""
    from fhir_tools.imaging.types import MODEL_SIZE

    return MODEL_SIZE if as_model else max(frame.pixels.shape[:2])


async def _frame(image: Image, access: Access, number: int | None, series: int | None, as_model: bool) -> Frame:
    chosen = _series(image, series)
    choice = Choice(series=chosen, frames=(number,)) if number else Choice(series=chosen, most=1)
    reading = frames(image, access, choose=choice, look="model" if as_model else "display")
    try:
        return await anext(reading)
    finally:
        await reading.aclose()


def _series(image: Image, number: int | None) -> str:
    if number is None:
        return ""
    if number > len(image.series):
        raise UserError(f"the chart lists {len(image.series)} series of this image; give --series 1 to that, or none")
    return image.series[number - 1].uid


def _named(reference: str, found: Images) -> Image:
    name, _, number = reference.strip().partition("#")
    same = [one for one in found.images if str(one.reference) == name]
    at = int(number or 1) if (number or "1").isdecimal() else 0
    image = same[at - 1] if 0 < at <= len(same) else None
    if image is None:
        rest = "" if found.complete else "; not all of the chart could be read"
        raise UserError(
            f"this patient's chart has no image {reference!r}{rest}: chartline images list shows what it has"
        )
    return image


def _write(out: Path, data: bytes) -> None:
    try:
        out.write_bytes(data)
    except OSError as error:
        raise UserError(f"{str(out)!r} cannot be written: {error.strerror or type(error).__name__}") from error


@asynccontextmanager
async def _opened(patient: str | None, fhir: Sequence[str], known: Settings) -> AsyncIterator[Source]:
    """The chart of one patient, its requests on record."""
    async with open_source(fhir, known) as source, auditing.open_record(known) as record:
        yield await chart_of(source, known, record, await choose(source, patient))
