"""Questions that a chart can answer, made of its catalogue and held against what rules understand of them."""

from __future__ import annotations

import itertools
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

    def fits(self, said: Sequence[str]) -> bool:
        """Whether each word that was typed begins one of these."""
        return all(any(word.startswith(s) for word in self.words) for s in said)

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
    """Those of whose words each typed one is the beginning, and those about what the text names by another word.

    First those that begin as typed, then those that begin with its first word, then what is recorded often.
    """
    meant = {key for target in understand(text, chart).targets for key in target.keys}
    fitting = [c for c in _candidates(chart) if c.fits(said) or (c.entry and c.entry.key in meant)]
    begun = " ".join(text.lower().split())

    def rank(candidate: _Candidate) -> tuple[bool, bool, float]:
        often = candidate.entry.count if candidate.entry else float("inf")
        told = candidate.text.lower()
        return not told.startswith(begun), not told.startswith(said[0]), -often

    return sorted(fitting, key=rank)


def _first(chart: Chart) -> Iterator[_Candidate]:
    """The most recorded concepts of each kind in turn, between them questions of whole kinds."""
    general = _general(chart)
    newest = {
        kind: sorted(_usable(chart, kind), key=lambda e: (e.last or "", e.count), reverse=True) for kind in _ABOUT
    }
    for place in range(_EACH):
        for entries in newest.values():
            for entry in entries[place : place + 1]:
                about = list(_about(chart, entry))
                yield about[place % len(about)]  # not the same question of each concept
            yield from itertools.islice(general, 1)


def _candidates(chart: Chart) -> Iterator[_Candidate]:
    yield from _general(chart)
    for kind in _ABOUT:
        for entry in _usable(chart, kind):
            yield from _about(chart, entry)


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
        if template not in _COURSE or entry.count >= _ENOUGH:
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
