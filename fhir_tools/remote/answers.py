"""One answer of a FHIR server, read: its resource, or a SourceError that says what was refused and what would help."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from fhir_tools.errors import NotFound, ScopeError, SourceError
from fhir_tools.http import Http, Response, issue_codes
from fhir_tools.search.query import R4_TYPES

__all__ = ["Answer", "ask", "refusal"]

Resource = Mapping[str, Any]

_HEADER = 2_000  # characters of a challenge that are looked at: what a server sends has no bound
_SCOPE = re.compile(r'insufficient_scope.*?\bscope="([A-Za-z0-9 /.*_?=:|,-]{1,300})"', re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A resource as it came, with the URL it came from. `status` 304 has no resource: the one kept is still right."""

    status: int
    url: str = field(repr=False)
    resource: Resource = field(repr=False, default_factory=dict)
    etag: str | None = field(repr=False, default=None)


class _Parsed:
    """The check of an answer: JSON that ends too early or is none is a fault, and worth another attempt."""

    def __init__(self) -> None:
        self.value: Any = None

    def __call__(self, response: Response) -> str | None:
        self.value = None
        if response.body.lstrip()[:1] == b"<":
            return None  # a whole page of something else: asking again does not change it
        try:
            self.value = orjson.loads(response.body.removeprefix(b"\xef\xbb\xbf"))
        except orjson.JSONDecodeError:
            return "sent JSON that cannot be read: it is cut off, or damaged" if response.body else "sent an empty body"
        return None if isinstance(self.value, dict) else "sent JSON that is no resource"


async def ask(
    http: Http, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None, what: str = "resource"
) -> Answer:
    """Send a reading request that answers with a resource. `what` is the type it is about, for errors.

    `url` is one of the server itself. Raises NotFound (404, 410), SourceError for whatever else is no resource.
    """
    parsed = _Parsed()
    try:
        response = await http.send(method, url, headers=headers, body=body, safe=True, check=parsed)
    except ScopeError:
        where = "another origin, which was not followed: check the base URL"
        raise SourceError(f"{http.origin} sends a request for {what} to {where}") from None
    if response.status == 304:
        return Answer(status=304, url=response.url)
    if not 200 <= response.status < 300:
        raise refusal(http.origin, what, response.status, response.outcome, response.headers)
    if parsed.value is None:
        raise SourceError(f"{http.origin} sent {_kind(response)} in place of FHIR JSON", status=response.status)
    resource: Resource = parsed.value
    if resource.get("resourceType") == "OperationOutcome":
        raise refusal(http.origin, what, response.status, resource)
    etag = response.headers.get("etag")
    return Answer(status=response.status, url=response.url, resource=resource, etag=etag)


def _kind(response: Response) -> str:
    """What came instead, without a word of it."""
    if b"<html" in response.body[:2000].lower() or "html" in response.content_type:
        return "a web page (a login, a proxy or an error page: is the base URL right?)"
    return "XML (a server that does not heed the Accept header)"


def refusal(
    origin: str, what: str, status: int, outcome: Resource | None, headers: Mapping[str, str] | None = None
) -> SourceError:
    """The error for an answer that is no success: what, why by its codes, and the remedy. No text of the server's."""
    codes = ", ".join(issue_codes(outcome))
    why = f" ({codes})" if codes else ""
    if status in (404, 410):
        return NotFound(f"{origin} does not have that {what}{why}", status=status, outcome=outcome)
    if status == 401:
        words = f"refused the credentials{why}: renew them, or check the client's registration"
    elif status == 403:
        found = _SCOPE.search((headers or {}).get("www-authenticate", "")[:_HEADER])
        scope = f" the scope patient/{what}.rs or" if what in R4_TYPES else ""
        lack = f"the scope {found[1]} is missing" if found else f"they may lack{scope} a right of the user's"
        words = f"does not let these credentials read {what}{why}: {lack}"
    elif 300 <= status < 400:
        words = f"answered {what} by a redirect ({status}) that leads nowhere"
    elif 200 <= status < 300:
        words = f"answered {what} with {status} and an OperationOutcome{why} in place of a resource"
    else:
        words = f"refused the request for {what} with {status}{why}"
    return SourceError(f"{origin} {words}", status=status, outcome=outcome)
