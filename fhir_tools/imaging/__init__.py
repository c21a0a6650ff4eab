"""Images of a chart: found through FHIR, read as pixels, made ready for a model. No model is in here.

    found = await find(scoped)                                  # what pictures the chart has
    earlier = priors(found.images[0], found.images)             # same modality and body site, before it, newest first
    async with open_access(scoped, archives=archives) as access:
        async for frame in frames(image, access, choose=Choice(most=8)):
            picture = prepare(frame)                            # 896 x 896 PNG and the way back to source pixels

`fhir_tools.imaging.types` has the records. Needs the `images` extra for reading; finding needs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fhir_tools.imaging.access import Access, open_access
    from fhir_tools.imaging.finding import find, priors
    from fhir_tools.imaging.preparing import prepare
    from fhir_tools.imaging.reading import frames
    from fhir_tools.imaging.types import Choice, Frame, Image, Images, Limits, Missed, Picture
    from fhir_tools.imaging.web import Archives

__all__ = [
    "Access",
    "Archives",
    "Choice",
    "Frame",
    "Image",
    "Images",
    "Limits",
    "Missed",
    "Picture",
    "find",
    "frames",
    "open_access",
    "prepare",
    "priors",
]

_MODULES = {
    "access": ("Access", "open_access"),
    "finding": ("find", "priors"),
    "preparing": ("prepare",),
    "reading": ("frames",),
    "types": ("Choice", "Frame", "Image", "Images", "Limits", "Missed", "Picture"),
    "web": ("Archives",),
}


def __getattr__(name: str) -> Any:
    """Each name from its module when it is first used: the decoding process, which is in here, needs none of them."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
