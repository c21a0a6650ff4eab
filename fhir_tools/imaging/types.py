"""The records of images: what a chart has, a frame of it as pixels, and a picture made ready for a model.

Nothing in them identifies the patient but references, UIDs and addresses, which their repr leaves out and which are for
reading on. What comes from inside a file (`Description`) is limited to a vocabulary; free text of it never leaves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from fhir_tools.types import Concept, Interval, Reference, Search, Standing

if TYPE_CHECKING:
    from numpy import uint8
    from numpy.typing import NDArray

__all__ = [
    "MODEL_SIZE",
    "Box",
    "Burned",
    "Choice",
    "Description",
    "Fit",
    "Frame",
    "Image",
    "Images",
    "Instance",
    "Limits",
    "Look",
    "Missed",
    "Picture",
    "Place",
    "Reported",
    "Series",
]

MODEL_SIZE = 896
"""Pixels of each side of what MedGemma reads (its model card; 256 tokens an image)."""

Look = Literal["model", "display"]
"""How values become grey: `model` gives CT as three windows in red, green and blue; `display` gives it one window."""

Burned = Literal["mask", "withhold", "allow"]
"""What is done about pixels that may hold burnt-in text: blacked out at the edges, not given at all, or given."""


# What a chart has.


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where bytes are, by which element of which resource.

    `way`: `wado-rs` and `wado-uri` have the service's base URL as `address`; `attachment` has the URL of a Binary or
    file, or nothing where the bytes stand in the resource itself. `declared` is the media type that the chart says.
    """

    way: Literal["wado-rs", "wado-uri", "attachment"]
    holder: Reference
    path: str
    address: str = field(default="", repr=False)
    declared: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One instance (file) of a series. `uid` is its SOP Instance UID, `number` its place as the chart says it.

    `places` are its own where the chart has them (a Binary for each instance); else those of series and study count.
    """

    uid: str = field(repr=False)
    sop_class: str = ""
    number: int | None = None
    places: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One series. `modality` is a DICOM code (CT, MR, DX …); `count` is how many instances it is said to have."""

    uid: str = field(repr=False)
    number: int | None = None
    modality: str = ""
    site: Concept | None = None
    laterality: str = ""
    title: str = ""
    count: int | None = None
    instances: tuple[Instance, ...] = ()
    places: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A DiagnosticReport of an image, and by what link of the chart.

    `by`: `imagingStudy`, `media` and `result` are said by the report; `order` and `accession` are what both name.
    """

    reference: Reference
    by: Literal["imagingStudy", "media", "result", "presentedForm", "order", "accession"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One study, or one picture, of the chart: an ImagingStudy, a Media, or an attachment that is an image.

    `reference` (with `path`: the element that holds it, as FHIRPath) is what is cited. `modalities` are DICOM codes,
    the first one the main one. `title`, `site` and series titles are the chart's own words: text of the chart, to be
    fenced like all of it. `when` is when it was taken. `uid` is the Study Instance UID, empty where there is none.
    `reports` and `findings` (Observations derived from it) are those the chart links, the surest link first.
    `unreadable` says why no bytes can be had, in words for the answer; then `places` are empty everywhere.
    """

    reference: Reference
    path: str
    version: str | None = None
    standing: Standing = "fact"
    status: str = ""
    uid: str = field(default="", repr=False)
    modalities: tuple[str, ...] = ()
    site: Concept | None = None
    laterality: str = ""
    when: Interval | None = None
    title: str = ""
    encounter: Reference | None = None
    series: tuple[Series, ...] = ()
    count: int | None = None
    places: tuple[Place, ...] = ()
    reports: tuple[Reported, ...] = ()
    findings: tuple[Reference, ...] = ()
    unreadable: str = ""

    @property
    def modality(self) -> str:
        """The DICOM code of the main modality; empty where the chart says none."""
        return self.modalities[0] if self.modalities else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """The images of a chart, newest first (undated last), and the searches that prove it.

    Where a row of `searched` is not complete, there may be images that are not among these.
    """

    images: tuple[Image, ...]
    searched: tuple[Search, ...]
    warnings: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every search was read to its end, and a server left nothing out by its nature."""
        return all(row.complete and not row.limits for row in self.searched)


# Reading.


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of reading one image: `bytes_` of a file as it comes, `pixels` of a frame, `frames` of a file, all counted
    before memory is taken for them; `instances` of a study; `seconds` for the decoder's work on one file or frame, and
    `transfer_seconds` for one answer of an archive; `memory` in bytes of the process that decodes (where the system can
    bound it).
    """

    bytes_: int = 2_000_000_000
    pixels: int = 100_000_000
    frames: int = 20_000
    instances: int = 20_000
    seconds: float = 60.0
    transfer_seconds: float = 600.0
    memory: int = 4_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which frames are read. Nothing said: all of them, in order.

    `series` and `instance` are UIDs. `frames` are numbers from 1 over what is left of the study, in the order of
    reading. `most` takes at most so many, evenly spaced (as the MedGemma CT notebook does, which takes 85).
    """

    series: str = field(default="", repr=False)
    instance: str = field(default="", repr=False)
    frames: tuple[int, ...] = ()
    most: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What is said of a frame beside its pixels: from the file's tags, each only where it is a word of its vocabulary.

    `modality` and `body_part` are DICOM codes (PS3.3 C.7.3.1.1.1, PS3.16 annex L), `view` a ViewPosition, `laterality`
    L, R, B or empty. `window` is in words (`window -600/1500`, `three windows`, `VOI LUT`, `full range`); `spacing` is
    (row, column) in mm between pixel centres, `thickness` mm; `position` is mm along the slice normal; `magnification`
    is that of a slide's patch. `burned`: BurnedInAnnotation (PS3.3 C.7.6.1) is YES, or it is a capture of a screen or
    ultrasound and does not say NO. `lossy`: it was compressed with loss. `kind` is what the bytes are: `DICOM`, `PNG`,
    `JPEG`, `slide`, …
    """

    kind: str
    modality: str = ""
    body_part: str = ""
    laterality: str = ""
    view: str = ""
    window: str = ""
    spacing: tuple[float, float] | None = None
    thickness: float | None = None
    position: float | None = None
    magnification: float | None = None
    burned: bool = False
    lossy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle in pixels, edges included on the left and top: `left <= x < right`, `top <= y < bottom`."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """One frame (slice, picture, patch of a slide) as 8-bit pixels: (rows, columns) grey, or (rows, columns, 3) RGB.

    Dark is 0: MONOCHROME1 is already turned round. `number` counts from 1 among `of` frames that the study has in the
    order of reading (0: not known); `series` and `instance` are UIDs, empty outside of DICOM. `region` is the part of
    the source (its stored pixel matrix, of `source` = (width, height)) that the pixels show; a patch shows a part.
    """

    pixels: NDArray[uint8] = field(repr=False)
    description: Description
    reference: Reference
    region: Box
    source: tuple[int, int]
    number: int = 1
    of: int = 0
    series: str = field(default="", repr=False)
    instance: str = field(default="", repr=False)
    frame: int = 1
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """A part of an image that could not be read: which one in words (`slice 12`), and why with the remedy."""

    what: str
    why: str


# For the model.


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How source pixels lie in the picture: scaled alike in both directions, and padded to the picture's size.

    A picture's pixel (x, y) is source pixel ((x - left) / scale + region.left, (y - top) / scale + region.top).
    """

    width: int
    height: int
    scale: float
    left: float
    top: float
    region: Box

    def to_source(self, x: float, y: float) -> tuple[float, float]:
        """The source point of a point in the picture; a point in the padding is outside of `region`."""
        return (x - self.left) / self.scale + self.region.left, (y - self.top) / self.scale + self.region.top

    def to_picture(self, x: float, y: float) -> tuple[float, float]:
        """The picture's point of a source point."""
        return (x - self.region.left) * self.scale + self.left, (y - self.region.top) * self.scale + self.top

    def box_to_source(self, box: Box) -> Box | None:
        """The part of a box of the picture that lies on the image, in source pixels; None where nothing of it does."""
        (x0, y0), (x1, y1) = self.to_source(box.left, box.top), self.to_source(box.right, box.bottom)
        edge = self.region
        left, right = max(min(x0, x1), edge.left), min(max(x0, x1), edge.right)
        top, bottom = max(min(y0, y1), edge.top), min(max(y0, y1), edge.bottom)
        return Box(left=left, top=top, right=right, bottom=bottom) if left < right and top < bottom else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image as a model takes it: encoded bytes, their media type, its size in pixels, and the way back.

    `caption` says in words of code what it is (`CT chest, slice 12 of 85, three windows`), without text of the chart.
    """

    data: bytes = field(repr=False)
    media_type: Literal["image/png", "image/jpeg"]
    width: int
    height: int
    fit: Fit
    description: Description
    reference: Reference
    caption: str
    number: int = 1
    of: int = 0
    series: str = field(default="", repr=False)
    instance: str = field(default="", repr=False)
    frame: int = 1
    warnings: tuple[str, ...] = ()
