"""A source that keeps a record of each request made of it."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from time import perf_counter
from types import TracebackType
from typing import Any, Self, TypeVar

from fhir_tools.audit.entry import Entry, Outcome, RequestEntry, Who, known_names, place, safe_reference, stamp
from fhir_tools.errors import NotFound, QueryError, ScopeError, SourceError
from fhir_tools.search.query import R4_TYPES
from fhir_tools.source import Source
from fhir_tools.types import Fetched, Query, Reference, SearchResult

__all__ = ["Audited", "Record"]

Record = Callable[[Entry], Awaitable[None] | None]
"""Where entries go: `AuditLog`, `FhirLog`, `FhirServer`, or any callable. What it raises stops the request."""

_T = TypeVar("_T")


class Audited:
    """Wraps any source, a scoped one included: a request that the scope refuses is then on record as well.

    An entry is recorded before what came is handed on: with a log that raises (strict), nothing is read unrecorded.
    `locate` writes a reference as the log should have it, for instance with the server it belongs to.
    """

    def __init__(
        self,
        source: Source,
        record: Record,
        *,
        agent: str,
        patient: Reference,
        purpose: str,
        locate: Callable[[Reference], str] = str,
    ) -> None:
        self._source = source
        self._record = record
        self._locate = locate
        self.who = Who(agent=agent, patient=patient, purpose=purpose)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None  # the source belongs to whoever opened it

    async def read(self, reference: Reference, version: str | None = None) -> Mapping[str, Any]:
        """As the source; the reference asked for is recorded, and the version that came."""
        what = safe_reference(f"{self._locate(reference)}/_history/{version}" if version else self._locate(reference))
        entry = RequestEntry(at=stamp(), who=self.who, action="vread" if version else "read", what=what)
        return await self._recorded(
            entry, self._source.read(reference, version), lambda r: {"references": self._names([r]), "found": 1}
        )

    async def search(self, query: Query) -> SearchResult:
        """As the source; the type, the names of the parameters and the references that came are recorded."""
        entry = RequestEntry(
            at=stamp(),
            who=self.who,
            action="search",
            what=query.type if query.type in R4_TYPES else "?",
            parameters=known_names(query.type, (name for name, _ in query.params)),
        )

        def came(result: SearchResult) -> Mapping[str, Any]:
            outcome: Outcome = "ok" if result.complete else "incomplete"
            return {
                "references": self._names((*result.matches, *result.included)),
                "found": len(result.matches),
                "outcome": outcome,
            }

        return await self._recorded(entry, self._source.search(query), came)

    async def fetch(self, url: str) -> Fetched:
        """As the source; a Binary or an operation is recorded by its reference, any other body by its host."""
        what, names = place(url)
        entry = RequestEntry(
            at=stamp(), who=self.who, action="operation" if "/$" in what else "fetch", what=what, parameters=names
        )
        return await self._recorded(entry, self._source.fetch(url), lambda _: {"found": 1})

    async def capabilities(self) -> Mapping[str, Any]:
        """As the source; it is about no patient, and not recorded."""
        return await self._source.capabilities()

    async def _recorded(
        self, entry: RequestEntry, request: Awaitable[_T], came: Callable[[_T], Mapping[str, Any]]
    ) -> _T:
        start = perf_counter()
        try:
            result = await request
        except BaseException as error:
            status = error.status if isinstance(error, SourceError) else None
            name, seconds = type(error).__name__, _since(start)
            await self._write(replace(entry, seconds=seconds, outcome=_ended(error), error=name, status=status))
            raise
        await self._write(replace(entry, seconds=_since(start), **came(result)))
        return result

    async def _write(self, entry: RequestEntry) -> None:
        done = self._record(entry)
        if inspect.isawaitable(done):
            await done

    def _names(self, resources: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._name(r) for r in resources))

    def _name(self, resource: Mapping[str, Any]) -> str:
        kind, id_, meta = resource.get("resourceType"), resource.get("id"), resource.get("meta")
        if not isinstance(kind, str) or not isinstance(id_, str):
            return "?"
        version = meta.get("versionId") if isinstance(meta, dict) else None
        name = self._locate(Reference(type=kind, id=id_))
        return safe_reference(f"{name}/_history/{version}" if isinstance(version, str) else name)


def _since(start: float) -> float:
    return round(perf_counter() - start, 4)


def _ended(error: BaseException) -> Outcome:
    if isinstance(error, ScopeError | QueryError):
        return "refused"
    if isinstance(error, NotFound):
        return "not-found"
    return "failed" if isinstance(error, Exception) else "cancelled"
