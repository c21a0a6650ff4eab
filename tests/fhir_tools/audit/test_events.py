"""Entries as FHIR R4: valid, and saying what AuditEvent and Provenance are for."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from fhir.resources.R4B.auditevent import AuditEvent
from fhir.resources.R4B.provenance import Provenance
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools.audit import RequestEntry, Who, answer_record, audit_event, provenance
from fhir_tools.types import Reference

ME = Reference(type="Patient", id="me")
WHO = Who(agent="dr-lee", patient=ME, purpose="TREAT")


def event(who: Who = WHO, **more: Any) -> dict[str, Any]:
    made = {"at": "2026-01-02T03:04:05.678Z", "who": who, "action": "search", "what": "Observation", **more}
    told = dict(audit_event(RequestEntry(**made)))
    AuditEvent.model_validate(told)
    return told


def entities(told: dict[str, Any], role: str) -> list[Any]:
    return [e for e in told["entity"] if e["role"]["code"] == role]


def test_a_search_is_a_restful_search() -> None:
    told = event(parameters=("patient", "code"), references=("Observation/o1/_history/3", "Observation/o2"), found=2)
    assert (told["type"]["code"], told["subtype"][0]["code"], told["action"], told["outcome"]) == (
        "rest",
        "search-type",
        "E",
        "0",
    )
    assert told["recorded"].startswith("2026-01-02T03:04:05.678")
    assert [e["what"] for e in entities(told, "1")] == [{"reference": "Patient/me"}]
    assert [e["what"]["reference"] for e in entities(told, "4")] == ["Observation/o1/_history/3", "Observation/o2"]
    (query,) = entities(told, "24")
    assert base64.b64decode(query["query"]) == b"Observation?patient&code"
    assert "name" not in query  # sev-1: either a name or a query


@pytest.mark.parametrize(
    ("action", "what", "code", "letter"),
    [
        ("read", "Patient/me", "read", "R"),
        ("vread", "Observation/o1/_history/2", "vread", "R"),
        ("fetch", "Binary/b1", "read", "R"),
        ("operation", "Patient/me/$everything", "operation", "E"),
    ],
)
def test_other_requests(action: str, what: str, code: str, letter: str) -> None:
    told = event(action=action, what=what)
    assert (told["subtype"][0]["code"], told["action"]) == (code, letter)


@pytest.mark.parametrize(
    ("outcome", "code"), [("ok", "0"), ("incomplete", "4"), ("not-found", "4"), ("refused", "8"), ("failed", "8")]
)
def test_outcomes(outcome: str, code: str) -> None:
    told = event(outcome=outcome, error=None if outcome == "ok" else "SourceError")
    assert told["outcome"] == code
    assert told.get("outcomeDesc") == (None if outcome == "ok" else "SourceError")


def test_who_asks_and_what_asks_for_them() -> None:
    person, program = event()["agent"]
    assert person == {"who": {"identifier": {"value": "dr-lee"}}, "requestor": True}
    assert program["requestor"] is False and program["who"]["display"].startswith("chartline ")
    user = Who(agent="Practitioner/7", patient=ME, purpose="TREAT")
    assert event(user)["agent"][0]["who"] == {"reference": "Practitioner/7"}


@pytest.mark.parametrize(("purpose", "coded"), [("TREAT", True), ("HRESCH", True), ("case review", False)])
def test_what_for(purpose: str, coded: bool) -> None:
    (told,) = event(Who(agent="a", patient=ME, purpose=purpose))["purposeOfEvent"]
    assert told.get("text") == (None if coded else purpose)
    assert bool(told.get("coding")) is coded


def test_an_answer_has_its_sources_with_their_versions() -> None:
    answer = answer_record(
        WHO, status="answered", reasoner="rules", cited=[("Observation/o1", "3"), ("Observation/o2", None)]
    )
    told = dict(provenance(answer))
    Provenance.model_validate(told)
    assert told["target"][0]["identifier"] == {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{answer.id}"}
    assert [(e["role"], e["what"]["reference"]) for e in told["entity"]] == [
        ("source", "Observation/o1/_history/3"),
        ("source", "Observation/o2"),
    ]
    assert [a["who"]["identifier"]["value"] for a in told["agent"]] == ["chartline", "rules"]
    audited = dict(audit_event(answer))
    assert audited["entity"][1]["what"]["identifier"] == told["target"][0]["identifier"]


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("answered", "0"), ("not_found", "0"), ("incomplete", "4"), ("refused", "4"), ("failed", "8")],
)
def test_an_answer_without_sources(status: str, outcome: str) -> None:
    answer = answer_record(WHO, status=status, reasoner="rules")
    Provenance.model_validate(provenance(answer))
    assert audit_event(answer)["outcome"] == outcome


WORDS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=20)


@given(
    WORDS,
    WORDS,
    st.lists(st.sampled_from(["Observation/a", "Observation/a/_history/1", "?", "https://b.example/r4/Condition/c"])),
)
def test_any_entry_is_a_valid_event(agent: str, purpose: str, references: list[str]) -> None:
    told = event(Who(agent=agent, patient=ME, purpose=purpose), references=tuple(references))
    assert len(entities(told, "4")) == len(references)
