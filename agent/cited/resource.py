"""A cited resource as a reader sees it: in the version that was cited, in words, and element by element."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from agent.chart import Chart
from agent.errors import NotFound, ScopeError, SourceError
from fhir_tools import paths, wording
from fhir_tools.documents import Document
from fhir_tools.facts import facts_of
from fhir_tools.following import named, read_drugs
from fhir_tools.types import Fact, Reference

__all__ = ["Cited", "Edition", "document_of", "read_cited"]

Edition = Literal["current", "older", "changed", "gone"]
"""Which version is shown: the `current` one; the cited one, which is `older` than it or whose resource is `gone` since;
or the current one in place of a cited one that cannot be had any more (`changed`)."""

_DOCUMENTS = frozenset(("DocumentReference", "DiagnosticReport", "Composition"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    """A resource of the chart. `facts` are what it states, drugs named; `elements` what the citation's path names.

    `version` is that of what is shown, `current` that of the resource now (None where it is gone or has none).
    """

    reference: Reference
    resource: Mapping[str, Any]
    version: str | None
    current: str | None
    edition: Edition
    facts: tuple[Fact, ...]
    elements: tuple[tuple[str, Any], ...] = ()

    @property
    def fact(self) -> Fact | None:
        """The fact that the cited element belongs to, else the first one."""
        own = [path for path, _ in self.elements]
        meant = (f for f in self.facts if any(p == f.path or paths.is_below(p, f.path) for p in own))
        return next(meant, self.facts[0] if self.facts else None)

    @property
    def title(self) -> str:
        """What it is about, in the chart's words; the type where it states nothing."""
        return wording.label(self.facts[0].concept) if self.facts else self.reference.type

    @property
    def lines(self) -> tuple[str, ...]:
        """What it states, a line each."""
        return tuple(wording.describe(fact) for fact in self.facts)

    def is_cited(self, path: str) -> bool:
        """Whether an element is what is cited, or a part of it."""
        return any(paths.is_below(path, whole) for whole, _ in self.elements)


async def read_cited(chart: Chart, reference: Reference, *, version: str | None = None, path: str = "") -> Cited:
    """The resource in the version wanted where the source still has it, and the elements at a path.

    Raises NotFound for what is not in this patient's chart, whatever the reason; SourceError; ValueError for no path.
    """
    now = await _read(chart, reference)
    current = _version(now) if now else None
    shown, edition = now, "current"
    if version and version != current:
        then = await _older(chart, reference, version)
        shown, edition = (then, "older" if now else "gone") if then else (now, "changed")
    if shown is None:
        raise NotFound(f"this patient's chart has no {reference.type} of that id", status=404)
    facts = facts_of(shown)
    drugs = await read_drugs(chart.source, facts, ())
    return Cited(
        reference=reference,
        resource=shown,
        version=_version(shown),
        current=current,
        edition=edition,  # type: ignore[arg-type]
        facts=tuple(named(f, drugs) for f in facts),
        elements=paths.at(shown, path) if path else (),
    )


async def document_of(chart: Chart, cited: Cited) -> Document | None:
    """The text of a note or report; None for what is none, and for a report that is its results alone."""
    if cited.reference.type not in _DOCUMENTS or not cited.facts:
        return None
    document = await chart.document(cited.resource, facts_of(cited.resource)[0])
    bare = cited.reference.type == "DiagnosticReport" and not document.missed and document.unread == "it holds no text"
    return None if bare else document


async def _read(chart: Chart, reference: Reference) -> Mapping[str, Any] | None:
    try:
        return await chart.source.read(reference)
    except (NotFound, ScopeError):
        return None


async def _older(chart: Chart, reference: Reference, version: str) -> Mapping[str, Any] | None:
    """A version of the resource; None where it cannot be had: many servers keep none."""
    try:
        return await chart.source.read(reference, version)
    except (SourceError, ScopeError):
        return None


def _version(resource: Mapping[str, Any]) -> str | None:
    meta = resource.get("meta")
    version = meta.get("versionId") if isinstance(meta, Mapping) else None
    return str(version) if version else None
