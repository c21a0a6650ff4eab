"""`GET /v1/patients/{id}/timeline`: all dated facts of a chart, in columns."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field

from agent.errors import SourceError
from agent.service.bound import AsOfQuery
from agent.service.parts import TheCaller, TheParts
from agent.types import SearchedOut
from fhir_tools.timeline import Timeline, read_timeline
from fhir_tools.types import KINDS

__all__ = ["TimelineOut", "router"]

router = APIRouter(tags=["charts"])


class TimelineOut(BaseModel):
    """Facts in the order in which they began. The columns `when`, `label` and `reference` are of one length."""

    patient: str = Field(examples=["demo-maria-santos"])
    as_of: date
    kinds: list[str] = Field(description="The kinds of facts, by number.", examples=[["measurement", "encounter"]])
    labels: list[str] = Field(description="What facts are about, by number.", examples=[["Hemoglobin A1c"]])
    label_kinds: list[int] = Field(description="The kind of each label, by number.", examples=[[0]])
    when: list[str] = Field(
        description="When each began, as precisely as the chart has it.", examples=[["1998", "2019-03-02"]]
    )
    label: list[int] = Field(description="What each is about.", examples=[[0, 0]])
    reference: list[str] = Field(description="The resource of each.", examples=[["Observation/a1c-3"]])
    until: dict[int, str] = Field(
        description="By row, when what lasts ended; empty for what goes on.", examples=[{"0": "1999", "1": ""}]
    )
    left_out: dict[str, int] = Field(
        description="How many facts are not among these: undated, later than the day, or no facts by their status.",
        examples=[{"undated": 3, "error": 1}],
    )
    unread: list[SearchedOut] = Field(description="What could not be read, or not wholly.")
    complete: bool


@router.get("/v1/patients/{id}/timeline", response_model=TimelineOut, summary="The facts of a chart in time")
async def timeline(
    id: Annotated[str, Path(max_length=80, examples=["demo-maria-santos"])],  # noqa: A002  the path's own name
    caller: TheCaller,
    parts: TheParts,
    as_of: AsOfQuery = None,
) -> Response:
    """Every dated fact up to the day, oldest first, in columns that are small enough for tens of thousands."""
    async with parts.desk.agent(caller, id, as_of) as agent:
        chart = await agent.opened()
        read = await read_timeline(chart.source, chart.patient, chart.as_of)
        if not read.when and not read.complete:
            raise SourceError(next((s.error for s in read.searched if s.error), "the chart could not be read"))
        named = list(read.references)
        if chart.locate is not str:  # several servers: each reference says which
            named = [chart.locate(chart.inside(reference)) for reference in named]
        told = _told(agent.patient.id, chart.as_of, read, named)
    body = told.model_dump_json()
    return Response(body, media_type="application/json", headers={"Cache-Control": "private, no-store"})


def _told(patient: str, as_of: date, read: Timeline, references: list[str]) -> TimelineOut:
    kinds: list[str] = [kind for kind in KINDS if any(kind == own for own, _ in read.concepts)]
    return TimelineOut.model_construct(
        patient=patient,
        as_of=as_of,
        kinds=kinds,
        labels=[label for _, label in read.concepts],
        label_kinds=[kinds.index(kind) for kind, _ in read.concepts],
        when=list(read.when),
        label=list(read.concept),
        reference=references,
        until=dict(read.until),
        left_out=dict(read.left_out),
        unread=[
            SearchedOut(query=s.query, found=s.found, complete=False, error=s.error or "; ".join(s.limits))
            for s in read.searched
            if not s.complete or s.limits
        ],
        complete=read.complete,
    )
