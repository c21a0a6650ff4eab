"""Which facts bear a statement: narrowed step by step, so that what fails is named by the step that left nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from agent.types import Ask
from agent.verify.chart import Chart, aside, tokens
from agent.verify.checks import STANDING_WORDS, dated, day_fits, has_status, interpreted, number_match, stands
from agent.verify.computed import shown_numbers
from agent.verify.datings import Dating
from agent.verify.pools import Ids, Pools
from agent.verify.reading import Reading
from agent.verify.roles import has_role
from agent.verify.statements import Statement
from fhir_tools import compute
from fhir_tools.types import Concept

__all__ = ["Fault", "Narrowing", "narrow", "universe"]

_GENERIC = re.compile(r"family|relative|fhx?$")
_STAY = re.compile(r"admi|hospitali|stay|discharg")
_IN_HOSPITAL = ("IMP", "ACUTE", "NONAC", "SS", "OBSENC")
_RANGE = re.compile(r"\b(?:range|reference|normal|limits?)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a claim cannot be told: the kind is public, the reason has no clinical content."""

    kind: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """The facts that are left, or the fault of the step that left none; `pool` is what qualifiers look at."""

    ids: Ids = frozenset()
    pool: Ids = frozenset()
    fault: Fault | None = None


def universe(s: Statement, chart: Chart, ask: Ask, named: tuple[str, ...]) -> Ids:
    """The facts that a statement can be about: those of its subject, in the window and of the role it tells."""
    ids = _subject(s, chart, ask, named)
    if s.within is not None:
        ids &= s.within
    return frozenset(i for i in ids if has_role(chart.facts[i], s.roles)) if s.roles else ids


def _subject(s: Statement, chart: Chart, ask: Ask, named: tuple[str, ...]) -> Ids:
    """Its name's, its noun's, else what was asked or is cited."""
    if s.head:
        return s.head.concept
    if s.nouns:
        ids = frozenset(i for kind in s.nouns for i in chart.kind(kind))
        if _STAY.search(s.noun_words) and "encounter" in s.nouns and re.search(r"admi|hospitali|stay", s.noun_words):
            ids = frozenset(i for i in ids if _stayed(chart, i)) or ids
        if ids:
            return ids
    keys = {k for t in ask.targets for k in t.keys}
    asked = frozenset(i for i, f in enumerate(chart.facts) if f.concept.key in keys)
    if asked:
        return asked
    cited = frozenset(
        i for m in named if m in chart.marks for f in chart.marks[m].facts if (i := chart.id_of(f)) is not None
    )
    cards = [c for c in chart.cards if not aside(c)]
    if cited or len(cards) != 1:
        return cited
    return frozenset(i for f in cards[0].facts if (i := chart.id_of(f)) is not None)


def _stayed(chart: Chart, at: int) -> bool:
    fact = chart.facts[at]
    words = f"{fact.details.get('class', '')} {fact.concept.label}".lower()
    return str(fact.details.get("class", "")) in _IN_HOSPITAL or "inpatient" in words or "admission" in words


def narrow(s: Statement, base: Ids, reading: Reading, chart: Chart, pools: Pools, others: Ids) -> Narrowing:
    """The facts of `base` that bear all that the statement tells."""
    facts = chart.facts
    ids = base
    if not ids:
        return _none("concept", "the claim names nothing that its evidence holds")
    ids = frozenset(i for i in ids if _person(chart, i, reading))
    if not ids:
        return _none("patient", "what is told of the patient stands for a relative, or the other way round")
    for a in s.attributes:
        ids = frozenset(i for i in ids if i in a.concept | a.value | a.detail)
    if not ids:
        return _none(
            "cause" if reading.causes else "concept", "two things are told together that no resource holds together"
        )
    pool = ids
    if s.number is not None:
        found = {i: number_match(s.number, facts[i], _shown(chart, i), ranges=_ranged(s, reading)) for i in ids}
        ids = frozenset(i for i, m in found.items() if m == "yes")
        if not ids:
            wrong = "unit" if "unit" in found.values() else "number"
            return _none(
                wrong,
                "the number's unit is not the recorded one" if wrong == "unit" else "the number is not in the evidence",
            )
    ids, fault = _in_time(s, ids, pool, chart, pools)
    if fault:
        return Narrowing(fault=fault)
    return _in_state(s, ids, pool, chart, pools, others)


def _none(kind: str, reason: str) -> Narrowing:
    return Narrowing(fault=Fault(kind=kind, reason=reason))


def _ranged(s: Statement, reading: Reading) -> bool:
    at = s.number.start if s.number else 0
    return bool(_RANGE.search(reading.masked[max(0, at - 30) : at]))


def _shown(chart: Chart, at: int) -> frozenset[str]:
    return frozenset(n for m in chart.marks_for(at)[:1] for n in shown_numbers(chart.marks[m].shown))


def _person(chart: Chart, at: int, reading: Reading) -> bool:
    """A relative's record is told only as that relative's, and the patient's never as a relative's."""
    fact = chart.facts[at]
    if not reading.relative:
        return fact.kind != "family"
    if fact.kind != "family":
        return fact.kind == "social" and "family" in reading.relative
    relation = fact.details.get("relationship")
    label = relation.label if isinstance(relation, Concept) else ""
    return bool(_GENERIC.search(reading.relative)) or bool(
        {w.rstrip("s") for w in tokens(reading.relative)} & {w.rstrip("s") for w in tokens(label)}
    )


def _in_time(s: Statement, ids: Ids, pool: Ids, chart: Chart, pools: Pools) -> tuple[Ids, Fault | None]:
    if s.dating is None:
        return ids, None
    facts, dating = chart.facts, s.dating
    fault = Fault(kind="date", reason="the date is not the recorded one")
    own = frozenset(i for i in ids if dated(facts[i], dating))
    if dating.relation in ("on", "until") or (len(dating.days) == 2 and own):
        return own, None if own else fault
    inside = pools.inside(ids, dating)
    if len(dating.days) == 2:
        ends = _spanned(dating, ids, chart, pools)
        return (ends, None) if ends else (frozenset(), fault) if not pools.sanctioned(dating, ids) else (inside, None)
    if dating.relation == "since" and own:
        over = s.statuses & {"resolved", "inactive", "remission", "ended", "completed"}
        if over and all(facts[i].kind == "condition" for i in own):
            return own, None  # one episode's own start, told with how it stands
        first = frozenset(i for i in own if pools.holds("first", i, pools.happened(pool)))
        same = s.role == "value" and own and pools.inside(pools.happened(pool), dating) <= ids
        if first or same:
            return first or own, None
        if not pools.sanctioned(dating):
            return frozenset(), Fault(kind="qualifier", reason='"since" is told of a date that is not the first')
    if inside and pools.sanctioned(dating):
        return inside, None
    return frozenset(), fault


def _spanned(dating: Dating, ids: Ids, chart: Chart, pools: Pools) -> Ids:
    """The first and the last record, where the two dates told are theirs in the chart, the year or the window."""
    told = pools.happened(ids)
    year = dating.days[0].year if dating.days[0].year == dating.days[1].year else None
    in_year = frozenset(i for i in told if (w := chart.facts[i].when) and w.day and w.day.year == year)
    for view in (told, in_year, pools.asked(told)):
        ordered = sorted((i for i in view if chart.facts[i].when), key=lambda i: compute.when_key(chart.facts[i]))
        if not ordered:
            continue
        first, last = chart.facts[ordered[0]].when, chart.facts[ordered[-1]].when
        if first and last and day_fits(dating.days[0], first) and day_fits(dating.days[1], last):
            return frozenset((ordered[0], ordered[-1]))
    return frozenset()


def _in_state(s: Statement, ids: Ids, pool: Ids, chart: Chart, pools: Pools, others: Ids) -> Narrowing:
    facts = chart.facts
    ids = frozenset(i for i in ids if stands(facts[i], s))
    if not ids:
        return _none("status", "the record did not happen, or not as it is told")
    if not s.denied_statuses:
        words = s.statuses - set(STANDING_WORDS) | (
            {"current"} & s.qualifiers if facts[min(ids)].kind == "medication" else set()
        )
        ids = frozenset(i for i in ids if all(has_status(facts[i], w) for w in words))
    else:
        told = pools.happened(pool)
        if any(has_status(facts[i], w) for i in told for w in s.denied_statuses):
            return _none("status", "the status that is denied is the recorded one")
        ids = frozenset(i for i in ids if all(has_status(facts[i], w) for w in s.statuses - set(STANDING_WORDS)))
    if (
        "ended" in s.statuses
        and s.dating is None
        and any(facts[i].kind == "medication" and has_status(facts[i], "taking") for i in pools.happened(pool))
    ):
        ids = frozenset()
    if not ids:
        return _none("status", "the status is not the recorded one")
    if s.interpretations:
        ids = frozenset(i for i in ids if all(interpreted(facts[i], w) for w in s.interpretations))
        if not ids:
            return _none("unsupported", "no resource or reference range says what is told of the result")
    return _qualified(s, ids, pool, chart, pools, others)


def _qualified(s: Statement, ids: Ids, pool: Ids, chart: Chart, pools: Pools, others: Ids) -> Narrowing:
    told = s.qualifiers - {"mean", "all", "only", "closest"}
    if "started" in s.statuses and s.dating is not None:
        told |= {"first"}
    if "mean" in s.qualifiers and s.role == "value":
        return _none("qualifier", "an average is told that was not worked out")
    if s.nouns and s.head:
        like = chart.facts[min(ids)].kind
        more = frozenset(i for kind in s.nouns if kind == like for i in chart.kind(kind))
        pool = pool | (more if s.within is None else more & s.within)
    ends = s.dating is not None and s.dating.start < (s.number.start if s.number else 0)
    for what in sorted(told):
        kept = frozenset(
            i
            for i in ids
            if any(pools.holds(what, i, p, others) for p in _views(s, i, pool, chart, pools, window=ends))
        )
        if not kept:
            return _none("qualifier", f'"{what}" is not true of the record')
        ids = kept
    if "closest" in s.qualifiers and not s.denied:
        anchors = pools.anchor_days() or _other_days(chart, ids, others)
        kept = frozenset(i for i in ids if pools.closest(i, pools.happened(pool, chart.facts[i]), anchors))
        if not kept:
            return _none("qualifier", "another record is closer, or what it is close to is not known")
        ids = kept
    return Narrowing(ids=ids, pool=pool)


def _other_days(chart: Chart, ids: Ids, others: Ids) -> list[date]:
    """The days of what else the claim tells, which "closest to" can mean."""
    keys = {chart.facts[i].concept.key for i in ids}
    days = {w.day for i in others if (w := chart.facts[i].when) and w.day and chart.facts[i].concept.key not in keys}
    return sorted(days) if len(days) == 1 else []


def _views(s: Statement, at: int, pool: Ids, chart: Chart, pools: Pools, *, window: bool) -> list[Ids]:
    """What a qualifier may look over: all there is; the window that is told; the question's own."""
    whole = pools.happened(pool, chart.facts[at])
    views = [whole]
    if chart.facts[at].standing != "fact":
        views = [frozenset(i for i in pool if chart.facts[i].standing == chart.facts[at].standing)]
    if s.statuses & {"completed", "final"}:
        views.append(frozenset(i for i in whole if all(has_status(chart.facts[i], w) for w in s.statuses)))
    if s.dating and (s.dating.relation != "on" or (window and not s.dating.days[0].day)):
        views.append(pools.inside(whole, s.dating))
    if pools.ask.window is not None:
        views.append(pools.asked(whole))
    if pools.ask.window is not None or pools.ask.anchor is not None:
        views += [
            frozenset(i for i in whole if any(c is card for c in chart.cards_of[i]))
            for card in chart.cards_of[at] if card.window
        ]  # fmt: skip
    return views
