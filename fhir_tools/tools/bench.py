"""What the tools work on: one patient's chart, and the marks that were given out about it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from fhir_tools import dates
from fhir_tools.catalogue import Catalogue, joined, read_catalogue
from fhir_tools.codes import Matcher
from fhir_tools.errors import NeedError
from fhir_tools.facts import KIND_TYPES
from fhir_tools.scope import addresses
from fhir_tools.source import Source
from fhir_tools.tools.ledger import Ledger
from fhir_tools.types import Kind, Mark, Reference

if TYPE_CHECKING:
    from fhir_tools.tools.types import Seen

__all__ = ["ELSEWHERE", "Bench", "LookAt"]

ELSEWHERE = "that is no record of this chart; give a mark as it stands on a card, e.g. 4"
"""Said of whatever is not this patient's, whether it exists somewhere or not."""

LookAt = Callable[[Reference, str], Awaitable[tuple[tuple["Seen", ...], tuple[str, ...]]]]
"""A record and a question → what a model saw, and warnings. Raises NeedError, UserError and OperatorError."""

_MARK = re.compile(r"\[?\s*([cs]?[0-9]{1,6})\s*\]?")
_TYPES = frozenset(t for types in KIND_TYPES.values() for t in types) - {"Patient"}


@dataclass(slots=True, kw_only=True)
class Bench:
    """One chart as of a day. `source` is scoped to the patient (`fhir_tools.scope`): tools reach nothing else.

    `person` is the Patient resource. `waiting` are kinds whose catalogue was not read yet: it is read when a tool needs
    it. `marks` are those that cards have shown; `inside` reads an absolute URL of the chart's own servers, where there
    are several, and raises ValueError for any other. `look` has a model read the pixels of a record and gives what it
    saw, with warnings; it is handed in, since no model is known here. None: images cannot be looked at.
    """

    source: Source
    patient: Reference
    as_of: date
    catalogue: Catalogue
    matcher: Matcher
    person: Mapping[str, Any]
    waiting: frozenset[Kind] = frozenset()
    marks: Ledger = field(default_factory=Ledger)
    inside: Callable[[str], Reference] | None = None
    look: LookAt | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def end(self) -> datetime:
        """The first instant after `as_of`: what begins then or later is not shown."""
        return dates.end_of_day(self.as_of)

    async def grow(self, kinds: Collection[Kind]) -> None:
        """Read the catalogue of those of the kinds that it does not hold yet. Raises SourceError."""
        async with self._lock:
            types = {t for k in kinds for t in KIND_TYPES[k]}
            wanted = frozenset(k for k in self.waiting if types.intersection(KIND_TYPES[k]))
            if not wanted:
                return
            more = await read_catalogue(self.source, self.patient, self.as_of, wanted, merged=True)
            self.catalogue = joined(self.catalogue, more)
            self.matcher = Matcher(self.catalogue)
            self.waiting = self.waiting - wanted

    def mark(self, text: str) -> Mark:
        """The mark that a model names, with or without brackets. Raises NeedError for one that no card shows."""
        found = _MARK.fullmatch(text.strip())
        mark = self.marks.get(found[1]) if found else None
        if mark is None:
            raise NeedError(ELSEWHERE)
        return mark

    def record(self, text: str) -> Reference:
        """The record behind a mark or reference of this chart; whether it is there is not said. Raises NeedError."""
        text = text.strip()
        if not _MARK.fullmatch(text):
            return self._reference(text)
        mark = self.mark(text)
        if mark.fact is None:
            raise NeedError(f"[{mark.id}] is no single record; give the mark of one, a number without a letter")
        return mark.fact.reference

    def _reference(self, text: str) -> Reference:
        try:
            if addresses.is_absolute(text):
                reference = self.inside(text) if self.inside else None
            else:
                reference = Reference.parse(text) if addresses.plain(text) == text else None
        except ValueError:
            reference = None
        if reference is None or reference.type not in _TYPES or not addresses.ID.fullmatch(reference.id):
            raise NeedError(ELSEWHERE)
        return reference
