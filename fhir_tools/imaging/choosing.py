"""Which instances and frames are read, in which order, and how each is numbered. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fhir_tools.imaging.tags import along_normal, integer
from fhir_tools.imaging.types import Choice, Image, Place

__all__ = ["Item", "Picker", "evenly", "from_archive", "from_chart", "picker"]

_MAKERS = ("SR", "PR", "KO", "DOC", "PLAN", "REG", "RWV", "AU", "RTPLAN", "RTSTRUCT", "ECG")
"""Modalities of series without pixels."""
_MOST = 1_000_000
"""Frames of an instance beyond which an archive is not believed before the file is opened."""
_CLASSES = "1.2.840.10008.5.1.4.1.1."
_SINGLE = frozenset(
    f"{_CLASSES}{end}" for end in ("1", "1.1", "1.1.1", "1.2", "1.2.1", "1.3", "1.3.1", "2", "4", "7", "128")
)
"""SOP classes of one frame: CR, DX, MG, intra-oral, CT, MR, secondary capture, PET (PS3.4 B.5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One file that may be read: where it is, and how many `frames` it has, where that is known beforehand."""

    places: tuple[Place, ...]
    series: str = field(default="", repr=False)
    instance: str = field(default="", repr=False)
    frames: int | None = None


def from_chart(image: Image) -> list[Item] | None:
    """The files that the chart itself lists, in order; None where it leaves out some: then an archive must be asked."""
    attached = [Item(places=(place,)) for place in image.places if place.way == "attachment"]
    if not image.series:
        return attached if attached or not image.uid else None
    shown = [s for s in image.series if _has_pixels(s.modality)]
    if any(not s.instances or (s.count or 0) > len(s.instances) for s in shown):
        return attached or None
    return [
        Item(
            places=i.places or s.places or image.places,
            series=s.uid,
            instance=i.uid,
            frames=1 if i.sop_class in _SINGLE else None,
        )
        for s in sorted(shown, key=lambda s: _last(s.number))
        for i in sorted(s.instances, key=lambda i: _last(i.number))
    ]


def _has_pixels(modality: str) -> bool:
    return modality not in _MAKERS


def _last(number: int | None) -> tuple[bool, int]:
    return number is None, number or 0


def from_archive(
    image: Image, series: Iterable[Mapping[str, Any]], instances: Iterable[Mapping[str, Any]]
) -> list[Item]:
    """The files that an archive lists (QIDO-RS), series by series, slices by where they lie, else by their number."""
    order = {uid: at for at, uid in enumerate(_series_order(series))}
    own = {s.uid: s.places for s in image.series}
    rows = [row for row in instances if _text(row, "0020000E") in order and _text(row, "00080018")]
    placed = all(_position(row) is not None for row in rows)

    def key(row: Mapping[str, Any]) -> tuple[Any, ...]:
        number = _last(integer(_value(row, "00200013")))
        return order[_text(row, "0020000E")], _position(row) if placed else 0, number, _text(row, "00080018")

    return [
        Item(
            places=own.get(_text(row, "0020000E")) or image.places,
            series=_text(row, "0020000E"),
            instance=_text(row, "00080018"),
            frames=_frames(row),
        )
        for row in sorted(rows, key=key)
    ]


def _series_order(series: Iterable[Mapping[str, Any]]) -> list[str]:
    with_pixels = [row for row in series if _has_pixels(_text(row, "00080060"))]
    ordered = sorted(with_pixels, key=lambda row: (_last(integer(_value(row, "00200011"))), _text(row, "0020000E")))
    return [uid for row in ordered if (uid := _text(row, "0020000E"))]


def _values(row: Mapping[str, Any], tag: str) -> list[Any]:
    element = row.get(tag)
    found = element.get("Value") if isinstance(element, dict) else None
    return found if isinstance(found, list) else []


def _value(row: Mapping[str, Any], tag: str) -> Any:
    return next(iter(_values(row, tag)), None)


def _text(row: Mapping[str, Any], tag: str) -> str:
    found = _value(row, tag)
    return found if isinstance(found, str) else ""


def _frames(row: Mapping[str, Any]) -> int | None:
    """How many frames an instance has; None where that is not told, or told as what cannot be."""
    count = integer(_value(row, "00280008"))
    if count is None:
        return 1 if _text(row, "00080016") in _SINGLE else None
    return count if 0 < count <= _MOST else None


def _position(row: Mapping[str, Any]) -> float | None:
    return along_normal(_values(row, "00200032"), _values(row, "00200037"))


# Choices.


def evenly(total: int, most: int) -> tuple[int, ...]:
    """`most` of `total` indices, the middle of each of so many equal parts; all where there are no more."""
    if most >= total:
        return tuple(range(total))
    return tuple((2 * at + 1) * total // (2 * most) for at in range(most))


@dataclass(frozen=True, slots=True, kw_only=True)
class Picker:
    """Which frames of which file are wanted: by `numbers` over all of them, or `most` of each of the `files` wanted."""

    numbers: frozenset[int] | None = None
    files: frozenset[int] | None = None
    most: int | None = None

    def picks(self, at: int, first: int, count: int) -> tuple[int, ...]:
        """The wanted frames (from 0) of the file at a place in the order, whose first frame has the number `first`."""
        if self.files is not None and at not in self.files:
            return ()
        if self.numbers is not None:
            return tuple(index for index in range(count) if first + index in self.numbers)
        return evenly(count, count if self.most is None else self.most)

    def may_need(self, at: int, first: int, count: int | None) -> bool:
        """Whether anything of a file is wanted, as far as can be told before it is opened."""
        if self.numbers is not None and count:
            return any(first <= number < first + count for number in self.numbers)
        return self.files is None or at in self.files


def picker(choose: Choice, items: Sequence[Item]) -> Picker:
    """The frames that a choice wants of files.

    Where it is not known how many frames several files have, `most` takes one frame of each of so many files.
    """
    if choose.frames:
        return Picker(numbers=frozenset(choose.frames))
    if choose.most is None:
        return Picker()
    if all(item.frames for item in items):
        total = sum(item.frames or 0 for item in items)
        return Picker(numbers=frozenset(index + 1 for index in evenly(total, choose.most)))
    if len(items) == 1:
        return Picker(most=choose.most)
    return Picker(files=frozenset(evenly(len(items), choose.most)), most=1)
