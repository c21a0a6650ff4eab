"""Look-up in the lexicon: exact and plural forms are dict hits, misspellings go through edit distance."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from functools import cached_property, lru_cache

from rapidfuzz import process
from rapidfuzz.distance import OSA

from fhir_tools.lexicon.entry import CVX, ICD10, Entry, fold, normalise
from fhir_tools.lexicon.tables import read_entries, read_icd10

__all__ = ["Lexicon", "lexicon"]

_SHORTEST_FUZZY = 5
_LABEL_WORD = re.compile(r"[a-z0-9.%+]+|/")
_ICD_SYSTEMS = frozenset({ICD10, "http://hl7.org/fhir/sid/icd-10", "urn:oid:2.16.840.1.113883.6.90"})
_SALTS = frozenset(
    "calcium magnesium potassium sodium zinc iron iodine urea lithium gold fluoride alcohol menthol petrolatum".split()
)


class Lexicon:
    """All entries with their indexes. Immutable once built; its caches are by value."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = tuple(entries)
        self._exact: dict[str, list[Entry]] = {}
        self._folded: dict[str, list[Entry]] = {}
        self._ids: dict[tuple[str, str], Entry] = {}
        self._codes: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        for entry in self._entries:
            self._index(entry)
        self.ingredients_of = lru_cache(maxsize=8192)(self._ingredients_of)
        self.fuzzy = lru_cache(maxsize=2048)(self._fuzzy)
        self.members = lru_cache(maxsize=None)(self._members)

    def _index(self, entry: Entry) -> None:
        self._ids.setdefault((entry.kind, entry.id), entry)
        for term in entry.terms:
            self._exact.setdefault(term, []).append(entry)
            if (folded := fold(term)) != term:
                found = self._folded.setdefault(folded, [])
                if entry not in found[-1:]:
                    found.append(entry)
        for system, code in entry.codes:
            self._codes[system, _code_key(system, code)].append(entry)

    def entries(self, kind: str | None = None) -> tuple[Entry, ...]:
        """Every entry, or those of one kind; `icd10` reads that table."""
        if kind == "icd10":
            return tuple(self._icd10.values())
        return tuple(e for e in self._entries if kind is None or e.kind == kind)

    def by_id(self, kind: str, entry_id: str) -> Entry | None:
        """The entry, or None. ICD-10 ids are written with their dot."""
        return self._icd10.get(entry_id) if kind == "icd10" else self._ids.get((kind, entry_id))

    def lookup(self, term: str, kinds: Collection[str] | None = None) -> tuple[Entry, ...]:
        """The entries that a term names; several where it is ambiguous, none where it is unknown.

        Plurals, possessives and hyphen, slash or space variants are tried when nothing matches as
        written. ICD-10 titles are searched last and only when `kinds` names `icd10`.
        """
        key = normalise(term)
        folded = fold(key)
        tables = ((self._exact, key), (self._exact, folded), (self._folded, folded))
        for table, wanted in tables:
            if found := _of_kinds(table.get(wanted, ()), kinds):
                return found
        return self._icd10_titles.get(folded, ()) if kinds is not None and "icd10" in kinds else ()

    def by_code(self, system: str, code: str, *, titles: bool = False) -> tuple[Entry, ...]:
        """The entries of a code. An ICD-10 code finds every prefix of it, the longest first.

        `titles` asks for the entry of the ICD-10-CM table as well (kind `icd10`, last), and reads that table.
        """
        if system not in _ICD_SYSTEMS:
            return tuple(self._codes.get((system, _code_key(system, code)), ()))
        bare = _code_key(ICD10, code)
        prefixes = [bare[:end] for end in range(len(bare), 2, -1)]
        found = [entry for prefix in prefixes for entry in self._codes.get((ICD10, prefix), ())]
        if titles:
            found += [self._icd10[dotted] for prefix in prefixes if (dotted := _dotted(prefix)) in self._icd10][:1]
        return tuple({(e.kind, e.id): e for e in found}.values())

    @cached_property
    def max_words(self) -> int:
        """Words in the longest term."""
        return max(term.count(" ") for term in self._exact) + 1

    @cached_property
    def _icd10(self) -> dict[str, Entry]:
        return {entry.id: entry for entry in read_icd10()}

    @cached_property
    def _icd10_titles(self) -> dict[str, tuple[Entry, ...]]:
        titles: dict[str, tuple[Entry, ...]] = {}
        for entry in self._icd10.values():
            key = fold(entry.terms[0])
            titles[key] = (*titles.get(key, ()), entry)
        return titles

    @cached_property
    def _by_length(self) -> dict[int, list[str]]:
        lengths: dict[int, list[str]] = defaultdict(list)
        for term in self._exact:
            lengths[len(term)].append(term)
        return lengths

    def _fuzzy(
        self, term: str, kinds: frozenset[str] | tuple[str, ...] | None = None, limit: int = 3
    ) -> tuple[tuple[Entry, float], ...]:
        """Entries whose term differs by few letters, with the likeness (1 is equal), the best first.

        One edit (a swap of neighbours counts as one) up to seven letters, two up to thirteen, three
        beyond; the first letter must agree. Terms of fewer than five letters are never guessed, and
        only the nearest distance counts, so that `hypertention` is not also `hypotension`.
        """
        key = normalise(term)
        if len(key) < _SHORTEST_FUZZY or not key[0].isalpha():
            return ()
        edits = 1 if len(key) < 8 else 2 if len(key) < 14 else 3
        lengths = range(max(_SHORTEST_FUZZY, len(key) - edits), len(key) + edits + 1)
        choices = [t for n in lengths for t in self._by_length.get(n, ()) if t[0] == key[0]]
        found = process.extract(key, choices, scorer=OSA.distance, score_cutoff=edits, limit=None)
        near = [(word, distance) for word, distance, _ in found if _of_kinds(self._exact[word], kinds)]
        best = min((distance for _, distance in near), default=0)
        scored: dict[tuple[str, str], tuple[Entry, float]] = {}
        for word in sorted(word for word, distance in near if distance == best):
            for entry in _of_kinds(self._exact[word], kinds):
                scored.setdefault((entry.kind, entry.id), (entry, 1 - best / max(len(key), len(word))))
        return tuple(scored.values())[:limit]

    def _members(self, class_id: str) -> frozenset[str]:
        """Drug ids in a class, those of its sub-classes included; empty for an unknown class."""
        classes = {class_id}
        while more := {e.id for e in self.entries("drug_class") if classes & set(e.parents)} - classes:
            classes |= more
        return frozenset(e.id for e in self.entries("drug") if classes & set(e.parents))

    @cached_property
    def _drug_names(self) -> dict[str, frozenset[str]]:
        """Names without spaces and slashes to the ingredients they stand for."""
        names: dict[str, frozenset[str]] = {}
        for entry in self.entries("drug"):
            ingredients = frozenset(entry.attributes.get("ingredients", entry.id).split("|"))
            for term in entry.terms:
                key = term.replace(" ", "").replace("/", "")
                # An ingredient's own name beats another's synonym; a brand of several makers names them all.
                names[key] = ingredients if term == entry.id else names.get(key, frozenset()) | ingredients
        for entry in self.entries("drug"):
            if "ingredients" not in entry.attributes:
                names[entry.terms[0].replace(" ", "").replace("/", "")] = frozenset({entry.id})
        return names

    def _ingredients_of(self, label: str) -> frozenset[str]:
        """The drug ids that a medication label names: ingredients, salts, brands and combination brands.

        The longest name wins at each place. A bare salt after a name ("fenoprofen calcium") is no
        ingredient; names of up to three letters count only at the start of the label.
        """
        words = _LABEL_WORD.findall(normalise(label))
        found: set[str] = set()
        at = 0
        while at < len(words):
            size, ingredients = self._name_at(words, at)
            if size and not (size == 1 and words[at] in _SALTS and _is_name(words, at - 1)):
                found |= ingredients
            at += max(size, 1)
        if not found:
            found = self._misspelt(words)
        return frozenset(found - {"insulin"} if any(i.startswith("insulin ") for i in found) else found)

    def _name_at(self, words: list[str], at: int) -> tuple[int, frozenset[str]]:
        for size in range(min(6, len(words) - at), 0, -1):
            span = words[at : at + size]
            if span[0] == "/" or span[-1] == "/":
                continue
            key = "".join(word for word in span if word != "/")
            if key in self._drug_names and (len(key) > 3 or at == 0):
                return size, self._drug_names[key]
        return 0, frozenset()

    def _misspelt(self, words: list[str]) -> set[str]:
        guesses = (self.fuzzy(word, ("drug",), 1) for word in words if len(word) >= 8)
        return {i for guess in guesses for entry, _ in guess for i in self._drug_names[entry.terms[0].replace(" ", "")]}


def _of_kinds(entries: Iterable[Entry], kinds: Collection[str] | None) -> tuple[Entry, ...]:
    return tuple(entries) if kinds is None else tuple(e for e in entries if e.kind in kinds)


def _is_name(words: list[str], at: int) -> bool:
    """Whether the word at a place can be a drug's name rather than a strength, a unit or the start."""
    return at >= 0 and len(words[at]) > 3 and words[at].isalpha()


def _code_key(system: str, code: str) -> str:
    """ICD-10 without its dot, CVX without leading zeros: charts write both both ways."""
    if system == ICD10:
        return code.replace(".", "").upper()
    return code.lstrip("0") if system == CVX else code


def _dotted(bare: str) -> str:
    return bare if len(bare) < 4 else f"{bare[:3]}.{bare[3:]}"


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """The shipped lexicon, built once per process."""
    return Lexicon(read_entries())
