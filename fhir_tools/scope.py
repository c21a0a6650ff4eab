"""One patient, reading only: the wrapper that every tool and model gets instead of the source itself.

A request that could reach another patient is refused before it is sent (ScopeError). A resource that
comes back for another patient all the same is dropped, and the search is told as not complete.
Resources without a subject (Medication, Practitioner, Organization, Location, Binary, …) are readable
only when a resource in scope refers to them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from fhir_tools.errors import NotFound, ScopeError
from fhir_tools.source import Source
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

_SUBJECTS = ("subject", "patient", "beneficiary", "individual", "for")
_PATIENT_PARAMS = ("patient", "subject", "beneficiary", "individual")
_SAFE_CONTROL = frozenset(("_count", "_sort", "_elements", "_summary", "_total", "_id", "_lastUpdated", "_include"))
_LINK = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/([A-Za-z0-9\-._]{1,128})(?:$|[/?])")


class Scoped:
    """A source that knows one patient. `aliases` are further references to the same person (merges, other servers)."""

    def __init__(self, source: Source, patient: Reference, aliases: frozenset[Reference] = frozenset()) -> None:
        self._source = source
        self.patient = patient
        self._allowed = frozenset((patient, *aliases))
        self._linked: set[str] = set()
        self._unread: list[Mapping[str, Any]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None  # the source belongs to whoever opened it

    async def read(self, reference: Reference, version: str | None = None) -> Mapping[str, Any]:
        """One resource of this patient, or one that a resource in scope refers to. Raises ScopeError, NotFound."""
        if reference.type == "Patient" and reference not in self._allowed:
            raise ScopeError("a read of another patient was refused")
        if reference.type not in COMPARTMENT and not self._is_linked(str(reference)):
            raise ScopeError(f"{reference.type} is readable only through a reference from this patient's chart")
        resource = await self._source.read(reference, version)
        if not self._mine(resource):
            raise NotFound("the resource is not part of this patient's chart", status=404)
        self._remember(resource)
        return resource

    async def search(self, query: Query) -> SearchResult:
        """A search within the patient's compartment; the patient parameter is added where it is missing."""
        result = await self._source.search(self._bound(query))
        mine = tuple(r for r in result.matches if self._mine(r))
        included = tuple(r for r in result.included if self._mine(r))
        for resource in (*mine, *included):
            self._remember(resource)
        dropped = len(result.matches) - len(mine) + len(result.included) - len(included)
        if dropped:
            error = f"the server sent {dropped} resources of another patient; they were dropped"
            return replace(result, matches=mine, included=included, complete=False, error=error)
        return result

    async def fetch(self, url: str) -> Fetched:
        """A Binary or attachment that the chart refers to, or an operation on this patient. Raises ScopeError."""
        if not (url.startswith(f"{self.patient}/$") or self._is_linked(url)):
            raise ScopeError("only attachments of this patient's chart and operations on this patient are fetched")
        return await self._source.fetch(url)

    async def capabilities(self) -> Mapping[str, Any]:
        return await self._source.capabilities()

    def _bound(self, query: Query) -> Query:
        if query.type not in COMPARTMENT:
            raise ScopeError(f"{query.type} is not searched by patient")
        named = False
        for name, value in query.params:
            base = name.split(":")[0]
            if "." in name or base.startswith("_has") or (base.startswith("_") and base not in _SAFE_CONTROL):
                raise ScopeError(f"search parameter {name!r} could leave the patient's chart")
            if base in _PATIENT_PARAMS:
                named = named or self._names_patient(name, value)
            elif base == "_id" and query.type == "Patient":
                named = named or self._names_patient(name, f"Patient/{value}")
            elif "Patient/" in value and not self._names_patient(name, value[value.index("Patient/") :]):
                raise ScopeError("a search for another patient was refused")
        if named:
            return query
        own = ("_id", self.patient.id) if query.type == "Patient" else ("patient", str(self.patient))
        return replace(query, params=(own, *query.params))

    def _names_patient(self, name: str, value: str) -> bool:
        if name not in (*_PATIENT_PARAMS, "_id", "subject:Patient", "patient:Patient"):
            raise ScopeError(f"search parameter {name!r} could leave the patient's chart")
        for one in value.split(","):
            text = one if "/" in one else f"Patient/{one}"
            if not any(text == str(a) for a in self._allowed):
                raise ScopeError("a search for another patient was refused")
        return True

    def _mine(self, resource: Mapping[str, Any]) -> bool:
        kind = resource.get("resourceType")
        if kind == "Patient":
            return Reference(type="Patient", id=str(resource.get("id"))) in self._allowed
        if kind == "OperationOutcome":
            return True
        subjects = [str(resource[k].get("reference", "")) for k in _SUBJECTS if isinstance(resource.get(k), dict)]
        patients = [s for s in subjects if "Patient/" in s]
        if patients:
            return all(any(s == str(a) or s.endswith(f"/{a}") for a in self._allowed) for s in patients)
        return kind not in COMPARTMENT or kind in ("Device", "List", "Provenance", "ResearchSubject", "Specimen")

    def _remember(self, resource: Mapping[str, Any]) -> None:
        """Keep what this resource refers to, so that it may be read next; its links are looked through when asked for."""
        self._unread.append(resource)

    def _is_linked(self, url: str) -> bool:
        while self._unread and url not in self._linked:
            self._linked.update(_links(self._unread.pop()))
        return url in self._linked


def _links(value: Any) -> Iterator[str]:
    """Every reference and attachment URL in a resource, as `Type/id` where it is one."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name in ("reference", "url") and isinstance(item, str):
                yield item
                found = _LINK.search(item)
                if found:
                    yield f"{found[1]}/{found[2]}"
            elif isinstance(item, dict | list):
                yield from _links(item)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict | list):
                yield from _links(item)
