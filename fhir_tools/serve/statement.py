"""The CapabilityStatement: what the server has, by the same tables that it searches by (R4 CapabilityStatement)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Any

from fhir_tools.local import LocalStore
from fhir_tools.search.query import R4_TYPES, parameters
from fhir_tools.serve import rows
from fhir_tools.serve.formats import FORMATS
from fhir_tools.source import CATALOGUE_OPERATION

__all__ = ["capability_statement"]

_READING = ("read", "vread", "history-instance", "history-type", "search-type")
_WRITING = ("create", "update", "delete")
_HL7 = "http://hl7.org/fhir"
_OPERATIONS = {
    "Patient": (
        ("everything", f"{_HL7}/OperationDefinition/Patient-everything"),
        ("export", f"{_HL7}/uv/bulkdata/OperationDefinition/patient-export"),
    ),
    "Group": (("export", f"{_HL7}/uv/bulkdata/OperationDefinition/group-export"),),
    "Observation": (("lastn", f"{_HL7}/OperationDefinition/Observation-lastn"),),
}


def capability_statement(
    store: LocalStore, base: str, started: str, *, writable: bool, catalogue: bool
) -> dict[str, Any]:
    """What `GET metadata` answers. `started` is the instant that the server was started."""
    stored = frozenset(rows.stored_types(store))
    software = {"name": "chartline", "version": version("chartline")}
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": started,
        "kind": "instance",
        "instantiates": [f"{_HL7}/uv/bulkdata/CapabilityStatement/bulk-data"],
        "software": software,
        "implementation": {"description": "chartline's embedded FHIR store", "url": base},
        "fhirVersion": "4.0.1",
        "format": list(FORMATS),
        "rest": [
            {
                "mode": "server",
                "documentation": "No security: for this machine only. Unknown search parameters are refused unless "
                "Prefer: handling=lenient is given." + ("" if writable else " Read-only."),
                "resource": [_resource(type_, stored, writable, catalogue) for type_ in _types(stored)],
                "interaction": [{"code": code} for code in _system(writable)],
                "operation": [
                    {"name": "export", "definition": f"{_HL7}/uv/bulkdata/OperationDefinition/export"},
                ],
            }
        ],
    }


def _system(writable: bool) -> Iterator[str]:
    yield from ("batch", "search-system", "history-system")
    if writable:
        yield "transaction"


def _types(stored: frozenset[str]) -> list[str]:
    """The types that have search parameters of their own, and those the store holds."""
    known = {type_ for type_ in R4_TYPES if len(parameters(type_)) > len(parameters("*"))}
    return sorted(known | {"Binary"} | stored)


@lru_cache(maxsize=512)
def _resource(type_: str, stored: frozenset[str], writable: bool, catalogue: bool) -> dict[str, Any]:
    links = [p for p in parameters(type_).values() if p.type == "reference"]
    found: dict[str, Any] = {
        "type": type_,
        "interaction": [{"code": code} for code in (*_READING, *(_WRITING if writable else ()))],
        "versioning": "versioned-update" if writable else "versioned",
        "readHistory": True,
        "updateCreate": writable,
        "conditionalCreate": writable,
        "conditionalRead": "full-support",
        "conditionalUpdate": writable,
        "conditionalDelete": "single" if writable else "not-supported",
        "searchInclude": ["*", *(f"{type_}:{p.name}" for p in links)] if links else [],
        "searchRevInclude": _pointing(type_, stored),
        "searchParam": [{"name": p.name, "type": p.type} for p in parameters(type_).values()],
        "operation": [{"name": name, "definition": url} for name, url in _operations(type_, catalogue)],
    }
    return {name: value for name, value in found.items() if value != []}


def _operations(type_: str, catalogue: bool) -> Iterator[tuple[str, str]]:
    yield from _OPERATIONS.get(type_, ())
    if catalogue and type_ == "Patient":
        name = CATALOGUE_OPERATION.removeprefix("$")
        yield name, f"urn:chartline:operation:{name}"


def _pointing(type_: str, stored: frozenset[str]) -> list[str]:
    """The `Type:parameter` that can refer to a type; what may refer to any type is told for the types in the store."""
    table = _links()
    return sorted((*table.get(type_, ()), *(text for text in table["*"] if text.partition(":")[0] in stored)))


@cache
def _links() -> dict[str, tuple[str, ...]]:
    """Target type → the `Type:parameter` that refer to it; `*` has those that may refer to any type."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for type_ in sorted(R4_TYPES):
        for spec in parameters(type_).values():
            if spec.type == "reference":
                for target in spec.targets or ("*",):
                    found[target].append(f"{type_}:{spec.name}")
    return {target: tuple(names) for target, names in found.items()}
