"""Documents and reports as text with exact offsets, cut into sections and sentences, and what they say there."""

from __future__ import annotations

from fhir_tools.documents.assertions import Assertion
from fhir_tools.documents.finding import find, find_words
from fhir_tools.documents.reading import read_document
from fhir_tools.documents.sections import sections, sentences
from fhir_tools.documents.types import Document, Found, Scanned

__all__ = ["Assertion", "Document", "Found", "Scanned", "find", "find_words", "read_document", "sections", "sentences"]
