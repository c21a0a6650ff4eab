"""One FHIR resource → the facts it states. Pure, lenient in reading, and silent about nothing it knows.

`details` by kind (all optional; Concept, Interval, Reference, Quantity, str or tuples of them):

- measurement, social: `category`, `interpretation`, `range` (reference range as text), `body_site`, `panel`
  (Concept of the observation a component belongs to), `note`, `when_from` (`issued` where no effective time)
- condition: `onset`, `abatement` (Interval or text), `recorded`, `clinical`, `verification`, `category`,
  `severity`, `body_site`, `stage`, `when_from` (`recorded`)
- medication: `role` (order, statement, administration, dispense), `intent`, `category`, `dosage`, `dose`, `route`,
  `reason`, `status_reason`, `ends` (of the course), `valid` (the prescription), `medication` (to follow), `request`
- allergy: `clinical`, `verification`, `criticality`, `category`, `reaction`, `negation` (`yes` for "no known …")
- immunization, procedure: `reason`, `body_site`, `outcome`, `status_reason`, `dose`, `category`
- encounter: `class`, `type`, `reason`, `disposition`, `location`, `service`, `provider`
- report: `category`, `results`, `studies`, `codes`;  document: `category`, `title`, `author`, `content_types`
- order, careplan, goal, device: `category`, `intent`, `reason`, `body_site`
- imaging: `modality`, `body_site`, `series`, `instances`, `reason`;  family: `relationship`, `onset`
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fhir_tools.facts.care import document, encounter, imaging, plain, procedure
from fhir_tools.facts.drugs import ROLES, immunization, medication
from fhir_tools.facts.outline import CATALOGUE_ELEMENTS, is_enough
from fhir_tools.facts.person import patient
from fhir_tools.facts.problems import NO_KNOWN, allergy, condition, family
from fhir_tools.facts.results import observation, report
from fhir_tools.types import Fact, Kind

__all__ = ["CATALOGUE_ELEMENTS", "KIND_TYPES", "NO_KNOWN", "facts_of", "is_enough"]

Resource = Mapping[str, Any]

KIND_TYPES: Mapping[Kind, tuple[str, ...]] = {
    "patient": ("Patient",),
    "measurement": ("Observation",),
    "social": ("Observation",),
    "condition": ("Condition",),
    "medication": ("MedicationRequest", "MedicationStatement", "MedicationAdministration", "MedicationDispense"),
    "allergy": ("AllergyIntolerance",),
    "immunization": ("Immunization",),
    "procedure": ("Procedure",),
    "encounter": ("Encounter",),
    "report": ("DiagnosticReport",),
    "document": ("DocumentReference", "Composition"),
    "imaging": ("ImagingStudy",),
    "family": ("FamilyMemberHistory",),
    "order": ("ServiceRequest",),
    "careplan": ("CarePlan",),
    "goal": ("Goal",),
    "device": ("Device",),
}
"""The resource types that state facts of a kind, in the order they are searched."""


def facts_of(resource: Resource) -> tuple[Fact, ...]:
    """The facts of one resource, the whole before its parts; empty for types without clinical content."""
    kind = resource.get("resourceType")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    return tuple(reader(resource)) if reader else ()


_READERS: Mapping[str, Callable[[Resource], Iterator[Fact]]] = {
    "Observation": observation,
    "Condition": condition,
    **dict.fromkeys(ROLES, medication),
    "AllergyIntolerance": allergy,
    "Immunization": immunization,
    "Procedure": procedure,
    "Encounter": encounter,
    "DiagnosticReport": report,
    "DocumentReference": document,
    "Composition": document,
    "ImagingStudy": imaging,
    "FamilyMemberHistory": family,
    "Patient": patient,
    "ServiceRequest": plain(
        "order", "code", ("occurrence", "authoredOn"), {"draft": "planned", "revoked": "cancelled"}
    ),
    "CarePlan": plain("careplan", "category", ("period", "created"), {"draft": "planned", "revoked": "cancelled"}),
    "Goal": plain(
        "goal",
        "description",
        ("start", "statusDate"),
        {"proposed": "planned", "cancelled": "cancelled", "rejected": "cancelled"},
    ),
    "Device": plain("device", "type", ("manufactureDate",), {}),
}
