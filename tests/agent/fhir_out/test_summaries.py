"""Summaries as documents: a Composition whose sections refer to what they cite, inside the Bundle."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from agent.chart import Chart
from agent.fhir_out import Request, cited_records, recorded, summary_document, summary_output
from agent.summaries import KINDS, Summary, summarise
from fhir_tools.audit import Who
from tests.agent.fhir_out.checks import check, of_type, one, text_of

MADE = datetime(2026, 6, 15, 9, 30, tzinfo=UTC)


def request(chart: Chart, key: str = "") -> Request:
    return Request(who=Who(agent="dr", patient=chart.patient, purpose="TREAT"), made=MADE, key=key)


def made(chart: Chart, kind: str) -> Summary:
    return asyncio.run(summarise(chart, kind))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_document(charts: dict[str, Chart], kind: str) -> None:
    chart = charts["m"]
    summary = made(chart, kind)
    records = asyncio.run(cited_records(chart, summary))
    bundle = summary_document(summary, request(chart), records)
    check(bundle)
    first = bundle["entry"][0]["resource"]
    assert bundle["type"] == "document"
    assert (first["resourceType"], first["status"]) == ("Composition", "preliminary")
    urls = {e["fullUrl"]: e["resource"] for e in bundle["entry"]}
    assert urls[first["subject"]["reference"]]["id"] == chart.patient.id
    assert [s["title"] for s in first["section"][: 1 + len(summary.sections)]] == [
        s.title for s in (summary.banner, *summary.sections)
    ]
    entries = [e["reference"] for s in first["section"] for e in s.get("entry", ())]
    assert set(entries) <= set(urls)
    cited = {r for c in summary.citations for r in c.references}
    assert {f"{urls[e]['resourceType']}/{urls[e]['id']}" for e in entries} == cited
    told = first["text"]["div"]
    assert all(m in told for line in summary.banner.lines for m in (f"[{mark}]" for mark in line.marks))


def test_without_records_provenance_alone_names_what_is_cited(charts: dict[str, Chart]) -> None:
    summary = made(charts["m"], "problems")
    bundle = summary_document(summary, request(charts["m"]))
    check(bundle)
    assert {e["resource"]["resourceType"] for e in bundle["entry"]} == {"Composition", "Device", "Provenance"}
    behind = {
        e["what"]["reference"].partition("/_history")[0]
        for e in one(bundle, "Provenance")["entity"]
        if "reference" in e["what"]
    }
    assert behind == {r for c in summary.citations for r in c.references}


def test_what_could_not_be_read_again_is_told(charts: dict[str, Chart]) -> None:
    summary = made(charts["m"], "problems")
    records = {str(charts["m"].patient): charts["m"].person}
    told = one(summary_document(summary, request(charts["m"]), records), "Composition")["text"]["div"]
    cited = {r for c in summary.citations for r in c.references}
    assert f"{len(cited) - 1} of {len(cited)} cited resources are not in this document" in told
    whole = asyncio.run(cited_records(charts["m"], summary))
    assert (
        "Not included" not in one(summary_document(summary, request(charts["m"]), whole), "Composition")["text"]["div"]
    )


def test_records_of_a_server_stand_at_its_addresses(charts: dict[str, Chart]) -> None:
    summary = made(charts["m"], "problems")
    records = {str(charts["m"].patient): charts["m"].person}
    bundle = summary_document(summary, request(charts["m"]), records, base="https://fhir.example/r4/")
    check(bundle)
    place = f"https://fhir.example/r4/{charts['m'].patient}"
    assert one(bundle, "Composition")["subject"]["reference"] == place
    assert place in [e["fullUrl"] for e in bundle["entry"]]


def test_the_same_each_time_and_written_once(charts: dict[str, Chart]) -> None:
    summary = made(charts["m"], "medications")
    assert summary_document(summary, request(charts["m"])) == summary_document(summary, request(charts["m"]))
    bundle = recorded(summary_output(summary, request(charts["m"], key="k")))
    check(bundle)
    document = one(bundle, "DocumentReference")
    assert document["type"]["coding"][0]["code"] == "10160-0"
    assert all(line.text in text_of(document) for s in summary.sections for line in s.lines)
    assert not of_type(bundle, "Device")
