"""What to read of a chart's results for one analyte: its own, and whatever is not certainly another. Pure.

Most results are of a few dozen analytes with LOINC codes that everybody uses. A question about one analyte does
without those of the others. Nothing else may be left out: what has a local code, a rare one or none could be meant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from fhir_tools.lexicon import Entry, fold, lexicon, normalise
from fhir_tools.search.query import escape
from fhir_tools.types import Query, Reference

__all__ = ["Focus", "focus_on"]

_LOINC = "http://loinc.org"
_COMMON = (
    # vital signs, smoking
    "85354-9", "8867-4", "9279-1", "29463-7", "8302-2", "39156-5", "8310-5", "2708-6", "59408-5", "72166-2", "72514-3",
    # metabolic panel; serum, then blood
    "2345-7", "3094-0", "2160-0", "2951-2", "2823-3", "2075-0", "2028-9", "17861-6", "98979-8", "33914-3", "2885-2",
    "1751-7", "1975-2", "6768-6", "1742-6", "1920-8",
    # blood count
    "718-7", "4544-3", "6690-2", "789-8", "777-3", "787-2", "785-6", "786-4", "788-0",
    # sugar, lipids
    "4548-4", "2093-3", "2571-8", "18262-6", "13457-7", "2085-9",
    # in blood, and what is next
    "2339-0", "6299-2", "38483-4", "2947-0", "6298-4", "2069-3", "20565-8", "49765-1", "21000-5", "32207-3", "32623-1",
    "9318-7", "6301-6", "3016-3", "2777-1", "19123-9", "1988-5", "5902-2",
)  # fmt: skip
"""Codes that most results of most charts have, the commonest groups first."""
_OTHERS = 52
_OWN = 40
_NEAR = 6
"""Of the analyte's own codes, those that the search for the rest leaves out too: they are read by the other one."""
_EVERYWHERE = 12
"""A word in the names of more analytes than this ("level", "serum") does not tell them apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Focus:
    """`own` are the tokens (`system|code`) of what is asked about, `others` those whose results cannot be it."""

    own: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def apart(self) -> tuple[str, ...]:
        """The tokens that the search for all the rest leaves out."""
        return (*self.own[:_NEAR], *self.others)

    def query(self, patient: Reference) -> Query:
        """The search for the analyte's own results, in panels or alone."""
        return Query(type="Observation", params=(("patient", str(patient)), ("combo-code", ",".join(self.own))))


def focus_on(known: Entry, question: str) -> Focus | None:
    """What to read for an analyte; None for a panel, for one without codes or of common words ("total protein").

    Another analyte stays in as soon as one of its names shares a word with the question: the chart's own label of it
    may then be what is meant. A panel stays in for what could be one of its parts.
    """
    if known.kind != "lab" or not known.codes or known.id in _panels():
        return None
    words = {fold(w) for w in normalise(question).split()} - _common_words()
    own = {code for _, code in known.codes}
    others = [c for c in _COMMON if c not in own and _is_other(c, known, words)]
    if not others or words.isdisjoint(_words()[known.id]):
        return None
    return Focus(
        own=tuple(f"{escape(system)}|{escape(code)}" for system, code in known.codes[:_OWN]),
        others=tuple(f"{_LOINC}|{code}" for code in others[:_OTHERS]),
    )


def _is_other(code: str, known: Entry, words: set[str]) -> bool:
    named = lexicon().by_code(_LOINC, code)
    return bool(named) and all(_is_apart(e, known, words) for e in named)


def _is_apart(other: Entry, known: Entry, words: set[str]) -> bool:
    if other.id in _panels() and (other.id in known.parents or set(other.parents) & set(known.parents)):
        return False
    return known.id not in other.parents and not words & _words().get(other.id, frozenset())


@cache
def _words() -> Mapping[str, frozenset[str]]:
    """The words in the names of each analyte, by its id."""
    named = {e.id: (normalise(e.label), *e.terms) for e in lexicon().entries("lab")}
    return {id_: frozenset(fold(w) for name in names for w in name.split()) for id_, names in named.items()}


@cache
def _panels() -> frozenset[str]:
    return frozenset(p for e in lexicon().entries("lab") for p in e.parents)


@cache
def _common_words() -> frozenset[str]:
    numbers = Counter(w for words in _words().values() for w in words)
    return frozenset(w for w, n in numbers.items() if n > _EVERYWHERE)
