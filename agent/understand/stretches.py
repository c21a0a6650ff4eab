"""Several times in one question: one held against the other, one within the other, or one that is left over."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from agent.understand.reading import Reading
from fhir_tools.dates import Window

__all__ = ["later_first", "narrowed", "other_time", "other_times"]


def other_time(reading: Reading, window: Window | None) -> Window | None:
    """The other of the two times whose results are held against each other; None where there are not just two."""
    told = [t.window for t in reading.times if t.window and t.window != window]
    closed = [w for w in (window, *told) if w and w.low is not None and w.high is not None]
    return told[0] if len(told) == 1 and len(closed) == 2 else None


def narrowed(reading: Reading, window: Window | None) -> Window | None:
    """The time asked about; where another that is told lies within it ("in 2025, on 3 May"), that one."""
    inner = (t.window for t in reading.times if t.window and window and t.window != window)
    return next((w for w in inner if window and _lies_in(w, window)), window)


Direction = Literal["higher", "lower", "different"] | None
_TURNED: dict[Direction, Direction] = {"higher": "lower", "lower": "higher"}


def later_first(
    window: Window | None, against: Window | None, direction: Direction
) -> tuple[Window | None, Window | None, Direction]:
    """A time that is held against a later one is that later one held against it, the other way."""
    if window and against and str(window.low) < str(against.low):
        return against, window, _TURNED.get(direction, direction)
    return window, against, direction


def other_times(reading: Reading, used: Iterable[Window | None]) -> tuple[str, ...]:
    """The words of times that are told beside those that are used, and say something else than they do."""
    known = [w for w in used if w]
    return tuple(
        reading.text[t.start : t.end]
        for t in reading.times
        if t.window and known and not any(_lies_in(w, t.window) or _lies_in(t.window, w) for w in known)
    )


def _lies_in(inner: Window, outer: Window) -> bool:
    """Whether one time lies in the other, or is the same; clock times are left to who reads the days."""
    ends = (inner.low, inner.high, outer.low, outer.high)
    if any(isinstance(x, datetime) for x in ends):
        return True
    low = outer.low is None or (inner.low is not None and inner.low >= outer.low)
    return low and (outer.high is None or (inner.high is not None and inner.high <= outer.high))
