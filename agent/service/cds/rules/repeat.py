"""A test that was ordered or done a short while ago, or that another draft orders too.

The same is what has a code in common, or the same name; a body site that both say has to be the same. An order that
says which one it replaces, and one for a series, repeats nothing. Compared are the days that both are for, so that a
test which is ordered for next month is held against that day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date

from agent.service.cds.configuring import RepeatCard, TestKind
from agent.service.cds.drafts import Drafts, Test
from agent.service.cds.facts import TESTS, Facts
from agent.service.cds.findings import Finding, dated
from agent.service.cds.markdown import escaped
from fhir_tools.types import Fact

__all__ = ["find", "needs"]

_ORDERED = ("active", "on-hold")
_KINDS: Mapping[TestKind, frozenset[str]] = {
    "laboratory": frozenset({"laboratory", "lab", "108252007", "ch", "hm", "mb", "imm", "sr", "tx", "blb", "ur"}),
    "imaging": frozenset({"imaging", "rad", "363679005", "ct", "nmr", "nms", "rus", "vus", "ous", "rx", "cus", "xrc"}),
}
"""Codes of `category`, in lower case: observation-category, SNOMED CT, and HL7 v2 table 0074 (diagnostic services)."""
_SHOWN = 4


def needs(card: RepeatCard, drafts: Drafts | None) -> frozenset[str]:
    """The orders, reports and results, where a test is ordered."""
    return TESTS if drafts is None or drafts.tests else frozenset()


def find(card: RepeatCard, facts: Facts) -> Iterator[Finding]:
    """One finding for each test that was ordered or done within the window of its kind. Raises Unread."""
    tests = facts.drafts.tests
    known = _known(facts) if tests else ()
    for at, test in enumerate(tests):
        twins = [t.fact for t in (*tests[:at], *facts.drafts.other_tests) if _same(test, t.fact)]
        earlier = [f for f in known if _same(test, f) and _is_near(card, test, f, facts.as_of)]
        if twins or earlier:
            yield _finding(card, facts, test, twins, sorted(earlier, key=_day, reverse=True))


def _known(facts: Facts) -> tuple[Fact, ...]:
    """What was ordered and not taken back, and what was done."""
    ordered = (f for f in facts.of("orders", planned=True) if f.reference not in facts.drafts.ended)
    done = (*facts.of("reports"), *facts.of("tests"))
    return (*(f for f in ordered if f.status in (*_ORDERED, "completed")), *done)


def _same(test: Test, other: Fact) -> bool:
    """Whether the other is of the same thing, and is another."""
    fact = test.fact
    if other.reference == fact.reference or other.reference in test.replaces:
        return False
    here, there = fact.details.get("body_site"), other.details.get("body_site")
    return bool(_names(fact) & _names(other)) and not (here and there and here.casefold() != there.casefold())


def _names(fact: Fact) -> frozenset[str]:
    coded = {f"{coding.system} {coding.code}" for coding in fact.concept.codings if coding.system}
    return frozenset(coded | {fact.concept.label.casefold()})


def _is_near(card: RepeatCard, test: Test, other: Fact, today: date) -> bool:
    days = card.windows.get(_kind((test.fact, other)))
    day = test.fact.when.day if test.fact.when and test.fact.when.day else today
    return days is not None and bool(other.when and other.when.day) and abs((day - _day(other)).days) <= days


def _kind(facts: Iterable[Fact]) -> TestKind:
    """By the categories of the first that says one."""
    for fact in facts:
        codes = {code.casefold() for code in fact.details.get("category", ())}
        for kind, words in _KINDS.items():
            if codes & words:
                return kind
    return "other"


def _day(fact: Fact) -> date:
    return fact.when.day if fact.when and fact.when.day else date.min


def _finding(card: RepeatCard, facts: Facts, test: Test, twins: list[Fact], earlier: list[Fact]) -> Finding:
    label = test.fact.concept.label
    told = [f"{_state(f)}{dated(f, facts.as_of)}" for f in earlier]
    first = told[0] if told else "another draft orders it too"
    lines = [f"{escaped(f.concept.label)}, {word}." for f, word in zip(earlier, told, strict=True)]
    lines += [f"Another draft: {escaped(f.concept.label)}." for f in twins]
    return Finding(
        card=card,
        indicator=card.indicator,
        summary=card.worded(f"{label} is being ordered; {first}", test=label, found=first),
        lines=(f"Ordered: {escaped(label)}.", *lines[:_SHOWN], "Why: the same code, or the same name."),
        evidence=tuple(f.reference for f in earlier[:_SHOWN]),
        key=("repeat", str(test.fact.reference)),
    )


def _state(fact: Fact) -> str:
    if fact.kind != "order":
        return "done"
    return "ordered" if fact.status in _ORDERED else "ordered and completed"
