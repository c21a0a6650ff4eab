"""Protocols and charts of these tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.trials.grammar import read_check
from agent.trials.types import Criterion, Section, Statement

CONFIRMED = {"coding": [{"code": "confirmed"}]}


def condition(
    id_: str, label: str, onset: str, *, clinical: str = "active", verification: str = "confirmed", **more: Any
) -> dict[str, Any]:
    """A Condition by its text."""
    return {
        "resourceType": "Condition",
        "id": id_,
        "code": {"text": label, "coding": [{"system": "http://snomed.info/sct", "code": f"c{id_}", "display": label}]},
        "clinicalStatus": {"coding": [{"code": clinical}]},
        "verificationStatus": {"coding": [{"code": verification}]},
        "onsetDateTime": onset,
        "subject": {"reference": "Patient/p"},
        **more,
    }


def order(id_: str, label: str, day: str, status: str = "active", **more: Any) -> dict[str, Any]:
    """A MedicationRequest by its text."""
    return {
        "resourceType": "MedicationRequest",
        "id": id_,
        "status": status,
        "intent": "order",
        "medicationCodeableConcept": {
            "text": label,
            "coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": f"9{id_}", "display": label}],
        },
        "authoredOn": day,
        "subject": {"reference": "Patient/p"},
        **more,
    }


def result(id_: str, loinc: str, label: str, value: float, unit: str, day: str, **more: Any) -> dict[str, Any]:
    """A final Observation with a quantity."""
    return {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "code": {"text": label, "coding": [{"system": "http://loinc.org", "code": loinc, "display": label}]},
        "valueQuantity": {"value": value, "unit": unit, "code": unit, "system": "http://unitsofmeasure.org"},
        "effectiveDateTime": day,
        "subject": {"reference": "Patient/p"},
        **more,
    }


def criterion(text: str, section: Section = "inclusion", number: int = 1) -> Criterion:
    """A statement with the check that rules make of it."""
    statement = Statement(number=number, section=section, text=text, end=len(text))
    return Criterion(statement=statement, check=read_check(text, section))


def study(text: str, number: str = "NCT00000001", **fields: Any) -> Mapping[str, Any]:
    """A study of the registry's API with an eligibility text."""
    return {
        "protocolSection": {
            "identificationModule": {"nctId": number, "briefTitle": "A study"},
            "eligibilityModule": {"eligibilityCriteria": text, **fields},
        }
    }
