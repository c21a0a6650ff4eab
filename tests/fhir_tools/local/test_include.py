"""`_include` and `_revinclude`: by type and target, over several steps, each resource once."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_tools.errors import QueryError
from fhir_tools.local import LocalStore
from fhir_tools.local.include import ROUNDS
from fhir_tools.search.query import parse


def to(text: str) -> dict[str, str]:
    return {"reference": text}


def chart() -> LocalStore:
    store = LocalStore()
    patient = to("Patient/p")
    with store.transaction():
        for resource in (
            {"resourceType": "Patient", "id": "p", "managingOrganization": to("Organization/o")},
            {"resourceType": "Organization", "id": "o", "partOf": to("Organization/top")},
            {"resourceType": "Organization", "id": "top", "partOf": to("Organization/o")},
            {"resourceType": "Medication", "id": "m", "manufacturer": to("Organization/o")},
            {"resourceType": "Encounter", "id": "e", "subject": patient},
            {"resourceType": "MedicationRequest", "id": "r", "subject": patient, "encounter": to("Encounter/e"),
             "medicationReference": to("Medication/m/_history/1")},
            {"resourceType": "MedicationRequest", "id": "r2", "subject": to("Patient/none")},
            {"resourceType": "MedicationDispense", "id": "d", "subject": patient,
             "authorizingPrescription": [to("MedicationRequest/r")]},
            {"resourceType": "Observation", "id": "b", "subject": to("Group/g"), "hasMember": [to("Observation/b2")]},
            {"resourceType": "Observation", "id": "b2", "subject": patient, "hasMember": [to("Observation/b")]},
            {"resourceType": "Group", "id": "g"},
            {"resourceType": "Provenance", "id": "v", "target": [to("MedicationRequest/r"), patient]},
        ):  # fmt: skip
            store.put(resource)
    return store


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("MedicationRequest?_id=r&_include=MedicationRequest:medication", ["m"]),
        ("MedicationRequest?_id=r&_include=MedicationRequest:subject:Group", []),
        ("MedicationRequest?_id=r&_include=MedicationRequest:subject:Patient", ["p"]),
        ("MedicationRequest?_id=r&_include=MedicationRequest:*", ["e", "m", "p"]),
        ("MedicationRequest?_id=r&_include=MedicationRequest:*:Patient", ["p"]),
        ("MedicationRequest?_id=r&_include=*", ["e", "m", "p"]),
        ("MedicationRequest?_id=r&_include=Encounter:subject", []),
        (
            "MedicationRequest?_id=r&_include=MedicationRequest:medication&_include=MedicationRequest:encounter",
            ["e", "m"],
        ),
        ("MedicationRequest?_id=r&_include=MedicationRequest:medication&_include=Medication:manufacturer", ["m"]),
        (
            "MedicationRequest?_id=r&_include=MedicationRequest:medication&_include:iterate=Medication:manufacturer",
            ["m", "o"],
        ),
        (
            "MedicationRequest?_id=r&_include=MedicationRequest:medication&_include:iterate=Medication:manufacturer"
            "&_include:iterate=Organization:partof",
            ["m", "o", "top"],
        ),
        ("Organization?_id=o&_include:iterate=Organization:partof", ["top"]),
        ("Observation?_id=b&_include=Observation:patient", []),
        ("Observation?_id=b&_include=Observation:subject", ["g"]),
        ("Observation?_id=b,b2&_include:iterate=Observation:has-member", []),
        ("MedicationRequest?_id=r2&_include=MedicationRequest:subject", []),
        ("Patient?_id=p&_revinclude=MedicationRequest:patient", ["r"]),
        ("Patient?_id=p&_revinclude=Provenance:target", ["v"]),
        ("Patient?_id=p&_revinclude=Observation:*", ["b2"]),
        ("Patient?_id=p&_revinclude=Observation:subject:Group", []),
        (
            "Patient?_id=p&_revinclude=MedicationRequest:patient&_revinclude:iterate=MedicationDispense:prescription",
            ["d", "r"],
        ),
        (
            "Patient?_id=p&_revinclude=MedicationDispense:patient&_include:iterate=MedicationDispense:prescription"
            "&_include:iterate=MedicationRequest:medication&_revinclude:iterate=Provenance:target",
            ["d", "m", "r", "v"],
        ),
        ("Medication?_id=m&_revinclude=MedicationRequest:medication", ["r"]),
        ("Patient?_id=none&_revinclude=Observation:patient", []),
    ],
)
async def test_included(text: str, found: list[str]) -> None:
    async with chart() as store:
        result = await store.search(parse(text))
        assert sorted(r["id"] for r in result.included) == found
        assert result.complete and {r["resourceType"] for r in result.matches} <= {text.partition("?")[0]}


async def test_a_chain_of_links_is_followed_so_far_and_no_further() -> None:
    async with LocalStore() as store:
        for n in range(ROUNDS + 3):
            store.put({"resourceType": "Encounter", "id": f"e{n}", "partOf": to(f"Encounter/e{n + 1}")})
        result = await store.search(parse("Encounter?_id=e0&_include:iterate=Encounter:part-of"))
        assert [r["id"] for r in result.included] == [f"e{n + 1}" for n in range(ROUNDS)]
        assert not result.complete and "iterate" in str(result.error)
        again = await store.search(parse("Encounter?_id=e2&_include:iterate=Encounter:part-of"))
        assert len(again.included) == ROUNDS and again.complete


@pytest.mark.parametrize(
    ("param", "named"),
    [
        ("_include=Observation", "Type:parameter"),
        ("_include=Observation:code", "no reference parameter 'code'"),
        ("_include=Planet:patient", "Type:parameter"),
        ("_include=Observation:patient:Group", "does not lead"),
        ("_include=Observation:patient:Planet", "Type:parameter"),
        ("_include:recurse=Observation:patient", "recurse"),
        ("_revinclude=*", "Type:"),
        ("_revinclude=Observation:colour", "colour"),
        ("_include=Observation:patient&_summary=text", "_summary=text"),
    ],
)
async def test_what_cannot_be_included_is_named(param: str, named: str) -> None:
    async with chart() as store:
        with pytest.raises(QueryError, match=named):
            await store.search(parse(f"Observation?{param}"))


async def test_what_is_included_comes_with_its_own_page_only() -> None:
    async with chart() as store:
        first = await store.search(parse("MedicationRequest?_count=1&_include=MedicationRequest:patient"))
        assert [r["id"] for r in first.included] == ["p"] and first.next
        second: Any = await store.search(parse(first.next))
        assert [r["id"] for r in second.matches] == ["r2"] and second.included == ()
