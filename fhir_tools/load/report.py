"""What a load did: per file what came in, what is worth knowing, and what went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from fhir_tools.errors import LoadError

__all__ = ["FileReport", "LoadReport", "Notes", "Warned"]

_EXAMPLES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """One kind of warning: how often, and the first few places."""

    message: str
    count: int
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        shown = ", ".join(self.examples) + (", …" if self.count > len(self.examples) else "")
        return f"{self.message} ({self.count}×: {shown})" if shown else f"{self.message} ({self.count}×)"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """One file. `resources` counts what it holds by type; new, updated, unchanged and older are parts of that."""

    path: str
    resources: Mapping[str, int] = field(default_factory=dict)
    new: int = 0
    updated: int = 0
    unchanged: int = 0
    older: int = 0
    deleted: int = 0
    warnings: tuple[Warned, ...] = ()
    error: LoadError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """All files, in the order they were read. A file with an error left nothing in the store."""

    files: tuple[FileReport, ...] = ()

    @property
    def resources(self) -> dict[str, int]:
        """Resources by type, over the files that went well, most frequent first."""
        total: Counter[str] = Counter()
        for file in self.files:
            total.update(file.resources)
        return dict(total.most_common())

    @property
    def new(self) -> int:
        return sum(f.new for f in self.files)

    @property
    def updated(self) -> int:
        return sum(f.updated for f in self.files)

    @property
    def unchanged(self) -> int:
        return sum(f.unchanged for f in self.files)

    @property
    def older(self) -> int:
        """Versions that are older than what the store has: kept in the history."""
        return sum(f.older for f in self.files)

    @property
    def deleted(self) -> int:
        return sum(f.deleted for f in self.files)

    @property
    def warnings(self) -> tuple[tuple[str, Warned], ...]:
        """(path, warning), in file order."""
        return tuple((f.path, w) for f in self.files for w in f.warnings)

    @property
    def errors(self) -> tuple[LoadError, ...]:
        return tuple(f.error for f in self.files if f.error)


class Notes:
    """Gathers one file's warnings by message; memory stays small however many there are."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, list[str]] = {}

    def add(self, message: str, example: str = "", count: int = 1) -> None:
        self._counts[message] += count
        examples = self._examples.setdefault(message, [])
        if example and len(examples) < _EXAMPLES and example not in examples:
            examples.append(example)

    def all(self) -> tuple[Warned, ...]:
        return tuple(
            Warned(message=m, count=n, examples=tuple(self._examples[m])) for m, n in self._counts.most_common()
        )
