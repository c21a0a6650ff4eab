"""One person on several servers: found by identifiers that both servers have, and refused where that is not certain."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from fhir_tools.errors import NotFound, SourceError, UserError
from fhir_tools.scope.aliases import Aliases, resolve_aliases
from fhir_tools.search.query import escape
from fhir_tools.servers.relabel import Labels
from fhir_tools.source import Source
from fhir_tools.types import Query, Reference

__all__ = ["find_same_patient"]

_REMEDY = "ask one server alone, or name the identifier systems to match by"


async def find_same_patient(
    sources: Mapping[str, Source], labels: Labels, patient: Reference, systems: Collection[str] = ()
) -> Aliases:
    """The patient's records on all servers, by their inside references (`fhir_tools.servers.relabel`).

    A record of another server is the same person where system and value of an identifier are equal (of `systems` only,
    where they are named), no other patient of either server has one of them, and no birth date contradicts. Merged
    records of either server come with it. Raises UserError where it is not certain, NotFound, SourceError where the
    patient's own server cannot say; another server that cannot is told in `unread`, one that does not know the person
    in `warnings`.
    """
    home, own = labels.original(patient)
    found = await resolve_aliases(sources[home], own)
    person = await sources[home].read(own)
    wanted = frozenset(_identifiers(person, systems))
    records, searched = list(found.references), list(found.searched)
    inside = {r: _inside(labels, home, r) for r in (own, *records)}
    references, asked = [inside[r] for r in records], [inside[r] for r in searched]
    warnings, unread = list(found.warnings), list(found.unread)
    for label in (x for x in labels.labels if x != home):
        try:
            other = await _on(sources[label], label, person, wanted)
            if other is not None:
                await _refuse_sharing(sources[home], home, wanted, {own, *records})
        except SourceError as error:
            unread.append(f"{label}: {error}")
            continue
        if other is None:
            why = "is not known" if wanted else "has no identifier to be found by"
            warnings.append(f"the patient {why} on server {label!r}; it was left out")
            continue
        references += [_inside(labels, label, r) for r in (other.patient, *other.references)]
        asked += [_inside(labels, label, r) for r in other.searched]
        warnings += [f"{label}: {text}" for text in other.warnings]
        unread += [f"{label}: {text}" for text in other.unread]
    return Aliases(
        patient=patient,
        references=frozenset(references) - {patient},
        searched=tuple(dict.fromkeys(asked)),
        warnings=tuple(warnings),
        unread=tuple(unread),
    )


async def _on(
    source: Source, label: str, person: Mapping[str, Any], wanted: frozenset[tuple[str, str]]
) -> Aliases | None:
    """The person's records on one other server; None where it has none."""
    if not wanted:
        return None
    matched = await _holding(source, wanted)
    if not matched:
        return None
    names = set(map(_named, matched))
    try:
        found = await resolve_aliases(source, min(names, key=str))
    except NotFound as error:
        raise SourceError("a patient that was found could not be read") from error
    if not names <= {found.patient, *found.references}:
        raise UserError(f"several patients of server {label!r} share an identifier with this one; {_REMEDY}")
    if any(_contradicts(person.get("birthDate"), r.get("birthDate")) for r in matched):
        raise UserError(f"the birth date on server {label!r} contradicts that of this patient; {_REMEDY}")
    return found


async def _refuse_sharing(
    source: Source, label: str, wanted: frozenset[tuple[str, str]], own: Collection[Reference]
) -> None:
    """Raises UserError where another patient of the own server has one of the identifiers: a mother's, an insurer's."""
    try:
        matched = await _holding(source, wanted)
    except SourceError as error:
        raise SourceError(f"whether others of {label} have the same identifiers is not known: {error}") from error
    if not {_named(r) for r in matched} <= set(own):
        raise UserError(f"several patients of server {label!r} share an identifier with this one; {_REMEDY}")


async def _holding(source: Source, wanted: frozenset[tuple[str, str]]) -> list[Mapping[str, Any]]:
    """The patients that have one of the identifiers. Raises SourceError where they were not all searched."""
    value = ",".join(f"{escape(system)}|{escape(value)}" for system, value in sorted(wanted))
    result = await source.search(Query(type="Patient", params=(("identifier", value),)))
    if not result.complete:
        raise SourceError(result.error or "the search for the patient was not complete")
    # A server may match more than was asked for (another system, another letter case): it is compared here.
    return [r for r in result.matches if r.get("resourceType") == "Patient" and wanted & set(_identifiers(r))]


def _named(person: Mapping[str, Any]) -> Reference:
    return Reference(type="Patient", id=str(person.get("id")))


def _identifiers(person: Mapping[str, Any], systems: Collection[str] = ()) -> Iterator[tuple[str, str]]:
    """System and value of each identifier that has both; one that is marked `old` is nobody's for certain."""
    listed = person.get("identifier")
    for one in listed if isinstance(listed, list) else ():
        system, value = (one.get("system"), one.get("value")) if isinstance(one, dict) else (None, None)
        if not isinstance(system, str) or not isinstance(value, str) or one.get("use") == "old":
            continue
        if system and value.strip() and (not systems or system in systems):
            yield system, value


def _contradicts(one: Any, other: Any) -> bool:
    """Whether two birth dates differ as far as both are precise."""
    if not isinstance(one, str) or not isinstance(other, str):
        return False
    shorter = min(len(one), len(other))
    return one[:shorter] != other[:shorter]


def _inside(labels: Labels, label: str, reference: Reference) -> Reference:
    return Reference(type=reference.type, id=labels.inside(label, reference.id))
