"""Chains and `_has`: cases by name, and all of them against a slow reading of every resource."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_tools.errors import QueryError
from fhir_tools.local import LocalStore
from fhir_tools.search.elements import inner, walk
from fhir_tools.search.match import linked, matches
from fhir_tools.search.query import Param, check, parse

Resource = dict[str, Any]


def make(resources: Sequence[Resource]) -> LocalStore:
    store = LocalStore()
    with store.transaction():
        for resource in resources:
            store.put(resource)
    return store


async def ids(store: LocalStore, text: str) -> list[str]:
    return sorted(f"{r['resourceType']}/{r['id']}" for r in (await store.search(parse(text))).matches)


def to(text: str) -> dict[str, str]:
    return {"reference": text}


def coded(code: str) -> dict[str, Any]:
    return {"coding": [{"system": "urn:x", "code": code}]}


CHART: list[Resource] = [
    {"resourceType": "Organization", "id": "o1", "name": "Acme"},
    {"resourceType": "Organization", "id": "o2", "name": "Other", "partOf": to("Organization/o1")},
    {"resourceType": "Practitioner", "id": "d1", "name": [{"family": "Öst"}]},
    {"resourceType": "Patient", "id": "p1", "name": [{"family": "Peter"}], "gender": "male",
     "managingOrganization": to("Organization/o2"), "generalPractitioner": [to("Practitioner/d1")]},
    {"resourceType": "Patient", "id": "p2", "name": [{"family": "Paula"}], "gender": "female"},
    {"resourceType": "Patient", "id": "p3", "managingOrganization": to("Organization/o1")},
    {"resourceType": "Group", "id": "g1", "type": "person", "actual": True, "member": [{"entity": to("Patient/p2")}]},
    {"resourceType": "Location", "id": "l1", "name": "Peter's ward"},
    {"resourceType": "Encounter", "id": "e1", "status": "finished", "class": {"code": "IMP"},
     "subject": to("Patient/p1"), "period": {"start": "2020-01-01", "end": "2020-01-05"}},
    {"resourceType": "Encounter", "id": "e2", "status": "finished", "class": {"code": "AMB"},
     "subject": to("Patient/p2"), "partOf": to("Encounter/e1")},
    {"resourceType": "Observation", "id": "b1", "status": "final", "code": coded("1"), "subject": to("Patient/p1"),
     "encounter": to("Encounter/e1"), "valueQuantity": {"value": 7.5}, "effectiveDateTime": "2020-01-02"},
    {"resourceType": "Observation", "id": "b2", "status": "final", "code": coded("2"), "subject": to("Patient/p2"),
     "encounter": to("Encounter/e2"), "performer": [to("Practitioner/d1")]},
    {"resourceType": "Observation", "id": "b3", "status": "final", "code": coded("1"), "subject": to("Location/l1")},
    {"resourceType": "Observation", "id": "b4", "status": "amended", "code": coded("3"), "subject": to("Group/g1")},
    {"resourceType": "DiagnosticReport", "id": "r1", "status": "final", "code": coded("9"),
     "subject": to("Patient/p1/_history/1"), "result": [to("Observation/b1"), to("Observation/b9")]},
    {"resourceType": "Provenance", "id": "v1", "target": [to("Patient/p1"), to("Patient/p3"), to("Observation/b2")],
     "recorded": "2020-02-02T00:00:00Z", "agent": [{"who": to("Practitioner/d1")}]},
    {"resourceType": "Medication", "id": "m1", "code": coded("asa"), "manufacturer": to("Organization/o1")},
    {"resourceType": "MedicationRequest", "id": "q1", "status": "active", "intent": "order",
     "subject": to("Patient/p1"), "medicationReference": to("Medication/m1")},
    {"resourceType": "MedicationRequest", "id": "q2", "status": "active", "intent": "order",
     "subject": to("Patient/p2"), "medicationReference": to("#in"), "contained": [
         {"resourceType": "Medication", "id": "in", "code": coded("asa"), "manufacturer": to("#maker")},
         {"resourceType": "Organization", "id": "maker", "name": "Acme too"}]},
    {"resourceType": "MedicationRequest", "id": "q3", "status": "active", "intent": "order",
     "subject": to("Patient/p2"), "medicationReference": to("#in"), "contained": [
         {"resourceType": "Medication", "id": "in", "code": coded("other"), "manufacturer": to("Organization/o2")},
         {"resourceType": "Medication", "id": "not", "code": coded("asa")}]},
]  # fmt: skip

CASES = [
    ("Observation?subject:Patient.name=peter", ["b1"]),
    ("Observation?subject.name=peter", ["b1", "b3"]),
    ("Observation?patient.name=peter", ["b1"]),
    ("Observation?patient.gender:not=male", ["b2"]),
    ("Observation?patient.name:exact=peter", []),
    ("Observation?patient.name:contains=aul", ["b2"]),
    ("Observation?patient._id=p1,p2", ["b1", "b2"]),
    ("Observation?patient.organization.partof.name=acme", ["b1"]),
    ("Observation?patient.organization:Organization.partof:Organization.name=acme", ["b1"]),
    ("Observation?encounter.class=IMP&patient=p1", ["b1"]),
    ("Observation?encounter.class=IMP&patient=p2", []),
    ("Observation?encounter.part-of.date=ge2020-01-01", ["b2"]),
    ("Observation?performer.name=ost", ["b2"]),
    ("DiagnosticReport?result.value-quantity=gt7", ["r1"]),
    ("DiagnosticReport?result.code:missing=true", []),
    ("DiagnosticReport?result.encounter.class=IMP", ["r1"]),
    ("Provenance?target:Patient.gender=male", ["v1"]),
    ("Provenance?target.code=2", ["v1"]),
    ("MedicationRequest?medication.code=asa", ["q1", "q2"]),
    ("MedicationRequest?medication.code=asa&patient=p2", ["q2"]),
    ("MedicationRequest?medication.manufacturer.name=acme", ["q1", "q2"]),
    ("MedicationRequest?medication.manufacturer.name=other", ["q3"]),
    ("MedicationRequest?medication.manufacturer=Organization/o2", ["q3"]),
    ("Patient?_has:Observation:patient:code=1", ["p1"]),
    ("Patient?_has:Observation:patient:code=urn:x|1,urn:x|2", ["p1", "p2"]),
    ("Patient?_has:Observation:subject:date=2020-01", ["p1"]),
    ("Patient?_has:Provenance:target:recorded=2020-02-02", ["p1", "p3"]),
    ("Patient?_has:Provenance:patient:agent=Practitioner/d1", ["p1", "p3"]),
    ("Patient?_has:Observation:patient:code=1&gender=female", []),
    ("Patient?_has:Encounter:patient:_has:Observation:encounter:code=2", ["p2"]),
    ("Patient?_has:Observation:patient:encounter.class=AMB", ["p2"]),
    ("Patient?_has:Group:member:actual=true", ["p2"]),
    ("Practitioner?_has:Patient:general-practitioner:family=peter", ["d1"]),
    ("Practitioner?_has:Observation:performer:patient.gender=female", ["d1"]),
    ("Encounter?patient._has:Observation:patient:code=1", ["e1"]),
    ("Encounter?patient._has:Group:member:_id=g1", ["e2"]),
    ("Observation?_has:DiagnosticReport:result:code=9", ["b1"]),
    ("Observation?_has:DiagnosticReport:result:patient.gender=male", ["b1"]),
    ("Organization?_has:Patient:organization:_has:Observation:patient:code-value-quantity=1$gt7", ["o2"]),
    ("Medication?_has:MedicationRequest:medication:status=active", ["m1"]),
]


@pytest.mark.parametrize(("text", "found"), CASES, ids=lambda x: x if isinstance(x, str) else "")
async def test_chain(text: str, found: list[str]) -> None:
    async with make(CHART) as store:
        assert [name.partition("/")[2] for name in await ids(store, text)] == found
        assert await ids(store, text) == slow(CHART, text)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Observation?code.name=x", "no reference"),
        ("Observation?patient:Group.name=x", "does not lead"),
        ("Observation?patient.colour=x", "colour"),
        ("Observation?subject.colour=x", "colour"),
        ("Observation?patient.birthdate=soon", "not a date"),
        ("Observation?patient.name:below=x", "below"),
        ("Observation?patient.=x", "no search parameter ''"),
        ("Patient?_has=x", "_has"),
        ("Patient?_has:Observation:patient=x", "_has"),
        ("Patient?_has:Planet:patient:code=x", "_has"),
        ("Patient?_has:Observation:code:code=x", "no reference"),
        ("Patient?_has:Observation:encounter:code=x", "no reference to Patient"),
        ("Patient?_has:Observation:patient:_text=x", "_text"),
        ("Encounter?" + "part-of." * 9 + "status=finished", "more than"),
        ("Observation?" + "focus." * 40 + "status=final", "can meet"),
    ],
)
async def test_a_chain_that_leads_nowhere_is_refused(text: str, named: str) -> None:
    async with make(CHART) as store:
        with pytest.raises(QueryError, match=named):
            await store.search(parse(text))


def test_a_chain_is_told_from_a_plain_parameter() -> None:
    (chain, has, plain), _ = check(
        parse("Patient?organization.name=x&_has:Observation:patient:code=1&organization=Organization/1")
    )
    assert chain.chain and not chain.chain.reverse and [t for t, _ in chain.chain.tests] == ["Organization"]
    assert has.chain and has.chain.reverse and has.written == "_has:Observation:patient:code"
    assert plain.chain is None and plain.written == "organization"
    for param in (chain, has):
        with pytest.raises(QueryError, match="other"):
            matches(CHART[3], param)


async def test_a_deleted_end_no_longer_counts() -> None:
    async with make(CHART) as store:
        assert store.delete(parse_reference("Patient/p1"))
        assert await ids(store, "Observation?patient.name=peter") == []
        assert store.delete(parse_reference("Observation/b2"))
        assert await ids(store, "Patient?_has:Observation:patient:code=2") == []


def parse_reference(text: str) -> Any:
    from fhir_tools.types import Reference

    return Reference.parse(text)


# The slow reading: every resource, every reference, without an index.


def slow(resources: Sequence[Resource], text: str) -> list[str]:
    query = parse(text)
    filters, _ = check(query)
    mine = [r for r in resources if r["resourceType"] == query.type]
    return sorted(name(r) for r in mine if all(meets(resources, r, r, p) for p in filters))


def name(resource: Mapping[str, Any]) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def meets(resources: Sequence[Resource], container: Resource, resource: Resource, param: Param) -> bool:
    if param.chain is None:
        return matches(resource, param)
    tests = dict(param.chain.tests)
    if param.chain.reverse:
        ((kind, test),) = tests.items()
        return resource is container and any(
            name(resource) in linked(r, param.spec) and meets(resources, r, r, test)
            for r in resources
            if r["resourceType"] == kind
        )
    names = set(linked(resource, param.spec))
    parts = {inner(e) for e in walk(resource, param.spec.paths)} - {None}
    ends = [(r, r) for r in resources if name(r) in names]
    ends += [(container, r) for r in container.get("contained", ()) if r["id"] in parts]
    return any(r["resourceType"] in tests and meets(resources, outer, r, tests[r["resourceType"]]) for outer, r in ends)


PEOPLE = (
    "Patient/a",
    "Patient/b",
    "Patient/a",
    "Patient/b",
    "Group/a",
    "Patient/gone",
    "http://else.test/Patient/a",
    "Patient/b/_history/2",
)
VISITS = ("Encounter/a", "Encounter/b", "Encounter/a", "Encounter/gone")
NAMES = st.sampled_from(("Ann", "Änna"))
CODES = st.sampled_from("12")


def few(kind: str, fields: dict[str, st.SearchStrategy[Any]], most: int = 2) -> st.SearchStrategy[list[Resource]]:
    """Some resources of a type, most of them with most fields: else hardly a chain would meet anything."""
    one = st.fixed_dictionaries({name: st.one_of(value, value, value, st.none()) for name, value in fields.items()})
    made = one.map(lambda found: {k: v for k, v in found.items() if v is not None})
    numbered = st.lists(made, min_size=most, max_size=most)
    return numbered.map(lambda found: [{"resourceType": kind, "id": "abc"[n], **r} for n, r in enumerate(found)])


def link(*texts: str) -> st.SearchStrategy[dict[str, str]]:
    return st.sampled_from(texts).map(to)


CHARTS = st.tuples(
    few("Organization", {"name": NAMES, "partOf": link("Organization/a", "Organization/b")}),
    few("Patient", {"name": NAMES.map(lambda n: [{"given": [n]}]), "gender": st.sampled_from(["male", "female"]),
                    "managingOrganization": link("Organization/a", "Organization/b")}),
    few("Group", {"name": NAMES, "member": st.lists(link(*PEOPLE).map(lambda r: {"entity": r}), max_size=2)}),
    few("Encounter", {"subject": link(*PEOPLE), "partOf": link(*VISITS), "status": st.sampled_from(["planned", "done"]),
                      "serviceProvider": link("Organization/a", "Organization/b")}),
    few("Observation", {"subject": link(*PEOPLE), "encounter": link(*VISITS), "code": CODES.map(coded),
                        "hasMember": st.lists(link("Observation/a", "Observation/b", "Observation/c"), max_size=2)}, 3),
    few("Provenance", {"target": st.lists(link(*PEOPLE, *VISITS, "Observation/a"), max_size=3)}),
).map(lambda parts: [r for part in parts for r in part])  # fmt: skip

LINKS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "Organization": (("partof", ("Organization",)),),
    "Patient": (("organization", ("Organization",)),),
    "Group": (("member", ("Patient", "Group")),),
    "Encounter": (("subject", ("Patient", "Group")), ("patient", ("Patient",)), ("part-of", ("Encounter",)),
                  ("service-provider", ("Organization",))),
    "Observation": (("subject", ("Patient", "Group")), ("patient", ("Patient",)), ("encounter", ("Encounter",)),
                    ("has-member", ("Observation",))),
    "Provenance": (("target", ("Patient", "Encounter", "Observation")), ("patient", ("Patient",))),
}  # fmt: skip
PLAIN = {
    "Organization": ("name=ann", "name:exact=Ann", "partof:missing=false", "_id=a,b"),
    "Patient": (
        "name=ann",
        "name:exact=Änna",
        "gender=male",
        "gender:not=male",
        "organization:missing=false",
        "name:contains=nn",
        "_id=b",
    ),
    "Group": ("member=Patient/a,Patient/b", "_id=a"),
    "Encounter": ("status=done", "status:not=done", "patient=a", "_id=a,b"),
    "Observation": ("code=1", "code=urn:x|2", "code:missing=true", "patient=b", "subject=a"),
    "Provenance": ("target=Patient/a,Patient/b", "patient:missing=false"),
}


@st.composite
def asked(draw: st.DrawFn, type_: str | None = None, depth: int = 0) -> str:
    """A parameter of a type: plain, a chain (typed or not), or a `_has`, some steps deep."""
    kind = type_ or draw(st.sampled_from(sorted(LINKS)))
    step = (
        draw(st.sampled_from(("plain", "plain", "chain", "has") if depth else ("chain", "has")))
        if depth < 3
        else "plain"
    )
    if step == "chain":
        via, targets = draw(st.sampled_from(LINKS[kind]))
        target = draw(st.sampled_from(targets))
        typed = f":{target}" if draw(st.booleans()) else ""
        text = f"{via}{typed}.{draw(asked(target, depth + 1))}"
    elif step == "has" and (ways := [(o, v) for o, ls in LINKS.items() for v, ts in ls if kind in ts]):
        other, via = draw(st.sampled_from(ways))
        text = f"_has:{other}:{via}:{draw(asked(other, depth + 1))}"
    else:
        text = draw(st.sampled_from(PLAIN[kind]))
    return f"{kind}?{text}" if type_ is None else text


@settings(max_examples=250)
@given(CHARTS, st.lists(asked(), min_size=1, max_size=8))
async def test_every_chain_is_what_reading_all_gives(resources: list[Resource], texts: list[str]) -> None:
    async with make(resources) as store:
        for text in texts:
            assert await ids(store, text) == slow(resources, text), text
