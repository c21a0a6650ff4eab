"""Audit entries as FHIR R4: AuditEvent for each, and Provenance for an answer. Built and checked by fhir.resources."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from importlib.metadata import version as package_version
from typing import Any

from fhir_tools.audit.entry import AnswerEntry, Entry, RequestEntry
from fhir_tools.types import Reference
from fhir_tools.writing.elements import TERMS, assembler, checked, purpose, uuid_identifier, whom

__all__ = ["audit_event", "provenance"]

_TYPE, _OBJECT, _ROLE = f"{TERMS}/audit-event-type", f"{TERMS}/audit-entity-type", f"{TERMS}/object-role"
_INTERACTION = "http://hl7.org/fhir/restful-interaction"
_SUBTYPES = {
    "read": "read",
    "vread": "vread",
    "search": "search-type",
    "fetch": "read",
    "operation": "operation",
    "create": "create",
}
_ACTIONS = {"search-type": "E", "operation": "E", "create": "C"}
_OUTCOMES = {"ok": "0", "incomplete": "4", "not-found": "4", "cancelled": "4", "refused": "8", "failed": "8"}
_ANSWERS = {"answered": "0", "not_found": "0", "incomplete": "4", "refused": "4"}


def audit_event(entry: Entry) -> Mapping[str, Any]:
    """The entry as an AuditEvent (R4): type rest, the interaction, who, the patient, the resources.

    `entity.query` is base64 of the search with the names of its parameters and no value. Times are UTC.
    """
    request = isinstance(entry, RequestEntry)
    subtype = _SUBTYPES.get(entry.action, entry.action) if isinstance(entry, RequestEntry) else "operation"
    event = {
        "resourceType": "AuditEvent",
        "type": {"system": _TYPE, "code": "rest", "display": "RESTful Operation"},
        "subtype": [{"system": _INTERACTION, "code": subtype}],
        "action": _ACTIONS.get(subtype, "R"),
        "recorded": entry.at,
        **_ended(entry),
        "purposeOfEvent": [purpose(entry.who.purpose)],
        "agent": [{"who": whom(entry.who.agent), "requestor": True}, _software()],
        "source": {"observer": _program(), "type": [{"system": f"{TERMS}/security-source-type", "code": "4"}]},
        "entity": [_patient(entry.who.patient), *(_request(entry) if request else _answer(entry))],  # type: ignore[arg-type]
    }
    return checked(event)


def provenance(entry: AnswerEntry) -> Mapping[str, Any]:
    """The answer as a Provenance (R4): its UUID as the target, each cited resource with its version as a source."""
    made = {
        "resourceType": "Provenance",
        "target": [{"identifier": uuid_identifier(entry.id), "type": "DocumentReference"}],
        "recorded": entry.at,
        "reason": [purpose(entry.who.purpose)],
        "agent": [
            assembler(_program(), whom(entry.who.agent)),
            assembler({"identifier": {"value": entry.reasoner}, "display": entry.reasoner}),
        ],
        "entity": [{"role": "source", "what": _what(one)} for one in entry.cited],
    }
    return checked({name: value for name, value in made.items() if value})


def _ended(entry: Entry) -> Mapping[str, str]:
    if isinstance(entry, AnswerEntry):
        return {"outcome": _ANSWERS.get(entry.status, "8"), "outcomeDesc": entry.status}
    described = {"outcomeDesc": entry.error} if entry.error else {}
    return {"outcome": _OUTCOMES[entry.outcome], **described}


def _request(entry: RequestEntry) -> list[Mapping[str, Any]]:
    if entry.action == "create":
        return [_resource(entry.what)]
    query = {
        "type": {"system": _OBJECT, "code": "2"},
        "role": {"system": _ROLE, "code": "24"},
        "query": base64.b64encode(_told(entry).encode()).decode(),
    }
    asked = (entry.what,) if entry.action in ("read", "vread") and not entry.references else ()
    return [query, *(_resource(one) for one in (*asked, *entry.references))]


def _told(entry: RequestEntry) -> str:
    return entry.what + ("?" + "&".join(entry.parameters) if entry.parameters else "")


def _answer(entry: AnswerEntry) -> list[Mapping[str, Any]]:
    document = {
        "what": {"identifier": uuid_identifier(entry.id)},
        "type": {"system": _OBJECT, "code": "2"},
        "role": {"system": _ROLE, "code": "3"},
    }
    return [document, *map(_resource, entry.cited)]


def _patient(patient: Reference) -> Mapping[str, Any]:
    kind, role = {"system": _OBJECT, "code": "1"}, {"system": _ROLE, "code": "1"}
    return {"what": {"reference": str(patient)}, "type": kind, "role": role}


def _resource(reference: str) -> Mapping[str, Any]:
    kind, role = {"system": _OBJECT, "code": "2"}, {"system": _ROLE, "code": "4"}
    return {"what": _what(reference), "type": kind, "role": role}


def _what(reference: str) -> Mapping[str, Any]:
    return {"display": "unknown"} if reference == "?" else {"reference": reference}


def _program() -> Mapping[str, Any]:
    return {"identifier": {"value": "chartline"}, "display": f"chartline {package_version('chartline')}"}


def _software() -> Mapping[str, Any]:
    dicom = {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "110150", "display": "Application"}
    return {"type": {"coding": [dicom]}, "who": _program(), "requestor": False}
