"""Cards of a whole part of the chart: "active conditions", "allergies", "visits in 2017", "abnormal labs"."""

from __future__ import annotations

import re
from dataclasses import replace

from agent.retrieve.events import happenings, nearest_first, stay_length
from agent.retrieve.gather import Gather
from agent.types import Ask, Target
from fhir_tools import compute, conditions, medications, wording
from fhir_tools.cards import event_card, list_card
from fhir_tools.dates import Window
from fhir_tools.records import grouped, usable, within
from fhir_tools.types import Card, Concept, Fact, Kind

__all__ = ["is_relative", "keeps", "listed"]

_PLURAL = {
    "allergy": "allergies", "family": "family history", "imaging": "imaging studies", "social": "social history",
    "careplan": "care plans",
}  # fmt: skip
_PAST = re.compile(r"\b(ever|all|history|past|previous\w*|former\w*|prior)\b")
_TAKES = re.compile(r"\b(?:is|are)\b.*\bon\b|\btak(?:es?|ing)\b|\bcurrent", re.IGNORECASE)
_OCCUR = ("latest", "first", "previous", "count", "count_by_year", "duration", "describe", "ended")


async def listed(gather: Gather, ask: Ask, window: Window | None) -> tuple[Card, ...]:
    """The card of a kind of record without a named subject; its absence noted where there is none."""
    kind = ask.kinds[0]
    if kind == "measurement":
        return await _latest_of_each(gather, ask, window)
    if ask.op == "planned":
        return await _ahead(gather, ask)
    every = usable(await gather.facts(kind))
    chosen = tuple(f for f in within(every, window) if _wanted(f, ask, kind, window))
    if window and _NEW.search(ask.question):
        chosen = _new(chosen, every)
    if kind == "medication" and ask.state == "stopped":
        taken = {wording.label(f.concept).lower() for f in every if medications.taken(f)}
        chosen = tuple(f for f in chosen if wording.label(f.concept).lower() not in taken)
    if ask.purpose:
        chosen = _ordered_for(chosen, ask.purpose)
    if ask.relative:
        chosen = tuple(f for f in chosen if is_relative(f, ask.relative, gather))
    told = window.text if window else ""
    title = f"new {kind}s" if window and _NEW.search(ask.question) and not chosen else _title(ask, kind)
    if not chosen:
        await gather.absence(Target(words=title, label=title, kinds=(kind,)), told)
        return ()
    if kind in ("encounter", "document") or ask.op in _OCCUR:
        return await _occurrences(gather, ask, chosen, told)
    shown = f"{title}{f', {told}' if told else ''}"
    return (
        list_card(gather.marks, grouped(chosen), title=shown, kind=kind, window=told, everything=chosen, names=(kind,)),
    )


_NEW = re.compile(r"\bnew(?:ly)?\b|\bstarted\b|\bbegun\b|\binitiated\b", re.IGNORECASE)


def _new(chosen: tuple[Fact, ...], every: tuple[Fact, ...]) -> tuple[Fact, ...]:
    """Those of a time that were not on record before it: an order written anew is no new drug."""
    first = min(map(compute.when_key, chosen), default=None)
    before = (f for f in every if first and compute.when_key(f) < first and f not in chosen)
    known = {wording.label(f.concept).lower() for f in before}
    return tuple(f for f in chosen if wording.label(f.concept).lower() not in known)


_FOODS, _DRUGS = r"foods?", r"(?:drugs?|meds?|medications?|medicines?)"
_SORT = (
    r"\b{0}(?:,? (?:or|and|/) \w+)? (?:allerg|intoleran)"
    r"|\b(?:allerg\w*|intoleran\w*|react\w*) to (?:(?:any|some|certain) )?(?:\w+ (?:or|and) )?{0}\b"
)
_SORTS = {"food": re.compile(_SORT.format(_FOODS)), "medication": re.compile(_SORT.format(_DRUGS))}
"""The categories of allergies (R4 AllergyIntolerance.category) by the words that ask for them."""
_OTHERS_TOO = re.compile(r"\b(?:or|and) (?:any )?others?\b")


def _sorts(question: str) -> list[str]:
    """The categories of allergies that are asked for; none where all are."""
    return [sort for sort, words in _SORTS.items() if words.search(question) and not _OTHERS_TOO.search(question)]


def _of_sort(fact: Fact, question: str) -> bool:
    """Whether an allergy is of the category asked for; one that names none, or denies allergies, could be."""
    asked = {*_sorts(question)}
    own = {str(c).rsplit("|", 1)[-1].lower() for c in fact.details.get("category", ())}
    return not asked or not own or bool(fact.details.get("negation")) or bool(asked & own)


async def _ahead(gather: Gather, ask: Ask) -> tuple[Card, ...]:
    """What is planned from the day of the question on, soonest first."""
    kind = ask.kinds[0]
    every = await gather.facts(kind, ahead=True)
    chosen = tuple(f for f in every if f.standing == "planned" or (f.standing == "fact" and gather.later(f)))
    chosen = tuple(f for f in chosen if not f.when or not f.when.low or gather.later(f))
    if not chosen:
        label = f"a planned {'visit' if kind == 'encounter' else kind}"
        await gather.absence(Target(words=label, label=label, kinds=(kind,)), f"after {gather.chart.as_of}")
        return ()
    title = f"planned {_PLURAL.get(kind, kind + 's')}, {len(chosen)}"
    return (event_card(gather.marks, chosen[: ask.n or len(chosen)], title=title, names=(kind,)),)


def _wanted(fact: Fact, ask: Ask, kind: Kind, window: Window | None) -> bool:
    """Whether a fact belongs to the list asked for: what goes on now, what is over, or everything."""
    if kind == "allergy":
        return _of_sort(fact, ask.question.lower()) and (
            ask.state == "resolved" or fact.status not in ("inactive", "resolved") or bool(fact.details.get("negation"))
        )
    if (
        kind == "medication"
        and ask.op in ("list", "taking", "count")
        and not ask.state
        and window is None
        and not ask.purpose
    ):
        if ask.op == "count":
            return medications.taken(fact) or not _TAKES.search(ask.question)
        return medications.taken(fact) or bool(_PAST.search(ask.question.lower()))
    return keeps(fact, ask)


def keeps(fact: Fact, ask: Ask) -> bool:
    """Whether the fact has the state that the question wants; facts without a course always do."""
    if not ask.state or fact.kind not in ("condition", "medication", "careplan"):
        return True
    if fact.kind == "condition":
        return conditions.ongoing(fact) == (ask.state == "active")
    if fact.kind == "medication":
        return medications.taken(fact) == (ask.state == "active")
    return (fact.status == "active") == (ask.state == "active")


def is_relative(fact: Fact, relative: str, gather: Gather) -> bool:
    """Whether a family history fact is about the relative named, or anyone where only "family" is said."""
    relation = fact.details.get("relationship")
    if not isinstance(relation, Concept):
        return False
    known = gather.chart.matcher.lexicon.by_id("relationship", relative)
    terms = {relative.lower(), *(known.terms if known else ())}
    generic = bool(terms & {"family member", "relative", "family"})
    return (
        generic
        or relation.label.lower() in terms
        or any(c.code in {code for _, code in known.codes} for c in relation.codings if known)
    )


def _ordered_for(facts: tuple[Fact, ...], purpose: Target) -> tuple[Fact, ...]:
    wanted = {purpose.label.lower(), purpose.words.lower()}
    return tuple(
        f
        for f in facts
        if any(
            isinstance(r, Concept) and (r.key in purpose.keys or wording.label(r).lower() in wanted)
            for r in f.details.get("reason", ())
        )
    )


def _title(ask: Ask, kind: Kind) -> str:
    state: str = ask.state if kind in ("condition", "medication", "careplan") else ""
    if kind == "medication" and state in ("", "active"):
        state = "" if state == "" and (ask.purpose or _PAST.search(ask.question.lower())) else "current"
    sorts = _sorts(ask.question.lower()) if kind == "allergy" else []
    if sorts:
        return f"{' and '.join(sorts)} allergies"
    why = f" ordered for {ask.purpose.label}" if ask.purpose else f" of the {ask.relative}" if ask.relative else ""
    return f"{state} {_PLURAL.get(kind, kind + 's')}{why}".strip()


async def _occurrences(gather: Gather, ask: Ask, facts: tuple[Fact, ...], told: str) -> tuple[Card, ...]:
    kind, last = facts[0].kind, compute.in_order(facts)[-1]
    title = f"{_PLURAL.get(kind, kind + 's')},{f' {told},' if told else ''} {len(facts)}"
    computed = stay_length(ask, last)
    card = event_card(gather.marks, facts, title=title, window=told, names=(kind,), computed=computed)
    return (card, *await happenings(gather, last)) if ask.op == "describe" else (card,)


_VITAL, _LAB = frozenset(("vital-signs", "vital-sign")), frozenset(("laboratory", "LAB"))
_MOST = 40


async def _latest_of_each(gather: Gather, ask: Ask, window: Window | None) -> tuple[Card, ...]:
    told, question = window.text if window else "", ask.question.lower()
    wanted = (
        _VITAL
        if "vital" in question
        else _LAB
        if re.search(r"\b(labs?|lab\w*|blood ?(?:work|tests?|results?)|bloods)\b", question)
        else frozenset()
    )
    facts = within(usable(await gather.results(wanted)), window)
    chosen = compute.in_order(tuple(f for f in facts if "panel" not in f.details and f.value is not None))
    side = next((side for side, words in _SIDES if words.search(question)), "")
    abnormal = ask.op == "abnormal" or bool(side)
    if abnormal and window is not None:
        chosen = tuple(f for f in chosen if _flagged(f))
    if ask.anchor and ask.anchor.relation in ("closest", "at"):
        nearest, event = nearest_first(gather, chosen)
        told, chosen = f"closest to {event.text}" if event else told, nearest[::-1]
    latest = tuple({f.concept.key: f for f in chosen}.values())
    rows = tuple((f,) for f in reversed(compute.in_order(latest)) if not abnormal or _flagged(f, side))
    name = "abnormal results" if abnormal else "results"
    unflagged = sum(not f.details.get("interpretation") for f in latest) if abnormal and window is None else 0
    if unflagged and rows:
        gather.warnings.append(f"{unflagged} of {len(latest)} latest results carry no flag and could be abnormal too")
    if not rows:
        await gather.absence(Target(words=name, label=name, kinds=("measurement",)), told)
        if unflagged:
            gather.warnings.append("the latest results carry no flags, so nothing shows that they are normal")
        gather.absent[-1] = replace(gather.absent[-1], complete=gather.absent[-1].complete and not unflagged)
        return ()
    title = f"{name if abnormal else 'latest of each measurement'}{f', {told}' if told else ''}"
    return (list_card(gather.marks, rows[:_MOST], title=title, kind="measurement", window=told, everything=chosen),)


_SIDES = (("h", re.compile(r"\b(?:high|raised|elevated)\b")), ("l", re.compile(r"\blow\b")))


def _flagged(fact: Fact, side: str = "") -> bool:
    """Whether a result is flagged as abnormal, on the side that is asked for."""
    text = str(fact.details.get("interpretation", "")).lower()
    return bool(text) and text not in ("normal", "n", "negative") and text.startswith(side)
