"""Odd paths, queries, headers and bodies: each is answered, none by a fault of the server."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_tools.local import LocalStore
from fhir_tools.search.query import R4_TYPES, parameters
from fhir_tools.serve import create_app

TYPES = ("Patient", "Observation", "Binary", "Encounter", "MedicationRequest", "Nope", "")
STORED: list[dict[str, Any]] = [
    {"resourceType": "Patient", "id": "ann", "gender": "female", "name": [{"family": "A"}]},
    {"resourceType": "Observation", "id": "o", "status": "final", "subject": {"reference": "Patient/ann"}},
    {"resourceType": "Binary", "id": "b", "contentType": "text/plain", "data": "aGk="},
]

segments = st.one_of(
    st.sampled_from(
        (*TYPES, "ann", "o", "b", "_history", "_search", "$everything", "$lastn", "$export", "metadata", "1")
    ),
    st.text(max_size=8),
)
names = st.one_of(
    st.sampled_from(sorted({name for type_ in TYPES if type_ in R4_TYPES for name in parameters(type_)})),
    st.sampled_from((
        "_sort", "_count", "_page", "_include", "_revinclude", "_summary", "_elements", "_total", "_type",
        "_has:Observation:patient:code",
        "patient.name", "_format", "_pretty", "start", "end", "_since", "max", "as_of", "mode", "_search-id", "_at",
    )),
    st.text(max_size=6),
)  # fmt: skip
modifiers = st.sampled_from(
    ("", "", "", ":not", ":missing", ":exact", ":contains", ":Patient", ":identifier", ":of-type", ":x")
)
values = st.one_of(
    st.text(max_size=12),
    st.sampled_from((
        "", "ge", "ge2020", "2020-13", "0001-01-01", "ap9999", "le0000", "9" * 40, "1e999", "-1", "a|b|c",
        "|", "$", "\\", ",",
        "Patient/ann", "true", "*", "Observation:patient", "-date", "0", "count", "1.1.1", "5.99999999999999999999.1",
    )),
    st.integers().map(str),
    st.datetimes().map(str),
)  # fmt: skip
queries = st.lists(st.tuples(st.tuples(names, modifiers).map("".join), values), max_size=4)
leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6))
anything = st.recursive(leaves, lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=6), x, max_size=3))
keys = st.sampled_from(
    (
        "subject", "patient", "code", "effectiveDateTime", "effectivePeriod", "valueQuantity", "meta", "id", "name",
        "identifier",
        "status", "category", "component", "period", "contained", "extension", "telecom", "birthDate", "link",
        "text", "reference",
    )
)  # fmt: skip


def ask(method: str, path: str, *, writable: bool = False, **more: Any) -> httpx.Response:
    """One request to a new server over a new store."""

    async def work() -> httpx.Response:
        store = LocalStore()
        try:
            with store.transaction():
                for resource in STORED:
                    store.put(resource)
            transport = httpx.ASGITransport(create_app(store, writable=writable))
            async with httpx.AsyncClient(transport=transport, base_url="http://x/") as client:
                return await client.request(method, path, **more)
        finally:
            store.close()

    return asyncio.run(work())


def answered(answer: httpx.Response) -> None:
    """It is no fault of the server, and a refusal says why."""
    assert answer.status_code < 500 or answer.status_code == 501, answer.text
    if answer.status_code >= 400 and answer.request.method != "HEAD":
        assert answer.json()["resourceType"] == "OperationOutcome"


@given(st.sampled_from(("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH")), st.lists(segments, max_size=4), queries)
@settings(max_examples=100)
def test_paths(method: str, path: list[str], query: list[tuple[str, str]]) -> None:
    url = httpx.URL("http://x/").copy_with(raw_path=b"/" + "/".join(map(_quoted, path)).encode())
    answered(ask(method, str(url), params=query))


def _quoted(segment: str) -> str:
    return "".join(f"%{byte:02X}" for byte in segment.encode("utf-8", "surrogatepass"))


@given(st.sampled_from(("Patient", "Observation", "Encounter")), queries, st.booleans())
@settings(max_examples=100)
def test_searches(type_: str, query: list[tuple[str, str]], lenient: bool) -> None:
    headers = {"Prefer": "handling=lenient"} if lenient else {}
    answered(ask("GET", type_, params=query, headers=headers))


@given(st.binary(max_size=40))
def test_query_strings_of_any_bytes(query: bytes) -> None:
    raw = "".join(chr(b) if 33 <= b < 127 and chr(b) not in "#" else f"%{b:02X}" for b in query)
    answered(ask("GET", f"Patient?{raw}"))


@given(
    st.binary(max_size=60),
    st.sampled_from(("application/fhir+json", "text/plain", "", "application/x-www-form-urlencoded")),
)
def test_bodies_of_any_bytes(content: bytes, kind: str) -> None:
    for path in ("", "Patient", "Binary", "Observation/_search", "Observation/$lastn"):
        answered(ask("POST", path, content=content, headers={"Content-Type": kind}, writable=True))


@given(st.sampled_from(("Patient", "Observation", "Encounter", "Group")), st.dictionaries(keys, anything, max_size=4))
@settings(max_examples=100)
def test_resources_of_any_shape(type_: str, more: dict[str, Any]) -> None:
    body = (
        json.dumps({**more, "resourceType": type_, "id": "x"}, allow_nan=False, default=str) if _plain(more) else "{}"
    )
    headers = {"Content-Type": "application/json"}
    answered(ask("PUT", f"{type_}/x", content=body.encode("utf-8", "replace"), headers=headers, writable=True))


def _plain(value: Any) -> bool:
    return "Infinity" not in json.dumps(value) and "NaN" not in json.dumps(value)


entries = st.fixed_dictionaries(
    {},
    optional={
        "fullUrl": st.text(max_size=5) | leaves,
        "resource": anything
        | st.dictionaries(keys, anything, max_size=2).map(lambda d: {**d, "resourceType": "Patient"}),
        "request": anything
        | st.fixed_dictionaries(
            {"method": st.sampled_from(("GET", "POST", "PUT", "DELETE", "x")), "url": st.text(max_size=8) | segments},
            optional={"ifNoneExist": leaves, "ifMatch": leaves, "ifNoneMatch": leaves},
        ),
    },
)


@given(st.sampled_from(("batch", "transaction")), st.lists(entries | anything, max_size=3))
@settings(max_examples=100)
def test_bundles_of_any_shape(kind: str, listed: list[Any]) -> None:
    if not _plain(listed):
        return
    body = json.dumps({"resourceType": "Bundle", "type": kind, "entry": listed})
    answer = ask("POST", "", content=body, headers={"Content-Type": "application/json"}, writable=True)
    answered(answer)
    for entry in answer.json().get("entry", ()):
        assert entry["response"]["status"][:3] not in ("500", "503")


@given(st.dictionaries(st.sampled_from(("Accept", "Prefer", "If-None-Match", "If-Modified-Since", "Host", "If-Match")),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)))  # fmt: skip
def test_headers_of_any_text(headers: dict[str, str]) -> None:
    for path in ("Patient/ann", "Binary/b", "Patient", "$export"):
        answered(ask("GET", path, headers=headers))
