"""Writing to a server or a store: the one way out, apart from every source, which can only read.

A transaction of what was confirmed, made once: what its first entry's If-None-Exist finds is there already, and is left
as it is.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from fhir_tools.errors import SourceError
from fhir_tools.http import Http
from fhir_tools.local import LocalStore
from fhir_tools.types import Reference

__all__ = ["Exchange", "Writer", "Written", "into_store", "over_http"]

JSON = "application/fhir+json"
_HEADERS = {"Content-Type": JSON, "Accept": JSON, "Prefer": "return=OperationOutcome"}
_VERSION = re.compile(r"/_history/([^/\s]+)$")

Exchange = Callable[[str, str, bytes | None], Awaitable[tuple[int, Any]]]
"""Method, address below the base and body → HTTP status and the JSON that came, None where none did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What stands in the chart now. `created` is False where it stood there before; `outcome` is the server's."""

    reference: str
    version: str | None = None
    created: bool = True
    outcome: Mapping[str, Any] | None = None


class Writer:
    """Writes transactions by an exchange with a server."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def write(self, transaction: Mapping[str, Any]) -> Written:
        """Do it whole or not at all; tell of the first entry. Raises SourceError with the server's OperationOutcome."""
        first = transaction["entry"][0]["request"]
        known = await self._known(first["url"], first.get("ifNoneExist", ""))
        if known:
            return known
        status, told = await self._exchange("POST", "", orjson.dumps(transaction))
        if not 200 <= status < 300:
            raise _refused(status, told)
        return _written(told, first["url"])

    async def _known(self, type_: str, criteria: str) -> Written | None:
        """What is there by the criteria; None also where that cannot be searched: If-None-Exist keeps it single."""
        if not criteria:
            return None
        name, _, value = criteria.partition("=")
        try:
            status, told = await self._exchange("GET", f"{type_}?{name}={quote(value, safe='')}", None)
        except SourceError:
            return None
        entries = told.get("entry") if status == 200 and isinstance(told, dict) else None
        found = [r for e in entries or () if (r := e.get("resource") or {}).get("resourceType") == type_]
        if not found or not isinstance(found[0].get("id"), str):
            return None
        meta = found[0].get("meta") or {}
        return Written(reference=f"{type_}/{found[0]['id']}", version=meta.get("versionId"), created=False)


def _written(told: Any, type_: str) -> Written:
    entries = told.get("entry") if isinstance(told, dict) else None
    answer = (entries[0].get("response") if entries and isinstance(entries[0], dict) else None) or {}
    place = str(answer.get("location", ""))
    try:
        reference = Reference.parse(place)
    except ValueError as error:
        raise SourceError(
            f"the server did not say where it keeps the {type_}; look whether it is there before trying again"
        ) from error
    version = _VERSION.search(place)
    return Written(
        reference=str(reference),
        version=version[1] if version else None,
        created=str(answer.get("status", "")).startswith("201"),
        outcome=answer.get("outcome"),
    )


def _refused(status: int, told: Any) -> SourceError:
    outcome = told if isinstance(told, dict) and told.get("resourceType") == "OperationOutcome" else None
    return SourceError(
        f"the server did not take it (HTTP {status}); nothing was written", status=status, outcome=outcome
    )


def over_http(http: Http) -> Exchange:
    """By the one HTTP client. A POST is sent once: what came of one without an answer is found by its identifier."""

    async def exchange(method: str, url: str, body: bytes | None) -> tuple[int, Any]:
        answer = await http.send(method, url or http.base, headers=_HEADERS if body else {"Accept": JSON}, body=body)
        return answer.status, _json(answer.body)

    return exchange


def into_store(store: LocalStore) -> Exchange:
    """Into the embedded store, as its own FHIR server does it."""
    from fhir_tools.serve.export import Exports
    from fhir_tools.serve.messages import Ask
    from fhir_tools.serve.routes import Router
    from fhir_tools.serve.searching import pairs

    router = Router(store=store, started="", writable=True, exports=Exports(store))

    async def exchange(method: str, url: str, body: bytes | None) -> tuple[int, Any]:
        path, _, query = url.partition("?")
        asked = Ask(
            method=method,
            path=tuple(filter(None, path.split("/"))),
            base="http://localhost",
            params=pairs(query.encode("ascii")),
            headers={name.lower(): value for name, value in _HEADERS.items()},
            body=body or b"",
        )
        answer = await router.handle(asked)
        return answer.status, answer.resource

    return exchange


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body) if body else None
    except orjson.JSONDecodeError:
        return None
