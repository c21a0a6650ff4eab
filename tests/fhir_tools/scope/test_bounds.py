"""What a search becomes before it is sent: bound to the patient, or refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools.errors import QueryError, ScopeError
from fhir_tools.scope.bounds import COMPARTMENT, SHARED, Bounds
from fhir_tools.search.definitions import R4_TYPES, elements, parameters
from fhir_tools.search.query import parse
from fhir_tools.types import Query, Reference

BASE = "https://fhir.example/r4"
ME = Reference(type="Patient", id="me")
ALONE = Bounds(patient=ME, own=frozenset({"Patient/me"}), searched=("Patient/me",), bases=(BASE,))
MERGED = Bounds(
    patient=ME,
    own=frozenset({"Patient/me", "Patient/old", "Patient/b.9"}),
    searched=("Patient/me", "Patient/b.9"),
    bases=(BASE,),
)


def bound(bounds: Bounds, text: str) -> str:
    query = parse(text)
    return str(bounds.bound(query)).partition("?")[2]


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("Observation", "patient=Patient/me,Patient/b.9"),
        ("Observation?patient=me", "patient=Patient/me,Patient/b.9"),
        ("Observation?patient=Patient/me&code=1", "patient=Patient/me,Patient/b.9&code=1"),
        ("Observation?patient=Patient/old", "patient=Patient/old"),
        ("Observation?patient=b.9", "patient=b.9"),
        ("Observation?patient=Patient/me,Patient/old", "patient=Patient/me,Patient/b.9,Patient/old"),
        ("Observation?subject=Patient/me", "patient=Patient/me,Patient/b.9&subject=Patient/me,Patient/b.9"),
        (f"Observation?patient={BASE}/Patient/me", "patient=Patient/me,Patient/b.9"),
        ("Patient", "_id=me"),
        ("Patient?_id=me,old", "_id=me,old"),
    ],
)
def test_the_patient_stands_for_every_record_of_it(text: str, sent: str) -> None:
    assert bound(MERGED, text) == sent


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("Coverage?_elements=status", "patient=Patient/me&_elements=status,beneficiary"),
        ("Immunization?_elements=patient", "patient=Patient/me&_elements=patient"),
        ("Patient?_elements=name", "_id=me&_elements=name"),
        ("Observation?_id=a,b", "patient=Patient/me&_id=a,b"),
        ("Observation?encounter=e1", "patient=Patient/me&encounter=e1"),
        (f"Observation?encounter={BASE}/Encounter/e1", "patient=Patient/me&encounter=Encounter/e1"),
        (
            "CarePlan?instantiates-canonical=https://x.example/p",
            "patient=Patient/me&instantiates-canonical=https://x.example/p",
        ),
        (
            "MedicationRequest?_include=MedicationRequest:medication&_include:iterate=Medication:manufacturer",
            "patient=Patient/me&_include=MedicationRequest:medication&_include:iterate=Medication:manufacturer",
        ),
        ("Observation?code-value-quantity=x$gt5", "patient=Patient/me&code-value-quantity=x$gt5"),
        ("Observation?performer:missing=true", "patient=Patient/me&performer:missing=true"),
        ("Observation?performer:Practitioner=dr", "patient=Patient/me&performer:Practitioner=dr"),
        ("Observation?performer:Patient=me", "patient=Patient/me&performer:Patient=Patient/me"),
    ],
)
def test_legal_searches(text: str, sent: str) -> None:
    assert bound(ALONE, text) == sent


@pytest.mark.parametrize(
    "text",
    [
        "Observation?performer=dr",  # an id alone could be a patient's
        "Observation?performer:Patient=dr",
        "Observation?performer:identifier=mrn|7",
        "Observation?performer=https://other.example/Practitioner/dr",
        "Observation?patient=Patient/me/_history/1",
        "Observation?patient=",
        "Observation?_include=*",
        "Observation?_include=Observation:*",
        "Observation?_include=Condition:encounter",
        "Observation?_include=Observation:code",
        "Observation?_include=Observation:performer:Patient",
        "Observation?_include:iterate=Observation:has-member",
        "Observation?_include:iterate=Patient:link",
        "Patient?_include=Patient:link",
        "Observation?_revinclude=Provenance:target",
        "Observation?_revinclude:iterate=Provenance:target",
        "Observation?_page=1",
        "Observation?_sort=patient.name",
        "Observation?_summary=text",
        "Observation?patient=other",
        "Patient?_id=other",
        "Patient?_id:not=me",
        "Group?member=Patient/me",
        "Observation?code:text=Patient%252Fother",
        "Observation?encounter.patient=Patient/other",
        "Observation?_has:Encounter:patient:_id=1",
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(ScopeError) as caught:
        ALONE.bound(parse(text))
    assert "other" not in str(caught.value).replace("another", "").replace("other resources", "").replace(
        "other patient", ""
    )


def test_an_unknown_parameter_is_refused_as_unknown() -> None:
    with pytest.raises(QueryError, match="no search parameter 'colour'"):
        ALONE.bound(parse("Observation?colour=red"))


def test_a_page_that_was_given_is_read_on() -> None:
    given_page = Bounds(patient=ME, own=ALONE.own, searched=ALONE.searched, pages={("Observation", "t1")})
    assert bound(given_page, "Observation?patient=me&_page=t1") == "patient=me&_page=t1"
    for text in (
        "Condition?patient=me&_page=t1",
        "Observation?patient=me&_page=t2",
        "Observation?patient=other&_page=t1",
    ):
        with pytest.raises(ScopeError):
            given_page.bound(parse(text))


@pytest.mark.parametrize("kind", sorted(COMPARTMENT - {"Patient"}))
def test_every_type_has_the_parameter_and_the_element_it_is_bound_by(kind: str) -> None:
    assert "patient" in parameters(kind)
    (told,) = [v for n, v in ALONE.bound(parse(f"{kind}?_elements=id")).params if n == "_elements"]
    assert told.split(",")[-1] in elements(kind).top


def test_the_tables_are_of_types_that_r4_has() -> None:
    assert COMPARTMENT | SHARED <= R4_TYPES and not COMPARTMENT & SHARED


VALUES = st.lists(
    st.sampled_from(["me", "Patient/me", "Patient/old", "b.9", f"{BASE}/Patient/b.9"]), min_size=1, max_size=4
)
PARAMS = st.lists(
    st.tuples(st.sampled_from(["patient", "subject"]), VALUES.map(",".join))
    | st.sampled_from(
        [("code", "1"), ("_elements", "code"), ("_count", "5"), ("performer", f"{BASE}/Practitioner/dr")]
    ),
    max_size=4,
)


@given(PARAMS, st.sampled_from([ALONE, MERGED]))
def test_what_is_bound_is_bound_again_to_the_same(params: Any, bounds: Bounds) -> None:
    try:
        once = bounds.bound(Query(type="Observation", params=tuple(params)))
    except ScopeError:
        assert bounds is ALONE
        return
    assert bounds.bound(once) == once
    assert all(
        one.removeprefix("Patient/") in ("me", "old", "b.9")
        for n, v in once.params
        if n in ("patient", "subject")
        for one in v.split(",")
    )
