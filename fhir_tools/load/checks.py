"""Whether a resource is FHIR R4 that can be stored, and what fhir.resources has against it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from fhir_tools.search.query import R4_TYPES

__all__ = ["problems", "refusal"]

Resource = Mapping[str, Any]

_ID = re.compile(r"[A-Za-z0-9\-._]{1,128}")
# The standard allows 64 characters without `_`; real servers give both, and nothing is lost by taking them.

_OTHER_TYPES: Mapping[str, str] = {
    **dict.fromkeys(
        """ActorDefinition ArtifactAssessment BiologicallyDerivedProductDispense Citation ClinicalUseDefinition
        ConditionDefinition DeviceAssociation DeviceDispense DeviceUsage EncounterHistory EvidenceReport
        FormularyItem GenomicStudy ImagingSelection IngredientDefinition Ingredient InventoryItem InventoryReport
        ManufacturedItemDefinition MedicinalProductDefinition NutritionIntake NutritionProduct Permission
        PackagedProductDefinition RegulatedAuthorization RequestOrchestration Requirements SubscriptionStatus
        SubscriptionTopic SubstanceDefinition TestPlan Transport""".split(),
        "R4B or R5",
    ),
    **dict.fromkeys(
        """BodySite Conformance DataElement DeviceComponent DeviceUseRequest DiagnosticOrder EligibilityRequest
        EligibilityResponse ExpansionProfile ImagingManifest ImagingObjectSelection MedicationOrder Order
        OrderResponse ProcedureRequest ProcessRequest ProcessResponse ReferralRequest Sequence
        ServiceDefinition""".split(),
        "STU3 or earlier",
    ),
}
_STU3_ELEMENTS: Mapping[str, tuple[str, ...]] = {
    "Observation": ("context", "comment", "related"),
    "Procedure": ("context", "notDone", "notDoneReason"),
    "DiagnosticReport": ("context", "codedDiagnosis"),
    "MedicationRequest": ("context",),
    "Immunization": ("notGiven", "date", "explanation"),
    "CarePlan": ("context",),
    "Condition": ("context", "assertedDate"),
    "ImagingStudy": ("context",),
}
_CODED_SINCE_R4 = ("clinicalStatus", "verificationStatus")


def refusal(resource: Any) -> str | None:
    """Why this is no FHIR R4 resource that can be stored, with the remedy; None if it is one."""
    if not isinstance(resource, dict):
        return "not a FHIR resource: a JSON object with resourceType is needed"
    type_, id_ = resource.get("resourceType"), resource.get("id")
    if not isinstance(type_, str):
        return "not a FHIR resource: it has no resourceType"
    version = _OTHER_TYPES.get(type_) or _other_version(type_, resource)
    if version:
        return f"{type_} is written as in FHIR {version}; chartline reads R4: export as R4, or convert it"
    if type_ not in R4_TYPES:
        return f"{type_!r} is not a FHIR R4 resource type"
    if id_ is None:
        return f"{type_} without id: give it one (or, in a Bundle, a fullUrl)"
    if not isinstance(id_, str) or not _ID.fullmatch(id_):
        return f"{type_} with an id that FHIR does not allow: letters, digits, '-' and '.' only"
    return None


def _other_version(type_: str, r: Resource) -> str | None:
    """The FHIR version that an element of certain shape gives away."""
    if isinstance(r.get("medication"), dict) and type_.startswith("Medication"):
        return "R5"
    if type_ == "Encounter" and isinstance(r.get("class"), list):
        return "R5"
    if type_ == "Encounter" and isinstance(r.get("class"), str):
        return "DSTU2"
    if type_ in ("Condition", "AllergyIntolerance") and any(isinstance(r.get(k), str) for k in _CODED_SINCE_R4):
        return "STU3 or earlier"
    if any(name in r for name in _STU3_ELEMENTS.get(type_, ())):
        return "STU3 or earlier"
    return None


def problems(resource: Resource) -> Iterator[tuple[str, str]]:
    """(path, rule) of each thing that fhir.resources finds wrong; neither holds a value of the resource."""
    from pydantic import ValidationError

    model = _model(str(resource.get("resourceType")))
    if model is None:
        return
    try:
        model(dict(resource))
    except ValidationError as fault:
        for item in fault.errors(include_url=False, include_input=False, include_context=False):
            steps = [f"[{x}]" if isinstance(x, int) else f".{x}" for x in item["loc"]]
            yield f"{resource['resourceType']}{''.join(steps)}", str(item["type"])


@cache
def _model(type_: str) -> Callable[[dict[str, Any]], object] | None:
    # Imported on use: the models take about a second, and only --validate asks for them.
    from fhir.resources.R4B import get_fhir_model_class

    try:
        validate: Callable[[dict[str, Any]], object] = get_fhir_model_class(type_).model_validate
    except (KeyError, LookupError):
        return None
    return validate
