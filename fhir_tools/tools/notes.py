"""The tools `find_notes` and `read_document`: sentences of notes and reports, and a document's text."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field, StringConstraints

from fhir_tools import compute, wording
from fhir_tools.dates import Window
from fhir_tools.documents import Document, find_words, read_document, sections, sentences
from fhir_tools.documents import Found as Mention
from fhir_tools.errors import NeedError
from fhir_tools.facts import KIND_TYPES, facts_of
from fhir_tools.lexicon import Entry, lexicon, normalise
from fhir_tools.records import usable, within
from fhir_tools.tools.arguments import Arguments, Windowed
from fhir_tools.tools.bench import Bench
from fhir_tools.tools.ledger import Ledger
from fhir_tools.tools.reading import Reader
from fhir_tools.tools.showing import bounded
from fhir_tools.tools.types import Absent, Found, Show, Tool
from fhir_tools.types import Card, Kind, Mark, Query, Search, Span

__all__ = ["FIND_NOTES", "PART", "READ_DOCUMENT", "Record"]

Record = Annotated[str, StringConstraints(min_length=1, max_length=200)]
PART = 1200
"""Characters of a document that are shown at once."""
_QUOTES = 8
_KINDS: tuple[Kind, ...] = ("document", "report")
_WORDS = re.compile(r"[^\W_]+")


class _FindNotes(Windowed):
    words: Annotated[str, StringConstraints(min_length=1, max_length=120)]
    section: Annotated[str, StringConstraints(min_length=1, max_length=60)] | None = None


class _Read(Arguments):
    record: Record
    part: Annotated[int, Field(ge=1, le=9999)] = 1


async def _find_notes(bench: Bench, asked: _FindNotes) -> Show:
    window = asked.window(bench.as_of)
    terms = _terms(asked.words)
    if not terms:
        raise NeedError("words: give a word that could stand in a note, e.g. fall")
    reader = Reader(bench)
    documents = await _documents(reader, window)
    mentions = list(find_words(documents, terms, normalise(asked.words)))
    if asked.section:
        mentions = [m for m in mentions if _is_under(m, asked.section)]
    proofs = () if mentions or asked.section else await reader.proofs(_KINDS, ())
    unread = [d for d in documents if d.unread and not _is_bare(d)]
    if unread:
        reader.warnings.append(f"{len(unread)} of {len(documents)} documents could not be read ({unread[0].unread})")

    def show(marks: Ledger) -> Found:
        read = Found(searched=reader.searched, warnings=tuple(reader.warnings))
        if mentions:
            return replace(read, cards=(_quotes_card(marks, mentions, asked),))
        if asked.section:  # headings are as each note has them: nothing under one is no absence
            line = f'no sentence under "{asked.section}" holds {asked.words}; leave section out to look at all'
            return replace(read, lines=(line,))
        absent, searched = _not_there(reader, marks, asked, window, proofs, bool(unread))
        return replace(read, absent=absent, search_marks=searched)

    return show


def _terms(words: str) -> tuple[str, ...]:
    """The words and what the lexicon knows by the same name; parts between commas are each looked for."""
    parts = [p for p in (" ".join(p.split()) for p in re.split(r"[,;]", words)) if _WORDS.search(p)]
    known = [e for p in parts for e in lexicon().lookup(p)]
    return tuple(dict.fromkeys((*parts, *(t for e in known for t in _said(e)))))


def _said(entry: Entry) -> tuple[str, ...]:
    return tuple(t for t in entry.terms if len(t) > 2)


def _is_under(mention: Mention, section: str) -> bool:
    """Whether the quote stands under a heading with these words."""
    wanted = normalise(section)
    under = [title for title, start, end in sections(mention.document.text) if start <= mention.span.start < end]
    return any(wanted in normalise(title) for title in under)


def _is_bare(document: Document) -> bool:
    """Whether it is a report of results alone, which has no text to read."""
    return document.fact.kind == "report" and not document.missed and document.unread == "it holds no text"


async def _documents(reader: Reader, window: Window | None) -> list[Document]:
    """The notes and reports of the window, the newest first; one text is read once, however many records hold it."""
    await reader.rest_on(*_KINDS)
    entries = reader.bench.catalogue.of(*_KINDS)
    types = [t for k in _KINDS for t in KIND_TYPES[k] if any(t in e.types for e in entries)]
    results = await asyncio.gather(*(reader.search(reader.query(t)) for t in types))
    wanted = [
        (resource, fact)
        for result in results
        for resource in result.matches
        for fact in within(usable(f for f in facts_of(resource)[:1] if not reader.later(f)), window)
    ]
    documents = await asyncio.gather(*(read_document(r, f, reader.bench.source) for r, f in wanted))
    for document in documents:
        if document.missed:
            reader.unread(Query(type="Binary"), document.missed)
    newest = sorted(documents, key=lambda d: compute.when_key(d.fact), reverse=True)
    first = {" ".join(d.text.split()) or str(d.fact.reference): d for d in reversed(newest)}
    return [d for d in newest if first[" ".join(d.text.split()) or str(d.fact.reference)] is d]


def _quotes_card(marks: Ledger, mentions: Sequence[Mention], asked: _FindNotes) -> Card:
    told = [(marks.quote(m.document, m.span), m) for m in mentions[:_QUOTES]]
    under = f" under {asked.section}" if asked.section else ""
    notes = len({str(m.document.fact.reference) for m in mentions})
    more = f", the newest {_QUOTES} shown" if len(mentions) > _QUOTES else ""
    number = f"{_some(len(mentions), 'sentence')} of {_some(notes, 'document')}"
    card = Card(
        title=f"{asked.words} in the notes{under}: {number}{more}",
        kind="document",
        lines=tuple(_line(mark.id, m) for mark, m in told),
        marks=tuple(mark for mark, _ in told),
        facts=tuple({str(m.document.fact.reference): m.document.fact for _, m in told}.values()),
        names=(asked.words,),
    )
    return bounded(card)


def _some(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _line(mark: str, found: Mention) -> str:
    told = "" if found.assertion == "affirmed" else f" ({found.assertion})"
    fact = found.document.fact
    return f'[{mark}] {wording.day_text(fact.when)} {wording.label(fact.concept)}: "{found.span.quote}"{told}'


def _not_there(
    reader: Reader, marks: Ledger, asked: _FindNotes, window: Window | None, proofs: tuple[Search, ...], unread: bool
) -> tuple[tuple[Absent, ...], tuple[Mark, ...]]:
    searched = tuple(marks.searched(row) for row in proofs)
    absent = Absent(
        label=asked.words,
        kinds=_KINDS,
        searched=tuple(m.id for m in searched),
        window=window.text if window else "",
        complete=reader.complete and not unread,
    )
    return (absent,), searched


# One document.


@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    """A document with the parts that it is shown by: (start, end) in characters of its text."""

    document: Document
    parts: tuple[tuple[int, int], ...]


async def _read(bench: Bench, asked: _Read) -> Show:
    reader = Reader(bench)
    resource = await reader.resource(bench.record(asked.record))
    if resource is None:
        return lambda _: Found(lines=("the document could not be read now",), searched=reader.searched)
    fact = next(iter(facts_of(resource)), None)
    if fact is None or fact.kind not in _KINDS:
        raise NeedError("that is no document; give the mark of a note or report, e.g. from find with kind document")
    text = await _text(reader, await read_document(resource, fact, bench.source))
    if text.parts and asked.part > len(text.parts):
        raise NeedError(f"part: this document has {len(text.parts)} part{'s' if len(text.parts) > 1 else ''}")
    return lambda marks: _part(reader, marks, text, asked.part)


async def _text(reader: Reader, document: Document) -> _Text:
    if document.missed:
        reader.unread(Query(type="Binary"), document.missed)
    if document.unread:
        reader.warnings.append(f"a document could not be read: {document.unread}")
    return _Text(document=document, parts=parts_of(document.text))


def _part(reader: Reader, marks: Ledger, text: _Text, part: int) -> Found:
    fact = text.document.fact
    described = f"{wording.day_text(fact.when)} {wording.label(fact.concept)}"
    if not text.parts:
        lines: tuple[str, ...] = (f"{described[:200]}: it holds no text that can be read",)
        return Found(lines=lines, searched=reader.searched, warnings=tuple(reader.warnings))
    start, end = text.parts[part - 1]
    quote = text.document.text[start:end]
    mark = marks.quote(text.document, Span(start=start, end=end, quote=quote))
    where = f"part {part} of {len(text.parts)}, characters {start} to {end} of {len(text.document.text)}"
    card = Card(
        title=f"{described[:200]}, {where}",
        kind="document",
        lines=(f'[{mark.id}] "{quote}"',),
        marks=(mark,),
        facts=(fact,),
        concepts=(fact.concept,),
        names=(wording.label(fact.concept),),
    )
    return Found(cards=(card,), searched=reader.searched, warnings=tuple(reader.warnings))


def parts_of(text: str) -> tuple[tuple[int, int], ...]:
    """(start, end) of the parts a text is shown by, each at most `PART` characters, at ends of sentences if it can."""
    parts: list[tuple[int, int]] = []
    for start, end in (piece for a, b in sentences(text) for piece in _pieces(a, b)):
        if parts and end - parts[-1][0] <= PART:
            parts[-1] = (parts[-1][0], end)
        else:
            parts.append((start, end))
    return tuple(parts)


def _pieces(start: int, end: int) -> list[tuple[int, int]]:
    return [(a, min(a + PART, end)) for a in range(start, end, PART)]


FIND_NOTES = Tool(
    name="find_notes",
    description="Sentences of notes and reports that hold the words, and whether each is negated, uncertain or past.",
    arguments=_FindNotes,
    reader=_find_notes,
)
READ_DOCUMENT = Tool(
    name="read_document",
    description="The text of a note or report, by its mark; long ones in parts.",
    arguments=_Read,
    reader=_read,
)
