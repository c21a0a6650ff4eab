"""What a chart's notes state and its structured records lack, each with its span: for pharmacovigilance and quality."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from agent.chart import Chart
from agent.types import SpanOut
from fhir_tools import compute, dates, wording
from fhir_tools.documents import Document
from fhir_tools.documents.lacking import Lack, day_of, lacking
from fhir_tools.documents.statements import Statement, statements
from fhir_tools.facts import KIND_TYPES, facts_of
from fhir_tools.records import usable
from fhir_tools.types import Fact, Quantity, Query, SearchResult

__all__ = ["Extract", "Row", "extract"]

_MEANT = ("affirmed", "historical")


class _Out(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Row(_Out):
    """One statement. `how` is `lacks` (the chart has none) or `differs` (it has `recorded` for that day instead).

    `reference` is the document, `span` where it says so; `date` is the day that it says it for.
    """

    sort: str
    how: str
    name: str
    concept: str
    cause: str = ""
    value: str = ""
    date: str = ""
    assertion: str
    stopped: bool = False
    section: str = ""
    reference: str
    document: str
    read_by: str = ""
    span: SpanOut
    recorded: list[str] = []
    records: list[str] = []


class Extract(_Out):
    """What the notes of one chart state beside it. `unread` names documents that could not be read, and why."""

    patient: str
    as_of: str
    documents: int
    rows: list[Row]
    unread: list[str]
    complete: bool


async def extract(chart: Chart, *, every: bool = False) -> Extract:
    """The statements that the chart lacks; with `every` also those that are negated, uncertain or of the family.

    Raises SourceError where the source fails before anything was read; what was cut short makes it not `complete`.
    """
    results = await asyncio.gather(*(chart.search(_query(chart, t)) for k in ("document", "report", "measurement")
                                     for t in KIND_TYPES[k]))  # fmt: skip
    documents = await _documents(chart, results)
    told = [s for d in documents for s in statements(d)]
    found = lacking(told, chart.matcher, _measured(chart, results))
    rows = [_row(lack) for lack in found if every or lack.statement.assertion in _MEANT]
    unread = [_unread(d) for d in documents if d.unread and not _is_bare(d)]
    return Extract(
        patient=str(chart.patient),
        as_of=chart.as_of.isoformat(),
        documents=len(documents),
        rows=sorted(rows, key=lambda r: (_ORDER.index(r.sort), r.concept, r.date)),
        unread=unread,
        complete=all(r.complete for r in results) and not unread and not chart.unread,
    )


_ORDER = ("problem", "adverse event", "medication", "measurement", "symptom")


def _query(chart: Chart, kind: str) -> Query:
    return Query(type=kind, params=(("patient", str(chart.patient)),))


async def _documents(chart: Chart, results: Sequence[SearchResult]) -> list[Document]:
    """The notes and reports up to as_of, oldest first; one text once."""
    pairs = [(r, f) for r, f in _facts(chart, results) if f.kind in ("document", "report")]
    read = await asyncio.gather(*(chart.document(r, f) for r, f in pairs))
    ordered = sorted(read, key=lambda d: compute.when_key(d.fact))
    return list({" ".join(d.text.split()) or str(d.fact.reference): d for d in ordered}.values())


def _facts(chart: Chart, results: Sequence[SearchResult]) -> list[tuple[Mapping[str, object], Fact]]:
    end = dates.end_of_day(chart.as_of)
    return [
        (resource, fact)
        for result in results
        for resource in result.matches
        for fact in usable(facts_of(resource))
        if not (fact.when and fact.when.low and fact.when.low >= end)
    ]


def _measured(chart: Chart, results: Sequence[SearchResult]) -> Mapping[str, Sequence[Fact]]:
    by_key: dict[str, list[Fact]] = defaultdict(list)
    for _, fact in _facts(chart, results):
        if fact.kind in ("measurement", "social"):
            by_key[fact.concept.key].append(fact)
    return by_key


def _is_bare(document: Document) -> bool:
    return document.fact.kind == "report" and not document.missed and document.unread == "it holds no text"


def _unread(document: Document) -> str:
    fact = document.fact
    return f"{wording.day_text(fact.when)} {wording.label(fact.concept)} ({fact.reference}): {document.unread}"


def _row(lack: Lack) -> Row:
    s = lack.statement
    day = day_of(s)
    return Row(
        sort=s.sort,
        how=lack.how,
        name=s.name,
        concept=s.entries[0].label,
        cause=s.cause,
        value=_value(s),
        date=day.isoformat() if day else "",
        assertion=s.assertion,
        stopped=s.stopped,
        section=s.section,
        reference=str(s.document.fact.reference),
        document=wording.label(s.document.fact.concept),
        read_by=s.document.read_by(s.span),
        span=SpanOut(start=s.span.start, end=s.span.end, quote=s.span.quote),
        recorded=[wording.value_text(f) for f in lack.facts],
        records=[str(f.reference) for f in lack.facts],
    )


def _value(s: Statement) -> str:
    if len(s.values) == 2:
        top, bottom = (wording.quantity_text(Quantity(value=q.value)) for q in s.values)
        return f"{top}/{bottom} {s.values[1].unit or ''}".strip()
    return wording.quantity_text(s.values[0]) if s.values else ""
