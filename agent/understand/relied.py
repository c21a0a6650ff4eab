"""The kinds of record that must have been read for a question to be understood as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agent.chart import RESULTS, Chart
from agent.types import Ask, Target
from agent.understand.targets import outranking
from agent.understand.vocabulary import STAYS
from fhir_tools.focus import Focus, focus_on
from fhir_tools.lexicon import lexicon
from fhir_tools.types import KINDS, Kind

__all__ = ["focus_of", "relied", "wanted"]


def relied(ask: Ask, cued: Sequence[Kind], *, passed_over: bool) -> tuple[Kind, ...]:
    """Kinds whose records, had they not been read, could make the question mean something else.

    All of them where words were not understood, were mended, or are known from a label of the chart alone: another
    label may fit better; so where a name is `passed_over` because the chart seems not to hold it. A name that the
    lexicon knows could also be meant in the kinds that come before the one it was found in.
    """
    named = tuple(_named(ask))
    unsure = ask.unknown or ask.asides or passed_over
    if unsure or not all(map(_known, named)) or not (named or ask.kinds or ask.attribute):
        return KINDS
    kinds = (*ask.kinds, *cued, *(k for t in named if not _is_person(t) for k in (*t.kinds, *outranking(t.kinds))))
    return tuple(dict.fromkeys(k for k in kinds if k != "patient"))


_MEASURED = (("measurement",), ("social",))
_WIDE = ("describe", "find")
"""Operations over more kinds of record than the question names: what happened during a stay, what notes say."""


def wanted(ask: Ask, chart: Chart) -> frozenset[Kind]:
    """Of the kinds that were not read yet, those that the question needs; it is to be understood again with them.

    First the kinds that its words can be meant in, by the lexicon and the cues; all of them where words are known to
    neither, where the chart does not hold what is named in those, and where the operation is over more than is named.
    The results alone where they may settle the question; all of them where those that may be one analyte do not.
    """
    if ask.parts:
        return frozenset().union(*(wanted(part, chart) for part in ask.parts))
    if chart.focus and _is_settled(ask, chart):
        return frozenset()
    if chart.focus:
        return RESULTS | (_missing(ask, chart.waiting) if any(t.keys for t in ask.targets) else chart.waiting)
    kinds = _missing(ask, chart.waiting)
    return RESULTS if chart.narrows and kinds >= RESULTS and focus_of(ask) else kinds


def _missing(ask: Ask, waiting: frozenset[Kind]) -> frozenset[Kind]:
    named = tuple(_named(ask))
    clear = bool(named or ask.kinds or ask.attribute) and not (ask.unknown or ask.asides) and ask.op not in _WIDE
    if not clear or not all(map(_clear, named)) or (ask.attribute and not named and ask.relies == KINDS):
        return waiting
    likely = waiting.intersection((*ask.kinds, *(k for t in named for k in t.kinds)))
    return likely or (frozenset() if all(t.keys or _is_stay(t) for t in named) else waiting)


def focus_of(ask: Ask) -> Focus | None:
    """What of the results is enough for a question: it names one analyte by the lexicon's words, and nothing else."""
    target = ask.targets[0] if len(ask.targets) == 1 else None
    beside = (ask.parts, ask.anchor, ask.purpose, ask.unknown, ask.asides, ask.relative, ask.attribute)
    if target is None or any(beside) or ask.op in _WIDE:
        return None
    if len(target.lexicon) != 1 or not _clear(target) or ask.kinds[:1] not in _MEASURED:
        return None
    known = lexicon().by_id(*target.lexicon[0])
    return focus_on(known, f"{ask.question} {target.words}") if known else None


def _is_settled(ask: Ask, chart: Chart) -> bool:
    """Whether the results that were read are what the question means: what was left out can then change nothing."""
    if focus_of(ask) != chart.focus:
        return False
    target = ask.targets[0]
    entries = [chart.catalogue.get(kind, key) for kind in target.kinds for key in target.keys]
    found = [e for e in entries if e and e.count]
    return not target.choices and RESULTS.issuperset(target.kinds) and len(found) >= len(target.keys) > 0


def _named(ask: Ask) -> Iterator[Target]:
    yield from ask.targets
    if ask.anchor:
        yield ask.anchor.target
        if ask.anchor.cause:
            yield ask.anchor.cause
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
