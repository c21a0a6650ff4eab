"""Which searches stay within one patient's chart: checked and completed before anything is sent. Pure.

What cannot be seen to stay is refused. That includes what A FHIR server would answer well: chains and `_has` reach
through other resources, `_revinclude`, `_list`, `_filter`, `_query` and `_contained` bring what no parameter names.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from urllib.parse import unquote

from fhir_tools.errors import QueryError, ScopeError
from fhir_tools.scope import addresses
from fhir_tools.search.query import R4_TYPES, SearchParameter, parameters
from fhir_tools.types import Query, Reference

__all__ = ["COMPARTMENT", "SHARED", "Bounds"]

COMPARTMENT = frozenset(
    (
        "Patient", "AllergyIntolerance", "CarePlan", "CareTeam", "ClinicalImpression", "Communication", "Composition",
        "Condition", "Consent", "Coverage", "DetectedIssue", "DeviceUseStatement", "DiagnosticReport", "Device",
        "DocumentReference", "Encounter", "EpisodeOfCare", "ExplanationOfBenefit", "Claim", "FamilyMemberHistory",
        "Flag", "Goal", "ImagingStudy", "Immunization", "ImmunizationRecommendation", "List", "Media",
        "MedicationAdministration", "MedicationDispense", "MedicationRequest", "MedicationStatement", "Observation",
        "Procedure", "Provenance", "QuestionnaireResponse", "RelatedPerson", "ResearchSubject", "RiskAssessment",
        "ServiceRequest", "Specimen",
    )
)  # fmt: skip
"""Types of the patient compartment (R4 CompartmentDefinition/patient) that are searched by patient."""

SHARED = frozenset(
    (
        "ActivityDefinition", "CodeSystem", "ConceptMap", "DeviceDefinition", "DeviceMetric", "Endpoint",
        "HealthcareService", "Location", "Medication", "MedicationKnowledge", "ObservationDefinition", "Organization",
        "OrganizationAffiliation", "PlanDefinition", "Practitioner", "PractitionerRole", "Questionnaire",
        "ResearchStudy", "SpecimenDefinition", "Substance", "ValueSet",
    )
)  # fmt: skip
"""Types that are nobody's."""

_NAMING = ("patient", "subject", "beneficiary", "individual")
_CONTROL = frozenset(
    (
        "_count", "_sort", "_elements", "_summary", "_total", "_id", "_lastUpdated", "_include", "_page", "_tag",
        "_profile",
    )
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(?::[A-Za-z-]+)?", re.ASCII)
_SORT = re.compile(r"-?[A-Za-z_][A-Za-z0-9_-]*(?:,-?[A-Za-z_][A-Za-z0-9_-]*)*", re.ASCII)
_MENTION = re.compile(r"(?<![A-Za-z])Patient/\S")
_ELEMENT = {
    "Coverage": "beneficiary",
    "ResearchSubject": "individual",
    "Provenance": "target",
    **dict.fromkeys(
        (
            "AllergyIntolerance", "Claim", "Consent", "DetectedIssue", "Device", "EpisodeOfCare",
            "ExplanationOfBenefit", "FamilyMemberHistory", "Immunization", "ImmunizationRecommendation",
            "RelatedPerson",
        ),
        "patient",
    ),
}  # fmt: skip
"""The element that names the patient, where it is not `subject` (R4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """One patient's references, as they are allowed and as they are searched for, and the bases of the server.

    `own` are `Patient/[id]` of the patient and every alias. A search that names `patient` itself is sent for all of
    `searched`. `pages` are the (type, `_page`) that the source gave for going on: no other is followed.
    """

    patient: Reference
    own: frozenset[str]
    searched: tuple[str, ...]
    bases: tuple[str, ...] = ()
    pages: set[tuple[str, str]] = field(default_factory=set)

    def bound(self, query: Query) -> Query:
        """The search as it may be sent: named by patient, its subject among its `_elements`, no server in a value.

        Raises ScopeError where it could leave the chart, QueryError for a parameter that R4 does not know.
        """
        if query.type not in COMPARTMENT:
            raise ScopeError(f"{query.type!r} is not searched by patient")
        params = tuple((name, self._checked(query.type, name, value)) for name, value in query.params)
        key = "_id" if query.type == "Patient" else "patient"
        if not any(name == key for name, _ in params):
            # `patient` is defined for all of these types; a server ignores what it does not know, `subject` for one.
            named = (value for name, value in params if query.type != "Patient" and _is_naming(name))
            whole = self.patient.id if query.type == "Patient" else ",".join(self.searched)
            params = ((key, _typed(next(named, whole)) if key == "patient" else whole), *params)
        return _with_subject(replace(query, params=params))

    def _checked(self, kind: str, name: str, value: str) -> str:
        base, _, modifier = name.partition(":")
        if not _NAME.fullmatch(name) or (base.startswith("_") and base not in _CONTROL):
            raise ScopeError(f"search parameter {name!r} could leave the patient's chart")
        if base in _NAMING:
            return self._patients(kind, name, value)
        if base.startswith("_"):
            return self._controlled(kind, name, value)
        spec = parameters(kind).get(base)
        if spec is None:
            raise QueryError(f"{kind} has no search parameter {base!r}")
        if spec.type == "reference" and modifier != "missing":
            return self._references(spec, modifier, value)
        return _silent(name, value)

    # Parameters that name the patient.

    def _patients(self, kind: str, name: str, value: str) -> str:
        if name.partition(":")[2] not in ("", "Patient"):
            raise ScopeError(f"search parameter {name!r} could leave the patient's chart")
        told = [self._own(one) for one in value.split(",")]
        if kind == "Patient" or str(self.patient) not in told or self.searched == (str(self.patient),):
            return value if not any(map(addresses.is_absolute, value.split(","))) else ",".join(told)
        # In this order it stays the same when it is checked again: a source may know a page by the whole search.
        return ",".join(dict.fromkeys((*self.searched, *(one for one in told if one != str(self.patient)))))

    def _own(self, text: str) -> str:
        known = addresses.plain(text, self.bases) if "/" in text else f"Patient/{text}"
        if known not in self.own or "/_history/" in text:
            raise ScopeError("a search for another patient was refused")
        return known or ""

    # Parameters of the result, and those of every type.

    def _controlled(self, kind: str, name: str, value: str) -> str:
        base = name.partition(":")[0]
        if base == "_id" and kind == "Patient":
            if name != "_id" or not self.own.issuperset(f"Patient/{one}" for one in value.split(",")):
                raise ScopeError("a search for another patient was refused")
        elif base == "_include":
            _include(kind, name, value)
        elif base == "_page":
            if (kind, value) not in self.pages:
                raise ScopeError("a page is read on only where a search of this chart gave it")
        elif base == "_sort":
            if not _SORT.fullmatch(value):
                raise ScopeError("a _sort that goes through other resources was refused")
        elif base == "_summary" and value == "text":
            raise ScopeError("_summary=text leaves out whose a resource is; use _elements")
        return value if base == "_page" else _silent(name, value)

    # References to anything else.

    def _references(self, spec: SearchParameter, modifier: str, value: str) -> str:
        anyone = not spec.targets or "Patient" in spec.targets
        if modifier == "identifier" and anyone:
            raise ScopeError(f"search parameter {spec.name!r} by identifier could name another patient")
        if modifier not in ("", *R4_TYPES):
            return _silent(spec.name, value)
        if modifier == "Patient":
            return ",".join(self._own(one) for one in value.split(","))
        return ",".join(self._reference(spec, one, typed=bool(modifier) or not anyone) for one in value.split(","))

    def _reference(self, spec: SearchParameter, text: str, typed: bool) -> str:
        known = addresses.plain(text, self.bases) if "/" in text else None
        if known and (not known.startswith("Patient/") or known in self.own):
            return text if not addresses.is_absolute(text) else known
        if known or not typed:
            # An id alone, or an address elsewhere, could be a patient's: it must say its type.
            raise ScopeError(f"search parameter {spec.name!r} must name its target as Type/id, and no other patient")
        return _silent(spec.name, text)


def _is_naming(name: str) -> bool:
    return name.partition(":")[0] in _NAMING


def _typed(value: str) -> str:
    return ",".join(one if "/" in one else f"Patient/{one}" for one in value.split(","))


def _silent(name: str, value: str) -> str:
    """The value, if it names no patient however it is written. Raises ScopeError."""
    text = value
    for _ in range(3):
        text = unicodedata.normalize("NFKC", unquote(text))
        if _MENTION.search(text):
            raise ScopeError(f"search parameter {name!r} names a patient where none belongs")
    return value


def _include(kind: str, name: str, value: str) -> None:
    """`_include=[Type]:[parameter][:Target]`, one hop from a match; `:iterate` only on from what is nobody's.

    Raises ScopeError: a wildcard, Patient.link, or a hop from an included chart resource could lead to anybody's.
    """
    source, _, rest = value.partition(":")
    parameter, _, target = rest.partition(":")
    spec: Collection[str] | None = None
    if source in R4_TYPES and (found := parameters(source).get(parameter)) and found.type == "reference":
        spec = found.targets
    if name == "_include":
        one_hop = source == kind and (kind, parameter) != ("Patient", "link")
    else:
        one_hop = name == "_include:iterate" and source in SHARED
    to_patient = target == "Patient" and parameter not in _NAMING
    if spec is None or not one_hop or to_patient or (target and target not in R4_TYPES):
        raise ScopeError(f"{name}={value!r} could leave the patient's chart; write it as {kind}:parameter[:Target]")


def _with_subject(query: Query) -> Query:
    """The query with the subject among its `_elements`, since what comes back is checked by it."""
    if query.type == "Patient" or not any(name == "_elements" for name, _ in query.params):
        return query
    element = _ELEMENT.get(query.type, "subject")
    params = ((n, f"{v},{element}" if n == "_elements" and element not in v.split(",") else v) for n, v in query.params)
    return replace(query, params=tuple(params))
