"""Other records of the same patient on one server: merges that both records confirm, and ids that the server redirects.

They are found once, when a chart is opened. What a resource says later adds nothing (`fhir_tools.scope`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from fhir_tools.errors import NotFound, SourceError
from fhir_tools.scope import addresses
from fhir_tools.source import Source
from fhir_tools.types import Reference

__all__ = ["Aliases", "KnowsPatients", "resolve_aliases"]

_CONFIRMS = {
    "replaced-by": ("replaces",),
    "replaces": ("replaced-by",),
    "refer": ("seealso", "refer"),
    "seealso": ("refer",),
}
"""Link types → those that the other record must have back (R4 Patient.link.type).

Two records that only `seealso` each other are no merge: each stands for itself.
"""

_MOST = 20
"""Records that are read to find out whether they are this patient's: more are no patient but a fault of the data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aliases:
    """The records that are one patient, for `Scoped(source, found.patient, found.references, searched=found.searched)`.

    `patient` is the one that was asked for. `references` are the others that hold. `searched` are those that a search
    is sent for: an id that the server redirects to another is allowed in what comes back, and not asked for.
    `warnings` tell which linked records were left out and why, without an id; `unread` those that a fault kept from
    being read: the chart is not whole without them.
    """

    patient: Reference
    references: frozenset[Reference] = frozenset()
    searched: tuple[Reference, ...] = ()
    warnings: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


@runtime_checkable
class KnowsPatients(Protocol):
    """A source that can say itself which records are one patient: several servers as one."""

    async def same_patient(self, patient: Reference) -> Aliases:
        """As `resolve_aliases`, over all that it holds."""
        ...


async def resolve_aliases(source: Source, patient: Reference) -> Aliases:
    """The records that the server itself holds to be the same patient. `source` is not scoped yet.

    A link counts where the other record links back (`replaced-by` and `replaces`, `refer` and `seealso`), or where
    reading the one gives the other. Raises NotFound, SourceError where the patient's own record cannot be read; one
    that is linked and cannot be read is left out with a warning.
    """
    if isinstance(source, KnowsPatients):
        return await source.same_patient(patient)
    base = (await source.capabilities()).get("base")
    bases = (base,) if isinstance(base, str) else ()
    found = _Found()
    await found.start(source, patient, bases)
    while found.waiting:
        await found.step(source, bases)
    here = tuple(r for r in found.records if r not in found.moved)
    others = frozenset(found.records) | found.moved
    return Aliases(
        patient=patient,
        references=others - {patient},
        searched=here,
        warnings=tuple(dict.fromkeys(found.warnings)),
        unread=tuple(dict.fromkeys(found.unread)),
    )


class _Found:
    """The walk over links: `records` are confirmed, with their resource; `waiting` are (record, link type, other)."""

    def __init__(self) -> None:
        self.records: dict[Reference, Mapping[str, Any]] = {}
        self.moved: set[Reference] = set()
        self.waiting: deque[tuple[Reference, str, Reference]] = deque()
        self.asked: set[Reference] = set()
        self.warnings: list[str] = []
        self.unread: list[str] = []

    async def start(self, source: Source, patient: Reference, bases: tuple[str, ...]) -> None:
        self.asked.add(patient)
        self._add(patient, await _record(source, patient), bases)

    async def step(self, source: Source, bases: tuple[str, ...]) -> None:
        record, type_, other = self.waiting.popleft()
        if other in self.records or other in self.moved:
            return
        if len(self.asked) >= _MOST and other not in self.asked:
            self.waiting.clear()
            self.unread.append(f"more than {_MOST} records are linked to this patient; the rest was left out")
            return
        self.asked.add(other)
        try:
            resource = await _record(source, other)
        except NotFound:
            self.warnings.append("a linked patient record is not on the server; it was left out")
            return
        except SourceError as error:
            status = f" (HTTP {error.status})" if error.status else ""
            self.warnings.append(f"a linked patient record could not be read{status}; it was left out")
            self.unread.append(str(error) or f"a linked patient record could not be read{status}")
            return
        back = {type_ for type_, whom in _links(resource, bases) if whom == record}
        known = Reference(type="Patient", id=resource["id"]) in self.records
        if known or back.intersection(_CONFIRMS.get(type_, ())):
            self._add(other, resource, bases)
        else:
            self.warnings.append("a linked patient record does not link back; it was left out")

    def _add(self, asked: Reference, resource: Mapping[str, Any], bases: tuple[str, ...]) -> None:
        """Keep a record; one that came under another id than it was asked by has moved there."""
        got = Reference(type="Patient", id=resource["id"])
        if got != asked:
            self.moved.add(asked)
        if got not in self.records:
            self.records[got] = resource
            linked = dict.fromkeys(pair for pair in _links(resource, bases) if pair[1] != got)
            self.waiting += [(got, type_, whom) for type_, whom in linked]


async def _record(source: Source, patient: Reference) -> Mapping[str, Any]:
    """The Patient that a read gives. Where it has another id, it must answer under that as well.

    A server that mixed up two answers must not make two patients one.
    """
    resource = await source.read(patient)
    id_ = resource.get("id")
    if id_ != patient.id and isinstance(id_, str) and addresses.ID.fullmatch(id_):
        resource = await source.read(Reference(type="Patient", id=id_))
    if resource.get("resourceType") != "Patient" or resource.get("id") != id_ or not isinstance(id_, str):
        raise SourceError("the server answered the read of a patient with something else")
    return resource


def _links(resource: Mapping[str, Any], bases: tuple[str, ...]) -> Iterator[tuple[str, Reference]]:
    """The Patient.link of a record as (type, the Patient it names on this server)."""
    links = resource.get("link")
    for link in links if isinstance(links, list) else ():
        other = link.get("other") if isinstance(link, dict) else None
        text = other.get("reference") if isinstance(other, dict) else None
        known = addresses.plain(text, bases) if isinstance(text, str) else None
        if known and known.startswith("Patient/") and isinstance(link.get("type"), str):
            yield link["type"] if link["type"] in _CONFIRMS else "", Reference.parse(known)
