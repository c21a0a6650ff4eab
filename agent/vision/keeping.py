"""A chart's images into the index: what is new or changed is embedded, what is gone is dropped, the rest is left."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.errors import OperatorError, UserError
from agent.vision.pictures import shown
from fhir_tools.imaging import Access
from fhir_tools.imaging.types import Image, Images, Missed
from fhir_tools.types import Reference

if TYPE_CHECKING:
    from agent.vision.index import Hit, Index, Vectors
    from agent.vision.medsiglip import MedSigLIP

__all__ = ["Updated", "held", "named_image", "similar", "update"]

_PICTURES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """What an update did, in images. `unread` are those that could not be read, each with why; they keep what was
    there. One of which a part could not be read is among them too, and is read anew by the next update. `whole` is
    False where the chart could not be searched to its end: nothing was dropped then."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    kept: int = 0
    unread: tuple[str, ...] = ()
    whole: bool = True


async def update(
    index: Index, encoder: MedSigLIP, found: Images, access: Access, patient: Reference, *, slices: int = 16
) -> Updated:
    """Bring the index up to a patient's images. Raises ModelError, and OperatorError where the index cannot be written.

    An image is embedded anew where its resource's version, or what it says of its series and instances, has changed.
    One without a version is embedded each time: what its pixels are could have changed unsaid. Of a stack of slices
    so many are kept, evenly spaced.
    """
    owner, known = str(patient), index.stamps(str(patient))
    current = {str(i.reference) + _part(i): i for i in found.images if i.standing == "fact"}
    counts = {"added": 0, "changed": 0, "kept": 0}
    unread: list[str] = []
    for name, image in current.items():
        stamp = _stamp(image)
        if stamp and known.get(name) == stamp:
            counts["kept"] += 1
            continue
        try:
            missed = await _embed(index, encoder, image, access, (owner, name, stamp), slices)
            counts["changed" if name in known else "added"] += 1
            unread += [f"{image.reference}, {one.what}: {one.why}" for one in missed]
        except (UserError, OperatorError) as error:
            unread.append(f"{image.reference}: {error}")
    gone = [name for name in known if name not in current] if found.complete else []
    index.drop(owner, gone)
    return Updated(**counts, removed=len(gone), unread=tuple(unread), whole=found.complete)


def named_image(index: Index, patient: Reference, reference: Reference) -> str:
    """What the index calls an image of a patient: its reference; one of several pictures of a document, the first."""
    known = index.stamps(str(patient))
    return next((name for name in sorted(known) if name.partition("#")[0] == str(reference)), str(reference))


def held(index: Index, patient: Reference, image: str) -> Vectors:
    """The vectors of an image, one for each of its pictures. Raises UserError where it is not in the index."""
    vectors = index.of(str(patient), image)
    if not len(vectors):
        raise UserError(
            f"{image} is not in the image index of {patient}: it is no image of this chart, or was unreadable"
        )
    return vectors


def _part(image: Image) -> str:
    """Several pictures of one resource are told apart by their element."""
    return "" if image.reference.type in ("ImagingStudy", "Media") else f"#{image.path}"


def _stamp(image: Image) -> str:
    """The state of an image: its version and what it lists. Empty where it has no version."""
    if not image.version:
        return ""
    listed = "\n".join(f"{s.uid} {s.count} {' '.join(i.uid for i in s.instances)}" for s in image.series)
    digest = hashlib.sha256(f"{image.uid} {image.count}\n{listed}".encode()).hexdigest()[:16]
    return f"{image.version} {digest}"


async def _embed(
    index: Index, encoder: MedSigLIP, image: Image, access: Access, named: tuple[str, str, str], slices: int
) -> tuple[Missed, ...]:
    """Keep what of an image can be read, under no stamp where that is not all of it; what could not be read."""
    from agent.vision.index import Row

    card = await encoder.describe()
    seen = await shown(image, access, most=slices, size=card.size)
    pictures, (owner, name, stamp) = seen.pictures, named
    vectors = await encoder.images([p.data for p in pictures])
    taken = image.when.text if image.when else ""
    rows = [
        Row(place=str(p.number), caption=p.caption, taken=taken, vector=vector)
        for p, vector in zip(pictures, vectors, strict=True)
    ]
    index.put(owner, name, "" if seen.missed else stamp, rows)
    return seen.missed


def similar(
    index: Index, patient: Reference, image: str, count: int, *, cohort: Collection[Reference] | None = ()
) -> tuple[Hit, ...]:
    """The images that are most like one of the patient's, best first, each once by its picture that is most alike.

    Of this patient's chart alone, unless others are named in `cohort` (None: every patient of the index): whoever
    names them answers for the right to. Raises UserError for an image that is not in the index.
    """
    vectors = held(index, patient, image)
    patients = None if cohort is None else [str(p) for p in dict.fromkeys((patient, *cohort))]
    # one image is many pictures: enough of them that so many images are among them
    wanted = len(index) if patients else min(len(index), len(vectors) + count * _PICTURES)
    best: dict[tuple[str, str], Hit] = {}
    for hit in index.nearest(vectors, wanted, patients=patients):
        if (key := (hit.patient, hit.image)) != (str(patient), image):
            best.setdefault(key, hit)
    return tuple(best.values())[:count]
