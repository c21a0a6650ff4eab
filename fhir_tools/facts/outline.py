"""Which elements the catalogue needs of each type: enough for concept, standing and time, without values and bodies."""

from __future__ import annotations

from collections.abc import Mapping

from fhir_tools.facts.elements import Resource, mapping_of, text_of
from fhir_tools.types import Fact

__all__ = ["CATALOGUE_ELEMENTS", "is_enough"]


def _choice(name: str, *types: str) -> tuple[str, ...]:
    """A choice element as `_elements` may want it: R4 names base elements, and servers differ in what that is."""
    return (name, *(f"{name}{type_}" for type_ in types))


_DRUG = ("status", *_choice("medication", "CodeableConcept", "Reference"), "contained")
_WHEN_TAKEN = _choice("effective", "DateTime", "Period")

CATALOGUE_ELEMENTS: Mapping[str, tuple[str, ...]] = {
    "Observation": (
        "status", "category", "code", *_choice("effective", "DateTime", "Period", "Instant", "Timing"), "issued",
        "component",
    ),
    "Condition": (
        "code", "verificationStatus", *_choice("onset", "DateTime", "Period", "Age", "Range", "String"), "recordedDate",
    ),
    "MedicationRequest": (*_DRUG, "intent", "doNotPerform", "authoredOn"),
    "MedicationStatement": (*_DRUG, *_WHEN_TAKEN, "dateAsserted"),
    "MedicationAdministration": (*_DRUG, *_WHEN_TAKEN),
    "MedicationDispense": (*_DRUG, "whenHandedOver", "whenPrepared"),
    "AllergyIntolerance": (
        "code", "reaction", "verificationStatus", *_choice("onset", "DateTime", "Period", "Age", "Range", "String"),
        "recordedDate",
    ),
    "Immunization": ("status", "vaccineCode", *_choice("occurrence", "DateTime", "String")),
    "Procedure": ("status", "code", *_choice("performed", "DateTime", "Period", "String", "Age", "Range")),
    "Encounter": ("status", "class", "type", "period"),
    "DiagnosticReport": ("status", "code", *_choice("effective", "DateTime", "Period"), "issued"),
    "DocumentReference": ("status", "docStatus", "type", "description", "date", "context"),
    "Composition": ("status", "type", "title", "date"),
    "ImagingStudy": ("status", "procedureCode", "description", "started"),
    "FamilyMemberHistory": ("status", "relationship", "condition", "date"),
    "ServiceRequest": (
        "status", "code", "doNotPerform", *_choice("occurrence", "DateTime", "Period", "Timing"), "authoredOn",
    ),
    "CarePlan": ("status", "category", "title", "description", "period", "created"),
    "Goal": ("lifecycleStatus", "description", *_choice("start", "Date", "CodeableConcept"), "statusDate"),
    "Device": ("status", "type", "manufactureDate"),
}  # fmt: skip
"""Top-level names (R4 3.1.1.5.9) by type: what is left makes facts with the concept, standing and time of the whole."""


def is_enough(resource: Resource, facts: tuple[Fact, ...]) -> bool:
    """Whether a resource that was cut to these elements names what it is about; else the whole has to be asked for.

    A document without type and description takes the title of its content, an imaging study its series' modality;
    a contained Medication may be lost with the cut.
    """
    if resource.get("resourceType") == "ImagingStudy":
        return bool(resource.get("procedureCode") or text_of(resource.get("description")))
    link = text_of(mapping_of(resource.get("medicationReference")).get("reference"))
    if link.startswith("#"):
        return bool(resource.get("contained"))
    return bool(link) or not any(f.concept.label.startswith("unnamed ") for f in facts)
