"""A source whose searches, reads and fetches fail or are cut, by a seed: what a server does to a chart on a bad day."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from fhir_tools.errors import SourceError
from fhir_tools.source import Source
from fhir_tools.types import Fetched, Query, Reference, SearchResult

__all__ = ["Faulty", "Plain"]

Fault = Literal["", "fails", "cut"]


class Plain:
    """A source that is searched for the catalogue, as a server is, unless it may make it by its `own` operation.

    `excludes` is whether it says that codes can be left out of its searches.
    """

    def __init__(self, source: Source, *, own: bool = False, excludes: bool = False) -> None:
        self.source, self.own, self.excludes = source, own, excludes
        self.asked: list[str] = []

    async def read(self, reference: Reference, version: str | None = None) -> Mapping[str, Any]:
        self.asked.append(str(reference))
        return await self.source.read(reference, version)

    async def search(self, query: Query) -> SearchResult:
        self.asked.append(str(query))
        return await self.source.search(query)

    async def fetch(self, url: str) -> Fetched:
        self.asked.append(url)
        return await self.source.fetch(url)

    async def capabilities(self) -> Mapping[str, Any]:
        told = {**await self.source.capabilities(), "search": {}, "excludes": self.excludes}
        return told if self.own else {**told, "operations": []}


class Faulty(Plain):
    """Types that fail or are cut for good, and requests that fail now and then; the same for the same seed.

    A cut search keeps the first matches and loses what was included; both come back as a server's fault does: not
    complete, with its reason. Seeds are of four sorts: one type fails, one is cut, some are ill, or any request may be.
    """

    def __init__(self, source: Source, seed: int, types: tuple[str, ...]) -> None:
        super().__init__(source, own=seed % 16 > 11, excludes=seed % 3 > 0)
        self.random = random.Random(seed)
        self.rate = 0.15 if seed % 4 == 3 else 0.0
        ill = self.random.sample(types, 1 if seed % 4 < 2 else self.random.randint(2, 4)) if not self.rate else []
        kinds: tuple[Fault, ...] = {0: ("fails",), 1: ("cut",)}.get(seed % 4, ("fails", "cut"))
        self.ill: dict[str, Fault] = {t: self.random.choice(kinds) for t in ill}
        self.hurt = False

    def _fault(self, type_: str) -> Fault:
        if self.rate:
            return self.random.choice(("fails", "cut")) if self.random.random() < self.rate else ""
        return self.ill.get(type_, "")

    async def read(self, reference: Reference, version: str | None = None) -> Mapping[str, Any]:
        if self._fault(reference.type):
            self.hurt = True
            raise SourceError("the server answered 502 four times; try later", status=502)
        return await super().read(reference, version)

    async def search(self, query: Query) -> SearchResult:
        result = await super().search(query)
        fault = self._fault(query.type)
        if not fault:
            return result
        self.hurt = True
        kept = self.random.randint(0, max(len(result.matches) - 1, 0)) if fault == "cut" else 0
        return replace(
            result,
            matches=result.matches[:kept],
            included=(),
            total=None,
            complete=False,
            error="the server answered 503 for longer than 60 s; ask its operator",
        )

    async def fetch(self, url: str) -> Fetched:
        if self._fault("Binary"):
            self.hurt = True
            raise SourceError("the server answered 504 four times; try later", status=504)
        return await super().fetch(url)
