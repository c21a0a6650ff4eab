"""The lexicon's concepts in a text: the longest names at each place, in one pass."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from fhir_tools.lexicon import Entry, fold, lexicon, normalise

__all__ = ["KINDS", "Named", "concepts"]

KINDS = ("condition", "drug", "drug_class", "allergen", "lab", "procedure")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W\d_]+|\.\d+)*")
_SHORT = 3
"""Names of up to so many letters are words of their own as often: they count in capitals, or before a number."""
_NUMBER = re.compile(r"[ \t]*(?:[:=]|is|was|of)?[ \t]*\d")
_COMMON = frozenset(
    """all and are but can for had has her him his how its may new not now old one our out per she the too two use was
    who yes cold cut fall falls food foods fit history mass test tests screen stress weight height age level levels
    exercise activity pain problem problems condition surgery procedure procedures allergy allergies drug drugs
    medication medications medicine nut nuts pollen dust mold ed er ra gold o2 oxygen down deceased dead bipolar
    wound wounds complication complications""".split()
)
"""Names that as a word of a sentence name no record by themselves, or more often something else (ED, RA, GOLD)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """`text[start:end]` names one of the lexicon's entries; several where the name is ambiguous."""

    start: int
    end: int
    entries: tuple[Entry, ...]


def concepts(text: str) -> tuple[Named, ...]:
    """Every name of the lexicon in the text, in order and without overlap."""
    return tuple(_concepts(text, _names()))


def _concepts(text: str, names: dict[str, list[tuple[tuple[str, ...], tuple[Entry, ...]]]]) -> Iterator[Named]:
    words = [(m.start(), m.end(), _key(m[0])) for m in _WORD.finditer(text)]
    at = 0
    while at < len(words):
        found = next(
            (
                (len(name), entries)
                for name, entries in names.get(words[at][2], ())
                if all(word[2] == part for word, part in zip(words[at : at + len(name)], name, strict=False))
                and at + len(name) <= len(words)
                and _is_one(text, words[at : at + len(name)])
            ),
            None,
        )
        size = found[0] if found else 1
        start, end = words[at][0], words[at + size - 1][1]
        if found and (kept := _counted(text, start, end, found[1])):
            yield Named(start=start, end=end, entries=kept)
        at += size


def _is_one(text: str, words: list[tuple[int, int, str]]) -> bool:
    """Whether nothing that parts two names stands between the words."""
    gaps = (text[a[1] : b[0]] for a, b in itertools.pairwise(words))
    return all(len(gap) < 6 and not re.search(r"[.;:()\[\]]|\n\s*[\n•*-]", gap) for gap in gaps)


def _counted(text: str, start: int, end: int, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    word = text[start:end]
    if word.lower() in _COMMON:
        return ()
    if len(word) <= _SHORT and not word.isupper():
        return tuple(e for e in entries if e.kind == "lab") if _NUMBER.match(text, end) else ()
    return entries


@lru_cache(maxsize=50_000)
def _key(word: str) -> str:
    return fold(normalise(word))


@lru_cache(maxsize=1)
def _names() -> dict[str, list[tuple[tuple[str, ...], tuple[Entry, ...]]]]:
    """First word → the names that begin with it, the longest first."""
    known: dict[tuple[str, ...], list[Entry]] = defaultdict(list)
    for kind in KINDS:
        for entry in lexicon().entries(kind):
            for term in entry.terms:
                name = tuple(_key(m[0]) for m in _WORD.finditer(term))
                if name and entry not in known[name]:
                    known[name].append(entry)
    names: dict[str, list[tuple[tuple[str, ...], tuple[Entry, ...]]]] = defaultdict(list)
    for name, entries in sorted(known.items(), key=lambda item: -len(item[0])):
        names[name[0]].append((name, tuple(entries)))
    return dict(names)
