"""The OpenAPI document: what FastAPI makes of the routes, and what holds for all of them said once.

Errors are `application/problem+json` wherever a route does not say otherwise; those that any request may meet (who
asks, limits, faults of the program) are added to every route, so that a route names only its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from agent.service.problems import MEDIA, ProblemOut
from agent.settings import Settings

__all__ = ["TAGS", "describe"]

Document = dict[str, Any]

TAGS: Mapping[str, str] = {
    "questions": "A question about one patient's chart, and its checked answer.",
    "patients": "Which patients there are, who they are, and what their charts hold.",
    "charts": "What one chart holds.",
    "evidence": "What a citation points to, for a reader who checks it.",
    "threads": "Conversations, in which a question may lean on those before.",
    "jobs": "Long work: progress, cancelling, results.",
    "summaries": "Summaries of a chart, each statement cited.",
    "writing": "Answers and summaries written to a FHIR server, where a setting and a person allow it.",
    "trials": "Criteria of trials, and who meets them.",
    "cohorts": "Many patients at once: counted or listed, and asked about a trial's criteria.",
    "chat": "OpenAI's protocol, for tools that know no other. Errors are in OpenAI's form.",
    "sign-in": "Signing in and out, SMART App Launch, and who one is.",
    "cds-hooks": "CDS Hooks 2.0.",
    "operations": "For those who run the service.",
}
"""Tag → what its routes are for. A tag of a route that is not here is listed without words."""

_ABOUT = """\
Ask a patient's FHIR chart a question and get an answer whose every statement is backed by a checked resource.

**Who asks.** On a loopback address without credentials set up: whoever reaches it. Else `Authorization: Bearer` with an
OAuth 2.0 access token or an API key, or the cookie of a session (SMART launch, sign-in) with `X-CSRF-Token` on requests
that change something. Credentials that are for one patient can ask about no other.

**Errors** are problem details (RFC 9457) that say what failed and what to do, and hold no patient data. Each answer has
an `X-Request-ID`; `429` and `503` say in `Retry-After` when to come again.

**Events.** With `Accept: text/event-stream` a question is answered as server-sent events: `progress` {stage, text},
`claim` {text, marks, support} once all claims are verified, and `answer`, the whole; an error is the event `problem`
and the end. Silence is filled with comments.

MCP is spoken at `/mcp` (streamable HTTP), which OpenAPI cannot describe.
"""
_ANYWHERE = (401, 403, 421, 429, 500, 503, 504)
_WITH_BODY = (400, 408, 413, 415)
_OF_CHARTS = (404, 501, 502)
"""Errors of reading a chart (`agent.service.problems`): of any route that is told which."""
_UNASKED = frozenset((401, 403))
_PUBLIC = frozenset(("operations",))
_BY_400 = frozenset(("chat",))
"""Tags whose routes tell a request that is not as they take it with 400."""
_METHODS = frozenset(("get", "put", "post", "delete", "patch", "head", "options"))
_SCHEMES: Document = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An OAuth 2.0 access token (a JWT), or an API key of this service.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "chartline_session",
        "description": "The cookie of a session; requests that change something send X-CSRF-Token as well.",
    },
}
_VALIDATION = ("HTTPValidationError", "ValidationError")
_PROBLEM = {"$ref": "#/components/schemas/ProblemOut"}


def describe(app: FastAPI, settings: Settings) -> None:
    """Have the app tell its whole description at `/openapi.json`, made when it is first asked for."""

    def document() -> Document:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, settings)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way


def _document(app: FastAPI, settings: Settings) -> Document:
    told = get_openapi(
        title=app.title, version=app.version, summary=app.summary, description=_ABOUT, routes=app.routes,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        servers=[{"url": settings.service_url or "/", "description": "This service"}],
    )  # fmt: skip
    used = dict.fromkeys(tag for operation in _operations(told) for tag in operation.get("tags", ()))
    told["tags"] = [{"name": tag, "description": TAGS[tag]} if tag in TAGS else {"name": tag} for tag in used]
    told["security"] = [{"bearer": []}, {"session": []}]
    components = told.setdefault("components", {})
    components["securitySchemes"] = _SCHEMES
    schemas: Document = components.setdefault("schemas", {})
    schemas["ProblemOut"] = ProblemOut.model_json_schema(mode="serialization")
    for operation in _operations(told):
        _complete(operation)
    for name in _VALIDATION:
        schemas.pop(name, None)
    return told


def _operations(told: Document) -> Iterator[Document]:
    for path in told.get("paths", {}).values():
        yield from (operation for method, operation in path.items() if method in _METHODS)


def _complete(operation: Document) -> None:
    """Add what any route may answer, and put errors into their media type."""
    responses: Document = operation["responses"]
    tags = frozenset(operation.get("tags", ()))
    if _refers(responses.get("422", {}), _VALIDATION):
        del responses["422"]
    for status in _met(operation, tags):
        _add(responses.setdefault(str(status), {"description": HTTPStatus(status).phrase}))
    for code, response in responses.items():
        if code[0] in "45" and _refers(response, ("ProblemOut",)):
            response["content"] = {MEDIA: {"schema": _PROBLEM}}
    operation["responses"] = dict(sorted(responses.items()))
    if tags & _PUBLIC:
        operation["security"] = []


def _met(operation: Document, tags: frozenset[str]) -> Iterator[int]:
    """The errors that a request may meet whatever the route does."""
    yield from (status for status in _ANYWHERE if not (tags & _PUBLIC and status in _UNASKED))
    if "requestBody" in operation:
        yield from _WITH_BODY
    if "requestBody" in operation or "parameters" in operation:
        yield from _OF_CHARTS if tags & _BY_400 else (422, *_OF_CHARTS)


def _refers(response: Document, names: tuple[str, ...]) -> bool:
    """Whether all that a response can be is one of these schemas, under whatever media type FastAPI put it."""
    schemas = [media.get("schema", {}) for media in response.get("content", {}).values()]
    return bool(schemas) and all(str(schema.get("$ref", "")).rpartition("/")[2] in names for schema in schemas)


def _add(response: Document) -> None:
    """Say that the response may be a problem: limits are told before a route is reached that has a form of its own."""
    content: Document = response.setdefault("content", {})
    if "ProblemOut" not in str(content):
        content[MEDIA] = {"schema": _PROBLEM}
