"""Yes and no: whether a leading answer says what its claim and the question come to, and which event came first."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from agent.verify.chart import Chart, tokens
from agent.verify.checks import is_negative
from agent.verify.compare import against, course_of
from agent.verify.facts import Fault
from agent.verify.pools import Ids, Pools
from agent.verify.reading import Reading
from agent.verify.statements import Cue, Statement
from fhir_tools import wording
from fhir_tools.types import Concept, Fact

__all__ = ["answer_fault", "order_fault", "same_time_fault"]

Held = list[tuple[Statement, Ids]]
_WRONG = Fault(kind="negation", reason="yes or no contradicts the evidence")
_OVER = frozenset(("ended", "resolved", "inactive", "remission", "completed"))
"""What is over has been there: a yes to "any history of", and a no to "still"."""
_NO = _OVER | {"error", "refuted", "planned", "cancelled", "not-done", "unconfirmed", "on-hold"}


def answer_fault(reading: Reading, held: Held, base: Ids, chart: Chart, pools: Pools) -> Fault | None:
    """Whether a leading yes or no contradicts what follows it, or what the question asked."""
    if not reading.answer:
        return None
    yes = reading.answer == "yes"
    for right in (
        _of_comparison(reading, base, chart, pools),
        _of_limit(held, pools),
        _of_order(reading, held, chart, pools),
        _of_state(held, chart, pools),
        _of_relative(reading, pools),
        _of_negative(held, chart),
    ):
        if right is not None:
            return None if right == yes else _WRONG
    return _of_words(reading, held, chart, pools)


def _of_comparison(reading: Reading, base: Ids, chart: Chart, pools: Pools) -> bool | None:
    """What "is it higher than before?" comes to."""
    direction = pools.ask.direction
    if pools.ask.op != "compare" or not direction:
        return None
    ordered = course_of(base, chart, pools)
    if len(ordered) < 2:
        return None
    what = {"higher": "up", "lower": "down", "different": "same"}[direction]
    plain = replace(reading, direction_denied=False)
    found = against(Cue(what=what, start=0, end=0), plain, ordered[-1], ordered[-2], chart)
    return (found.fault is None) != (direction == "different")


def _of_limit(held: Held, pools: Pools) -> bool | None:
    """What "is it above 7?" comes to, where the claim tells the side of that very limit."""
    asked = pools.ask.threshold
    told = [s.number.comparator for s, _ in held if asked and s.number and s.number.value == asked[1]]
    sides = {sign[0] for sign in told if sign}
    denied = any(s.denied for s, _ in held)
    return None if not asked or not sides or denied else sides == {asked[0][0]}


# Which of two events came first.

_ORDER = re.compile(r"\b(before|earlier than|after|later than|at the same time as)\s+(?:the |his |her )?(?=\x01)")


def order_fault(reading: Reading, held: Held, chart: Chart) -> Fault | None:
    """Whether "A was recorded on D1, after B on D2" tells the order that the two dates have."""
    found = _ordered_pair(reading, held, chart)
    if found is None:
        return None
    relation, a, b = found
    first, second = _start(a, chart), _start(b, chart)
    if first is None or second is None:
        return None
    true = {"before": first < second, "after": first > second, "same": first == second}[relation]
    return None if true else Fault(kind="direction", reason="the order told is not that of the two dates")


_SAME_TIME = re.compile(r"\bat the same time\b(?! as\b)")


def same_time_fault(reading: Reading, held: Held, chart: Chart) -> Fault | None:
    """Whether "at the same time" is told of a record that no other one shares its very time with."""
    if not _SAME_TIME.search(reading.masked):
        return None
    told = frozenset(i for _, ids in held for i in ids)
    others = [(f.reference, f.when.low) for f in chart.facts if f.when and f.when.precision == "time"]
    for i in told:
        fact = chart.facts[i]
        if fact.when and any(low == fact.when.low and r != fact.reference for r, low in others):
            return None
    return Fault(kind="date", reason="no other record has the time told as the same")


def _ordered_pair(reading: Reading, held: Held, chart: Chart) -> tuple[str, Ids, Ids] | None:
    cue = _ORDER.search(reading.masked)
    dated = [(s, ids) for s, ids in held if s.role == "event" and ids and s.dating and s.dating.relation == "on"]
    if not cue:
        return None
    before = [ids for s, ids in dated if s.head and s.head.end <= cue.start()]
    after = [ids for s, ids in dated if s.head and s.head.start >= cue.start()]
    if not before or not after:
        return None
    word = "before" if cue[1][0] in "be" else "after" if cue[1] in ("after", "later than") else "same"
    return word, before[-1], after[0]


def _start(ids: Ids, chart: Chart) -> datetime | None:
    starts = [w.low for i in ids if (w := chart.facts[i].when) and w.low]
    return min(starts) if starts else None


def _of_order(reading: Reading, held: Held, chart: Chart, pools: Pools) -> bool | None:
    """What "was A diagnosed before B?" comes to; the claim may name B first."""
    anchor = pools.ask.anchor
    found = _ordered_pair(reading, held, chart) if pools.ask.op == "order" and anchor else None
    if found is None or anchor is None or anchor.relation not in ("before", "after"):
        return None
    relation, a, b = found
    if relation != "same" and any(chart.facts[i].concept.key in anchor.target.keys for i in a - b):
        relation = "after" if relation == "before" else "before"
    return relation == anchor.relation


# What a coded value says: "Never smoker" to "does she smoke?", "Negative" to "positive for …?".

_FORMER = re.compile(r"\b(?:former(?:ly)?|ex|quit|used to)\b")
_NEVER = re.compile(r"\b(?:never|non|not|no|negative|absent|denies|undetected)\b")
_PRESENT = re.compile(
    r"\b(?:current(?:ly)?|every day|daily|some days?|smok(?:er|es|ed)|users?|yes|positive|present|detected|heavy|light"
    r"|moderate)\b"
)
_EVER = re.compile(r"\b(?:ever|history|hx|past)\b")
_STATES = re.compile(r"\b(?:positive|negative|present|absent|detected)\b")
_KEPT = ("status", "record", "recorded", "documented", "assessed", "assessment", "screening")


def _of_state(held: Held, chart: Chart, pools: Pools) -> bool | None:
    """What a question about a state comes to by the coded value told; None where it asks for something else."""
    facts = [f for _, ids in held for i in ids if isinstance((f := chart.facts[i]).value, Concept)]
    question = pools.ask.question.lower().replace("-", " ")
    if not facts or any(f.kind not in ("measurement", "social") for f in facts) or not _asks_state(question, facts):
        return None
    said = {_state(wording.value_text(f).lower().replace("-", " ")) for f in facts}
    if len(said) != 1 or said == {""}:
        return None
    state = said.pop()
    if _EVER.search(question):
        return state != "never"
    return state == (_state(question) or "present")


def _state(text: str) -> str:
    if "unknown" in text:
        return ""
    if _FORMER.search(text):
        return "former"
    return "never" if _NEVER.search(text) else "present" if _PRESENT.search(text) else ""


def _asks_state(question: str, facts: Iterable[Fact]) -> bool:
    """Whether the question uses the words of the value ("smoker") as a state, not as the name of a record."""
    if _STATES.search(question):
        return True
    words = tokens(question)
    named = {t[:4] for f in facts for t in tokens(wording.value_text(f)) if len(t) > 3}
    following = (*words[1:], "")
    return any(w[:4] in named and len(w) > 3 and n not in _KEPT for w, n in zip(words, following, strict=True))


# Relatives, and the claim's own words.

_KIN = ("mother", "father", "brother", "sister", "son", "daughter", "grandmother", "grandfather", "aunt", "uncle")


def _about_family(pools: Pools) -> bool:
    return "family" in pools.ask.kinds or bool(pools.ask.relative)


def _of_relative(reading: Reading, pools: Pools) -> bool | None:
    """A relative's record is a no about another relative; about the patient it is one by its words."""
    told, asked = reading.relative.rstrip("s"), pools.ask.relative.lower()
    return False if told in _KIN and asked in _KIN and told != asked else None


def _of_negative(held: Held, chart: Chart) -> bool | None:
    """An explicit negative record ("no known allergies") is a no, however it stands."""
    negative = [is_negative(f) for _, ids in held for i in ids if (f := chart.facts[i]).standing == "fact"]
    return False if negative and all(negative) else None


def _of_words(reading: Reading, held: Held, chart: Chart, pools: Pools) -> Fault | None:
    relative = bool(reading.relative) and not _about_family(pools)
    opposed = reading.denied or any(s.statuses & _NO or s.denied_statuses for s, _ in held) or relative
    opposed = opposed or reading.direction_denied
    taking = pools.ask.op == "taking" or pools.ask.current
    if taking and not opposed and held:
        facts = [chart.facts[i] for _, ids in held for i in ids if chart.facts[i].kind == "medication"]
        taken = any(f.details.get("taking", "taking") == "taking" for f in facts)
        if facts and reading.answer == "yes" and not taken:
            return _WRONG
        opposed = bool(facts) and all(f.details.get("taking", "") not in ("taking", "") for f in facts)
    if reading.answer == "yes":
        return _WRONG if opposed and not _was_there(reading, held, taking) else None
    if reading.directions or any((s.number and s.number.comparator) or s.interpretations for s, _ in held):
        return None
    ever = pools.ask.op == "exists" and not taking and not pools.ask.state and not relative
    return None if opposed and not (ever and _was_there(reading, held, taking)) else _WRONG


def _was_there(reading: Reading, held: Held, taking: bool) -> bool:
    """Whether what opposes a yes is no more than that it is over."""
    over = any(s.statuses & _OVER for s, _ in held) and not taking
    other = any((s.statuses & _NO) - _OVER or s.denied_statuses for s, _ in held)
    return over and not other and not reading.denied and not reading.direction_denied
