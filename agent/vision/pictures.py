"""An image of the chart → the pictures that a model is shown: few enough for its context, the way back kept."""

from __future__ import annotations

from agent.errors import UserError
from agent.vision.types import Shown
from fhir_tools.imaging import Access, Choice, Missed, frames, prepare
from fhir_tools.imaging.types import MODEL_SIZE, Image

__all__ = ["FILMS", "is_film", "shown"]

FILMS = frozenset(("CR", "DX", "RG", "MG", "PX", "IO"))
"""Modalities whose studies are a few projections; any other may be a stack of slices."""
PROJECTIONS = 4


def is_film(image: Image) -> bool:
    """Whether the study is a few projections, of which one is worth comparing with the last."""
    return image.modality in FILMS


async def shown(image: Image, access: Access, *, most: int, size: int = MODEL_SIZE) -> Shown:
    """The pictures of an image, at most so many, evenly spaced; what of it could not be read is named.

    Raises UserError where none of it could be read, SourceError where the server failed, MissingExtra.
    """
    missed: list[Missed] = []
    most = min(most, PROJECTIONS) if is_film(image) else most
    pictures = [
        prepare(frame, size=size)
        async for frame in frames(image, access, choose=Choice(most=most), missed=missed.append)
    ]
    if not pictures:
        why = missed[0].why if missed else image.unreadable or "it holds no picture"
        raise UserError(f"{image.reference} cannot be read: {why}")
    return Shown(image=image, pictures=tuple(pictures), missed=tuple(missed))
