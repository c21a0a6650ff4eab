"""The record of requests: complete, in order, without anything clinical."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools.audit import Audited, AuditLog, Entry, RequestEntry, answer_record, audit_event, provenance
from fhir_tools.catalogue import read_catalogue
from fhir_tools.demo import paths
from fhir_tools.errors import NotFound, OperatorError, QueryError, ScopeError, SourceError
from fhir_tools.load import load
from fhir_tools.local import LocalStore
from fhir_tools.scope import Scoped
from fhir_tools.search.query import parse
from fhir_tools.source import Source
from fhir_tools.types import Fetched, Query, Reference, SearchResult

ME = Reference(type="Patient", id="me")
RESULT = {
    "resourceType": "Observation",
    "id": "o1",
    "meta": {"versionId": "3"},
    "code": {"coding": [{"code": "SECRET-CODE"}]},
}


class Fake:
    """Answers with what it was made for, or raises it."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def _give(self, *_: object) -> Any:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    read = search = fetch = _give

    async def capabilities(self) -> Mapping[str, Any]:
        return {"fhirVersion": "4.0.1"}


def audited(answer: Any, **more: Any) -> tuple[Audited, list[RequestEntry]]:
    kept: list[Any] = []
    source: Any = Fake(answer)
    return Audited(source, kept.append, agent="dr-lee", patient=ME, purpose="TREAT", **more), kept


async def test_a_read_is_on_record_with_the_version_that_came() -> None:
    source, kept = audited(RESULT)
    assert await source.read(Reference(type="Observation", id="o1")) is RESULT
    (entry,) = kept
    line = entry.line()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["at"])
    assert {k: v for k, v in line.items() if k not in ("at", "seconds")} == {
        "kind": "request",
        "agent": "dr-lee",
        "patient": "Patient/me",
        "purpose": "TREAT",
        "action": "read",
        "what": "Observation/o1",
        "references": ("Observation/o1/_history/3",),
        "found": 1,
        "outcome": "ok",
    }


async def test_a_read_of_a_version_is_a_vread() -> None:
    source, kept = audited(RESULT)
    await source.read(Reference(type="Observation", id="o1"), "2")
    assert (kept[0].action, kept[0].what) == ("vread", "Observation/o1/_history/2")


async def test_a_search_has_names_and_no_values() -> None:
    query = parse(
        "Observation?patient=me&code=SECRET-CODE&date=ge2015&code:text=SECRET&encounter.patient=SECRET&_sort=date"
    )
    source, kept = audited(
        SearchResult(query=query, matches=(RESULT,), included=({"resourceType": "Patient", "id": "me"},))
    )
    await source.search(query)
    (entry,) = kept
    assert (entry.action, entry.what, entry.found, entry.outcome) == ("search", "Observation", 1, "ok")
    assert entry.parameters == ("patient", "code", "date", "code:text", "encounter.patient", "_sort")
    assert entry.references == ("Observation/o1/_history/3", "Patient/me")
    assert "SECRET" not in str(entry.line())


async def test_a_search_that_was_cut_short_is_told_as_such() -> None:
    query = Query(type="Observation")
    source, kept = audited(SearchResult(query=query, matches=(), complete=False, error="SECRET"))
    await source.search(query)
    assert kept[0].outcome == "incomplete" and "SECRET" not in str(kept[0].line())


@pytest.mark.parametrize(
    ("name", "kept_as"),
    [("SECRET diagnosis", "?"), ("secret", "?"), ("code=SECRET", "?"), ("", "?"), ("_has:Encounter:patient:code", None),
     ("patient:Patient.name", None), ("_Ünknown", "?"), ("code:" + "x" * 99, "?")],
)  # fmt: skip
async def test_a_name_that_r4_does_not_know_could_be_a_value(name: str, kept_as: str | None) -> None:
    source, kept = audited(QueryError("no"))
    with pytest.raises(QueryError):
        await source.search(Query(type="Observation", params=((name, "x"),)))
    assert kept[0].parameters == (kept_as or name,)


@pytest.mark.parametrize(
    ("url", "action", "what", "names"),
    [
        ("Binary/b1", "fetch", "Binary/b1", ()),
        ("Patient/me/$summary?_since=1&end=2&SECRET=1", "operation", "Patient/me/$summary", ("_since", "end", "?")),
        ("https://fhir.example/r4/Binary/b1", "fetch", "https://fhir.example/r4/Binary/b1", ()),
        ("https://files.example/SECRET-letter.pdf?token=SECRET", "fetch", "files.example", ()),
        ("SECRET", "fetch", "?", ()),
        ("https://[SECRET", "fetch", "?", ()),
        ("Patient/SECRET word/$x", "fetch", "?", ()),
        ("Patient/me/$SECRET?x", "fetch", "?", ()),
    ],
)  # fmt: skip
async def test_a_body_is_on_record_by_its_place(url: str, action: str, what: str, names: tuple[str, ...]) -> None:
    source, kept = audited(Fetched(content_type="text/plain", body=b"SECRET"))
    await source.fetch(url)
    assert (kept[0].action, kept[0].what, kept[0].parameters) == (action, what, names)
    assert "SECRET" not in str(kept[0].line())


@pytest.mark.parametrize(
    ("error", "outcome", "status"),
    [
        (ScopeError("SECRET"), "refused", None),
        (QueryError("SECRET"), "refused", None),
        (NotFound("SECRET", status=410), "not-found", 410),
        (SourceError("SECRET", status=503), "failed", 503),
        (ValueError("SECRET"), "failed", None),
        (asyncio.CancelledError(), "cancelled", None),
    ],
)
async def test_an_error_is_on_record_by_its_class_and_goes_on(
    error: BaseException, outcome: str, status: int | None
) -> None:
    source, kept = audited(error)
    for request in (source.read(ME), source.search(Query(type="Observation")), source.fetch("Binary/b1")):
        with pytest.raises(type(error)):
            await request
    assert [(e.outcome, e.error, e.status) for e in kept] == [(outcome, type(error).__name__, status)] * 3
    assert "SECRET" not in str([e.line() for e in kept])


async def test_what_is_asked_of_all_patients_is_not_on_record() -> None:
    source, kept = audited(None)
    assert await source.capabilities() == {"fhirVersion": "4.0.1"} and kept == []
    assert isinstance(source, Source)


async def test_nothing_is_given_that_could_not_be_recorded() -> None:
    def full(entry: Entry) -> None:
        raise OperatorError("the disk is full")

    source: Any = Fake(RESULT)
    with pytest.raises(OperatorError, match="full"):
        await Audited(source, full, agent="a", patient=ME, purpose="TREAT").read(ME)


async def test_a_record_may_be_asynchronous_and_references_be_located() -> None:
    kept: list[Entry] = []

    async def later(entry: Entry) -> None:
        await asyncio.sleep(0)
        kept.append(entry)

    source: Any = Fake(RESULT)
    where = Audited(source, later, agent="a", patient=ME, purpose="x", locate=lambda r: f"https://b.example/fhir/{r}")
    await where.read(Reference(type="Observation", id="o1"))
    assert isinstance(kept[0], RequestEntry)
    assert kept[0].references == ("https://b.example/fhir/Observation/o1/_history/3",)


@given(st.text(), st.text(), st.text())
async def test_no_text_gets_into_the_record_by_an_odd_request(type_: str, id_: str, version: str) -> None:
    source, kept = audited(ScopeError("refused"))
    for request in (
        source.read(Reference(type=type_, id=id_), version),
        source.search(Query(type=type_, params=((id_, version),))),
        source.fetch(f"{type_}/{id_}?{version}"),
    ):
        with pytest.raises(ScopeError):
            await request
    for entry in kept:
        assert re.fullmatch(r"[A-Za-z0-9\-._/$?:]+", entry.what)
        assert all(re.fullmatch(r"[A-Za-z_][A-Za-z_:.-]*|\?", name) for name in entry.parameters)
        assert not re.search(r"\s", entry.what)


# The hunt: a whole chart is read, and nothing of it may be in the log.


def words(node: Any, key: str = "") -> Iterator[str]:
    """Every text and number of a resource, but references, ids and versions, types and what FHIR itself prescribes."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name not in (
                "reference",
                "id",
                "versionId",
                "resourceType",
                "url",
                "system",
                "type",
                "fullUrl",
                "profile",
            ):
                yield from words(value, name)
    elif isinstance(node, list):
        for item in node:
            yield from words(item, key)
    elif isinstance(node, str | int | float) and not isinstance(node, bool):
        yield str(node)


PLAIN = re.compile(r"[a-z]{1,20}(?:-[a-z]+)*|\d{1,3}|[A-Z]{1,7}")
"""Words of FHIR's own tables (`final`, `active`), numbers of three digits: they stand in any log."""


@pytest.mark.parametrize("chart", paths(), ids=lambda p: p.name[:12])
async def test_nothing_of_a_chart_is_in_the_record_of_reading_all_of_it(chart: Any, tmp_path: Any) -> None:
    store = LocalStore()
    assert not load([chart], store).errors
    async with store:
        patient = Reference(type="Patient", id=store.patients()[0].id)
        log = AuditLog(tmp_path / "audit.jsonl")
        source = Audited(Scoped(store, patient), log, agent="dr-lee", patient=patient, purpose="TREAT")
        await read_catalogue(source, patient, date(2030, 1, 1))
        resources, cited = await everything(source, patient)
        log(answer_record(source.who, status="answered", reasoner="rules", cited=cited))
    text = (tmp_path / "audit.jsonl").read_text()
    secrets = {w for r in resources for w in words(r) if len(w) > 3 and not PLAIN.fullmatch(w)}
    assert len(resources) > 50 and len(secrets) > 100
    references = {f"{r['resourceType']}/{r['id']}" for r in resources}
    bare = re.sub("|".join(map(re.escape, sorted(references, key=len, reverse=True))), "", text)
    bare = re.sub(r'"at":"[^"]*"|"seconds":[0-9.e-]+|"id":"[0-9a-f-]{36}"', "", bare)
    assert {w for w in secrets if w in bare} == set()
    assert all(reference in text for reference in references)


async def everything(
    source: Audited, patient: Reference
) -> tuple[list[Mapping[str, Any]], list[tuple[str, str | None]]]:
    """All that the chart holds, by searches with values and by reads."""
    found: list[Mapping[str, Any]] = []
    for kind in (await source.capabilities())["search"]:
        name = "_id" if kind == "Patient" else "patient"
        try:
            result = await source.search(Query(type=kind, params=((name, patient.id),)))
        except ScopeError:
            continue
        found += result.matches
    for resource in found:
        codings = (resource.get("code") or {}).get("coding") or [{}]
        if codings[0].get("code"):
            params = (("patient", patient.id), ("code", codings[0]["code"]))
            await source.search(Query(type=resource["resourceType"], params=params))
    cited = []
    for resource in found[:30]:
        reference = Reference(type=resource["resourceType"], id=resource["id"])
        await source.read(reference, resource["meta"]["versionId"])
        cited.append((str(reference), resource["meta"]["versionId"]))
    return found, cited


async def test_as_fhir_there_is_no_more_in_it_than_in_the_lines() -> None:
    query = parse("Observation?patient=me&code=SECRET-CODE")
    source, kept = audited(SearchResult(query=query, matches=(RESULT,)))
    await source.search(query)
    answer = answer_record(
        source.who, status="answered", reasoner="rules", cited=[("Observation/o1", "3"), ("SECRET", None)]
    )
    told = orjson.dumps([audit_event(kept[0]), audit_event(answer), provenance(answer)]).decode()
    assert "SECRET" not in told and "Observation/o1/_history/3" in told
