"""For those who run the service: is it alive, can it answer, and how is it doing."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field

from agent.service import metrics
from agent.service.access.addresses import is_here
from agent.service.parts import TheParts
from agent.service.problems import Problem, ProblemOut

__all__ = ["router"]

router = APIRouter(tags=["operations"])


class ReadyOut(BaseModel):
    """What the service needs, and whether each of them answers."""

    status: Annotated[str, Field(examples=["ready"])]
    checks: Annotated[
        dict[str, str], Field(examples=[{"database": "ready", "threads": "ready", "fhir": "ready", "model": "ready"}])
    ]


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> dict[str, str]:
    """Always `ok`: whoever reads it has reached the process."""
    return {"status": "ok"}


@router.get("/readyz", summary="Can questions be answered?", responses={503: {"model": ProblemOut}})
async def readyz(parts: TheParts) -> ReadyOut:
    """`ready` where the database, the FHIR servers and the model answer; what does not is named, with 503."""
    checks = await parts.ready.checks()
    away = ", ".join(f"{name} {told}" for name, told in checks.items() if told != "ready")
    if parts.turns.closed:
        away = "the service is being stopped"
    if away:
        raise Problem(503, "not-ready", away, headers={"Retry-After": "5"}, more={"checks": dict(checks)})
    return ReadyOut(status="ready", checks=dict(checks))


@router.get(
    "/metrics",
    summary="Counts and times, for Prometheus",
    response_class=PlainTextResponse,
    responses={403: {"model": ProblemOut}},
)
async def counts(request: Request, parts: TheParts) -> Response:
    """To this machine, or with the bearer token of CHARTLINE_SERVICE_METRICS_TOKEN."""
    token = parts.settings.service_metrics_token
    given = request.headers.get("authorization", "")
    known = token is not None and secrets.compare_digest(given, f"Bearer {token.get_secret_value()}")
    if not known and not is_here(request):
        raise Problem(403, "not-here", "only this machine reads /metrics, or who has CHARTLINE_SERVICE_METRICS_TOKEN")
    return Response(metrics.exposition(parts.counts), media_type=CONTENT_TYPE_LATEST)
