"""Many small made-up patients, for what is split by patient: a file each, the same bytes each time."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

__all__ = ["AS_OF", "write"]

Resource = dict[str, Any]

AS_OF = date(2026, 6, 15)
_LABS = (
    ("4548-4", "Hemoglobin A1c", "%", 5.2, 9.8), ("2160-0", "Creatinine", "mg/dL", 0.6, 2.4),
    ("2951-2", "Sodium", "mmol/L", 131, 147), ("2823-3", "Potassium", "mmol/L", 3.2, 5.6),
    ("718-7", "Hemoglobin", "g/dL", 8.5, 16.5), ("29463-7", "Body weight", "kg", 48, 118),
    ("8867-4", "Heart rate", "/min", 52, 108), ("2085-9", "Cholesterol in HDL", "mg/dL", 31, 78),
)  # fmt: skip
_CONDITIONS = (
    ("I10", "Hypertension"), ("E11.9", "Type 2 diabetes mellitus"), ("J45.909", "Asthma"), ("M10.9", "Gout"),
    ("N18.3", "Chronic kidney disease stage 3"), ("F32.9", "Depression"), ("I48.91", "Atrial fibrillation"),
)  # fmt: skip
_DRUGS = (
    ("314076", "lisinopril 10 MG Oral Tablet"), ("860975", "metformin hydrochloride 500 MG Oral Tablet"),
    ("197361", "amlodipine 5 MG Oral Tablet"), ("617312", "atorvastatin 20 MG Oral Tablet"),
    ("855332", "warfarin sodium 5 MG Oral Tablet"), ("197319", "allopurinol 100 MG Oral Tablet"),
)  # fmt: skip
_ALLERGIES = ("Penicillin", "Latex", "Peanut")
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"


def write(folder: Path, number: int, seed: int = 0) -> Path:
    """A folder with a Bundle for each of so many patients, `<id>.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(number):
        id_ = f"made-{index:03d}"
        chance = random.Random(f"{seed}:{id_}")
        entries = [{"resource": resource} for resource in _chart(id_, chance)]
        bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
        (folder / f"{id_}.json").write_text(json.dumps(bundle), encoding="utf-8")
    return folder


def _chart(id_: str, chance: random.Random) -> Iterator[Resource]:
    born = date(1932 + chance.randrange(70), 1 + chance.randrange(12), 1 + chance.randrange(28))
    gender = chance.choice(("female", "male"))
    yield {"resourceType": "Patient", "id": id_, "gender": gender, "birthDate": born.isoformat()}
    for code, name, unit, low, high in chance.sample(_LABS, 4):
        for _ in range(chance.randint(2, 5)):
            value = round(chance.uniform(low, high), 0 if high > 100 else 1)
            yield _result(id_, chance, (code, name), value, unit)
    for code, name in chance.sample(_CONDITIONS, 2):
        yield _condition(id_, chance, (code, name))
    for code, name in chance.sample(_DRUGS, 2):
        yield _order(id_, chance, (code, name))
    yield _allergy(id_, chance)


def _day(chance: random.Random) -> str:
    return (AS_OF - timedelta(days=chance.randint(20, 3600))).isoformat()


def _own(id_: str, chance: random.Random, type_: str, who: str = "subject") -> Resource:
    return {
        "resourceType": type_,
        "id": f"{type_.lower()[:4]}-{chance.randrange(16**8):08x}",
        who: {"reference": f"Patient/{id_}"},
    }


def _coded(system: str, code: str, name: str) -> Resource:
    return {"text": name, "coding": [{"system": system, "code": code, "display": name}]}


def _status(which: str, code: str) -> Resource:
    return {"coding": [{"system": f"{_TERMINOLOGY}/{which}", "code": code}]}


def _result(id_: str, chance: random.Random, what: tuple[str, str], value: float, unit: str) -> Resource:
    return _own(id_, chance, "Observation") | {
        "status": "final",
        "code": _coded("http://loinc.org", *what),
        "effectiveDateTime": _day(chance),
        "valueQuantity": {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit},
    }


def _condition(id_: str, chance: random.Random, what: tuple[str, str]) -> Resource:
    return _own(id_, chance, "Condition") | {
        "code": _coded("http://hl7.org/fhir/sid/icd-10-cm", *what),
        "clinicalStatus": _status("condition-clinical", chance.choice(("active", "active", "resolved"))),
        "verificationStatus": _status("condition-ver-status", "confirmed"),
        "onsetDateTime": _day(chance),
    }


def _order(id_: str, chance: random.Random, what: tuple[str, str]) -> Resource:
    return _own(id_, chance, "MedicationRequest") | {
        "status": chance.choice(("active", "active", "stopped")),
        "intent": "order",
        "medicationCodeableConcept": _coded("http://www.nlm.nih.gov/research/umls/rxnorm", *what),
        "authoredOn": _day(chance),
    }


def _allergy(id_: str, chance: random.Random) -> Resource:
    return _own(id_, chance, "AllergyIntolerance", "patient") | {
        "code": {"text": chance.choice(_ALLERGIES)},
        "clinicalStatus": _status("allergyintolerance-clinical", "active"),
        "verificationStatus": _status("allergyintolerance-verification", "confirmed"),
        "recordedDate": _day(chance),
    }
