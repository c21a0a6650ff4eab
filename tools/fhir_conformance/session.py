"""One run against one server: requests, sample resources, and the rows of the report."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote, urlencode

import httpx

__all__ = [
    "CHECKS",
    "Failed",
    "NotOffered",
    "Params",
    "Row",
    "Session",
    "body",
    "check",
    "following",
    "need",
    "refused",
    "resources",
]

State = Literal["pass", "fail", "not offered"]
Params = list[tuple[str, str]]
_PAGES = 300
_SAMPLES = "40"


class Failed(Exception):
    """The server does not do what the clause says; the text tells what it did, without data of patients."""


class NotOffered(Exception):
    """The server says, or shows, that it does not have what is checked; or the chart has nothing to check it with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the report. `clause` is of R4's http (3.1.0…) or search (3.1.1…) page, or names another one."""

    clause: str
    name: str
    state: State
    note: str = ""


Check = Callable[["Session"], Awaitable[None]]
CHECKS: list[tuple[str, str, Check]] = []


def check(clause: str, name: str) -> Callable[[Check], Check]:
    """Register a check: it raises Failed or NotOffered, or else passes; further rows it adds by `Session.row`."""

    def register(function: Check) -> Check:
        CHECKS.append((clause, name, function))
        return function

    return register


def need(holds: Any, text: str) -> None:
    """Raise Failed where it does not hold."""
    if not holds:
        raise Failed(text)


@dataclass(slots=True, kw_only=True)
class Session:
    """The server under test. `samples` are resources of the patient by type, `statement` its CapabilityStatement."""

    http: httpx.AsyncClient
    base: str
    patient: str = ""
    statement: Mapping[str, Any] = field(default_factory=dict)
    samples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    # Requests.

    async def send(self, method: str, path: str, params: Iterable[tuple[str, str]] = (), **more: Any) -> httpx.Response:
        """One request below the base; a path that is an absolute URL is taken as it is."""
        url = path if "://" in path else f"{self.base}/{path}" if path else self.base
        given = list(params)
        if given:
            query = urlencode(given, quote_via=quote)
            url += ("&" if "?" in url else "?") + query
        return await self.http.request(method, url, **more)

    async def get(self, path: str, params: Iterable[tuple[str, str]] = (), **more: Any) -> httpx.Response:
        return await self.send("GET", path, params, **more)

    async def bundle(self, path: str, params: Iterable[tuple[str, str]] = (), **more: Any) -> dict[str, Any]:
        """A Bundle. Raises Failed for another answer."""
        answer = await self.get(path, params, **more)
        need(answer.status_code == 200, f"status {answer.status_code}")
        found = body(answer)
        need(found.get("resourceType") == "Bundle", f"a {found.get('resourceType')} instead of a Bundle")
        return found

    async def pages(self, path: str, params: Iterable[tuple[str, str]] = ()) -> list[dict[str, Any]]:
        """All pages of a search. Raises Failed where they do not end."""
        found = [await self.bundle(path, params)]
        while url := following(found[-1]):
            need(len(found) < _PAGES, f"pages do not end after {_PAGES}")
            found.append(await self.bundle(url))
        return found

    async def all(self, type_: str, params: Iterable[tuple[str, str]] = ()) -> list[dict[str, Any]]:
        """The matches of a search, all pages."""
        return [r for page in await self.pages(type_, [*params, ("_count", "200")]) for r in resources(page)]

    async def ids(self, type_: str, params: Iterable[tuple[str, str]] = ()) -> set[str]:
        return {r["id"] for r in await self.all(type_, params)}

    # What the server says of itself.

    def types(self) -> dict[str, Mapping[str, Any]]:
        """The resources of the CapabilityStatement by type."""
        rest = (self.statement.get("rest") or [{}])[0]
        return {r["type"]: r for r in rest.get("resource", ())}

    def interactions(self, type_: str = "") -> set[str]:
        """Interactions of a type, or of the whole system."""
        rest = (self.statement.get("rest") or [{}])[0]
        holder = self.types().get(type_, {}) if type_ else rest
        return {i["code"] for i in holder.get("interaction", ())}

    def declared(self, type_: str) -> dict[str, str]:
        """Search parameters of a type and their types."""
        return {p["name"]: p["type"] for p in self.types().get(type_, {}).get("searchParam", ())}

    # Samples.

    def bound(self, type_: str) -> Params:
        """The parameter that keeps a search within the patient's chart."""
        return [("_id", self.patient)] if type_ == "Patient" else [("patient", f"Patient/{self.patient}")]

    async def sample(self, types: Iterable[str]) -> None:
        """Read some resources of the patient for each type that the server has them of."""
        for type_ in types:
            answer = await self.get(type_, [*self.bound(type_), ("_count", _SAMPLES)])
            found = resources(body(answer)) if answer.status_code == 200 else []
            if found:
                self.samples[type_] = found

    def some(self, type_: str) -> dict[str, Any]:
        """A resource of the type. Raises NotOffered where the chart has none."""
        if type_ not in self.samples:
            raise NotOffered(f"no {type_} in this chart")
        return self.samples[type_][0]

    # Rows.

    def row(self, clause: str, name: str, state: State, note: str = "") -> None:
        self.rows.append(Row(clause=clause, name=name, state=state, note=note))

    async def run(self, clause: str, name: str, work: Awaitable[None]) -> None:
        """Do a check and note how it ended."""
        try:
            await work
        except Failed as failed:
            self.row(clause, name, "fail", str(failed))
        except NotOffered as absent:
            self.row(clause, name, "not offered", str(absent))
        except httpx.HTTPError as fault:
            self.row(clause, name, "fail", f"no answer: {type(fault).__name__}")
        else:
            self.row(clause, name, "pass")


def body(answer: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer. Raises Failed for another body."""
    try:
        found = answer.json()
    except ValueError:
        raise Failed(f"status {answer.status_code} without JSON") from None
    need(isinstance(found, dict), "JSON that is no object")
    return dict(found)


def following(bundle: Mapping[str, Any]) -> str | None:
    """The URL of the next page."""
    return next((link.get("url") for link in bundle.get("link", ()) if link.get("relation") == "next"), None)


def resources(bundle: Mapping[str, Any], mode: str = "match") -> list[dict[str, Any]]:
    """The resources of a Bundle with a search mode; an entry without one is a match."""
    entries = [e for e in bundle.get("entry", ()) if "resource" in e]
    return [e["resource"] for e in entries if e.get("search", {}).get("mode", "match") == mode]


def refused(answer: httpx.Response, *statuses: int) -> None:
    """Raise Failed unless the answer is one of the statuses with an OperationOutcome."""
    need(answer.status_code in statuses, f"status {answer.status_code} instead of {' or '.join(map(str, statuses))}")
    if answer.request.method != "HEAD":
        kind = body(answer).get("resourceType")
        need(kind == "OperationOutcome", f"status {answer.status_code} without an OperationOutcome")
