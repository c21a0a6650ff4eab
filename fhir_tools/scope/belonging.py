"""Whose a resource is, by what it says itself (R4 CompartmentDefinition/patient). Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from fhir_tools.scope import addresses

__all__ = ["owners", "targets"]

_SUBJECTS = ("subject", "patient", "beneficiary", "individual", "for", "securityContext")
_PEOPLE = ("Patient", "Group", "Person", "RelatedPerson")


def owners(resource: Mapping[str, Any], bases: Collection[str] = ()) -> Iterator[str]:
    """The references that say whom the resource is about: `Patient/[id]` for a patient of this server.

    What may be a person but is no patient of this server (another server's, a URN, a contained one, a Group) is given
    as it is written, so that it is nobody's own. A device or a place as a subject is no owner.
    """
    kind = resource.get("resourceType")
    if kind == "Patient":
        yield f"Patient/{resource.get('id')}"
        return
    for name in (*_SUBJECTS, "target") if kind == "Provenance" else _SUBJECTS:
        for text in _written(resource.get(name)):
            known = addresses.plain(text, bases)
            if known is None or known.partition("/")[0] in _PEOPLE:
                yield known or text


def targets(resource: Mapping[str, Any], name: str, bases: Collection[str] = ()) -> tuple[str | None, ...]:
    """What an element refers to, as `Type/id`; None for each that is none of this server."""
    return tuple(addresses.plain(text, bases) for text in _written(resource.get(name)))


def _written(element: Any) -> Iterator[str]:
    for item in element if isinstance(element, list) else (element,):
        text = item.get("reference") if isinstance(item, dict) else None
        if isinstance(text, str):
            yield text
