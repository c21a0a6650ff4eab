"""What a citation rests on: `GET /v1/evidence/{reference}`, many at once in short, and the frames of images."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Response

from agent.chart import Chart
from agent.cited.pictures import images_in
from agent.cited.resource import document_of, read_cited
from agent.cited.series import courses
from agent.errors import ChartlineError, ImageError
from agent.service.bound import AsOfQuery
from agent.service.evidence_out import EvidenceOut, ImageOut, ItemOut, ItemsOut, evidence_out
from agent.service.images import Wanted
from agent.service.parts import TheCaller, TheParts
from agent.service.problems import Problem, problem_of
from fhir_tools.types import Reference

__all__ = ["router"]

router = APIRouter(tags=["evidence"])

_PRIVATE = {"Cache-Control": "private, no-store"}
_MOST = 50
_NO_REFERENCE = "reference: give Type/id, as an answer cites it"

Patient = Annotated[
    str | None,
    Query(max_length=80, description="Needed where the credentials name none.", examples=["demo-maria-santos"]),
]
Element = Annotated[
    str, Query(max_length=300, description="The cited element.", examples=["Observation.component[0].valueQuantity"])
]
Cited = Annotated[
    str,
    Path(
        max_length=600,
        description="The resource as an answer cites it: `Type/id`, after its server's address if there are several.",
        examples=["Observation/santos-obs-1"],
    ),
]


@router.get("/v1/evidence", response_model=ItemsOut, summary="Several cited resources, a few lines each")
async def items(
    caller: TheCaller,
    parts: TheParts,
    reference: Annotated[list[str], Query(min_length=1, max_length=_MOST, examples=[["Observation/santos-obs-1"]])],
    patient: Patient = None,
    as_of: AsOfQuery = None,
) -> Response:
    """For the inputs of a computation. One that cannot be read has an `error`, and the others stand."""
    async with parts.desk.agent(caller, patient, as_of) as agent:
        chart = await agent.opened()
        told = await asyncio.gather(*(_item(chart, one) for one in reference))
    return _json(ItemsOut(items=list(told), complete=not any(item.error for item in told)))


@router.get(
    "/v1/evidence/{reference:path}/frames/{number}.png",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}, "description": "The frame, in pixels of the stored image"}},
    summary="One frame of a cited image",
)
async def frame(
    reference: Cited,
    number: Annotated[int, Path(ge=1, le=1_000_000, description="From 1, in the order of reading.")],
    caller: TheCaller,
    parts: TheParts,
    patient: Patient = None,
    as_of: AsOfQuery = None,
    path: Element = "",
) -> Response:
    """PNG. `X-Frames` counts the frames (0: not known), `X-Source` is width and height of the stored image in pixels,
    `X-Region` the part of it that is shown (left, top, right, bottom); `X-Caption` and `X-Warning` are URL-encoded.
    """
    meant = parts.desk.patient(caller, patient)
    wanted = Wanted(caller=caller, patient=meant, as_of=as_of, reference=reference, path=path)
    try:
        async with parts.studies.lend(wanted) as study:
            shown = await study.frame(number)
    except ImageError as error:
        status = 404 if error.reason == "frame" else 422
        raise Problem(status, "image", str(error), more={"reason": error.reason}) from error
    except ValueError as error:
        raise Problem(422, "invalid", _NO_REFERENCE) from error
    region = shown.frame.region
    headers = {
        **_PRIVATE,
        "X-Frames": str(shown.frame.of),
        "X-Source": " ".join(map(str, shown.frame.source)),
        "X-Region": f"{region.left:g} {region.top:g} {region.right:g} {region.bottom:g}",
        "X-Caption": quote(shown.caption),
        "X-Warning": quote("; ".join(shown.frame.warnings)),
    }
    return Response(shown.data, media_type="image/png", headers=headers)


@router.get("/v1/evidence/{reference:path}", response_model=EvidenceOut, summary="What a citation rests on")
async def evidence(
    reference: Cited,
    caller: TheCaller,
    parts: TheParts,
    patient: Patient = None,
    as_of: AsOfQuery = None,
    version: Annotated[str | None, Query(max_length=128, description="The version that was cited.")] = None,
    path: Element = "",
) -> Response:
    """The resource in the version that was cited where the source still has it, readable and as it is; the cited
    element; the text of a note; the course of a measurement; where the frames of an image are.
    """
    async with parts.desk.agent(caller, patient, as_of) as agent:
        chart = await agent.opened()
        own = _inside(chart, reference)
        try:
            cited = await read_cited(chart, own, version=version, path=path)
        except ValueError as error:
            raise Problem(422, "invalid", f"path: {error}") from error
        note = await document_of(chart, cited)
        told = await courses(chart, cited)
    images = [
        ImageOut(
            path=image.path, title=image.title, modality=image.modality, frames=image.count,
            href=_href(chart.locate(cited.reference), image.path, patient, as_of),
        )
        for image in images_in(cited.resource)
    ]  # fmt: skip
    return _json(evidence_out(cited, note, told, images, chart.locate))


def _href(reference: str, path: str, patient: str | None, as_of: date | None) -> str:
    """Where frames are; `{n}` stands for the number."""
    asked = {"path": path, "patient": patient, "as_of": as_of.isoformat() if as_of else None}
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in asked.items() if value)
    return f"/v1/evidence/{quote(reference, safe='/')}/frames/{{n}}.png?{query}"


async def _item(chart: Chart, text: str) -> ItemOut:
    try:
        cited = await read_cited(chart, _inside(chart, text))
    except (ChartlineError, Problem) as error:
        return ItemOut(reference=text, error=problem_of(error).detail)
    when = cited.fact.when.text if cited.fact and cited.fact.when else None
    return ItemOut(reference=text, title=cited.title, when=when, lines=list(cited.lines[:1]))


def _inside(chart: Chart, text: str) -> Reference:
    try:
        return chart.inside(text)
    except ValueError as error:
        raise Problem(422, "invalid", _NO_REFERENCE) from error


def _json(told: EvidenceOut | ItemsOut) -> Response:
    return Response(told.model_dump_json(), media_type="application/json", headers=_PRIVATE)
