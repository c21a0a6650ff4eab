"""Summaries of small charts: every line cited, nothing told that the chart does not hold."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from agent.chart import Chart
from agent.errors import UserError
from agent.open import open_chart
from agent.settings import Settings
from agent.sources import open_source
from agent.summaries import KINDS, Summary, render, summarise
from fhir_tools.types import Query, Reference, SearchResult

AS_OF = date(2024, 6, 30)
LOINC, SNOMED, RXNORM = "http://loinc.org", "http://snomed.info/sct", "http://www.nlm.nih.gov/research/umls/rxnorm"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFIED = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
Resource = dict[str, Any]


def code(system: str, value: str, text: str) -> Resource:
    return {"coding": [{"system": system, "code": value, "display": text}], "text": text}


def of(type_: str, id_: str, **elements: Any) -> Resource:
    who = "patient" if type_ in ("AllergyIntolerance", "Immunization", "FamilyMemberHistory") else "subject"
    return {"resourceType": type_, "id": id_, who: {"reference": "Patient/p"}, **elements}


def patient(**elements: Any) -> Resource:
    name = [{"given": ["Ada"], "family": "Moss"}]
    return {
        "resourceType": "Patient",
        "id": "p",
        "name": name,
        "gender": "female",
        "birthDate": "1960-02-03",
        **elements,
    }


def condition(
    id_: str, text: str, status: str = "active", verification: str = "confirmed", **elements: Any
) -> Resource:
    return of(
        "Condition", id_, code=code(SNOMED, f"1{abs(hash(text)) % 10**6}", text),
        clinicalStatus={"coding": [{"system": CLINICAL, "code": status}]},
        verificationStatus={"coding": [{"system": VERIFIED, "code": verification}]}, **elements,
    )  # fmt: skip


def a1c(id_: str, day: str, value: float, **elements: Any) -> Resource:
    given = {
        "status": "final", "category": [code(CATEGORY, "laboratory", "lab")],
        "code": code(LOINC, "4548-4", "Hemoglobin A1c"), "effectiveDateTime": day,
        "valueQuantity": {"value": value, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"},
        "referenceRange": [{"low": {"value": 4, "unit": "%"}, "high": {"value": 5.6, "unit": "%"}}],
    }  # fmt: skip
    return of("Observation", id_, **{**given, **elements})


def order(id_: str, text: str, day: str, status: str = "active", **elements: Any) -> Resource:
    drug = code(RXNORM, f"2{abs(hash(text)) % 10**6}", text)
    return of(
        "MedicationRequest",
        id_,
        status=status,
        intent="order",
        medicationCodeableConcept=drug,
        authoredOn=day,
        **elements,
    )


def visit(id_: str, start: str, end: str, status: str = "finished", kind: str = "AMB") -> Resource:
    return of(
        "Encounter", id_, status=status, type=[code(SNOMED, "185349003", "Check-up")],
        period={"start": start, "end": end}, **{"class": {"code": kind}},
    )  # fmt: skip


CHART = (
    patient(),
    condition("htn", "Hypertension", onsetDateTime="2010-05-02"),
    condition("cold", "Common cold", "resolved", onsetDateTime="2012-01-01", abatementDateTime="2012-01-09"),
    condition("gout", "Gout", "resolved", onsetDateTime="2020-01-01", abatementDateTime="2025-01-09"),
    condition("wrong", "Malaria", verification="entered-in-error", onsetDateTime="2015-01-01"),
    condition("refuted", "Lupus", verification="refuted", onsetDateTime="2016-01-01"),
    condition("later", "Migraine", onsetDateTime="2024-08-01"),
    *(a1c(f"a{n}", f"20{12 + n}-03-0{n % 9 + 1}", 6 + n / 10) for n in range(12)),
    a1c("a-last", "2024-05-01", 7.4),
    a1c("a-wrong", "2024-05-20", 14.2, status="entered-in-error"),
    a1c("a-later", "2024-07-20", 9.9),
    order("metformin", "Metformin 500 MG Oral Tablet", "2024-05-01", dosageInstruction=[{"text": "one twice a day"}]),
    order("held", "Warfarin 5 MG Oral Tablet", "2023-01-01", "on-hold"),
    order("stopped", "Ibuprofen 200 MG Oral Tablet", "2019-01-01", "stopped"),
    visit("v1", "2023-04-10T09:00:00Z", "2023-04-10T09:30:00Z"),
    visit("v2", "2024-05-01T09:00:00Z", "2024-05-01T09:30:00Z"),
    visit("v3", "2024-09-01T09:00:00Z", "2024-09-01T09:30:00Z", "planned"),
)  # fmt: skip


@asynccontextmanager
async def opened(folder: Path, *resources: Resource, as_of: date = AS_OF) -> AsyncIterator[Chart]:
    path = folder / "chart.json"
    path.write_text(
        json.dumps({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r} for r in resources]})
    )
    async with open_source(str(path), Settings()) as source:
        yield await open_chart(source, Reference(type="Patient", id="p"), as_of)


async def made(folder: Path, kind: str, *resources: Resource) -> Summary:
    async with opened(folder, *resources) as chart:
        return await summarise(chart, kind)


def told(summary: Summary, title: str = "") -> list[str]:
    return [line.text for s in (summary.banner, *summary.sections) if s.title.startswith(title) for line in s.lines]


def noted(summary: Summary, title: str) -> str:
    return " ".join(n.text for s in summary.sections if s.title.startswith(title) for n in s.notes)


@pytest.mark.parametrize("kind", KINDS)
async def test_every_line_has_marks_and_every_mark_a_citation(tmp_path: Path, kind: str) -> None:
    summary = await made(tmp_path, kind, *CHART)
    known = {c.mark for c in summary.citations}
    every = [line for s in (summary.banner, *summary.sections) for line in s.lines]
    assert every
    assert all(line.marks and set(line.marks) <= known for line in every)
    assert all(set(n.marks) <= known for s in summary.sections for n in s.notes)
    assert len(known) == len(summary.citations)
    assert summary.removed == ()


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_later_wrong_or_refuted_is_never_told_as_a_fact(tmp_path: Path, kind: str) -> None:
    summary = await made(tmp_path, kind, *CHART)
    for format_ in ("text", "markdown", "html", "json"):
        page = render(summary, format_)
        for word in ("Malaria", "14.2", "9.9 %", "Migraine", "2024-07-20", "2024-09-01", "2025-01-09"):
            assert word not in page
    assert not [line for line in told(summary) if "Lupus" in line and "refuted" not in line]


async def test_snapshot(tmp_path: Path) -> None:
    summary = await made(tmp_path, "snapshot", *CHART)
    assert told(summary, "Patient") == [
        "Name: Ada Moss.",
        "Gender: female.",
        "The patient is 64 years old, born 1960-02-03.",
    ]
    assert told(summary, "Active problems") == [
        "Gout is recorded, since 2020-01-01.", "Hypertension is recorded as active, since 2010-05-02.",
    ]  # fmt: skip
    [drug] = told(summary, "Current medications")
    assert drug.startswith("Metformin 500 MG Oral Tablet is listed active, ordered on 2024-05-01 (one twice a day)")
    [lab] = [line for s in summary.sections if s.title.startswith("Laboratory") for line in s.lines]
    assert lab.text == "Hemoglobin A1c was 7.4 % on 2024-05-01; previous 7.1 % on 2023-03-03."
    assert lab.plot is not None
    assert (len(lab.plot.points), lab.plot.low, lab.plot.high) == (13, 4.0, 5.6)
    assert told(summary, "Last encounters")[0].endswith("2024-05-01.")


async def test_absence_is_told_with_its_search_and_a_negative_record_as_that(tmp_path: Path) -> None:
    without = await made(tmp_path, "snapshot", *CHART)
    assert "No allergies are documented (searched AllergyIntolerance: 0)." in noted(without, "Allergies")
    none = of(
        "AllergyIntolerance", "none", code=code(SNOMED, "716186003", "No known allergy"), recordedDate="2020-01-01"
    )
    explicit = await made(tmp_path, "snapshot", *CHART, none)
    assert told(explicit, "Allergies") == ["No known allergy, recorded on 2020-01-01."]
    assert noted(explicit, "Allergies") == ""
    wrong = {**none, "verificationStatus": {"coding": [{"code": "entered-in-error"}]}}
    mistaken = await made(tmp_path, "snapshot", *CHART, wrong)
    assert told(mistaken, "Allergies") == []
    assert "entered in error" in noted(mistaken, "Allergies")


async def test_a_search_that_was_cut_short_is_told_and_is_no_absence(tmp_path: Path) -> None:
    class Cut:
        """A source whose allergy searches fail after nothing was read."""

        def __init__(self, source: Any) -> None:
            self._source = source

        def __getattr__(self, name: str) -> Any:
            return getattr(self._source, name)

        async def search(self, query: Query) -> SearchResult:
            if query.type != "AllergyIntolerance":
                found: SearchResult = await self._source.search(query)
                return found
            return SearchResult(query=query, complete=False, error="the server closed the connection")

    async with opened(tmp_path, *CHART) as chart:
        summary = await summarise(replace(chart, source=Cut(chart.source)), "snapshot")
    assert "No allergies" not in render(summary, "text")
    assert "could not be read in full (the server closed the connection)" in noted(summary, "Allergies")


async def test_a_doubt_about_a_detail_hides_no_allergy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from agent.summaries import build
    from agent.types import Ask, Draft, Evidence, Removed, Verified

    real = build.verify

    def strict(ask: Ask, draft: Draft, evidence: Evidence) -> Verified:
        kept = tuple(c for c in draft.claims if "criticality" not in c.text)
        verified = real(ask, replace(draft, claims=kept), evidence)
        gone = len(draft.claims) - len(kept)
        return replace(
            verified, removed=(*verified.removed, *(Removed(kind="x", reason="a doubt") for _ in range(gone)))
        )

    monkeypatch.setattr(build, "verify", strict)
    nuts = of(
        "AllergyIntolerance",
        "n",
        code=code(SNOMED, "91935009", "Peanut"),
        criticality="high",
        recordedDate="2001-01-01",
    )
    fish = of("AllergyIntolerance", "f", code=code(SNOMED, "91936005", "Fish"), recordedDate="2000-01-01")
    summary = await made(tmp_path, "snapshot", *CHART, nuts, fish)
    assert told(summary, "Allergies") == ["Peanut is recorded on 2001-01-01.", "Fish is recorded on 2000-01-01."]
    assert [r.reason for r in summary.removed] == ["a doubt"]
    assert "1 line removed or shortened by the check: a doubt." in render(summary, "text")


async def test_medications_are_told_by_whether_they_are_taken(tmp_path: Path) -> None:
    stay = visit("stay", "2024-02-01T09:00:00Z", "2024-02-04T09:00:00Z", kind="IMP")
    ward = order(
        "ward", "Heparin 5000 UNT Injection", "2024-02-01", encounter={"reference": "Encounter/stay"},
        category=[code("http://terminology.hl7.org/CodeSystem/medicationrequest-category", "inpatient", "Inpatient")],
    )  # fmt: skip
    summary = await made(tmp_path, "medications", *CHART, stay, ward)
    assert [t.split(" ")[0] for t in told(summary, "Current")] == ["Metformin"]
    assert "1 more is listed active" in noted(summary, "Current")
    assert [t.split(" ")[0] for t in told(summary, "Listed active, but over")] == ["Heparin"]
    assert [t.split(" ")[0] for t in told(summary, "On hold")] == ["Warfarin"]
    assert [t.split(" ")[0] for t in told(summary, "Past")] == ["Ibuprofen"]


async def test_problems_part_what_stands_from_what_is_over_or_unsure(tmp_path: Path) -> None:
    summary = await made(tmp_path, "problems", *CHART)
    assert told(summary, "Past problems") == [
        "Common cold is recorded as resolved, since 2012-01-01, until 2012-01-09."
    ]
    assert told(summary, "Not confirmed") == ["Lupus is refuted on 2016-01-01."]


async def test_since_last_visit(tmp_path: Path) -> None:
    summary = await made(tmp_path, "since-last-visit", *CHART, condition("new", "Asthma", onsetDateTime="2024-05-01"))
    assert told(summary, "Visits")[0].startswith("Most recent: Check-up (ambulatory), 2024-05-01")
    assert told(summary, "Visits")[1].startswith("Before it: Check-up (ambulatory), 2023-04-10")
    assert told(summary, "New results") == ["Hemoglobin A1c was 7.4 % on 2024-05-01."]
    assert told(summary, "New problems") == ["Asthma is recorded as active, since 2024-05-01."]
    assert [t.split(" ")[0] for t in told(summary, "Medications started")] == ["Metformin"]
    assert not told(summary, "Medications ordered again")


async def test_since_last_visit_with_nothing_new_and_with_one_visit(tmp_path: Path) -> None:
    visits = [r for r in CHART if r["id"] in ("v1", "v2")]
    quiet = await made(tmp_path, "since-last-visit", patient(), *visits)
    assert "Nothing new is documented after 2023-04-10." in noted(quiet, "New")
    single = await made(tmp_path, "since-last-visit", patient(), visits[0])
    assert "Only one visit is documented" in noted(single, "Visits")
    none = await made(tmp_path, "since-last-visit", patient())
    assert "No encounters are documented" in noted(none, "Visits")


async def test_for_patient_speaks_plainly_and_asks_once(tmp_path: Path) -> None:
    summary = await made(tmp_path, "for-patient", *CHART)
    assert "High blood pressure (Hypertension), since 2 May 2010." in told(summary)
    assert "Average blood sugar (Hemoglobin A1c) was 7.4 % on 1 May 2024." in told(summary)
    assert "You are 64 years old, born 3 February 1960." in told(summary)
    for format_ in ("text", "markdown", "html"):
        assert render(summary, format_).count("ask your care team") == 1


async def test_a_death_is_told_and_age_is_that_at_death(tmp_path: Path) -> None:
    summary = await made(tmp_path, "snapshot", patient(deceasedDateTime="2023-02-01"), *CHART[1:])
    assert "The patient was 62 years old at death, born 1960-02-03." in told(summary, "Patient")
    assert "The patient died on 2023-02-01." in told(summary, "Patient")


async def test_an_empty_chart_says_what_was_searched(tmp_path: Path) -> None:
    summary = await made(tmp_path, "snapshot", {"resourceType": "Patient", "id": "p"})
    assert told(summary) == []
    assert all(s.notes for s in summary.sections)
    assert all(row.complete for row in summary.searched)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.ids += [v for k, v in attrs if k == "id" and v]
        if tag == "a":
            self.links.append(given.get("href") or "")
        self.outside += [v for k, v in attrs if k in ("src", "href") and v and not v.startswith("#")]


async def test_the_page_stands_alone_and_its_citations_resolve(tmp_path: Path) -> None:
    page = render(await made(tmp_path, "snapshot", *CHART), "html")
    read = _Page()
    read.feed(page)
    assert "script" not in read.tags
    assert read.outside == []
    assert len(read.ids) == len(set(read.ids))
    assert read.links
    assert all(link.removeprefix("#") in read.ids for link in read.links)
    assert {"header", "main", "section", "h1", "h2", "table", "th", "svg", "footer"} <= set(read.tags)
    assert "prefers-color-scheme: dark" in page


async def test_chart_text_is_data_in_every_format(tmp_path: Path) -> None:
    bad = "<script>alert(1)</script> **x** [y](http://z)"
    summary = await made(tmp_path, "problems", patient(), condition("c", bad, onsetDateTime="2020-01-01"))
    assert "<script" not in render(summary, "html")
    bare = re.sub(r"\\.", "", render(summary, "markdown"))
    assert "<script" not in bare
    assert "](http" not in bare


async def test_json_holds_the_same_lines(tmp_path: Path) -> None:
    summary = await made(tmp_path, "labs", *CHART)
    data: Mapping[str, Any] = json.loads(render(summary, "json"))
    assert [line["text"] for s in data["sections"] for line in s["lines"]] == told(summary)
    [course] = [line["course"] for s in data["sections"] for line in s["lines"] if line["course"]]
    assert course["points"][-1] == {"when": "2024-05-01T00:00:00+00:00", "value": 7.4, "series": None}
    assert {row["complete"] for row in data["searched"]} == {True}
    assert {c["mark"] for c in data["citations"]} >= {
        m for s in data["sections"] for line in s["lines"] for m in line["marks"]
    }


async def test_the_terminal_draws_the_course(tmp_path: Path) -> None:
    text = render(await made(tmp_path, "labs", *CHART), "text")
    assert re.search(r"▁[▁-█]{11}█ 13\s+results 2012-03-01 to 2024-05-01, 6 to 7.4", " ".join(text.split()))


async def test_unknown_kinds_and_formats_are_refused(tmp_path: Path) -> None:
    async with opened(tmp_path, *CHART) as chart:
        with pytest.raises(UserError, match="no summary is called 'poem'"):
            await summarise(chart, "poem")
        summary = await summarise(chart, "labs")
    with pytest.raises(UserError, match="no summary format is called 'pdf'"):
        render(summary, "pdf")
