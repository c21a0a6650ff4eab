"""A whole chart: the patient, all that is about the patient, and what those resources refer to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import cache
from typing import Any

from fhir_tools.local import LocalStore
from fhir_tools.local.index import patient_of
from fhir_tools.search.elements import TimeSpan, literal, ranges, walk
from fhir_tools.search.query import Path, parameters
from fhir_tools.serve import rows
from fhir_tools.serve.messages import Resource
from fhir_tools.types import Reference

__all__ = ["SUPPORTING", "chart", "members", "supporting", "within"]

SUPPORTING = frozenset(
    (
        "Device", "DeviceDefinition", "Endpoint", "HealthcareService", "Location", "Medication", "Organization",
        "Practitioner", "PractitionerRole", "Substance",
    )
)  # fmt: skip
"""Types that come along when a chart refers to them (R4 Patient $everything: "resources referenced from")."""

_CARE_DATES = (
    "date", "onset-date", "performed", "effective", "effective-time", "authoredon", "authored", "whenhandedover",
    "whenprepared", "started", "created", "period", "collected", "occurrence", "start-date", "recorded-date",
)  # fmt: skip
"""Search parameters that say when care took place, the first that a resource has a value for being its date."""


def chart(store: LocalStore, patient: str, newest: int | None = None) -> Iterator[dict[str, Any]]:
    """The patient and the resources about this patient, each once; `newest` leaves out what was stored later."""
    return rows.of_keys(store, rows.chart_keys(store, patient, newest))


def supporting(store: LocalStore, resources: Iterable[Resource], patient: str, seen: set[str]) -> list[dict[str, Any]]:
    """What the resources refer to, and what that refers to, among `SUPPORTING` types; never another patient's.

    `seen` are the `Type/id` that are there already; what is found is added to it.
    """
    found: list[dict[str, Any]] = []
    waiting: list[Resource] = list(resources)
    while waiting:
        for name in _references(waiting.pop()):
            type_, _, id_ = name.partition("/")
            if type_ not in SUPPORTING or name in seen:
                continue
            seen.add(name)
            resource = _read(store, type_, id_)
            if resource is not None and patient_of(resource) in (None, patient):
                found.append(resource)
                waiting.append(resource)
    return found


def _read(store: LocalStore, type_: str, id_: str) -> dict[str, Any] | None:
    sql = "SELECT key FROM resource WHERE type = ? AND id = ? AND deleted = 0"
    row = store.connection.execute(sql, (type_, id_)).fetchone()
    return next(rows.of_keys(store, [row[0]]), None) if row else None


def _references(resource: Resource) -> Iterator[str]:
    """`Type/id` of every literal reference in a resource, at any depth."""
    waiting: list[Any] = [resource]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            text = literal(value) if "reference" in value else None
            if text and text.count("/") == 1:
                yield text
            waiting += [item for item in value.values() if isinstance(item, dict | list)]


def within(resource: Resource, asked: TimeSpan) -> bool:
    """Whether its care falls into the time; what has no date of care, such as an allergy, always does."""
    for path in _dated(resource["resourceType"]):
        found = [span for element in walk(resource, (path,)) for span in ranges(element)]
        if found:
            return any(low < asked[1] and asked[0] < high for low, high in found)
    return True


@cache
def _dated(type_: str) -> tuple[Path, ...]:
    if type_ == "Patient" or type_ in SUPPORTING:
        return ()
    known = parameters(type_)
    return tuple(
        path for name in _CARE_DATES if name in known and known[name].type == "date" for path in known[name].paths
    )


def members(store: LocalStore, group: Reference, seen: Collection[str] = ()) -> Iterator[str]:
    """Ids of the patients in a Group and in the Groups within it, each once; inactive members are left out."""
    visited = {*seen, str(group)}
    resource = _read(store, group.type, group.id) or {}
    listed = resource.get("member")
    for member in listed if isinstance(listed, list) else ():
        text = (
            literal(member.get("entity")) if isinstance(member, dict) and member.get("inactive") is not True else None
        )
        if not text or text in visited:
            continue
        visited.add(text)
        type_, _, id_ = text.partition("/")
        if type_ == "Patient":
            yield id_
        elif type_ == "Group":
            yield from members(store, Reference(type=type_, id=id_), visited)
