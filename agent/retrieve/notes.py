"""Sentences of notes that hold a question's subject, each with its span and how it is asserted."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

from agent.retrieve.gather import Gather
from agent.types import Ask, Target
from fhir_tools import compute, wording
from fhir_tools.dates import Window
from fhir_tools.documents import Document, Found, find, read_document
from fhir_tools.facts import KIND_TYPES, facts_of
from fhir_tools.records import usable, within
from fhir_tools.types import Card, Mark, Query

__all__ = ["quoted"]

_NEWEST = re.compile(r"\b(last|latest|most recent|newest)\b", re.IGNORECASE)
_QUOTES = 8


async def quoted(gather: Gather, ask: Ask, window: Window | None) -> tuple[Card, ...]:
    """Sentences of notes that hold the question's subject, each with its span and how it is asserted."""
    kinds = {k for t in ask.targets if t.kinds[:1] == ("document",) for k in t.keys}
    documents = [d for d in await _documents(gather, window) if not kinds or d.fact.concept.key in kinds]
    if kinds and _NEWEST.search(ask.question):
        documents = sorted(documents, key=lambda d: compute.when_key(d.fact))[-1:]
    subjects = [t for t in ask.targets if t.kinds[:1] != ("document",)]
    quotes: list[Mark] = []
    lines = []
    for target in subjects:
        for found in find(documents, _terms(gather, target))[-_QUOTES:]:
            mark = gather.marks.quote(found.document.fact, found.span)
            quotes.append(mark)
            lines.append(_line(mark.id, found))
    unread = [d for d in documents if d.unread]
    if unread:
        gather.warnings.append(f"{len(unread)} of {len(documents)} documents could not be read ({unread[0].unread})")
    if not quotes:
        label = ", ".join(t.label for t in subjects) or "that"
        await gather.absence(Target(words=label, label=label, kinds=("document",)), window.text if window else "")
        if unread:
            gather.absent[-1] = replace(gather.absent[-1], complete=False)
        return ()
    return (
        Card(
            title="In the notes",
            kind="document",
            lines=tuple(lines),
            marks=tuple(quotes),
            facts=tuple(m.fact for m in quotes if m.fact),
            names=tuple(t.label for t in subjects),
        ),
    )


def _line(mark: str, found: Found) -> str:
    told = "" if found.assertion == "affirmed" else f" ({found.assertion})"
    fact = found.document.fact
    return f'[{mark}] {wording.day_text(fact.when)} {wording.label(fact.concept)}: "{found.span.quote}"{told}'


def _terms(gather: Gather, target: Target) -> tuple[str, ...]:
    entries = [gather.chart.matcher.lexicon.by_id(kind, name) for kind, name in target.lexicon]
    return tuple(dict.fromkeys((target.words, *(t for e in entries if e for t in e.terms))))


async def _documents(gather: Gather, window: Window | None) -> tuple[Document, ...]:
    gather.rest_on("document")
    entries = gather.chart.catalogue.of("document")
    kinds = [kind for kind in KIND_TYPES["document"] if any(kind in e.types for e in entries)]
    results = await asyncio.gather(*(gather.search(gather.query(kind)) for kind in kinds))
    wanted = [
        (resource, fact)
        for result in results
        for resource in result.matches
        for fact in within(usable(f for f in facts_of(resource) if not gather.later(f)), window)
    ]
    documents = await asyncio.gather(*(read_document(r, f, gather.chart.source) for r, f in wanted))
    for document in documents:
        if document.missed:
            gather.unread(Query(type="Binary"), document.missed)
    return tuple(documents)
