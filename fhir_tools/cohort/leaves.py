"""Leaves of conditions over facts: what is recorded in a state and a time, drugs taken, results within limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from fhir_tools.cohort.tables import needed
from fhir_tools.cohort.words import MET, NOT_MET, UNKNOWN, Cut, Leaf
from fhir_tools.dates import Window

__all__ = [
    "Bound",
    "Meant",
    "Test",
    "begins",
    "born",
    "drug",
    "fixed",
    "gender",
    "keeps",
    "latest",
    "ongoing",
    "perhaps",
    "recorded",
    "results",
    "taken",
]

_ONGOING = ("active", "recurrence", "relapse", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """The numbers of concepts that a name means: `sure`, `doubtful` (it may be wider), `opaque` (it could be anything).

    `named`: whether the name means something even where no chart holds it. `denied` are "no known …" records.
    """

    sure: frozenset[int] = frozenset()
    doubtful: frozenset[int] = frozenset()
    opaque: frozenset[int] = frozenset()
    named: bool = True
    denied: frozenset[int] = frozenset()

    @property
    def all(self) -> frozenset[int]:
        """Every concept that the leaf looks at."""
        return self.sure | self.doubtful | self.opaque | self.denied


Test = Callable[[Any], Any]


def _in(concepts: frozenset[int]) -> Test:
    ibis = needed("asking a cohort")
    return lambda t: t.concept.isin(sorted(concepts)) if concepts else ibis.literal(False)


def _edges(window: Window) -> tuple[date, date]:
    """The first day in a window of days and the first one after it."""
    return _day(window.low) or date(1000, 1, 1), _day(window.high) or date(9999, 12, 31)


def _day(edge: date | datetime | None) -> date | None:
    return edge.date() if isinstance(edge, datetime) else edge


def begins(window: Window, *, ends: bool = False) -> Test:
    """Whether a fact certainly begins in the window; with `ends` also one that ends in it, or is under way."""
    low, high = _edges(window)

    def test(t: Any) -> Any:
        starts = (t.day >= low) & (t.start_last < high) & (~t.coarse | (t["last"].notnull() & (t["last"] < high)))
        if not ends:
            return starts
        return starts | ((t["last"] >= low) & (t["last"] < high)) | (t.open & (t.status == "in-progress"))

    return test


def perhaps(window: Window) -> Test:
    """Whether a fact may begin in the window: it has no date, or a month or a year that reaches into it."""
    low, high = _edges(window)
    return lambda t: t.day.isnull() | (t.coarse & (t.day < high) & (t["last"].isnull() | (t["last"] >= low)))


def ongoing(cut: Cut) -> Test:
    """Whether a condition goes on as of the day (R4 con-3, con-4); one that ended later did then."""
    return lambda t: (t.ended_at >= cut.end).fill_null(False) | (t.status.isin(_ONGOING) & ~t.ended)


def taken(cut: Cut) -> Test:
    """Whether a drug is being taken (`fhir_tools.medications`)."""

    def test(t: Any) -> Any:
        over = ("stopped", "completed", "on-hold", "ended", "cancelled", "not-taken", "unknown")
        runs = t.role.isin(("order", "statement")) & ~t.status.isin(over)
        bounded = (t.ends < cut.as_of).fill_null(False) | (t.valid < cut.as_of).fill_null(False)
        left = t.inpatient & (t.stay_end <= cut.as_of).fill_null(t.stay_over)
        return runs & ~bounded & ~left

    return test


def recorded(
    meant: Meant,
    *,
    state: Test | None = None,
    window: Window | None = None,
    ends: bool = False,
    relative: str = "",
    settled: Sequence[frozenset[int]] = (),
) -> Leaf:
    """Something recorded, in a state, begun in a window. Not there is not met; what may be it, is unknown.

    `settled` are, for each word that was passed over, the concepts whose labels say it: met without one is unknown.
    """
    sure, whose = _in(meant.sure), (lambda t: t.relative.contains(relative.lower())) if relative else None
    is_fact: Test = lambda t: (t.standing == "fact") & sure(t) & (whose(t) if whose else True)  # noqa: E731
    fits: Test = lambda t: is_fact(t) & (state(t) if state else True)  # noqa: E731
    inside: Test = (lambda t: fits(t) & begins(window, ends=ends)(t)) if window else fits
    anys = {"real": is_fact, "fits": fits, "inside": inside} | _absences(meant)
    if window:
        anys["perhaps"] = lambda t: fits(t) & perhaps(window)(t)
    anys |= _sayings(inside, settled)

    def word(a: Mapping[str, Any], _: Any) -> Any:
        ibis = needed("asking a cohort")
        met = _doubted(a, len(settled))
        rest = ((a["perhaps"], UNKNOWN),) if window else ()
        return ibis.cases((~a["real"], _absent(a, meant)), (a["inside"], met), *rest, else_=NOT_MET)

    return Leaf(concepts=meant.all, anys=anys, word=word)


def _sayings(test: Test, settled: Sequence[frozenset[int]]) -> dict[str, Test]:
    """For each word that was passed over, whether a fact that passes the test is of a concept that says it."""

    def says(concepts: frozenset[int]) -> Test:
        return lambda t: test(t) & _in(concepts)(t)

    return {f"says{i}": says(concepts) for i, concepts in enumerate(settled)}


def _absences(meant: Meant) -> dict[str, Test]:
    either = _in(meant.sure | meant.doubtful)
    return {
        "doubtful": lambda t: (t.standing == "fact") & _in(meant.doubtful)(t),
        "opaque": lambda t: (t.standing == "fact") & _in(meant.opaque)(t),
        "heard": either,
        "denied": lambda t: (t.standing == "fact") & t.status.isin(("active", "")) & _in(meant.denied)(t),
    }


def _absent(a: Mapping[str, Any], meant: Meant) -> Any:
    ibis = needed("asking a cohort")
    nameless = ~a["heard"] if not meant.named else ibis.literal(False)
    return ibis.cases((a["denied"], NOT_MET), (a["doubtful"] | nameless | a["opaque"], UNKNOWN), else_=NOT_MET)


def _doubted(a: Mapping[str, Any], number: int) -> Any:
    ibis = needed("asking a cohort")
    said = [a[f"says{i}"] for i in range(number)]
    every = said[0] if said else ibis.literal(True)
    for one in said[1:]:
        every = every & one
    return every.ifelse(MET, UNKNOWN)


def drug(
    meant: Meant,
    cut: Cut,
    *,
    current: bool = False,
    window: Window | None = None,
    recent: bool = False,
    since: date | None = None,
    settled: Sequence[frozenset[int]] = (),
) -> Leaf:
    """A drug that is taken now, since a day, in a window, or was ever ordered. `recent`: the window reaches today."""
    sure, now = _in(meant.sure), taken(cut)
    is_fact: Test = lambda t: (t.standing == "fact") & sure(t)  # noqa: E731
    takes: Test = lambda t: is_fact(t) & now(t)  # noqa: E731
    anys = {"real": is_fact, "takes": takes} | _absences(meant)
    anys["told"] = lambda t: is_fact(t) & ~((t.status == "unknown") & t.role.isin(("order", "statement")))
    if window:
        anys["inside"] = lambda t: is_fact(t) & begins(window)(t)
        anys["perhaps"] = lambda t: is_fact(t) & perhaps(window)(t)
    if since:
        anys["long"] = lambda t: takes(t) & (t.day <= since)
        anys["before"] = lambda t: is_fact(t) & (t.day <= since)
        anys["dated"] = lambda t: takes(t) & t.day.notnull()
    anys |= _sayings(is_fact, settled)

    def word(a: Mapping[str, Any], _: Any) -> Any:
        ibis = needed("asking a cohort")
        met, steps = _doubted(a, len(settled)), [(~a["real"], _absent(a, meant))]
        if since:
            unbroken = ibis.cases((a["long"], met), (a["before"] | ~a["dated"], UNKNOWN), else_=NOT_MET)
            steps.append((a["takes"], unbroken))
        if window:
            steps += [(a["takes"], met)] if recent else []
            steps += [(a["inside"], met), (a["perhaps"], UNKNOWN)]
            return ibis.cases(*steps, else_=NOT_MET)
        if current:
            return ibis.cases(*steps, (a["takes"], met), (~a["told"], UNKNOWN), else_=NOT_MET)
        return ibis.cases(*steps, else_=met)

    return Leaf(concepts=meant.all, anys=anys, word=word)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A limit of results. `scale` and `offset` bring a number of a unit (unit, ucum) to the limit's own; a unit that is
    not in them cannot be compared. `edge` says that the limit is a multiple of the reference range's end instead."""

    sign: Literal[">", ">=", "<", "<=", "="]
    value: float
    units: Mapping[tuple[str | None, str | None], tuple[float, float]]
    edge: Literal["", "high", "low"] = ""
    ranges: Mapping[str, float] | None = None


def keeps(bound: Bound) -> Test:
    """The word of one result, also of one such as `<0.5` (where every number that it may be decides alike)."""

    def test(t: Any) -> Any:
        ibis = needed("asking a cohort")
        value, limit = _number(t, bound), _limit(t, bound)
        word = ibis.cases(
            (t.comparator.isnull(), _exactly(value, bound.sign, limit)),
            *((t.comparator == c, _about(value, c, bound.sign, limit)) for c in ("<", "<=", ">", ">=")),
            else_=UNKNOWN,
        )
        return (value.isnull() | limit.isnull()).ifelse(UNKNOWN, word)

    return test


def _number(t: Any, bound: Bound) -> Any:
    ibis = needed("asking a cohort")
    if bound.edge:
        return t.value
    arms = [
        (_same(t.unit, u) & _same(t.ucum, c), t.value * s + o if (s, o) != (1.0, 0.0) else t.value)
        for (u, c), (s, o) in bound.units.items()
    ]
    return ibis.cases(*arms, else_=ibis.null("float64")) if arms else ibis.null("float64")


def _same(column: Any, value: str | None) -> Any:
    return column.isnull() if value is None else column == value


def _limit(t: Any, bound: Bound) -> Any:
    ibis = needed("asking a cohort")
    if not bound.edge:
        return ibis.literal(bound.value, type="float64")
    own = t.range_high if bound.edge == "high" else t.range_high.notnull().ifelse(t.range_low, ibis.null("float64"))
    arms = [(t.range_text == text, ibis.literal(edge)) for text, edge in (bound.ranges or {}).items()]
    return (ibis.cases((t.range_text.isnull(), own), *arms, else_=ibis.null("float64")) if arms else own) * bound.value


def _exactly(value: Any, sign: str, limit: Any) -> Any:
    ibis = needed("asking a cohort")
    if sign == "=":
        held = (value - limit).abs() <= 1e-9 * ibis.greatest(ibis.literal(1.0), limit.abs())
    else:
        held = {">": value > limit, ">=": value >= limit, "<": value < limit, "<=": value <= limit}[sign]
    return held.ifelse(MET, NOT_MET)


def _about(value: Any, comparator: str, sign: str, limit: Any) -> Any:
    up, edge_in, open_ = ">" in comparator, "=" in sign, len(comparator) == 1
    if sign == "=":
        return ((limit >= value) if up else (limit <= value)).ifelse(UNKNOWN, NOT_MET)
    beyond = value > limit if up else value < limit
    if up == (">" in sign):
        return (beyond | ((value == limit) & (edge_in or open_))).ifelse(MET, UNKNOWN)
    return (beyond | ((value == limit) & (open_ or not edge_in))).ifelse(NOT_MET, UNKNOWN)


def results(
    meant: Meant,
    words: Sequence[Test],
    *,
    numeric: bool,
    window: Window | None = None,
    any_one: bool = False,
    settled: Sequence[frozenset[int]] = (),
) -> Leaf:
    """A result that keeps every limit (`words`): the latest in a window, or any in it. None there: unknown."""
    sure = _in(meant.sure)
    low, high = _edges(window) if window else (None, None)

    def inside(t: Any) -> Any:
        there = (t.standing == "fact") & t.valued & sure(t)
        return there & (t.day >= low) & (t["last"] < high) if window else there

    def said(t: Any) -> Any:
        ibis = needed("asking a cohort")
        told = [w(t) for w in words]
        word = told[0] if len(told) == 1 else ibis.least(*told)
        counted = inside(t) & t.value.notnull() if numeric and not any_one else inside(t)
        return counted.ifelse(word, ibis.null("int32"))

    def word(a: Mapping[str, Any], _: Any) -> Any:
        ibis = needed("asking a cohort")
        met = _doubted(a, len(settled))
        if any_one:
            return ibis.cases((a["met"], met), (a["open"] | ~a["inside"], UNKNOWN), else_=NOT_MET)
        low_, high_ = a["word_low"], a["word_high"]
        agreed = (low_ == high_) & low_.notnull()
        return ibis.cases(
            (agreed.fill_null(False) & (low_ == MET), met), (agreed.fill_null(False), low_), else_=UNKNOWN
        )

    anys: dict[str, Test] = _sayings(inside, settled)
    if any_one:
        anys |= {"inside": inside, "met": lambda t: said(t) == MET, "open": lambda t: said(t) == UNKNOWN}
    return Leaf(concepts=meant.sure, anys=anys, lasts={} if any_one else {"word": said}, word=word)


def latest(concepts: frozenset[int], value: Test) -> tuple[frozenset[int], Test]:
    """A number of the newest fact that has one, among concepts."""
    return concepts, lambda t: ((t.standing == "fact") & _in(concepts)(t)).ifelse(
        value(t), needed("asking a cohort").null("int32")
    )


def born(first: date, last: date) -> Leaf:
    """Born from a day to another, both included; a birth date that leaves it open is unknown."""

    def word(_: Mapping[str, Any], p: Any) -> Any:
        ibis = needed("asking a cohort")
        a, b = (p.born_first >= first) & (p.born_first <= last), (p.born_last >= first) & (p.born_last <= last)
        return ibis.cases((p.born_first.isnull(), UNKNOWN), (a & b, MET), (~a & ~b, NOT_MET), else_=UNKNOWN)

    return Leaf(word=word)


def gender(of: Sequence[str]) -> Leaf:
    """The administrative gender; what is neither female nor male is unknown."""

    def word(_: Mapping[str, Any], p: Any) -> Any:
        ibis = needed("asking a cohort")
        known = p.gender.isin(("female", "male")).fill_null(False)
        return ibis.cases((known & p.gender.isin(tuple(of)), MET), (known, NOT_MET), else_=UNKNOWN)

    return Leaf(word=word)


def fixed(word: int) -> Leaf:
    """The same word for everybody."""
    return Leaf(word=lambda _, __: needed("asking a cohort").literal(word))
