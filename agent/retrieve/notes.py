"""Sentences of notes and reports that hold a question's subject, each with its span and how it is asserted."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from agent.retrieve.gather import Gather
from agent.types import IN_NOTES, Ask, Target
from fhir_tools import compute, wording
from fhir_tools.dates import Window
from fhir_tools.documents import Document, Found, find_words, sections, sentences
from fhir_tools.documents.times import times
from fhir_tools.facts import KIND_TYPES
from fhir_tools.records import usable, within
from fhir_tools.types import Card, Kind, Query, Span

__all__ = ["KINDS", "line", "notes_of", "quoted", "terms_of"]

KINDS: tuple[Kind, ...] = ("document", "report")
_NEWEST = re.compile(r"\b(last|latest|most recent|newest)\b", re.IGNORECASE)
_EITHER = re.compile(r"\bor\b|\band\b|,", re.IGNORECASE)
_QUOTES = 8
_LEADS = re.compile(r"impression|conclusion|assessment|diagnos|summary|course|findings|plan|interpretation", re.I)
_LEAD = 3
"""Sentences that stand for a whole document."""


async def quoted(gather: Gather, ask: Ask, window: Window | None) -> tuple[Card, ...]:
    """The sentences that hold what is asked about: those with all of it, else those with each. The newest stand last.

    Where nothing is asked about, the conclusion of the newest document that is meant.
    """
    meant = {k for t in ask.targets if t.kinds[:1] == ("document",) for k in t.keys}
    gather.rest_on(*KINDS)
    documents = [d for d in await notes_of(gather, window) if not meant or d.fact.concept.key in meant]
    for document in documents:
        if document.missed:
            gather.unread(Query(type="Binary"), document.missed)
    if meant and _NEWEST.search(ask.question):
        documents = documents[-1:]
    subjects = [t for t in ask.targets if t.kinds[:1] != ("document",)]
    found = _found(gather, documents, subjects, ask.question) if subjects else _lead(documents)
    _tell_unread(gather, documents)
    if not found:
        await _nowhere(gather, subjects, documents, window)
        return ()
    marks = [gather.marks.quote(f.document, f.span) for f in found]
    return (
        Card(
            title=IN_NOTES,
            kind="document",
            lines=tuple(line(m.id, f) for m, f in zip(marks, found, strict=True)),
            marks=tuple(marks),
            facts=tuple(m.fact for m in marks if m.fact),
            names=tuple(t.label for t in subjects),
        ),
    )


def _found(gather: Gather, documents: Sequence[Document], subjects: Sequence[Target], question: str) -> list[Found]:
    each = [find_words(documents, terms_of(gather, t), t.words) for t in subjects]
    together = [f for f in each[0] if all(any(_overlap(f, g) for g in other) for other in each[1:])]
    if len(subjects) > 1 and not together and not _EITHER.search(question):
        named = [found for t, found in zip(subjects, each, strict=True) if t.lexicon or t.keys]
        each = named if any(named) else []
    return _newest(together or itertools.chain.from_iterable(each))


def _overlap(a: Found, b: Found) -> bool:
    return a.document is b.document and a.span.start < b.span.end and b.span.start < a.span.end


def _newest(found: Iterable[Found]) -> list[Found]:
    """The newest of sentences that say the same, and the newest of those, oldest first."""
    latest = {(" ".join(f.sentence.split()).lower(), f.assertion): f for f in found}
    return sorted(latest.values(), key=lambda f: (compute.when_key(f.document.fact), f.span.start))[-_QUOTES:]


def _lead(documents: Sequence[Document]) -> list[Found]:
    """The conclusion of the newest document with text, else its first sentences."""
    document = next((d for d in reversed(documents) if d.text), None)
    if document is None:
        return []
    part = next((p for p in sections(document.text) if _LEADS.search(p[0])), ("", 0, len(document.text)))
    chosen = [s for s in sentences(document.text) if part[1] <= s[0] < part[2]]
    skip = len(chosen) > 1 and document.text[slice(*chosen[0])].strip(" :[]") == part[0].strip(" :[]")
    spans = chosen[skip : skip + _LEAD]
    return [
        Found(
            document=document,
            span=Span(start=a, end=b, quote=document.text[a:b]),
            assertion="affirmed",
            sentence=document.text[a:b],
        )
        for a, b in spans
    ]


async def _nowhere(
    gather: Gather, subjects: Sequence[Target], documents: Sequence[Document], window: Window | None
) -> None:
    label = ", ".join(t.label for t in subjects) or "that"
    await gather.absence(Target(words=label, label=label, kinds=KINDS), window.text if window else "")
    if any(_is_open(d) for d in documents):
        gather.absent[-1] = replace(gather.absent[-1], complete=False)


def _is_open(document: Document) -> bool:
    """Whether a document may hold what was not read of it; a report of results alone has no text to read."""
    bare = document.fact.kind == "report" and not document.missed and document.unread == "it holds no text"
    return bool(document.unread) and not bare


def _tell_unread(gather: Gather, documents: Sequence[Document]) -> None:
    """Name the documents of which something could not be read, and why: a few of them."""
    unread = [d for d in documents if _is_open(d)]
    for document in unread[:3]:
        fact = document.fact
        name = f"{wording.day_text(fact.when)} {wording.label(fact.concept)} ({fact.reference})"
        gather.warnings.append(f"{name} could not be read whole: {document.unread}")
    if len(unread) > 3:
        gather.warnings.append(f"{len(unread) - 3} more documents could not be read whole")


def line(mark: str, found: Found) -> str:
    """A quote as a card shows it: its mark, day and kind of note, and what is made of it."""
    fact = found.document.fact
    told: list[str] = [] if found.assertion == "affirmed" else [found.assertion]
    told += [f"that is {t.on}" for t in times(found.span.quote, fact.when)[:1] if t.on and _is_relative(found, t.start)]
    told += [f"read by {by}" for by in [found.document.read_by(found.span)] if by]
    tail = f" ({'; '.join(told)})" if told else ""
    return f'[{mark}] {wording.day_text(fact.when)} {wording.label(fact.concept)}: "{found.span.quote}"{tail}'


def _is_relative(found: Found, start: int) -> bool:
    """Whether the time is told without its year, so that the day it means is to be said."""
    return not re.match(r"(?:on\s+)?\d{4}\b|.{0,20}\b(?:19|20)\d\d\b", found.span.quote[start : start + 24])


def terms_of(gather: Gather, target: Target) -> tuple[str, ...]:
    """The words of a target, and what the lexicon and the chart call it."""
    entries = [gather.chart.matcher.lexicon.by_id(kind, name) for kind, name in target.lexicon]
    return tuple(dict.fromkeys((target.words, *(t for e in entries if e for t in e.terms))))


async def notes_of(gather: Gather, window: Window | None = None) -> list[Document]:
    """The notes and reports of a window, the oldest first; one text is read once, however many records hold it."""
    entries = gather.chart.catalogue.of(*KINDS)
    types = [t for k in KINDS for t in KIND_TYPES[k] if any(t in e.types for e in entries)]
    results = await asyncio.gather(*(gather.search(gather.query(t)) for t in types))
    wanted = [
        (resource, fact)
        for result in results
        for resource, stated in zip(result.matches, gather.chart.stated(result), strict=True)
        for fact in within(usable(f for f in stated[:1] if not gather.later(f)), window)
    ]
    documents = await asyncio.gather(*(gather.chart.document(r, f) for r, f in wanted))
    ordered = sorted(documents, key=lambda d: (compute.when_key(d.fact), d.fact.kind == "document"))
    known = {" ".join(d.text.split()) or str(d.fact.reference): d for d in ordered}
    return [d for d in ordered if known[" ".join(d.text.split()) or str(d.fact.reference)] is d]
