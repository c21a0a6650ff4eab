"""The prefetch templates, and what of them a request has satisfied (CDS Hooks 2.0.1, Prefetch Template)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.service.cds.requests import Context, Hook
from fhir_tools.facts.elements import elements_of, mapping_of, pick, when_of
from fhir_tools.lexicon import lexicon
from fhir_tools.scope.belonging import owners
from fhir_tools.types import Query, Reference

__all__ = ["Prefetched", "request_of", "satisfied", "strange", "template", "templates"]

_PATIENT = "{{context.patientId}}"
_FIXED: Mapping[str, str] = {
    "patient": f"Patient/{_PATIENT}",
    "allergies": f"AllergyIntolerance?patient={_PATIENT}",
    "medications": f"MedicationRequest?patient={_PATIENT}&status=active",
    "statements": f"MedicationStatement?patient={_PATIENT}&status=active",
    "orders": f"ServiceRequest?patient={_PATIENT}&_sort=-authored&_count=30",
    "reports": f"DiagnosticReport?patient={_PATIENT}&_sort=-date&_count=20",
    "tests": f"Observation?patient={_PATIENT}&category=laboratory&_sort=-date&_count=50",
    "encounters": f"Encounter?patient={_PATIENT}&_sort=-date&_count=20",
    "encounter": "Encounter/{{context.encounterId}}",
    "user": "{{context.userId}}",
}
_RESULTS = 5
"""How many of the latest results of a value are asked for."""


def template(key: str) -> str:
    """The template of a key: one of the fixed ones, else the latest results of that value of the lexicon, by LOINC."""
    if key in _FIXED:
        return _FIXED[key]
    entry = lexicon().by_id("lab", key)
    assert entry is not None  # noqa: S101  keys are of rules, whose values were checked
    codes = ",".join(f"{system}|{code}" for system, code in entry.codes)
    return f"Observation?patient={_PATIENT}&code={codes}&_sort=-date&_count={_RESULTS}"


def templates(keys: Iterable[str], hook: Hook) -> dict[str, str]:
    """The templates of a service, `patient` first. A hook that may have no encounter still offers its template."""
    return {key: template(key) for key in sorted({*keys, "patient"}, key=lambda k: (k != "patient", k))}


def request_of(key: str, context: Context) -> Query | Reference | None:
    """The read or search of a key for a context; None where the context does not have what it names."""
    text = template(key)
    for name in ("patientId", "encounterId", "userId"):
        value = getattr(context, name)
        if value is None and f"{{{{context.{name}}}}}" in text:
            return None
        text = text.replace(f"{{{{context.{name}}}}}", value or "")
    kind, _, rest = text.partition("?")
    if not rest:
        return Reference.parse(kind)
    params = (pair.partition("=") for pair in rest.split("&"))
    return Query(type=kind, params=tuple((name, value) for name, _, value in params))


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefetched:
    """The resources of each key that was satisfied; why another that was sent was not, in words without chart text."""

    resources: Mapping[str, tuple[Mapping[str, Any], ...]]
    refused: Mapping[str, str] = field(default_factory=dict)


def satisfied(prefetch: Mapping[str, Any], keys: Iterable[str], context: Context) -> Prefetched:
    """What of the keys a request has brought. A key that is not sent, or that cannot be taken, is to be read.

    `null` is a search without a match, and for a read a resource that is not there: the client has no data
    (Prefetch Template). What is no resource, an OperationOutcome, a Bundle with one that tells an error, a Bundle with
    further pages of a search that asks for all, and resources of another patient are not taken.
    """
    found: dict[str, tuple[Mapping[str, Any], ...]] = {}
    refused: dict[str, str] = {}
    for key in keys:
        if key not in prefetch:
            continue
        asked = request_of(key, context)
        why, resources = _taken(prefetch[key], asked, context)
        if why:
            refused[key] = why
        else:
            found[key] = resources
    return Prefetched(resources=found, refused=refused)


Taken = tuple[str, tuple[Mapping[str, Any], ...]]


def _taken(value: Any, asked: Query | Reference | None, context: Context) -> Taken:
    if asked is None:
        return "the context does not name it", ()
    if value is not None and not isinstance(value, dict):
        return "it is no resource", ()
    if isinstance(asked, Reference):
        return _one(value, asked, context)
    if value is None:
        return "", ()
    kind = value.get("resourceType")
    if kind != "Bundle":
        return ("the client sent an OperationOutcome" if kind == "OperationOutcome" else "it is no Bundle"), ()
    resources = tuple(_resources(value))
    why = _unfit(value, resources, asked, context)
    return why, tuple(r for r in resources if r.get("resourceType") in (asked.type, "Medication"))


def _one(value: Mapping[str, Any] | None, asked: Reference, context: Context) -> Taken:
    """One resource; the Patient has to be there, or nothing is known of whom the rest is about."""
    if value is None:
        return "there is no such resource", ()
    if value.get("resourceType") == "OperationOutcome":
        return "the client sent an OperationOutcome", ()
    if value.get("resourceType") != asked.type or value.get("id") != asked.id:
        return "it is another resource than was asked for", ()
    return ("it is of another patient", ()) if strange(value, context) else ("", (value,))


def _resources(bundle: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (r for r in (mapping_of(e.get("resource")) for e in elements_of(bundle.get("entry"))) if r)


def _unfit(bundle: Mapping[str, Any], resources: tuple[Mapping[str, Any], ...], asked: Query, context: Context) -> str:
    if any(_is_error(r) for r in resources):
        return "its search failed in part"
    if any(r.get("resourceType") != "OperationOutcome" and strange(r, context) for r in resources):
        return "it holds resources of another patient"
    if any(link.get("relation") == "next" for link in elements_of(bundle.get("link"))) and not _is_enough(
        resources, asked
    ):
        return "it has further pages"
    return ""


def _is_error(resource: Mapping[str, Any]) -> bool:
    issues = elements_of(resource.get("issue")) if resource.get("resourceType") == "OperationOutcome" else []
    return any(issue.get("severity") in ("error", "fatal") for issue in issues)


def _is_enough(resources: tuple[Mapping[str, Any], ...], asked: Query) -> bool:
    """Whether a cut search holds all that was asked: its `_count` of matches, the latest first as `_sort` says."""
    count = dict(asked.params).get("_count")
    matches = [r for r in resources if r.get("resourceType") == asked.type]
    if count is None or len(matches) < int(count):
        return False
    days = [when.low for r in matches if (when := when_of(_sorted_by(r))) and when.low]
    return len(days) == len(matches) and days == sorted(days, reverse=True)


def _sorted_by(resource: Mapping[str, Any]) -> Any:
    """What the templates sort by: `date` of observations, reports and encounters, `authored` of orders."""
    return pick(resource, "effective") or resource.get("period") or resource.get("authoredOn")


def strange(resource: Mapping[str, Any], context: Context) -> bool:
    """Whether a resource says that it is about someone else."""
    whose = set(owners(resource))
    here = f"Patient/{context.patientId}"
    return bool(whose) and not any(text == here or text.endswith(f"/{here}") for text in whose)
