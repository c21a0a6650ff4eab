"""Cause and purpose: what is told as the reason of something must be stated as that by a resource."""

from __future__ import annotations

import re

from agent.verify.chart import Chart, Mention, texts_of, tokens
from agent.verify.facts import Fault
from agent.verify.pools import Ids
from agent.verify.reading import Reading
from agent.verify.statements import Cue, Statement
from fhir_tools import wording

__all__ = ["cause_fault", "fact_texts"]


def cause_fault(reading: Reading, pairs: list[tuple[Statement, Ids]], chart: Chart) -> Fault | None:
    """Every word of cause or purpose needs a resource that states the one as the reason of the other."""
    heads = [s.head for s, _ in pairs if s.head and s.role != "event"]
    for cue in reading.causes:
        following = next((m for m in reading.mentions if m.start >= cue.end), None)
        before = [m for m in reading.mentions if m.end <= cue.start]
        if cue.text == "for" and (not before or following in heads or following is None):
            continue
        if cue.text == "for" and following and not any(following.concept ^ b.concept for b in before):
            continue
        if not _stated(cue, following, pairs, chart) and not _reason_named(reading, pairs, chart):
            return Fault(kind="cause", reason="no resource states the reason or cause that is told")
    return None


def _stated(cue: Cue, following: Mention | None, pairs: list[tuple[Statement, Ids]], chart: Chart) -> bool:
    """Whether a resource holds the one as a detail of the other; a cause is no more than an allergy's reaction."""
    linked = [(a, i) for s, ids in pairs for a in s.attributes for i in a.detail & ids]
    if re.match(r"caus|led|result|induced|attribut|explained", cue.text):
        return any(chart.facts[i].kind == "allergy" for _, i in linked)
    if re.match(r"reason|indicat", cue.text):
        return bool(linked)
    return any(a is following for a, _ in linked)


def _reason_named(reading: Reading, pairs: list[tuple[Statement, Ids]], chart: Chart) -> bool:
    """A reason may be told in the resource's own words without being a name: all of them stand in it."""
    words = set(reading.leftover)
    return bool(words) and any(
        words <= {t for text in fact_texts(chart, i) for t in tokens(text)} for _, ids in pairs for i in ids
    )


def fact_texts(chart: Chart, at: int) -> list[str]:
    """All that a fact says in words: its name, value, status, codes and details."""
    fact = chart.facts[at]
    texts = [
        fact.concept.label,
        wording.value_text(fact),
        fact.status,
        *(t for c in fact.concept.codings for t in (c.display or "", c.code)),
    ]
    for value in fact.details.values():
        for item in value if isinstance(value, tuple) else (value,):
            texts += texts_of(item)
    return texts
