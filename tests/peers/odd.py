"""Made-up resources with what real charts hold and servers disagree about, one case each, named by the id."""

from __future__ import annotations

from typing import Any

__all__ = ["ODD"]

Resource = dict[str, Any]

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
UCUM = "http://unitsofmeasure.org"
MRN = "urn:oid:2.16.840.1.113883.19.5"
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
IDENTIFIER_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0203"


def concept(*codings: tuple[str | None, str] | tuple[str | None, str, str], text: str | None = None) -> Resource:
    """A CodeableConcept of (system, code[, display]) codings and a text."""
    made: Resource = {}
    if codings:
        names = ("system", "code", "display")
        made["coding"] = [{n: v for n, v in zip(names, c, strict=False) if v is not None} for c in codings]
    return {**made, **({"text": text} if text else {})}


def quantity(value: float, code: str | None = "mg/dL", **more: Any) -> Resource:
    """A Quantity in a UCUM unit (None: without any)."""
    return {"value": value, **({"unit": code, "system": UCUM, "code": code} if code else {}), **more}


def observation(id_: str, patient: str = "odd-one", **more: Any) -> Resource:
    """A final glucose Observation, changed by what is given; None takes an element away."""
    made = {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "code": concept((LOINC, "2345-7", "Glucose"), text="Glucose"),
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": "2015-06-15",
        "valueQuantity": quantity(100),
        **more,
    }
    return {k: v for k, v in made.items() if v is not None}


def resource(type_: str, id_: str, patient: str = "odd-one", subject: str = "subject", **more: Any) -> Resource:
    """A resource about a patient."""
    made = {"resourceType": type_, "id": id_, subject: {"reference": f"Patient/{patient}"}, **more}
    return {k: v for k, v in made.items() if v is not None}


def period(start: str | None = None, end: str | None = None) -> Resource:
    """A Period; None leaves an end open."""
    return {k: v for k, v in (("start", start), ("end", end)) if v is not None}


PEOPLE: list[Resource] = [
    {
        "resourceType": "Patient",
        "id": "odd-one",
        "active": True,
        "identifier": [
            {"system": MRN, "value": "A-1", "type": concept((IDENTIFIER_TYPE, "MR"), text="Medical record number")},
            {"system": "urn:x:passport", "value": "P-77", "type": concept((IDENTIFIER_TYPE, "PPN"))},
        ],
        "name": [
            {"use": "official", "family": "Müller-Lüdenscheidt", "given": ["Anna", "Maria"], "prefix": ["Dr."]},
            {"use": "maiden", "family": "van der Berg", "given": ["Anna"]},
        ],
        "gender": "female",
        "birthDate": "1950-02",
        "telecom": [
            {"system": "phone", "value": "555-0100", "use": "home"},
            {"system": "email", "value": "anna@example.org"},
        ],
        "address": [
            {"use": "home", "line": ["12 Main Street", "Flat 3"], "city": "São Paulo", "state": "SP", "country": "BR"}
        ],
        "generalPractitioner": [{"reference": "Practitioner/odd-doctor"}],
        "managingOrganization": {"reference": "Organization/odd-clinic"},
        "deceasedBoolean": False,
        "communication": [{"language": concept(("urn:ietf:bcp:47", "pt-BR"))}],
    },
    {
        "resourceType": "Patient",
        "id": "odd-two",
        "active": False,
        "identifier": [{"value": "A-1"}],
        "name": [{"text": "Bob the Builder"}],
        "gender": "male",
        "birthDate": "1950",
        "deceasedDateTime": "2019-05-04",
        "link": [{"other": {"reference": "Patient/odd-one"}, "type": "seealso"}],
    },
    {"resourceType": "Patient", "id": "odd-bare"},
    {
        "resourceType": "Patient",
        "id": "odd-comma",
        "name": [{"family": "Smith, the Third", "given": ["A|B", "C$D"]}],
        "birthDate": "1950-02-28",
    },
    {
        "resourceType": "Practitioner",
        "id": "odd-doctor",
        "identifier": [{"system": "urn:x:npi", "value": "9999"}],
        "name": [{"family": "Strange", "given": ["Stephen"]}],
    },
    {"resourceType": "Practitioner", "id": "odd-nurse", "name": [{"family": "Nightingale", "given": ["Florence"]}]},
    {"resourceType": "Organization", "id": "odd-clinic", "name": "Clinic of the North", "active": True},
    {
        "resourceType": "Organization",
        "id": "odd-lab",
        "name": "Lab",
        "partOf": {"reference": "Organization/odd-clinic"},
    },
    {"resourceType": "Location", "id": "odd-ward", "name": "Ward 7", "status": "active"},
]

DATES: list[Resource] = [
    observation("date-year", effectiveDateTime="2016"),
    observation("date-month", effectiveDateTime="2016-05"),
    observation("date-day", effectiveDateTime="2016-05-20"),
    observation("date-minute", effectiveDateTime="2016-05-20T10:30:00Z"),
    observation("date-second", effectiveDateTime="2016-05-20T10:30:15Z"),
    observation("date-fraction", effectiveDateTime="2016-05-20T10:30:15.500Z"),
    observation("date-east", effectiveDateTime="2016-05-21T01:00:00+05:00"),  # 20th in UTC
    observation("date-west", effectiveDateTime="2016-05-19T22:00:00-04:00"),  # 20th in UTC
    observation("date-period", effectiveDateTime=None, effectivePeriod=period("2016-05-01", "2016-05-31")),
    observation("date-open-end", effectiveDateTime=None, effectivePeriod=period("2016-05-10")),
    observation("date-open-start", effectiveDateTime=None, effectivePeriod=period(None, "2016-05-10")),
    observation("date-instant", effectiveDateTime=None, effectiveInstant="2016-05-20T10:30:15.250Z"),
    observation("date-none", effectiveDateTime=None),
    observation("date-long", effectiveDateTime=None, effectivePeriod=period("2014", "2018")),
]

VALUES: list[Resource] = [
    observation("value-5-4", "odd-two", code=concept((LOINC, "4548-4")), valueQuantity=quantity(5.4, "%")),
    observation("value-5-40", "odd-two", code=concept((LOINC, "4548-4")), valueQuantity=quantity(5.40, "%")),
    observation("value-5-44", "odd-two", code=concept((LOINC, "4548-4")), valueQuantity=quantity(5.44, "%")),
    observation("value-5-45", "odd-two", code=concept((LOINC, "4548-4")), valueQuantity=quantity(5.45, "%")),
    observation("value-5-35", "odd-two", code=concept((LOINC, "4548-4")), valueQuantity=quantity(5.35, "%")),
    observation("value-100", "odd-two", valueQuantity=quantity(100)),
    observation("value-99", "odd-two", valueQuantity=quantity(99.6)),
    observation("value-negative", "odd-two", valueQuantity=quantity(-2.5, "mmol/L")),
    observation("value-zero", "odd-two", valueQuantity=quantity(0, "mmol/L")),
    observation("value-below", "odd-two", valueQuantity=quantity(10, comparator="<")),
    observation("value-above", "odd-two", valueQuantity=quantity(500, comparator=">=")),
    observation("value-unitless", "odd-two", valueQuantity=quantity(42, None)),
    observation("value-unit-only", "odd-two", valueQuantity={"value": 42, "unit": "mg/dL"}),
    observation(
        "value-concept", "odd-two", valueQuantity=None, valueCodeableConcept=concept((SNOMED, "10828004", "Positive"))
    ),
    observation(
        "value-text-concept", "odd-two", valueQuantity=None, valueCodeableConcept=concept(text="Weakly positive")
    ),
    observation("value-string", "odd-two", valueQuantity=None, valueString="Straw coloured, clear"),
    observation("value-date", "odd-two", valueQuantity=None, valueDateTime="2016-05-20"),
    observation("value-absent", "odd-two", valueQuantity=None, dataAbsentReason=concept(("urn:x:absent", "unknown"))),
    observation(
        "panel-pressure",
        "odd-two",
        code=concept((LOINC, "85354-9")),
        valueQuantity=None,
        component=[
            {"code": concept((LOINC, "8480-6")), "valueQuantity": quantity(142, "mm[Hg]")},
            {"code": concept((LOINC, "8462-4")), "valueQuantity": quantity(91, "mm[Hg]")},
        ],
    ),
    observation(
        "panel-low",
        "odd-two",
        code=concept((LOINC, "85354-9")),
        valueQuantity=None,
        component=[
            {"code": concept((LOINC, "8480-6")), "valueQuantity": quantity(101, "mm[Hg]")},
            {"code": concept((LOINC, "8462-4")), "valueQuantity": quantity(150, "mm[Hg]")},
        ],
    ),
]

CODES: list[Resource] = [
    observation("code-two", code=concept((LOINC, "2345-7"), ("urn:x:local", "GLU"), text="Sugar in blood")),
    observation("code-no-system", code=concept((None, "GLU"))),
    observation("code-text", code=concept(text="Home glucose meter")),
    observation("code-display", code=concept((LOINC, "2339-0", "Glucose [Mass/volume] in Blood"))),
    observation("code-case", code=concept(("urn:x:local", "glu"))),
    observation("code-preliminary", status="preliminary"),
    observation("code-error", status="entered-in-error"),
    observation(
        "code-categories",
        category=[concept((CATEGORY, "laboratory")), concept((CATEGORY, "vital-signs"))],
        interpretation=[concept(("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "H"))],
    ),
    observation(
        "code-tagged", meta={"tag": [{"system": "urn:x:tag", "code": "gold"}], "profile": ["http://example.org/p/lab"]}
    ),
    observation("code-comma", code=concept(("urn:x:local", "a,b"), text="a, b")),
]

LINKS: list[Resource] = [
    observation("link-versioned", subject={"reference": "Patient/odd-one/_history/1"}),
    observation("link-encounter", encounter={"reference": "Encounter/stay-open"}),
    observation(
        "link-performer", performer=[{"reference": "Practitioner/odd-doctor"}, {"reference": "Organization/odd-lab"}]
    ),
    observation(
        "link-identifier", performer=[{"identifier": {"system": "urn:x:npi", "value": "1234"}, "display": "Someone"}]
    ),
    observation(
        "link-contained",
        performer=[{"reference": "#me"}],
        contained=[{"resourceType": "Practitioner", "id": "me", "name": [{"family": "Contained"}]}],
    ),
    observation(
        "link-members", hasMember=[{"reference": "Observation/date-day"}, {"reference": "Observation/code-two"}]
    ),
    observation("link-device", "odd-one", device={"reference": "Device/odd-meter"}),
    resource("Device", "odd-meter", subject="patient", status="active", type=concept((SNOMED, "337414009"))),
]

CARE: list[Resource] = [
    resource(
        "Condition",
        "cond-active",
        clinicalStatus=concept((CLINICAL, "active")),
        verificationStatus=concept((VERIFICATION, "confirmed")),
        code=concept((SNOMED, "44054006", "Diabetes type 2")),
        onsetDateTime="2010-03",
        recordedDate="2010-04-01",
    ),
    resource(
        "Condition",
        "cond-resolved",
        clinicalStatus=concept((CLINICAL, "resolved")),
        code=concept((SNOMED, "195662009")),
        onsetPeriod=period("2012-01-01", "2012-01-20"),
        abatementDateTime="2012-01-20",
    ),
    resource("Condition", "cond-text", code=concept(text="Bad back"), onsetString="since school"),
    resource(
        "Condition",
        "cond-age",
        code=concept((SNOMED, "38341003")),
        onsetAge={"value": 52, "unit": "years", "system": UCUM, "code": "a"},
        encounter={"reference": "Encounter/stay-closed"},
    ),
    resource(
        "Condition",
        "cond-other",
        "odd-two",
        clinicalStatus=concept((CLINICAL, "active")),
        code=concept((SNOMED, "44054006")),
    ),
    resource(
        "Encounter",
        "stay-open",
        status="in-progress",
        period=period("2016-05-18T08:00:00Z"),
        **{"class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}},
        participant=[{"individual": {"reference": "Practitioner/odd-doctor"}}],
        location=[{"location": {"reference": "Location/odd-ward"}}],
        serviceProvider={"reference": "Organization/odd-clinic"},
    ),
    resource(
        "Encounter",
        "stay-closed",
        status="finished",
        period=period("2014-02-01", "2014-02-09"),
        **{"class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}},
        type=[concept((SNOMED, "185349003", "Check up"))],
        reasonCode=[concept((SNOMED, "38341003"))],
    ),
    {
        "resourceType": "Medication",
        "id": "odd-drug",
        "code": concept((RXNORM, "860975", "Metformin 500 MG")),
        "ingredient": [{"itemCodeableConcept": concept((RXNORM, "6809"))}],
    },
    resource(
        "MedicationRequest",
        "order-code",
        status="active",
        intent="order",
        authoredOn="2015-01-10",
        medicationCodeableConcept=concept((RXNORM, "860975")),
        requester={"reference": "Practitioner/odd-doctor"},
    ),
    resource(
        "MedicationRequest",
        "order-reference",
        status="active",
        intent="order",
        authoredOn="2016-02-11T09:00:00Z",
        medicationReference={"reference": "Medication/odd-drug"},
        encounter={"reference": "Encounter/stay-open"},
    ),
    resource(
        "MedicationRequest",
        "order-contained",
        status="stopped",
        intent="plan",
        authoredOn="2013",
        medicationReference={"reference": "#drug"},
        contained=[{"resourceType": "Medication", "id": "drug", "code": concept((RXNORM, "197361"))}],
    ),
    resource(
        "MedicationStatement",
        "taking",
        status="active",
        medicationReference={"reference": "Medication/odd-drug"},
        effectivePeriod=period("2016-02-12"),
    ),
    resource(
        "Procedure",
        "proc-day",
        status="completed",
        code=concept((SNOMED, "80146002")),
        performedDateTime="2012-07-04",
        performer=[{"actor": {"reference": "Practitioner/odd-doctor"}}],
    ),
    resource(
        "Procedure",
        "proc-period",
        status="completed",
        code=concept((SNOMED, "73761001")),
        performedPeriod=period("2013-07-04T08:00:00Z", "2013-07-04T09:00:00Z"),
        encounter={"reference": "Encounter/stay-closed"},
    ),
    resource(
        "AllergyIntolerance",
        "allergy-nut",
        subject="patient",
        code=concept((SNOMED, "91935009")),
        criticality="high",
        category=["food"],
        type="allergy",
        recordedDate="2001-01-01",
    ),
    resource("AllergyIntolerance", "allergy-text", subject="patient", code=concept(text="Cats")),
    resource(
        "Immunization",
        "shot",
        subject="patient",
        status="completed",
        vaccineCode=concept(("http://hl7.org/fhir/sid/cvx", "140")),
        occurrenceDateTime="2015-10-01",
        lotNumber="L7",
    ),
    resource(
        "DiagnosticReport",
        "report",
        status="final",
        code=concept((LOINC, "58410-2")),
        effectiveDateTime="2016-05-20",
        issued="2016-05-20T11:00:00Z",
        result=[{"reference": "Observation/date-day"}, {"reference": "Observation/date-minute"}],
        conclusion="All good",
        category=[concept(("http://terminology.hl7.org/CodeSystem/v2-0074", "LAB"))],
    ),
    resource(
        "DocumentReference",
        "letter",
        status="current",
        type=concept((LOINC, "34133-9")),
        date="2016-05-20T12:00:00Z",
        description="Discharge letter",
        content=[{"attachment": {"contentType": "text/plain", "url": "Binary/odd-text", "title": "Letter"}}],
        context={"encounter": [{"reference": "Encounter/stay-open"}], "period": period("2016-05-18", "2016-05-20")},
    ),
    {"resourceType": "Binary", "id": "odd-text", "contentType": "text/plain", "data": "SGVsbG8="},
]

ODD: list[Resource] = [*PEOPLE, *DATES, *VALUES, *CODES, *LINKS, *CARE]
