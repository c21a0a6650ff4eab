"""What a drug or an allergy is made of: ingredients and classes of the lexicon, by code and by name."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from fhir_tools.lexicon import lexicon
from fhir_tools.lexicon.entry import RXNORM
from fhir_tools.types import Concept

__all__ = ["Substance", "classes_of", "is_within", "known", "substance"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Substance:
    """The ingredients that a concept names (drug ids), and the classes that it names itself ("NSAIDs", an allergy).

    Both are empty where neither its codes nor its label are understood: nothing can be said of it then.
    """

    ingredients: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()

    @property
    def understood(self) -> bool:
        """Whether anything is known of it."""
        return bool(self.ingredients or self.classes)


@lru_cache(maxsize=4096)
def substance(concept: Concept) -> Substance:
    """By RxNorm code, else by the label: brands, salts and products of several ingredients included.

    A code that the lexicon has names ingredients; the label adds those of a combination whose code is of one of them.
    """
    lex = lexicon()
    found: set[str] = set()
    for coding in concept.codings:
        for entry in lex.by_code(coding.system or "", coding.code) if coding.system == RXNORM else ():
            if entry.kind == "drug":
                found.update(entry.attributes.get("ingredients", entry.id).split("|"))
    labels = [label for label in dict.fromkeys((concept.label, *(c.display or "" for c in concept.codings))) if label]
    # A label that is a class's name is no drug's: "Penicillins" would be taken for a misspelt penicillin.
    named = frozenset(c for label in labels for c in _named(label))
    if not named:
        found.update(i for label in labels for i in lex.ingredients_of(label))
    return Substance(ingredients=frozenset(found), classes=frozenset() if found else named)


def _named(label: str) -> frozenset[str]:
    """The drug classes that a label names: itself, or as an allergen under another of its names."""
    lex = lexicon()
    if lex.lookup(label, ("drug",)):
        return frozenset()
    terms = {label, *(t for e in lex.lookup(label, ("allergen",)) for t in e.terms)}
    return frozenset(e.id for term in terms for e in lex.lookup(term, ("drug_class",)))


def classes_of(ingredient: str) -> frozenset[str]:
    """The classes that an ingredient is directly in; empty for an unknown one."""
    entry = lexicon().by_id("drug", ingredient)
    return frozenset(entry.parents) if entry else frozenset()


def known(name: str) -> bool:
    """Whether a name is a drug's or a drug class's id in the lexicon."""
    lex = lexicon()
    return lex.by_id("drug", name) is not None or lex.by_id("drug_class", name) is not None


def is_within(ingredient: str, names: Collection[str]) -> bool:
    """Whether an ingredient is one of the names, or a member of a class among them (sub-classes included)."""
    return ingredient in names or any(ingredient in lexicon().members(name) for name in names)
