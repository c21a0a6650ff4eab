"""Times that a note tells by its own date ("yesterday", "3 days ago", "on 3/14"), as calendar days."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from fhir_tools import phrases
from fhir_tools.dates import Window
from fhir_tools.types import Interval

__all__ = ["Told", "times"]

_OPTIONAL = re.compile(r"\(s\)", re.IGNORECASE)
_LENGTH = re.compile(r"\b(?:for|x|over|every|q|within|per)\s*(?:the\s+)?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """`text[start:end]` says `window`; `on` is set where that is one day."""

    start: int
    end: int
    window: Window
    on: date | None = None


def times(text: str, written: Interval | None) -> tuple[Told, ...]:
    """The times that a text tells, against the day on which it was written (none without that day).

    A day without a year is the latest that is not after it, as `fhir_tools.phrases` reads questions. A length ("for 3
    days") tells no time, and neither does what cannot be worked out.
    """
    day = written.day if written else None
    return tuple(_told(text, day)) if day else ()


def _told(text: str, day: date) -> Iterator[Told]:
    plain = _OPTIONAL.sub("s  ", text)  # "3 day(s) ago"; every character stays in its place
    for found in phrases.find(plain, day):
        if found.window is None or _LENGTH.search(plain[: found.start]) or plain[found.start] in "xX":
            continue
        yield Told(start=found.start, end=found.end, window=found.window, on=found.on)
