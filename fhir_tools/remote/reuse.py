"""What a session keeps of earlier answers: resources by their ETag, and the places where searches go on. Bounded."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from fhir_tools.errors import QueryError
from fhir_tools.search.query import to_url
from fhir_tools.types import Query

__all__ = ["Continuation", "Continuations", "Kept", "Tagged", "without_page"]

Resource = Mapping[str, Any]
T = TypeVar("T")


class Kept(Generic[T]):
    """The values last used, at most `most` of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[str, T] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: str) -> T | None:
        """The value, which is now the one used last; None where it is not kept (any more)."""
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: str, value: T) -> None:
        """Keep a value, and forget the one that was not used for the longest time."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._most:
            self._values.popitem(last=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged:
    """A resource with the ETag it came with (RFC 9110 8.8.3), to be asked for with If-None-Match."""

    etag: str
    resource: Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """Where a search goes on: matches already read and not yet given, then the server's own next link.

    `error` is why what was read so far is not complete: it holds for all that follows.
    """

    query: Query
    rest: tuple[Resource, ...] = ()
    link: str | None = None
    total: int | None = None
    error: str | None = None


class Continuations:
    """The pages that this source has offered, by a token that cannot be guessed.

    A token goes on with the very search that it was given for and with no other: so a page cannot lead out of what
    a wrapper has checked (the patient, the parameters), and no URL is ever taken from a query.
    """

    def __init__(self, most: int = 256) -> None:
        self._kept: Kept[Continuation] = Kept(most)

    def offer(self, place: Continuation) -> str:
        """The search again with a `_page` token, as text that `fhir_tools.search.query.parse` takes."""
        token = secrets.token_urlsafe(18)
        self._kept.put(token, place)
        return to_url(Query(type=place.query.type, params=(*place.query.params, ("_page", token))))

    def find(self, query: Query) -> Continuation | None:
        """Where a query with `_page` goes on; None for one without. Raises QueryError for a page of another search."""
        tokens = [value for name, value in query.params if name == "_page"]
        if not tokens:
            return None
        place = self._kept.get(tokens[0]) if len(tokens) == 1 else None
        if place is None or place.query != without_page(query):
            raise QueryError("not a page of this search, or one no longer kept: run the search again without _page")
        return place


def without_page(query: Query) -> Query:
    """The search that a page belongs to."""
    return Query(type=query.type, params=tuple(pair for pair in query.params if pair[0] != "_page"))
