"""The seam to FHIR data: four methods that the embedded store, remote servers and every wrapper share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from fhir_tools.types import Fetched, Query, Reference, SearchResult

__all__ = ["CATALOGUE_OPERATION", "OWN_OPERATIONS", "TIMELINE_OPERATION", "Launched", "Source"]

CATALOGUE_OPERATION = "$chartline-catalogue"
"""`GET Patient/[id]/$chartline-catalogue?as_of=YYYY-MM-DD`: the concept index of one chart as JSON rows.

A source whose capabilities name it (key `operations`) spares the open stage from reading the chart;
rows are those of `fhir_tools.catalogue.group_rows`. Other sources are searched kind by kind.
"""

TIMELINE_OPERATION = "$chartline-timeline"
"""`GET Patient/[id]/$chartline-timeline`: every fact of one chart with its time, from the concept index.

JSON: `concepts` are [kind, label], `rows` are those of `fhir_tools.timeline`. Other sources are searched type by type.
"""

OWN_OPERATIONS = frozenset((CATALOGUE_OPERATION, TIMELINE_OPERATION))
"""Operations on one Patient that answer with chartline's own JSON about that patient, and not with resources."""


@runtime_checkable
class Launched(Protocol):
    """A source whose credentials may be for one patient alone (SMART App Launch 2.2, launch context)."""

    @property
    def launched_for(self) -> Reference | None:
        """That patient; None where they are not bound to one."""
        ...


@runtime_checkable
class Source(Protocol):
    """A FHIR R4 source. Also an async context manager; leaving it closes what it holds."""

    async def read(self, reference: Reference, version: str | None = None) -> Mapping[str, Any]:
        """One resource as parsed JSON. Raises NotFound, SourceError."""
        ...

    async def search(self, query: Query) -> SearchResult:
        """Run a search, following pages to the end unless the query has `_count`.

        Raises QueryError for a search that cannot be run as written. A fault of the server is
        not raised once matches were read: it comes back as `complete=False` with its error.
        """
        ...

    async def fetch(self, url: str) -> Fetched:
        """The body behind a relative or absolute URL: Binary, attachment, `$operation`. Raises SourceError."""
        ...

    async def capabilities(self) -> Mapping[str, Any]:
        """What the source can do: `fhirVersion`, `software`, `search` ({type: [parameter, …]}), `operations`."""
        ...
