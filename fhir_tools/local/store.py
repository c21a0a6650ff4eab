"""The embedded FHIR store: one SQLite file that answers as a FHIR source, and takes resources from the loader."""

from __future__ import annotations

import asyncio
import base64
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version as package_version
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import parse_qs, urlsplit

import orjson

from fhir_tools.errors import NotFound, QueryError, SourceError, UserError
from fhir_tools.local import schema, search
from fhir_tools.local.concepts import ConceptIndex
from fhir_tools.local.history import Version, versions
from fhir_tools.local.index import INDEX_VERSION, Indexer, patient_of
from fhir_tools.local.timeline import timeline
from fhir_tools.search.definitions import parameters
from fhir_tools.search.elements import literal, strings, time_range
from fhir_tools.source import CATALOGUE_OPERATION, OWN_OPERATIONS, TIMELINE_OPERATION
from fhir_tools.types import Fetched, Query, Reference, SearchResult

__all__ = ["Change", "LocalStore", "PatientRow"]

Change = Literal["new", "updated", "unchanged", "older", "conflict"]
"""What a put did: `older` went into the history only; `conflict` is an id that the same load gave another content."""

Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientRow:
    """One chart of the store: `resources` counts what refers to the patient, and the Patient itself."""

    id: str
    name: str
    birth_date: str | None
    resources: int
    sex: str | None = None


class LocalStore:
    """A FHIR R4 source over one SQLite file, or over memory (`:memory:`).

    The async methods do plain synchronous SQLite calls: they take milliseconds, less than a thread switch
    is worth. `put`, `delete`, `transaction` and `patients` are for the loader, tools and tests.
    """

    def __init__(self, path: str | Path = ":memory:") -> None:
        """Open or make the store. Raises UserError for a file that is no store, newer, locked or not writable."""
        self.path = str(path)
        self._db = schema.connect(self.path)
        self._index = Indexer(self._db)
        self._concepts = ConceptIndex(self._db)
        self._depth = self._load = 0
        self._now = _now()
        self._medications: set[str] = set()
        if self._meta("index") != INDEX_VERSION:
            self.reindex()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; closing twice is allowed."""
        self._db.close()

    # The source Protocol.

    async def read(self, reference: Reference, version: str | None = None) -> dict[str, Any]:
        """One resource, current or of a version. `meta` has version and time even where the file gave none."""
        key = (reference.type, reference.id)
        sql = "SELECT version, updated, deleted, body FROM {} WHERE type = ? AND id = ?"
        row = self._one(sql.format("resource"), key)
        if version is not None and row and row[0] != version:
            row = self._one(sql.format("history") + " AND version = ?", (*key, version))
        if row is None:
            raise NotFound(
                f"the store has no {reference.type} of that id" + (" and version" if version else ""), status=404
            )
        if row[2]:
            raise NotFound(f"that {reference.type} was deleted", status=410)
        return _parsed(row[3], row[0], row[1])

    async def search(self, query: Query) -> SearchResult:
        """Run a search (see `fhir_tools.search.query`). Raises QueryError for what cannot be run as written."""
        self._flush()
        return search.run(self._db, query, self._bodies)

    async def fetch(self, url: str) -> Fetched:
        """`Binary/[id]`, or an operation of `fhir_tools.source` on a Patient. Raises SourceError for others."""
        parts = urlsplit(url)
        path, _, operation = parts.path.partition("/$")
        if f"${operation}" == CATALOGUE_OPERATION:
            return self._catalogue(path, parse_qs(parts.query).get("as_of", [""])[0])
        if f"${operation}" == TIMELINE_OPERATION:
            number = self._patient(path, TIMELINE_OPERATION)
            # The one call that takes longer than a thread switch: tens of thousands of rows.
            return _json(await asyncio.to_thread(timeline, self._db, number))
        try:
            reference = Reference.parse(path)
        except ValueError:
            reference = None
        if operation or reference is None or reference.type != "Binary":
            told = ", ".join(sorted(OWN_OPERATIONS))
            raise SourceError(f"the store cannot fetch {parts.path!r}: it has Binary/[id] and {told}")
        return _binary(await self.read(reference))

    async def capabilities(self) -> dict[str, Any]:
        """FHIR version, software, search parameters by type (those in the store), operations."""
        types = [row[0] for row in self._db.execute("SELECT param FROM term WHERE param NOT LIKE '%.%' AND code = ''")]
        return {
            "fhirVersion": "4.0.1",
            "software": {"name": "chartline", "version": package_version("chartline")},
            "search": {type_: sorted(parameters(type_)) for type_ in sorted(types)},
            "operations": sorted(OWN_OPERATIONS),
        }

    # What the loader, the command line and tests use.

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: what is put inside is kept when the block ends, and gone when it raises."""
        if self._depth:
            yield
            return
        with self._guarded():
            self._db.execute("BEGIN IMMEDIATE")
        self._depth = 1
        try:
            with self._guarded():
                self._load, self._now = int(self._meta("load") or 0) + 1, _now()
                self._set_meta("load", str(self._load))
                yield
                self._finish()
        except BaseException:
            self._rollback()
            raise
        finally:
            self._depth = 0

    def put(self, resource: Resource, body: bytes | None = None) -> Change:
        """Store one resource with `resourceType` and `id`. `body` is its JSON, if the caller has it at hand."""
        if not self._depth:
            with self.transaction():
                return self.put(resource, body)
        type_, id_ = resource["resourceType"], resource["id"]
        meta = resource.get("meta")
        meta = meta if isinstance(meta, dict) else {}
        stamp = str(meta.get("versionId") or "1"), str(meta.get("lastUpdated") or self._now)
        own = patient_of(resource)
        patient = self._index.patient(own)
        body = body or orjson.dumps(resource)
        sql = "INSERT OR IGNORE INTO resource (type, id, version, updated, load, patient, body) VALUES (?,?,?,?,?,?,?)"
        done = self._db.execute(sql, (type_, id_, *stamp, self._load, patient, body))
        if not done.rowcount:
            return self._put_again(resource, body, meta, own)
        self._indexed(int(done.lastrowid or 0), own, resource)
        return "new"

    def delete(self, reference: Reference) -> bool:
        """Mark a resource deleted, its last version kept in the history. False if there is no such resource."""
        with self.transaction():
            sql = "SELECT key, patient, version, updated, body FROM resource WHERE type = ? AND id = ? AND deleted = 0"
            row = self._one(sql, (reference.type, reference.id))
            if row is None:
                return False
            key, patient, version, updated, body = row
            self._unindexed(key, patient, body)
            self._keep(reference.type, reference.id, version, updated, body)
            new = self._next_version(reference.type, reference.id, version)
            sql = "UPDATE resource SET deleted = 1, version = ?, updated = ? WHERE key = ?"
            self._db.execute(sql, (new, self._now, key))
            return True

    @property
    def connection(self) -> sqlite3.Connection:
        """The SQLite connection, for the loader's temporary tables: they share its transaction."""
        return self._db

    def body(self, reference: Reference) -> bytes | None:
        """The JSON of a current resource as it was stored, or None."""
        sql = "SELECT body FROM resource WHERE type = ? AND id = ? AND deleted = 0"
        row = self._one(sql, (reference.type, reference.id))
        return row[0] if row else None

    def rewrite(self, reference: Reference, body: bytes) -> None:
        """Replace the JSON of a current resource without a new version: its references were made literal."""
        with self.transaction():
            sql = "SELECT key, patient, body FROM resource WHERE type = ? AND id = ? AND deleted = 0"
            row = self._one(sql, (reference.type, reference.id))
            if row is None:
                raise NotFound(f"the store has no {reference.type} of that id", status=404)
            key, old_patient, old_body = row
            resource = orjson.loads(body)
            own = patient_of(resource)
            self._unindexed(key, old_patient, old_body)
            sql = "UPDATE resource SET patient = ?, body = ? WHERE key = ?"
            self._db.execute(sql, (self._index.patient(own), body, key))
            self._indexed(key, own, resource)

    def history(
        self, of: Reference | str | None = None, *, since: str | None = None, count: int | None = None
    ) -> tuple[Version, ...]:
        """Versions, newest first, of one resource, of a type or of all; none where there never was such a resource.

        `since` is an instant, `count` the most that are given. Raises QueryError for a `since` that is no time.
        """
        return versions(self._db, of, _parsed, since, count)

    def has(self, reference: str) -> bool:
        """Whether `Type/id` is in the store and not deleted."""
        pair = tuple(reference.split("/", 1))
        return self._one("SELECT 1 FROM resource WHERE type = ? AND id = ? AND deleted = 0", pair) is not None

    def matching(self, query: Query) -> list[str]:
        """`Type/id` of every match of a search; for conditional references. Raises QueryError."""
        self._flush()
        found = search.run(self._db, query, self._bodies)
        return [f"{r['resourceType']}/{r['id']}" for r in found.matches]

    def patients(self) -> list[PatientRow]:
        """Every patient of the store, by name then id."""
        self._flush()
        sql = """
            SELECT r.id, r.body, (
                SELECT count(*) FROM posting p WHERE p.patient = r.patient AND p.term IN (
                    SELECT number FROM term WHERE code = '' AND system = '' AND param NOT LIKE '%.%'))
            FROM resource r WHERE r.type = 'Patient' AND r.deleted = 0"""
        found = [_patient_row(id_, orjson.loads(body), count) for id_, body, count in self._db.execute(sql)]
        return sorted(found, key=lambda p: (p.name, p.id))

    def reindex(self) -> None:
        """Make all index rows anew from the resources: after an upgrade that reads more from them."""
        with self.transaction():
            for statement in schema.EMPTY_INDEX:
                self._db.execute(statement)
            self._index.forget()
            self._concepts.forget()
            last = 0
            while row := self._one(
                "SELECT key, body FROM resource WHERE key > ? AND deleted = 0 ORDER BY key", (last,)
            ):
                last, resource = row[0], orjson.loads(row[1])
                own = patient_of(resource)
                self._db.execute("UPDATE resource SET patient = ? WHERE key = ?", (self._index.patient(own), last))
                self._indexed(last, own, resource)
            self._set_meta("index", INDEX_VERSION)

    # Inside.

    def _put_again(self, resource: Resource, body: bytes, meta: Mapping[str, Any], own: str | None) -> Change:
        type_, id_ = resource["resourceType"], resource["id"]
        sql = "SELECT key, load, patient, version, updated, deleted, body FROM resource WHERE type = ? AND id = ?"
        row = self._one(sql, (type_, id_))
        if row is None:
            raise UserError(f"{self.path!r} has a damaged index; load the files into a new store")
        key, load, old_patient, version, updated, deleted, old_body = row
        if not deleted and (old_body == body or orjson.loads(old_body) == resource):
            return "unchanged"
        given = meta.get("versionId")
        if not deleted and load == self._load and (given is None or str(given) == version):
            return "conflict"
        stamp = (self._next_version(type_, id_, version, given), str(meta.get("lastUpdated") or self._now))
        if given is not None and _is_older((str(given), meta.get("lastUpdated")), (version, updated)):
            self._keep(type_, id_, *stamp, body)
            return "older"
        self._keep(type_, id_, version, updated, old_body, deleted)
        if not deleted:
            self._unindexed(key, old_patient, old_body)
        sql = "UPDATE resource SET version = ?, updated = ?, load = ?, patient = ?, deleted = 0, body = ? WHERE key = ?"
        self._db.execute(sql, (*stamp, self._load, self._index.patient(own), body, key))
        self._indexed(key, own, resource)
        return "updated"

    def _keep(self, type_: str, id_: str, version: str, updated: str, body: bytes, deleted: int = 0) -> None:
        sql = "INSERT OR REPLACE INTO history (type, id, version, updated, deleted, body) VALUES (?, ?, ?, ?, ?, ?)"
        self._db.execute(sql, (type_, id_, version, updated, deleted, body))

    def _next_version(self, type_: str, id_: str, current: str, given: object = None) -> str:
        """The version as given if it is free, else the number after all that the store has used for the resource."""
        sql = "SELECT version FROM history WHERE type = ? AND id = ?"
        used = {current, *(row[0] for row in self._db.execute(sql, (type_, id_)))}
        if given is not None and str(given) not in used:
            return str(given)
        return str(max((int(v) for v in used if v.isdecimal()), default=0) + 1)

    def _indexed(self, key: int, own: str | None, resource: Resource) -> None:
        patient = self._index.patient(own)
        self._index.add(key, patient, own, resource)
        self._concepts.add(key, patient, resource)
        if resource["resourceType"] == "Medication":
            self._medications.add(f"Medication/{resource['id']}")

    def _unindexed(self, key: int, patient: int, body: bytes) -> None:
        resource = orjson.loads(body)
        self._index.remove(key, patient, resource)
        self._concepts.remove(key, patient)
        if literal(resource.get("medicationReference")):
            self._db.execute("DELETE FROM follow WHERE key = ?", (key,))

    def _flush(self) -> None:
        self._index.flush()
        self._concepts.flush()

    def _finish(self) -> None:
        """Write what is buffered; orders that were stored before their Medication now get its code."""
        self._flush()
        for medication in self._medications:
            for key, patient, body in self._concepts.followers(medication):
                self._concepts.remove(key, patient)
                self._concepts.add(key, patient, orjson.loads(body))
        self._concepts.flush()
        self._medications.clear()
        self._db.execute("COMMIT")

    def _rollback(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self._medications.clear()
        self._index.forget()
        self._concepts.forget()

    def _catalogue(self, path: str, as_of: str) -> Fetched:
        try:
            day = date.fromisoformat(as_of) if as_of else None
        except ValueError as fault:
            raise QueryError(f"{CATALOGUE_OPERATION} takes as_of=YYYY-MM-DD, on a Patient: {fault}") from fault
        return _json(self._concepts.catalogue(self._patient(path, CATALOGUE_OPERATION), day))

    def _patient(self, path: str, operation: str) -> int:
        """The number of the Patient that an operation is on. Raises QueryError, NotFound."""
        self._flush()
        try:
            reference = Reference.parse(path)
        except ValueError as fault:
            raise QueryError(f"{operation} is an operation on a Patient: {fault}") from fault
        if reference.type != "Patient":
            raise QueryError(f"{operation} is an operation on a Patient, not on {reference.type!r}")
        number = self._one("SELECT number FROM patient WHERE id = ?", (reference.id,))
        if number is None:
            raise NotFound("the store has no Patient of that id", status=404)
        return int(number[0])

    def _bodies(self, keys: Sequence[int]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        sql = """SELECT key, version, updated, body FROM resource
            WHERE key IN (SELECT value FROM json_each(?))"""
        for start in range(0, len(keys), 500):
            part = keys[start : start + 500]
            rows = {row[0]: row for row in self._db.execute(sql, (orjson.dumps(part).decode(),))}
            found += (_parsed(rows[key][3], rows[key][1], rows[key][2]) for key in part)
        return found

    def _one(self, sql: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._db.execute(sql, values).fetchone()
        return row

    def _meta(self, name: str) -> str | None:
        row = self._one("SELECT value FROM meta WHERE name = ?", (name,))
        return str(row[0]) if row else None

    def _set_meta(self, name: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Faults of the file (locked, read-only, disk full) as UserError with the remedy."""
        try:
            yield
        except sqlite3.OperationalError as fault:
            raise UserError(schema.remedy(self.path, fault)) from fault


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _is_older(new: tuple[str, Any], old: tuple[str, str]) -> bool:
    """By lastUpdated where both say it, else by version numbers."""
    times = [time_range(t) if isinstance(t, str) else None for t in (new[1], old[1])]
    if times[0] and times[1] and times[0] != times[1]:
        return times[0][0] < times[1][0]
    return new[0].isdecimal() and old[0].isdecimal() and int(new[0]) < int(old[0])


def _parsed(body: bytes, version: str, updated: str) -> dict[str, Any]:
    resource: dict[str, Any] = orjson.loads(body)
    meta = resource.get("meta")
    resource["meta"] = {**(meta if isinstance(meta, dict) else {}), "versionId": version, "lastUpdated": updated}
    return resource


def _json(content: object) -> Fetched:
    return Fetched(content_type="application/json", body=orjson.dumps(content))


def _binary(resource: Resource) -> Fetched:
    try:
        body = base64.b64decode("".join(str(resource.get("data", "")).split()), validate=True)
    except ValueError as fault:
        raise SourceError("the Binary's data is not base64") from fault
    return Fetched(content_type=str(resource.get("contentType") or "application/octet-stream"), body=body)


def _patient_row(id_: str, resource: Resource, count: int) -> PatientRow:
    names = resource.get("name")
    first = names[0] if isinstance(names, list) and names and isinstance(names[0], dict) else {}
    parts = {k: first.get(k) for k in ("given", "family")}
    name = first.get("text") or " ".join(strings(parts))
    born, sex = (x if isinstance(x, str) else None for x in (resource.get("birthDate"), resource.get("gender")))
    return PatientRow(id=id_, name=str(name), birth_date=born, resources=count, sex=sex)
