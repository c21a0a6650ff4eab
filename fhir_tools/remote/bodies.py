"""Bodies behind a URL: Binary (raw or wrapped in FHIR JSON), attachments, and the answers of operations."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import orjson

from fhir_tools.errors import ScopeError, SourceError
from fhir_tools.http import Http, Response, issue_codes
from fhir_tools.remote.answers import Answer, ask, refusal
from fhir_tools.remote.batch import Batch
from fhir_tools.remote.pages import Walk
from fhir_tools.remote.unite import Union
from fhir_tools.source import CATALOGUE_OPERATION
from fhir_tools.types import Fetched

__all__ = ["Bodies"]

Resource = Mapping[str, Any]

_OCTETS = "application/octet-stream"
_FHIR_JSON = "application/fhir+json"
_EVERYTHING = "/$everything"


class Bodies:
    """Fetches from one server, and from the other origins that its client allows (those get no credentials)."""

    def __init__(
        self, http: Http, batch: Batch, headers: Mapping[str, str], *, page_budget: int, seconds: float
    ) -> None:
        self._http, self._batch, self._headers = http, batch, headers
        self._page_budget, self._seconds = page_budget, seconds
        self._wraps = True

    async def fetch(self, url: str) -> Fetched:
        """Raises NotFound, SourceError: also for a URL that must not be asked for, and for part of a whole."""
        path = urlsplit(url).path
        try:
            if path.endswith(_EVERYTHING):
                return await self._everything(url)
            if self._wraps and url.startswith("Patient/") and path.endswith(f"/{CATALOGUE_OPERATION}"):
                binary = await self._together(url)
                if binary:
                    return self._unwrapped(binary)
            # A server may send a Binary as it is or as a resource (R4 Binary 2.37.3): either is understood.
            headers = self._headers if "$" in path else {"accept": "*/*"}
            response = await self._http.send("GET", url, headers=headers)
        except ScopeError as error:
            raise SourceError(f"the body was not fetched: {error}") from None
        if not 200 <= response.status < 300:
            what = "operation" if "$" in path else "body"
            raise refusal(self._http.origin, what, response.status, response.outcome, response.headers)
        return self._opened(response, plain="$" not in path and "://" not in url)

    async def _together(self, url: str) -> Resource | None:
        """The rows of a catalogue as a Binary, where they come so in a batch; else they are asked for singly."""
        try:
            found = await self._batch.together(url, "operation")
        except SourceError:
            self._wraps = False  # it has no way to put rows into a Bundle; asked singly, it tells any other reason
            return None
        return found.resource if found and found.resource.get("resourceType") == "Binary" else None

    def _opened(self, response: Response, *, plain: bool) -> Fetched:
        """The body. `plain`: it is asked for on the server itself, where it can only be that of a Binary."""
        if response.outcome is not None and _failed(response.outcome):
            raise refusal(self._http.origin, "body", response.status, response.outcome)
        found = _resource(response) if "json" in response.content_type else {}
        if found.get("resourceType") != "Binary":
            if found and plain:
                raise SourceError(f"{self._http.origin} sent a resource where a body was asked for")
            return Fetched(content_type=response.content_type or _OCTETS, body=response.body)
        return self._unwrapped(found)

    def _unwrapped(self, binary: Resource) -> Fetched:
        try:
            data = base64.b64decode("".join(str(binary.get("data") or "").split()), validate=True)
        except (binascii.Error, ValueError):
            raise SourceError(f"{self._http.origin} sent a Binary whose data is not base64") from None
        return Fetched(content_type=str(binary.get("contentType") or _OCTETS), body=data)

    async def _everything(self, url: str) -> Fetched:
        """All pages as one Bundle: an operation's answer has no way to say that a part is missing."""
        get = partial(ask, self._http, "GET", headers=self._headers, what="$everything")
        link = partial(self._http.link, place=url.partition("?")[0])
        walk = Walk("$everything", get, link, budget=self._page_budget, seconds=self._seconds, exact=False)
        failures: list[SourceError] = []

        async def first() -> Answer:
            try:
                return await get(url)
            except SourceError as error:
                failures.append(error)
                raise

        pages = await walk.run(first)
        if failures and not pages.read:
            raise failures[-1]
        if pages.problems:
            raise SourceError(f"{self._http.origin} did not give all of $everything: {'; '.join(pages.problems)}")
        entries = list(self._entries(pages.included))
        bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries}
        return Fetched(content_type=_FHIR_JSON, body=orjson.dumps(bundle))

    def _entries(self, found: Union) -> Iterator[Resource]:
        for resource in found:
            id_ = resource.get("id")
            url = {"fullUrl": f"{self._http.base}/{resource.get('resourceType')}/{id_}"} if id_ else {}
            yield {**url, "resource": resource}


def _failed(outcome: Resource) -> bool:
    issues = outcome.get("issue")
    severities = {i.get("severity") for i in issues if isinstance(i, dict)} if isinstance(issues, list) else set()
    return bool(severities & {"error", "fatal"}) or not issue_codes(outcome)


def _resource(response: Response) -> Resource:
    """The body as a FHIR resource, empty where it is none."""
    try:
        found = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) and "resourceType" in found else {}
