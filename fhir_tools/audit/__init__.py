"""A record of each request and each answer: who, which patient, what for, which resources, how it ended. No content."""

from fhir_tools.audit.audited import Audited, Record
from fhir_tools.audit.entry import AnswerEntry, Entry, RequestEntry, Who, answer_record
from fhir_tools.audit.events import audit_event, provenance
from fhir_tools.audit.sinks import AuditLog, FhirLog, FhirServer

__all__ = [
    "AnswerEntry",
    "AuditLog",
    "Audited",
    "Entry",
    "FhirLog",
    "FhirServer",
    "Record",
    "RequestEntry",
    "Who",
    "answer_record",
    "audit_event",
    "provenance",
]
