"""Which patients are screened, and where their charts are opened: a folder of charts, or a source that holds many."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

from agent.errors import OperatorError, UserError
from agent.patients import listed
from agent.settings import Settings
from agent.sources import open_source
from fhir_tools.errors import SourceError
from fhir_tools.source import Source
from fhir_tools.types import Query, Reference

__all__ = ["Among", "Folder", "Place", "Population"]

_SUFFIXES = (".json.gz", ".json", ".ndjson.gz", ".ndjson")


class Population(Protocol):
    """Patients and their charts."""

    async def patients(self) -> tuple[Reference, ...]:
        """Every patient, in a fixed order. Raises OperatorError where not all could be listed."""
        ...

    def opened(self, patient: Reference) -> AbstractAsyncContextManager[Source]:
        """The source of one patient's chart."""
        ...

    async def digest(self, patient: Reference, types: Collection[str]) -> str:
        """What changes when a record of these types changes; empty where that cannot be told without reading all."""
        ...


class Folder:
    """A folder of charts, `<patient id>.json.gz` each (or unpacked, or NDJSON)."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._settings = settings
        found = {p.name.removesuffix(s): p for p in sorted(folder.iterdir()) for s in _SUFFIXES if p.name.endswith(s)}
        if not found:
            raise UserError(f"{str(folder)!r} holds no charts; they should be called <patient id>.json.gz")
        self._paths = found

    async def patients(self) -> tuple[Reference, ...]:
        """By file name."""
        return tuple(Reference(type="Patient", id=name) for name in self._paths)

    @asynccontextmanager
    async def opened(self, patient: Reference) -> AsyncIterator[Source]:
        """The chart, loaded for as long as it is asked."""
        async with open_source(self._paths[patient.id], self._settings) as source:
            yield source

    async def digest(self, patient: Reference, types: Collection[str]) -> str:
        """Of the file's bytes."""
        return await asyncio.to_thread(_of_file, self._paths[patient.id])


def _of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


class Among:
    """Those of a population whose ids are among some, such as those whom a cohort's checks do not exclude."""

    def __init__(self, population: Population, ids: Collection[str]) -> None:
        self._population, self._ids = population, frozenset(ids)

    async def patients(self) -> tuple[Reference, ...]:
        """In the population's order."""
        return tuple(p for p in await self._population.patients() if p.id in self._ids)

    def opened(self, patient: Reference) -> AbstractAsyncContextManager[Source]:
        """As the population opens it."""
        return self._population.opened(patient)

    async def digest(self, patient: Reference, types: Collection[str]) -> str:
        """As the population tells it."""
        return await self._population.digest(patient, types)


class Place:
    """A store or server that holds many patients; `patients` narrows it to some."""

    def __init__(self, source: Source, patients: Sequence[Reference] = ()) -> None:
        self._source, self._given = source, tuple(patients)

    async def patients(self) -> tuple[Reference, ...]:
        """Those given, else all that the source lists."""
        if self._given:
            return self._given
        people, whole = await listed(self._source)
        if not whole:
            raise OperatorError(
                "not all patients could be listed here; name them with --patient, or load a bulk export"
            )
        return tuple(sorted((Reference(type="Patient", id=p.id) for p in people), key=lambda r: r.id))

    @asynccontextmanager
    async def opened(self, patient: Reference) -> AsyncIterator[Source]:
        """The source itself; it is the caller's to close."""
        yield self._source

    async def digest(self, patient: Reference, types: Collection[str]) -> str:
        """Of ids, versions and dates of change, as `_elements` brings them."""
        try:
            found = await asyncio.gather(*(self._versions(patient, t) for t in sorted(types)))
        except SourceError:
            return ""
        said = [line for part in found if part is not None for line in part]
        return hashlib.sha256("\n".join(said).encode()).hexdigest()[:16] if None not in found else ""

    async def _versions(self, patient: Reference, type_: str) -> list[str] | None:
        """A line for each record; None where one has neither a version nor a date, or not all came."""
        whose = ("_id", patient.id) if type_ == "Patient" else ("patient", str(patient))
        result = await self._source.search(Query(type=type_, params=(whose, ("_elements", "id,meta"))))
        if not result.complete:
            return None
        metas = [(r.get("id"), r.get("meta") or {}) for r in result.matches]
        if not all(m.get("versionId") or m.get("lastUpdated") for _, m in metas):
            return None
        return sorted(f"{type_}/{id_} {m.get('versionId')} {m.get('lastUpdated')}" for id_, m in metas)
