"""A small FHIR server in memory that tests can make fail: MockTransport over a list of resources."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import httpx
import orjson

from fhir_tools.http import Http, Limits
from fhir_tools.search.match import matches
from fhir_tools.search.query import check, parameters
from fhir_tools.types import Query

BASE = "http://chart.test/fhir"
QUICK = Limits(backoff=0.001, total=5.0)

Resource = Mapping[str, Any]
Hook = Callable[[httpx.Request], httpx.Response | None]


def observation(number: int, patient: str = "one", **more: Any) -> dict[str, Any]:
    """An Observation of January 2020, the day by its number."""
    return {
        "resourceType": "Observation",
        "id": f"o{number}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": f"2020-01-{number + 1:02d}",
        **more,
    }


def statement(
    *, system: Sequence[str] = (), types: Sequence[str] = ("Observation", "Patient", "MedicationRequest")
) -> Any:
    """A CapabilityStatement that declares all search parameters of some types."""
    codes = [{"code": c} for c in ("read", "vread", "search-type")]
    rows = [{"type": t, "interaction": codes, "searchParam": [{"name": n} for n in parameters(t)]} for t in types]
    rest = {"mode": "server", "resource": rows, "interaction": [{"code": c} for c in system]}
    return {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "software": {"name": "fake"}, "rest": [rest]}


def bundle(
    resources: Sequence[Any], *, total: int | None = None, link: str | None = None, **more: Any
) -> dict[str, Any]:
    """A searchset page; what is no resource stands as an entry as it is."""
    entries = [{"resource": r} if isinstance(r, dict) and "resourceType" in r else r for r in resources]
    links = [{"relation": "next", "url": link}] if link else []
    totals = {} if total is None else {"total": total}
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries, "link": links, **totals, **more}


def outcome(code: str, severity: str = "error") -> dict[str, Any]:
    """An OperationOutcome whose texts hold what must not be told."""
    issue = {"severity": severity, "code": code, "diagnostics": "SECRET Jane Doe"}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


class FakeServer:
    """Read, search with `_count`, `_summary=count` and pages, POST `_search` and batch over `resources`.

    `hook` sees every request first and may answer in its place; `seen` are the requests as `METHOD path?query`.
    """

    def __init__(self, resources: Sequence[Resource] = (), *, hook: Hook | None = None, page: int = 50) -> None:
        self.resources, self.hook, self.page = list(resources), hook, page
        self.statement: Any = statement()
        self.seen: list[str] = []
        self.requests: list[httpx.Request] = []

    def http(self, base: str = BASE, limits: Limits = QUICK, **more: Any) -> Http:
        """A client of it."""
        return Http(base, transport=httpx.MockTransport(self), limits=limits, **more)

    @property
    def asked(self) -> list[str]:
        """The requests but for the statement."""
        return [text for text in self.seen if not text.endswith(" metadata")]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path, query = request.url.path.removeprefix("/fhir").strip("/"), request.url.query.decode()
        self.seen.append(f"{request.method} {path}" + (f"?{query}" if query else ""))
        self.requests.append(request)
        answer = self.hook(request) if self.hook else None
        return answer or self._answer(request.method, path, query, request.content)

    def _answer(self, method: str, path: str, query: str, body: bytes) -> httpx.Response:
        if path == "metadata":
            return httpx.Response(200, json=self.statement) if self.statement else httpx.Response(404)
        if method == "POST" and not path:
            return httpx.Response(200, json=self._batch(orjson.loads(body)))
        if method == "POST":
            return self._search(path.removesuffix("/_search"), body.decode())
        return self._read(path) if "/" in path else self._search(path, query)

    def _batch(self, asked: Any) -> Any:
        entries = []
        for entry in asked["entry"]:
            path, _, query = entry["request"]["url"].partition("?")
            answer = self._answer("GET", path, query, b"")
            told = {"status": f"{answer.status_code} -", "etag": answer.headers.get("etag")}
            entries.append({"response": told, **({"resource": answer.json()} if answer.content else {})})
        return {"resourceType": "Bundle", "type": "batch-response", "entry": entries}

    def _read(self, path: str) -> httpx.Response:
        found = [r for r in self.resources if f"{r['resourceType']}/{r['id']}" == path]
        return httpx.Response(200, json=found[0], headers={"etag": 'W/"1"'}) if found else httpx.Response(404)

    def _search(self, type_: str, text: str) -> httpx.Response:
        pairs = dict(parse_qsl(text))
        offset = int(pairs.pop("_offset", "0"))
        filters, result = check(Query(type=type_, params=tuple(pairs.items())))
        found = [r for r in self.resources if r["resourceType"] == type_ and all(matches(r, p) for p in filters)]
        if "_summary" in result:
            return httpx.Response(200, json=bundle([], total=len(found)))
        size = min(self.page, int(result.get("_count", ("50",))[0]))
        more = offset + size < len(found)
        link = f"{BASE}/{type_}?{text}&_offset={offset + size}" if more else None
        link = link.replace(f"&_offset={offset}&", "&") if link else None
        return httpx.Response(200, json=bundle(found[offset : offset + size], total=len(found), link=link))
