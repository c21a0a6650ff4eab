"""FHIR searches as text and as checked parameters: pure, without a server or a store.

`parse` and `to_url` turn a URL into a `Query` and back; `check` turns a `Query` into parameters whose
names, modifiers and prefixes are known (R4 3.1.1). Chains, `_has`, composites and `_revinclude` are
refused by name: they are not ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal
from urllib.parse import parse_qsl, quote, urlsplit

from fhir_tools.errors import QueryError
from fhir_tools.types import Query

__all__ = [
    "PREFIXES",
    "R4_TYPES",
    "Param",
    "ParamType",
    "Path",
    "SearchParameter",
    "check",
    "escape",
    "parameters",
    "parse",
    "split_value",
    "to_url",
    "unescape",
    "with_prefix",
]

ParamType = Literal["token", "date", "string", "reference", "quantity", "number", "uri", "special"]
PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
"""Comparison prefixes of date, number and quantity values (R4 3.1.1.4.4)."""

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

_MODIFIERS: Mapping[ParamType, frozenset[str]] = {
    "token": frozenset(("missing", "not", "text")),
    "date": frozenset(("missing",)),
    "string": frozenset(("missing", "exact", "contains")),
    "reference": frozenset(("missing", "identifier")),
    "quantity": frozenset(("missing",)),
    "number": frozenset(("missing",)),
    "uri": frozenset(("missing", "below", "above")),
    "special": frozenset(),
}
_RESULT = ("_sort", "_count", "_include", "_elements", "_summary", "_total", "_format", "_pretty", "_page")
_LATER = ("_has", "_revinclude", "_filter", "_text", "_content", "_list", "_query", "_contained", "_containedType")
_ESCAPED = re.compile(r"\\([\\,|$])")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchParameter:
    """One search parameter of one resource type.

    `paths` are element paths as JSON keys; a last key with `*` is a choice element, and a key may
    carry one filter (`telecom[system=phone]`). `targets` limits a reference; empty means any type.
    """

    name: str
    type: ParamType
    paths: tuple[Path, ...]
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """A checked parameter of a query: `values` are its alternatives (OR), still escaped."""

    spec: SearchParameter
    modifier: str | None
    values: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.spec.name


def parse(text: str) -> Query:
    """A query from `Type?name=value&…`, relative or absolute. Raises QueryError for what is not a type search."""
    parts = urlsplit(text.strip())
    type_ = parts.path.rstrip("/").rpartition("/")[2]
    if not type_ or not type_[0].isupper() or not type_.isalpha():
        raise QueryError(f"not a FHIR search: {text!r}; write it as Type?name=value")
    return Query(type=type_, params=tuple(parse_qsl(parts.query, keep_blank_values=True)))


def to_url(query: Query) -> str:
    """The query as a relative URL, percent-encoded (RFC 3986); FHIR's own escapes are left as they are."""
    # Servers differ in reading '+' as a space, so a space is always %20.
    pairs = (f"{quote(name, safe=':._-')}={quote(value, safe=':/,._-')}" for name, value in query.params)
    return query.type + ("?" + "&".join(pairs) if query.params else "")


def escape(value: str) -> str:
    r"""A literal for use inside a parameter value: `\`, `,`, `|` and `$` get a backslash (R4 3.1.1.4.1)."""
    return re.sub(r"([\\,|$])", r"\\\1", value)


def unescape(value: str) -> str:
    """The literal behind an escaped value."""
    return _ESCAPED.sub(r"\1", value)


def split_value(value: str, separator: str = ",") -> tuple[str, ...]:
    """Split on separators that no backslash escapes; the parts stay escaped."""
    parts, start, i = [], 0, 0
    while i < len(value):
        if value[i] == "\\":
            i += 1
        elif value[i] == separator:
            parts.append(value[start:i])
            start = i + 1
        i += 1
    return (*parts, value[start:])


def with_prefix(value: str) -> tuple[str, str]:
    """The comparison prefix of an ordered value and the rest; `eq` where none is written."""
    head, rest = value[:2], value[2:]
    return (
        (head, rest)
        if head in PREFIXES and rest[:1].isdigit() | rest[:1].startswith(("-", "+", "."))
        else ("eq", value)
    )


def check(query: Query) -> tuple[tuple[Param, ...], dict[str, tuple[str, ...]]]:
    """Filters and result parameters (`_sort`, `_count`, …: name → values as given) of a query.

    Raises QueryError naming the type, parameter or modifier that is not known.
    """
    if query.type not in R4_TYPES:
        raise QueryError(f"{query.type!r} is not a FHIR R4 resource type")
    filters: list[Param] = []
    result: dict[str, tuple[str, ...]] = {}
    for name, value in query.params:
        bare = name.partition(":")[0]
        if bare in _RESULT and name in _RESULT:
            result[name] = (*result.get(name, ()), value)
        else:
            filters.append(_filter(query.type, name, value))
    return tuple(filters), result


def _filter(type_: str, name: str, value: str) -> Param:
    bare, _, modifier = name.partition(":")
    if bare in _LATER or bare in _RESULT:
        raise QueryError(f"search parameter {name!r} is not supported")
    if "." in name:
        raise QueryError(f"chained search parameter {name!r} is not supported")
    spec = parameters(type_).get(bare)
    if spec is None:
        raise QueryError(f"{type_} has no search parameter {bare!r}; it has {', '.join(sorted(parameters(type_)))}")
    if modifier and modifier not in _MODIFIERS[spec.type] and not (spec.type == "reference" and modifier in R4_TYPES):
        raise QueryError(f"modifier {modifier!r} is not supported on {type_} parameter {bare!r} ({spec.type})")
    if modifier == "missing" and value not in ("true", "false"):
        raise QueryError(f"{name} takes true or false, not {value!r}")
    values = (value,) if modifier == "missing" else split_value(value)
    if not all(values):
        raise QueryError(f"search parameter {name!r} has an empty value")
    return Param(spec=spec, modifier=modifier or None, values=values)


@cache
def parameters(type_: str) -> Mapping[str, SearchParameter]:
    """The search parameters of a resource type by name, those of every type included."""
    table = _table()
    return {**table["*"], **table.get(type_, table["?"])}


@cache
def _table() -> Mapping[str, Mapping[str, SearchParameter]]:
    table: dict[str, dict[str, SearchParameter]] = {}
    section: dict[str, SearchParameter] = {}
    text = files("fhir_tools").joinpath("search_parameters.txt").read_text("utf-8")
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line[0] != " ":
            section = table[line.strip()] = {}
        else:
            spec = _row(line)
            section[spec.name] = spec
    return table


def _row(line: str) -> SearchParameter:
    left, _, targets = line.partition(" > ")
    name, type_, paths = left.split()
    return SearchParameter(
        name=name,
        type=type_,  # type: ignore[arg-type]
        paths=tuple(tuple(p.split(".")) for p in paths.split("|")),
        targets=tuple(targets.split()),
    )
