"""Bulk Data `$export` (HL7 Bulk Data Access 2.0): asked for, worked on in the background, told, fetched, cancelled.

Jobs are kept in memory and files in a temporary folder; both are gone when the server stops.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import tempfile
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Literal

import orjson

from fhir_tools.local import LocalStore
from fhir_tools.serve import rows
from fhir_tools.serve.compartment import chart, members, supporting
from fhir_tools.serve.links import encoded
from fhir_tools.serve.messages import Answer, Ask, Refusal, Resource
from fhir_tools.serve.operations import typed
from fhir_tools.serve.reading import instant, reference_of
from fhir_tools.types import Reference

__all__ = ["Exports"]

_LOG = logging.getLogger("chartline.serve")
_NDJSON = ("application/fhir+ndjson", "application/ndjson", "ndjson")
_PARAMS = frozenset(("_type", "_since", "_outputFormat", "_format", "_pretty"))
_RUNNING, _KEPT = 4, 32
_LIFE = 3_600.0  # seconds that a finished job is kept
_CHUNK = 200


@dataclass(slots=True, kw_only=True)
class _Job:
    id: str
    request: str
    started: datetime
    folder: Path
    types: frozenset[str]
    since: datetime | None
    state: Literal["running", "done", "failed"] = "running"
    written: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    ends: float = 0.0
    task: asyncio.Task[None] | None = None


class Exports:
    """The exports of one server."""

    def __init__(self, store: LocalStore) -> None:
        self._store = store
        self._jobs: dict[str, _Job] = {}
        self._folder: Path | None = None

    async def start(self, ask: Ask, group: Reference | None = None, *, patients: bool = False) -> Answer:
        """202 with the status URL: of everything, of all charts, or of a Group's. Raises Refusal (400, 404, 429)."""
        if "respond-async" not in ask.headers.get("prefer", "").lower():
            raise Refusal(400, "$export works in the background only: send Prefer: respond-async", code="required")
        if group is not None:
            await self._read(group)
        job = self._job(ask)
        resources = self._charts(group) if patients or group else self._everything(job.types)
        job.task = asyncio.create_task(self._run(job, resources))
        return Answer(status=202, headers={"Content-Location": f"{ask.base}/$export-status/{job.id}"})

    async def _read(self, group: Reference) -> None:
        reference_of(group.type, group.id)
        if not self._store.has(str(group)):
            raise Refusal(404, "the store has no Group of that id")

    def _job(self, ask: Ask) -> _Job:
        lenient = ask.prefers("handling") == "lenient"
        unknown = sorted({name for name, _ in ask.params} - _PARAMS)
        if unknown and not lenient:
            raise Refusal(400, f"$export has no parameter {unknown[0]!r} here", code="not-supported")
        form = (ask.last("_outputFormat") or _NDJSON[0]).replace(" ", "+")
        if form not in _NDJSON:
            raise Refusal(400, f"_outputFormat={form!r} is not offered; this server writes {_NDJSON[0]}")
        since, types = ask.last("_since"), typed(ask)
        moment = instant(since) if since else None
        if since and moment is None:
            raise Refusal(400, f"_since is not an instant: {since!r}; write it as YYYY-MM-DDThh:mm:ss+zz:zz")
        self._forget_old()
        if sum(job.state == "running" for job in self._jobs.values()) >= _RUNNING:
            raise Refusal(429, f"{_RUNNING} exports are under way; wait for one to end", headers={"Retry-After": "5"})
        id_ = secrets.token_urlsafe(16)
        folder = self._room() / id_
        folder.mkdir()
        query = encoded(ask.params)
        url = f"{ask.base}/{'/'.join(ask.path)}" + (f"?{query}" if query else "")
        now = datetime.now(UTC)
        job = _Job(id=id_, request=url, started=now, folder=folder, types=types, since=moment)
        self._jobs[id_] = job
        return job

    def _room(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="chartline-export-"))
            # Also where the server is not stopped by its lifespan: an app mounted in process has none.
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        return self._folder

    def _forget_old(self) -> None:
        ended = sorted((job for job in self._jobs.values() if job.state != "running"), key=lambda job: job.ends)
        for job in ended:
            if job.ends < time.monotonic() or len(self._jobs) >= _KEPT:
                self._drop(job)

    def _drop(self, job: _Job) -> None:
        if job.task is not None:
            job.task.cancel()
        self._jobs.pop(job.id, None)
        shutil.rmtree(job.folder, ignore_errors=True)

    def close(self) -> None:
        """Cancel what runs and remove all files."""
        for job in list(self._jobs.values()):
            self._drop(job)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    # The work.

    def _everything(self, types: frozenset[str]) -> Iterator[Resource]:
        for type_ in sorted(types) if types else rows.stored_types(self._store):
            last = ""
            while part := rows.of_type(self._store, type_, last, _CHUNK):
                yield from part
                last = part[-1]["id"]

    def _charts(self, group: Reference | None) -> Iterator[Resource]:
        """Charts one after the other; what several of them refer to comes once."""
        seen: set[str] = set()
        for patient in members(self._store, group) if group else self._patients():
            own = list(chart(self._store, patient))
            yield from own
            seen.update(f"{r['resourceType']}/{r['id']}" for r in own)
            yield from supporting(self._store, own, patient, seen)

    def _patients(self) -> Iterator[str]:
        last = ""
        while part := rows.of_type(self._store, "Patient", last, _CHUNK):
            last = part[-1]["id"]
            yield from (r["id"] for r in part)

    async def _run(self, job: _Job, resources: Iterator[Resource]) -> None:
        try:
            await self._write_all(job, resources)
            job.state = "done"
        except Exception as fault:  # noqa: BLE001 (told to the client by the status; the words may hold patient data)
            _LOG.error("an export failed: %s", type(fault).__name__)
            job.state = "failed"
        finally:
            job.ends = time.monotonic() + _LIFE

    async def _write_all(self, job: _Job, resources: Iterator[Resource]) -> None:
        lines: dict[str, list[bytes]] = {}
        for number, resource in enumerate(resources, 1):
            if _wanted(job, resource):
                lines.setdefault(resource["resourceType"], []).append(orjson.dumps(resource))
            if number % _CHUNK == 0:
                _write(job, lines)
                await asyncio.sleep(0)  # requests come in between
        _write(job, lines)

    # What the client asks of a job.

    async def status(self, ask: Ask, id_: str) -> Answer:
        """202 while it works, then the manifest. Raises Refusal: 404 for no such job, 500 where it failed."""
        job = self._get(id_)
        if job.state == "running":
            headers = {"X-Progress": f"{job.written} resources written", "Retry-After": "1"}
            return Answer(status=202, headers=headers)
        if job.state == "failed":
            raise Refusal(500, "the export failed; ask for it again")
        expires = datetime.fromtimestamp(time.time() + max(0.0, job.ends - time.monotonic()), UTC)
        return Answer(
            body=orjson.dumps(_manifest(job, ask.base)),
            content_type="application/json",
            headers={"Expires": format_datetime(expires, usegmt=True)},
        )

    async def file(self, ask: Ask, id_: str, name: str) -> Answer:
        """One NDJSON file of a finished job. Raises Refusal (404)."""
        job, type_ = self._get(id_), name.removesuffix(".ndjson")
        if job.state != "done" or type_ not in job.counts or name == type_:
            raise Refusal(404, "that export has no such file")
        return Answer(file=job.folder / name, content_type=_NDJSON[0])

    async def cancel(self, ask: Ask, id_: str) -> Answer:
        """202; the job and its files are gone (Bulk Data 2.0, delete request)."""
        self._drop(self._get(id_))
        return Answer(status=202)

    def _get(self, id_: str) -> _Job:
        if id_ not in self._jobs:
            raise Refusal(404, "there is no such export (any more)")
        return self._jobs[id_]


def _wanted(job: _Job, resource: Resource) -> bool:
    if job.types and resource["resourceType"] not in job.types:
        return False
    updated = instant(resource["meta"]["lastUpdated"]) if job.since else None
    return job.since is None or updated is None or updated >= job.since


def _write(job: _Job, lines: dict[str, list[bytes]]) -> None:
    for type_, part in lines.items():
        with (job.folder / f"{type_}.ndjson").open("ab") as file:
            file.write(b"\n".join(part) + b"\n")
        job.counts[type_] = job.counts.get(type_, 0) + len(part)
        job.written += len(part)
    lines.clear()


def _manifest(job: _Job, base: str) -> dict[str, Any]:
    output = [
        {"type": type_, "url": f"{base}/$export-file/{job.id}/{type_}.ndjson", "count": count}
        for type_, count in sorted(job.counts.items())
    ]
    return {
        "transactionTime": job.started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "request": job.request,
        "requiresAccessToken": False,
        "output": output,
        "error": [],
    }
