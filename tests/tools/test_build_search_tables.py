"""From FHIRPath to element paths: the table that search reads, made from HL7's definitions."""

from __future__ import annotations

from typing import Any

import pytest

from tools.build_search_tables import Definitions, element_lines, parameter_lines


def element(path: str, *types: str, summary: bool = False, least: int = 0, to: tuple[str, ...] = ()) -> dict[str, Any]:
    profiles = [f"http://hl7.org/fhir/StructureDefinition/{t}" for t in to]
    made = [{"code": t} | ({"targetProfile": profiles} if t == "Reference" and profiles else {}) for t in types]
    return {"path": path, "type": made, "isSummary": summary, "min": least}


def structure(type_: str, kind: str, *parts: dict[str, Any]) -> dict[str, Any]:
    elements = [{"path": type_, "min": 0}, *parts]
    return {"type": type_, "kind": kind, "abstract": False, "derivation": "specialization",
            "snapshot": {"element": elements}}  # fmt: skip


KNOWN = Definitions(
    [
        structure("Period", "complex-type", element("Period.start", "dateTime")),
        structure("Resource", "resource", element("Resource.id", "id")) | {"abstract": True},
        structure(
            "Thing",
            "resource",
            element("Thing.code", "CodeableConcept", summary=True, least=1),
            element("Thing.name", "Identifier"),
            element("Thing.value[x]", "Quantity", "CodeableConcept", "dateTime", "Period", summary=True),
            element("Thing.who", "Reference", to=("Patient", "Group")),
            element("Thing.telecom", "ContactPoint"),
            element("Thing.part", "BackboneElement", summary=True),
            element("Thing.part.value[x]", "Quantity"),
            element("Thing.part.size", "integer", summary=True, least=1),
        ),
    ]
)


def parameter(code: str, kind: str, expression: str, **more: Any) -> dict[str, Any]:
    return {"id": f"Thing-{code}", "code": code, "type": kind, "base": ["Thing"], "expression": expression, **more}


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (parameter("code", "token", "Other.code | Thing.code"), "code token code"),
        (parameter("name", "token", "Thing.name"), "name token! name"),
        (parameter("date", "date", "Thing.value"), "date date valueDateTime|valuePeriod"),
        (parameter("q", "quantity", "(Thing.value as Quantity) | (Thing.part.value as Quantity)"),
         "q quantity valueQuantity|part.valueQuantity"),
        (parameter("c", "token", "Thing.value.as(CodeableConcept)"), "c token valueCodeableConcept"),
        (parameter("patient", "reference", "Thing.who.where(resolve() is Patient)", target=["Patient", "Group"]),
         "patient reference who > Patient"),
        (parameter("who", "reference", "Thing.who", target=["Patient", "Device", "Group"]),
         "who reference who > Group Patient"),
        (parameter("phone", "token", "Thing.telecom.where(system='phone')"), "phone token telecom[system=phone]"),
        (parameter("start", "date", "(Thing.value as Period).start"), "start date valuePeriod.start"),
    ],
)  # fmt: skip
def test_a_line_of_the_table(given: dict[str, Any], line: str) -> None:
    assert " ".join(list(parameter_lines(KNOWN, [given]))[-1].split()) == line


def test_a_composite_has_its_components() -> None:
    parts = [
        {"definition": "x/Thing-code", "expression": "code"},
        {"definition": "x/Thing-q", "expression": "value.as(Quantity)"},
    ]
    made = [
        parameter("code", "token", "Thing.code"),
        parameter("q", "quantity", "Thing.value as Quantity"),
        parameter("code-q", "composite", "Thing", component=parts),
    ]
    line = next(x for x in parameter_lines(KNOWN, [made[0], made[1] | {"expression": "(Thing.value as Quantity)"}, made[2]]) if "code-q" in x)  # fmt: skip  # noqa: E501
    assert " ".join(line.split()) == "code-q composite . = code token code ; q quantity valueQuantity"


def test_an_expression_that_leads_nowhere_stops_the_build() -> None:
    with pytest.raises(SystemExit, match="Thing"):
        list(parameter_lines(KNOWN, [parameter("x", "token", "Thing.colour")]))


def test_elements_tell_what_is_summary_mandatory_and_a_choice() -> None:
    assert list(element_lines(KNOWN)) == ["Thing code^! name value*^ who telecom part^ part.size^!"]
