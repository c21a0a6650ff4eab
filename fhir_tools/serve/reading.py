"""read, vread and history: one resource as it is or was, with what HTTP caches need (R4 http, 3.1.0.2 to 3.1.0.12)."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from fhir_tools import dates
from fhir_tools.errors import NotFound
from fhir_tools.local import LocalStore
from fhir_tools.local.history import Version
from fhir_tools.search.query import R4_TYPES
from fhir_tools.serve.links import counted, link, offset_of
from fhir_tools.serve.messages import Answer, Ask, Params, Refusal, Resource
from fhir_tools.types import Query, Reference

__all__ = ["etag", "history", "instant", "modified", "read", "reference_of", "stamped"]

_ID = re.compile(r"[A-Za-z0-9\-._]{1,128}", re.ASCII)
_MEDIA = re.compile(r"[\w.+-]+/[\w.+-]+(;[ -~]*)?", re.ASCII)
_SHORTENING = ("_elements", "_summary")
_TAG = re.compile(r'(?:W/)?"([^"]*)"')


def reference_of(type_: str, id_: str) -> Reference:
    """The reference of two segments of a path. Raises Refusal (404) where no resource can be there."""
    if type_ not in R4_TYPES:
        raise Refusal(404, f"{type_!r} is not a FHIR R4 resource type", code="not-supported")
    if not _ID.fullmatch(id_):
        raise Refusal(404, "no resource can have an id like that: letters, digits, '-' and '.' only, 64 at most")
    return Reference(type=type_, id=id_)


async def read(store: LocalStore, ask: Ask, type_: str, id_: str, version: str | None = None) -> Answer:
    """The resource, its bytes (Binary), or 304 where the client has it already. Raises Refusal (404, 410)."""
    reference = reference_of(type_, id_)
    try:
        resource: Resource = await store.read(reference, version)
    except NotFound as fault:
        raise Refusal(fault.status or 404, str(fault)) from fault
    headers = stamped(resource)
    if _unchanged(ask.headers, resource):
        return Answer(status=304, headers=headers)
    if type_ == "Binary" and ask.raw:
        return _bytes(resource, headers)
    short = tuple(pair for pair in ask.params if pair[0] in _SHORTENING)
    if short and version is None:
        resource = await _shortened(store, reference, short)
    return Answer(resource=resource, headers=headers)


async def _shortened(store: LocalStore, reference: Reference, short: Params) -> Resource:
    if ("_summary", "count") in short:
        raise Refusal(400, "_summary=count is for searches; a read has true, text, data or false (R4 3.1.1.5.8)")
    found = await store.search(Query(type=reference.type, params=(("_id", reference.id), *short)))
    return found.matches[0]


def etag(version: str) -> str:
    """The weak ETag of a version id; what a header cannot hold is percent-encoded."""
    return f'W/"{quote(version, safe="")}"'


def stamped(resource: Resource) -> dict[str, str]:
    """ETag and Last-Modified of a resource as the store gives it."""
    return {"ETag": etag(str(resource["meta"]["versionId"])), **modified(resource["meta"]["lastUpdated"])}


def modified(text: Any) -> dict[str, str]:
    """Last-Modified in GMT; nothing where the file that was loaded had a time that is none."""
    moment = instant(text)
    return {"Last-Modified": format_datetime(moment.astimezone(UTC), usegmt=True)} if moment else {}


def instant(text: Any) -> datetime | None:
    """The first moment of a FHIR date, dateTime or instant (UTC where it has no offset), or None."""
    try:
        low = dates.parse(text.replace(" ", "+")).low if isinstance(text, str) else None
        return low.astimezone(UTC) if low else None
    except (ValueError, OverflowError):
        return None


def _unchanged(headers: Mapping[str, str], resource: Resource) -> bool:
    """Conditional read (R4 3.1.0.3); If-None-Match goes before If-Modified-Since (RFC 9110, 13.2.2)."""
    tags = headers.get("if-none-match")
    if tags is not None:
        return tags.strip() == "*" or quote(str(resource["meta"]["versionId"]), safe="") in _TAG.findall(tags)
    since, moment = headers.get("if-modified-since"), instant(resource["meta"]["lastUpdated"])
    if not since or moment is None:
        return False
    try:
        asked = parsedate_to_datetime(since)
    except ValueError:
        return False  # RFC 9110, 13.1.3: a date that is none is ignored
    return moment.replace(microsecond=0) <= (asked if asked.tzinfo else asked.replace(tzinfo=UTC))


def _bytes(resource: Resource, headers: Mapping[str, str]) -> Answer:
    try:
        body = base64.b64decode("".join(str(resource.get("data", "")).split()), validate=True)
    except ValueError as fault:
        raise Refusal(406, "this Binary's data is not base64; ask for application/fhir+json to see it") from fault
    type_ = str(resource.get("contentType"))
    # A document of a chart is not a page of this server: a browser must neither guess its type nor run it.
    guard = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
    return Answer(
        body=body,
        content_type=type_ if _MEDIA.fullmatch(type_) else "application/octet-stream",
        headers={**headers, **guard},
    )


async def history(store: LocalStore, ask: Ask, type_: str | None = None, id_: str | None = None) -> Answer:
    """A Bundle of versions, newest first, of a resource, a type or the server. `_since`, `_count` and pages."""
    if type_ is not None:
        reference_of(type_, id_ or "x")
    for name, _ in ask.params:
        if name not in ("_since", "_count", "_page", "_format", "_pretty") and ask.prefers("handling") != "lenient":
            raise Refusal(400, f"_history has no parameter {name!r}; it has _since and _count", code="not-supported")
    count, offset, since = counted(ask), offset_of(ask), ask.last("_since")
    of = Reference(type=type_, id=id_) if type_ and id_ else type_
    # One more than the page shows that there is a next one. A blank is a '+' that was not percent-encoded.
    found = store.history(of, since=since.replace(" ", "+") if since else None, count=offset + count + 1)
    if id_ and not found and not store.history(of, count=1):
        raise Refusal(404, f"the store has no {type_} of that id")
    path = "/".join((*filter(None, (type_, id_)), "_history"))
    links = [link(ask.base, path, ask.params, "self")]
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "history"}
    if count and len(found) > offset + count:
        rest = tuple(pair for pair in ask.params if pair[0] != "_page")
        links.append(link(ask.base, path, (*rest, ("_page", str(offset + count))), "next"))
    elif count:
        bundle["total"] = len(found)
    entries = [_entry(ask.base, version) for version in found[offset : offset + count]]
    return Answer(resource={**bundle, "link": links, **({"entry": entries} if entries else {})})


def _entry(base: str, version: Version) -> dict[str, Any]:
    url = str(version.reference)
    response = {"status": "204 No Content" if version.resource is None else "200 OK", "etag": etag(version.version)}
    if instant(version.updated):
        response["lastModified"] = version.updated
    entry: dict[str, Any] = {"fullUrl": f"{base}/{url}"}
    if version.resource is not None:
        entry["resource"] = version.resource
    return {**entry, "request": {"method": version.method, "url": url}, "response": response}
