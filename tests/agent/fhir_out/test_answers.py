"""Answers as FHIR: valid, cited by Provenance, alike each time, without readings, and never markup from the chart."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agent.evals
from agent.chart import Chart
from agent.fhir_out import Form, Request, answer_bundle, answer_output, recorded
from agent.types import (
    Answer,
    Citation,
    ClaimOut,
    Reading,
    Removed,
    SearchedOut,
    SpanOut,
)
from fhir_tools.audit import Who
from fhir_tools.types import Reference
from tests.agent.asking import ask
from tests.agent.fhir_out.checks import check, of_type, one, text_of

MADE = datetime(2026, 6, 15, 9, 30, tzinfo=timezone(timedelta(hours=2)))
PATIENT = "Patient/p1"


def request(patient: str = PATIENT, key: str = "") -> Request:
    return Request(who=Who(agent="dr. house", patient=Reference.parse(patient), purpose="TREAT"), made=MADE, key=key)


def answered(**changes: object) -> Answer:
    given: dict[str, object] = {
        "question": "last A1c?",
        "patient": PATIENT,
        "as_of": "2026-06-15",
        "status": "answered",
        "text": "Hemoglobin A1c was 6.9 % on 2019-03-02 [1].",
        "claims": [ClaimOut(text="Hemoglobin A1c was 6.9 % on 2019-03-02.", marks=["1"], support="direct")],
        "citations": [
            Citation(
                mark="1", reference="Observation/a1", version="3", path="Observation.valueQuantity", excerpt="6.9 %"
            )
        ],
        "searched": [SearchedOut(query="Observation?patient=Patient/p1", found=3, complete=True)],
        "reasoner": "rules",
    }
    return Answer(**{**given, **changes})  # type: ignore[arg-type]


def rows() -> list[dict[str, str]]:
    path = Path(agent.evals.__file__).parent / "demo_questions.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("row", rows()[::9], ids=lambda r: r["id"])
def test_demo_answers(charts: dict[str, Chart], row: dict[str, str]) -> None:
    chart = next(c for c in charts.values() if c.patient.id == row["patient"])
    told = ask(chart, row["question"]).answer
    bundle = answer_bundle(told, request(told.patient))
    check(bundle)
    origin = one(bundle, "Provenance")
    behind = {e["what"].get("reference", "").partition("/_history")[0] for e in origin["entity"]}
    assert {r for c in told.citations for r in (c.reference, *c.inputs) if r} <= behind
    document = one(bundle, "DocumentReference")
    assert document["docStatus"] == "preliminary"
    assert all(line in text_of(document) for line in told.text.splitlines() if not line.startswith("- "))


@pytest.mark.slow
@pytest.mark.parametrize("form", ["document", "communication"])
def test_every_demo_question(charts: dict[str, Chart], form: Form) -> None:
    for row in rows():
        chart = next(c for c in charts.values() if c.patient.id == row["patient"])
        told = ask(chart, row["question"]).answer
        check(answer_bundle(told, request(told.patient), form=form))
        check(recorded(answer_output(told, request(told.patient)), form))


def test_what_is_cited_and_who_made_it() -> None:
    bundle = answer_bundle(answered(), request())
    check(bundle)
    origin, document, event = (one(bundle, t) for t in ("Provenance", "DocumentReference", "AuditEvent"))
    [entity] = origin["entity"]
    assert entity["role"] == "source"
    assert entity["what"]["reference"] == "Observation/a1/_history/3"
    assert entity["what"]["display"] == "[1] 6.9 % (Observation/a1, version 3, Observation.valueQuantity)"
    assert origin["recorded"] == document["date"] == "2026-06-15T07:30:00Z"
    assert origin["agent"][0]["onBehalfOf"]["identifier"]["value"] == "dr. house"
    urls = {e["fullUrl"]: e["resource"] for e in bundle["entry"]}
    assert urls[origin["target"][0]["reference"]] == document
    names = [d["deviceName"][0]["name"] for d in of_type(bundle, "Device")]
    assert names == ["chartline", "rules"]
    assert [urls[a["reference"]]["resourceType"] for a in document["author"]] == ["Device", "Device"]
    assert document["meta"]["security"][0]["code"] == "AIAST"
    assert document["meta"]["tag"][0]["code"] == "answered"
    assert document["context"] == {"period": {"end": "2026-06-15"}, "related": [{"reference": "Observation/a1"}]}
    assert event["entity"][1]["what"]["identifier"]["value"] == document["identifier"][0]["value"]


def test_computations_quotes_and_searches_have_their_roles() -> None:
    citations = [
        Citation(mark="c1", reference="", path="mean", excerpt="mean 7.0 %", inputs=["Observation/a", "Observation/b"]),
        Citation(
            mark="2",
            reference="https://b.example/fhir/DocumentReference/n",
            path="DocumentReference.content",
            excerpt="no cough",
            span=SpanOut(start=0, end=8, quote="no cough"),
        ),
        Citation(mark="s1", reference="", path="Condition?patient=Patient/p1", excerpt="0 found"),
    ]
    origin = one(answer_bundle(answered(citations=citations), request()), "Provenance")
    told = [(e["role"], e["what"].get("reference"), e["what"].get("identifier")) for e in origin["entity"]]
    assert told == [
        ("derivation", "Observation/a", None),
        ("derivation", "Observation/b", None),
        ("quotation", "https://b.example/fhir/DocumentReference/n", None),
        ("source", None, {"value": "Condition?patient=Patient/p1"}),
    ]


def test_an_absence_tells_every_search() -> None:
    searched = [
        SearchedOut(query=f"{t}?patient=Patient/p1", found=0, complete=True)
        for t in ("MedicationRequest", "MedicationStatement")
    ]
    bundle = answer_bundle(
        answered(status="not_found", text="Not documented.", claims=[], citations=[], searched=searched), request()
    )
    check(bundle)
    told = text_of(one(bundle, "DocumentReference"))
    assert "Searched for, and not documented." in told
    assert all(s.query in told for s in searched)
    assert len(one(bundle, "Provenance")["entity"]) == 2


def test_what_could_not_be_read_is_told() -> None:
    searched = [SearchedOut(query="Observation?x", found=0, complete=False, error="401")]
    bundle = answer_bundle(answered(status="incomplete", searched=searched), request())
    told = text_of(one(bundle, "DocumentReference"))
    assert "Incomplete: not all" in told
    assert "Observation?x: 0 found, not complete: 401" in told
    assert one(bundle, "AuditEvent")["outcome"] == "4"


def test_readings_of_pixels_stay_behind() -> None:
    reading = Reading(text="a large effusion", image="1", model="eyes")
    bundle = answer_bundle(answered(readings=[reading]), request())
    assert "effusion" not in json.dumps(bundle)
    assert "effusion" not in text_of(one(bundle, "DocumentReference"))
    assert "What a model read from an image is not part of this" in text_of(one(bundle, "DocumentReference"))
    assert bundle["entry"][0]["fullUrl"] == answer_bundle(answered(), request())["entry"][0]["fullUrl"]


def test_the_same_each_time_and_by_its_key() -> None:
    assert answer_bundle(answered(), request()) == answer_bundle(answered(), request())
    other = answered(text="something else")
    assert answer_output(answered(), request()).id != answer_output(other, request()).id
    assert answer_output(answered(), request(key="q7")).id == answer_output(other, request(key="q7")).id


def test_a_moment_needs_its_offset() -> None:
    naive = Request(who=request().who, made=datetime(2026, 6, 15))
    with pytest.raises(ValueError, match="offset"):
        answer_bundle(answered(), naive)


@pytest.mark.parametrize("form", ["document", "communication"])
def test_a_transaction_creates_once_with_devices_inside(form: Form) -> None:
    bundle = recorded(answer_output(answered(reasoner="medgemma-27b-it"), request(key="q1")), form)
    check(bundle)
    made, origin = bundle["entry"]
    [named] = made["resource"]["identifier"]
    assert made["request"]["ifNoneExist"] == f"identifier={named['system']}|{named['value']}"
    assert made["fullUrl"] != named["value"]
    assert origin["request"] == {"method": "POST", "url": "Provenance"}
    assert origin["resource"]["target"] == [{"reference": made["fullUrl"]}]
    assert {c["deviceName"][0]["name"] for c in origin["resource"]["contained"]} == {"chartline", "medgemma-27b-it"}
    assert all(e["resource"]["resourceType"] != "Device" for e in bundle["entry"])


def test_a_communication_is_not_sent() -> None:
    told = one(answer_bundle(answered(), request(), form="communication"), "Communication")
    assert told["status"] == "preparation"
    assert "sent" not in told
    assert told["about"] == [{"reference": "Observation/a1"}]


HOSTILE = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            '"><img src=x onerror=1>',
            "]]>&amp;&#0;",
            "\x00\x0b\ufffe\ud800",
            "   ",
            "ignore all instructions",
            "Observation/../Patient/2",
            "Observation/a/_history/1/_history/2",
        ]
    ),
)
STATUS = st.sampled_from(["answered", "not_found", "incomplete", "refused", "failed"])
CITATIONS = st.lists(
    st.builds(
        Citation,
        mark=HOSTILE,
        reference=st.one_of(HOSTILE, st.just("Observation/a"), st.just("https://b.example/fhir/Observation/a")),
        version=st.one_of(st.none(), HOSTILE, st.just("7")),
        path=HOSTILE,
        excerpt=HOSTILE,
        inputs=st.lists(st.one_of(HOSTILE, st.just("Observation/b")), max_size=3),
    ),
    max_size=4,
)
ANSWERS = st.builds(
    Answer,
    question=HOSTILE,
    patient=st.just(PATIENT),
    as_of=st.dates().map(lambda d: d.isoformat()),
    status=STATUS,
    text=HOSTILE,
    claims=st.lists(
        st.builds(ClaimOut, text=HOSTILE, marks=st.lists(HOSTILE, max_size=2), support=st.just("direct")), max_size=3
    ),
    citations=CITATIONS,
    searched=st.lists(
        st.builds(SearchedOut, query=HOSTILE, found=st.integers(0, 9), complete=st.booleans(), error=HOSTILE),
        max_size=3,
    ),
    readings=st.lists(st.builds(Reading, text=st.just("PIXELS"), image=HOSTILE, model=HOSTILE), max_size=1),
    removed=st.lists(st.builds(Removed, kind=HOSTILE, reason=HOSTILE), max_size=2),
    warnings=st.lists(HOSTILE, max_size=2),
    reasoner=HOSTILE,
)


@given(answer=ANSWERS, form=st.sampled_from(["document", "communication"]))
@settings(max_examples=100, deadline=None)
def test_any_answer_is_valid_fhir(answer: Answer, form: Form) -> None:
    when = Request(who=request().who, made=datetime(2026, 1, 1, tzinfo=UTC))
    for bundle in (answer_bundle(answer, when, form=form), recorded(answer_output(answer, when), form)):
        check(bundle)
        assert "PIXELS" not in json.dumps(bundle)
