"""Facts as cards, as retrieval makes them for a question; and cards and texts cut to a bounded length."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fhir_tools import compute, medications, wording
from fhir_tools.cards import Marks, event_card, list_card, measurement_card
from fhir_tools.records import grouped
from fhir_tools.tools.bench import Bench
from fhir_tools.types import Card, Fact, Kind

__all__ = [
    "EACH",
    "LONGEST",
    "analytes",
    "bounded",
    "bounded_lines",
    "drug_card",
    "many_card",
    "mass_of",
    "subject_card",
]

LONGEST = 1500
"""Characters of a card, or of the lines of one answer."""
EACH = 16
"""Results that are told one by one."""
_LINE = 800
_TITLE = 200
_MARK = re.compile(r"\[([cs]?\d+)\]")
_PLURAL = {"allergy": "allergies", "family": "family history", "imaging": "imaging studies", "social": "social history"}


def bounded(card: Card, longest: int = LONGEST) -> Card:
    """The card with its last lines left out where it is too long, and without the marks that stand nowhere on it."""
    title = _cut(card.title, _TITLE)
    kept: list[str] = []
    room = longest - len(title)
    for line in (_cut(line, _LINE) for line in card.lines):
        if len(line) + 30 > room:
            break
        kept.append(line)
        room -= len(line) + 2
    if len(kept) < len(card.lines):
        kept.append(f"and {len(card.lines) - len(kept)} more lines")
    shown = {found for line in (title, *kept) for found in _MARK.findall(line)}
    return replace(card, title=title, lines=tuple(kept), marks=tuple(m for m in card.marks if m.id in shown))


def bounded_lines(lines: Sequence[str], longest: int = LONGEST) -> tuple[str, ...]:
    """As many of the lines as fit, and how many do not."""
    kept: list[str] = []
    room = longest
    for line in (_cut(line, 300) for line in lines):
        if len(line) + 60 > room:
            break
        kept.append(line)
        room -= len(line) + 1
    left = len(lines) - len(kept)
    return (*kept, f"and {left} more") if left else tuple(kept)


def _cut(text: str, length: int) -> str:
    """The text, cut at a word and never within a mark."""
    if len(text) <= length:
        return text
    return re.sub(r"\s*\[?[cs]?\d*$", "", text[: length - 1]).rstrip() + "…"


def subject_card(
    bench: Bench, marks: Marks, facts: tuple[Fact, ...], *, window: str, names: tuple[str, ...], each: int = 0
) -> Card:
    """The card of one concept's facts (standing `fact`), by its kind."""
    match facts[-1].kind:
        case "measurement" | "social":
            mass = mass_of(bench, facts[-1])
            return measurement_card(marks, facts, window=window, names=names, molar_mass=mass, each=each)
        case "medication":
            return drug_card(marks, facts, window=window, names=names)
    if each and len(facts) > 1:
        title = f"{names[-1]}{f', {window}' if window else ''}"
        return many_card(marks, facts, title=title, window=window, names=names)
    return event_card(marks, facts, title=_of_several(facts, window, names[-1]), window=window, names=names)


def _of_several(facts: tuple[Fact, ...], window: str, name: str) -> str:
    """The title of a card that brings several concepts together: the name they were asked for by; else its own."""
    if len({f.concept.key for f in facts}) < 2:
        return ""
    return f"{name}, {facts[-1].kind},{f' {window},' if window else ''} {len(facts)} records"


def many_card(
    marks: Marks,
    facts: tuple[Fact, ...],
    *,
    title: str = "",
    window: str = "",
    names: tuple[str, ...] = (),
    together: bool = False,
    oldest: bool = False,
) -> Card:
    """Every record on a row of its own, the newest (or oldest) first; `together` has those of one concept on one row.

    Of measurements that row is the latest (or first) result, with its own mark: a count of results says little of them.
    """
    kind: Kind = facts[0].kind
    ordered = compute.in_order(facts)
    groups = grouped(ordered) if together else tuple((f,) for f in ordered)
    if together and kind in ("measurement", "social"):
        groups = tuple({f.concept.key: (f,) for f in (reversed(ordered) if oldest else ordered)}.values())
    ranked = sorted(groups, key=lambda g: compute.when_key(g[0]))
    newest = sorted(groups, key=lambda g: (_goes_on(g), compute.when_key(g[-1])), reverse=True)
    title = title or f"{_PLURAL.get(kind, f'{kind}s')}{f', {window}' if window else ''}"
    return list_card(
        marks,
        tuple(ranked if oldest else newest),
        title=_cut(title, 120),
        kind=kind,
        window=window,
        everything=ordered,
        names=(*names, kind),
    )


def _goes_on(group: Sequence[Fact]) -> bool:
    return any(medications.taken(f) or f.details.get("clinical") in ("active", "recurrence", "relapse") for f in group)


def drug_card(marks: Marks, facts: tuple[Fact, ...], *, window: str, names: tuple[str, ...]) -> Card:
    """Orders and statements of a drug with whether it is taken; what was given or dispensed as a count."""
    orders = tuple(f for f in facts if f.details.get("role") in ("order", "statement")) or facts
    given = tuple(f for f in facts if f not in orders)
    active = tuple(f for f in orders if medications.taken(f))
    computed: list[Any] = []
    if active and len(active) != len(orders):
        computed.append((compute.compute("list", active), f"listed active: {len(active)}"))
    if given:
        told = f"given or dispensed {len(given)} times, {wording.span_of(given)}"
        computed.append((compute.compute("count", given), told))
    name = names[-1] if len({f.concept.key for f in orders}) > 1 else wording.label(orders[-1].concept)
    number = f"{len(orders)} order{'s' if len(orders) != 1 else ''}"
    title = f"{name}, medication,{f' {window},' if window else ''} {number}; {'taking' if active else 'not taking'} now"
    card = event_card(marks, orders, title=title, window=window, names=names, computed=tuple(computed))
    return replace(card, facts=compute.in_order(facts))


def analytes(bench: Bench, facts: tuple[Fact, ...]) -> tuple[tuple[Fact, ...], ...]:
    """The facts by analyte: codes of one meaning together, the parts of a panel apart."""
    groups: dict[Any, list[Fact]] = {}
    for fact in facts:
        entry = bench.catalogue.get(fact.kind, fact.concept.key)
        groups.setdefault((entry and bench.matcher.classes_of(entry)) or fact.concept.key, []).append(fact)
    return tuple(tuple(g) for g in groups.values())


def mass_of(bench: Bench, fact: Fact) -> float | None:
    """The molar mass (g/mol) of an analyte, where the lexicon has it: mass and substance concentrations then meet."""
    entry = bench.catalogue.get(fact.kind, fact.concept.key)
    for kind, name in sorted(bench.matcher.classes_of(entry)) if entry else ():
        known = bench.matcher.lexicon.by_id(kind, name)
        if known and known.attributes.get("molar_mass"):
            return float(known.attributes["molar_mass"])
    return None
