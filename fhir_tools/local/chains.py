"""Chains and `_has` over the store: what is met by a resource at the other end of a reference (R4 3.1.1.4.13, .14)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from fhir_tools.local.index import INNER, own_params
from fhir_tools.search.elements import inner, walk
from fhir_tools.search.match import linked, matches
from fhir_tools.search.query import Param

if TYPE_CHECKING:
    from fhir_tools.local.finder import Finder

__all__ = ["chained", "referred"]

Resource = Mapping[str, Any]


def chained(finder: Finder, param: Param) -> set[int]:
    """Keys of the finder's type with a reference to a resource, stored or contained, that meets the chain."""
    return _Chain(finder).keys(finder, param)


def referred(finder: Finder, param: Param) -> set[int]:
    """Keys of the finder's type that a resource which meets the `_has` refers to."""
    return _Chain(finder).targets(finder, param)


class _Chain:
    """One evaluation: what a step of a chain finds is looked up once, however many ways lead to it."""

    def __init__(self, finder: Finder) -> None:
        self._finder = finder
        self._known: dict[tuple[str, int], frozenset[str]] = {}

    def keys(self, finder: Finder, param: Param) -> set[int]:
        ends = self._ends(param)
        return finder.referring(param.spec, sorted(ends)) | self._containing(finder, param, ends)

    def targets(self, finder: Finder, param: Param) -> set[int]:
        ((type_, test),) = param.chain.tests if param.chain else ()
        other = self._finder.other(type_)
        found = orjson.dumps(sorted(self._found(other, test))).decode()
        ids = set(_referred_ids(other, param, f"{finder.type}/", found))
        return finder.named(ids)

    def _found(self, finder: Finder, param: Param) -> set[int]:
        """Keys of the finder's type that meet a parameter of any kind."""
        if param.chain is None:
            return set(finder.find((param,)).keys)
        return self.targets(finder, param) if param.chain.reverse else self.keys(finder, param)

    def _ends(self, param: Param) -> frozenset[str]:
        """`Type/id` of all stored resources that the reference may lead to and that meet the test of their type."""
        tests = param.chain.tests if param.chain else ()
        return frozenset(name for type_, test in tests for name in self._names(type_, test))

    def _names(self, type_: str, test: Param) -> frozenset[str]:
        place = (type_, id(test))
        if place not in self._known:
            finder = self._finder.other(type_)
            sql = "SELECT id FROM resource WHERE key IN (SELECT value FROM json_each(?))"
            keys = orjson.dumps(sorted(self._found(finder, test))).decode()
            self._known[place] = frozenset(f"{type_}/{row[0]}" for row in finder.db.execute(sql, (keys,)))
        return self._known[place]

    # Contained resources: "a chained condition will be evaluated inside contained resources" (R4 3.1.1.5.6).

    def _containing(self, finder: Finder, param: Param, ends: frozenset[str]) -> set[int]:
        sql = """SELECT key FROM posting WHERE term IN (SELECT number FROM term WHERE param = ? AND code = ?)
            AND patient = ifnull(?, patient)"""
        keys = finder.keys(sql, (f"{finder.type}.{param.spec.name}", INNER, finder.patient))
        return {k for k, resource in finder.parsed(sorted(keys)) if self._leads(resource, resource, param, ends)}

    def _leads(self, container: Resource, resource: Resource, param: Param, ends: frozenset[str]) -> bool:
        """Whether a reference of the resource leads to what meets the chain, inside its container or in the store."""
        if not ends.isdisjoint(linked(resource, param.spec)):
            return True
        tests = dict(param.chain.tests) if param.chain else {}
        return any(
            self._meets(container, part, tests[part["resourceType"]])
            for part in _contained(container, resource, param)
            if part.get("resourceType") in tests
        )

    def _meets(self, container: Resource, part: Resource, test: Param) -> bool:
        if test.chain is None:
            return matches(part, test)
        return not test.chain.reverse and self._leads(container, part, test, self._ends(test))


def _contained(container: Resource, resource: Resource, param: Param) -> Iterator[Resource]:
    wanted = {inner(element) for element in walk(resource, param.spec.paths)} - {None}
    parts = container.get("contained")
    for part in parts if wanted and isinstance(parts, list) else ():
        if isinstance(part, dict) and part.get("id") in wanted:
            yield part


def _referred_ids(other: Finder, param: Param, start: str, keys: str) -> Iterator[str]:
    """Ids of the type (`start` is `Type/`) that the resources of the keys refer to by the parameter."""
    sql = """SELECT DISTINCT t.code FROM term t JOIN posting p ON p.term = t.number
        WHERE t.param = ? AND t.code >= ? AND t.code < ? AND p.key IN (SELECT value FROM json_each(?))"""
    last = start[:-1] + chr(ord("/") + 1)
    for (code,) in other.db.execute(sql, (f"{other.type}.{param.spec.name}", start, last, keys)):
        yield code.removeprefix(start)
    if start == "Patient/" and param.spec.name in own_params(other.type):
        sql = """SELECT DISTINCT p.id FROM resource r JOIN patient p ON p.number = r.patient
            WHERE r.key IN (SELECT value FROM json_each(?))"""
        yield from (row[0] for row in other.db.execute(sql, (keys,)))
