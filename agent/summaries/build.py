"""Chart → summary: sketches, verified line by line, and put together with one list of citations."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import date
from typing import get_args

from agent.chart import Chart
from agent.errors import UserError
from agent.summaries import plain, results, sections
from agent.summaries.reading import Reader
from agent.summaries.types import KINDS, Cited, Drafted, Kind, Line, Note, Numbering, Section, Sketch, Summary
from agent.summaries.visits import since_last_visit
from agent.types import Ask, Claim, Draft, Evidence, Support, Verified
from agent.verify import verify
from fhir_tools import wording
from fhir_tools.facts import facts_of
from fhir_tools.types import Mark, Reference

__all__ = ["summarise"]

Sketches = tuple[Sketch, ...]


async def summarise(chart: Chart, kind: str) -> Summary:
    """The summary of one kind. Raises UserError for an unknown kind, SourceError when the chart cannot be read."""
    if kind not in get_args(Kind):
        raise UserError(f"no summary is called {kind!r}; there are {', '.join(KINDS)}")
    reader = Reader(chart)
    sketches = await _MAKERS[kind](reader)  # type: ignore[index]
    banner = sections.person(reader, everyday=kind == "for-patient")
    return _Assembly(reader, kind).summary(banner, sketches)  # type: ignore[arg-type]


async def _together(*sections: Awaitable[Sketch]) -> Sketches:
    """Sections read side by side: a server then gets their searches at once. Marks are numbered later, as read."""
    return tuple(await asyncio.gather(*sections))


async def _snapshot(reader: Reader) -> Sketches:
    return await _together(
        sections.problems(reader),
        sections.current_drugs(reader),
        sections.allergies(reader),
        results.vitals(reader),
        results.labs(reader, 25),
        sections.encounters(reader),
        sections.procedures(reader),
        sections.immunizations(reader),
        sections.family(reader),
    )


async def _problems(reader: Reader) -> Sketches:
    return (await sections.problems(reader), *await sections.past_problems(reader))


async def _medications(reader: Reader) -> Sketches:
    return (await sections.current_drugs(reader), *await sections.other_drugs(reader), await sections.allergies(reader))


async def _labs(reader: Reader) -> Sketches:
    return await _together(results.labs(reader, 80, days=2 * 365, count=60), results.vitals(reader, 60))


async def _for_patient(reader: Reader) -> Sketches:
    say = plain.sentence
    made = await _together(
        sections.problems(reader, say=say),
        sections.current_drugs(reader, say=say),
        sections.allergies(reader, say),
        results.vitals(reader, everyday=True),
        results.labs(reader, 15, everyday=True),
        sections.immunizations(reader, say, 10),
        sections.encounters(reader, 3, say),
    )
    return tuple(replace(sketch, title=title) for title, sketch in zip(_EVERYDAY, made, strict=True))


_EVERYDAY = (
    "Your health problems", "Your medicines", "Your allergies", "Your measurements", "Your test results",
    "Your vaccines", "Your last visits",
)  # fmt: skip


_MAKERS: dict[Kind, Callable[[Reader], Awaitable[Sketches]]] = {
    "snapshot": _snapshot,
    "problems": _problems,
    "medications": _medications,
    "labs": _labs,
    "since-last-visit": since_last_visit,
    "for-patient": _for_patient,
}
_TITLES: dict[Kind, str] = {
    "snapshot": "Snapshot",
    "problems": "Problems",
    "medications": "Medications",
    "labs": "Results",
    "since-last-visit": "Since the last visit",
    "for-patient": "Your health summary",
}


class _Assembly:
    """Verifies sketches and numbers their marks in the order in which they are read."""

    def __init__(self, reader: Reader, kind: Kind) -> None:
        self._reader, self._kind = reader, kind
        self._numbers = Numbering()
        self._marks: dict[str, Mark] = {}

    def summary(self, banner: Sketch, sketches: Sketches) -> Summary:
        chart = self._reader.chart
        head = self._section(banner)
        made = tuple(self._section(s) for s in sketches)
        name = next((wording.value_text(f) for f in facts_of(chart.person) if f.path == "Patient.name"), "")
        return Summary(
            kind=self._kind,
            title=f"{_TITLES[self._kind]}{f': {name}' if name else ''}",
            patient=chart.patient,
            as_of=chart.as_of,
            banner=head,
            sections=made,
            citations=tuple(self._cited()),
            searched=(*chart.unread, *chart.catalogue.searched, *self._reader.searched.values()),
            warnings=_warnings(self._reader),
            closing=plain.CLOSING if self._kind == "for-patient" else "",
        )

    def _section(self, sketch: Sketch) -> Section:
        self._marks |= {m.id: m for c in sketch.cards for m in c.marks}
        whole = _verified(sketch, [d.claim for d in sketch.lines])
        kept = _paired(whole, [d.claim.text for d in sketch.lines])
        rest = [d for at, d in enumerate(sketch.lines) if at not in kept and d.shorter]
        bare = _verified(sketch, [d.shorter for d in rest if d.shorter])
        places = [sketch.lines.index(d) for d in rest]
        again = _paired(bare, [d.shorter.text for d in rest if d.shorter])
        kept |= {places[at]: pair for at, pair in again.items()}
        told = tuple(self._line(sketch.lines[at], *kept[at]) for at in sorted(kept))
        notes = tuple(Note(text=n.text, marks=self._named(n.marks)) for n in sketch.notes)
        return Section(title=sketch.title, lines=told, notes=notes, hidden=sketch.hidden, removed=whole.removed)

    def _line(self, drafted: Drafted, claim: Claim, support: Support) -> Line:
        marks = self._named(claim.marks)
        return Line(text=claim.text, marks=marks, support=support, plot=drafted.plot, flagged=drafted.flagged)

    def _named(self, marks: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self._numbers.of(m) for m in marks)

    def _cited(self) -> Iterable[Cited]:
        known = {m.id: m for m in self._reader.marks.of(self._numbers.names)} | self._marks
        for old, new in self._numbers.names.items():
            if old in known:
                yield _citation(known[old], new, self._reader.chart)


def _paired(verified: Verified, texts: list[str]) -> dict[int, tuple[Claim, Support]]:
    """The surviving claims by the place of their line: verify keeps the order and the words of what it leaves."""
    kept: dict[int, tuple[Claim, Support]] = {}
    at = 0
    for claim, support in zip(verified.claims, verified.supports, strict=True):
        at = texts.index(claim.text, at)
        kept[at] = (claim, support)
        at += 1
    return kept


def _verified(sketch: Sketch, claims: list[Claim]) -> Verified:
    """The claims that the section's own cards bear. A section asks nothing, so no line can fail to answer it."""
    if not claims:
        return Verified()
    ask = Ask(question=sketch.title, op=sketch.op, kinds=tuple(dict.fromkeys(c.kind for c in sketch.cards)))
    return verify(ask, Draft(claims=tuple(claims)), Evidence(cards=sketch.cards))


def _citation(mark: Mark, name: str, chart: Chart) -> Cited:
    if mark.search:
        return Cited(mark=name, text=f"{mark.search.query}: {mark.search.found} found")
    references = tuple(chart.locate(Reference.parse(text)) for text in mark.references)
    if mark.fact:
        when = mark.fact.when
        return Cited(
            mark=name,
            text=mark.shown,
            references=references,
            path=mark.fact.path,
            version=mark.fact.version,
            date=when.text if when and when.text else None,
        )
    op = mark.computation.op if mark.computation else ""
    return Cited(mark=name, text=mark.shown, references=references, path=op)


def _warnings(reader: Reader) -> tuple[str, ...]:
    told = list(reader.chart.warnings)
    cut = [
        s for s in (*reader.chart.unread, *reader.chart.catalogue.searched, *reader.searched.values()) if not s.complete
    ]
    if cut:
        why = "; ".join(dict.fromkeys(s.error or "no reason given" for s in cut))
        told.append(f"{len(cut)} searches of the chart were cut short, so this may not be all of it ({why}).")
    if reader.chart.as_of < date.today():  # noqa: DTZ011  the reader's own calendar day is meant
        told.append(f"As of {reader.chart.as_of}: statuses are as recorded now, not as they were then.")
    return tuple(told)
