"""Audit entries as FHIR R4: AuditEvent for each, and Provenance for an answer. Built and checked by fhir.resources."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from importlib.metadata import version as package_version
from typing import Any

import orjson

from fhir_tools.audit.entry import AnswerEntry, Entry, RequestEntry
from fhir_tools.types import Reference

__all__ = ["audit_event", "provenance"]

_TERMS = "http://terminology.hl7.org/CodeSystem"
_TYPE, _OBJECT, _ROLE = f"{_TERMS}/audit-event-type", f"{_TERMS}/audit-entity-type", f"{_TERMS}/object-role"
_INTERACTION = "http://hl7.org/fhir/restful-interaction"
_SUBTYPES = {"read": "read", "vread": "vread", "search": "search-type", "fetch": "read", "operation": "operation"}
_OUTCOMES = {"ok": "0", "incomplete": "4", "not-found": "4", "cancelled": "4", "refused": "8", "failed": "8"}
_ANSWERS = {"answered": "0", "not_found": "0", "incomplete": "4", "refused": "4"}
_PURPOSES = frozenset(
    """CAREMGT CLINTRCH COVERAGE ETREAT HLEGAL HMARKT HOPERAT HPAYMT HRESCH HSYSADMIN METAMGT PATADMIN PATRQT PATSFTY
    PUBHLTH QUALIMP TREAT TREATDS TRAIN""".split()
)
"""Codes of HL7 v3 ActReason, PurposeOfUse, that operators use; any other word is told as text."""


def audit_event(entry: Entry) -> Mapping[str, Any]:
    """The entry as an AuditEvent (R4): type rest, the interaction, who, the patient, the resources.

    `entity.query` is base64 of the search with the names of its parameters and no value. Times are UTC.
    """
    from fhir.resources.R4B.auditevent import AuditEvent

    request = isinstance(entry, RequestEntry)
    subtype = _SUBTYPES[entry.action] if isinstance(entry, RequestEntry) else "operation"
    event = {
        "resourceType": "AuditEvent",
        "type": {"system": _TYPE, "code": "rest", "display": "RESTful Operation"},
        "subtype": [{"system": _INTERACTION, "code": subtype}],
        "action": "E" if subtype in ("search-type", "operation") else "R",
        "recorded": entry.at,
        **_ended(entry),
        "purposeOfEvent": [_purpose(entry.who.purpose)],
        "agent": [{"who": _whom(entry.who.agent), "requestor": True}, _software()],
        "source": {"observer": _program(), "type": [{"system": f"{_TERMS}/security-source-type", "code": "4"}]},
        "entity": [_patient(entry.who.patient), *(_request(entry) if request else _answer(entry))],  # type: ignore[arg-type]
    }
    return _checked(AuditEvent, event)


def provenance(entry: AnswerEntry) -> Mapping[str, Any]:
    """The answer as a Provenance (R4): its UUID as the target, each cited resource with its version as a source."""
    from fhir.resources.R4B.provenance import Provenance

    assembler = {"coding": [{"system": f"{_TERMS}/provenance-participant-type", "code": "assembler"}]}
    made = {
        "resourceType": "Provenance",
        "target": [{"identifier": _uuid(entry.id), "type": "DocumentReference"}],
        "recorded": entry.at,
        "reason": [_purpose(entry.who.purpose)],
        "agent": [
            {"type": assembler, "who": _program(), "onBehalfOf": _whom(entry.who.agent)},
            {"type": assembler, "who": {"identifier": {"value": entry.reasoner}, "display": entry.reasoner}},
        ],
        "entity": [{"role": "source", "what": _what(one)} for one in entry.cited],
    }
    return _checked(Provenance, {name: value for name, value in made.items() if value})


def _ended(entry: Entry) -> Mapping[str, str]:
    if isinstance(entry, AnswerEntry):
        return {"outcome": _ANSWERS.get(entry.status, "8"), "outcomeDesc": entry.status}
    described = {"outcomeDesc": entry.error} if entry.error else {}
    return {"outcome": _OUTCOMES[entry.outcome], **described}


def _request(entry: RequestEntry) -> list[Mapping[str, Any]]:
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
        "what": {"identifier": _uuid(entry.id)},
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


def _whom(agent: str) -> Mapping[str, Any]:
    try:
        return {"reference": agent} if "/" in agent and Reference.parse(agent) else {"identifier": {"value": agent}}
    except ValueError:
        return {"identifier": {"value": agent}}


def _program() -> Mapping[str, Any]:
    return {"identifier": {"value": "chartline"}, "display": f"chartline {package_version('chartline')}"}


def _software() -> Mapping[str, Any]:
    dicom = {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "110150", "display": "Application"}
    return {"type": {"coding": [dicom]}, "who": _program(), "requestor": False}


def _purpose(purpose: str) -> Mapping[str, Any]:
    known = purpose in _PURPOSES
    return {"coding": [{"system": f"{_TERMS}/v3-ActReason", "code": purpose}]} if known else {"text": purpose}


def _uuid(id_: str) -> Mapping[str, str]:
    return {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{id_}"}


def _checked(model: Any, resource: Mapping[str, Any]) -> Mapping[str, Any]:
    told: Mapping[str, Any] = orjson.loads(model.model_validate(resource).model_dump_json())
    return told
