"""Questions that a chart can answer, made of its catalogue and held against what rules understand of them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass

from agent.chart import Chart
from agent.summaries.reading import Reader
from agent.types import Ask
from agent.understand import understand
from fhir_tools import wording
from fhir_tools.catalogue import CatalogueEntry
from fhir_tools.types import Kind, Quantity

__all__ = ["suggestions"]

_GENERAL: tuple[tuple[str, Kind], ...] = (
    ("What medications are being taken?", "medication"),
    ("What are the active problems?", "condition"),
    ("What allergies are recorded?", "allergy"),
    ("Last visit?", "encounter"),
    ("Vaccinations?", "immunization"),
    ("Family history?", "family"),
)
"""Questions of a whole kind of record, asked where the chart has such records."""

_COURSE: tuple[str, ...] = ("Trend of {}?", "Highest {}?")
_ABOUT: dict[Kind, tuple[str, ...]] = {
    "measurement": ("Last {}?", *_COURSE),
    "condition": ("When did {} begin?",),
    "medication": ("Is {} still taken?", "When was {} started?"),
    "procedure": ("When was {}?",),
    "immunization": ("Last {} vaccination?",),
    "allergy": ("Is there an allergy to {}?",),
    "report": ("Last {}?",),
    "imaging": ("Last {}?",),
    "document": ("Last {}?",),
}
"""Kind → questions about one concept of it."""

_ENOUGH = 3
"""Results from which a course can be told."""
_EACH = 2
"""Concepts of a kind that are suggested to whoever has typed nothing."""
_STRENGTH = re.compile(r"\s+(?=\d)|,|\s\[|\s\(")
_RELEASE = re.compile(r"^\d+ HR ")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A question about one concept, or about a kind of record (no entry). `words` are those it can be found by."""

    text: str
    entry: CatalogueEntry | None = None
    words: tuple[str, ...] = ()

    @property
    def course(self) -> bool:
        """Whether only numbers can answer it."""
        return self.entry is not None and any(self.text.startswith(t.partition("{")[0]) for t in _COURSE)


async def suggestions(chart: Chart, text: str = "", limit: int = 8) -> list[str]:
    """Questions that complete the text, the likeliest first; without a text a choice from all over the chart.

    Each is understood by the rules in this chart, and is about what the chart holds.
    """
    said = _words(text)
    found = _completing(chart, said, text) if said else _first(chart)
    told: dict[str, None] = {}
    async for question in _understood(chart, found):
        told[question] = None
        if len(told) == limit:
            break
    return list(told)


def _completing(chart: Chart, said: Sequence[str], text: str) -> Iterable[_Candidate]:
    """Those of whose words each typed one is the beginning; first those that begin as typed, then what is frequent."""
    fitting = [c for c in _candidates(chart) if all(any(w.startswith(s) for w in c.words) for s in said)]
    begun = " ".join(text.lower().split())
    return sorted(fitting, key=lambda c: (not c.text.lower().startswith(begun), -(c.entry.count if c.entry else 1e9)))


def _first(chart: Chart) -> Iterator[_Candidate]:
    """The most recorded concepts of each kind in turn, between them questions of whole kinds."""
    general = _general(chart)
    for kind in _ABOUT:
        entries = sorted(_usable(chart, kind), key=lambda e: (e.last or "", e.count), reverse=True)
        for place, entry in enumerate(entries[:_EACH]):
            # Not the same question of each concept.
            about = [c for c in _about(chart, entry) if not c.course or entry.count >= _ENOUGH]
            yield about[place % len(about)]
        yield from (c for c in [next(general, None)] if c)


def _candidates(chart: Chart) -> Iterator[_Candidate]:
    yield from _general(chart)
    for kind in _ABOUT:
        for entry in _usable(chart, kind):
            yield from (c for c in _about(chart, entry) if not c.course or entry.count >= _ENOUGH)


def _general(chart: Chart) -> Iterator[_Candidate]:
    for question, kind in _GENERAL:
        if _usable(chart, kind):
            yield _Candidate(text=question, words=tuple(_words(question)))


def _usable(chart: Chart, kind: Kind) -> list[CatalogueEntry]:
    return [e for e in chart.catalogue.of(kind) if e.count]


def _about(chart: Chart, entry: CatalogueEntry) -> Iterator[_Candidate]:
    name = _name(entry)
    others = " ".join((*entry.labels, *(term for _, term in chart.matcher.classes_of(entry))))
    for template in _ABOUT[entry.kind]:
        text = template.format(name)
        yield _Candidate(text=text, entry=entry, words=(*_words(text), *_words(others)))


def _name(entry: CatalogueEntry) -> str:
    """The chart's label; of a drug without its strength and form, as people say it."""
    label = wording.label(entry.concept)
    return _STRENGTH.split(_RELEASE.sub("", label))[0] if entry.kind == "medication" else label


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


async def _understood(chart: Chart, found: Iterable[_Candidate]) -> AsyncIterator[str]:
    """The questions that the rules take as they are meant. A course needs numbers, which one result shows."""
    reader = Reader(chart)
    for candidate in found:
        if not _is_meant(understand(candidate.text, chart), candidate.entry):
            continue
        if candidate.course and candidate.entry:
            latest = await reader.entry(candidate.entry, 1)
            if not any(isinstance(f.value, Quantity) for f in latest):
                continue
        yield candidate.text


def _is_meant(ask: Ask, entry: CatalogueEntry | None) -> bool:
    if ask.unknown or any(not t.known or t.choices for t in ask.targets):
        return False
    return entry is None or any(entry.key in t.keys for t in ask.targets)
