"""Elements read leniently: what they give when well formed, and that nothing raises when they are not."""

from __future__ import annotations

import copy
from datetime import date
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools import compute, medications, wording
from fhir_tools.cards import Marks, event_card, list_card, measurement_card
from fhir_tools.catalogue import from_rows, group_rows
from fhir_tools.facts import KIND_TYPES, facts_of
from fhir_tools.facts.elements import (
    age_or_text,
    bounds,
    code_of,
    codes_of,
    concept_of,
    labels,
    quantity_of,
    reference_of,
    standing_of,
    text_of,
    value_of,
    when_of,
)
from fhir_tools.types import Coding, Concept, Fact, Missing, Quantity, Reference

CONCEPT = {"coding": [{"system": "http://loinc.org", "code": "718-7", "display": "Hemoglobin"}], "text": "Hb"}
PERIOD = {"start": "2019-03-02", "end": "2019-03-06"}
QUANTITY = {"value": 13.2, "unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL"}
LINK = {"reference": "Encounter/e1", "display": "a visit"}
DOSAGE = {
    "text": "one a day",
    "timing": {
        "repeat": {
            "frequency": 1,
            "period": 1,
            "periodUnit": "d",
            "boundsPeriod": PERIOD,
            "boundsDuration": {"value": 10, "code": "d"},
        },
        "code": CONCEPT,
        "event": ["2019-03-02"],
    },
    "route": CONCEPT,
    "asNeededBoolean": True,
    "doseAndRate": [{"doseQuantity": QUANTITY}],
    "dose": QUANTITY,
}
COMMON: dict[str, Any] = {
    "id": "r1",
    "meta": {"versionId": "3"},
    "status": "final",
    "subject": {"reference": "Patient/p1"},
    "encounter": LINK,
    "code": CONCEPT,
    "category": [CONCEPT],
    "reasonCode": [CONCEPT],
    "reasonReference": [LINK],
    "note": [{"text": "seen"}],
}
MORE: dict[str, dict[str, Any]] = {
    "Observation": {
        "effectiveDateTime": "2019-03-02T08:00:00+01:00",
        "issued": "2019-03-02T09:00:00Z",
        "valueQuantity": QUANTITY,
        "dataAbsentReason": CONCEPT,
        "interpretation": [CONCEPT],
        "referenceRange": [{"low": QUANTITY, "high": QUANTITY, "text": "12-16"}],
        "component": [{"code": CONCEPT, "valueQuantity": QUANTITY}],
        "bodySite": CONCEPT,
    },
    "Condition": {
        "clinicalStatus": CONCEPT,
        "verificationStatus": CONCEPT,
        "onsetPeriod": PERIOD,
        "abatementAge": QUANTITY,
        "recordedDate": "2019",
        "severity": CONCEPT,
        "stage": [{"summary": CONCEPT}],
        "bodySite": [CONCEPT],
    },
    **{
        kind: {
            "intent": "order",
            "authoredOn": "2019-03-02",
            "medicationReference": {"reference": "#m", "display": "drug"},
            "medicationCodeableConcept": CONCEPT,
            "contained": [{"resourceType": "Medication", "id": "m", "code": CONCEPT}],
            "dosageInstruction": [DOSAGE],
            "dosage": DOSAGE,
            "effectivePeriod": PERIOD,
            "doNotPerform": False,
            "request": LINK,
            "whenHandedOver": "2019-03-02",
        }
        for kind in KIND_TYPES["medication"]
    },
    "AllergyIntolerance": {
        "clinicalStatus": CONCEPT,
        "verificationStatus": CONCEPT,
        "category": ["food"],
        "criticality": "high",
        "onsetString": "as a child",
        "reaction": [{"substance": CONCEPT, "manifestation": [CONCEPT]}],
    },
    "Immunization": {"vaccineCode": CONCEPT, "occurrenceDateTime": "2019", "doseQuantity": QUANTITY, "site": CONCEPT},
    "Procedure": {"performedPeriod": PERIOD, "outcome": CONCEPT, "statusReason": CONCEPT, "bodySite": [CONCEPT]},
    "Encounter": {
        "class": {"code": "IMP", "display": "inpatient"},
        "type": [CONCEPT],
        "period": PERIOD,
        "hospitalization": {"dischargeDisposition": CONCEPT},
        "location": [{"location": {"display": "ward"}}],
        "serviceType": CONCEPT,
        "serviceProvider": LINK,
    },
    "DiagnosticReport": {
        "effectivePeriod": PERIOD,
        "conclusion": "clear",
        "conclusionCode": [CONCEPT],
        "result": [LINK],
        "imagingStudy": [LINK],
    },
    "DocumentReference": {
        "type": CONCEPT,
        "content": [{"attachment": {"contentType": "text/plain", "title": "letter"}}],
        "date": "2019-03-02T08:00:00Z",
        "context": {"encounter": [LINK], "period": PERIOD},
        "author": [LINK],
        "description": "a letter",
        "docStatus": "final",
    },
    "Composition": {"type": CONCEPT, "title": "summary", "date": "2019", "author": [LINK]},
    "ImagingStudy": {
        "started": "2019-03-02",
        "modality": [{"code": "CT"}],
        "series": [{"modality": {"code": "CT", "display": "tomography"}, "bodySite": {"code": "1"}, "instance": [{}]}],
        "numberOfSeries": 1,
        "procedureCode": [CONCEPT],
    },
    "FamilyMemberHistory": {
        "relationship": CONCEPT,
        "date": "2019",
        "condition": [{"code": CONCEPT, "onsetAge": QUANTITY, "outcome": CONCEPT}],
    },
    "Patient": {
        "birthDate": "1950-02",
        "gender": "female",
        "name": [{"use": "official", "given": ["Ada"], "family": "Stone"}],
        "deceasedDateTime": "2020",
        "address": [{"line": ["1 Road"], "city": "Town"}],
        "telecom": [{"system": "phone", "value": "1"}],
        "communication": [{"language": CONCEPT}],
        "identifier": [{"type": {"coding": [{"code": "MR"}]}, "value": "9"}],
        "extension": [{"url": "x/us-core-race", "extension": [{"url": "text", "valueString": "other"}]}],
        "maritalStatus": CONCEPT,
        "generalPractitioner": [LINK],
    },
    "ServiceRequest": {"occurrencePeriod": PERIOD, "authoredOn": "2019", "intent": "order", "doNotPerform": False},
    "CarePlan": {"period": PERIOD, "created": "2019", "title": "plan", "description": "a plan", "intent": "plan"},
    "Goal": {"description": CONCEPT, "startDate": "2019", "lifecycleStatus": "active", "statusDate": "2019"},
    "Device": {"type": CONCEPT, "manufactureDate": "2019"},
}
RESOURCES = [{**COMMON, "resourceType": kind, **more} for kind, more in MORE.items()]

WORDS = ("reference", "coding", "code", "system", "text", "value", "start", "end", "event", "period", "repeat", "low")
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(10**400), max_value=10**400)
    | st.floats()
    | st.sampled_from(("", "6.9", "2019-13-40", "9999-12-31T24:00:00Z", "0001-01-01", "Patient/x", "#m"))
    | st.text(max_size=8)
)
JSON: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=8,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every element of a resource, its type and its own root apart."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    below = [p for key, item in items for p in places(item, (*path, key))]
    return [*([path] if path and path != ("resourceType",) else []), *below]


PLACES = {r["resourceType"]: places(r) for r in RESOURCES}


@st.composite
def dirty(draw: st.DrawFn) -> dict[str, Any]:
    """A resource of any handled type in which up to three elements, at any depth, hold anything at all."""
    resource = copy.deepcopy(draw(st.sampled_from(RESOURCES)))
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(PLACES[resource["resourceType"]]))
        at: Any = resource
        try:
            for key in way:
                at = at[key]
            at[last] = draw(JSON)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took this place away
    return resource


def use(facts: tuple[Fact, ...]) -> None:
    """Everything that is done with any fact: none of it may fail because a server sent dirt."""
    marks = Marks()
    for fact in medications.judged(facts, {f.reference: f for f in facts}, date(2020, 1, 1)):
        assert wording.describe(fact)
        assert event_card(marks, (fact,)).text
        hash(fact.concept)
    for op in ("count", "count_by_year", "mean", "change", "percent_change", "age", "duration", "length_of_stay"):
        compute.compute(op, facts)
    for kind in {f.kind for f in facts}:
        same = tuple(f for f in facts if f.kind == kind)
        assert list_card(marks, (same,), title="all", kind=kind).text
        if kind in ("measurement", "social"):
            assert measurement_card(marks, same).text
    rows = group_rows(facts, date(2020, 1, 1))
    assert len(from_rows(orjson.loads(orjson.dumps(rows))).entries) == len(rows)


def test_every_handled_type_has_a_whole_resource_here() -> None:
    assert set(MORE) == {t for types in KIND_TYPES.values() for t in types}


@pytest.mark.parametrize("resource", RESOURCES, ids=list(MORE))
def test_whole_resources_give_facts_that_point_back(resource: dict[str, Any]) -> None:
    facts = facts_of(resource)
    assert facts
    assert {str(f.reference) for f in facts} == {f"{resource['resourceType']}/r1"}
    assert {f.version for f in facts} == {"3"}
    assert len({f.path for f in facts}) == len(facts), "two facts of a resource need two places, or share a mark"
    use(facts)


@given(dirty())
def test_dirt_anywhere_never_raises(resource: dict[str, Any]) -> None:
    use(facts_of(resource))


@given(
    st.sampled_from([*MORE, "Basic", "Nonsense"]),
    st.dictionaries(st.sampled_from(sorted({k for r in RESOURCES for k in r} - {"resourceType"})), JSON, max_size=8),
)
def test_resources_of_nothing_but_dirt_never_raise(kind: str, elements: dict[str, Any]) -> None:
    use(facts_of({**elements, "resourceType": kind}))


@given(JSON)
def test_a_type_that_is_no_text_has_no_facts(kind: Any) -> None:
    assert facts_of({"resourceType": kind}) == () or isinstance(kind, str)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (CONCEPT, "Hb"),
        ({"coding": [{"code": "1", "display": " Two\n words "}]}, "Two words"),
        ({"coding": [{"display": "no code"}]}, "no code"),
        ({"coding": [{"code": 42}]}, "42"),
        ({"coding": {"code": "not a list"}}, "not a list"),
        ({"coding": [{"code": ["list"], "display": "kept"}]}, "kept"),
        ({"text": ""}, None),
        ({"text": 5}, None),
        ("plain", None),
        (None, None),
    ],
)
def test_concept_labels(value: Any, expected: str | None) -> None:
    found = concept_of(value)
    assert (found.label if found else None) == expected


def test_a_system_that_is_no_text_reads_as_none() -> None:
    assert concept_of({"coding": [{"system": {"a": 1}, "code": "x"}]}) == Concept(
        label="x", codings=(Coding(system=None, code="x"),)
    )


def test_status_codes_are_hl7s_where_a_site_adds_its_own() -> None:
    local = {"system": "urn:site", "code": "R"}
    official = {"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "refuted"}
    assert code_of({"coding": [local, official]}) == "refuted"
    assert code_of({"coding": [local]}) == "R"
    assert code_of({"text": "Refuted"}) == code_of("Refuted") == "refuted"
    assert code_of({"coding": "x", "text": 1}) == ""
    assert codes_of([{"coding": [local, official]}, None]) == ("R", "refuted")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"value": 6.9, "unit": "%", "code": "%"}, Quantity(value=6.9, unit="%", code="%")),
        ({"value": 5, "unit": "mg", "system": "urn:site", "code": "MG"}, Quantity(value=5, unit="mg")),
        ({"value": 0.5, "comparator": "<"}, Quantity(value=0.5, comparator="<")),
        ({"value": 0}, Quantity(value=0)),
        ({"value": 0.5, "comparator": "about"}, None),
        ({"value": "6.9"}, None),
        ({"value": True}, None),
        ({"value": float("nan")}, None),
        ({"value": 10**400}, None),
        ({"value": 1, "unit": ["g"], "code": {}}, Quantity(value=1)),
        ([], None),
    ],
)
def test_quantities(value: Any, expected: Quantity | None) -> None:
    assert quantity_of(value) == expected


@pytest.mark.parametrize(
    ("value", "text", "precision"),
    [
        ("2019", "2019", "year"),
        ("2019-03", "2019-03", "month"),
        ("2019-03-02", "2019-03-02", "day"),
        ("2019-03-02T23:30:00-05:00", "2019-03-02", "time"),
        ({"start": "2019-03-02"}, "2019-03-02", "day"),
        ({"end": "2019-03"}, "until 2019-03", "month"),
        ({"event": ["2019-03-02", "2019-03-09"]}, "2019-03-02", "day"),
        ({"repeat": {"boundsPeriod": {"start": "2019"}}}, "2019", "year"),
    ],
)
def test_times(value: Any, text: str, precision: str) -> None:
    when = when_of(value)
    assert when is not None
    assert (when.text, when.precision) == (text, precision)


def test_open_ends_stay_open() -> None:
    since, until = when_of({"start": "2019"}), when_of({"end": "2019"})
    assert since and since.low and since.high is None
    assert until and until.low is None and until.high


@pytest.mark.parametrize(
    "value",
    ["soon", "2019-02-30", 2019, [], {}, {"start": 5}, {"event": {}}, {"event": {"a": 1}}, {"event": [None]}, None],
)
def test_times_that_cannot_be_read_are_none(value: Any) -> None:
    assert when_of(value) is None


@pytest.mark.parametrize(
    ("element", "name", "expected"),
    [
        ({"valueQuantity": {"value": 1}}, "valueQuantity", Quantity(value=1)),
        ({"valueInteger": 3}, "valueInteger", Quantity(value=3)),
        ({"valueInteger": True}, "value", None),
        ({"valueBoolean": False}, "valueBoolean", False),
        ({"valueString": " a  b "}, "valueString", "a b"),
        ({"valueRange": {"low": {"value": 1}, "high": {"value": 2, "unit": "g"}}}, "valueRange", "1-2 g"),
        ({"valueRange": {}}, "value", None),
        ({"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}}}, "valueRatio", "1:128"),
        ({"valueCodeableConcept": {"text": "positive"}}, "valueCodeableConcept", Concept(label="positive")),
        ({"dataAbsentReason": {"text": "not performed"}}, "dataAbsentReason", Missing(reason="not performed")),
        (
            {"valueQuantity": {"unit": "g"}, "dataAbsentReason": {"text": "lost"}},
            "dataAbsentReason",
            Missing(reason="lost"),
        ),
        ({}, "value", None),
    ],
)
def test_values_of_any_type(element: dict[str, Any], name: str, expected: Any) -> None:
    assert value_of(element) == (name, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Medication/m1", Reference(type="Medication", id="m1")),
        ("https://server/fhir/Medication/m1/_history/2", Reference(type="Medication", id="m1")),
        ("#contained", None),
        ("urn:uuid:0c3201bd-1cbf-4d64-b04d-cd9187a4c6e0", None),
        ("nothing", None),
        (5, None),
    ],
)
def test_references(text: Any, expected: Reference | None) -> None:
    assert reference_of({"reference": text}) == expected


def test_small_words() -> None:
    assert text_of(" a\u200b \n b ") == "a b"
    assert labels([{"text": "a"}, {"text": ""}, {"text": "b"}]) == "a, b"
    assert bounds({"value": 60, "unit": "mL/min"}, None) == ">=60 mL/min"
    assert bounds(None, {"value": 5}) == "<=5"
    assert age_or_text({"value": 54, "code": "a"}) == "54 a"
    assert age_or_text({"low": {"value": 50}, "high": {"value": 55, "unit": "a"}}) == "50-55 a"
    assert age_or_text("in her fifties") == "in her fifties"
    assert standing_of("entered-in-error", {"entered-in-error": "planned"}) == "error"
    assert standing_of(["x"]) == "fact"


def test_a_remembered_concept_is_not_taken_for_a_like_one() -> None:
    """1, 1.0, True and "1" are equal or look alike; a list has no hash. Each reads as it does the first time."""
    for code, found in [(1, ("1",)), (True, ()), (1.0, ()), ("1", ("1",)), (["1"], ()), (1, ("1",)), (True, ())]:
        value = {"coding": [{"system": "urn:x", "code": code}], "text": "one"}
        assert codes_of(value) == found
        concept = concept_of(value)
        assert concept is not None and concept.label == "one"
