"""What a fact is among all of its concept: latest, first, highest …, worked out anew, never taken from roles."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from functools import cached_property
from typing import Literal

from agent.types import Ask
from agent.verify.chart import Chart, tokens
from agent.verify.checks import day_fits, has_status
from agent.verify.datings import Dating
from agent.verify.told import Day, days_in, normal
from fhir_tools import compute
from fhir_tools.cards.measurement import extremes
from fhir_tools.types import Components, Fact, Missing

__all__ = ["Ids", "Pools", "bounds", "numeric"]

Ids = frozenset[int]


def numeric(fact: Fact) -> Fact:
    """The fact whose number stands for it: the systolic part of a blood pressure, else itself."""
    if isinstance(fact.value, Components):
        parts = fact.value.parts
        return next((p for p in parts if "systolic" in p.concept.label.lower()), parts[0] if parts else fact)
    return fact


class Pools:
    """Windows and order over the facts of one chart's cards, for one question."""

    def __init__(self, chart: Chart, ask: Ask) -> None:
        self.chart, self.ask = chart, ask

    @cached_property
    def _asked(self) -> set[tuple[int | None, int | None, int | None]]:
        """The dates that the question names."""
        return {(d.year, d.month, d.day) for d in days_in(normal(self.ask.question))}

    def happened(self, ids: Iterable[int], like: Fact | None = None) -> Ids:
        """The facts that count: those that happened and, beside one with a value, those with a value."""
        valued = (
            like is not None and like.kind in ("measurement", "social") and not isinstance(like.value, Missing | None)
        )
        facts = self.chart.facts
        return frozenset(
            i
            for i in ids
            if facts[i].standing == "fact" and not (valued and isinstance(facts[i].value, Missing | None))
        )

    # Windows.

    def inside(self, ids: Iterable[int], dating: Dating | None) -> Ids:
        """The facts that start in the told window; all of them without one."""
        if dating is None:
            return frozenset(ids)
        low, high = bounds(dating)
        return frozenset(
            i for i in ids
            if (day := self._day(i)) and (low is None or day >= low) and (high is None or day <= high)
        )  # fmt: skip

    def _day(self, at: int) -> date | None:
        when = self.chart.facts[at].when
        return when.day if when else None

    def asked(self, ids: Iterable[int]) -> Ids:
        """The facts that start in the question's own window; all of them without one."""
        window = self.ask.window
        facts = self.chart.facts
        if window is None:
            return frozenset(ids)
        return frozenset(
            i for i in ids if (when := facts[i].when) and (window.starts_in(when) or window.contains(when))
        )

    def sanctioned(self, dating: Dating, ids: Iterable[int] = ()) -> bool:
        """Whether the window told is one that was asked for, that a card is for, or that recorded dates bound."""
        if dating.relation == "on" and not dating.days[0].day:
            return True
        words = " ".join(f"{c.window} {c.title}" for c in self.chart.cards if c.window)
        window = self.ask.window
        edges = {e for e in (window.low, window.high) if e} if window else set()
        known = {e.date() if hasattr(e, "date") else e for e in edges}
        known |= {d - timedelta(days=1) for d in known}
        for params in (m.computation.params for m in self.chart.marks.values() if m.computation):
            known |= {v for v in params.values() if isinstance(v, date)}
        return all(
            (day.year, day.month, day.day) in self._asked
            or bool({day.first, day.last} & known)
            or (day.first is not None and day.day is not None and day.first.isoformat() in words)
            or any(self._bounds_fact(day, i) for i in ids)
            or self._anchored(dating)
            for day in dating.days
        )

    def _bounds_fact(self, day: Day, at: int) -> bool:
        when = self.chart.facts[at].when
        return when is not None and day_fits(day, when)

    def _anchored(self, dating: Dating) -> bool:
        anchor = self.ask.anchor
        if anchor is None:
            return False
        facts = [f for f in self.chart.facts if f.concept.key in anchor.target.keys]
        return any(f.when and day_fits(d, f.when) for f in facts for d in dating.days)

    # Order.

    def holds(self, what: str, at: int, pool: Ids, others: Ids = frozenset()) -> bool:
        """Whether fact `at` is the latest, first … of the pool. `others` are facts that the claim tells beside it."""
        fact = self.chart.facts[at]
        if what == "current":
            if fact.kind in ("medication", "condition", "allergy"):
                return has_status(fact, "current")
            what = "latest"
        if what in ("latest", "first"):
            return self._edge(what, at, pool)
        if what == "previous":
            return self._previous(at, pool, others)
        if what in ("highest", "lowest"):
            return self._extreme(what, at, pool)
        if what == "only":
            return len({self.chart.facts[i].reference for i in pool}) == 1
        return True

    def _edge(self, what: str, at: int, pool: Ids) -> bool:
        facts = self.chart.facts
        mine = facts[at].when
        if mine is None or mine.low is None:
            return len(pool) == 1
        times = [w.low for i in pool if (w := facts[i].when) and w.low]
        return all(t <= mine.low for t in times) if what == "latest" else all(t >= mine.low for t in times)

    def _previous(self, at: int, pool: Ids, others: Ids) -> bool:
        order = sorted(pool, key=lambda i: compute.when_key(self.chart.facts[i]))
        if at not in order:
            return False
        place = order.index(at)
        after = set(order[place + 1 : place + 2])
        back = 1 + (self.ask.n or 1) if self.ask.op == "previous" else 2
        return bool(after & others) or (len(order) >= back and self._same_time(at, order[-back]))

    def _same_time(self, a: int, b: int) -> bool:
        return compute.when_key(self.chart.facts[a])[0] == compute.when_key(self.chart.facts[b])[0]

    def _extreme(self, what: str, at: int, pool: Ids) -> bool:
        facts = self.chart.facts
        mine = numeric(facts[at])
        numbers = _unique(numeric(facts[i]) for i in pool | {at})
        which: Literal["highest", "lowest"] = "highest" if what == "highest" else "lowest"
        edge = extremes(numbers, which, self._molar_mass(at))
        return any((f.reference, f.path) == (mine.reference, mine.path) for f in edge)

    def _molar_mass(self, at: int) -> float | None:
        """The molar mass that the cards' own computations over this fact's concept were given."""
        key = numeric(self.chart.facts[at]).concept.key
        for mark in self.chart.marks.values():
            c = mark.computation
            mass = c.params.get("molar_mass") if c else None
            if c and mass and any(f.concept.key == key for f in c.inputs[:1]):
                return float(mass)
        return None

    def closest(self, at: int, pool: Ids, anchors: list[date]) -> bool:
        """Whether no fact of the pool is nearer to the anchor's day than this one."""
        mine = self._day(at)
        gaps = [[abs((day - a).days) for i in pool if (day := self._day(i))] for a in anchors]
        return mine is not None and any(
            g and abs((mine - a).days) <= min(g) for a, g in zip(anchors, gaps, strict=True)
        )

    def anchor_days(self) -> list[date]:
        """The day of the event that the question is anchored to, where the cards hold it."""
        anchor = self.ask.anchor
        if anchor is None:
            return []
        events = [f for c in self.chart.cards if c.role == "event" for f in c.facts]
        named = [f for f in self.chart.facts if f.concept.key in anchor.target.keys]
        days = sorted(f.when.day for f in events or named if f.standing == "fact" and f.when and f.when.day)
        return [days[0] if anchor.which == "first" else days[-1]] if days else []

    def titled(self, word: str) -> bool:
        """Whether a time phrase is that of the question or of a card's window."""
        said = " ".join(
            (self.ask.question, self.ask.window.text if self.ask.window else "", *(c.window for c in self.chart.cards))
        )
        return " ".join(
            w for w in tokens(word) if w not in ("the", "in", "over", "during", "within", "for")
        ) in " ".join(tokens(said))


def _unique(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    return tuple({(f.reference, f.path): f for f in facts}.values())


def bounds(dating: Dating) -> tuple[date | None, date | None]:
    """First and last calendar date of a told window, both inclusive; None is open."""
    first, last = dating.days[0], dating.days[-1]
    one = timedelta(days=1)
    match dating.relation:
        case "since":
            return first.first, None
        case "after":
            return (first.last + one if first.last else None), None
        case "before":
            return None, (first.first - one if first.first else None)
        case "until":
            return None, first.last
        case _:
            return first.first, last.last
