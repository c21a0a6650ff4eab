"""create, update and delete, also conditional ones (R4 http, 3.1.0.4 to 3.1.0.9)."""

from __future__ import annotations

import base64
import re
import uuid
from typing import Any
from urllib.parse import quote

import orjson

from fhir_tools.errors import NotFound
from fhir_tools.load.checks import refusal
from fhir_tools.local import LocalStore
from fhir_tools.serve.formats import media_type
from fhir_tools.serve.messages import FHIR_JSON, Answer, Ask, Params, Refusal, outcome
from fhir_tools.serve.reading import reference_of, stamped
from fhir_tools.serve.searching import pairs
from fhir_tools.types import Query, Reference

__all__ = [
    "conditional_delete",
    "conditional_update",
    "create",
    "criteria",
    "delete",
    "matching",
    "parsed",
    "patch",
    "update",
]

_JSON = (FHIR_JSON, "application/json", "text/json")
_TAG = re.compile(r'(?:W/)?"([^"]*)"')
_CONTROL = ("_format", "_pretty")


def parsed(ask: Ask) -> dict[str, Any]:
    """The body as a JSON object. Raises Refusal: 415 for another content type, 400 for what is no JSON object."""
    kind, more = media_type(ask.headers.get("content-type", ""))
    if kind not in _JSON:
        raise Refusal(415, f"the body's content type is {kind or 'not given'!r}; this server takes {FHIR_JSON}")
    if more.get("fhirversion", "4.0") not in ("4.0", "4.0.1"):
        raise Refusal(415, "this server takes FHIR 4.0 only")
    try:
        value = orjson.loads(ask.body)
        orjson.dumps(value)  # what is nested deeper than it can be written again is refused here, not half-way
    except (orjson.JSONDecodeError, orjson.JSONEncodeError) as fault:
        raise Refusal(400, "the body is not JSON, or is nested too deeply", code="structure") from fault
    if not isinstance(value, dict):
        raise Refusal(400, "the body is not a JSON object with a resourceType", code="structure")
    return value


def _checked(resource: dict[str, Any], type_: str) -> None:
    if resource.get("resourceType") != type_:
        raise Refusal(400, f"the body's resourceType is not {type_!r}, which the URL names")
    if problem := refusal(resource):
        raise Refusal(400, problem)


def _unversioned(resource: dict[str, Any]) -> dict[str, Any]:
    """Without version and time: they are this server's to give (R4 3.1.0.4, 3.1.0.8)."""
    meta = resource.get("meta")
    if not isinstance(meta, dict):
        return {k: v for k, v in resource.items() if k != "meta"}
    kept = {k: v for k, v in meta.items() if k.lstrip("_") not in ("versionId", "lastUpdated")}
    rest = {k: v for k, v in resource.items() if k != "meta"}
    return {**rest, "meta": kept} if kept else rest


def criteria(text: str) -> Params:
    """The search of a conditional interaction, with or without `Type?` in front. Raises Refusal (400)."""
    try:
        query = text.rpartition("?")[2].encode("ascii")
    except UnicodeEncodeError as fault:
        raise Refusal(400, "the criteria are not percent-encoded") from fault
    return tuple(pair for pair in pairs(query) if pair[0] not in _CONTROL)


def matching(store: LocalStore, type_: str, params: Params) -> Reference | None:
    """The one resource that the criteria find, or None. Raises Refusal: 412 for several, 400 for no criteria."""
    if not params:
        raise Refusal(400, "a conditional interaction needs criteria; without any, every resource would match")
    found = store.matching(Query(type=type_, params=params))
    if len(found) > 1:
        raise Refusal(412, "the criteria are met by more than one resource", code="multiple-matches")
    return Reference.parse(found[0]) if found else None


async def create(store: LocalStore, ask: Ask, type_: str) -> Answer:
    """POST: a new id, given by the server; with If-None-Exist only where nothing meets its criteria (R4 3.1.0.8.1)."""
    reference_of(type_, "x")
    if "if-none-exist" in ask.headers:
        found = matching(store, type_, criteria(ask.headers["if-none-exist"]))
        if found is not None:
            return await _done(store, ask, found, 200)
    resource = _binary(ask) if type_ == "Binary" and _is_raw(ask) else parsed(ask)
    resource = _unversioned({**resource, "id": ask.new_id or str(uuid.uuid4())})
    _checked(resource, type_)
    store.put(resource)
    return await _done(store, ask, Reference(type=type_, id=resource["id"]), 201)


async def update(store: LocalStore, ask: Ask, type_: str, id_: str) -> Answer:
    """PUT: the id stays, a resource that is not there is made (R4 3.1.0.4, 3.1.0.4.1). If-Match is honoured (412)."""
    reference = reference_of(type_, id_)
    resource = _binary(ask) | {"id": id_} if type_ == "Binary" and _is_raw(ask) else parsed(ask)
    if resource.get("id") != id_:
        raise Refusal(400, "the body's id is not the id in the URL")
    _checked(resource, type_)
    exists = store.has(str(reference))
    await _match(store, ask, reference)
    store.put(_unversioned(resource))
    return await _done(store, ask, reference, 200 if exists else 201)


async def conditional_update(store: LocalStore, ask: Ask, type_: str) -> Answer:
    """PUT `Type?criteria` (R4 3.1.0.4.3): what meets them is replaced, where nothing does it is made."""
    reference_of(type_, "x")
    resource = parsed(ask)
    found = matching(store, type_, tuple(pair for pair in ask.params if pair[0] not in _CONTROL))
    id_ = resource.get("id")
    if found is None and isinstance(id_, str) and store.has(f"{type_}/{id_}"):
        raise Refusal(409, "nothing meets the criteria, and another resource has the body's id", code="duplicate")
    if found is not None and id_ not in (None, found.id):
        raise Refusal(400, "the body's id is not that of the resource which meets the criteria")
    resource["id"] = found.id if found else id_ or str(uuid.uuid4())
    _checked(resource, type_)
    if found is not None:
        await _match(store, ask, found)
    store.put(_unversioned(resource))
    return await _done(store, ask, Reference(type=type_, id=resource["id"]), 200 if found else 201)


async def delete(store: LocalStore, ask: Ask, type_: str, id_: str) -> Answer:
    """DELETE: 204, also where there is nothing (any more) to delete (R4 3.1.0.7)."""
    reference = reference_of(type_, id_)
    await _match(store, ask, reference)
    store.delete(reference)
    return Answer(status=204)


async def conditional_delete(store: LocalStore, ask: Ask, type_: str) -> Answer:
    """DELETE `Type?criteria` of one resource; several are refused (R4 3.1.0.7.1, conditionalDelete `single`)."""
    reference_of(type_, "x")
    found = matching(store, type_, tuple(pair for pair in ask.params if pair[0] not in _CONTROL))
    if found is not None:
        store.delete(found)
    return Answer(status=204)


async def patch(store: LocalStore, ask: Ask, type_: str, id_: str) -> Answer:
    """PATCH is not offered (501)."""
    reference_of(type_, id_)
    raise Refusal(501, "PATCH is not offered; read the resource, change it, and PUT it with If-Match")


async def _match(store: LocalStore, ask: Ask, reference: Reference) -> None:
    """If-Match (R4 3.1.0.5, managing resource contention). Raises Refusal (412) where it is of another version."""
    asked = ask.headers.get("if-match")
    if asked is None:
        return
    try:
        current = str((await store.read(reference))["meta"]["versionId"])
    except NotFound:
        raise Refusal(412, "If-Match was given, and there is no such resource") from None
    if asked.strip() != "*" and quote(current, safe="") not in _TAG.findall(asked):
        raise Refusal(412, "the resource has another version than If-Match says; read it again")


async def _done(store: LocalStore, ask: Ask, reference: Reference, status: int) -> Answer:
    """What a write answers: Location, ETag, Last-Modified, and the body that Prefer asks for (R4 3.1.0.1.7)."""
    resource = await store.read(reference)
    location = f"{ask.base}/{reference}/_history/{quote(str(resource['meta']['versionId']), safe='')}"
    headers = {**stamped(resource), "Location": location}
    wanted = ask.prefers("return")
    if wanted == "minimal":
        return Answer(status=status, headers=headers)
    if wanted == "operationoutcome":
        told = outcome("stored", code="informational", severity="information")
        return Answer(status=status, resource=told, headers=headers)
    return Answer(status=status, resource=resource, headers=headers)


# Binary as bytes (R4 Binary, 2.12.4).


def _is_raw(ask: Ask) -> bool:
    kind = media_type(ask.headers.get("content-type", ""))[0]
    return bool(kind) and kind not in _JSON and "fhir+" not in kind


def _binary(ask: Ask) -> dict[str, Any]:
    kind = ask.headers["content-type"]
    resource: dict[str, Any] = {"resourceType": "Binary", "contentType": kind}
    if "x-security-context" in ask.headers:
        resource["securityContext"] = {"reference": ask.headers["x-security-context"]}
    return {**resource, "data": base64.b64encode(ask.body).decode()}
