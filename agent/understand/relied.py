"""The kinds of record that must have been read for a question to be understood as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agent.types import Ask, Target
from agent.understand.targets import outranking
from agent.understand.vocabulary import STAYS
from fhir_tools.types import KINDS, Kind

__all__ = ["relied", "wanted"]


def relied(ask: Ask, cued: Sequence[Kind], *, passed_over: bool) -> tuple[Kind, ...]:
    """Kinds whose records, had they not been read, could make the question mean something else.

    All of them where words were not understood, were mended, or are known from a label of the chart alone: another
    label may fit better; so where a name is `passed_over` because the chart seems not to hold it. A name that the
    lexicon knows could also be meant in the kinds that come before the one it was found in.
    """
    named = tuple(_named(ask))
    if ask.unknown or passed_over or not all(map(_known, named)) or not (named or ask.kinds or ask.attribute):
        return KINDS
    kinds = (*ask.kinds, *cued, *(k for t in named if not _is_person(t) for k in (*t.kinds, *outranking(t.kinds))))
    return tuple(dict.fromkeys(k for k in kinds if k != "patient"))


_WIDE = ("describe", "find")
"""Operations over more kinds of record than the question names: what happened during a stay, what notes say."""


def wanted(ask: Ask, waiting: frozenset[Kind]) -> frozenset[Kind]:
    """Of the kinds that were not read yet, those that the question needs; it is to be understood again with them.

    First the kinds that its words can be meant in, by the lexicon and the cues; all of them where words are known to
    neither, where the chart does not hold what is named in those, and where the operation is over more than is named.
    """
    named = tuple(_named(ask))
    clear = bool(named or ask.kinds or ask.attribute) and not ask.unknown and ask.op not in _WIDE
    if not clear or not all(map(_clear, named)) or (ask.attribute and not named and ask.relies == KINDS):
        return waiting
    likely = waiting.intersection((*ask.kinds, *(k for t in named for k in t.kinds)))
    return likely or (frozenset() if all(t.keys or _is_stay(t) for t in named) else waiting)


def _named(ask: Ask) -> Iterator[Target]:
    yield from ask.targets
    if ask.anchor:
        yield ask.anchor.target
    if ask.purpose:
        yield ask.purpose


def _known(target: Target) -> bool:
    """Whether the words mean the same whatever else the chart holds."""
    return bool(target.keys or _is_stay(target)) and _clear(target)


def _clear(target: Target) -> bool:
    """Whether the words are the lexicon's own, or a demographic's, as they were typed."""
    return _is_stay(target) or _is_person(target) or bool(target.lexicon and not target.corrected)


def _is_person(target: Target) -> bool:
    return target.kinds[:1] == ("patient",) and not target.corrected


def _is_stay(target: Target) -> bool:
    return all(w in STAYS for w in target.words.split())
