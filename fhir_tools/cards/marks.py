"""The marks of one answer: short ids, each fact marked once however many roles it has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fhir_tools import wording
from fhir_tools.documents.types import Document
from fhir_tools.types import Computation, Fact, Mark, Search, Span

__all__ = ["Marks"]


class Marks:
    """Gives out `1`, `2`, … to facts, `c1`, … to computations, `s1`, … to searches, in the order of asking."""

    def __init__(self, after: Marks | None = None) -> None:
        """`after`: marks whose numbers these go on from, so that both can be cited side by side."""
        self._facts: dict[tuple[str, str], Mark] = {}
        self._order: list[Mark] = []
        self._counts: dict[str, int] = after._counts if after else {"": 0, "c": 0, "s": 0}

    def _next(self, prefix: str) -> str:
        self._counts[prefix] += 1
        return f"{prefix}{self._counts[prefix]}"

    def fact(self, fact: Fact, *roles: str, shown: str = "") -> Mark:
        """The fact's mark; a fact marked before keeps its id and gains the roles."""
        key = (str(fact.reference), fact.path)
        known = self._facts.get(key)
        mark = (
            replace(known, roles=known.roles | set(roles))
            if known
            else Mark(id=self._next(""), shown=shown or wording.describe(fact), roles=frozenset(roles), fact=fact)
        )
        self._facts[key] = mark
        return mark

    def quote(self, document: Document, span: Span) -> Mark:
        """A stretch of a document."""
        mark = Mark(
            id=self._next(""),
            shown=f'{wording.describe(document.fact)}: "{span.quote}"',
            roles=frozenset(("quote",)),
            fact=document.fact,
            span=span,
            document=document,
        )
        self._order.append(mark)
        return mark

    def computed(self, computation: Computation, shown: str) -> Mark:
        """The mark of a computation, told as `shown`."""
        mark = Mark(id=self._next("c"), shown=shown, computation=computation)
        self._order.append(mark)
        return mark

    def searched(self, search: Search) -> Mark:
        """The mark of a search."""
        mark = Mark(id=self._next("s"), shown=f"{search.query}: {search.found} found", search=search)
        self._order.append(mark)
        return mark

    def of(self, ids: Iterable[str]) -> tuple[Mark, ...]:
        """The marks with these ids as they are by now, each once, in the order given."""
        known = {m.id: m for m in (*self._facts.values(), *self._order)}
        return tuple(known[i] for i in dict.fromkeys(ids) if i in known)
