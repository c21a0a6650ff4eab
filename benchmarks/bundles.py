"""Made-up files to load: transaction Bundles (`urn:uuid:` references) or NDJSON (literal ones), of any size.

`mixed` has resources of 0.5 to 6 kB of many types in the proportions of a Synthea export; `small` has laboratory
Observations of 800 bytes alone, the hardest case per megabyte, since time goes by the resource.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

__all__ = ["SHAPES", "write"]

Resource = dict[str, Any]

SHAPES = ("mixed", "small")
_LOINC, _SNOMED = "http://loinc.org", "http://snomed.info/sct"
_HL7 = "http://terminology.hl7.org/CodeSystem/"
_LABS = (
    ("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "%"),
    ("2339-0", "Glucose [Mass/volume] in Blood", "mg/dL"),
    ("38483-4", "Creatinine [Mass/volume] in Blood", "mg/dL"),
    ("2947-0", "Sodium [Moles/volume] in Blood", "mmol/L"),
    ("718-7", "Hemoglobin [Mass/volume] in Blood", "g/dL"),
    ("8302-2", "Body Height", "cm"),
)
_CONDITIONS = (
    ("59621000", "Hypertension"),
    ("44054006", "Diabetes"),
    ("195662009", "Acute viral pharyngitis (disorder)"),
)
_PROCEDURES = (("430193006", "Medication Reconciliation (procedure)"), ("76601001", "Intramuscular injection"))
_DRUGS = (("314076", "lisinopril 10 MG Oral Tablet"), ("860975", "24 HR Metformin hydrochloride 500 MG Oral Tablet"))
_VACCINES = (("140", "Influenza, seasonal, injectable, preservative free"), ("113", "Td (adult) preservative free"))
_CHUNK = 20_000_000
_MARK = "cccccccc"
"""The first group of every id of a chunk, which tells one repetition of it from the next."""


def write(folder: Path, megabytes: int, shape: str, *, ndjson: bool = False) -> Path:
    """Make a file of about so many million bytes; a large one repeats a chunk of 20 MB under other ids."""
    path = folder / f"{shape}.{'ndjson' if ndjson else 'json'}"
    head, gap, tail = (b"", b"\n", b"\n") if ndjson else (_HEAD, b",", b"]}")
    chunk = gap.join(_chunk(min(megabytes * 1_000_000, _CHUNK), shape, ndjson))
    with path.open("wb") as file:
        file.write(head)
        for number in range(max(1, round(megabytes * 1_000_000 / len(chunk)))):
            file.write((gap if number else b"") + chunk.replace(_MARK.encode(), b"%08x" % number))
        file.write(tail)
    return path


_HEAD = b'{"resourceType":"Bundle","type":"transaction","entry":['


def _chunk(size: int, shape: str, ndjson: bool) -> Iterator[bytes]:
    rng, done = random.Random(7), 0
    while done < size:
        for item in _chart(rng, shape):
            text = orjson.dumps(_literal(item) if ndjson else _entry(item))
            done += len(text)
            yield text


def _entry(item: Resource) -> Resource:
    request = {"method": "POST", "url": item["resourceType"]}
    return {"fullUrl": f"urn:uuid:{item['id']}", "resource": item, "request": request}


def _literal(item: Resource) -> Resource:
    """The resource with `Type/id` for each `urn:uuid:`; ids say their type in the third group."""
    text = orjson.dumps(item).decode()
    for number, type_ in enumerate(_TYPES):
        text = text.replace(f"urn:uuid:{_MARK}-{number:04x}", f"{type_}/{_MARK}-{number:04x}")
    literal: Resource = orjson.loads(text)
    return literal


_TYPES = (
    "Patient", "Encounter", "Observation", "Condition", "Procedure", "MedicationRequest", "Immunization",
    "DiagnosticReport", "Claim", "ExplanationOfBenefit", "DocumentReference",
)  # fmt: skip


class _Chart:
    """One patient's resources as they are made; the visit that the next ones belong to."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.patient = self.id("Patient")
        self.visit, self.when = "", ""

    def id(self, type_: str) -> str:
        digits = f"{self.rng.getrandbits(72):018x}"
        return f"{_MARK}-{_TYPES.index(type_):04x}-4{digits[:3]}-8{digits[3:6]}-{digits[6:]}"

    def resource(self, type_: str, **more: Any) -> Resource:
        return {"resourceType": type_, "id": self.id(type_), **more}

    def of_visit(self, type_: str, **more: Any) -> Resource:
        return self.resource(type_, subject=_link(self.patient), encounter=_link(self.visit), **more)


def _chart(rng: random.Random, shape: str) -> Iterator[Resource]:
    chart = _Chart(rng)
    name = {"use": "official", "family": f"Family{rng.randrange(10**6)}", "given": ["Given", "Middle"]}
    address = {"line": ["1 Main Street"], "city": "Springfield", "state": "MA", "postalCode": "01101", "country": "US"}
    yield {
        "resourceType": "Patient", "id": chart.patient, "name": [name], "gender": "female", "address": [address],
        "birthDate": f"19{rng.randrange(30, 99)}-04-02",
        "identifier": [{"system": "urn:oid:1.2.3", "value": chart.patient}],
    }  # fmt: skip
    for number in range(40):
        month, day, second = rng.randrange(1, 13), rng.randrange(1, 29), rng.randrange(60)
        chart.when = f"20{number // 2:02d}-{month:02d}-{day:02d}T10:15:{second:02d}-05:00"
        visit = _encounter(chart)
        chart.visit = visit["id"]
        yield visit
        yield from (_result(chart) for _ in range(10)) if shape == "small" else _visit(chart)


def _visit(chart: _Chart) -> Iterator[Resource]:
    """What one visit of a Synthea chart holds: a claim with its payment, results, and now and then the rest."""
    rng = chart.rng
    results = [_result(chart) for _ in range(rng.randrange(1, 7))] + [_pressure(chart)]
    yield from results
    done = [
        chart.of_visit(
            "Procedure", status="completed", code=_coded(rng.choice(_PROCEDURES)), performedPeriod=_span(chart)
        )
    ]
    if rng.random() < 0.3:
        done.append(_condition(chart))
    if rng.random() < 0.4:
        done.append(_order(chart))
    if rng.random() < 0.3:
        vaccine = _coded(rng.choice(_VACCINES), "http://hl7.org/fhir/sid/cvx")
        more = {"vaccineCode": vaccine, "patient": _link(chart.patient), "encounter": _link(chart.visit)}
        done.append(
            chart.resource(
                "Immunization", status="completed", occurrenceDateTime=chart.when, primarySource=True, **more
            )
        )
    if rng.random() < 0.4:
        done.append(_report(chart, results))
    if rng.random() < 0.3:
        done.append(_note(chart))
    yield from done
    claim = _claim(chart, [*results[:3], *done])
    yield claim
    yield _payment(chart, claim)


def _encounter(chart: _Chart) -> Resource:
    kind = [_coded(("185349003", "Encounter for check up (procedure)"))]
    class_ = {"system": f"{_HL7}v3-ActCode", "code": "AMB"}
    doctor = {"reference": "Practitioner/0000016d-3a85-4cca-0000-000000000122", "display": "Dr. Who Ever"}
    told = {"class": class_, "type": kind, "period": _span(chart), "participant": [{"individual": doctor}]}
    place = {"display": "General Hospital"}
    return chart.resource("Encounter", status="finished", subject=_link(chart.patient), serviceProvider=place, **told)


def _result(chart: _Chart) -> Resource:
    code, display, unit = chart.rng.choice(_LABS)
    return _observation(chart, "laboratory", (code, display), valueQuantity=_amount(chart.rng.uniform(1, 200), unit))


def _pressure(chart: _Chart) -> Resource:
    parts = [("8462-4", "Diastolic Blood Pressure"), ("8480-6", "Systolic Blood Pressure")]
    values = [
        {"code": _coded(p, _LOINC), "valueQuantity": _amount(chart.rng.uniform(60, 180), "mm[Hg]")} for p in parts
    ]
    return _observation(chart, "vital-signs", ("55284-4", "Blood Pressure"), component=values)


def _observation(chart: _Chart, category: str, code: tuple[str, str], **value: Any) -> Resource:
    kind = [_coded((category, category), f"{_HL7}observation-category")]
    when = {"effectiveDateTime": chart.when, "issued": chart.when}
    return chart.of_visit("Observation", status="final", category=kind, code=_coded(code, _LOINC), **when, **value)


def _condition(chart: _Chart) -> Resource:
    state = {
        f"{k}Status": _coded((v, v), f"{_HL7}condition-{k[:4]}")
        for k, v in (("clinical", "active"), ("verification", "confirmed"))
    }
    code = _coded(chart.rng.choice(_CONDITIONS))
    return chart.of_visit("Condition", code=code, onsetDateTime=chart.when, recordedDate=chart.when, **state)


def _order(chart: _Chart) -> Resource:
    repeat = {"frequency": 1, "period": 1.0, "periodUnit": "d"}
    dose = [{"type": _coded(("ordered", "Ordered"), f"{_HL7}dose-rate-type"), "doseQuantity": {"value": 1.0}}]
    dosage = {"sequence": 1, "timing": {"repeat": repeat}, "asNeededBoolean": False, "doseAndRate": dose}
    drug = _coded(chart.rng.choice(_DRUGS), "http://www.nlm.nih.gov/research/umls/rxnorm")
    more = {"medicationCodeableConcept": drug, "authoredOn": chart.when, "dosageInstruction": [dosage]}
    return chart.of_visit("MedicationRequest", status="active", intent="order", **more)


def _report(chart: _Chart, results: list[Resource]) -> Resource:
    links = [{**_link(r["id"]), "display": r["code"]["text"]} for r in results]
    more = {"category": [_coded(("LAB", "Laboratory"), f"{_HL7}v2-0074")], "result": links, "issued": chart.when}
    code = _coded(("51990-0", "Basic Metabolic Panel"), _LOINC)
    return chart.of_visit("DiagnosticReport", status="final", code=code, effectiveDateTime=chart.when, **more)


def _note(chart: _Chart) -> Resource:
    text = "Chief complaint: none. History of present illness: the patient comes for a visit. Plan: follow up. " * 25
    data = base64.b64encode(text.encode()).decode()
    content = [{"attachment": {"contentType": "text/plain; charset=utf-8", "data": data}}]
    more = {"type": _coded(("34117-2", "History and physical note"), _LOINC), "date": chart.when, "content": content}
    return chart.resource("DocumentReference", status="current", subject=_link(chart.patient), **more)


def _claim(chart: _Chart, about: list[Resource]) -> Resource:
    items = [
        {
            "sequence": number,
            "productOrService": item.get("code") or item.get("vaccineCode") or _coded(_DRUGS[0]),
            "encounter": [_link(chart.visit)],
            "net": {"value": round(chart.rng.uniform(10, 900), 2), "currency": "USD"},
        }
        for number, item in enumerate(about, 1)
    ]
    more = {"type": _coded(("professional", "Professional"), f"{_HL7}claim-type"), "created": chart.when, "item": items}
    return chart.resource(
        "Claim", status="active", use="claim", patient=_link(chart.patient), billablePeriod=_span(chart), **more
    )


def _payment(chart: _Chart, claim: Resource) -> Resource:
    money = {"value": 100.0, "currency": "USD"}
    kinds = ("coinsurance", "deductible", "copay", "submitted")
    rows = [{"category": _coded((k, f"Line {k} amount"), f"{_HL7}adjudication"), "amount": money} for k in kinds]
    items = [{**item, "adjudication": rows} for item in claim["item"]]
    more = {
        "type": claim["type"],
        "claim": _link(claim["id"]),
        "created": chart.when,
        "outcome": "complete",
        "item": items,
    }
    return chart.resource("ExplanationOfBenefit", status="active", use="claim", patient=_link(chart.patient), **more)


def _coded(code: tuple[str, str], system: str = _SNOMED) -> Resource:
    return {"coding": [{"system": system, "code": code[0], "display": code[1]}], "text": code[1]}


def _amount(value: float, unit: str) -> Resource:
    return {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}


def _span(chart: _Chart) -> Resource:
    return {"start": chart.when, "end": chart.when.replace("T10:15", "T10:45")}


def _link(id_: str) -> Resource:
    return {"reference": f"urn:uuid:{id_}"}
