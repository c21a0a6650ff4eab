""" "Only", "all" and lists: what is told as the whole must be the whole."""

from __future__ import annotations

import re

from agent.types import Ask
from agent.verify.chart import Chart, aside, is_list
from agent.verify.checks import has_status
from agent.verify.facts import Fault
from agent.verify.pools import Ids, Pools
from agent.verify.reading import Reading
from agent.verify.statements import Statement
from fhir_tools import wording

__all__ = ["fault"]

_HEADING = re.compile(
    r"\b(?:conditions|medications|meds|drugs|medicines|allergies|problems|diagnoses|procedures|surgeries|immuni[sz]ations|vaccines|"
    r"vaccinations|reports|notes|documents|studies|scans|encounters|visits|admissions)\b[^.;\x01\x03]{0,40}?"
    r"(?:\b(?:are|were|is)\b(?!\s+(?:recorded|documented|listed|among)\b)|:)"
)
_PARTLY = re.compile(r"\b(?:includ(?:e|es|ing)|such as|among|e\.g|for example|some|one of|another|other)\b")
_TAKEN = re.compile(r"\b(?:patient|she|he|they)\s+(?:is\s+|currently\s+)*(?:takes|taking|has|is on)\b")


def fault(reading: Reading, pairs: list[tuple[Statement, Ids]], chart: Chart, ask: Ask, pools: Pools) -> Fault | None:
    """The fault of a list that leaves members out, or of an "only" or "all" that is not true."""
    told = [(s, ids) for s, ids in pairs if ids and (s.role in ("event", "value"))]
    words = frozenset(w for s, _ in pairs for w in s.qualifiers)
    if told and all(chart.facts[i].standing != "fact" for _, ids in told for i in ids):
        valid = any(chart.facts[i].standing == "fact" for s, _ in told if s.head for i in s.head.concept)
        return (
            Fault(kind="qualifier", reason='"only" is told beside a valid record')
            if valid and "only" in words
            else None
        )
    listed = [s for s, _ in told if s.role == "event" and s.head]
    heading = _HEADING.search(reading.masked) if listed and not _PARTLY.search(reading.masked) else None
    if not (heading or words & {"only", "all"}):
        return None
    if any(s.role in ("count", "mean") for s, _ in pairs) and not listed:
        return None
    if not told:
        return Fault(kind="qualifier", reason='"all" or "only" is told of nothing that can be checked')
    if any(not c.complete for _, ids in told for i in ids for c in chart.cards_of[i]):
        return Fault(kind="qualifier", reason="not everything was read, so nothing can be told as the whole")
    group = heading is not None or bool(frozenset(k for s, _ in told for k in s.nouns)) or len(listed) > 1
    missing = _missing(told, chart, pools) if group and listed else _more(told, words, chart, pools, ask)
    return Fault(kind="qualifier", reason="the list is told as the whole and is not") if missing else None


def _missing(told: list[tuple[Statement, Ids]], chart: Chart, pools: Pools) -> bool:
    """Whether the list's universe holds a name that the claim does not tell."""
    kinds = {chart.facts[i].kind for _, ids in told for i in ids}
    statuses = frozenset(w for s, _ in told for w in s.statuses)
    current = any("current" in s.qualifiers for s, _ in told)
    ids = pools.happened(
        i for i, f in enumerate(chart.facts) if f.kind in kinds and not all(map(aside, chart.cards_of[i]))
    )
    cards = [c for c in chart.cards if is_list(c) and c.kind in kinds and not aside(c)]
    if cards and (statuses or current):
        ids = frozenset(i for i in ids if any(any(c is x for x in chart.cards_of[i]) for c in cards))
    facts = chart.facts
    ids = frozenset(
        i
        for i in ids
        if all(has_status(facts[i], w) for w in statuses) and (not current or has_status(facts[i], "current"))
    )
    if pools.ask.window is not None:
        ids = pools.asked(ids)
    names = {_name(chart, i) for _, told_ids in told for i in told_ids}
    return not {_name(chart, i) for i in ids} <= names


def _name(chart: Chart, at: int) -> str:
    return wording.label(chart.facts[at].concept).lower()


def _more(told: list[tuple[Statement, Ids]], words: frozenset[str], chart: Chart, pools: Pools, ask: Ask) -> bool:
    """Whether "only" or "all" about one concept leaves records out."""
    s, ids = told[0]
    like = chart.facts[min(ids)]
    pool = pools.happened(s.head.concept if s.head else ids, like)
    if s.dating and s.dating.relation != "on":
        pool = pools.inside(pool, s.dating)
    if ask.window is not None:
        pool = pools.asked(pool)
    shown = frozenset(i for _, more in told for i in more)
    references = {chart.facts[i].reference for i in pool}
    if "only" in words:
        return len(references) != len({chart.facts[i].reference for i in shown & pool}) or (
            len(told) == 1 and len(references) != 1
        )
    return not pool <= shown
