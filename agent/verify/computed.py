"""Which computation bears a number that no resource holds: run again, over all that it should have read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from agent.verify.chart import DEATH, Chart
from agent.verify.checks import has_status
from agent.verify.pools import Ids, Pools, numeric
from agent.verify.reading import Reading
from agent.verify.statements import Statement
from agent.verify.told import Number
from agent.verify.values import fits, number_fits
from fhir_tools import compute
from fhir_tools.types import Computation, Mark, Missing, Quantity

__all__ = ["Computations", "shown_numbers"]

_UNITS = {"age": "a", "age_at": "a", "duration": "d"}
"""What the whole numbers of an operation count."""


class Computations:
    """The computations of the cards; each is run again once, when it is first needed."""

    def __init__(self, chart: Chart, pools: Pools) -> None:
        self.chart, self.pools = chart, pools
        self._sound: dict[str, bool] = {}

    def sound(self, mark: Mark) -> bool:
        """Whether running it again gives its result, and every input is a fact of a card."""
        if mark.id not in self._sound:
            c = mark.computation
            self._sound[mark.id] = c is not None and self._inputs_known(c) and _again(c)
        return self._sound[mark.id]

    def _inputs_known(self, c: Computation) -> bool:
        return all(self.chart.id_of(f) is not None for f in c.inputs)

    def of(self, *ops: str) -> Iterator[tuple[Mark, Computation]]:
        """The sound computations of these operations, in the order of the cards."""
        for mark in self.chart.marks.values():
            if mark.computation and mark.computation.op in ops and self.sound(mark):
                yield mark, mark.computation

    def ids(self, c: Computation) -> Ids:
        """The facts that a computation read."""
        return frozenset(i for f in c.inputs if (i := self.chart.id_of(f)) is not None)

    # What each role of a number asks for.

    def count(self, s: Statement, universe: Ids, cards: bool) -> tuple[str, ...]:
        """The marks that bear a count; `cards` when the claim names nothing, so that each card counts its own."""
        n = int(s.number.value) if s.number else -1
        found = []
        for mark, c in self.of("count", "list", "mean", "count_by_year"):
            mine = universe & self._card_ids(mark) if cards else universe
            if (c.op == "count_by_year" and self._by_year(s, c, mine)) or any(
                self._counts(n, expected, c, named=s.head is not None) for expected in self._expected(s, mine, mark)
            ):
                found.append(mark.id)
        return tuple(found)

    def _counts(self, n: int, expected: Ids, c: Computation, *, named: bool) -> bool:
        """Records are counted; where a list is told of ("5 active conditions"), also the different names in it."""
        records, names = len(self._references(expected)), len(self._labels(expected))
        return (n == records or (n == names and not named)) and self._covers(c, expected)

    def _by_year(self, s: Statement, c: Computation, universe: Ids) -> bool:
        day = s.dating.days[0] if s.dating and len(s.dating.days) == 1 and s.dating.relation == "on" else None
        if day is None or day.month or s.number is None:
            return False
        told = (day.year, int(s.number.value))
        return told in c.result and self._covers(c, self.pools.happened(universe))

    def mean(self, s: Statement, universe: Ids, cards: bool) -> tuple[str, ...]:
        """The marks that bear an average over every number of the window."""
        found = []
        for mark, c in self.of("mean"):
            mine = universe & self._card_ids(mark) if cards else universe
            if self._result_fits(s.number, c) and any(
                self._covers(c, self._numbers(expected)) for expected in self._expected(s, mine, mark)
            ):
                found.append(mark.id)
        return tuple(found)

    def other_result(self, s: Statement, universe: Ids, cards: bool) -> bool:
        """Whether a sound count or average covers the records, and only its result is another than the one told."""
        ops = ("count", "list") if s.role == "count" else ("mean",)
        return any(
            self._covers(c, self._numbers(e) if c.op == "mean" else e)
            for mark, c in self.of(*ops)
            for e in self._expected(s, universe & self._card_ids(mark) if cards else universe, mark)
        )

    def change(self, s: Statement, universe: Ids, told: Ids, reading: Reading) -> tuple[str, ...]:
        """The marks that bear a difference: between the facts that the claim tells, else between first and latest."""
        down = any(c.what == "down" for c in reading.directions)
        up = any(c.what == "up" for c in reading.directions)
        found = []
        for mark, c in self.of("change", "percent_change"):
            inputs = self.ids(c)
            if not inputs & universe or not self._signed(s.number, c, up=up, down=down):
                continue
            if told:
                if self._references(told) <= self._references(inputs):
                    found.append(mark.id)
            elif any(self._ends_match(c, self._numbers(e)) for e in self._expected(s, universe, mark)):
                found.append(mark.id)
        return tuple(found)

    def _signed(self, n: Number | None, c: Computation, *, up: bool, down: bool) -> bool:
        if n is None or not isinstance(c.result, Quantity):
            return False
        value = c.result.value
        if (up and not down and value < 0) or (down and not up and value > 0):
            return False
        bare = not n.signed
        told = Quantity(value=abs(value) if bare else value, unit=c.result.unit, code=c.result.code)
        return fits(n, told, self._shown(c)) == "yes"

    def _ends_match(self, c: Computation, expected: Ids) -> bool:
        points = compute.series(tuple(numeric(self.chart.facts[i]) for i in expected)).points
        if len(points) < 2 or not c.inputs:
            return False
        read = compute.in_order(c.inputs)
        return (read[0].reference, read[-1].reference) == (points[0][0].reference, points[-1][0].reference)

    def age(self, s: Statement, others: Ids, told_event: bool, told_death: bool) -> tuple[str, ...]:
        """The marks that bear an age: now, at death, or at the event that the claim names."""
        found = []
        for mark, c in self.of("age", "age_at"):
            if any(f.path == DEATH for f in c.inputs) != told_death:
                continue
            events = {f.reference for f in c.inputs if f.path not in ("Patient.birthDate", DEATH)}
            named = {self.chart.facts[i].reference for i in others}
            at_event = bool(events) or c.op == "age_at"
            if at_event and not (events <= named if named else not told_event and self.pools.ask.op == "age_at"):
                continue
            if not at_event and told_event:
                continue
            if self._result_fits(s.number, c):
                found.append(mark.id)
        return tuple(found)

    def length(self, s: Statement, universe: Ids) -> tuple[str, ...]:
        """The marks that bear a duration or a converted value of one of these facts."""
        return tuple(
            mark.id
            for mark, c in self.of("duration", "length_of_stay", "convert")
            if self._result_fits(s.number, c) and self.ids(c) <= universe
        )

    # Parts.

    def _expected(self, s: Statement, universe: Ids, mark: Mark) -> Iterator[Ids]:
        """What the computation should have read: the told window, else the question's, else all there is."""
        facts = self.chart.facts
        kept = frozenset(
            i for i in self.pools.happened(universe)
            if all(has_status(facts[i], w) for w in s.statuses)
            and not any(has_status(facts[i], w) for w in s.denied_statuses)
            and ("current" not in s.qualifiers or has_status(facts[i], "current"))
            and all(i in a.concept | a.value | a.detail for a in s.attributes)
        )  # fmt: skip
        if s.dating is not None:
            inside = self.pools.inside(kept, s.dating)
            if self.pools.sanctioned(s.dating, inside):
                yield inside
            return
        yield kept
        if s.within is not None:
            return
        if self.pools.ask.window is not None:
            yield self.pools.asked(kept)
        card = self.chart.card_of[mark.id]
        if card.window and (self.pools.ask.window or self.pools.ask.anchor):
            yield kept & self._card_ids(mark)

    def _card_ids(self, mark: Mark) -> Ids:
        card = self.chart.card_of[mark.id]
        return frozenset(i for f in card.facts if (i := self.chart.id_of(f)) is not None)

    def _covers(self, c: Computation, expected: Ids) -> bool:
        """Whether the inputs are all that was expected; results without a value may be left out."""
        facts = self.chart.facts
        inputs = self._references(self.ids(c))
        valued = frozenset(i for i in expected if not isinstance(facts[i].value, Missing | None))
        return bool(inputs) and inputs in (self._references(expected), self._references(valued))

    def _numbers(self, ids: Iterable[int]) -> Ids:
        facts = self.chart.facts
        return frozenset(i for i in ids if isinstance(v := numeric(facts[i]).value, Quantity) and v.comparator is None)

    def _references(self, ids: Iterable[int]) -> frozenset[str]:
        return frozenset(self.chart.references[i] for i in ids)

    def _labels(self, ids: Iterable[int]) -> frozenset[str]:
        return frozenset(self.chart.facts[i].concept.label.lower() for i in ids)

    def _shown(self, c: Computation) -> frozenset[str]:
        mark = next((m for m in self.chart.marks.values() if m.computation is c), None)
        return shown_numbers(mark.shown) if mark else frozenset()

    def _result_fits(self, n: Number | None, c: Computation) -> bool:
        if n is None:
            return False
        if isinstance(c.result, tuple) and c.op in ("age", "age_at"):
            # of an imprecise birth date only the lower bound is certain
            return n.comparator == ">=" and n.value == min(c.result)
        results = c.result if isinstance(c.result, tuple) else (c.result,)
        return any(_fits(n, r, _UNITS.get(c.op), self._shown(c)) for r in results)


def shown_numbers(text: str) -> frozenset[str]:
    """The numbers just as a mark shows them."""
    return frozenset("".join(x if x.isdigit() or x == "." else " " for x in text).split())


def _fits(n: Number, result: Any, unit: str | None, shown: frozenset[str]) -> bool:
    if isinstance(result, Quantity):
        return fits(n, result, shown) == "yes"
    if isinstance(result, bool) or not isinstance(result, int | float):
        return False
    if n.unit and unit:
        spelled = n.unit.lower().removesuffix("-old")
        return fits(Number(start=0, end=0, text=n.text, value=n.value, places=n.places, figures=3, unit=spelled),
                    Quantity(value=result, unit=unit, code=unit)) == "yes"  # fmt: skip
    return not n.unit and number_fits(n, result)


def _again(c: Computation) -> bool:
    try:
        result = compute.run(c)
    except (KeyError, ValueError, TypeError, IndexError):
        return False
    return _same(result, c.result)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Quantity) and isinstance(b, Quantity):
        return math.isclose(a.value, b.value, rel_tol=1e-9, abs_tol=1e-12) and (a.code, a.comparator) == (
            b.code,
            b.comparator,
        )
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    return type(a) is type(b) and bool(a == b)
