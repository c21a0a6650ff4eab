"""Simulated populations: FHIR charts with the spread of a clinic, and the same grown to any size with other dates and values."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orjson

__all__ = ["AS_OF", "TRIAL", "chart", "grow", "write"]

AS_OF = date(2025, 6, 1)
_SCT, _RX, _LOINC = "http://snomed.info/sct", "http://www.nlm.nih.gov/research/umls/rxnorm", "http://loinc.org"
_CONDITIONS = (
    ("44054006", "Diabetes mellitus type 2", 0.12), ("59621000", "Essential hypertension", 0.32), ("195967001", "Asthma", 0.09),
    ("13645005", "Chronic obstructive lung disease", 0.05), ("84114007", "Heart failure", 0.03), ("22298006", "Myocardial infarction", 0.03),
    ("230690007", "Cerebrovascular accident", 0.03), ("49436004", "Atrial fibrillation", 0.04), ("431857002", "Chronic kidney disease stage 4", 0.02),
    ("254837009", "Malignant neoplasm of breast", 0.02), ("55822004", "Hyperlipidemia", 0.28), ("40930008", "Hypothyroidism", 0.06),
    ("35489007", "Depressive disorder", 0.11), ("239873007", "Osteoarthritis of knee", 0.08),
)  # fmt: skip
_DRUGS = (
    ("860975", "metformin hydrochloride 500 MG Oral Tablet", 0.10), ("314076", "lisinopril 10 MG Oral Tablet", 0.18),
    ("259255", "atorvastatin 80 MG Oral Tablet", 0.20), ("855332", "warfarin sodium 5 MG Oral Tablet", 0.03),
    ("311034", "insulin glargine 100 UNT/ML Injectable Solution", 0.03), ("310965", "ibuprofen 200 MG Oral Tablet", 0.15),
    ("966222", "levothyroxine sodium 0.1 MG Oral Tablet", 0.06),
)  # fmt: skip
_LABS = (
    ("4548-4", "Hemoglobin A1c", "%", 6.0, 1.4), ("2160-0", "Creatinine", "mg/dL", 1.0, 0.35), ("718-7", "Hemoglobin", "g/dL", 13.8, 1.6),
    ("13457-7", "LDL Cholesterol", "mg/dL", 115.0, 32.0), ("6301-6", "INR", "{INR}", 1.2, 0.6), ("39156-5", "Body mass index", "kg/m2", 28.0, 5.5),
    ("1742-6", "Alanine aminotransferase", "U/L", 28.0, 15.0), ("777-3", "Platelets", "10*3/uL", 250.0, 60.0), ("8480-6", "Systolic blood pressure", "mm[Hg]", 128.0, 16.0),
)  # fmt: skip

TRIAL = """Inclusion Criteria:
1. Age 18 to 75 years
2. Diagnosis of type 2 diabetes mellitus
3. HbA1c between 6.5 % and 10.5 % within the last 6 months
4. Body mass index of at least 25 kg/m2
5. Currently taking metformin
6. Hypertension
7. LDL cholesterol above 70 mg/dL within 12 months
8. Hemoglobin of at least 10 g/dL
Exclusion Criteria:
1. History of myocardial infarction within 6 months
2. Currently taking insulin
3. Creatinine above 2.0 mg/dL
4. Heart failure
5. History of stroke
6. Pregnancy
7. Currently taking warfarin
8. Active breast cancer
9. ALT above 120 U/L
10. Platelets below 100 x 10^9/L
11. Systolic blood pressure above 180 mmHg
12. Allergy to penicillin
"""


def _code(system: str, code: str, text: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": text}], "text": text}


def chart(number: int) -> Iterator[dict[str, Any]]:
    """The resources of one patient, the same each time: about fifty."""
    chance = random.Random(number)
    id_ = f"sim-{number}"
    subject = {"reference": f"Patient/{id_}"}
    age = min(max(int(chance.gauss(52, 20)), 1), 98)
    born = AS_OF - timedelta(days=365 * age + chance.randrange(365))
    sex = chance.choice(("female", "male"))
    yield {
        "resourceType": "Patient",
        "id": id_,
        "gender": sex,
        "birthDate": born.isoformat(),
        "name": [{"given": ["Sim"], "family": f"No{number}"}],
    }
    risk = age / 52
    for n, (code, text, share) in enumerate(_CONDITIONS):
        if chance.random() < share * risk:
            over = chance.random() < 0.2
            told: dict[str, Any] = {
                "resourceType": "Condition", "id": f"{id_}-c{n}", "subject": subject, "code": _code(_SCT, code, text),
                "clinicalStatus": _status("condition-clinical", "resolved" if over else "active"),
                "verificationStatus": _status("condition-ver-status", "refuted" if chance.random() < 0.02 else "confirmed"),
                "onsetDateTime": _day(chance, 4000),
            }  # fmt: skip
            yield told | ({"abatementDateTime": _day(chance, 300)} if over else {})
    for n, (code, text, share) in enumerate(_DRUGS):
        if chance.random() < share * risk * 1.5:
            yield {
                "resourceType": "MedicationRequest", "id": f"{id_}-m{n}", "subject": subject, "intent": "order",
                "status": chance.choices(("active", "stopped", "completed", "entered-in-error"), (60, 18, 20, 2))[0],
                "authoredOn": _day(chance, 1500), "medicationCodeableConcept": _code(_RX, code, text),
            }  # fmt: skip
    for n, (code, text, unit, mean, spread) in enumerate(_LABS):
        for visit in range(chance.choices((0, 2, 4, 6), (15, 30, 35, 20))[0]):
            value = round(max(chance.gauss(mean, spread), 0.1), 2)
            yield {
                "resourceType": "Observation", "id": f"{id_}-o{n}-{visit}", "subject": subject, "status": "final", "code": _code(_LOINC, code, text),
                "effectiveDateTime": _day(chance, 1200) + "T09:30:00+00:00",
                "valueQuantity": {"value": value, "unit": unit, "code": unit, "system": "http://unitsofmeasure.org"},
            }  # fmt: skip
    for n in range(chance.randrange(2, 9)):
        day = _day(chance, 1500)
        yield {
            "resourceType": "Encounter", "id": f"{id_}-e{n}", "subject": subject, "status": "finished",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "type": [_code(_SCT, "185349003", "Encounter for check up")], "period": {"start": f"{day}T09:00:00+00:00", "end": f"{day}T09:30:00+00:00"},
        }  # fmt: skip
    if chance.random() < 0.08:
        yield {
            "resourceType": "AllergyIntolerance", "id": f"{id_}-a", "patient": subject, "code": _code(_SCT, "91936005", "Allergy to penicillin"),
            "clinicalStatus": _status("allergyintolerance-clinical", "active"), "verificationStatus": _status("allergyintolerance-verification", "confirmed"),
        }  # fmt: skip


def _status(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code}]}


def _day(chance: random.Random, most: int) -> str:
    return (AS_OF - timedelta(days=chance.randrange(1, most))).isoformat()


def write(folder: Path, patients: range, files: int = 4) -> tuple[Path, ...]:
    """The patients' charts as NDJSON files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = tuple(folder / f"{n}.ndjson" for n in range(files))
    for n, path in enumerate(paths):
        with path.open("wb") as out:
            for number in patients[n::files]:
                out.writelines(orjson.dumps(r) + b"\n" for r in chart(number))
    return paths


def grow(cohort: Path, new: Path, times: int) -> None:
    """A cohort with each patient `times` over, every one with days up to a month earlier and values up to 15 % off.

    The views' Parquet is copied and the facts are built from it, as a load does.
    """
    import duckdb

    from fhir_tools.cohort.tables import MANIFEST, build_facts
    from fhir_tools.cohort.views import shipped

    new.mkdir(parents=True)
    db = duckdb.connect()
    db.execute("set memory_limit = '2GB'")
    for view in shipped():
        names = {c.name for c in view.columns}
        copy = "'-' || k"
        own = [f"id || {copy} as id"] + ([f"patient_id || {copy} as patient_id"] if "patient_id" in names else [])
        noise = "(1 + ((hash(id, k) % 301)::double - 150) / 1000)"
        own += [f"round(value * {noise}, 2) as value"] if "value" in names else []
        when = next((n for n in ("effective", "authored_on", "onset", "birth_date") if n in names), "")
        shift = f"strftime(try_cast(left({when}, 10) as date) - (hash(patient_id, k) % 30)::integer, '%Y-%m-%d') || substr({when}, 11)"
        own += [f"{shift.replace('patient_id', 'id') if when == 'birth_date' else shift} as {when}"] if when else []
        db.execute(
            f"copy (select * replace ({', '.join(own)}) from read_parquet('{cohort / view.name}.parquet'), range({times}) as t(k)) "
            f"to '{new / view.name}.parquet' (format parquet, compression zstd)"
        )
    db.close()
    build_facts(new, shipped())
    (new / MANIFEST).write_bytes(orjson.dumps({"digest": f"simulated-{times}"}))
