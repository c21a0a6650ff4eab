"""How the bytes of images are reached: the scoped source, archives, a private folder, the decoding processes."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fhir_tools.imaging.decoding import Decoders
from fhir_tools.imaging.types import Burned, Limits
from fhir_tools.imaging.web import Archives
from fhir_tools.source import Source

__all__ = ["Access", "open_access"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What reading needs. `folder` is this user's alone, holds the files that are under way, and goes at the end."""

    source: Source
    archives: Archives
    decoders: Decoders = field(repr=False)
    folder: Path
    limits: Limits


@asynccontextmanager
async def open_access(
    source: Source, *, archives: Archives | None = None, limits: Limits | None = None, burned: Burned = "mask"
) -> AsyncIterator[Access]:
    """Access to the images of the chart of `source`, which is scoped to one patient.

    Without `archives` only attachments can be read. `burned` says what is done about pixels that may hold burnt-in text
    (BurnedInAnnotation YES, captures of screens, ultrasound): `mask` blacks out what lies outside of the scan where the
    file says where that is, and refuses the image where it does not; `withhold` refuses it; `allow` gives it as it is.
    """
    bounds = limits or Limits()
    decoders = Decoders(bounds, burned)
    with tempfile.TemporaryDirectory(prefix="chartline-images-") as folder:
        try:
            yield Access(
                source=source,
                archives=archives or Archives(()),
                decoders=decoders,
                folder=Path(folder),
                limits=bounds,
            )
        finally:
            await decoders.close()
