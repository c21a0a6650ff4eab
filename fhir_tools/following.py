"""Drugs known only by their Medication resource, named by it (R4 medicationReference)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fhir_tools.errors import NotFound, ScopeError, SourceError
from fhir_tools.facts.drugs import ROLES
from fhir_tools.facts.elements import concept_of
from fhir_tools.source import Source
from fhir_tools.types import Concept, Fact, Reference

__all__ = ["INCLUDES", "Drugs", "link_of", "named", "read_drugs"]

Resource = Mapping[str, Any]

INCLUDES: Mapping[str, tuple[str, str]] = {kind: ("_include", f"{kind}:medication") for kind in ROLES}
"""The parameter that brings the Medication along, by type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drugs:
    """Medications by reference. `error` says why some could not be read; one that is not there is no fault."""

    known: Mapping[Reference, Resource] = field(default_factory=dict)
    error: str | None = None


def link_of(fact: Fact) -> Reference | None:
    """The Medication that has to be read to know the drug; None where the resource itself says it."""
    link = fact.details.get("medication")
    return link if isinstance(link, Reference) and link.type == "Medication" and not fact.concept.codings else None


async def read_drugs(source: Source, facts: Iterable[Fact], included: Iterable[Resource]) -> Drugs:
    """The Medications behind the facts: those that came along, and the rest by reading them side by side."""
    known = {
        Reference(type="Medication", id=str(r.get("id", ""))): r
        for r in included
        if r.get("resourceType") == "Medication" and r.get("code")  # what `_elements` may have cut
    }
    missing = [link for link in dict.fromkeys(map(link_of, facts)) if link and link not in known]
    read = await asyncio.gather(*(_read(source, link) for link in missing))
    known |= {link: r for link, r in zip(missing, read, strict=True) if isinstance(r, Mapping)}
    return Drugs(known=known, error=next((r for r in read if isinstance(r, str)), None))


async def _read(source: Source, link: Reference) -> Resource | str | None:
    """The Medication; None where a dirty reference leads nowhere or out of the chart; else why it was not read."""
    try:
        return await source.read(link)
    except (NotFound, ScopeError):
        return None
    except SourceError as error:
        return str(error) or type(error).__name__


def named(fact: Fact, drugs: Drugs) -> Fact:
    """The fact under its Medication's code; as it is where that has none or was not read."""
    link = link_of(fact)
    code = drugs.known.get(link, {}).get("code") if link else None
    if not code:
        return fact
    concept = concept_of(code) or Concept(label=f"unnamed {fact.reference.type}")
    return replace(fact, concept=concept)
