"""Drugs named by their Medication: what came along, what is read, what leads nowhere and what fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from fhir_tools.errors import NotFound, ScopeError, SourceError
from fhir_tools.facts import facts_of
from fhir_tools.following import link_of, named, read_drugs
from fhir_tools.types import Fact, Reference

CODE = {"text": "Metformin", "coding": [{"system": "urn:rx", "code": "1"}]}


def fact(reference: str, **more: Any) -> Fact:
    link = {"medicationReference": {"reference": reference, "display": "a drug"}}
    return facts_of({"resourceType": "MedicationStatement", "id": "s", "status": "active", **link, **more})[0]


class Reads:
    """Answers reads from a table; a fault is raised."""

    def __init__(self, **table: Any) -> None:
        self.table = table
        self.asked: list[str] = []

    async def read(self, reference: Reference, version: str | None = None) -> Mapping[str, Any]:
        self.asked.append(str(reference))
        told = self.table[reference.id]
        if isinstance(told, Exception):
            raise told
        return told  # type: ignore[no-any-return]


def medication(id_: str, code: Any = CODE) -> dict[str, Any]:
    return {"resourceType": "Medication", "id": id_, **({"code": code} if code else {})}


async def test_what_came_along_is_not_read_and_the_rest_once() -> None:
    source = Reads(b=medication("b"))
    facts = [fact("Medication/a"), fact("Medication/b"), fact("http://fhir.example/r4/Medication/b/_history/2")]
    drugs = await read_drugs(source, facts, [medication("a"), {"resourceType": "Patient", "id": "x"}])  # type: ignore[arg-type]
    assert source.asked == ["Medication/b"]
    assert [named(f, drugs).concept.label for f in facts] == ["Metformin"] * 3
    assert drugs.error is None


async def test_an_included_medication_without_its_code_was_cut_and_is_read() -> None:
    source = Reads(a=medication("a"))
    drugs = await read_drugs(source, [fact("Medication/a")], [medication("a", None)])  # type: ignore[arg-type]
    assert source.asked == ["Medication/a"]
    assert named(fact("Medication/a"), drugs).concept.codings[0].code == "1"


@pytest.mark.parametrize("fault", [NotFound("no"), ScopeError("no")])
async def test_a_dirty_reference_leaves_the_order_as_it_is(fault: Exception) -> None:
    drugs = await read_drugs(Reads(a=fault), [fact("Medication/a")], ())  # type: ignore[arg-type]
    assert drugs.error is None
    assert named(fact("Medication/a"), drugs).concept.label == "a drug"


async def test_a_fault_is_told() -> None:
    source = Reads(a=SourceError("the server answered 502"), b=medication("b"))
    drugs = await read_drugs(source, [fact("Medication/a"), fact("Medication/b")], ())  # type: ignore[arg-type]
    assert drugs.error == "the server answered 502"
    assert named(fact("Medication/b"), drugs).concept.label == "Metformin"


@pytest.mark.parametrize("reference", ["#m", "urn:uuid:0", "Patient/p", "", "Substance/s"])
async def test_what_is_no_medication_is_not_read(reference: str) -> None:
    source = Reads()
    assert link_of(fact(reference)) is None
    assert (await read_drugs(source, [fact(reference)], ())).known == {}  # type: ignore[arg-type]
    assert source.asked == []


async def test_a_code_that_says_nothing_names_nothing() -> None:
    drugs = await read_drugs(Reads(), [], [medication("a", {"coding": [{"system": "urn:rx"}]})])  # type: ignore[arg-type]
    assert named(fact("Medication/a"), drugs).concept.label == "unnamed MedicationStatement"
