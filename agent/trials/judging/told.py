"""What is known of one check in one chart, and how what is known of its parts comes together (Kleene's logic)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from agent.trials.checks import Measurement, Record
from agent.trials.types import VerdictWord
from fhir_tools.lexicon import lexicon, normalise
from fhir_tools.types import Fact, Mark

__all__ = ["Told", "doubted", "every", "negated", "one_of", "unknown"]

_SENTENCES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The word, a reason in a sentence (without its full stop), and the marks of what it rests on.

    `documented` is False where it rests on the chart's not holding something. `missing` is what would settle an
    unknown. `facts` are all that were looked at; `until` is the first day on which time alone may change the word.
    `asks` are the leaves that only a reader can settle.
    """

    word: VerdictWord
    reason: str
    marks: tuple[Mark, ...] = ()
    missing: str = ""
    documented: bool = True
    facts: tuple[Fact, ...] = ()
    until: date | None = None
    asks: tuple[Any, ...] = ()


def unknown(reason: str, missing: str, **more: Any) -> Told:
    """What the chart does not settle."""
    return Told(word="unknown", reason=reason, missing=missing, **more)


def doubted(check: Measurement | Record, told: Told) -> Told:
    """A met check with words that rules passed over is for a reader."""
    if told.word != "met" or not check.doubts:
        return told
    open_ = _unsettled(check.doubts, told.marks)
    if not open_:
        return told
    words = ", ".join(repr(d) for d in open_)
    return unknown(
        f"{told.reason}; whether {words} holds, rules cannot tell", f"a reader for {words}",
        marks=told.marks, facts=told.facts, until=told.until, asks=(check,),
    )  # fmt: skip


def _unsettled(doubts: Sequence[str], marks: Sequence[Mark]) -> tuple[str, ...]:
    """The doubts that the cited records do not settle: "Chronic intractable migraine" says "intractable"."""
    said = {w for m in marks if m.fact for w in _words(m.fact)}
    return tuple(d for d in doubts if not set(normalise(d).split()) <= said)


_ROUTES = {"iv": "intravenous", "po": "oral", "sc": "subcutaneous", "sq": "subcutaneous", "im": "intramuscular"}


def _words(fact: Fact) -> set[str]:
    """The words of a record's label and route, and the other words for the places of the body among them."""
    route = normalise(str(fact.details.get("route") or "")).split()
    words = {*normalise(fact.concept.label).split(), *route, *(_ROUTES[w] for w in route if w in _ROUTES)}
    places = (e for w in words for e in lexicon().lookup(w, ("body_site",)))
    return words | {term for e in places for term in e.terms if " " not in term}


def negated(told: Told) -> Told:
    """The opposite; what is unknown stays so."""
    words: dict[VerdictWord, VerdictWord] = {"met": "not_met", "not_met": "met", "unknown": "unknown"}
    return replace(told, word=words[told.word])


def every(parts: Sequence[Told]) -> Told:
    """Met where all are; one that is not decides."""
    return _together(parts, deciding="not_met", other="met")


def one_of(parts: Sequence[Told], needed: int = 1) -> Told:
    """Met where so many are; not met where so many cannot be."""
    if needed == 1:
        return _together(parts, deciding="met", other="not_met")
    met, open_ = ([p for p in parts if p.word == word] for word in ("met", "unknown"))
    if len(met) >= needed:
        return _joined("met", met, parts)
    if len(met) + len(open_) < needed:
        return _joined("not_met", [p for p in parts if p.word == "not_met"], parts)
    return _joined("unknown", open_, parts)


def _together(parts: Sequence[Told], *, deciding: VerdictWord, other: VerdictWord) -> Told:
    if decisive := [p for p in parts if p.word == deciding]:
        # What is documented decides before what is only not there.
        first = sorted(decisive, key=lambda p: not p.documented)
        return _joined(deciding, first if deciding == "met" else first[:1], parts, documented=first[0].documented)
    if open_ := [p for p in parts if p.word == "unknown"]:
        return _joined("unknown", open_, parts)
    return _joined(other, list(parts), parts)


def _joined(
    word: VerdictWord, chosen: Sequence[Told], parts: Sequence[Told], *, documented: bool | None = None
) -> Told:
    days = [p.until for p in parts if p.until]
    reasons = list(dict.fromkeys(p.reason for p in chosen if p.reason))
    more = f"; and {len(reasons) - _SENTENCES} more" if len(reasons) > _SENTENCES else ""
    return Told(
        word=word,
        reason="; ".join(reasons[:_SENTENCES]) + more,
        marks=tuple({m.id: m for p in chosen for m in p.marks}.values()),
        missing="; ".join(dict.fromkeys(p.missing for p in chosen if p.missing)) if word == "unknown" else "",
        documented=all(p.documented for p in chosen) if documented is None else documented,
        facts=tuple(f for p in parts for f in p.facts),
        until=min(days, default=None),
        asks=tuple(a for p in chosen for a in p.asks) if word == "unknown" else (),
    )
