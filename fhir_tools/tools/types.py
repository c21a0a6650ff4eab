"""What a tool is, and what it brings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fhir_tools.tools.arguments import Arguments, schema_of, signature_of
from fhir_tools.tools.bench import Bench
from fhir_tools.tools.ledger import Ledger
from fhir_tools.types import Card, Kind, Mark, Search

__all__ = ["Absent", "Found", "Seen", "Show", "Tool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """A subject that the chart does not hold (in the window asked for), and how that is known.

    `searched` are ids of search marks. `opaque` counts entries of these kinds that neither a code nor an understood
    label explains: the subject could hide in them. `near` are labels that the chart does have.
    """

    label: str
    kinds: tuple[Kind, ...]
    searched: tuple[str, ...]
    window: str = ""
    opaque: int = 0
    near: tuple[str, ...] = ()
    complete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One thing that a model read from an image, in its words: no record, and nothing that a claim may rest on.

    `region` is left, top, right, bottom in pixels of the stored image, on frame number `frame` (from 1).
    """

    text: str
    model: str
    region: tuple[float, float, float, float] | None = None
    frame: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one call brought. `lines` are words without marks: catalogue lines, choices, what was not understood.

    `searched` are all rows of proof, `search_marks` those of them that `absent` cites. Texts from the chart stand in
    cards and lines as the chart writes them: who puts them before a model escapes them. `seen` is what was read from
    the pixels of the image that the mark `image` stands for.
    """

    cards: tuple[Card, ...] = ()
    lines: tuple[str, ...] = ()
    absent: tuple[Absent, ...] = ()
    searched: tuple[Search, ...] = ()
    search_marks: tuple[Mark, ...] = ()
    warnings: tuple[str, ...] = ()
    seen: tuple[Seen, ...] = ()
    image: str = ""

    @property
    def complete(self) -> bool:
        return all(s.complete for s in self.searched)


Show = Callable[[Ledger], Found]
"""Puts what was read into cards. Reading waits and showing does not: several calls are read side by side and shown in
the order in which they were asked for, so that their marks do not depend on which answer came first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One read-only tool. `description` and `arguments` are what a model reads; the patient is in neither."""

    name: str
    description: str
    arguments: type[Arguments]
    reader: Callable[[Bench, Any], Awaitable[Show]]

    async def read(self, bench: Bench, arguments: Any) -> Show:
        """Check the arguments and read what they ask for. Raises NeedError (told to the model) and SourceError."""
        return await self.reader(bench, self.arguments.read(arguments))

    async def run(self, bench: Bench, arguments: Any) -> Found:
        """Read and show, with marks that go on from those of the bench. Raises NeedError and SourceError."""
        return (await self.read(bench, arguments))(bench.marks)

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of the arguments: every string and array in it is bounded."""
        return schema_of(self.arguments)

    @property
    def signature(self) -> str:
        """`name(arguments)` on one line, for a prompt."""
        return f"{self.name}({signature_of(self.arguments)})"
