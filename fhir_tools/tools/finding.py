"""The tools `find` and `list_concepts`: what a chart says about some words, and what there is to ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import StringConstraints

from fhir_tools import compute, wording
from fhir_tools.cards import event_card
from fhir_tools.codes import names_of
from fhir_tools.dates import Window
from fhir_tools.errors import NeedError
from fhir_tools.records import usable, within
from fhir_tools.tools.arguments import Arguments, Windowed
from fhir_tools.tools.bench import Bench
from fhir_tools.tools.ledger import Ledger
from fhir_tools.tools.naming import Meant, coded_label, likely_kinds, meant
from fhir_tools.tools.reading import Reader
from fhir_tools.tools.showing import EACH, analytes, bounded, bounded_lines, many_card, subject_card
from fhir_tools.tools.types import Absent, Found, Show, Tool
from fhir_tools.types import KINDS, Card, Fact, Kind, Mark, Search

__all__ = ["FIND", "LIST_CONCEPTS", "Looked", "Words", "look_up", "not_there", "together"]

Words = Annotated[str, StringConstraints(min_length=1, max_length=120)]
_ANALYTES = 6
_NOUNS: Mapping[str, Kind] = {
    **{noun: k for k in KINDS for noun in (k, f"{k}s")},
    **dict.fromkeys(("allergies",), "allergy"),
    **dict.fromkeys(("labs", "lab results", "results", "vitals", "vital signs"), "measurement"),
    **dict.fromkeys(("problems", "diagnoses", "problem list"), "condition"),
    **dict.fromkeys(("meds", "drugs", "medicines", "medication list"), "medication"),
    **dict.fromkeys(("vaccines", "vaccinations", "shots"), "immunization"),
    **dict.fromkeys(("surgeries", "operations"), "procedure"),
    **dict.fromkeys(("visits", "stays"), "encounter"),
    **dict.fromkeys(("notes",), "document"),
    **dict.fromkeys(("family history", "relatives"), "family"),
    **dict.fromkeys(("social history",), "social"),
    **dict.fromkeys(("imaging studies", "scans"), "imaging"),
}
"""Words that name a kind and nothing in it."""
_NOT_KNOWN = "is in no label of this chart and no known term"


class _Find(Windowed):
    what: Words | None = None
    kind: Kind | None = None
    how: Literal["latest", "first", "all"] = "latest"


class _List(Arguments):
    kind: Kind
    words: Words | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What was read of one thing: its facts of every standing, and the proof where none lies in the window."""

    thing: Meant
    facts: tuple[Fact, ...] = ()
    proofs: tuple[Search, ...] = ()
    instead: tuple[Fact, ...] = ()


async def _find(bench: Bench, asked: _Find) -> Show:
    window = asked.window(bench.as_of)
    reader = Reader(bench)
    kind = asked.kind if not asked.what else _NOUNS.get(asked.what.strip().lower())
    if not asked.what or (kind and asked.kind in (None, kind)):
        return await _find_kind(reader, kind, asked.how, window)
    looked = await look_up(reader, asked.what, asked.kind, window)
    each = EACH if asked.how == "all" else 0

    def show(marks: Ledger) -> Found:
        return together(reader, [_shown(reader, marks, one, window, each) for one in looked])

    return show


async def look_up(reader: Reader, what: str, kind: Kind | None, window: Window | None) -> list[Looked]:
    """The things that the words name, with their facts. Raises NeedError where they hold no word."""
    bench = reader.bench
    await bench.grow((kind,) if kind else likely_kinds(what, bench.matcher))
    things = meant(what, kind, bench.matcher)
    if not kind and not all(t.entries for t in things):
        # words can name anything in any kind: only with all of the catalogue is "not there" known
        await bench.grow(KINDS)
        things = meant(what, kind, bench.matcher)
    if not things:
        raise NeedError("what: give the name of a concept, e.g. hemoglobin a1c")
    return list(await asyncio.gather(*(_look(reader, thing, window) for thing in things)))


async def _look(reader: Reader, thing: Meant, window: Window | None) -> Looked:
    if not thing.known or thing.choices:
        return Looked(thing=thing)
    keys = tuple(e.key for e in thing.entries)
    parts = await asyncio.gather(*(reader.facts(k, keys) for k in thing.kinds if keys))
    facts = tuple(f for part in parts for f in part)
    if within(facts, window):
        return Looked(thing=thing, facts=facts)
    for kind in thing.kinds:
        await reader.rest_on(kind)
    if not keys:  # it could be under any name in any kind that was not read
        for row in reader.bench.catalogue.unread():
            reader.rows.setdefault(row.query, row)
    proofs = await reader.proofs(thing.kinds, thing.classes)
    denied = await _denials(reader) if "allergy" in thing.kinds and not keys else ()
    return Looked(thing=thing, facts=facts, proofs=proofs, instead=denied)


async def _denials(reader: Reader) -> tuple[Fact, ...]:
    """Records that say that no allergy (of a sort) is known: the reader judges whether they speak of this one."""
    return tuple(f for f in usable(await reader.facts("allergy")) if f.details.get("negation"))


def _shown(reader: Reader, marks: Ledger, looked: Looked, window: Window | None, each: int) -> Found:
    thing, told = looked.thing, window.text if window else ""
    if not thing.known:
        near = f"; closest: {', '.join(thing.near)}" if thing.near else ""
        return Found(lines=bounded_lines((f'"{thing.words}" {_NOT_KNOWN}{near}; its notes may hold it (find_notes)',)))
    if thing.choices:
        return Found(lines=bounded_lines((f'"{thing.words}" can be several things; ask for one:', *thing.choices)))
    inside = within(looked.facts, window)
    names = tuple(dict.fromkeys((thing.words, thing.label)))
    also = tuple(f"{thing.label} is in the chart as {k} too (find with kind {k})" for k in thing.elsewhere[:3])
    if usable(inside):
        return Found(cards=tuple(_cards(reader.bench, marks, looked.facts, window, names, each)), lines=also)
    if inside:
        title = f"{wording.label(inside[-1].concept)}: no valid record, only these"
        return Found(cards=(bounded(event_card(marks, inside, title=title, names=names)),), lines=also)
    if thing.elsewhere and not thing.entries:  # asked for in a kind of record that it is not in: no absence
        return Found(lines=(f"{thing.label} is not in the chart as {' or '.join(thing.kinds)}", *also))
    absent, searched = _absent(reader, marks, looked, told)
    instead = usable(looked.facts)[-1:] or looked.instead
    title = f"also in the chart: {wording.label(instead[-1].concept)}" if instead else ""
    cards = (replace(bounded(event_card(marks, instead, title=title)), role="also"),) if instead else ()
    return Found(cards=cards, lines=also, absent=(absent,), search_marks=searched)


def _cards(
    bench: Bench, marks: Ledger, facts: tuple[Fact, ...], window: Window | None, names: tuple[str, ...], each: int
) -> list[Card]:
    """A card for each kind and analyte, and one of the records that are told but not counted.

    Its lines are of the window; its facts are all there are, so that what is told as the latest or the only one is
    held against them and not against a window that a model chose.
    """
    told = window.text if window else ""
    cards = []
    for kind in dict.fromkeys(f.kind for f in facts):
        real = tuple(f for f in usable(facts) if f.kind == kind)
        parts = analytes(bench, real) if kind in ("measurement", "social") else (real,)
        for part in [p for p in parts if within(p, window)][:_ANALYTES]:
            card = subject_card(bench, marks, within(part, window), window=told, names=names, each=each)
            cards.append(replace(card, facts=compute.in_order(part)))
    rest = tuple(f for f in within(facts, window) if f.standing in ("refuted", "unconfirmed"))
    if rest:
        title = f"also in the chart, not counted: {wording.label(rest[0].concept)}"
        cards.append(replace(event_card(marks, rest, title=title), role="also"))
    return [bounded(card) for card in cards]


def _absent(reader: Reader, marks: Ledger, looked: Looked, told: str) -> tuple[Absent, tuple[Mark, ...]]:
    thing = looked.thing
    searched = tuple(marks.searched(row) for row in looked.proofs)
    opaque = sum(len(reader.bench.matcher.opaque(k)) for k in thing.kinds[:1])
    absent = Absent(
        label=thing.label,
        kinds=thing.kinds,
        searched=tuple(m.id for m in searched),
        window=told,
        opaque=opaque,
        near=thing.near,
        complete=reader.complete,
    )
    return absent, searched


def not_there(reader: Reader, marks: Ledger, looked: Sequence[Looked], window: Window | None) -> Found:
    """What is told of things that have no facts in the window."""
    return together(reader, [_shown(reader, marks, one, window, 0) for one in looked])


async def _find_kind(reader: Reader, kind: Kind | None, how: str, window: Window | None) -> Show:
    """Everything of one kind: its records by concept, the newest first."""
    if kind is None:
        raise NeedError("give what (a concept, e.g. hemoglobin a1c), kind, or both")
    real = usable(await reader.facts(kind))
    inside = within(real, window)
    if kind == "measurement":
        inside = tuple(f for f in inside if "panel" not in f.details and f.value is not None)
    thing = Meant(words=kind, label=kind, kinds=(kind,))
    proofs = () if inside else await reader.proofs((kind,), ())
    told = window.text if window else ""

    def show(marks: Ledger) -> Found:
        if inside:
            oldest, one_row = how == "first", how != "all" and kind not in ("encounter", "document")
            card = many_card(marks, inside, window=told, together=one_row, oldest=oldest)
            found = Found(cards=(bounded(replace(card, facts=real)),))
        else:
            absent, searched = _absent(reader, marks, Looked(thing=thing, proofs=proofs), told)
            found = Found(absent=(absent,), search_marks=searched)
        return together(reader, [found])

    return show


def together(reader: Reader, parts: Sequence[Found]) -> Found:
    """The parts of one call as one, with every search of it."""
    return Found(
        cards=tuple(c for p in parts for c in p.cards),
        lines=tuple(dict.fromkeys(line for p in parts for line in p.lines)),
        absent=tuple(a for p in parts for a in p.absent),
        searched=reader.searched,
        search_marks=tuple({m.id: m for p in parts for m in p.search_marks}.values()),
        warnings=tuple(dict.fromkeys(reader.warnings)),
    )


async def _list(bench: Bench, asked: _List) -> Show:
    reader = Reader(bench)
    await reader.rest_on(asked.kind)
    entries = [e for e in bench.catalogue.of(asked.kind) if e.count]
    if asked.words:
        wanted = " ".join(names_of(asked.words)[:1])
        held = {e.key for e in bench.matcher.by_words(wanted, (asked.kind,))}
        entries = [e for e in entries if e.key in held]
    entries.sort(key=lambda e: (-e.count, e.concept.label))
    lines = [f"{coded_label(e)}: {e.count}, {e.first or 'undated'} to {e.last or 'undated'}" for e in entries]
    holding = f' with "{asked.words}"' if asked.words else ""
    title = f"{asked.kind} concepts in the chart{holding}: {len(entries)}"
    found = Found(lines=bounded_lines((title, *lines)), searched=reader.searched)
    return lambda _: found


FIND = Tool(
    name="find",
    description="Look up a concept (or all of a kind) in the chart: a card with values, dates and counts.",
    arguments=_Find,
    reader=_find,
)
LIST_CONCEPTS = Tool(
    name="list_concepts",
    description="The names in the chart of one kind, with how many records and first and last date.",
    arguments=_List,
    reader=_list,
)
