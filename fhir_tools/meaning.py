"""What a mention means in a chart: the kinds of record it can be of, and its concepts there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fhir_tools.catalogue import CatalogueEntry
from fhir_tools.codes import Matcher, Mention, names_of
from fhir_tools.types import Kind

__all__ = ["KIND_ORDER", "PREFERRED", "entries_meant", "is_image"]

PREFERRED: Mapping[str, tuple[Kind, ...]] = {
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

KIND_ORDER: tuple[Kind, ...] = (
    "measurement", "social", "condition", "medication", "immunization", "allergy", "procedure", "imaging",
    "report", "encounter", "document", "order", "careplan", "goal", "device", "patient", "family",
)  # fmt: skip
SERIES = ("measurement", "social", "immunization", "allergy")
"""Kinds in which one thing goes by several codes."""

Entries = list[CatalogueEntry]


def is_image(mention: Mention) -> bool:
    """Whether it names a body site or a modality and no concept of the chart: half of an imaging study's name."""
    return not mention.entries and bool({c.kind for c in mention.classes} & {"modality", "body_site"})


def entries_meant(mention: Mention, kinds: Sequence[Kind], matcher: Matcher) -> Entries:
    """The chart's concepts that a mention means, kind by kind: its very label where there is one, else by meaning."""
    found: Entries = []
    for kind in kinds:
        exact = [e for e in mention.entries if e.kind == kind]
        if any(_is_code(mention, e) for e in exact):
            found += exact
            continue
        meant = _meant(mention, kind, matcher)
        if kind in SERIES:
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
    named = [t for c in mention.classes if kind in PREFERRED.get(c.kind, ()) for t in c.terms if len(t) > 4]
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
