"""The checks of a trial as one expression over a cohort: a word for every patient and criterion, by `judge`'s rules.

What language decides (names, units, words of results) is decided in Python over the few distinct ones of the cohort;
the expression holds only numbers, days and sets. Patients that pass, or whose words are open, go on to a reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from agent.trials.checks import (
    Age,
    All,
    Any_,
    AtLeast,
    Concept,
    Measurement,
    Not,
    Pregnancy,
    Record,
    Sex,
    Smoking,
    walk,
)
from agent.trials.judging import measurements
from agent.trials.judging.people import TERM, keeps, status_of
from agent.trials.names import ANY_VACCINE, MENOPAUSE
from agent.trials.naming import Names
from agent.trials.types import Criterion
from fhir_tools.cohort import leaves
from fhir_tools.cohort.leaves import Bound, Meant
from fhir_tools.cohort.tables import Cohort, needed
from fhir_tools.cohort.words import MET, NOT_MET, UNKNOWN, Asked, Cut, Leaf, Node, all_of, any_of, at_least, negated
from fhir_tools.types import Coding, Fact, Quantity, Reference
from fhir_tools.types import Concept as Coded

__all__ = ["Compiler", "Prescreen", "column_of", "prescreen"]

_FIRST, _LAST = date(1800, 1, 1), date(2200, 1, 1)
_PREGNANT_NOT = re.compile(r"not|\bno\b", re.IGNORECASE)


def column_of(criterion: Criterion) -> str:
    """The criterion's name in the rows: `inclusion_3`."""
    return f"{criterion.statement.section}_{criterion.statement.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prescreen:
    """A trial over a cohort. `expression` has `patient`, `dead` and a column of words (1, 0, -1) for each criterion;
    `concepts` are those that each criterion looks at."""

    criteria: tuple[Criterion, ...]
    expression: Any
    concepts: Mapping[str, frozenset[int]]

    def passing(self) -> Any:
        """The rows of those whom no criterion excludes, as an expression."""
        e = self.expression
        kept = ~e.dead
        for criterion in self.criteria:
            word = e[column_of(criterion)]
            kept = kept & (word != (NOT_MET if criterion.statement.section == "inclusion" else MET))
        return e.filter(kept)

    def evidence(self, cohort: Cohort, patients: Sequence[str], cut: Cut) -> Any:
        """Which facts each criterion looked at, as an expression: `patient`, `criterion`, `type`, `id`, `standing`."""
        ibis = needed("asking a cohort")

        facts = cohort.facts.filter(cohort.facts.patient.isin(list(patients)))
        facts = facts.filter(facts.moment.isnull() | (facts.moment < cut.end))
        parts = [
            facts.filter(facts.concept.isin(sorted(concepts))).select(
                "patient", "type", "id", "standing", criterion=ibis.literal(name)
            )
            for name, concepts in self.concepts.items()
            if concepts
        ]
        return ibis.union(*parts, distinct=True) if len(parts) > 1 else parts[0] if parts else None


def prescreen(criteria: Sequence[Criterion], cohort: Cohort, as_of: date) -> Prescreen:
    """Compile a trial's checks for a cohort. Raises UserError for a check whose period no day is in."""
    compiler = Compiler(cohort, as_of)
    nodes = {column_of(c): compiler.node(c.check) for c in criteria}
    expression = Asked(nodes, compiler.cut).expression(cohort.facts, cohort.people)
    looked = {name: frozenset(c for leaf in _leaves(node) for c in leaf.concepts) for name, node in nodes.items()}
    return Prescreen(criteria=tuple(criteria), expression=expression, concepts=looked)


def _leaves(node: Node) -> Iterator[Leaf]:
    if isinstance(node, Leaf):
        yield node
    else:
        for part in node[2]:
            yield from _leaves(part)


class Compiler:
    """Checks → nodes, for one cohort and day."""

    def __init__(self, cohort: Cohort, as_of: date) -> None:
        self.cut = Cut(as_of=as_of)
        self._cohort = cohort
        self.names = Names(cohort.rows(cohort.concepts), as_of)

    def node(self, check: Any) -> Node:
        """The node of any check. What only a reader can tell, and what no chart holds, is unknown for everybody."""
        match check:
            case Not():
                return negated(self.node(check.of))
            case All():
                return all_of(*map(self.node, check.of))
            case Any_():
                return any_of(*map(self.node, check.of))
            case AtLeast():
                return at_least(check.number, *map(self.node, check.of))
            case Age():
                return self._age(check)
            case Sex():
                return leaves.gender(check.of)
            case Smoking():
                return self._smoking(check)
            case Pregnancy():
                return self._pregnancy()
            case Measurement():
                return self._measurement(check)
            case Record():
                return self._record(check)
        return leaves.fixed(UNKNOWN)

    def unheard(self, check: Any) -> tuple[str, ...]:
        """The names of a check that mean nothing to the lexicon and that no record of the cohort is called by."""
        found = []
        for leaf in walk(check):
            if isinstance(leaf, Record | Measurement):
                kind = leaf.kind if isinstance(leaf, Record) else "measurement"
                meant = [(c.name, self.names.meant(kind, (c,))) for c in leaf.of]
                found += [name for name, m in meant if not (m.named or m.sure or m.doubtful)]
        return tuple(dict.fromkeys(found))

    def _age(self, check: Age) -> Leaf:
        """Limits of age are limits of the birth date: found by halving, since age never grows with it."""
        as_of, first, last = self.cut.as_of, _FIRST, _LAST
        for limit in check.limits:
            if limit.sign in (">", ">=", "="):
                floor = limit if limit.sign != "=" else type(limit)(sign=">=", value=limit.value, unit=limit.unit)
                last = min(last, _turn(lambda d, x=floor: keeps(d, (x,), as_of)))
            if limit.sign in ("<", "<=", "="):
                ceiling = limit if limit.sign != "=" else type(limit)(sign="<=", value=limit.value, unit=limit.unit)
                first = max(first, _turn(lambda d, x=ceiling: not keeps(d, (x,), as_of)) + timedelta(days=1))
        return leaves.born(first, last)

    def _record(self, check: Record) -> Leaf:
        if check.of[0].name in (ANY_VACCINE, MENOPAUSE):
            return leaves.fixed(UNKNOWN)  # what is not named, and what silence says nothing of: one chart at a time
        meant = self.names.meant(check.kind, check.of, check.apart, history=check.state == "")
        window = check.period.window(self.cut.as_of) if check.period else None
        settled = [self.names.says(d, meant.sure) for d in check.doubts]
        settled += [frozenset()] if check.least > 1 else []  # how many, one pass over the facts does not tell
        if check.kind == "medication":
            return leaves.drug(
                meant, self.cut, current=check.state == "current", window=window, settled=settled,
                recent=bool(check.period and check.period.within),
                since=check.lasting.before(self.cut.as_of) if check.lasting else None,
            )  # fmt: skip
        return leaves.recorded(
            meant, state=self._state(check), window=window, ends=check.kind == "encounter", settled=settled,
            relative=check.relative if check.kind == "family" else "",
        )  # fmt: skip

    def _state(self, check: Record) -> leaves.Test | None:
        if check.kind == "condition" and check.state:
            goes_on = leaves.ongoing(self.cut)
            return goes_on if check.state == "active" else lambda t: ~goes_on(t)
        if check.kind == "allergy":
            none = sorted(self.names.negations())
            return lambda t: t.status.isin(("active", "")) & (~t.concept.isin(none) if none else True)
        return None

    def _measurement(self, check: Measurement) -> Leaf:
        meant = self.names.meant("measurement", check.of)
        words = (
            [self._finding(check, meant)]
            if check.finding
            else [self._limit(check, n, meant) for n in range(len(check.limits))]
        )
        return leaves.results(
            meant, words, numeric=bool(check.limits), any_one=check.which == "any",
            window=check.period.window(self.cut.as_of) if check.period else None,
            settled=[self.names.says(d, meant.sure) for d in check.doubts],
        )  # fmt: skip

    def _distinct(self, meant: Iterable[int], *columns: str) -> list[dict[str, Any]]:
        numbers = sorted(meant)
        if not numbers:
            return []
        facts = self._cohort.facts
        return self._cohort.rows(facts.filter(facts.concept.isin(numbers)).select(*columns).distinct())

    def _limit(self, check: Measurement, number: int, meant: Meant) -> leaves.Test:
        limit = check.limits[number]
        if limit.unit in ("ULN", "LLN"):
            edge = "high" if limit.unit == "ULN" else "low"
            found = {r["range_text"] for r in self._distinct(meant.sure, "range_text")} - {None}
            ranges = {t: float(m[edge]) for t in found if (m := measurements.RANGE.search(t)) and m[edge]}
            return leaves.keeps(Bound(sign=limit.sign, value=limit.value, units={}, edge=edge, ranges=ranges))  # type: ignore[arg-type]
        pairs = ((r["unit"], r["ucum"]) for r in self._distinct(meant.sure, "unit", "ucum"))
        units = {pair: line for pair in pairs if (line := _line(pair, limit.unit, check)) is not None}
        return leaves.keeps(Bound(sign=limit.sign, value=limit.value, units=units))

    def _finding(self, check: Measurement, meant: Meant) -> leaves.Test:
        """The words and flags of results, each judged once."""
        met: list[tuple[Any, Any]] = []
        not_met: list[tuple[Any, Any]] = []
        for row in self._distinct(meant.sure, "said", "flags"):
            held = measurements.is_told(check.finding, _told(row["said"], row["flags"]))
            (met if held else not_met if held is False else []).append((row["said"], row["flags"]))
        return lambda t: _word_of(t, met, not_met)

    def _smoking(self, check: Smoking) -> Leaf:
        status = self.names.meant("measurement", (Concept(name="smoking status"),))
        users = self.names.meant("condition", (Concept(name="tobacco use disorder"),), history=False)
        said = {
            r["said"]: s
            for r in self._distinct(status.sure, "said")
            if r["said"] and (s := status_of(_told(r["said"], "")))
        }
        right, wrong = ([t for t, s in said.items() if (s in check.of) == held] for held in (True, False))
        among, value = leaves.latest(status.sure, lambda t: _among(t.said, right, wrong))
        goes_on = leaves.ongoing(self.cut)
        using = MET if "current" in check.of else NOT_MET

        def word(a: Mapping[str, Any], _: Any) -> Any:
            ibis = needed("asking a cohort")

            return ibis.cases((a["status_high"].notnull(), a["status_high"]), (a["uses"], using), else_=UNKNOWN)

        return Leaf(
            concepts=among | users.sure,
            anys={"uses": lambda t: (t.standing == "fact") & t.concept.isin(sorted(users.sure)) & goes_on(t)},
            lasts={"status": value},
            word=word,
        )

    def _pregnancy(self) -> Leaf:
        own = self.names.meant("condition", (Concept(name="pregnancy"),), history=False).sure
        status = self.names.meant("measurement", (Concept(name="pregnancy status"),)).sure
        goes_on, since = leaves.ongoing(self.cut), self.cut.as_of - timedelta(days=TERM)

        def active(t: Any) -> Any:
            ibis = needed("asking a cohort")

            return (goes_on(t)).ifelse((t.day < since).fill_null(False).ifelse(UNKNOWN, MET), ibis.null("int32"))

        said = {r["said"] for r in self._distinct(status, "said")}
        no = [t for t in said if t and _PREGNANT_NOT.search(t)]
        among, pregnant = leaves.latest(own, active)

        def told(t: Any) -> Any:
            ibis = needed("asking a cohort")

            recent = t.valued & (t.day >= since)
            word = t.said.isin(no).fill_null(False).ifelse(NOT_MET, MET) if no else ibis.literal(MET)
            return t.valued.ifelse(recent.ifelse(word, ibis.literal(2)), ibis.null("int32"))

        _, latest = leaves.latest(status, told)

        def word(a: Mapping[str, Any], p: Any) -> Any:
            ibis = needed("asking a cohort")

            spoken = a["status_high"].notnull() & (a["status_high"] != 2)
            return ibis.cases(
                ((p.gender == "male").fill_null(False), NOT_MET), (a["own_high"].notnull(), a["own_high"]),
                (spoken.fill_null(False), a["status_high"]), else_=NOT_MET,
            )  # fmt: skip

        return Leaf(concepts=among | status, lasts={"own": pregnant, "status": latest}, word=word)


def _turn(holds: Any) -> date:
    """The last birth date for which something holds that does for all earlier ones."""
    low, high = _FIRST.toordinal(), _LAST.toordinal()
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(date.fromordinal(middle)) else (low, middle - 1)
    return date.fromordinal(low)


def _line(pair: tuple[str | None, str | None], unit: str, check: Measurement) -> tuple[float, float] | None:
    """How a unit's numbers become the limit's: `scale * number + offset`; None where they cannot."""
    zero, one = (
        measurements.in_unit(Quantity(value=v, unit=pair[0] or pair[1], code=pair[1]), unit, check) for v in (0.0, 1.0)
    )
    return None if zero is None or one is None else (one - zero, zero)


_NOWHERE = Reference(type="Observation", id="0")


def _told(said: str | None, flags: str | None) -> Fact:
    return Fact(
        kind="measurement", concept=Coded(label="result", codings=(Coding(system=None, code="0"),)), reference=_NOWHERE,
        path="Observation.value", value=said, details={"interpretation": flags or ""},
    )  # fmt: skip


def _word_of(t: Any, met: Sequence[tuple[Any, Any]], not_met: Sequence[tuple[Any, Any]]) -> Any:
    ibis = needed("asking a cohort")

    arms = [
        (_same(t.said, s) & _same(t.flags, f), word)
        for pairs, word in ((met, MET), (not_met, NOT_MET))
        for s, f in pairs
    ]
    return ibis.cases(*arms, else_=UNKNOWN) if arms else ibis.literal(UNKNOWN)


def _same(column: Any, value: str | None) -> Any:
    return column.isnull() if value is None else column == value


def _among(column: Any, right: Sequence[str], wrong: Sequence[str]) -> Any:
    ibis = needed("asking a cohort")

    arms = [(column.isin(list(texts)), word) for texts, word in ((right, MET), (wrong, NOT_MET)) if texts]
    return ibis.cases(*arms, else_=ibis.null("int32")) if arms else ibis.null("int32")
