"""Three invented patients that ship with the package, as collection Bundles (from `tools/make_demo_charts.py`)."""

from __future__ import annotations

from datetime import date
from pathlib import Path

__all__ = ["AS_OF", "paths", "patients"]

AS_OF = date(2026, 6, 15)
"""The "today" of the demo: the charts end a few days before it, and hold appointments after it."""

_SUFFIX = ".json.gz"


def paths() -> tuple[Path, ...]:
    """The chart files, `<patient id>.json.gz`, in the order of their names."""
    return tuple(sorted(Path(__file__).parent.glob(f"*{_SUFFIX}")))


def patients() -> tuple[str, ...]:
    """The patient ids, in the order of `paths()`."""
    return tuple(path.name.removesuffix(_SUFFIX) for path in paths())
