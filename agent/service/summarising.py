"""`POST /v1/summaries`: a cited summary of a chart as JSON, a page, Markdown, text, or a FHIR document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from agent.chart import Chart
from agent.fhir_out import cited_records, recorded, summary_document, summary_output
from agent.service.accepting import chosen
from agent.service.bound import AsOf
from agent.service.callers import Caller
from agent.service.fhir_forms import FHIR, asked_by, fhir_response, page_response
from agent.service.kept import keep, new_id
from agent.service.parts import Parts, TheCaller, TheParts
from agent.service.problems import ProblemOut
from agent.sources import is_url
from agent.summaries import Summary, data_of, render, summarise
from agent.summaries.types import Kind
from agent.types import Removed, SearchedOut, Support

__all__ = ["SummaryIn", "SummaryOut", "router"]

router = APIRouter(tags=["summaries"])

_FORMATS = {"application/json": "json", "text/html": "html", "text/markdown": "markdown", "text/plain": "text"}


class SummaryIn(BaseModel):
    """Which summary. `patient` is an id or `Patient/id`, and needed where the credentials name none."""

    model_config = ConfigDict(extra="forbid")

    patient: Annotated[str | None, Field(default=None, max_length=80, examples=["demo-maria-santos"])]
    kind: Kind = Field(default="snapshot", description="What it is about.")
    as_of: AsOf


class PointOut(BaseModel):
    """One result of a course. `series` tells systolic from diastolic."""

    when: str
    value: float
    series: str | None = None


class CourseOut(BaseModel):
    """A measurement over time, oldest first, in `unit` (UCUM as shown); `low` and `high` are its reference range."""

    title: str
    unit: str
    low: float | None = None
    high: float | None = None
    older: int = Field(description="How many older results are left out.")
    points: list[PointOut]


class LineOut(BaseModel):
    """A checked statement; `marks` are those of the citations."""

    text: str
    marks: list[str]
    support: Support
    flagged: bool = Field(description="Whether the result is out of its range.")
    course: CourseOut | None = None


class NoteOut(BaseModel):
    """What is told about the search itself."""

    text: str
    marks: list[str]


class SectionOut(BaseModel):
    """Lines under a title; `hidden` counts those left out for length, `removed` are those that the check took out."""

    title: str
    lines: list[LineOut]
    notes: list[NoteOut]
    hidden: int
    removed: list[Removed]


class CitedOut(BaseModel):
    """Where a mark points: a resource, those of a computation, or a search (no references)."""

    mark: str
    text: str
    date: str | None = None
    references: list[str]
    version: str | None = None
    path: str


class SummaryOut(BaseModel):
    """A summary. The first section is about the person. `id` names it while it can be written to the chart."""

    id: str | None = None
    kind: Kind
    title: str
    patient: str
    as_of: str
    complete: bool
    sections: list[SectionOut]
    closing: str
    citations: list[CitedOut]
    searched: list[SearchedOut]
    removed: list[Removed]
    warnings: list[str]


_CONTENT: dict[str, Any] = {media: {"schema": {"type": "string"}} for media in list(_FORMATS)[1:]}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {**_CONTENT, FHIR: {"schema": {"type": "object"}}}},
    **{status: {"model": ProblemOut} for status in (401, 403, 404, 406, 422, 502)},
}


@router.post("/v1/summaries", response_model=SummaryOut, responses=_RESPONSES, summary="Summarise a patient's chart")
async def summaries(wanted: SummaryIn, request: Request, caller: TheCaller, parts: TheParts) -> Response:
    """The summary in the form that Accept names: JSON, HTML, Markdown, text, or FHIR (a document Bundle)."""
    form = chosen(request, (*_FORMATS, FHIR))
    async with parts.desk.agent(caller, wanted.patient, wanted.as_of) as agent:
        chart = await agent.chart()
        made = await summarise(chart, wanted.kind)
        if form == FHIR:
            return fhir_response(await _document(made, chart, caller, parts))
    if form == "application/json":
        return Response(orjson.dumps({"id": await _kept(made, caller, parts), **data_of(made)}), media_type=form)
    text = render(made, _FORMATS[form])
    return page_response(text) if form == "text/html" else Response(text, media_type=form)


async def _document(made: Summary, chart: Chart, caller: Caller, parts: Parts) -> Mapping[str, Any]:
    asked = asked_by(caller, parts, str(made.patient))
    return summary_document(made, asked, await cited_records(chart, made), base=_base(caller, parts))


def _base(caller: Caller, parts: Parts) -> str:
    """The URL of the one server that the chart is of; empty where it is a store, or where there are several."""
    if caller.access:
        return caller.access.base
    places = parts.desk.places
    return places[0] if len(places) == 1 and is_url(places[0]) else ""


async def _kept(made: Summary, caller: Caller, parts: Parts) -> str | None:
    """The id by which it can be written to the chart; None where the settings allow no writing."""
    if not parts.settings.service_write_back:
        return None
    id_ = new_id()
    output = summary_output(made, asked_by(caller, parts, str(made.patient), key=id_))
    await keep(parts, caller, id_, made.patient.id, recorded(output, parts.settings.service_write_as))
    return id_
