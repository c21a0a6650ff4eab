"""A chart that was read in part: an answer is that of the whole chart, or says that it is incomplete and why."""

from __future__ import annotations

import functools
import json
import random
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.chart import Chart
from fhir_tools import demo
from fhir_tools.errors import SourceError
from fhir_tools.facts import CATALOGUE_ELEMENTS
from fhir_tools.load import load
from fhir_tools.local import LocalStore
from fhir_tools.types import Fetched, Query, Reference, SearchResult
from tests.agent.asking import (
    RXNORM,
    Done,
    Failing,
    allergy,
    ask,
    concept,
    opened,
    order,
    result,
    store_of,
)
from tests.agent.faulty import Faulty, Plain

TYPES = (*CATALOGUE_ELEMENTS, "Medication", "Binary")
QUESTIONS: Mapping[str, tuple[str, ...]] = {
    "demo-maria-santos": (
        "last A1c?", "first A1c", "peak creatinine", "last three A1c", "last A1c, BP and weight",
        "how many A1c in 2018?",
        "average A1c in 2019", "A1c trend", "has her creatinine gone up?", "glucose above 300 ever?", "does she smoke?",
        "highest creatinine during the last admission", "weight when CKD stage 4 was diagnosed", "DOB", "problem list",
        "labs in the last 3 months", "does she have heart failure?", "any allergy to latex?", "A1c after semaglutide",
        "xyzzy level?", "still on metformin?", "current meds", "on a blood thinner?", "what is atorvastatin for?",
        "when was hypertension diagnosed", "how long was the last admission", "allergies", "is diabetes active?",
        "tell me about the last admission", "last mammogram", "flu shots", "does her mother have diabetes",
    ),
    "demo-robert-keller": (
        "how many INRs in 2020", "weight change during the 2022 admission", "abnormal labs in 2025", "any NSAIDs?",
        "how many times was apixaban dispensed", "any history of PE?", "does he have colon cancer?", "surgeries",
        "creatinine after the 2022 admission", "last colonoscopy", "how many admissions", "family history",
    ),
    "demo-leila-haddad": (
        "what do the notes say about migraine", "peak flow at the ED visit in January 2023", "zoloft?", "inhalers",
        "did she have a C-section before 2025", "allergic to penicillin?", "pregnancies", "last eye exam",
    ),
}  # fmt: skip
AT_ONCE = 6


@functools.cache
def _store() -> LocalStore:
    store = LocalStore(":memory:")
    assert not load(demo.paths(), store).errors
    return store


@functools.cache
def _chart(patient: str) -> Chart:
    return opened(Plain(_store()), patient, demo.AS_OF)


@functools.cache
def whole(patient: str, question: str) -> tuple[str, str, str]:
    """What is told of the whole chart."""
    return told(ask(_chart(patient), question))


def told(done: Done) -> tuple[str, str, str]:
    value = done.answer.value
    return done.answer.status, done.text, json.dumps(value.model_dump() if value else None)


def run(seed: int) -> set[str]:
    """Opens a chart through the faults of a seed and asks some questions; returns how they ended."""
    patient = list(QUESTIONS)[seed % len(QUESTIONS)]
    source = Faulty(_store(), seed, TYPES)
    try:
        chart = opened(source, patient, demo.AS_OF, lazy=seed % 8 > 3)
    except SourceError:
        return {"failed"}
    questions = random.Random(seed).sample(QUESTIONS[patient], AT_ONCE)
    return {hold(ask(chart, question), whole(patient, question), source, seed) for question in questions}


def hold(done: Done, expected: tuple[str, str, str], source: Faulty, seed: int) -> str:
    """Asserts that the answer is that of the whole chart, or says what was not read and tells no more than it may."""
    if told(done) == expected:
        return "same"
    shown = f"seed {seed}, {source.ill}: {done.ask.question!r}\n{done.answer.status}: {done.text}\n{expected}"
    assert source.hurt, shown
    assert done.answer.status == "incomplete", shown
    assert done.answer.value is None, shown
    assert "Not all read: " in done.text, shown
    assert "the server answered" in done.text, shown
    assert any(not row.complete and row.error for row in done.answer.searched), shown
    assert not any(re.match(r"no\b", c.text, re.IGNORECASE) for c in done.answer.claims), shown
    return "incomplete"


@pytest.mark.parametrize("first", range(0, 48, 8))
def test_a_fault_changes_no_answer_silently(first: int) -> None:
    ended = set().union(*(run(seed) for seed in range(first, first + 8)))
    assert "same" in ended and "incomplete" in ended


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 1500, 100))
def test_five_hundred_charts_with_faults_tell_nothing_wrong(first: int) -> None:
    ended = set().union(*(run(seed) for seed in range(first, first + 100)))
    assert ended == {"same", "incomplete", "failed"}


# One fault at a time.

A1C = tuple(
    result("Hemoglobin A1c", day, value, unit="%", code="4548-4")
    for day, value in (("2023-01-01", 7.1), ("2024-01-01", 6.9))
)


def cut(tmp_path: Path, types: tuple[str, ...], *resources: Mapping[str, Any], **person: Any) -> Chart:
    """The open chart of a made-up patient whose searches of some types are cut short."""
    return opened(Failing(Plain(store_of(tmp_path, *resources, **person)), types))  # type: ignore[arg-type]


def test_a_kind_that_the_question_is_not_about_does_not_matter(tmp_path: Path) -> None:
    done = ask(cut(tmp_path, ("Immunization", "ImagingStudy"), *A1C), "last HbA1c?")
    assert done.answer.status == "answered", done.text
    assert "6.9 %" in done.text


@pytest.mark.parametrize(
    ("types", "question"),
    [
        (("Observation",), "last HbA1c?"),
        (("Immunization",), "did she have a flu shot?"),
        (("Condition",), "does she have asthma?"),
        (("Condition",), "problem list"),
        (("AllergyIntolerance",), "any allergies?"),
        (("AllergyIntolerance",), "is she allergic to penicillin?"),
        (("FamilyMemberHistory",), "does her mother have diabetes?"),
        (("MedicationRequest",), "is she on metformin?"),
        (("MedicationStatement",), "current meds"),
        (("Procedure",), "HbA1c after the appendectomy"),
        (("Encounter",), "HbA1c during the last admission"),
        (("Immunization",), "last frobnication?"),
        (("DocumentReference",), "what do the notes say about asthma?"),
    ],
)
def test_what_was_not_read_is_never_absent(tmp_path: Path, types: tuple[str, ...], question: str) -> None:
    done = ask(cut(tmp_path, types, *A1C), question)
    assert done.answer.status == "incomplete", done.text
    assert f"Not all read: {types[0]} (the server answered 503 on page 2)." in done.text
    assert [r.error for r in done.answer.searched if not r.complete]


def test_a_no_is_not_said_from_a_part(tmp_path: Path) -> None:
    old = order("Metformin 500 MG Oral Tablet", "2019-01-01", status="stopped", code="860975")
    assert ask(opened(store_of(tmp_path, old)), "is she on metformin?").text.startswith("No")
    done = ask(cut(tmp_path, ("MedicationStatement",), old), "is she on metformin?")
    assert done.answer.status == "incomplete"
    assert done.text.startswith("Not everything could be read, so this cannot be told.")
    assert done.answer.removed


def test_no_known_allergies_are_not_told_from_a_part(tmp_path: Path) -> None:
    class Cut(Plain):
        async def search(self, query: Query) -> SearchResult:
            found = await super().search(query)
            return replace(found, complete=query.type != "AllergyIntolerance", error="503")

    chart = opened(Cut(store_of(tmp_path, allergy("No known allergies"))))
    for question in ("any allergies?", "allergies", "is she allergic to penicillin?"):
        done = ask(chart, question)
        assert (done.answer.status, done.answer.claims) == ("incomplete", []), done.text


def test_a_count_is_not_told_from_a_part(tmp_path: Path) -> None:
    class Cut(Plain):
        async def search(self, query: Query) -> SearchResult:
            found = await super().search(query)
            late = query.type == "Observation" and "_elements" not in dict(query.params)
            return replace(found, matches=found.matches[:1], complete=False, error="503") if late else found

    done = ask(opened(Cut(store_of(tmp_path, *A1C))), "how many HbA1c results?")
    assert (done.answer.status, done.answer.claims) == ("incomplete", []), done.text


def test_a_search_that_fails_once_and_then_works_does_not_prove_an_absence(tmp_path: Path) -> None:
    class Once(Plain):
        async def search(self, query: Query) -> SearchResult:
            first = str(query) not in self.asked
            found = await super().search(query)
            bad = first and query.type == "Observation" and "_elements" not in dict(query.params)
            return replace(found, matches=(), total=None, complete=False, error="503") if bad else found

    cea = result("Carcinoembryonic Ag", "2021-01-23", 0.5, unit="ng/mL", code="2039-6")
    chart = opened(Once(store_of(tmp_path, cea)))
    first, second = ask(chart, "last CEA?"), ask(chart, "last CEA?")
    assert first.answer.status == "incomplete", first.text
    assert (second.answer.status, second.answer.claims != []) == ("answered", True), second.text


def test_a_kind_that_the_server_does_not_have_is_not_searched_in_vain(tmp_path: Path) -> None:
    class Small(Plain):
        async def capabilities(self) -> Mapping[str, Any]:
            return {**await super().capabilities(), "search": {t: [] for t in ("Patient", "Observation", "Condition")}}

    chart = opened(Small(store_of(tmp_path, *A1C)))
    assert ask(chart, "last HbA1c?").answer.status == "answered"
    assert ask(chart, "does she have asthma?").answer.status == "not_found"
    done = ask(chart, "did she have a flu shot?")
    assert done.answer.status == "incomplete", done.text
    assert "this server does not offer Immunization" in done.text


# Drugs named by reference.

DRUG = concept("Metformin 500 MG Oral Tablet", RXNORM, "860975")


def by_reference(key: str, day: str, kind: str = "MedicationRequest", **more: Any) -> dict[str, Any]:
    made = order("x", day, **more)
    del made["medicationCodeableConcept"]
    return {**made, "resourceType": kind, "id": key, "medicationReference": {"reference": "Medication/met"}}


MEDICATION = {"resourceType": "Medication", "id": "met", "code": DRUG}
ONE_DRUG: tuple[dict[str, Any], ...] = (
    MEDICATION,
    by_reference("referred", "2021-01-01"),
    {**by_reference("contained", "2022-01-01"), "medicationReference": {"reference": "#m"},
     "contained": [{**MEDICATION, "id": "m"}]},
    order("Metformin 500 MG Oral Tablet", "2023-01-01", code="860975"),
    {"resourceType": "MedicationStatement", "id": "texted", "status": "active", "subject": {"reference": "Patient/p"},
     "medicationCodeableConcept": {"text": "metformin"}, "effectiveDateTime": "2020-01-01"},
    {"resourceType": "MedicationDispense", "id": "ndc", "status": "completed", "subject": {"reference": "Patient/p"},
     "medicationCodeableConcept": concept("metFORMIN HCl 500 mg tab", "http://hl7.org/fhir/sid/ndc", "0093-1048-01"),
     "whenHandedOver": "2023-01-02"},
    {"resourceType": "MedicationAdministration", "id": "given", "status": "completed", "subject":
     {"reference": "Patient/p"}, "medicationReference": {"reference": "Medication/met"},
     "effectiveDateTime": "2023-05-05"},
)  # fmt: skip


@pytest.mark.parametrize("searched", [False, True], ids=["store", "server"])
def test_one_drug_is_one_card_however_it_is_named(tmp_path: Path, searched: bool) -> None:
    store = store_of(tmp_path, *ONE_DRUG)
    done = ask(opened(Plain(store) if searched else store), "is she on metformin?")
    cards = [c for c in done.evidence.cards if c.kind == "medication"]
    assert len(cards) == 1
    assert {f.reference.id for f in cards[0].facts} == {
        "referred", "contained", "m-metformin-2023-01-01", "texted", "ndc", "given",
    }  # fmt: skip
    assert done.text.startswith("Yes")


def test_a_medication_that_cannot_be_read_makes_the_answer_incomplete(tmp_path: Path) -> None:
    class Unread(Plain):
        async def search(self, query: Query) -> SearchResult:
            return replace(await super().search(query), included=())

        async def read(self, reference: Reference, version: str | None = None) -> Mapping[str, Any]:
            if reference.type == "Medication":
                raise SourceError("the server answered 502 four times; try later", status=502)
            return await super().read(reference, version)

    done = ask(opened(Unread(store_of(tmp_path, *ONE_DRUG))), "when was metformin started?")
    assert done.answer.status == "incomplete"
    assert "the server answered 502 four times" in done.text


def test_a_medication_that_is_not_there_leaves_the_order_unnamed(tmp_path: Path) -> None:
    orders = order("Aspirin 81 MG", "2020-01-01", code="243670"), by_reference("dangling", "2021-01-01")
    done = ask(opened(Plain(store_of(tmp_path, *orders))), "is she on aspirin?")
    assert done.answer.status == "answered", done.text


# Documents, and records that were merged.


def test_a_body_that_cannot_be_fetched_makes_what_notes_say_incomplete(tmp_path: Path) -> None:
    class Unread(Plain):
        async def fetch(self, url: str) -> Fetched:
            raise SourceError("the server answered 504 four times; try later", status=504)

    note = {
        "resourceType": "DocumentReference",
        "id": "n",
        "status": "current",
        "type": concept("Progress note"),
        "subject": {"reference": "Patient/p"},
        "date": "2023-01-01T00:00:00Z",
        "content": [{"attachment": {"contentType": "text/plain", "url": "Binary/b"}}],
    }
    said = {
        **note,
        "id": "m",
        "content": [{"attachment": {"contentType": "text/plain", "data": "QXN0aG1hIGlzIG1pbGQu"}}],
    }
    for notes in ((note,), (note, said)):
        done = ask(opened(Unread(store_of(tmp_path, *notes))), "what do the notes say about asthma?")
        assert done.answer.status == "incomplete", done.text
        assert "Binary (the server answered 504 four times; try later)" in done.text
        assert any("could not be read" in w for w in done.answer.warnings)
        assert ("Asthma is mild" in done.text) == (len(notes) == 2)
