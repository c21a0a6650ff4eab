"""Conditions over many patients as one ibis expression: each gives a word per patient, and words come together.

A word is 1 (met), 0 (unknown) or -1 (not met), so that Kleene's and, or, not are least, greatest and
negative.
What a leaf asks of facts is aggregated in two steps, over facts of one moment and then over moments, so that "latest"
costs no sort: every leaf of a question is answered by one pass over the facts that any of them is about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from fhir_tools.cohort.tables import needed

__all__ = ["MET", "NOT_MET", "UNKNOWN", "Asked", "Cut", "Leaf", "all_of", "any_of", "at_least", "negated"]

MET, UNKNOWN, NOT_MET = 1, 0, -1
_EARLY = datetime(1700, 1, 1)  # noqa: DTZ001  the tables hold UTC without a zone; before any record, for what has no date

Row = Any
"""The facts, as an ibis table: its columns are of one fact."""


@dataclass(slots=True, kw_only=True)
class Leaf:
    """What a condition needs of facts. `anys` are names of tests of a row: whether any fact of the patient passes.

    `lasts` are words (or numbers) of a row, of which the newest that is not null counts: its least and greatest where
    facts are of one moment. `concepts` are the numbers of the concepts that any of them is about.
    `word` makes the patient's word of them: it is given the aggregates by name (`x`, or `x_low` and `x_high`).
    """

    concepts: frozenset[int] = frozenset()
    anys: dict[str, Callable[[Row], Any]] = field(default_factory=dict)
    lasts: dict[str, Callable[[Row], Any]] = field(default_factory=dict)
    word: Callable[[Mapping[str, Any], Any], Any]


Node = Leaf | tuple[str, int, tuple[Any, ...]]
"""A leaf, or ("and" | "or" | "not" | "at least", number, parts)."""


def all_of(*parts: Node) -> Node:
    """Met where every part is."""
    return ("and", 0, parts)


def any_of(*parts: Node) -> Node:
    """Met where one part is."""
    return ("or", 0, parts)


def negated(part: Node) -> Node:
    """Met where the part is not."""
    return ("not", 0, (part,))


def at_least(number: int, *parts: Node) -> Node:
    """Met where so many parts are."""
    return ("at least", number, parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The day that counts as today: facts that begin after it are not looked at."""

    as_of: date

    @property
    def end(self) -> datetime:
        """The first instant after the day, in UTC."""
        return datetime(self.as_of.year, self.as_of.month, self.as_of.day) + timedelta(days=1)  # noqa: DTZ001


class Asked:
    """Several named conditions over a cohort, compiled together."""

    def __init__(self, conditions: Mapping[str, Node], cut: Cut) -> None:
        self._ibis = needed("asking a cohort")
        self._conditions, self._cut = conditions, cut
        self._leaves: list[Leaf] = []
        for node in conditions.values():
            self._collect(node)

    def _collect(self, node: Node) -> None:
        if isinstance(node, Leaf):
            if not any(node is known for known in self._leaves):
                self._leaves.append(node)
        else:
            for part in node[2]:
                self._collect(part)

    def expression(self, facts: Any, people: Any) -> Any:
        """One row for each patient: `patient`, `dead`, and a word for each condition under its name."""
        ibis = self._ibis
        table = people
        totals = self._totals(facts)
        if totals is not None:
            renamed = totals.rename(whose="patient")
            table = people.left_join(renamed, people.patient == renamed.whose)
        died = table.died.isnull() & table.dead | (table.died <= ibis.literal(self._cut.as_of))
        words = {name: self._word(node, table).cast("int8") for name, node in self._conditions.items()}
        return table.select(patient=table.patient, dead=died.fill_null(False), **words)

    def _totals(self, facts: Any) -> Any:
        """The aggregates of every leaf by patient; None where no leaf looks at a fact."""
        ibis = self._ibis
        wanted = sorted({c for leaf in self._leaves for c in leaf.concepts})
        inner: dict[str, Any] = {}
        outer: dict[str, Callable[[Any], Any]] = {}
        seen = facts.filter(facts.concept.isin(wanted)) if wanted else facts.limit(0)
        seen = seen.mutate(moment=seen.moment.fill_null(ibis.literal(_EARLY)))
        seen = seen.filter(seen.moment < ibis.literal(self._cut.end))
        for number, leaf in enumerate(self._leaves):
            if not leaf.concepts:
                continue
            mine = seen.concept.isin(sorted(leaf.concepts))
            for name, test in leaf.anys.items():
                column = f"l{number}_{name}"
                inner[column] = (mine & test(seen)).fill_null(False).cast("int8").max()
                outer[column] = partial(_most, column)
            for name, value in leaf.lasts.items():
                held = mine.ifelse(value(seen), ibis.null("int32"))
                for side in ("low", "high"):
                    column = f"l{number}_{name}_{side}"
                    inner[column] = held.min() if side == "low" else held.max()
                    outer[column] = partial(_newest, column)
        if not inner:
            return None
        moments = seen.group_by("patient", "moment").agg(**inner)
        return moments.group_by("patient").agg(**{name: of(moments) for name, of in outer.items()})

    def _word(self, node: Node, table: Any) -> Any:
        ibis = self._ibis
        if isinstance(node, Leaf):
            number = next(i for i, leaf in enumerate(self._leaves) if leaf is node)
            sides = [f"{n}_{s}" for n in node.lasts for s in ("low", "high")]
            if not node.concepts:  # nothing in the cohort is called so: no fact passes
                nothing: dict[str, Any] = {n: ibis.literal(False) for n in node.anys}
                return node.word(
                    nothing | {n: ibis.cases((ibis.literal(False), ibis.literal(0, type="int32"))) for n in sides},
                    table,
                )
            values: dict[str, Any] = {n: (table[f"l{number}_{n}"] == 1).fill_null(False) for n in node.anys}
            return node.word(values | {n: table[f"l{number}_{n}"] for n in sides}, table)
        kind, needed_, parts = node
        words = [self._word(part, table) for part in parts]
        if kind == "not":
            return -words[0]
        if kind in ("and", "or"):
            return words[0] if len(words) == 1 else (ibis.least if kind == "and" else ibis.greatest)(*words)
        met, open_ = (
            sum(((w >= least).cast("int8") for w in words), start=ibis.literal(0)) for least in (MET, UNKNOWN)
        )
        return ibis.cases((met >= needed_, MET), (open_ < needed_, NOT_MET), else_=UNKNOWN)


def _most(column: str, moments: Any) -> Any:
    return moments[column].max()


def _newest(column: str, moments: Any) -> Any:
    return moments[column].argmax(moments.moment, where=moments[column].notnull())
