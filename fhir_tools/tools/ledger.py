"""Marks that go on from those of earlier cards: what was marked before keeps its mark."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fhir_tools.cards import Marks
from fhir_tools.documents import Document
from fhir_tools.types import Computation, Fact, Mark, Search, Span

__all__ = ["Ledger"]


class Ledger(Marks):
    """`Marks` that knows those given out before. The same fact, quote, computation or search is marked once."""

    def __init__(self, given: Iterable[Mark] = ()) -> None:
        super().__init__()
        self._same: dict[Any, str] = {}
        for mark in given:
            self._take(mark)

    def _take(self, mark: Mark) -> None:
        if self.get(mark.id):
            return
        prefix = mark.id.rstrip("0123456789")
        if prefix == mark.id or not (prefix.isalpha() or not prefix):
            raise ValueError(f"not a mark: {mark.id!r}")
        self._counts[prefix] = max(self._counts.get(prefix, 0), int(mark.id[len(prefix) :]))
        if mark.fact and not mark.span:
            self._facts[str(mark.fact.reference), mark.fact.path] = mark
        else:
            self._order.append(mark)
            self._same.setdefault(_sameness(mark), mark.id)

    def get(self, id_: str) -> Mark | None:
        """The mark of an id as it is by now; None where none was given out."""
        return next(iter(self.of((id_,))), None)

    def all(self) -> tuple[Mark, ...]:
        """Every mark given out."""
        return (*self._facts.values(), *self._order)

    def quote(self, document: Document, span: Span) -> Mark:
        """A stretch of a document; the same stretch keeps its mark."""
        key = _quote_of(document.fact, span)
        return self._known(key) or self._new(key, super().quote(document, span))

    def computed(self, computation: Computation, shown: str) -> Mark:
        """The mark of a computation; the same one told in the same words keeps its mark."""
        key = _computation_of(computation, shown)
        return self._known(key) or self._new(key, super().computed(computation, shown))

    def searched(self, search: Search) -> Mark:
        """The mark of a search; one that ended alike keeps its mark."""
        return self._known(search) or self._new(search, super().searched(search))

    def _known(self, key: Any) -> Mark | None:
        return self.get(self._same[key]) if key in self._same else None

    def _new(self, key: Any, mark: Mark) -> Mark:
        self._same[key] = mark.id
        return mark


def _sameness(mark: Mark) -> Any:
    if mark.fact and mark.span:
        return _quote_of(mark.fact, mark.span)
    return _computation_of(mark.computation, mark.shown) if mark.computation else mark.search


def _quote_of(fact: Fact, span: Span) -> Any:
    return str(fact.reference), span.start, span.end


def _computation_of(computation: Computation, shown: str) -> Any:
    inputs = tuple((str(f.reference), f.path) for f in computation.inputs)
    return computation.op, inputs, repr(sorted(computation.params.items())), shown
