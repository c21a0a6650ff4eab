"""A reasoner's needs → evidence: the tools run side by side, and what they bring is added to what is there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial, reduce
from typing import Any

from agent.chart import Chart
from agent.types import Absence, Ask, Evidence, Need, Reading, Usage
from fhir_tools.codes import words_of
from fhir_tools.dates import Window
from fhir_tools.errors import NeedError, QueryError, ScopeError, SourceError
from fhir_tools.tools import Absent, Bench, Found, Ledger, Seen, Show, tool
from fhir_tools.tools.bench import LookAt
from fhir_tools.types import Card, Mark, Query, Reference, Search, SearchResult

__all__ = ["MOST", "ReadsImages", "Supplied", "bench_of", "supply"]

ReadsImages = Callable[[Chart, Reference, str], Awaitable[tuple[tuple[Reading, ...], tuple[str, ...], Usage]]]
"""A record of the chart and a question → readings (their `image` not yet a mark), warnings, and what that took."""

MOST = 4
"""Needs that are run in one round."""
_REFUSED = "not looked up: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplied(Evidence):
    """Evidence with the needs that were run for it, so that none is run twice."""

    needs: tuple[Need, ...] = ()


async def supply(
    chart: Chart, ask: Ask, evidence: Evidence, needs: Sequence[Need], look: ReadsImages | None = None
) -> Supplied:
    """The evidence with what the needs bring: cards whose marks go on from those there are, searches, absences
    of what the question is about.

    What cannot be done is told in `overview` beside what could; where nothing could, NeedError tells it: a wrong
    argument, a need that was run before, what the cards show already. At most `MOST` needs are run. A fault of the
    source is a search that is not complete, as in retrieve: the evidence is then not complete either. `look` reads
    images; what it read goes into readings.
    """
    before = evidence.needs if isinstance(evidence, Supplied) else ()
    chosen, refused = _chosen(needs, before)
    marks = Ledger(_marks_of(evidence))
    spent: list[Usage] = []
    bench = bench_of(chart, marks, partial(_look, look, chart, spent) if look else None)
    read = await asyncio.gather(*(_read(bench, need) for need in chosen))
    found: list[Found] = []
    done: list[Need] = []
    for need, got in zip(chosen, read, strict=True):
        try:
            found.append(_settled(ask, need, _shown(got, marks)))
            done.append(need)
        except NeedError as error:
            refused.append(f"{need.tool[:40]}: {error}")
    if not found:
        raise NeedError("\n".join(dict.fromkeys(refused)) or "there was nothing to look up; answer from the cards")
    added = _added(evidence, found, refused, marks)
    if not _brings(evidence, added):
        told = dict.fromkeys((*refused, "the cards show all of that already; answer from them"))
        raise NeedError("\n".join(told))
    total = reduce(Usage.plus, spent) if spent else None
    return Supplied(**{**_fields(added), "spent": total}, needs=(*before, *done))


async def _look(
    reads: ReadsImages, chart: Chart, spent: list[Usage], reference: Reference, question: str
) -> tuple[tuple[Seen, ...], tuple[str, ...]]:
    """What a model read from a record's pixels, for the tools; what it took is added to `spent`."""
    readings, warnings, usage = await reads(chart, reference, question)
    spent.append(usage)
    seen = tuple(Seen(text=r.text, model=r.model, region=r.region, frame=r.frame) for r in readings)
    return seen, warnings


def bench_of(chart: Chart, marks: Ledger | None = None, look: LookAt | None = None) -> Bench:
    """The tools' view of an open chart; with a focus, of the whole chart, since tools may ask for any part of it."""
    whole = chart.wider or chart
    return Bench(
        source=_Sitting(whole),
        patient=whole.patient,
        as_of=whole.as_of,
        catalogue=whole.catalogue,
        matcher=whole.matcher,
        person=whole.person,
        waiting=whole.waiting,
        marks=marks or Ledger(),
        look=look,
        inside=None if whole.locate is str else whole.inside,
    )


class _Sitting:
    """The chart's scoped source, with the chart's memory of searches."""

    def __init__(self, chart: Chart) -> None:
        self._chart = chart
        self.read, self.fetch, self.capabilities = chart.source.read, chart.source.fetch, chart.source.capabilities

    async def search(self, query: Query) -> SearchResult:
        """The search's result, from this sitting's memory when it was complete before."""
        return await self._chart.search(query)


def _chosen(needs: Sequence[Need], before: Iterable[Need]) -> tuple[list[Need], list[str]]:
    """The needs to run, each once, and what is said of the others."""
    known = {_key(need) for need in before}
    chosen: list[Need] = []
    refused: list[str] = []
    for need in needs:
        key = _key(need)
        if key in known:
            refused.append(f"{need.tool[:40]}: that was looked up before; its cards are there, answer from them")
        elif len(chosen) == MOST:
            refused.append(f"only {MOST} things are looked up at once; ask again for what is still missing")
        else:
            chosen.append(need)
            known.add(key)
    return chosen, refused


def _key(need: Need) -> str:
    """What makes two needs the same: the tool and what it is given, whatever the order, blanks and case."""
    return f"{need.tool} {_same(need.arguments)}"


def _same(value: Any) -> str:
    if isinstance(value, Mapping):
        return repr(sorted((str(k), _same(v)) for k, v in value.items() if v not in (None, "", [], ())))
    if isinstance(value, list | tuple):
        return repr([_same(v) for v in value])
    return " ".join(str(value).lower().split())


async def _read(bench: Bench, need: Need) -> Show | NeedError | Found:
    try:
        return await tool(need.tool).read(bench, need.arguments)
    except NeedError as error:
        return error
    except (ScopeError, QueryError) as error:
        return NeedError(f"that cannot be looked up here ({type(error).__name__}); ask in another way")
    except SourceError as error:
        why = str(error) or type(error).__name__
        return Found(searched=(Search(query=f"the tool {need.tool}", found=0, complete=False, error=why),))


def _shown(got: Show | NeedError | Found, marks: Ledger) -> Found:
    if isinstance(got, NeedError):
        raise got
    return got if isinstance(got, Found) else got(marks)


def _settled(ask: Ask, need: Need, found: Found) -> Found:
    """What a need brought, with only those absences that answer the question; others are told in words.

    "Not found" is said of what was asked for. That something else is not there, or not in a time that the model chose,
    or not in the notes where the question is not about notes, is no answer: it would be told as one.
    """
    kept = tuple(a for a in found.absent if _is_asked(ask, need, a))
    cited = {id_ for a in kept for id_ in a.searched}
    rest = tuple(_in_words(a) for a in found.absent if a not in kept)
    marks = tuple(m for m in found.search_marks if m.id in cited)
    return replace(found, absent=kept, search_marks=marks, lines=(*found.lines, *rest))


def _is_asked(ask: Ask, need: Need, absent: Absent) -> bool:
    if absent.kinds[:1] == ("document",) and ask.op != "find":
        return False
    labels = {name.lower() for t in ask.targets for name in (t.label, t.words)}
    words = {w.text for w in words_of(ask.question)}
    named = {w.text for w in words_of(str(need.arguments.get("what") or need.arguments.get("words") or ""))}
    return _covers(need, ask.window) and (absent.label.lower() in labels or (bool(named) and named <= words))


def _covers(need: Need, window: Window | None) -> bool:
    """Whether a need looked at all of the time that the question is about."""
    since, until = (_day(need.arguments.get(name)) for name in ("since", "until"))
    low, high = (_date(edge) for edge in (window.low, window.high)) if window else (None, None)
    early = since is None or (low is not None and since <= low)
    return early and (until is None or (high is not None and until + timedelta(days=1) >= high))


def _day(value: Any) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) and value else None


def _date(edge: date | datetime | None) -> date | None:
    return edge.date() if isinstance(edge, datetime) else edge


def _in_words(absent: Absent) -> str:
    ended = "searched, not there" if absent.complete else "not all could be searched"
    near = f"; the chart has {', '.join(absent.near)}" if absent.near else ""
    return f"{' '.join(filter(None, (absent.label, absent.window)))} ({', '.join(absent.kinds)}): {ended}{near}"


def _marks_of(evidence: Evidence) -> tuple[Mark, ...]:
    return (*(m for card in evidence.cards for m in card.marks), *evidence.search_marks)


def _added(evidence: Evidence, found: Sequence[Found], refused: Sequence[str], marks: Ledger) -> Evidence:
    """One evidence of both: rows that were not complete before or are not now stay so, whoever read them."""
    rows = {row.query: row for row in evidence.searched}
    for row in (row for one in found for row in one.searched):
        if row.query not in rows or rows[row.query].complete:
            rows[row.query] = row
    whole = all(row.complete for row in rows.values())
    shown = {(c.title, c.lines): c for c in (*evidence.cards, *(c for one in found for c in one.cards))}
    absent = [Absence(**_fields(a)) for one in found for a in one.absent]
    searches = (*evidence.search_marks, *(m for one in found for m in one.search_marks))
    lines = (line for one in found for line in one.lines)
    before = (line for line in evidence.overview.splitlines() if not line.startswith(_REFUSED))
    told = (*before, *lines, *(f"{_REFUSED}{why}" for why in dict.fromkeys(refused)))
    return replace(
        evidence,
        cards=tuple(_fresh(card, marks, whole) for card in shown.values()),
        searched=tuple(rows.values()),
        absent=tuple(replace(a, complete=a.complete and whole) for a in (*evidence.absent, *_new(evidence, absent))),
        search_marks=tuple({m.id: m for m in searches}.values()),
        overview="\n".join(dict.fromkeys(told)),
        readings=(*evidence.readings, *(r for one in found for r in _readings(one) if r not in evidence.readings)),
        read_by=next((s.model for one in found for s in one.seen), evidence.read_by),
        warnings=tuple(dict.fromkeys((*evidence.warnings, *(w for one in found for w in one.warnings)))),
    )


def _readings(found: Found) -> Iterable[Reading]:
    for seen in found.seen if found.image else ():
        yield Reading(text=seen.text, image=found.image, region=seen.region, frame=seen.frame, model=seen.model)


def _new(evidence: Evidence, absent: Iterable[Absence]) -> list[Absence]:
    """The absences that were not told before."""
    known = {(a.label.lower(), a.kinds, a.window) for a in evidence.absent}
    return [a for a in absent if (a.label.lower(), a.kinds, a.window) not in known]


def _fresh(card: Card, marks: Ledger, whole: bool) -> Card:
    """The card with its marks as they are by now: a fact may have gained a role on a later card."""
    return replace(card, marks=marks.of(m.id for m in card.marks), complete=card.complete and whole)


def _brings(evidence: Evidence, added: Evidence) -> bool:
    """Whether anything came that was not there: a card, an absence, words, or a part that could not be read."""
    if len(added.cards) > len(evidence.cards) or len(added.absent) > len(evidence.absent):
        return True
    return _told(added) != _told(evidence) or added.complete != evidence.complete


def _told(evidence: Evidence) -> set[str]:
    return {line for line in evidence.overview.splitlines() if not line.startswith(_REFUSED)}


def _fields(record: Any) -> dict[str, Any]:
    """The fields of a record as they are, not as copies."""
    return {name: getattr(record, name) for name in record.__dataclass_fields__ if name != "needs"}
