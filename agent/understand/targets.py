"""Which of the chart's concepts a mention means, and in which kind of record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agent.types import Op, Target
from agent.understand.reading import is_stay
from agent.understand.vocabulary import STAYS
from fhir_tools.catalogue import CatalogueEntry
from fhir_tools.codes import Matcher, Mention, names_of
from fhir_tools.types import Kind

__all__ = ["NUMERIC", "distinct", "joined", "outranking", "target_of"]

NUMERIC: frozenset[Op] = frozenset(("highest", "lowest", "mean", "change", "trend", "compare", "range"))
"""Operations that only measurements have."""

_PREFERRED: Mapping[str, tuple[Kind, ...]] = {
    "lab": ("measurement", "social", "report", "procedure"),
    "condition": ("condition",),
    "icd10": ("condition",),
    "drug": ("medication",),
    "drug_class": ("medication",),
    "vaccine": ("immunization",),
    "allergen": ("allergy",),
    "procedure": ("procedure", "imaging", "report"),
    "modality": ("imaging", "report", "procedure"),
    "body_site": ("imaging", "report", "procedure"),
    "document": ("document", "report"),
    "encounter": ("encounter",),
    "relationship": ("family",),
}
"""The kinds of a chart's records in which a lexicon meaning is looked for, likeliest first."""

_KIND_ORDER: tuple[Kind, ...] = (
    "measurement", "social", "condition", "medication", "immunization", "allergy", "procedure", "imaging",
    "report", "encounter", "document", "order", "careplan", "goal", "device", "patient", "family",
)  # fmt: skip
_SERIES = ("measurement", "social", "immunization", "allergy")
"""Kinds in which one thing goes by several codes."""

Entries = list[CatalogueEntry]


def joined(mentions: Sequence[Mention]) -> list[tuple[Mention, ...]]:
    """Mentions, with a body site and a modality beside each other taken as one ("chest x-ray")."""
    groups: list[tuple[Mention, ...]] = []
    for m in mentions:
        if groups and _is_image(m) and _is_image(groups[-1][-1]) and m.first - groups[-1][-1].last <= 2:
            groups[-1] = (*groups[-1], m)
        else:
            groups.append((m,))
    return groups


def outranking(kinds: Sequence[Kind]) -> tuple[Kind, ...]:
    """The kinds in which words would have been taken sooner than in the first of these."""
    return _KIND_ORDER[: _KIND_ORDER.index(kinds[0])] if kinds else _KIND_ORDER


def _is_image(mention: Mention) -> bool:
    return not mention.entries and bool({c.kind for c in mention.classes} & {"modality", "body_site"})


def distinct(targets: Iterable[Target]) -> tuple[Target, ...]:
    """Targets that come to the same concepts are one."""
    seen: dict[Any, Target] = {}
    for target in targets:
        seen.setdefault((target.kinds, target.keys or target.label), target)
    return tuple(seen.values())


def target_of(mentions: Sequence[Mention], cued: tuple[Kind, ...], op: Op, matcher: Matcher) -> Target:
    """What the mentions (one, or a body site with its modality) mean; `cued` are the kinds that other words say."""
    kinds = _kinds(mentions, cued, op)
    found = [_entries(m, kinds, matcher) for m in mentions]
    keys = set.intersection(*({(e.kind, e.key) for e in es} for es in found)) if found else set()
    if kinds[:1] == ("encounter",) and any(is_stay(m) for m in mentions):
        keys = set()  # the class of an encounter is read from the encounters themselves
    entries = _best_kind([e for e in matcher.catalogue.entries if (e.kind, e.key) in keys], kinds)
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
    lexical = [k for m in mentions for c in m.classes for k in _PREFERRED.get(c.kind, ())]
    chart = [e.kind for m in mentions for e in m.entries]
    if "family" in cued and ("condition" in lexical or "condition" in chart or "family" in chart):
        return ("family",)
    likely = [k for k in (*chart, *lexical) if k != "family"]
    if op in NUMERIC and "measurement" in likely:
        likely = [k for k in likely if k in ("measurement", "social")]
    if "allergy" in cued and set(likely) & {"allergy", "medication", "condition"}:
        return ("allergy",)
    first = [k for k in cued if k in likely]
    return tuple(dict.fromkeys((*first, *sorted(likely, key=_KIND_ORDER.index))))


def _entries(mention: Mention, kinds: tuple[Kind, ...], matcher: Matcher) -> Entries:
    """The chart's concepts that a mention means, kind by kind: its very label where there is one, else by meaning."""
    found: Entries = []
    for kind in kinds:
        exact = [e for e in mention.entries if e.kind == kind]
        if any(_is_code(mention, e) for e in exact):
            found += exact
            continue
        meant = _meant(mention, kind, matcher)
        if kind in _SERIES:
            same = {c for e in exact for c in matcher.classes_of(e)}
            found += [*exact, *(e for e in matcher.entries_of(same, (kind,)) if matcher.classes_of(e) & same)]
            found += [] if exact else meant
        elif exact and kind == "medication" and any(c.kind in ("drug", "drug_class") for c in mention.classes):
            found += [*exact, *meant]
        else:
            found += exact or meant
    return list({(e.kind, e.key): e for e in found}.values())


def _is_code(mention: Mention, entry: CatalogueEntry) -> bool:
    """Whether the mention is one of the concept's codes as typed, with its system's name or without."""
    codes = {n for c in entry.concept.codings for n in names_of(c.code)}
    return any(mention.words == code or mention.words.endswith(f" {code}") for code in codes)


def _meant(mention: Mention, kind: Kind, matcher: Matcher) -> Entries:
    """By the lexicon's meanings: the thing itself before a panel's parts; else labels that hold a term for it."""
    classes = {(c.kind, c.id) for c in mention.classes}
    if kind == "medication":
        return _drugs(mention, classes, matcher)
    if kind == "allergy":  # a substance is a drug or a class of drugs as well: an NSAID allergy is one to ibuprofen
        terms = {t for c in mention.classes if c.kind == "allergen" for t in c.terms}
        classes |= {(e.kind, e.id) for t in terms for e in matcher.lexicon.lookup(t, ("drug", "drug_class"))}
    entries = matcher.entries_of(classes, (kind,))
    if kind in ("measurement", "social", "immunization"):
        itself = [e for e in entries if matcher.classes_of(e) & classes]
        return itself or list(entries)
    if entries:
        return list(entries)
    named = [t for c in mention.classes if kind in _PREFERRED.get(c.kind, ()) for t in c.terms if len(t) > 4]
    return [e for t in named for e in matcher.by_words(t, (kind,))]


def _drugs(mention: Mention, classes: set[tuple[str, str]], matcher: Matcher) -> Entries:
    """A brand that the chart writes is that brand; else the ingredients: all of them for a combination."""
    if mention.words not in {i for _, i in classes}:
        branded = matcher.by_words(mention.words, ("medication",))
        if branded:
            return list(branded)
    combined = next((c.attributes["ingredients"] for c in mention.classes if c.attributes.get("ingredients")), "")
    if combined:
        whole = {("drug", d) for d in combined.split("|")}
        return [e for e in matcher.catalogue.of("medication") if whole <= matcher.classes_of(e)]
    return list(matcher.entries_of(classes, ("medication",)))


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
