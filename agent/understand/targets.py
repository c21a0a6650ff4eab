"""Which of the chart's concepts a mention means, and in which kind of record."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from agent.types import Op, Target
from agent.understand.reading import Reading, is_stay
from agent.understand.vocabulary import STAYS
from fhir_tools.catalogue import CatalogueEntry
from fhir_tools.codes import Matcher, Mention, names_of
from fhir_tools.meaning import KIND_ORDER, PREFERRED, entries_meant, is_image
from fhir_tools.types import Kind

__all__ = ["NUMERIC", "apposed", "distinct", "joined", "measured", "outranking", "target_of"]

NUMERIC: frozenset[Op] = frozenset(("highest", "lowest", "mean", "change", "trend", "compare", "range"))
"""Operations that only measurements have."""

Entries = list[CatalogueEntry]


def joined(mentions: Sequence[Mention]) -> list[tuple[Mention, ...]]:
    """Mentions, with a body site and a modality beside each other taken as one ("chest x-ray")."""
    groups: list[tuple[Mention, ...]] = []
    for m in mentions:
        if (
            groups
            and is_image(m)
            and not all(map(_is_modality, (*groups[-1], m)))
            and is_image(groups[-1][-1])
            and m.first - groups[-1][-1].last <= 2
        ):
            groups[-1] = (*groups[-1], m)
        else:
            groups.append((m,))
    return groups


_BESIDE = re.compile(r"[\s()/–-]*")
"""Between two names of one thing: "the antibiotic ceftriaxone", "meningitis (MCV4) vaccine"."""


def apposed(
    groups: Sequence[tuple[Mention, ...]], reading: Reading, meant: Callable[[tuple[Mention, ...]], Target]
) -> Iterator[Target]:
    """What the groups mean; names beside each other that have something in common are one, and mean just that."""
    waiting: list[tuple[Mention, ...]] = []
    for group in groups:
        before = waiting[-1] if waiting else ()
        between = _between(before[-1], group[0], reading) if before else "and"
        if not _BESIDE.fullmatch(between) and (re.search(_AND, between) or not _is_part(before, group, meant)):
            waiting.append(group)
        elif _common(before, group, meant):
            waiting[-1] = (*before, *group)
        elif _is_pressure(before, _PARTS) and _is_pressure(group, _WHOLE):
            pass
        elif (_is_pressure(before, _WHOLE) and _is_pressure(group, _PARTS)) or _against(before, group):
            waiting[-1] = group
        else:
            waiting.append(group)
    yield from map(meant, waiting)


_AND = r"[,;+&]|\b(?:and|or|plus|than|with|after|before|when|since|against|versus|vs)\b"


def _is_part(one: Sequence[Mention], other: Sequence[Mention], meant: Callable[[tuple[Mention, ...]], Target]) -> bool:
    """Whether one is measured within the other: "pCO2 in the arterial gases", "diastolic of his blood pressures"."""
    return all(meant(tuple(g)).kinds[:1] == ("measurement",) for g in (one, other))


def _between(one: Mention, other: Mention, reading: Reading) -> str:
    return reading.text[reading.words[one.last - 1].end : reading.words[other.first].start]


def _common(one: Sequence[Mention], other: Sequence[Mention], meant: Callable[[tuple[Mention, ...]], Target]) -> bool:
    if any(map(is_stay, (*one, *other))):
        return False
    both, apart = meant((*one, *other)), (meant(tuple(one)), meant(tuple(other)))
    return bool(both.keys) and any(len(t.keys) > len(both.keys) or not t.keys for t in apart)


_WHOLE = frozenset(("blood pressure",))
_PARTS = frozenset(("systolic blood pressure", "diastolic blood pressure"))


def _is_pressure(mentions: Sequence[Mention], which: frozenset[str]) -> bool:
    """Whether it is the blood pressure, or one of its two numbers, which are of one record."""
    return all(m.classes and {c.id for c in m.classes} <= which for m in mentions)


def _against(one: Sequence[Mention], other: Sequence[Mention]) -> bool:
    """A disease before a vaccine says what it is against."""
    return _are(one, "condition") and _are(other, "vaccine")


def _are(mentions: Sequence[Mention], kind: str) -> bool:
    return all(m.classes and all(c.kind == kind for c in m.classes) for m in mentions)


def _is_modality(mention: Mention) -> bool:
    return all(c.kind == "modality" for c in mention.classes)


def outranking(kinds: Sequence[Kind]) -> tuple[Kind, ...]:
    """The kinds in which words would have been taken sooner than in the first of these."""
    return KIND_ORDER[: KIND_ORDER.index(kinds[0])] if kinds else KIND_ORDER


def measured(targets: Sequence[Target]) -> bool:
    """Whether results are asked about, and nothing else."""
    return bool(targets) and all(t.kinds[:1] == ("measurement",) for t in targets)


def distinct(targets: Iterable[Target]) -> tuple[Target, ...]:
    """Targets that come to the same concepts are one."""
    seen: dict[Any, Target] = {}
    for target in targets:
        seen.setdefault((target.kinds, target.keys or target.label), target)
    return tuple(seen.values())


def target_of(mentions: Sequence[Mention], cued: tuple[Kind, ...], op: Op, matcher: Matcher) -> Target:
    """What the mentions (one, or a body site with its modality) mean; `cued` are the kinds that other words say."""
    kinds = _kinds(mentions, cued, op)
    found = [entries_meant(m, kinds, matcher) for m in mentions]
    keys = set.intersection(*({(e.kind, e.key) for e in es} for es in found)) if found else set()
    if kinds[:1] == ("encounter",) and any(is_stay(m) for m in mentions):
        keys = set()  # the class of an encounter is read from the encounters themselves
    entries = _best_kind([e for e in matcher.catalogue.entries if (e.kind, e.key) in keys], kinds)
    if len(mentions) == 1 and mentions[0].entries and _choices(mentions, entries, matcher):
        entries = [e for e in entries if e in mentions[0].entries] or entries  # of one meaning, the one that was named
    return Target(
        words=" ".join(m.words for m in mentions),
        label=_label(mentions, entries),
        kinds=tuple(dict.fromkeys(e.kind for e in entries)) or kinds,
        keys=tuple(dict.fromkeys(e.key for e in entries)),
        lexicon=tuple((c.kind, c.id) for m in mentions for c in m.classes),
        labels=_narrowed(mentions, entries),
        corrected=any(m.corrected for m in mentions),
        choices=_choices(mentions, entries, matcher),
    )


def _kinds(mentions: Sequence[Mention], cued: tuple[Kind, ...], op: Op) -> tuple[Kind, ...]:
    """The kinds of record a mention can be meant in, likeliest first. A relative's are meant only when that is said."""
    if all(m.words in STAYS for m in mentions):
        return ("encounter",)
    lexical = [k for m in mentions for c in m.classes for k in PREFERRED.get(c.kind, ())]
    chart = [e.kind for m in mentions for e in m.entries]
    if "family" in cued and ("condition" in lexical or "condition" in chart or "family" in chart):
        return ("family",)
    likely = [k for k in (*chart, *lexical) if k != "family"]
    if op in NUMERIC and "measurement" in likely:
        likely = [k for k in likely if k in ("measurement", "social")]
    if "allergy" in cued and set(likely) & {"allergy", "medication", "condition"}:
        return ("allergy",)
    first = [k for k in cued if k in likely]
    return tuple(dict.fromkeys((*first, *sorted(likely, key=KIND_ORDER.index))))


def _best_kind(entries: Entries, kinds: tuple[Kind, ...]) -> Entries:
    """Those of the likeliest kind that the chart has as facts; other standings only where there is nothing else."""
    for usable in (True, False):
        for kind in kinds:
            together = ("measurement", "social") if kind in ("measurement", "social") else (kind,)
            if any(e.kind in together and bool(e.count) == usable for e in entries):
                return [e for e in entries if e.kind in together and (not usable or e.count)]
    return []


def _label(mentions: Sequence[Mention], entries: Entries) -> str:
    if len({e.key for e in entries}) == 1:
        return entries[0].concept.label
    return next((c.label for m in mentions for c in m.classes), "") or " ".join(m.words for m in mentions)


def _narrowed(mentions: Sequence[Mention], entries: Entries) -> tuple[str, ...]:
    """One code can carry several texts ("Physical examination following birth"): those that were named."""
    if len(mentions) != 1 or any(e.kind not in ("procedure", "encounter", "report", "order") for e in entries):
        return ()
    every = {n for e in entries for n in e.labels}
    named = {n for n in every if mentions[0].words in names_of(n)}
    return tuple(sorted(named)) if len(every) > len(named) > 0 else ()


def _choices(mentions: Sequence[Mention], entries: Entries, matcher: Matcher) -> tuple[str, ...]:
    """Labels of distinct measurements that all fit the words: told, not guessed away."""
    if not entries or entries[0].kind not in ("measurement", "social"):
        return ()
    if any(matcher.is_panel((c.kind, c.id)) for m in mentions for c in m.classes):
        return ()
    groups: dict[Any, str] = {}
    for e in entries:
        groups.setdefault(matcher.classes_of(e) or e.key, e.concept.label)
    return tuple(sorted(groups.values())) if len(groups) > 1 else ()
