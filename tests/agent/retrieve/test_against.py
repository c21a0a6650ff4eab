"""Where notes and the structured chart disagree, an answer tells both, each with its own citation."""

from __future__ import annotations

import base64
from datetime import date
from typing import Any

import pytest

from agent.settings import Settings
from agent.types import Answer
from agent.wire import Agent
from fhir_tools.local import LocalStore
from fhir_tools.types import Reference

ME = Reference(type="Patient", id="p")
RX = "http://www.nlm.nih.gov/research/umls/rxnorm"


def note(text: str, day: str = "2025-06-01", **more: Any) -> dict[str, Any]:
    data = base64.b64encode(text.encode()).decode()
    return {
        "resourceType": "DocumentReference", "id": f"n{day}", "status": "current", "type": {"text": "Progress note"},
        "subject": {"reference": "Patient/p"}, "date": f"{day}T10:00:00Z",
        "content": [{"attachment": {"contentType": "text/plain", "data": data}}], **more,
    }  # fmt: skip


METFORMIN = {
    "resourceType": "MedicationRequest", "id": "m", "status": "active", "intent": "order", "authoredOn": "2025-01-01",
    "subject": {"reference": "Patient/p"},
    "medicationCodeableConcept": {"text": "metformin 500 MG", "coding": [{"system": RX, "code": "861007"}]},
}  # fmt: skip
NKDA = {
    "resourceType": "AllergyIntolerance", "id": "a", "patient": {"reference": "Patient/p"},
    "clinicalStatus": {"coding": [{"code": "active"}]}, "recordedDate": "2024-01-01",
    "code": {"text": "No known allergies", "coding": [{"system": "http://snomed.info/sct", "code": "716186003"}]},
}  # fmt: skip


def sodium(value: float, day: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation", "id": f"s{day}", "status": "final", "subject": {"reference": "Patient/p"},
        "code": {"text": "Sodium", "coding": [{"system": "http://loinc.org", "code": "2951-2"}]},
        "effectiveDateTime": day, "valueQuantity": {"value": value, "unit": "mmol/L", "code": "mmol/L"},
    }  # fmt: skip


async def asked(question: str, *resources: dict[str, Any]) -> Answer:
    store = LocalStore(":memory:")
    with store.transaction():
        for resource in ({"resourceType": "Patient", "id": "p", "birthDate": "1960-01-01"}, *resources):
            store.put(resource)
    async with store, Agent(store, ME, as_of=date(2025, 12, 1), settings=Settings(audit=None)) as agent:
        return await agent.ask(question)


def cited(answer: Answer) -> list[str]:
    return [c.reference for c in answer.citations if c.reference]


async def test_a_drug_that_a_newer_note_says_was_stopped() -> None:
    answer = await asked("still on metformin?", METFORMIN, note("Metformin was stopped for lactic acidosis."))
    assert answer.status == "answered" and answer.value and answer.value.value is True
    assert 'Progress note, 2025-06-01, says otherwise: "Metformin was stopped for lactic acidosis."' in answer.text
    assert cited(answer) == ["MedicationRequest/m", "DocumentReference/n2025-06-01"]
    span = next(c.span for c in answer.citations if c.span)
    assert (span.start, span.end, span.quote) == (0, 42, "Metformin was stopped for lactic acidosis.")


@pytest.mark.parametrize(
    "text",
    ["Continue metformin.", "Do not stop metformin.", "No complaints.", "Discharge instructions:\nStop metformin."],
)
async def test_a_note_that_does_not_disagree_is_not_told(text: str) -> None:
    answer = await asked("still on metformin?", METFORMIN, note(text))
    assert cited(answer) == ["MedicationRequest/m"]


async def test_a_note_older_than_the_order_does_not_disagree() -> None:
    answer = await asked("still on metformin?", METFORMIN, note("Metformin stopped.", "2024-01-01"))
    assert cited(answer) == ["MedicationRequest/m"]


async def test_a_diagnosis_and_an_allergy_that_only_notes_have() -> None:
    answer = await asked("any history of gout?", METFORMIN, note("Assessment: acute gout of the toe."))
    assert 'says otherwise: "Assessment: acute gout of the toe."' in answer.text
    assert "Gout is not documented in conditions" in answer.text and "notes say otherwise" in answer.text
    allergic = await asked("is she allergic to penicillin?", NKDA, note("Allergic to penicillin (hives)."))
    assert "Allergic to penicillin (hives)." in allergic.text
    assert "AllergyIntolerance/a" in cited(allergic) or "No known allergies" not in allergic.text


@pytest.mark.parametrize("text", ["No gout.", "Mother had gout.", "Possible gout.", "All well."])
async def test_what_is_negated_uncertain_or_of_the_family_is_no_finding(text: str) -> None:
    answer = await asked("any history of gout?", METFORMIN, note(text))
    assert answer.status == "not_found"
    assert "notes were read and do not state it by that name" in answer.text


async def test_a_value_that_a_note_has_otherwise() -> None:
    answer = await asked("latest sodium?", sodium(140, "2025-06-01"), note("Labs: sodium 128 mmol/L."))
    assert answer.value and answer.value.value == 140
    assert 'says otherwise: "Labs: sodium 128 mmol/L."' in answer.text
    same = await asked("latest sodium?", sodium(140, "2025-06-01"), note("Labs: sodium 140 mmol/L."))
    assert "otherwise" not in same.text


async def test_a_note_that_cannot_be_read_leaves_the_records_own_answer() -> None:
    broken = note("x")
    broken["content"] = [{"attachment": {"url": "Binary/gone"}}]
    answer = await asked("still on metformin?", METFORMIN, broken)
    assert answer.status == "answered" and cited(answer) == ["MedicationRequest/m"]


async def test_a_broken_file_makes_a_question_about_notes_incomplete_and_is_named() -> None:
    broken = note("x")
    broken["content"] = [
        {"attachment": {"contentType": "application/pdf", "data": "JVBERi0xLjc=", "title": "scan.pdf"}}
    ]
    answer = await asked("do the notes mention gout?", broken)
    assert answer.status == "incomplete"
    assert any("Progress note" in w and "'scan.pdf': the PDF is broken" in w for w in answer.warnings)


async def test_a_relative_time_is_told_as_the_day_it_means() -> None:
    answer = await asked("what do the notes say about gout?", note("Gout began 3 days ago."))
    assert 'Progress note, 2025-06-01: "Gout began 3 days ago." (that is 2025-05-29)' in answer.text


async def test_what_notes_say_of_a_test_without_a_result() -> None:
    answer = await asked("ferritin?", METFORMIN, note("Ferritin 12 at the other hospital."))
    assert 'Progress note, 2025-06-01: "Ferritin 12 at the other hospital."' in answer.text
    assert "Ferritin is not documented in results" in answer.text and "notes say otherwise" in answer.text
    other = await asked("vitamin D?", METFORMIN, note("Continue vitamin D 1000 IU."))
    assert "1000" not in other.text  # a drug of that name is no result


async def test_a_test_without_a_result_leaves_what_differs_of_another_told_as_that() -> None:
    answer = await asked("still on metformin and ferritin?", METFORMIN, note("Metformin was stopped. Ferritin 12."))
    assert 'says otherwise: "Metformin was stopped."' in answer.text
    assert 'Progress note, 2025-06-01: "Ferritin 12."' in answer.text
