"""`/cds-services`: discovery, the four hooks, and feedback (CDS Hooks 2.0.1)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ValidationError

from agent.service.cds.deciding import Call, decide
from agent.service.cds.feedback import told
from agent.service.cds.gate import Admitted
from agent.service.cds.paths import HOOKS_AT
from agent.service.cds.prefetch import templates
from agent.service.cds.requests import HOOKS, FeedbackIn, Hook, HookIn
from agent.service.cds.responses import CardsOut, ServiceOut, ServicesOut, plain
from agent.service.cds.room import Room
from agent.service.cds.rules import offered
from agent.service.parts import Parts, TheParts
from agent.service.problems import MEDIA, Problem, ProblemOut

__all__ = ["router"]

_MOST = 10_000_000
"""Bytes of a request."""
_M = TypeVar("_M", bound=BaseModel)
_USAGE = (
    "Sends cards from rules over FHIR R4 that the prefetch brings, or that a fhirAuthorization lets it read. "
    "No card means that nothing was found, or that nothing here is about it."
)
_ABOUT: Mapping[Hook, tuple[str, str]] = {
    "patient-view": (
        "Chart at a glance",
        "Answers computed ahead, results that matter for current drugs",
    ),
    "order-select": (
        "Selected orders",
        "Allergies, kidney function, results and duplicates for selected drugs",
    ),
    "order-sign": ("Before signing", "Allergies, kidney function, results and duplicates of ordered drugs"),
    "encounter-discharge": ("Check at discharge", "Results that active drugs want and that were not found"),
}


def _responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": ProblemOut, "content": {MEDIA: {}}} for status in statuses}


async def _room(request: Request) -> Room:
    room: Room = request.app.state.cds
    return room


TheRoom = Annotated[Room, Depends(_room)]


async def _admitted(request: Request, room: TheRoom) -> Admitted:
    return await room.gate.admitted(request)


TheClient = Annotated[Admitted, Depends(_admitted)]
router = APIRouter(tags=["cds-hooks"])


def _inlined(schema: Any, parts: Mapping[str, Any] | None = None) -> Any:
    """A JSON schema without references into itself, which OpenAPI would read as into the whole document."""
    if isinstance(schema, list):
        return [_inlined(item, parts) for item in schema]
    if not isinstance(schema, dict):
        return schema
    parts = schema.get("$defs", parts) or {}
    if "$ref" in schema:
        return _inlined(parts[schema["$ref"].rpartition("/")[2]], parts)
    return {key: _inlined(value, parts) for key, value in schema.items() if key != "$defs"}


def _body(model: type[BaseModel]) -> dict[str, Any]:
    content = {"application/json": {"schema": _inlined(model.model_json_schema())}}
    return {"requestBody": {"required": True, "content": content}}


@router.get(HOOKS_AT, response_model=ServicesOut, summary="What CDS services there are")
async def discovery(room: TheRoom) -> Response:
    """The services with their prefetch templates. It holds nothing about a patient and asks for no token."""
    services = tuple(_service(room, hook) for hook in HOOKS if room.cards.of(hook))
    return _json(ServicesOut(services=services))


def _service(room: Room, hook: Hook) -> ServiceOut:
    cards = room.cards.of(hook)
    keys = {key for card in cards for key in offered(card)}
    keys |= {"user"} if any(card.who.asks_of_user for card in cards) else set()
    title, about = _ABOUT[hook]
    return ServiceOut(
        hook=hook,
        title=title,
        description=about,
        id=f"chartline-{hook}",
        prefetch=templates(keys, hook),
        usageRequirements=_USAGE,
    )


@router.post(
    HOOKS_AT + "/{id}",
    response_model=CardsOut,
    summary="Call a CDS service",
    openapi_extra=_body(HookIn),
    responses=_responses(401, 403, 404, 412, 413, 422),
)
async def call(id: str, request: Request, client: TheClient, room: TheRoom, parts: TheParts) -> Response:  # noqa: A002
    """The cards for a hook; an empty array where there is nothing to say. 412 where data cannot be had."""
    hook = _hook(room, id)
    asked = await _read(request, HookIn)
    if asked.hook != hook:
        raise Problem(422, "hook", f"this service is of the hook {hook}")
    try:
        context = asked.read
    except ValidationError as error:
        raise RequestValidationError(_faults(error, "body", "context")) from error
    found = Call(
        service=id,
        asked=asked,
        context=context,
        admitted=client,
        cards=room.cards,
        desk=parts.desk,
        database=parts.database,
        base=_base(parts, request),
        grant=room.grant,
    )
    return _json(await decide(found))


@router.post(
    HOOKS_AT + "/{id}/feedback",
    summary="Tell what was done with cards",
    openapi_extra=_body(FeedbackIn),
    responses=_responses(401, 404, 413, 422),
)
async def feedback(id: str, request: Request, client: TheClient, room: TheRoom, parts: TheParts) -> dict[str, str]:  # noqa: A002
    """Kept by the name of the card, each time that it is told."""
    _hook(room, id)
    said = await _read(request, FeedbackIn)
    await told(parts.database, id, client.client.issuer, said.feedback, datetime.now(UTC))
    return {}


def _hook(room: Room, id_: str) -> Hook:
    """The hook of a service. Raises Problem 404 for a service that is not offered."""
    for hook in HOOKS:
        if id_ == f"chartline-{hook}" and room.cards.of(hook):
            return hook
    raise Problem(404, "unknown-service", f"there is no such service; GET {HOOKS_AT} lists those that there are")


async def _read(request: Request, model: type[_M]) -> _M:
    """The body as a model. Raises Problem 413, RequestValidationError."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MOST:
            raise Problem(413, "too-large", f"the request has more than {_MOST:,} bytes")
    try:
        return model.model_validate(orjson.loads(bytes(body)))
    except orjson.JSONDecodeError as error:
        fault = {"type": "json_invalid", "loc": ("body",), "msg": "the body is no JSON"}
        raise RequestValidationError([fault]) from error
    except ValidationError as error:
        raise RequestValidationError(_faults(error, "body")) from error


def _faults(error: ValidationError, *where: str) -> list[dict[str, Any]]:
    """The faults without the values: a request is about a patient."""
    found = error.errors(include_input=False, include_context=False, include_url=False)
    return [{**fault, "loc": (*where, *fault["loc"])} for fault in found]


def _base(parts: Parts, request: Request) -> str:
    return (parts.settings.service_url or str(request.base_url)).rstrip("/")


def _json(model: BaseModel) -> Response:
    return Response(orjson.dumps(plain(model)), media_type="application/json", headers={"Cache-Control": "no-store"})
