"""batch and transaction: many interactions in one request (R4 http, 3.1.0.11)."""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson

from fhir_tools.local import LocalStore
from fhir_tools.serve.messages import FHIR_JSON, Answer, Ask, Refusal, Resource
from fhir_tools.serve.reading import instant
from fhir_tools.serve.searching import pairs
from fhir_tools.serve.writing import criteria, matching, parsed

__all__ = ["Handle", "run_bundle"]

Handle = Callable[[Ask], Awaitable[Answer]]
"""Answers one request, refusals included: never raises Refusal."""

_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH")
_ORDER = ("DELETE", "POST", "PUT", "PATCH", "GET", "HEAD")
"""In which order a transaction is worked on, whatever the order of its entries (R4 3.1.0.11.2)."""

_HEADERS = {
    "ifNoneMatch": "if-none-match",
    "ifModifiedSince": "if-modified-since",
    "ifMatch": "if-match",
    "ifNoneExist": "if-none-exist",
}
_CONDITIONAL = re.compile(r"[A-Z][A-Za-z]+\?.+")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """An entry as the request it stands for; `target` is the `Type/id` that a write is about, once it is known."""

    ask: Ask
    resource: dict[str, Any] | None
    full_url: str
    target: str = ""


async def run_bundle(store: LocalStore, ask: Ask, handle: Handle, *, writable: bool) -> Answer:
    """POST of a Bundle to the base. A batch always answers 200, each entry for itself; a transaction all or nothing."""
    bundle = parsed(ask)
    if bundle.get("resourceType") != "Bundle" or bundle.get("type") not in ("batch", "transaction"):
        raise Refusal(
            400, "only a Bundle of type batch or transaction is posted here; POST a resource to [base]/[type]"
        )
    listed = bundle.get("entry", [])
    if not isinstance(listed, list):
        raise Refusal(400, "Bundle.entry is not a list", code="structure")
    if bundle["type"] == "batch":
        answers = [await _one(ask, item, handle) for item in listed]
    else:
        answers = await _transaction(store, [_read(ask, item) for item in listed], handle, writable=writable)
    entries = [_told(answer) for answer in answers]
    found: dict[str, Any] = {"resourceType": "Bundle", "type": f"{bundle['type']}-response"}
    found["link"] = [{"relation": "self", "url": ask.base}]
    return Answer(resource={**found, **({"entry": entries} if entries else {})})


async def _one(ask: Ask, item: Any, handle: Handle) -> Answer:
    try:
        return await handle(_read(ask, item).ask)
    except Refusal as refusal:
        return refusal.answer


def _read(ask: Ask, item: Any) -> _Entry:
    """The request of an entry. Raises Refusal (400) for one that has none, or one of another server."""
    request = item.get("request") if isinstance(item, dict) else None
    request = request if isinstance(request, dict) else {}
    method, url = request.get("method"), request.get("url")
    if not isinstance(method, str) or method not in _METHODS or not isinstance(url, str):
        raise Refusal(400, "an entry needs request.method (a verb of HTTP) and request.url", code="required")
    path, params = _split(ask.base, url)
    if not path and method == "POST":
        raise Refusal(400, "a Bundle within a Bundle is not worked on", code="not-supported")
    if any(part.startswith("$export") for part in path):
        raise Refusal(400, "an export is asked for on its own, not in a Bundle", code="not-supported")
    headers = {name: str(request[key]) for key, name in _HEADERS.items() if request.get(key) is not None}
    headers |= {"prefer": ask.headers.get("prefer", "")}
    resource = item.get("resource")
    if resource is not None and not isinstance(resource, dict):
        raise Refusal(400, "an entry's resource is not a JSON object", code="structure")
    if resource is None and method in ("POST", "PUT") and path[-1:] and path[-1][:1] not in ("_", "$"):
        raise Refusal(400, f"an entry that is a {method} needs a resource", code="required")
    full_url = item.get("fullUrl")
    inner = Ask(method=method, path=path, base=ask.base, params=params, headers=headers)
    return _Entry(
        ask=_with_body(inner, resource),
        resource=resource,
        full_url=full_url if isinstance(full_url, str) else "",
    )


def _with_body(ask: Ask, resource: Resource | None) -> Ask:
    if resource is None:
        return ask
    return replace(ask, body=orjson.dumps(resource), headers={**ask.headers, "content-type": FHIR_JSON})


def _split(base: str, url: str) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    inside = url[len(base) :] if url == base or url.startswith((f"{base}/", f"{base}?")) else url
    try:
        parts = urlsplit(inside)
    except ValueError as fault:
        raise Refusal(400, "an entry's request.url is no URL") from fault
    if parts.scheme or parts.netloc:
        raise Refusal(400, "an entry's request.url is of another server; write it relative to the base")
    try:
        query = parts.query.encode("ascii")
    except UnicodeEncodeError:
        query = parts.query.encode("ascii", "replace") if "\ufffd" in parts.query else _ascii(parts.query)
    return tuple(unquote(part) for part in parts.path.strip("/").split("/") if part), pairs(query)


def _ascii(text: str) -> bytes:
    """A query that was written in Unicode, percent-encoded as a browser would."""
    return "".join(c if c.isascii() else "".join(f"%{b:02X}" for b in c.encode()) for c in text).encode("ascii")


def _told(answer: Answer) -> dict[str, Any]:
    """One entry of the response (R4 3.1.0.11.3): a success has its resource, a failure its OperationOutcome."""
    if answer.body is not None:
        # An entry holds a resource: other content goes as a Binary (R4 http, 3.1.0.11.1).
        data = {"contentType": answer.content_type, "data": base64.b64encode(answer.body).decode("ascii")}
        answer = Answer(status=answer.status, resource={"resourceType": "Binary", **data}, headers=answer.headers)
    phrase = HTTPStatus(answer.status).phrase
    response: dict[str, Any] = {"status": f"{answer.status} {phrase}"}
    for header, key in (("Location", "location"), ("ETag", "etag")):
        if header in answer.headers:
            response[key] = answer.headers[header]
    resource = answer.resource
    meta = resource.get("meta") if resource else None
    if isinstance(meta, dict) and instant(meta.get("lastUpdated")):
        response["lastModified"] = meta["lastUpdated"]
    if resource is None:
        return {"response": response}
    if answer.status >= HTTPStatus.BAD_REQUEST or resource["resourceType"] == "OperationOutcome":
        return {"response": {**response, "outcome": resource}}
    return {"resource": resource, "response": response}


# Transactions.


async def _transaction(store: LocalStore, entries: list[_Entry], handle: Handle, *, writable: bool) -> list[Answer]:
    answers: dict[int, Answer] = {}
    order = sorted(range(len(entries)), key=lambda i: _ORDER.index(entries[i].ask.method))
    if not writable:
        for i in order:
            answers[i] = await _kept(handle, entries[i].ask)
        return [answers[i] for i in range(len(entries))]
    with store.transaction():
        # Nothing below gives the event loop away, so no other request sees a half-done transaction.
        named = [_named(store, entry) for entry in entries]
        _apart(named)
        names = _names(named)
        for i in order:
            answers[i] = await _kept(handle, _linked(store, named[i], names))
    return [answers[i] for i in range(len(entries))]


async def _kept(handle: Handle, ask: Ask) -> Answer:
    answer = await handle(ask)
    if answer.status >= HTTPStatus.BAD_REQUEST:
        raise Refusal(answer.status, _why(answer, ask), headers=answer.headers)
    return answer


def _why(answer: Answer, ask: Ask) -> str:
    issue = answer.resource["issue"][0] if answer.resource else {}
    place = "/".join(ask.path[:1])
    return f"nothing of the transaction was done; {ask.method} {place}: {issue.get('diagnostics', '')}"


def _named(store: LocalStore, entry: _Entry) -> _Entry:
    """The entry with what it will be: a new id for a create, what is met by the criteria of a conditional one."""
    ask, path = entry.ask, entry.ask.path
    if ask.method == "POST" and len(path) == 1 and entry.resource is not None:
        asked = ask.headers.get("if-none-exist")
        found = matching(store, path[0], criteria(asked)) if asked is not None else None
        if found is not None:
            return replace(entry, target=str(found))
        id_ = str(uuid.uuid4())
        headers = {k: v for k, v in ask.headers.items() if k != "if-none-exist"}
        return replace(entry, target=f"{path[0]}/{id_}", ask=replace(ask, headers=headers, new_id=id_))
    if ask.method in ("PUT", "DELETE") and len(path) == 1:
        return _conditional(store, entry)
    return replace(entry, target="/".join(path) if ask.method in ("PUT", "DELETE", "PATCH") else "")


def _conditional(store: LocalStore, entry: _Entry) -> _Entry:
    """A conditional update or delete as a plain one of what meets its criteria now (R4 3.1.0.11.2)."""
    ask, type_ = entry.ask, entry.ask.path[0]
    found = matching(store, type_, ask.params)
    if found is None and ask.method == "DELETE":
        return entry
    given = (entry.resource or {}).get("id")
    id_ = found.id if found else given if isinstance(given, str) else str(uuid.uuid4())
    if found and given not in (None, found.id):
        raise Refusal(400, "a resource's id is not that of the resource which meets the criteria")
    if not found and given is not None and store.has(f"{type_}/{given}"):
        raise Refusal(409, "nothing meets the criteria, and another resource has the body's id", code="duplicate")
    resource = {**entry.resource, "id": id_} if entry.resource is not None else None
    plain = replace(ask, path=(type_, id_), params=())
    return replace(entry, ask=_with_body(plain, resource), resource=resource, target=f"{type_}/{id_}")


def _apart(entries: list[_Entry]) -> None:
    """No resource may be written twice (R4 3.1.0.11.2: overlap of identities)."""
    written = [
        e.target for e in entries if e.target and not (e.ask.method == "POST" and "if-none-exist" in e.ask.headers)
    ]
    if len(written) != len(set(written)):
        raise Refusal(400, "two entries of the transaction write the same resource", code="duplicate")


def _names(entries: list[_Entry]) -> Mapping[str, str]:
    """fullUrl → `Type/id` of what the entries make or write."""
    named = [e for e in entries if e.full_url and e.target]
    if len({e.full_url for e in named}) != len(named):
        raise Refusal(400, "two entries of the transaction have the same fullUrl", code="duplicate")
    return {e.full_url: e.target for e in named}


def _linked(store: LocalStore, entry: _Entry, names: Mapping[str, str]) -> Ask:
    """The request with its references made literal: fullUrls of the Bundle, and conditional ones (R4 3.1.0.11.3)."""
    if entry.resource is None:
        return entry.ask
    base = entry.full_url.removesuffix(f"/{entry.target}") if entry.full_url.endswith(f"/{entry.target}") else ""

    def literal(key: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {k: literal(k, v) for k, v in value.items()}
        if isinstance(value, list):
            return [literal(key, item) for item in value]
        # An identifier's value is a string, and stays what it is where it is an entry's URN as well.
        if not isinstance(value, str) or not (key == "reference" or (value.startswith("urn:") and key != "value")):
            return value
        if value in names or f"{base}/{value}" in names:
            return names.get(value) or names[f"{base}/{value}"]
        return _met(store, value) if key == "reference" and _CONDITIONAL.fullmatch(value) else value

    return _with_body(entry.ask, literal("", entry.resource))


def _met(store: LocalStore, text: str) -> str:
    type_, _, _ = text.partition("?")
    found = matching(store, type_, criteria(_ascii(text).decode("ascii")))
    if found is None:
        raise Refusal(412, f"a conditional reference to a {type_} is met by nothing", code="not-found")
    return str(found)
