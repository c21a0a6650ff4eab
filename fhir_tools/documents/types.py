"""A document as text, and what is found in it."""

from __future__ import annotations

from dataclasses import dataclass

from fhir_tools.documents.assertions import Assertion
from fhir_tools.types import Fact, Span

__all__ = ["Document", "Found", "Scanned"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """A stretch of a document's text that was read from a picture, and what read it ("Tesseract", a model)."""

    start: int
    end: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The text of the document or report that `fact` is. `unread` says why some of it could not be read, if so.

    `missed` says why a body could not be fetched, in the words of the error: what it holds is not known then.
    """

    fact: Fact
    text: str
    unread: str = ""
    missed: str = ""
    scanned: tuple[Scanned, ...] = ()

    def read_by(self, span: Span) -> str:
        """What read the span from a picture; empty where it stands in the document as text."""
        return next((s.by for s in self.scanned if s.start < span.end and span.start < s.end), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A mention of a term. `span` is at most 300 characters of its sentence; `sentence` is all of it on one line.

    `section` is the heading that it stands under, empty without one.
    """

    document: Document
    span: Span
    assertion: Assertion
    sentence: str
    section: str = ""
