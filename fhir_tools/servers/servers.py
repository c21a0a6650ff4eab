"""Several servers as one source, where one patient is known to more than one of them.

Each resource of another than the first server gets the inside id `label.id` (`relabel`), so that nothing
collides; what is asked is put back into each server's own words. The same result on two servers stays two resources,
each with its own citation.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

import orjson

from fhir_tools.errors import NotFound, QueryError, ScopeError, SourceError, UserError
from fhir_tools.remote.reuse import Kept, without_page
from fhir_tools.scope import addresses
from fhir_tools.scope.aliases import Aliases
from fhir_tools.search.control import Control, read_control
from fhir_tools.search.order import sort_value, sorted_by
from fhir_tools.search.query import check, parse, to_url
from fhir_tools.servers.matching import find_same_patient
from fhir_tools.servers.relabel import Labels
from fhir_tools.servers.routing import query_for, with_sorted_elements
from fhir_tools.source import Source
from fhir_tools.types import Fetched, Query, Reference, SearchResult

__all__ = ["Servers"]

Resource = Mapping[str, Any]

_PLACES = 256
"""Unions whose next page can still be asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    """How far one server was read: matches not yet given, and the search that goes on (None: no more)."""

    rest: tuple[Resource, ...] = ()
    following: Query | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What one server gave to one page: its head, what came along, and how it ended."""

    head: _Head
    included: tuple[Resource, ...] = ()
    total: int | None = 0
    errors: tuple[str, ...] = ()
    pages: int = 0
    limits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a union goes on."""

    query: Query
    heads: Mapping[str, _Head]
    total: int | None


class Servers:
    """Sources by label (a letter, then letters and digits in lower case), the first one's ids as they are.

    An async context manager: leaving it closes all of them. `systems` are the identifier systems by which a patient
    is found on the other servers; every system where none is named.
    """

    def __init__(self, sources: Mapping[str, Source], *, systems: Collection[str] = ()) -> None:
        if not sources:
            raise UserError("no server is named")
        try:
            self._labels = Labels(labels=tuple(sources), bases={})
        except ValueError as fault:
            raise UserError(str(fault)) from fault
        self._sources = dict(sources)
        self._systems = tuple(systems)
        self._said: dict[str, Mapping[str, Any]] = {}
        self._places: Kept[_Place] = Kept(_PLACES)
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opened:
            for source in self._sources.values():
                await opened.enter_async_context(source)  # type: ignore[arg-type]
            self._open = opened.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.__aexit__(kind, error, trace)

    # The source Protocol.

    async def read(self, reference: Reference, version: str | None = None) -> Resource:
        """One resource of the server that its id belongs to. Raises NotFound, SourceError that name the server."""
        labels = await self._ready()
        label, own = labels.original(reference)
        try:
            return labels.resource(label, await self._sources[label].read(own, version))
        except SourceError as error:
            raise _named(label, error) from error

    async def search(self, query: Query) -> SearchResult:
        """The matches of all servers that can have any, in the order of the servers or of `_sort`.

        `total` is the sum, `complete` only where all are; `error` names the servers that are not. Raises QueryError.
        """
        labels = await self._ready()
        place = self._place(query)
        asked = without_page(query)
        control = read_control((asked.type,), check(asked)[1])
        heads = place.heads if place else self._heads(labels, asked, control)
        parts = await asyncio.gather(*(self._part(labels, label, head, control) for label, head in heads.items()))
        return self._united(query, asked, control, dict(zip(heads, parts, strict=True)), place)

    async def fetch(self, url: str) -> Fetched:
        """A body or an operation from the server that the URL belongs to; a URL of none is tried on each in turn.

        References in what an operation gives are renamed as in a read. Raises SourceError, ScopeError.
        """
        labels = await self._ready()
        found = labels.url_outside(url)
        if found is None:
            return await self._fetch_elsewhere(url)
        label, rest = found
        try:
            fetched = await self._sources[label].fetch(rest)
        except SourceError as error:
            raise _named(label, error) from error
        if "/$" not in rest:
            return fetched
        try:
            content = orjson.loads(fetched.body)
        except orjson.JSONDecodeError:
            return fetched
        if not isinstance(content, dict) or "resourceType" not in content:
            return fetched
        try:
            return replace(fetched, body=orjson.dumps(labels.resource(label, content)))
        except orjson.JSONEncodeError:
            raise SourceError(f"{label}: what came is nested too deeply to be read") from None

    async def capabilities(self) -> Mapping[str, Any]:
        """What all servers have in common, and `servers`: {label: base}.

        A type is searched where one of them has it, by the parameters of all that have it: a server without the type
        holds none. There is no operation: each would be one of a part of the chart. `unreachable` are the labels of
        servers that cannot be asked now; searches tell them as not complete. Raises SourceError where none can be.
        """
        answers = await asyncio.gather(*map(self._tried, self._sources))
        said = {label: x for label, x in zip(self._sources, answers, strict=True) if not isinstance(x, SourceError)}
        if not said:
            raise next(x for x in answers if isinstance(x, SourceError))
        first = next(iter(said.values()))
        return {
            "fhirVersion": first.get("fhirVersion"),
            "software": {"name": ", ".join(_software(x) for x in said.values()), "version": ""},
            "search": _common([x.get("search") or {} for x in said.values()]),
            "include": _common([x.get("include") or {} for x in said.values()]),
            "operations": [],
            "declared": all(x.get("declared", True) for x in said.values()),
            "batch": all(x.get("batch", False) for x in said.values()),
            "elements": all(x.get("elements", False) for x in said.values()),
            "profile": ", ".join(dict.fromkeys(p for x in said.values() if (p := x.get("profile")))),
            "base": self._labels.bases.get(self._labels.labels[0]),
            "servers": {label: self._labels.bases.get(label) for label in self._sources},
            "unreachable": [label for label in self._sources if label not in said],
        }

    # What is only here.

    async def same_patient(self, patient: Reference) -> Aliases:
        """The patient's records on all servers (`fhir_tools.servers.matching.find_same_patient`)."""
        return await find_same_patient(self._sources, await self._ready(), patient, self._systems)

    def original(self, reference: Reference) -> tuple[str, Reference]:
        """The base URL of the server that holds a resource (its label, where it has none), and its reference there."""
        label, own = self._labels.original(reference)
        return self._labels.bases.get(label, label), own

    def located(self, reference: Reference) -> str:
        """An inside reference as the world knows it: `https://b.example/fhir/Observation/123`."""
        base, own = self.original(reference)
        return f"{base.rstrip('/')}/{own}"

    def inside(self, text: str) -> Reference:
        """The inside reference of an inside one or of an absolute URL. Raises ValueError for what is on no server."""
        if addresses.is_absolute(text) and self._labels.server_of(text) is None:
            raise ValueError("the URL is on none of the servers")
        relative = not addresses.is_absolute(text)
        return Reference.parse(text if relative else self._labels.url_inside(self._labels.labels[0], text))

    # Inside.

    async def _ready(self) -> Labels:
        """The labels with the bases that are known. A server that cannot be asked now is asked again next time."""
        missing = [label for label in self._sources if label not in self._said]
        if missing:
            await asyncio.gather(*map(self._tried, missing))
        return self._labels

    async def _tried(self, label: str) -> Mapping[str, Any] | SourceError:
        try:
            said = await self._sources[label].capabilities()
        except SourceError as error:
            return _named(label, error)
        self._said[label] = said
        if isinstance(base := said.get("base"), str):
            self._labels = replace(self._labels, bases={**self._labels.bases, label: base})
        return said

    def _place(self, query: Query) -> _Place | None:
        tokens = [value for name, value in query.params if name == "_page"]
        if not tokens:
            return None
        place = self._places.get(tokens[0]) if len(tokens) == 1 else None
        if place is None or place.query != without_page(query):
            raise QueryError("not a page of this search, or one no longer kept: run the search again without _page")
        return place

    def _heads(self, labels: Labels, asked: Query, control: Control) -> Mapping[str, _Head]:
        whole = with_sorted_elements(asked, control.sort)
        queries = {label: query_for(labels, label, whole) for label in self._sources}
        heads = {label: _Head(following=query) for label, query in queries.items() if query}
        holding = {label: head for label, head in heads.items() if self._may_hold(label, asked.type)}
        return holding or heads

    def _may_hold(self, label: str, type_: str) -> bool:
        """Whether a server could have resources of the type. A store tells what it has now; it is always asked."""
        said = self._said.get(label, {})
        return not said.get("base") or not said.get("search") or type_ in said["search"]

    async def _part(self, labels: Labels, label: str, head: _Head, control: Control) -> _Part:
        """Read on until a page could be filled from this server alone: only then is it known what comes first."""
        part = _Part(head=head)
        while part.head.following and not part.errors and (not part.pages or _is_short(part.head, control.count)):
            try:
                result = await self._sources[label].search(part.head.following)
                found = tuple(labels.resource(label, r) for r in result.matches)
                included = tuple(labels.resource(label, r) for r in result.included)
            except SourceError as error:
                return replace(part, errors=(*part.errors, str(_named(label, error))), total=None)
            part = _Part(
                head=_Head(rest=part.head.rest + found, following=parse(result.next) if result.next else None),
                included=part.included + included,
                total=result.total,
                errors=() if result.complete else (f"{label}: {result.error or 'not complete'}",),
                pages=part.pages + result.pages,
                limits=tuple(dict.fromkeys((*part.limits, *(f"{label}: {words}" for words in result.limits)))),
            )
        return part

    def _united(
        self, query: Query, asked: Query, control: Control, parts: Mapping[str, _Part], place: _Place | None
    ) -> SearchResult:
        rows = [(label, r) for label, part in parts.items() for r in part.head.rest]
        rows = sorted_by(rows, control.sort, lambda row, key: sort_value(row[1], key)) if control.sort else rows
        page, left = rows[: control.count], rows[control.count :] if control.count is not None else []
        totals = [part.total for part in parts.values()]
        total = place.total if place else None if None in totals else sum(t for t in totals if t is not None)
        errors = [error for part in parts.values() for error in part.errors]
        heads = {
            label: replace(part.head, rest=tuple(r for owner, r in left if owner == label))
            for label, part in parts.items()
        }
        given = {_name(r) for _, r in page}
        included = {_name(r): r for part in parts.values() for r in part.included if _name(r) not in given}
        return SearchResult(
            query=query,
            matches=tuple(r for _, r in page),
            included=tuple(included.values()),
            total=total,
            complete=not errors,
            error="; ".join(errors) or None,
            pages=sum(part.pages for part in parts.values()),
            limits=tuple(words for part in parts.values() for words in part.limits),
            next=self._offer(_Place(query=asked, heads=heads, total=total)) if control.count else None,
        )

    def _offer(self, place: _Place) -> str | None:
        if not any(head.rest or head.following for head in place.heads.values()):
            return None
        token = secrets.token_urlsafe(18)
        self._places.put(token, place)
        return to_url(replace(place.query, params=(*place.query.params, ("_page", token))))

    async def _fetch_elsewhere(self, url: str) -> Fetched:
        """A body on an origin of its own: each server's client knows which origins it may be sent to."""
        refused: ScopeError | None = None
        for source in self._sources.values():
            try:
                return await source.fetch(url)
            except ScopeError as error:
                refused = error
        raise refused or ScopeError("no server may fetch from there")


def _is_short(head: _Head, count: int | None) -> bool:
    return count is None or len(head.rest) < count


def _name(resource: Resource) -> str:
    return f"{resource.get('resourceType')}/{resource.get('id')}"


def _named(label: str, error: SourceError) -> SourceError:
    kind = NotFound if isinstance(error, NotFound) else SourceError
    words = str(error)
    return kind(
        words if words.startswith(f"{label}: ") else f"{label}: {words}", status=error.status, outcome=error.outcome
    )


def _software(said: Mapping[str, Any]) -> str:
    software = said.get("software")
    return str(software.get("name") or "?") if isinstance(software, Mapping) else "?"


def _common(tables: Sequence[Mapping[str, Sequence[str]]]) -> Mapping[str, list[str]]:
    """By type what all that have the type have; nothing where one says nothing at all."""
    if not all(tables):
        return {}
    types = sorted({type_ for table in tables for type_ in table})
    return {t: sorted(set.intersection(*(set(table[t]) for table in tables if t in table))) for t in types}
