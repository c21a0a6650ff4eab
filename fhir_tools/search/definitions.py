"""What FHIR R4 defines for search: types, their search parameters, which elements are summary or mandatory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

__all__ = ["R4_TYPES", "Elements", "ParamType", "Path", "SearchParameter", "elements", "parameters"]

ParamType = Literal["token", "date", "string", "reference", "quantity", "number", "uri", "composite", "special"]

R4_TYPES = frozenset(
    """Account ActivityDefinition AdverseEvent AllergyIntolerance Appointment AppointmentResponse AuditEvent Basic
    Binary BiologicallyDerivedProduct BodyStructure Bundle CapabilityStatement CarePlan CareTeam CatalogEntry
    ChargeItem ChargeItemDefinition Claim ClaimResponse ClinicalImpression CodeSystem Communication
    CommunicationRequest CompartmentDefinition Composition ConceptMap Condition Consent Contract Coverage
    CoverageEligibilityRequest CoverageEligibilityResponse DetectedIssue Device DeviceDefinition DeviceMetric
    DeviceRequest DeviceUseStatement DiagnosticReport DocumentManifest DocumentReference EffectEvidenceSynthesis
    Encounter Endpoint EnrollmentRequest EnrollmentResponse EpisodeOfCare EventDefinition Evidence EvidenceVariable
    ExampleScenario ExplanationOfBenefit FamilyMemberHistory Flag Goal GraphDefinition Group GuidanceResponse
    HealthcareService ImagingStudy Immunization ImmunizationEvaluation ImmunizationRecommendation
    ImplementationGuide InsurancePlan Invoice Library Linkage List Location Measure MeasureReport Media Medication
    MedicationAdministration MedicationDispense MedicationKnowledge MedicationRequest MedicationStatement
    MedicinalProduct MedicinalProductAuthorization MedicinalProductContraindication MedicinalProductIndication
    MedicinalProductIngredient MedicinalProductInteraction MedicinalProductManufactured MedicinalProductPackaged
    MedicinalProductPharmaceutical MedicinalProductUndesirableEffect MessageDefinition MessageHeader
    MolecularSequence NamingSystem NutritionOrder Observation ObservationDefinition OperationDefinition
    OperationOutcome Organization OrganizationAffiliation Parameters Patient PaymentNotice PaymentReconciliation
    Person PlanDefinition Practitioner PractitionerRole Procedure Provenance Questionnaire QuestionnaireResponse
    RelatedPerson RequestGroup ResearchDefinition ResearchElementDefinition ResearchStudy ResearchSubject
    RiskAssessment RiskEvidenceSynthesis Schedule SearchParameter ServiceRequest Slot Specimen SpecimenDefinition
    StructureDefinition StructureMap Subscription Substance SubstanceNucleicAcid SubstancePolymer SubstanceProtein
    SubstanceReferenceInformation SubstanceSourceMaterial SubstanceSpecification SupplyDelivery SupplyRequest Task
    TerminologyCapabilities TestReport TestScript ValueSet VerificationResult VisionPrescription""".split()
)
"""The resource types of FHIR R4 (4.0.1)."""

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchParameter:
    """One search parameter of one resource type.

    `paths` are element paths as JSON keys, choice elements spelled out (`effectivePeriod`). A key may carry one filter
    (`telecom[system=phone]`) or end with `?`: whether the element is there and not false (`deceased?`). The empty
    path is the resource itself. `targets` limits a reference; empty means any type. `components` are those of a
    composite, in the order of its value: their paths start at an element that `paths` of the composite finds, or at the
    resource where the first key starts with `%`. `identifiers`: a token whose elements are Identifiers.
    """

    name: str
    type: ParamType
    paths: tuple[Path, ...]
    targets: tuple[str, ...] = ()
    components: tuple[SearchParameter, ...] = ()
    identifiers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Elements:
    """The elements of a resource type: `top` all of the first level; `summary` with those inside (`component.code`)."""

    top: frozenset[str]
    choices: frozenset[str]
    mandatory: frozenset[str]
    summary: frozenset[str]

    def base(self, key: str, parent: str = "") -> str:
        """The element behind a JSON key: `value` for `valueQuantity`, `birthDate` for `_birthDate`."""
        path = parent + key.removeprefix("_")
        for choice in self.choices:
            if path.startswith(choice) and path[len(choice) :][:1].isupper():
                return choice
        return path


@cache
def parameters(type_: str) -> Mapping[str, SearchParameter]:
    """The search parameters of a resource type by name, those of every type included."""
    own = (_row(line) for kind in ("*", type_) for line in _sections().get(kind, ()))
    return {spec.name: spec for spec in own}


@cache
def _sections() -> Mapping[str, tuple[str, ...]]:
    """Lines of the table by type: a type is parsed when it is first asked for."""
    text = files(__package__).joinpath("search_parameters.txt").read_text("utf-8")
    blocks = (block.strip("\n").split("\n") for block in text.split("\n\n"))
    return {lines[0]: tuple(lines[1:]) for lines in blocks if not lines[0].startswith("#")}


def _row(line: str) -> SearchParameter:
    left, _, parts = line.partition(" = ")
    left, _, targets = left.partition(" > ")
    name, kind, paths = left.split()
    return SearchParameter(
        name=name,
        type=kind.rstrip("!"),  # type: ignore[arg-type]
        paths=tuple(() if p == "." else tuple(p.split(".")) for p in paths.split("|")),
        targets=tuple(targets.split()),
        components=tuple(_row(part) for part in parts.split(" ; ")) if parts else (),
        identifiers=kind.endswith("!"),
    )


@cache
def elements(type_: str) -> Elements:
    """The elements of a resource type; empty for a type that R4 has not."""
    words = [(word.rstrip("*^!"), word) for word in _element_lines().get(type_, "").split()]
    return Elements(
        top=frozenset(name for name, _ in words if "." not in name),
        choices=frozenset(name for name, word in words if "*" in word),
        mandatory=frozenset(name for name, word in words if "!" in word and "." not in name),
        summary=frozenset(name for name, word in words if "^" in word),
    )


@cache
def _element_lines() -> Mapping[str, str]:
    text = files(__package__).joinpath("resource_elements.txt").read_text("utf-8")
    pairs = (line.partition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {type_: rest for type_, _, rest in pairs}
