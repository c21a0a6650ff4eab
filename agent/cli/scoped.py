"""One patient's chart of an open source, its requests on record: for commands that work on images without questions."""

from __future__ import annotations

from agent import auditing
from agent.settings import Settings
from fhir_tools.audit import Record
from fhir_tools.scope import Scoped
from fhir_tools.scope.aliases import resolve_aliases
from fhir_tools.servers import Servers
from fhir_tools.source import Source
from fhir_tools.types import Reference

__all__ = ["chart_of"]


async def chart_of(source: Source, known: Settings, record: Record | None, patient: Reference) -> Source:
    """The source scoped to the patient. Raises SourceError where the patient's other ids cannot be found out."""
    found = await resolve_aliases(source, patient)
    scoped = Scoped(source, found.patient, found.references, searched=found.searched)
    locate = source.located if isinstance(source, Servers) else str
    return auditing.audited(record, known, found.patient, locate, scoped)
