"""Answers and summaries as FHIR R4: what is told, what it rests on, who made it; never a reading of pixels."""

from agent.fhir_out.answers import answer_bundle, answer_output
from agent.fhir_out.bundles import Form, collection, recorded
from agent.fhir_out.output import Output, Request
from agent.fhir_out.records import cited_records
from agent.fhir_out.summaries import summary_document, summary_output

__all__ = [
    "Form",
    "Output",
    "Request",
    "answer_bundle",
    "answer_output",
    "cited_records",
    "collection",
    "recorded",
    "summary_document",
    "summary_output",
]
