"""One patient, reading only: the wrapper that every tool and model gets instead of the source itself.

A request that could reach another patient is refused before it is sent (ScopeError). A resource that
comes back for another patient all the same is dropped, and the search is told as not complete.
Resources without a subject (Medication, Practitioner, Organization, Location, …) are readable only when a
resource in scope refers to them; a body is fetched only where an attachment of the chart points to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import orjson

from fhir_tools import addresses
from fhir_tools.errors import NotFound, ScopeError
from fhir_tools.source import CATALOGUE_OPERATION, Source
from fhir_tools.types import Fetched, Query, Reference, SearchResult

__all__ = ["COMPARTMENT", "Scoped"]

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

_SHARED = frozenset(
    (
        "ActivityDefinition", "Binary", "CodeSystem", "ConceptMap", "DeviceDefinition", "DeviceMetric", "Endpoint",
        "HealthcareService", "Location", "Medication", "MedicationKnowledge", "ObservationDefinition", "Organization",
        "OrganizationAffiliation", "PlanDefinition", "Practitioner", "PractitionerRole", "Questionnaire",
        "ResearchStudy", "SpecimenDefinition", "Substance", "ValueSet",
    )
)  # fmt: skip
"""Types that are nobody's. Whatever is in neither table (Group, Person, Bundle, Task, …) needs a subject of its own."""

_MAYBE_SHARED = frozenset(("Device", "List", "Provenance", "Specimen"))
"""Types whose subject may be missing (R4: 0..1); they then pass only where the chart refers to them."""

_SUBJECTS = ("subject", "patient", "beneficiary", "individual", "for", "securityContext")
_PATIENT_PARAMS = ("patient", "subject", "beneficiary", "individual")
_NAMING = (*_PATIENT_PARAMS, "_id", "subject:Patient", "patient:Patient")
_SAFE_CONTROL = frozenset(
    ("_count", "_sort", "_elements", "_summary", "_total", "_id", "_lastUpdated", "_include", "_page")
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(?::[A-Za-z-]+)?", re.ASCII)
_ID = re.compile(r"(?!\.+\Z)[A-Za-z0-9\-._]{1,128}", re.ASCII)


class Scoped:
    """A source that knows one patient. `aliases` are further references to the same person (merges, other servers)."""

    def __init__(self, source: Source, patient: Reference, aliases: frozenset[Reference] = frozenset()) -> None:
        self._source = source
        self.patient = patient
        self._allowed = frozenset((patient, *aliases))
        self._own = frozenset(map(str, self._allowed))
        self._linked: set[str] = set()
        self._attached: set[str] = set()
        self._unread: list[Mapping[str, Any]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None  # the source belongs to whoever opened it

    async def read(self, reference: Reference, version: str | None = None) -> Mapping[str, Any]:
        """One resource of this patient, or one that a resource in scope refers to. Raises ScopeError, NotFound."""
        if not _ID.fullmatch(reference.id) or not (version is None or _ID.fullmatch(version)):
            raise ScopeError("an id that is no FHIR id was refused")
        if reference.type == "Patient" and reference not in self._allowed:
            raise ScopeError("a read of another patient was refused")
        if reference.type not in COMPARTMENT and not self._is_linked(str(reference)):
            raise ScopeError(f"{reference.type} is readable only through a reference from this patient's chart")
        resource = await self._source.read(reference, version)
        if resource.get("resourceType") != reference.type or not self._passes(resource, reference):
            raise NotFound("the resource is not part of this patient's chart", status=404)
        self._unread.append(resource)
        return resource

    async def search(self, query: Query) -> SearchResult:
        """A search within the patient's compartment; the patient parameter is added where it is missing.

        Raises ScopeError for one that could leave it. A match or an include of another patient is dropped.
        """
        result = await self._source.search(self._bound(query))
        mine = tuple(r for r in result.matches if self._mine(r))
        self._unread += mine
        included = tuple(r for r in result.included if self._passes(r))
        self._unread += included
        dropped = len(result.matches) - len(mine) + len(result.included) - len(included)
        if not dropped:
            return result
        error = result.error or f"the server sent {dropped} resources that are not this patient's; they were dropped"
        return replace(result, matches=mine, included=included, total=len(mine), next=None, complete=False, error=error)

    async def fetch(self, url: str) -> Fetched:
        """A body that an attachment of the chart points to, or an operation on this patient.

        Raises ScopeError for any other URL, NotFound where a FHIR resource of another patient comes back.
        """
        operation = addresses.operation_on(url, self._own)
        if not operation and not self._is_attached(url):
            raise ScopeError("only attachments of this patient's chart and operations on this patient are fetched")
        fetched = await self._source.fetch(url)
        if operation != CATALOGUE_OPERATION and not self._may_show(fetched.body):
            raise NotFound("what came back is not part of this patient's chart", status=404)
        return fetched

    async def capabilities(self) -> Mapping[str, Any]:
        """What the source can do; nothing of it is about a patient."""
        return await self._source.capabilities()

    # Requests.

    def _bound(self, query: Query) -> Query:
        if query.type not in COMPARTMENT:
            raise ScopeError(f"{query.type} is not searched by patient")
        whose = [owner for name, value in query.params if (owner := self._checked(query.type, name, value))]
        key = "_id" if query.type == "Patient" else "patient"
        if not any(name == key for name, _ in query.params):
            # `patient` is defined for all of these types; a server ignores what it does not know, `subject` for one.
            query = replace(query, params=((key, whose[0] if whose else self._key(query.type)), *query.params))
        return _with_subject(query)

    def _key(self, kind: str) -> str:
        return self.patient.id if kind == "Patient" else str(self.patient)

    def _checked(self, kind: str, name: str, value: str) -> str | None:
        """The patient that a parameter names, if it names one. Raises ScopeError where it could leave the chart."""
        base = name.partition(":")[0]
        if not _NAME.fullmatch(name) or base == "_has" or (base.startswith("_") and base not in _SAFE_CONTROL):
            raise ScopeError(f"search parameter {name!r} could leave the patient's chart")
        if base == "_id" and kind == "Patient":
            self._named(name, f"Patient/{value.replace(',', ',Patient/')}")
        elif base in _PATIENT_PARAMS or "Patient/" in value:
            told = self._named(name, value)
            return None if kind == "Patient" else told
        return None

    def _named(self, name: str, value: str) -> str:
        if name not in _NAMING:
            raise ScopeError(f"search parameter {name!r} could leave the patient's chart")
        told = [one if "/" in one else f"Patient/{one}" for one in value.split(",")]
        if not self._own.issuperset(told):
            raise ScopeError("a search for another patient was refused")
        return ",".join(told)

    # Resources.

    def _owners(self, resource: Mapping[str, Any]) -> Iterator[str]:
        """The `Patient/[id]` of every patient that the resource says it is about."""
        if resource.get("resourceType") == "Patient":
            yield f"Patient/{resource.get('id')}"
            return
        names = (*_SUBJECTS, "target") if resource.get("resourceType") == "Provenance" else _SUBJECTS
        for name in names:
            subject = resource.get(name)
            for item in subject if isinstance(subject, list) else (subject,):
                text = item.get("reference") if isinstance(item, dict) else None
                if isinstance(text, str) and "Patient/" in text:
                    yield text if text in self._own else addresses.plain(text)

    def _mine(self, resource: Mapping[str, Any]) -> bool:
        """Whether it says that it is about this patient and no other."""
        owners = tuple(self._owners(resource))
        return self._own.issuperset(owners) and (bool(owners) or resource.get("resourceType") == "OperationOutcome")

    def _passes(self, resource: Mapping[str, Any], asked: Reference | None = None) -> bool:
        """Whether it is this patient's, or nobody's and (where it could be somebody's) referred to by the chart."""
        if self._mine(resource):
            return True
        kind = str(resource.get("resourceType"))
        if kind not in _SHARED | _MAYBE_SHARED or any(self._owners(resource)):
            return False
        return kind in _SHARED or self._is_linked(str(asked or f"{kind}/{resource.get('id')}"))

    def _may_show(self, body: bytes) -> bool:
        """Whether a fetched body holds no FHIR resource of another patient; what is not FHIR is a document."""
        if body.lstrip()[:1] != b"{":
            return True
        try:
            content = orjson.loads(body)
        except orjson.JSONDecodeError:
            return True
        if content.get("resourceType") != "Bundle":
            return "resourceType" not in content or self._harmless(content)
        entries = content.get("entry")
        found = [e.get("resource") for e in entries if isinstance(e, dict)] if isinstance(entries, list) else []
        return all(self._harmless(r) for r in found if isinstance(r, dict))

    def _harmless(self, resource: Mapping[str, Any]) -> bool:
        return self._mine(resource) or (
            str(resource.get("resourceType")) in _SHARED and not any(self._owners(resource))
        )

    # Links. They are looked through only when something is asked for by one: most charts are never asked.

    def _is_linked(self, name: str) -> bool:
        while self._unread and name not in self._linked:
            self._look_through(self._unread.pop())
        return name in self._linked

    def _is_attached(self, url: str) -> bool:
        if not addresses.is_body(url):
            return False
        while self._unread and url not in self._attached:
            self._look_through(self._unread.pop())
        return url in self._attached or (addresses.is_binary(url) and url in self._linked)

    def _look_through(self, resource: Mapping[str, Any]) -> None:
        links, attached = addresses.links(resource)
        self._linked |= links
        self._attached |= attached


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


def _with_subject(query: Query) -> Query:
    """The query with the subject among its `_elements`, since what comes back is checked by it."""
    if query.type == "Patient" or not any(name == "_elements" for name, _ in query.params):
        return query
    element = _ELEMENT.get(query.type, "subject")
    params = ((n, f"{v},{element}" if n == "_elements" and element not in v.split(",") else v) for n, v in query.params)
    return replace(query, params=tuple(params))
