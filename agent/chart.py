"""The open chart: what the stages and the understanding of questions share about one patient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

from fhir_tools.catalogue import Catalogue
from fhir_tools.codes import Matcher
from fhir_tools.documents import Document, read_document
from fhir_tools.documents.statements import Statement, statements
from fhir_tools.facts import facts_of
from fhir_tools.focus import Focus
from fhir_tools.source import Source
from fhir_tools.types import Fact, Kind, Query, Reference, Search, SearchResult

__all__ = ["RESULTS", "Chart"]

RESULTS: frozenset[Kind] = frozenset(("measurement", "social"))
"""The kinds that Observations are of."""
_KEPT = 1_000
"""So many searches of a sitting are kept: a chart may stay open for many questions."""

K = TypeVar("K")
V = TypeVar("V")
Stated = tuple[tuple[Fact, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One patient's chart as of a day. `found` keeps the searches of this sitting, so that none is sent twice,
    and `documents` the notes and reports that were read; what resources and documents state is worked out once.

    `warnings` are told with every answer (a merged record); `unread` are parts of the chart that a fault keeps away.
    `waiting` are the kinds that were not asked for yet (`agent.open.grown`): no question is answered about them.
    With a `focus` the results in the catalogue are those that may be one analyte: no question is answered about others;
    `wider` is the chart without them. `narrows` is whether the source can leave results out.
    `locate` writes a reference for the world, with its server where there are several, and `inside` reads it again.
    """

    source: Source
    patient: Reference
    as_of: date
    catalogue: Catalogue
    matcher: Matcher
    person: Mapping[str, Any]
    warnings: tuple[str, ...] = ()
    unread: tuple[Search, ...] = ()
    waiting: frozenset[Kind] = frozenset()
    focus: Focus | None = None
    wider: Chart | None = None
    narrows: bool = False
    locate: Callable[[Reference], str] = str
    inside: Callable[[str], Reference] = Reference.parse
    found: dict[str, SearchResult] = field(default_factory=dict)
    documents: dict[Reference, Document] = field(default_factory=dict)
    _stated: dict[Query, tuple[SearchResult, Stated]] = field(default_factory=dict)
    _told: dict[Reference, tuple[Document, tuple[Statement, ...]]] = field(default_factory=dict)

    async def search(self, query: Query) -> SearchResult:
        """The search's result, from this sitting's memory when it was complete before."""
        key = str(query)
        known = self.found.get(key)
        if known is None:
            known = await self.source.search(query)
            if known.complete:
                _put(self.found, key, known)
        return known

    def stated(self, result: SearchResult) -> Stated:
        """The facts of each match of a search."""
        known = self._stated.get(result.query)
        if known is None or known[0] is not result:
            known = (result, tuple(map(facts_of, result.matches)))
            if result.complete:
                _put(self._stated, result.query, known)
        return known[1]

    def statements(self, document: Document) -> tuple[Statement, ...]:
        """What a note or report states."""
        known = self._told.get(document.fact.reference)
        if known is None or known[0] is not document:
            known = self._told[document.fact.reference] = (document, statements(document))
        return known[1]

    async def document(self, resource: Mapping[str, Any], fact: Fact) -> Document:
        """The text of a note or report, read once a sitting; one that could not be fetched is asked for again."""
        known = self.documents.get(fact.reference)
        if known is None or known.fact != fact:
            known = await read_document(resource, fact, self.source)
            if not known.missed:
                self.documents[fact.reference] = known
        return known


def _put(kept: dict[K, V], key: K, value: V) -> None:
    """Keep a value; the one kept longest goes where there are too many."""
    kept[key] = value
    if len(kept) > _KEPT:
        del kept[next(iter(kept))]
